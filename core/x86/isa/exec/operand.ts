/**
 * Where a handler finds its operands: the effective address, and registers by encoding number and width.
 * Handlers with a memory operand see 32-bit addressing only; `addr16` of decode.ts folds 16-bit addresses beforehand.
 */
import type { Insn } from "../insn.ts";

/** Effective address of the memory operand (32-bit addressing). Absent parts name the zero register. */
export function ea(r: Int32Array, insn: Insn): number {
  return (r[insn.base] + (r[insn.index] << insn.scale) + insn.disp) | 0;
}

/** Byte register `n` (AL CL DL BL AH CH DH BH), zero-extended. */
export function get8(r: Int32Array, n: number): number {
  return (r[n & 3] >>> ((n & 4) << 1)) & 0xff;
}

export function set8(r: Int32Array, n: number, value: number): void {
  const shift = (n & 4) << 1;
  r[n & 3] = (r[n & 3] & ~(0xff << shift)) | ((value & 0xff) << shift);
}

/** Word register, zero-extended. */
export function get16(r: Int32Array, n: number): number {
  return r[n] & 0xffff;
}

export function set16(r: Int32Array, n: number, value: number): void {
  r[n] = (r[n] & ~0xffff) | (value & 0xffff);
}

export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;

export const VECTOR_DE = 0;
export const VECTOR_BR = 5;
export const VECTOR_UD = 6;
export const VECTOR_NM = 7;
export const VECTOR_GP = 13;
export const VECTOR_MF = 16;
