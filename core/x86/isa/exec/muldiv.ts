/**
 * MUL, IMUL, DIV, IDIV. SDM vol. 2. 64-bit intermediate values are two 32-bit halves; no BigInt.
 * MUL and IMUL define CF and OF (the upper half is significant) and leave the other status flags undefined; here these
 * stay as they were. DIV and IDIV leave all of them undefined; here they stay. #DE changes nothing.
 */
import type { Cpu } from "../../cpu.ts";
import { setCfOf } from "../../flags.ts";
import { type Insn, NEXT, STOP } from "../insn.ts";
import { EAX, EDX, ea, get8, get16, set16, VECTOR_DE } from "./operand.ts";

/** Upper 32 bits of the unsigned product. */
export function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const low = al * bl;
  const mid = ah * bl + (low >>> 16); // below 2^32
  const mid2 = al * bh + (mid % 0x1_0000); // below 2^32
  return (ah * bh + Math.floor(mid / 0x1_0000) + Math.floor(mid2 / 0x1_0000)) | 0;
}

/** Upper 32 bits of the signed product. */
export function imulHigh(a: number, b: number): number {
  return (mulHigh(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

let remainder = 0;
/**
 * Unsigned high:low / d for high < d; the remainder is left in `remainder`. Two steps of a 48-bit number each,
 * whose quotient by division of doubles is exact (numerators below 2^53).
 */
function divide(high: number, low: number, d: number): number {
  const h = high >>> 0;
  const n = d >>> 0;
  const upper = h * 0x1_0000 + (low >>> 16);
  const q1 = Math.floor(upper / n);
  const lower = (upper - q1 * n) * 0x1_0000 + (low & 0xffff);
  const q2 = Math.floor(lower / n);
  remainder = lower - q2 * n;
  return q1 * 0x1_0000 + q2;
}

function mul32(cpu: Cpu, b: number): number {
  const r = cpu.regs;
  const a = r[EAX];
  const high = mulHigh(a, b);
  r[EAX] = Math.imul(a, b);
  r[EDX] = high;
  const of = high === 0 ? 0 : 1;
  setCfOf(r, of, of);
  return NEXT;
}
function imul32(cpu: Cpu, b: number): number {
  const r = cpu.regs;
  const a = r[EAX];
  const high = imulHigh(a, b);
  const low = Math.imul(a, b);
  r[EAX] = low;
  r[EDX] = high;
  const of = high === low >> 31 ? 0 : 1;
  setCfOf(r, of, of);
  return NEXT;
}
function div32(cpu: Cpu, d: number): number {
  const r = cpu.regs;
  if (r[EDX] >>> 0 >= d >>> 0) return cpu.raise(VECTOR_DE); // also d = 0
  const q = divide(r[EDX], r[EAX], d);
  r[EAX] = q | 0;
  r[EDX] = remainder | 0;
  return NEXT;
}
function idiv32(cpu: Cpu, d: number): number {
  const r = cpu.regs;
  let low = r[EAX];
  let high = r[EDX];
  const negative = high < 0;
  if (negative) {
    low = -low | 0;
    high = (~high + (low === 0 ? 1 : 0)) | 0;
  }
  const divisor = d < 0 ? -d : d; // up to 2^31, as an unsigned number
  if (high >>> 0 >= divisor) return cpu.raise(VECTOR_DE);
  const q = divide(high, low, divisor);
  const minus = negative !== d < 0;
  if (q > (minus ? 0x8000_0000 : 0x7fff_ffff)) return cpu.raise(VECTOR_DE);
  r[EAX] = (minus ? -q : q) | 0;
  r[EDX] = (negative ? -remainder : remainder) | 0;
  return NEXT;
}

/** Group 3 (F7 /4-/7) with 32-bit operands. */
function group32(cpu: Cpu, insn: Insn, b: number): number {
  switch (insn.reg) {
    case 4:
      return mul32(cpu, b);
    case 5:
      return imul32(cpu, b);
    case 6:
      return div32(cpu, b);
    default:
      return idiv32(cpu, b);
  }
}
export function mulDiv32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) return group32(cpu, insn, r[insn.rm]);
  const b = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  return group32(cpu, insn, b);
}

/** Words: DX:AX. */
export function mulDiv16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = insn.isReg ? get16(r, insn.rm) : cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const a = get16(r, EAX);
  switch (insn.reg) {
    case 4:
    case 5: {
      const signed = insn.reg === 5;
      const product = signed ? ((a << 16) >> 16) * ((b << 16) >> 16) : Math.imul(a, b);
      set16(r, EAX, product);
      set16(r, EDX, product >>> 16);
      const of = (signed ? product === (product << 16) >> 16 : product >>> 16 === 0) ? 0 : 1;
      setCfOf(r, of, of);
      return NEXT;
    }
    case 6: {
      const dividend = ((r[EDX] << 16) | a) >>> 0;
      if (b === 0 || Math.floor(dividend / b) > 0xffff) return cpu.raise(VECTOR_DE);
      set16(r, EAX, Math.floor(dividend / b));
      set16(r, EDX, dividend % b);
      return NEXT;
    }
    default: {
      const dividend = (r[EDX] << 16) | a;
      const d = (b << 16) >> 16;
      const q = Math.trunc(dividend / d);
      if (d === 0 || q > 0x7fff || q < -0x8000) return cpu.raise(VECTOR_DE);
      set16(r, EAX, q);
      set16(r, EDX, dividend % d);
      return NEXT;
    }
  }
}

/** Bytes: AX. */
export function mulDiv8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const b = insn.isReg ? get8(r, insn.rm) : cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const a = get16(r, EAX);
  switch (insn.reg) {
    case 4:
    case 5: {
      const signed = insn.reg === 5;
      const product = signed ? ((a << 24) >> 24) * ((b << 24) >> 24) : (a & 0xff) * b;
      set16(r, EAX, product);
      const of = (signed ? product === (product << 24) >> 24 : product <= 0xff) ? 0 : 1;
      setCfOf(r, of, of);
      return NEXT;
    }
    case 6: {
      if (b === 0 || Math.floor(a / b) > 0xff) return cpu.raise(VECTOR_DE);
      set16(r, EAX, Math.floor(a / b) | ((a % b) << 8));
      return NEXT;
    }
    default: {
      const dividend = (a << 16) >> 16;
      const d = (b << 24) >> 24;
      const q = Math.trunc(dividend / d);
      if (d === 0 || q > 0x7f || q < -0x80) return cpu.raise(VECTOR_DE);
      set16(r, EAX, (q & 0xff) | ((dividend % d) << 8));
      return NEXT;
    }
  }
}

/** 0F AF: Gv times Ev. */
export function imulRm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.opsize === 4) {
    const b = insn.isReg ? r[insn.rm] : cpu.read32(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
    return product32(r, insn.reg, r[insn.reg], b);
  }
  const b = insn.isReg ? get16(r, insn.rm) : cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  return product16(r, insn.reg, r[insn.reg], b);
}
/** 69, 6B: Ev times immediate. */
export function imulImm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.opsize === 4) {
    const b = insn.isReg ? r[insn.rm] : cpu.read32(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
    return product32(r, insn.reg, b, insn.imm);
  }
  const b = insn.isReg ? get16(r, insn.rm) : cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  return product16(r, insn.reg, b, insn.imm);
}
function product32(r: Int32Array, to: number, a: number, b: number): number {
  const low = Math.imul(a, b);
  const of = imulHigh(a, b) === low >> 31 ? 0 : 1;
  r[to] = low;
  setCfOf(r, of, of);
  return NEXT;
}
function product16(r: Int32Array, to: number, a: number, b: number): number {
  const product = ((a << 16) >> 16) * ((b << 16) >> 16);
  const of = product === (product << 16) >> 16 ? 0 : 1;
  set16(r, to, product);
  setCfOf(r, of, of);
  return NEXT;
}
