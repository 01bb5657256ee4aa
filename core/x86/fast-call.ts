/** SYSENTER and SYSEXIT: flat segments made from one MSR (SDM vol. 3, 5.8.7; vol. 2). */
import type { Cpu } from "./cpu.ts";
import { GP } from "./exceptions.ts";
import { FLAG_IF, FLAG_RF, FLAG_VM, REST } from "./flags.ts";
import { BRANCH, CS, SS } from "./isa/insn.ts";
import { ATTR_FLAT_CODE, ATTR_FLAT_DATA, SEG_DPL_SHIFT } from "./segment-cache.ts";

export const MSR_SYSENTER_CS = 0x174;
export const MSR_SYSENTER_ESP = 0x175;
export const MSR_SYSENTER_EIP = 0x176;

const CR0_PE = 1;

function flat(cpu: Cpu, seg: number, selector: number, attr: number, cpl: number): void {
  cpu.segSelector[seg] = (selector & 0xfffc) | cpl;
  cpu.segBase[seg] = 0;
  cpu.segLimit[seg] = 0xffff_ffff;
  cpu.segAttr[seg] = attr | (cpl << SEG_DPL_SHIFT);
}

function arrive(cpu: Cpu, selector: number, cpl: number, eip: number, esp: number): number {
  flat(cpu, CS, selector, ATTR_FLAT_CODE, cpl);
  flat(cpu, SS, selector + 8, ATTR_FLAT_DATA, cpl);
  cpu.eip = eip;
  cpu.regs[4] = esp;
  cpu.setCpl(cpl);
  cpu.segmentsChanged();
  return BRANCH;
}

export function sysenter(cpu: Cpu): number {
  const selector = cpu.sysenterCs & 0xfffc;
  if ((cpu.cr0 & CR0_PE) === 0 || selector === 0) return cpu.raise(GP, 0);
  cpu.regs[REST]! &= ~(FLAG_VM | FLAG_IF | FLAG_RF);
  return arrive(cpu, selector, 0, cpu.sysenterEip, cpu.sysenterEsp);
}

export function sysexit(cpu: Cpu): number {
  const selector = cpu.sysenterCs & 0xfffc;
  if ((cpu.cr0 & CR0_PE) === 0 || selector === 0 || cpu.cpl !== 0) return cpu.raise(GP, 0);
  return arrive(cpu, selector + 16, 3, cpu.regs[2]!, cpu.regs[1]!);
}
