/**
 * ADD OR ADC SBB AND SUB XOR CMP TEST, 32 bits wide: one function for each operation and operand form, because a
 * function of its own has its own inline caches and its own machine code. Suffixes: Rr register with register,
 * Rm register with memory, Mr memory with register, Ri and Mi with an immediate.
 */
import type { Cpu } from "../../cpu.ts";
import { type Exec, type Insn, NEXT, STOP } from "../insn.ts";
import { adc32, add32, logic32, sbb32, sub32 } from "./alu.ts";
import { ea } from "./operand.ts";

export function addRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = add32(r, r[insn.rm], r[insn.reg]);
  return NEXT;
}
export function addRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = add32(r, r[insn.reg], b);
  return NEXT;
}
export function addMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(add32(r, a, r[insn.reg]));
  return NEXT;
}
export function addRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = add32(r, r[insn.rm], insn.imm);
  return NEXT;
}
export function addMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(add32(r, a, insn.imm));
  return NEXT;
}

export function orRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = logic32(r, r[insn.rm] | r[insn.reg]);
  return NEXT;
}
export function orRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = logic32(r, r[insn.reg] | b);
  return NEXT;
}
export function orMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(logic32(r, a | r[insn.reg]));
  return NEXT;
}
export function orRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = logic32(r, r[insn.rm] | insn.imm);
  return NEXT;
}
export function orMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(logic32(r, a | insn.imm));
  return NEXT;
}

export function adcRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = adc32(r, r[insn.rm], r[insn.reg]);
  return NEXT;
}
export function adcRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = adc32(r, r[insn.reg], b);
  return NEXT;
}
export function adcMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(adc32(r, a, r[insn.reg]));
  return NEXT;
}
export function adcRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = adc32(r, r[insn.rm], insn.imm);
  return NEXT;
}
export function adcMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(adc32(r, a, insn.imm));
  return NEXT;
}

export function sbbRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = sbb32(r, r[insn.rm], r[insn.reg]);
  return NEXT;
}
export function sbbRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = sbb32(r, r[insn.reg], b);
  return NEXT;
}
export function sbbMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(sbb32(r, a, r[insn.reg]));
  return NEXT;
}
export function sbbRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = sbb32(r, r[insn.rm], insn.imm);
  return NEXT;
}
export function sbbMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(sbb32(r, a, insn.imm));
  return NEXT;
}

export function andRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = logic32(r, r[insn.rm] & r[insn.reg]);
  return NEXT;
}
export function andRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = logic32(r, r[insn.reg] & b);
  return NEXT;
}
export function andMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(logic32(r, a & r[insn.reg]));
  return NEXT;
}
export function andRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = logic32(r, r[insn.rm] & insn.imm);
  return NEXT;
}
export function andMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(logic32(r, a & insn.imm));
  return NEXT;
}

export function subRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = sub32(r, r[insn.rm], r[insn.reg]);
  return NEXT;
}
export function subRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = sub32(r, r[insn.reg], b);
  return NEXT;
}
export function subMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(sub32(r, a, r[insn.reg]));
  return NEXT;
}
export function subRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = sub32(r, r[insn.rm], insn.imm);
  return NEXT;
}
export function subMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(sub32(r, a, insn.imm));
  return NEXT;
}

export function xorRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = logic32(r, r[insn.rm] ^ r[insn.reg]);
  return NEXT;
}
export function xorRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = logic32(r, r[insn.reg] ^ b);
  return NEXT;
}
export function xorMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(logic32(r, a ^ r[insn.reg]));
  return NEXT;
}
export function xorRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = logic32(r, r[insn.rm] ^ insn.imm);
  return NEXT;
}
export function xorMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(logic32(r, a ^ insn.imm));
  return NEXT;
}

export function cmpRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  sub32(r, r[insn.rm], r[insn.reg]);
  return NEXT;
}
export function cmpRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  sub32(r, r[insn.reg], b);
  return NEXT;
}
export function cmpMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  sub32(r, a, r[insn.reg]);
  return NEXT;
}
export function cmpRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  sub32(r, r[insn.rm], insn.imm);
  return NEXT;
}
export function cmpMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  sub32(r, a, insn.imm);
  return NEXT;
}

export function testRr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  logic32(r, r[insn.rm] & r[insn.reg]);
  return NEXT;
}
export function testMr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  logic32(r, a & r[insn.reg]);
  return NEXT;
}
export function testRi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  logic32(r, r[insn.rm] & insn.imm);
  return NEXT;
}
export function testMi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  logic32(r, a & insn.imm);
  return NEXT;
}

/** Opcodes 03, 0B … 3B with a register source: the destination is ModRM.reg. */
export function addGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = add32(r, r[insn.reg], r[insn.rm]);
  return NEXT;
}
export function orGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = logic32(r, r[insn.reg] | r[insn.rm]);
  return NEXT;
}
export function adcGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = adc32(r, r[insn.reg], r[insn.rm]);
  return NEXT;
}
export function sbbGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = sbb32(r, r[insn.reg], r[insn.rm]);
  return NEXT;
}
export function andGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = logic32(r, r[insn.reg] & r[insn.rm]);
  return NEXT;
}
export function subGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = sub32(r, r[insn.reg], r[insn.rm]);
  return NEXT;
}
export function xorGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = logic32(r, r[insn.reg] ^ r[insn.rm]);
  return NEXT;
}
export function cmpGr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  sub32(r, r[insn.reg], r[insn.rm]);
  return NEXT;
}

/** By operation number (ADD OR ADC SBB AND SUB XOR CMP), a list for each form. */
export const ALU32_RR: readonly Exec[] = [addRr, orRr, adcRr, sbbRr, andRr, subRr, xorRr, cmpRr];
export const ALU32_GR: readonly Exec[] = [addGr, orGr, adcGr, sbbGr, andGr, subGr, xorGr, cmpGr];
export const ALU32_RM: readonly Exec[] = [addRm, orRm, adcRm, sbbRm, andRm, subRm, xorRm, cmpRm];
export const ALU32_MR: readonly Exec[] = [addMr, orMr, adcMr, sbbMr, andMr, subMr, xorMr, cmpMr];
export const ALU32_RI: readonly Exec[] = [addRi, orRi, adcRi, sbbRi, andRi, subRi, xorRi, cmpRi];
export const ALU32_MI: readonly Exec[] = [addMi, orMi, adcMi, sbbMi, andMi, subMi, xorMi, cmpMi];
