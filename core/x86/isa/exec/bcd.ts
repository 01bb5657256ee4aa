/**
 * Decimal adjustment: DAA DAS AAA AAS AAM AAD, and the undocumented-then-listed SALC. SDM vol. 2.
 * DAA and DAS leave OF undefined (here 0), AAA and AAS define AF and CF alone, AAM and AAD SF ZF PF alone.
 */
import type { Cpu } from "../../cpu.ts";
import { CARRIES, getAf, getCf, RESULT } from "../../flags.ts";
import { type Insn, NEXT } from "../insn.ts";
import { get8, set8, set16, VECTOR_DE } from "./operand.ts";

function flags(r: Int32Array, result: number, cf: number, af: number): void {
  r[RESULT] = (result << 24) >> 24;
  r[CARRIES] = (cf << 31) | (cf << 30) | (af << 3);
}

export function daa(cpu: Cpu): number {
  const r = cpu.regs;
  const old = get8(r, 0);
  const low = (old & 15) > 9 || getAf(r) === 1;
  const high = old > 0x99 || getCf(r) === 1;
  const al = (old + (low ? 6 : 0) + (high ? 0x60 : 0)) & 0xff;
  set8(r, 0, al);
  flags(r, al, high ? 1 : 0, low ? 1 : 0);
  return NEXT;
}

/** CF is also set when subtracting 6 borrows (SDM vol. 2, DAS). */
export function das(cpu: Cpu): number {
  const r = cpu.regs;
  const old = get8(r, 0);
  const cf = getCf(r) === 1;
  const low = (old & 15) > 9 || getAf(r) === 1;
  const high = old > 0x99 || cf;
  const al = (old - (low ? 6 : 0) - (high ? 0x60 : 0)) & 0xff;
  set8(r, 0, al);
  flags(r, al, high || (low && old < 6) ? 1 : 0, low ? 1 : 0);
  return NEXT;
}

export function aaa(cpu: Cpu): number {
  const r = cpu.regs;
  const adjust = (r[0] & 15) > 9 || getAf(r) === 1;
  if (adjust) set16(r, 0, r[0] + 0x106);
  set8(r, 0, r[0] & 15);
  flags(r, r[0], adjust ? 1 : 0, adjust ? 1 : 0);
  return NEXT;
}

export function aas(cpu: Cpu): number {
  const r = cpu.regs;
  const adjust = (r[0] & 15) > 9 || getAf(r) === 1;
  if (adjust) set16(r, 0, r[0] - 0x106);
  set8(r, 0, r[0] & 15);
  flags(r, r[0], adjust ? 1 : 0, adjust ? 1 : 0);
  return NEXT;
}

export function aam(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const base = insn.imm & 0xff;
  if (base === 0) return cpu.raise(VECTOR_DE);
  const al = get8(r, 0);
  set16(r, 0, (Math.floor(al / base) << 8) | (al % base));
  flags(r, al % base, 0, 0);
  return NEXT;
}

export function aad(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const al = (get8(r, 0) + get8(r, 4) * (insn.imm & 0xff)) & 0xff;
  set16(r, 0, al);
  flags(r, al, 0, 0);
  return NEXT;
}

/** SALC (D6): AL = CF ? FF : 0. */
export function salc(cpu: Cpu): number {
  const r = cpu.regs;
  set8(r, 0, getCf(r) === 1 ? 0xff : 0);
  return NEXT;
}
