/**
 * Arithmetic and logic on two numbers, with flags. SDM vol. 2 (ADD … XOR), vol. 1 appendix A (flag cross-reference).
 * The 32-bit ones are small enough for the JIT to inline into each handler; the narrow ones take the shift that brings
 * the operand's top bit to bit 31 (24 for bytes, 16 for words) and answer a value whose bits above are garbage.
 * Where the manual leaves AF undefined (AND, OR, XOR, TEST) it is 0.
 */
import { CARRIES, CARRY_BITS, RESULT } from "../../flags.ts";

export const ADD = 0;
export const OR = 1;
export const ADC = 2;
export const SBB = 3;
export const AND = 4;
export const SUB = 5;
export const XOR = 6;
export const CMP = 7;

export function add32(r: Int32Array, a: number, b: number): number {
  const v = (a + b) | 0;
  r[RESULT] = v;
  r[CARRIES] = ((a & b) | ((a | b) & ~v)) & CARRY_BITS;
  return v;
}

export function adc32(r: Int32Array, a: number, b: number): number {
  const v = (a + b + (r[CARRIES] >>> 31)) | 0;
  r[RESULT] = v;
  r[CARRIES] = ((a & b) | ((a | b) & ~v)) & CARRY_BITS;
  return v;
}

export function sub32(r: Int32Array, a: number, b: number): number {
  const v = (a - b) | 0;
  r[RESULT] = v;
  r[CARRIES] = ((~a & b) | ((~a | b) & v)) & CARRY_BITS;
  return v;
}

export function sbb32(r: Int32Array, a: number, b: number): number {
  const v = (a - b - (r[CARRIES] >>> 31)) | 0;
  r[RESULT] = v;
  r[CARRIES] = ((~a & b) | ((~a | b) & v)) & CARRY_BITS;
  return v;
}

/** Flags of AND, OR, XOR, TEST. */
export function logic32(r: Int32Array, v: number): number {
  r[RESULT] = v;
  r[CARRIES] = 0;
  return v;
}

/** INC leaves CF: its bit stays, and the bit below is chosen so that OF is right. */
export function inc32(r: Int32Array, a: number): number {
  const v = (a + 1) | 0;
  const cf = r[CARRIES] >>> 31;
  const of = v === -0x8000_0000 ? 1 : 0;
  r[RESULT] = v;
  r[CARRIES] = (cf << 31) | ((cf ^ of) << 30) | ((v & 15) === 0 ? 8 : 0);
  return v;
}

export function dec32(r: Int32Array, a: number): number {
  const v = (a - 1) | 0;
  const cf = r[CARRIES] >>> 31;
  const of = v === 0x7fff_ffff ? 1 : 0;
  r[RESULT] = v;
  r[CARRIES] = (cf << 31) | ((cf ^ of) << 30) | ((a & 15) === 0 ? 8 : 0);
  return v;
}

/** The eight operations of opcodes 00-3F and groups 80-83 by number, 32 bits wide. CMP answers `a`. */
export function alu32(r: Int32Array, op: number, a: number, b: number): number {
  switch (op) {
    case ADD:
      return add32(r, a, b);
    case OR:
      return logic32(r, a | b);
    case ADC:
      return adc32(r, a, b);
    case SBB:
      return sbb32(r, a, b);
    case AND:
      return logic32(r, a & b);
    case SUB:
      return sub32(r, a, b);
    case XOR:
      return logic32(r, a ^ b);
    default:
      sub32(r, a, b);
      return a;
  }
}

function addNarrow(r: Int32Array, a: number, b: number, carry: number, shift: number): number {
  const v = a + b + carry;
  const out = (a & b) | ((a | b) & ~v);
  r[RESULT] = (v << shift) >> shift;
  r[CARRIES] = ((out << shift) & (CARRY_BITS & ~8)) | (out & 8);
  return v;
}

export function subNarrow(r: Int32Array, a: number, b: number, borrow: number, shift: number): number {
  const v = a - b - borrow;
  const out = (~a & b) | ((~a | b) & v);
  r[RESULT] = (v << shift) >> shift;
  r[CARRIES] = ((out << shift) & (CARRY_BITS & ~8)) | (out & 8);
  return v;
}

export function logicNarrow(r: Int32Array, v: number, shift: number): number {
  r[RESULT] = (v << shift) >> shift;
  r[CARRIES] = 0;
  return v;
}

/** As `alu32`, for bytes (shift 24) and words (shift 16). */
export function aluNarrow(r: Int32Array, op: number, a: number, b: number, shift: number): number {
  switch (op) {
    case ADD:
      return addNarrow(r, a, b, 0, shift);
    case OR:
      return logicNarrow(r, a | b, shift);
    case ADC:
      return addNarrow(r, a, b, r[CARRIES] >>> 31, shift);
    case SBB:
      return subNarrow(r, a, b, r[CARRIES] >>> 31, shift);
    case AND:
      return logicNarrow(r, a & b, shift);
    case SUB:
      return subNarrow(r, a, b, 0, shift);
    case XOR:
      return logicNarrow(r, a ^ b, shift);
    default:
      subNarrow(r, a, b, 0, shift);
      return a;
  }
}

/** INC (by 1) and DEC (by -1) of a byte or word: CF stays. */
export function stepNarrow(r: Int32Array, a: number, by: number, shift: number): number {
  const cf = r[CARRIES] >>> 31;
  const v = by > 0 ? addNarrow(r, a, 1, 0, shift) : subNarrow(r, a, 1, 0, shift);
  const carries = r[CARRIES];
  if (carries >>> 31 !== cf) r[CARRIES] = carries ^ 0xc000_0000;
  return v;
}
