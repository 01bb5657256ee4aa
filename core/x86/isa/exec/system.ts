/**
 * System instructions: thin bindings to core/x86, which knows privilege, intercepts and effects; and the handlers
 * for what is not executed (#UD, the floating-point escapes). SDM vol. 2; vol. 3, 2.8.
 */
import type { Cpu } from "../../cpu.ts";
import { cpuid as identify } from "../../cpuid.ts";
import * as debug from "../../debug.ts";
import * as fastCall from "../../fast-call.ts";
import { adjustRpl, lar, lsl, verify } from "../../inspect.ts";
import * as msr from "../../msr.ts";
import * as ports from "../../ports.ts";
import { lldt, ltr, selectsDescriptors } from "../../segments.ts";
import * as system from "../../system.ts";
import { BRANCH, type Insn, NEXT, STOP } from "../insn.ts";
import { EAX, EDX, ea, get16, set8, set16, VECTOR_GP, VECTOR_UD } from "./operand.ts";

export function nop(): number {
  return NEXT;
}
export function invalid(cpu: Cpu): number {
  return cpu.raise(VECTOR_UD);
}
/** More than 15 bytes (SDM vol. 2, 2.3.11; vol. 3, 6.15, #GP). */
export function tooLong(cpu: Cpu): number {
  return cpu.raise(VECTOR_GP, 0);
}
export function unimplemented(cpu: Cpu): number {
  return cpu.unimplementedInsn();
}
// --- ports

function inPort(cpu: Cpu, insn: Insn, port: number): number {
  const size = (insn.row.opcode & 1) === 0 ? 1 : insn.opsize;
  const v = ports.portIn(cpu, port, size);
  if (cpu.faulted) return STOP;
  if (size === 4) cpu.regs[EAX] = v;
  else if (size === 2) set16(cpu.regs, EAX, v);
  else set8(cpu.regs, EAX, v);
  // The device may ask for an interrupt now: the block ends, as it does behind OUT.
  return BRANCH;
}
export function inI(cpu: Cpu, insn: Insn): number {
  return inPort(cpu, insn, insn.imm & 0xff);
}
export function inDx(cpu: Cpu, insn: Insn): number {
  return inPort(cpu, insn, cpu.regs[EDX] & 0xffff);
}
function outPort(cpu: Cpu, insn: Insn, port: number): number {
  const size = (insn.row.opcode & 1) === 0 ? 1 : insn.opsize;
  const v = cpu.regs[EAX];
  return ports.portOut(cpu, port, size, size === 4 ? v : size === 2 ? v & 0xffff : v & 0xff);
}
export function outI(cpu: Cpu, insn: Insn): number {
  return outPort(cpu, insn, insn.imm & 0xff);
}
export function outDx(cpu: Cpu, insn: Insn): number {
  return outPort(cpu, insn, cpu.regs[EDX] & 0xffff);
}

// --- control registers, descriptor tables, model-specific registers

/** ModRM.mod is ignored: the operand is a register (SDM vol. 2, MOV to/from control registers). */
export function movFromCr(cpu: Cpu, insn: Insn): number {
  return system.movFromCr(cpu, insn.reg, insn.rm);
}
export function movToCr(cpu: Cpu, insn: Insn): number {
  return system.movToCr(cpu, insn.reg, cpu.regs[insn.rm]);
}
export function lgdt(cpu: Cpu, insn: Insn): number {
  return system.lgdt(cpu, insn.seg, ea(cpu.regs, insn), insn.opsize);
}
export function lidt(cpu: Cpu, insn: Insn): number {
  return system.lidt(cpu, insn.seg, ea(cpu.regs, insn), insn.opsize);
}
export function sgdt(cpu: Cpu, insn: Insn): number {
  return system.sgdt(cpu, insn.seg, ea(cpu.regs, insn));
}
export function sidt(cpu: Cpu, insn: Insn): number {
  return system.sidt(cpu, insn.seg, ea(cpu.regs, insn));
}
/** A 32-bit register gets all of CR0, memory 16 bits (SDM vol. 2, SMSW). */
export function smsw(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = system.smswValue(cpu);
  if (insn.isReg) {
    if (insn.opsize === 4) r[insn.rm] = v;
    else set16(r, insn.rm, v);
    return NEXT;
  }
  cpu.write16(insn.seg, ea(r, insn), v & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}
/** SLDT and STR (SDM vol. 2): as SMSW, a 32-bit register gets the selector zero-extended. */
function storeSelector(cpu: Cpu, insn: Insn, selector: number): number {
  const r = cpu.regs;
  if (insn.isReg) {
    if (insn.opsize === 4) r[insn.rm] = selector;
    else set16(r, insn.rm, selector);
    return NEXT;
  }
  cpu.write16(insn.seg, ea(r, insn), selector);
  return cpu.faulted ? STOP : NEXT;
}
export function sldt(cpu: Cpu, insn: Insn): number {
  if (!selectsDescriptors(cpu)) return cpu.raise(VECTOR_UD);
  return storeSelector(cpu, insn, cpu.selector(6));
}
export function str(cpu: Cpu, insn: Insn): number {
  if (!selectsDescriptors(cpu)) return cpu.raise(VECTOR_UD);
  return storeSelector(cpu, insn, cpu.selector(7));
}
/** 16 bits from a register or memory for an instruction of CPL 0; -1 after a fault. */
function privilegedWord(cpu: Cpu, insn: Insn): number {
  if (cpu.cpl !== 0) {
    cpu.raise(VECTOR_GP, 0);
    return -1;
  }
  if (insn.isReg) return get16(cpu.regs, insn.rm);
  const v = cpu.read16(insn.seg, ea(cpu.regs, insn));
  return cpu.faulted ? -1 : v;
}
export function lmsw(cpu: Cpu, insn: Insn): number {
  const v = privilegedWord(cpu, insn);
  return v < 0 ? STOP : system.lmsw(cpu, v);
}
export function lldtE(cpu: Cpu, insn: Insn): number {
  if (!selectsDescriptors(cpu)) return cpu.raise(VECTOR_UD);
  const v = privilegedWord(cpu, insn);
  return v < 0 ? STOP : lldt(cpu, v);
}
export function ltrE(cpu: Cpu, insn: Insn): number {
  if (!selectsDescriptors(cpu)) return cpu.raise(VECTOR_UD);
  const v = privilegedWord(cpu, insn);
  return v < 0 ? STOP : ltr(cpu, v);
}
/** The selector that LAR, LSL, VERR and VERW ask about; -1 after a fault. They do not exist outside protected mode. */
function askedSelector(cpu: Cpu, insn: Insn): number {
  if (!selectsDescriptors(cpu)) {
    cpu.raise(VECTOR_UD);
    return -1;
  }
  if (insn.isReg) return get16(cpu.regs, insn.rm);
  const v = cpu.read16(insn.seg, ea(cpu.regs, insn));
  return cpu.faulted ? -1 : v;
}
export function larE(cpu: Cpu, insn: Insn): number {
  const v = askedSelector(cpu, insn);
  return v < 0 ? STOP : lar(cpu, insn.reg, v, insn.opsize);
}
export function lslE(cpu: Cpu, insn: Insn): number {
  const v = askedSelector(cpu, insn);
  return v < 0 ? STOP : lsl(cpu, insn.reg, v, insn.opsize);
}
export function verr(cpu: Cpu, insn: Insn): number {
  const v = askedSelector(cpu, insn);
  return v < 0 ? STOP : verify(cpu, v, false);
}
export function verw(cpu: Cpu, insn: Insn): number {
  const v = askedSelector(cpu, insn);
  return v < 0 ? STOP : verify(cpu, v, true);
}
/** The destination must be writable, also when it keeps its value. */
export function arpl(cpu: Cpu, insn: Insn): number {
  if (!selectsDescriptors(cpu)) return cpu.raise(VECTOR_UD);
  const r = cpu.regs;
  const source = get16(r, insn.reg);
  if (insn.isReg) {
    const v = adjustRpl(cpu, get16(r, insn.rm), source);
    if (v >= 0) set16(r, insn.rm, v);
    return NEXT;
  }
  const old = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const v = adjustRpl(cpu, old, source);
  if (v >= 0) cpu.rmwWrite16(v);
  return NEXT;
}
export function movFromDr(cpu: Cpu, insn: Insn): number {
  return debug.movFromDr(cpu, insn.reg, insn.rm);
}
export function movToDr(cpu: Cpu, insn: Insn): number {
  return debug.movToDr(cpu, insn.reg, cpu.regs[insn.rm]);
}
export function sysenter(cpu: Cpu): number {
  return fastCall.sysenter(cpu);
}
export function sysexit(cpu: Cpu): number {
  return fastCall.sysexit(cpu);
}
export function rdpmc(cpu: Cpu): number {
  return msr.rdpmc(cpu);
}
export function invlpg(cpu: Cpu, insn: Insn): number {
  return system.invlpg(cpu, insn.seg, ea(cpu.regs, insn));
}
/** INVD and WBINVD: caches are not simulated, privilege is. */
export function wbinvd(cpu: Cpu): number {
  return cpu.cpl === 0 ? NEXT : cpu.raise(VECTOR_GP, 0);
}
// Functions of their own: the processor and the table import each other, so that at the time the table takes its
// handlers the processor's system.ts may not have run yet (a re-export would still be undefined in some loaders).
export function cli(cpu: Cpu): number {
  return system.cli(cpu);
}
export function clts(cpu: Cpu): number {
  return system.clts(cpu);
}
export function cpuid(cpu: Cpu): number {
  return identify(cpu);
}
export function hlt(cpu: Cpu): number {
  return system.hlt(cpu);
}
export function rdmsr(cpu: Cpu): number {
  return msr.rdmsr(cpu);
}
export function rdtsc(cpu: Cpu): number {
  return msr.rdtsc(cpu);
}
export function sti(cpu: Cpu): number {
  return system.sti(cpu);
}
export function wrmsr(cpu: Cpu): number {
  return msr.wrmsr(cpu);
}
