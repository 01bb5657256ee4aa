/**
 * The same operations on bytes and words, and INC DEC NOT NEG of every width. One function a form; the operation's
 * number comes from the opcode (bits 3-5) or, in the immediate groups, from ModRM.reg. The forms that compiled
 * code runs often (CMP and TEST of a byte, INC and DEC of a register) have functions of their own.
 */
import type { Cpu } from "../../cpu.ts";
import { CARRIES } from "../../flags.ts";
import { type Insn, NEXT, STOP } from "../insn.ts";
import { aluNarrow, CMP, dec32, inc32, logicNarrow, stepNarrow, sub32, subNarrow } from "./alu.ts";
import { ea, get8, get16, set8, set16 } from "./operand.ts";

function opOf(insn: Insn): number {
  return (insn.row.opcode >>> 3) & 7;
}

// --- bytes

export function alu8Rr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set8(r, insn.rm, aluNarrow(r, opOf(insn), get8(r, insn.rm), get8(r, insn.reg), 24));
  return NEXT;
}
export function alu8Gr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set8(r, insn.reg, aluNarrow(r, opOf(insn), get8(r, insn.reg), get8(r, insn.rm), 24));
  return NEXT;
}
export function alu8Rm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  set8(r, insn.reg, aluNarrow(r, opOf(insn), get8(r, insn.reg), b, 24));
  return NEXT;
}
export function alu8Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite8(aluNarrow(r, opOf(insn), a, get8(r, insn.reg), 24));
  return NEXT;
}
export function cmp8Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  subNarrow(r, a, get8(r, insn.reg), 0, 24);
  return NEXT;
}
/** AL with an immediate (opcodes 04 … 3C). */
export function alu8Ai(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set8(r, 0, aluNarrow(r, opOf(insn), get8(r, 0), insn.imm & 0xff, 24));
  return NEXT;
}
export function alu8Ri(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set8(r, insn.rm, aluNarrow(r, insn.reg, get8(r, insn.rm), insn.imm & 0xff, 24));
  return NEXT;
}
export function cmp8Ri(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  subNarrow(r, get8(r, insn.rm), insn.imm & 0xff, 0, 24);
  return NEXT;
}
export function alu8Mi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite8(aluNarrow(r, insn.reg, a, insn.imm & 0xff, 24));
  return NEXT;
}
export function cmp8Mi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  subNarrow(r, a, insn.imm & 0xff, 0, 24);
  return NEXT;
}
export function test8Rr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  logicNarrow(r, get8(r, insn.rm) & get8(r, insn.reg), 24);
  return NEXT;
}
export function test8Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  logicNarrow(r, a & get8(r, insn.reg), 24);
  return NEXT;
}
export function test8Ri(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  logicNarrow(r, get8(r, insn.rm) & insn.imm, 24);
  return NEXT;
}
export function test8Mi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  logicNarrow(r, a & insn.imm, 24);
  return NEXT;
}

// --- words

export function alu16Rr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.rm, aluNarrow(r, opOf(insn), get16(r, insn.rm), get16(r, insn.reg), 16));
  return NEXT;
}
export function alu16Gr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.reg, aluNarrow(r, opOf(insn), get16(r, insn.reg), get16(r, insn.rm), 16));
  return NEXT;
}
export function alu16Rm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  set16(r, insn.reg, aluNarrow(r, opOf(insn), get16(r, insn.reg), b, 16));
  return NEXT;
}
export function alu16Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite16(aluNarrow(r, opOf(insn), a, get16(r, insn.reg), 16));
  return NEXT;
}
export function cmp16Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  subNarrow(r, a, get16(r, insn.reg), 0, 16);
  return NEXT;
}
/** AX with an immediate (opcodes 05 … 3D). */
export function alu16Ai(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, 0, aluNarrow(r, opOf(insn), get16(r, 0), insn.imm & 0xffff, 16));
  return NEXT;
}
export function alu16Ri(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.rm, aluNarrow(r, insn.reg, get16(r, insn.rm), insn.imm & 0xffff, 16));
  return NEXT;
}
export function alu16Mi(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.reg === CMP) {
    const a = cpu.read16(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
    subNarrow(r, a, insn.imm & 0xffff, 0, 16);
    return NEXT;
  }
  const a = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite16(aluNarrow(r, insn.reg, a, insn.imm & 0xffff, 16));
  return NEXT;
}
/** TEST of words: register or memory with register or immediate. */
export function test16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = insn.row.operands === "Ev,Gv" ? r[insn.reg] : insn.imm;
  let a = r[insn.rm];
  if (!insn.isReg && insn.row.operands !== "eAX,Iz") {
    a = cpu.read16(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
  }
  logicNarrow(r, a & b, 16);
  return NEXT;
}

// --- INC, DEC

/** Opcodes 40-47: the register is in the opcode. */
export function incZ32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = inc32(r, r[insn.reg]);
  return NEXT;
}
export function decZ32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = dec32(r, r[insn.reg]);
  return NEXT;
}
export function incR32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = inc32(r, r[insn.rm]);
  return NEXT;
}
export function decR32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = dec32(r, r[insn.rm]);
  return NEXT;
}
export function incM32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(inc32(r, a));
  return NEXT;
}
export function decM32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(dec32(r, a));
  return NEXT;
}
/** 1 for INC, -1 for DEC: opcodes 40-47 and 48-4F, or ModRM.reg 0 and 1 of FE and FF. */
function direction(insn: Insn): number {
  const dec = insn.row.ext < 0 ? insn.row.opcode & 8 : insn.row.ext;
  return dec === 0 ? 1 : -1;
}
export function stepZ16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.reg, stepNarrow(r, get16(r, insn.reg), direction(insn), 16));
  return NEXT;
}
export function step16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) {
    set16(r, insn.rm, stepNarrow(r, get16(r, insn.rm), direction(insn), 16));
    return NEXT;
  }
  const a = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite16(stepNarrow(r, a, direction(insn), 16));
  return NEXT;
}
export function step8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) {
    set8(r, insn.rm, stepNarrow(r, get8(r, insn.rm), direction(insn), 24));
    return NEXT;
  }
  const a = cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite8(stepNarrow(r, a, direction(insn), 24));
  return NEXT;
}

// --- NOT (no flags), NEG

export function notR32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = ~r[insn.rm];
  return NEXT;
}
export function negR32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = sub32(r, 0, r[insn.rm]);
  return NEXT;
}
export function notNeg32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const a = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(insn.reg === 2 ? ~a : sub32(r, 0, a));
  return NEXT;
}
export function notNeg16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) {
    const a = get16(r, insn.rm);
    set16(r, insn.rm, insn.reg === 2 ? ~a : subNarrow(r, 0, a, 0, 16));
    return NEXT;
  }
  const a = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite16(insn.reg === 2 ? ~a : subNarrow(r, 0, a, 0, 16));
  return NEXT;
}
export function notNeg8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) {
    const a = get8(r, insn.rm);
    set8(r, insn.rm, insn.reg === 2 ? ~a : subNarrow(r, 0, a, 0, 24));
    return NEXT;
  }
  const a = cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite8(insn.reg === 2 ? ~a : subNarrow(r, 0, a, 0, 24));
  return NEXT;
}

// --- CMC, CLC, STC

export function cmc(cpu: Cpu): number {
  cpu.regs[CARRIES] ^= 0xc000_0000;
  return NEXT;
}
export function clc(cpu: Cpu): number {
  if (cpu.regs[CARRIES] < 0) cpu.regs[CARRIES] ^= 0xc000_0000;
  return NEXT;
}
export function stc(cpu: Cpu): number {
  if (cpu.regs[CARRIES] >= 0) cpu.regs[CARRIES] ^= 0xc000_0000;
  return NEXT;
}
