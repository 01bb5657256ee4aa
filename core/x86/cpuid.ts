/**
 * CPUID of the processor that this is, and no more: a 32-bit family 6 with x87 but without MMX and SSE, and with an APIC where
 * the machine has one (SDM vol. 2, CPUID). The feature bits agree with what movToCr, wrmsr and the instruction table accept.
 */
import { MAXPHYADDR } from "../memory/host-memory.ts";
import type { Cpu } from "./cpu.ts";
import { EXIT_CPUID } from "./door.ts";
import { NEXT } from "./isa/insn.ts";

export const FEATURE_FPU = 1 << 0;
export const FEATURE_DE = 1 << 2;
export const FEATURE_PSE = 1 << 3;
export const FEATURE_TSC = 1 << 4;
export const FEATURE_MSR = 1 << 5;
export const FEATURE_PAE = 1 << 6;
export const FEATURE_CX8 = 1 << 8;
/** A local APIC, enabled by IA32_APIC_BASE. */
export const FEATURE_APIC = 1 << 9;
export const FEATURE_SEP = 1 << 11;
export const FEATURE_PGE = 1 << 13;
export const FEATURE_CMOV = 1 << 15;
export const FEATURE_PAT = 1 << 16;
export const FEATURE_PSE36 = 1 << 17;
/** FXSAVE, FXRSTOR, CR4.OSFXSR. */
export const FEATURE_FXSR = 1 << 24;
const FEATURES =
  FEATURE_FPU |
  FEATURE_DE |
  FEATURE_PSE |
  FEATURE_TSC |
  FEATURE_MSR |
  FEATURE_PAE |
  FEATURE_CX8 |
  FEATURE_SEP |
  FEATURE_PGE |
  FEATURE_CMOV |
  FEATURE_PAT |
  FEATURE_PSE36 |
  FEATURE_FXSR;
/** Bit 11 of IA32_APIC_BASE. */
const APIC_BASE_ENABLE = 1 << 11;
/** 8000_0001H EDX. */
const FEATURE_NX = 1 << 20;

const HIGHEST_BASIC = 1;
const HIGHEST_EXTENDED = 0x8000_0008 | 0;
/**
 * Family 6, model 3, stepping 3: the first signature with which SEP means that SYSENTER is there (SDM vol. 2, SYSENTER).
 * EDX has it after a reset.
 */
export const SIGNATURE = 0x633;

const text = (s: string): number[] => {
  const words: number[] = [];
  for (let i = 0; i < s.length; i += 4) {
    let w = 0;
    for (let k = 0; k < 4; k++) w |= (i + k < s.length ? s.charCodeAt(i + k) : 0) << (8 * k);
    words.push(w);
  }
  return words;
};

const VENDOR = text("QuadrantCPU0");
const BRAND = text("Quadrant simulated processor".padEnd(48, "\0"));

/** The four words of a leaf: eax, ebx, ecx, edx. Beyond the highest leaf the highest basic one answers, as the manual says. */
export function cpuidLeaf(leaf: number): readonly [number, number, number, number] {
  switch (leaf) {
    case 0:
      return [HIGHEST_BASIC, VENDOR[0]!, VENDOR[2]!, VENDOR[1]!];
    case 0x8000_0000 | 0:
      return [HIGHEST_EXTENDED, 0, 0, 0];
    case 0x8000_0001 | 0:
      return [0, 0, 0, FEATURE_NX];
    case 0x8000_0002 | 0:
    case 0x8000_0003 | 0:
    case 0x8000_0004 | 0: {
      const at = ((leaf & 7) - 2) * 4;
      return [BRAND[at]!, BRAND[at + 1]!, BRAND[at + 2]!, BRAND[at + 3]!];
    }
    case 0x8000_0005 | 0:
    case 0x8000_0006 | 0:
    case 0x8000_0007 | 0:
      return [0, 0, 0, 0];
    case 0x8000_0008 | 0:
      return [MAXPHYADDR | (32 << 8), 0, 0, 0];
    default:
      return [SIGNATURE, 0, 0, FEATURES];
  }
}

/** CPUID: EAX names the leaf. */
export function cpuid(cpu: Cpu): number {
  if (cpu.intercepting(EXIT_CPUID)) return cpu.exitFor(EXIT_CPUID);
  const [eax, ebx, ecx, edx] = cpuidLeaf(cpu.regs[0]!);
  cpu.regs[0] = eax;
  cpu.regs[3] = ebx;
  cpu.regs[1] = ecx;
  // The feature flag follows the enable bit (SDM vol. 3, 10.4.3). The initial APIC ID, EBX bits 31 to 24, is 0.
  const apic = eax === SIGNATURE && cpu.apic !== null && (cpu.apic.read() & APIC_BASE_ENABLE) !== 0;
  cpu.regs[2] = apic ? edx | FEATURE_APIC : edx;
  return NEXT;
}
