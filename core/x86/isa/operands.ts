/**
 * What the operand codes of a row mean to the decoder and the disassembler. SDM vol. 2, appendix A.2.
 */
import type { Row } from "./row.ts";

/** What follows ModRM, SIB and displacement. */
export const IMM_NONE = 0;
export const IMM_IB = 1; // byte, zero-extended
export const IMM_SIB = 2; // byte, sign-extended
export const IMM_IW = 3; // word
export const IMM_IZ = 4; // operand size
export const IMM_JB = 5; // displacement, byte
export const IMM_JZ = 6; // displacement, operand size
export const IMM_AP = 7; // offset of operand size, selector
export const IMM_MOFFS = 8; // offset of address size: a memory operand without ModRM
export const IMM_IWIB = 9; // word, byte (ENTER)

const IMMEDIATES: Readonly<Record<string, number>> = {
  Ib: IMM_IB,
  sIb: IMM_SIB,
  Iw: IMM_IW,
  Iz: IMM_IZ,
  Jb: IMM_JB,
  Jz: IMM_JZ,
  Ap: IMM_AP,
  Ob: IMM_MOFFS,
  Ov: IMM_MOFFS,
};

/** Operand codes in Intel order. */
export function operandCodes(row: Row): string[] {
  return row.operands === "" ? [] : row.operands.split(",");
}

export function immediateOf(row: Row): number {
  if (row.operands === "Iw,Ib") return IMM_IWIB;
  for (const code of operandCodes(row)) {
    const kind = IMMEDIATES[code];
    if (kind !== undefined) return kind;
  }
  return IMM_NONE;
}

/** Letters of operands that ModRM holds. */
const MODRM_OPERAND = /^[EGMRSCDPQVWNU][a-z]*$|^STi$|^ST$/;

export function hasModRm(row: Row): boolean {
  if (row.ext >= 0 || row.rm >= 0 || row.form !== "any") return true;
  return operandCodes(row).some((code) => !isFixed(code) && MODRM_OPERAND.test(code));
}

const FIXED = new Set(["AL", "CL", "DX", "AX", "eAX", "ES", "CS", "SS", "DS", "FS", "GS", "1", "XMM0"]);
/** A register or number that the opcode itself names. */
export function isFixed(code: string): boolean {
  return FIXED.has(code);
}
