/**
 * Bits of the x87 status and control words (SDM vol. 1, 8.1.3 to 8.1.5).
 */

// Exceptions: flags of the status word, masks of the control word.
export const IE = 0x01;
export const DE = 0x02;
export const ZE = 0x04;
export const OE = 0x08;
export const UE = 0x10;
export const PE = 0x20;
export const EXCEPTIONS = 0x3f;
/** Exceptions that leave the operands as they are while they are not masked (SDM vol. 1, 8.5). */
export const BEFORE = 0x07;

/** Stack fault. */
export const SF = 0x40;
/** Error summary: an exception that is not masked waits. */
export const ES = 0x80;
export const C0 = 0x100;
export const C1 = 0x200;
export const C2 = 0x400;
export const TOP_SHIFT = 11;
export const TOP_MASK = 0x3800;
export const C3 = 0x4000;
export const CONDITIONS = 0x4700;
/** Busy: the same as ES since the 287. */
export const BUSY = 0x8000;

/** Rounding control as it stands in bits 11:10. */
export const RC_NEAREST = 0;
export const RC_DOWN = 1;
export const RC_UP = 2;
export const RC_CHOP = 3;

/** The control word after FNINIT, and after a reset (SDM vol. 3, table 9-1). */
export const CW_INIT = 0x037f;
export const CW_RESET = 0x0040;
/** Reserved, reads as 1 (bit 6); bits 7, 13 to 15 read as 0. */
export const CW_ONES = 0x40;
export const CW_KNOWN = 0x1f7f;

/** Rounding control of a control word. */
export function roundingOf(cw: number): number {
  return (cw >>> 10) & 3;
}

/** Bits of the significand that the precision control asks for (SDM vol. 1, table 8-2). */
export function precisionOf(cw: number): number {
  const pc = (cw >>> 8) & 3;
  return pc === 0 ? 24 : pc === 2 ? 53 : 64;
}
