/**
 * Shifts and rotates, SHLD and SHRD. SDM vol. 2 (SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD).
 * The count is taken modulo 32; a count of 0 changes no flag. Where the manual leaves OF (count above 1) or CF
 * (count at least the width) undefined, the formula of the defined case goes on. AF becomes 0 in shifts.
 * 32-bit SHL, SHR and SAR have functions of their own, the rest share one a width.
 */
import type { Cpu } from "../../cpu.ts";
import { CARRIES, getCf, RESULT, setCfOf } from "../../flags.ts";
import { type Insn, NEXT, STOP } from "../insn.ts";
import { ea, get8, get16, set8, set16 } from "./operand.ts";

const ROL = 0;
const ROR = 1;
const RCL = 2;
const RCR = 3;
const SHR = 5;
const SAR = 7;

/** SHL with a count of 1-31. OF = top bit of the result XOR CF: the bit below CF in the carry word is the result's top. */
function shl32(r: Int32Array, v: number, n: number): number {
  const out = v << (n - 1);
  const result = out << 1;
  r[RESULT] = result;
  r[CARRIES] = (out & 0x8000_0000) | ((result >>> 31) << 30);
  return result;
}
function shr32(r: Int32Array, v: number, n: number): number {
  const out = v >>> (n - 1);
  const cf = out & 1;
  const result = out >>> 1;
  r[RESULT] = result;
  r[CARRIES] = (cf << 31) | ((cf ^ ((out >>> 31) & 1)) << 30);
  return result;
}
function sar32(r: Int32Array, v: number, n: number): number {
  const out = v >> (n - 1);
  r[RESULT] = out >> 1;
  r[CARRIES] = (out << 31) | ((out & 1) << 30);
  return out >> 1;
}

/** The eight operations on a zero-extended value of `width` 8, 16 or 32 bits; `n` is 1-31. */
function shift(r: Int32Array, op: number, v: number, n: number, width: number): number {
  const top = width - 1;
  const up = 32 - width;
  switch (op) {
    case ROL: {
      const k = n & top;
      const result = k === 0 ? v : (v << k) | (v >>> (width - k));
      setCfOf(r, result & 1, ((result >>> top) ^ result) & 1);
      return result;
    }
    case ROR: {
      const k = n & top;
      const result = k === 0 ? v : (v >>> k) | (v << (width - k));
      setCfOf(r, (result >>> top) & 1, ((result >>> top) ^ (result >>> (top - 1))) & 1);
      return result;
    }
    case RCL: {
      let cf = getCf(r);
      let x = v;
      const k = width === 32 ? n : n % (width + 1);
      if (k === 0) return v;
      for (let i = 0; i < k; i++) {
        const out = (x >>> top) & 1;
        x = (x << 1) | cf;
        cf = out;
      }
      setCfOf(r, cf, ((x >>> top) & 1) ^ cf);
      return x;
    }
    case RCR: {
      let cf = getCf(r);
      let x = v;
      const k = width === 32 ? n : n % (width + 1);
      if (k === 0) return v;
      for (let i = 0; i < k; i++) {
        const out = x & 1;
        x = ((x >>> 1) & ~(1 << top)) | (cf << top);
        cf = out;
      }
      setCfOf(r, cf, ((x >>> top) ^ (x >>> (top - 1))) & 1);
      return x;
    }
    case SHR: {
      const out = v >>> (n - 1);
      const cf = out & 1;
      r[RESULT] = ((out >>> 1) << up) >> up;
      r[CARRIES] = (cf << 31) | ((cf ^ ((out >>> top) & 1)) << 30);
      return out >>> 1;
    }
    case SAR: {
      const out = ((v << up) >> up) >> (n - 1);
      r[RESULT] = out >> 1;
      r[CARRIES] = (out << 31) | ((out & 1) << 30);
      return out >> 1;
    }
    default: {
      const out = v << (n - 1);
      const result = out << 1;
      r[RESULT] = (result << up) >> up;
      r[CARRIES] = ((out >>> top) << 31) | (((result >>> top) & 1) << 30);
      return result;
    }
  }
}

export function shl32Ri(cpu: Cpu, insn: Insn): number {
  const n = insn.imm & 31;
  const r = cpu.regs;
  if (n !== 0) r[insn.rm] = shl32(r, r[insn.rm], n);
  return NEXT;
}
export function shr32Ri(cpu: Cpu, insn: Insn): number {
  const n = insn.imm & 31;
  const r = cpu.regs;
  if (n !== 0) r[insn.rm] = shr32(r, r[insn.rm], n);
  return NEXT;
}
export function sar32Ri(cpu: Cpu, insn: Insn): number {
  const n = insn.imm & 31;
  const r = cpu.regs;
  if (n !== 0) r[insn.rm] = sar32(r, r[insn.rm], n);
  return NEXT;
}
export function shl32R1(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = shl32(r, r[insn.rm], 1);
  return NEXT;
}
export function shr32R1(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = shr32(r, r[insn.rm], 1);
  return NEXT;
}
export function sar32R1(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = sar32(r, r[insn.rm], 1);
  return NEXT;
}
export function shl32Rc(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const n = r[1] & 31;
  if (n !== 0) r[insn.rm] = shl32(r, r[insn.rm], n);
  return NEXT;
}
export function shr32Rc(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const n = r[1] & 31;
  if (n !== 0) r[insn.rm] = shr32(r, r[insn.rm], n);
  return NEXT;
}
export function sar32Rc(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const n = r[1] & 31;
  if (n !== 0) r[insn.rm] = sar32(r, r[insn.rm], n);
  return NEXT;
}

/** Count of a group 2 row: opcodes C0 C1 an immediate, D0 D1 one, D2 D3 CL. */
function count(r: Int32Array, insn: Insn): number {
  const opcode = insn.row.opcode;
  if (opcode < 0xd0) return insn.imm & 31;
  return opcode < 0xd2 ? 1 : r[1] & 31;
}
/** A memory operand is written back even when the count is 0. */
export function shift32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const n = count(r, insn);
  if (insn.isReg) {
    if (n !== 0) r[insn.rm] = shift(r, insn.reg, r[insn.rm], n, 32);
    return NEXT;
  }
  const v = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(n === 0 ? v : shift(r, insn.reg, v, n, 32));
  return NEXT;
}
export function shift16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const n = count(r, insn);
  if (insn.isReg) {
    if (n !== 0) set16(r, insn.rm, shift(r, insn.reg, get16(r, insn.rm), n, 16));
    return NEXT;
  }
  const v = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite16(n === 0 ? v : shift(r, insn.reg, v, n, 16) & 0xffff);
  return NEXT;
}
export function shift8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const n = count(r, insn);
  if (insn.isReg) {
    if (n !== 0) set8(r, insn.rm, shift(r, insn.reg, get8(r, insn.rm), n, 8));
    return NEXT;
  }
  const v = cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite8(n === 0 ? v : shift(r, insn.reg, v, n, 8) & 0xff);
  return NEXT;
}

/** Sets the flags of a double shift: CF as given, OF when the sign changed. */
function doubleFlags(r: Int32Array, before: number, result: number, cf: number): void {
  const of = (before ^ result) >>> 31;
  r[RESULT] = result;
  r[CARRIES] = (cf << 31) | ((cf ^ of) << 30);
}
function shld32(r: Int32Array, a: number, b: number, n: number): number {
  const result = (a << n) | (b >>> (32 - n));
  doubleFlags(r, a, result, (a >>> (32 - n)) & 1);
  return result;
}
function shrd32(r: Int32Array, a: number, b: number, n: number): number {
  const result = (a >>> n) | (b << (32 - n));
  doubleFlags(r, a, result, (a >>> (n - 1)) & 1);
  return result;
}
/** Words: with a count above 16 the result is undefined; the source is then shifted in again. */
function shld16(r: Int32Array, a: number, b: number, n: number): number {
  const wide = (a << 16) | b;
  const result = ((wide << n) >>> 16) | (n > 16 ? b >>> (32 - n) : 0);
  const cf = (wide >>> (32 - n)) & 1;
  doubleFlags(r, a << 16, result << 16, cf);
  r[RESULT] = (result << 16) >> 16;
  return result & 0xffff;
}
function shrd16(r: Int32Array, a: number, b: number, n: number): number {
  const wide = (b << 16) | a;
  const result = (wide >>> n) | (n > 16 ? b << (32 - n) : 0);
  const cf = (wide >>> (n - 1)) & 1;
  doubleFlags(r, a << 16, result << 16, cf);
  r[RESULT] = (result << 16) >> 16;
  return result & 0xffff;
}

/** 0F A4/A5 SHLD and 0F AC/AD SHRD; even opcodes have an immediate count, odd ones CL. */
export function shiftDouble(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const opcode = insn.row.opcode;
  const n = (opcode & 1) === 0 ? insn.imm & 31 : r[1] & 31;
  const left = (opcode & 8) === 0;
  if (insn.opsize === 4) {
    const b = r[insn.reg];
    const a = insn.isReg ? r[insn.rm] : cpu.rmwRead32(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
    const v = n === 0 ? a : left ? shld32(r, a, b, n) : shrd32(r, a, b, n);
    if (insn.isReg) r[insn.rm] = v;
    else cpu.rmwWrite32(v);
    return NEXT;
  }
  const b = get16(r, insn.reg);
  const a = insn.isReg ? get16(r, insn.rm) : cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const v = n === 0 ? a : left ? shld16(r, a, b, n) : shrd16(r, a, b, n);
  if (insn.isReg) set16(r, insn.rm, v);
  else cpu.rmwWrite16(v);
  return NEXT;
}
