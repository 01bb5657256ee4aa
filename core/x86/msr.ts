/**
 * Model-specific registers and counters: RDMSR, WRMSR, RDTSC, RDPMC. Each answers an Exec answer.
 * SDM vol. 2; vol. 3, 11.12 for the PAT.
 */
import { EV_WRMSR } from "../trace/events.ts";
import type { Cpu } from "./cpu.ts";
import { EXIT_RDMSR, EXIT_WRMSR } from "./door.ts";
import { GP } from "./exceptions.ts";
import { MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_SYSENTER_ESP } from "./fast-call.ts";
import { BRANCH, NEXT } from "./isa/insn.ts";
import { applyControls, CR4_PCE, CR4_TSD, EFER_NXE, MSR_EFER } from "./system.ts";

const TWO_32 = 2 ** 32;

export const MSR_TSC = 0x10;
/** IA32_APIC_BASE: base in bits 35 to 12, enable 11, bootstrap processor 8; the others are reserved (SDM vol. 3, 10.4.4). */
export const MSR_APIC_BASE = 0x1b;
const APIC_BASE_WRITABLE = 0xffff_f900 | 0;
/** The P6's two performance counters and what they would count. Kept as written: nothing is counted. */
export const MSR_PERFCTR0 = 0xc1;
export const MSR_PERFCTR1 = 0xc2;
export const MSR_EVNTSEL0 = 0x186;
export const MSR_EVNTSEL1 = 0x187;
/** IA32_PAT: without it the PAT bits of entries would be reserved (SDM vol. 3, 4.3, 4.4). Memory types are not simulated. */
export const MSR_PAT = 0x277;
/** Both halves of its value after a reset (SDM vol. 3, 11.12.4). */
export const PAT_RESET = 0x0007_0406;

/** Each byte of IA32_PAT is one of six memory types (SDM vol. 3, table 11-10). */
function validPat(word: number): boolean {
  for (let shift = 0; shift < 32; shift += 8) {
    const type = (word >>> shift) & 0xff;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
}

/** RDMSR: ECX names it, EDX:EAX get it. What is not in this file raises #GP(0). */
export function rdmsr(cpu: Cpu): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  const msr = cpu.regs[1]!;
  if (cpu.intercepting(EXIT_RDMSR)) {
    cpu.exit.msr = msr;
    return cpu.exitFor(EXIT_RDMSR);
  }
  switch (msr) {
    case MSR_TSC:
      readTsc(cpu);
      return NEXT;
    case MSR_APIC_BASE:
      return cpu.apic === null ? cpu.raise(GP, 0) : read32(cpu, cpu.apic.read());
    case MSR_EFER:
      cpu.regs[0] = cpu.efer;
      cpu.regs[2] = 0;
      return NEXT;
    case MSR_PAT:
      cpu.regs[0] = cpu.patLow;
      cpu.regs[2] = cpu.patHigh;
      return NEXT;
    case MSR_SYSENTER_CS:
      return read32(cpu, cpu.sysenterCs);
    case MSR_SYSENTER_ESP:
      return read32(cpu, cpu.sysenterEsp);
    case MSR_SYSENTER_EIP:
      return read32(cpu, cpu.sysenterEip);
    case MSR_PERFCTR0:
    case MSR_PERFCTR1:
      return readCounter(cpu, msr - MSR_PERFCTR0);
    case MSR_EVNTSEL0:
    case MSR_EVNTSEL1:
      return read32(cpu, cpu.counters[4 + msr - MSR_EVNTSEL0]!);
    default:
      return cpu.raise(GP, 0);
  }
}

function read32(cpu: Cpu, low: number): number {
  cpu.regs[0] = low;
  cpu.regs[2] = 0;
  return NEXT;
}

/** A counter has 40 bits. */
function readCounter(cpu: Cpu, n: number): number {
  cpu.regs[0] = cpu.counters[n * 2]!;
  cpu.regs[2] = cpu.counters[n * 2 + 1]! & 0xff;
  return NEXT;
}

/** RDPMC: ECX names one of the two counters of the P6 (SDM vol. 2, RDPMC). */
export function rdpmc(cpu: Cpu): number {
  if ((cpu.cr4 & CR4_PCE) === 0 && cpu.cpl !== 0) return cpu.raise(GP, 0);
  const n = cpu.regs[1]!;
  return n === 0 || n === 1 ? readCounter(cpu, n) : cpu.raise(GP, 0);
}

export function wrmsr(cpu: Cpu): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  const msr = cpu.regs[1]!;
  const low = cpu.regs[0]!;
  const high = cpu.regs[2]!;
  if (cpu.intercepting(EXIT_WRMSR)) {
    cpu.exit.msr = msr;
    cpu.exit.value = low;
    cpu.exit.valueHigh = high;
    return cpu.exitFor(EXIT_WRMSR);
  }
  switch (msr) {
    case MSR_TSC:
      setTsc(cpu, low, high);
      break;
    case MSR_APIC_BASE:
      // The APIC lies below 4 GiB: this machine takes no other base.
      if (cpu.apic === null || high !== 0 || (low & ~APIC_BASE_WRITABLE) !== 0) return cpu.raise(GP, 0);
      cpu.apic.write(low);
      break;
    case MSR_EFER:
      // CPUID offers NX and no long mode: every other bit is reserved.
      if (high !== 0 || (low & ~EFER_NXE) !== 0) return cpu.raise(GP, 0);
      cpu.efer = low;
      applyControls(cpu);
      break;
    case MSR_PAT:
      if (!validPat(low) || !validPat(high)) return cpu.raise(GP, 0);
      cpu.patLow = low;
      cpu.patHigh = high;
      break;
    case MSR_SYSENTER_CS:
      cpu.sysenterCs = low;
      break;
    case MSR_SYSENTER_ESP:
      cpu.sysenterEsp = low;
      break;
    case MSR_SYSENTER_EIP:
      cpu.sysenterEip = low;
      break;
    case MSR_PERFCTR0:
    case MSR_PERFCTR1:
      // The upper byte is the sign of the lower word (SDM vol. 3, 18.7.8).
      cpu.counters[(msr - MSR_PERFCTR0) * 2] = low;
      cpu.counters[(msr - MSR_PERFCTR0) * 2 + 1] = low >> 31;
      break;
    case MSR_EVNTSEL0:
    case MSR_EVNTSEL1:
      cpu.counters[4 + msr - MSR_EVNTSEL0] = low;
      break;
    default:
      return cpu.raise(GP, 0);
  }
  if (cpu.trace.on) cpu.trace.emit(EV_WRMSR, msr, low, high);
  return BRANCH;
}

/** RDTSC counts the machine's time: retired units plus the jumps made while halted. */
export function rdtsc(cpu: Cpu): number {
  if ((cpu.cr4 & CR4_TSD) !== 0 && cpu.cpl !== 0) return cpu.raise(GP, 0);
  readTsc(cpu);
  return NEXT;
}

/** The counter is 64 bits wide, more than a number holds: its distance from the machine's time is kept in two halves. */
function readTsc(cpu: Cpu): void {
  const now = cpu.time;
  const low = (now % TWO_32) + (cpu.tscLow >>> 0);
  cpu.regs[0] = low | 0;
  cpu.regs[2] = (Math.floor(now / TWO_32) + cpu.tscHigh + (low >= TWO_32 ? 1 : 0)) | 0;
}

function setTsc(cpu: Cpu, low: number, high: number): void {
  const now = cpu.time;
  const apart = (low >>> 0) - (now % TWO_32);
  cpu.tscLow = apart | 0;
  cpu.tscHigh = (high - Math.floor(now / TWO_32) - (apart < 0 ? 1 : 0)) | 0;
}
