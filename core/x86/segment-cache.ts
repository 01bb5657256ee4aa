/**
 * The hidden part of a segment register: descriptor bits as one word, in the layout that VMX calls access rights
 * (SDM vol. 3, 24.4.1): type 3:0, S 4, DPL 6:5, P 7, AVL 12, D/B 14, G 15, and bit 16 = unusable (null).
 */
export const SEG_CODE = 1 << 3;
/** Data: expand-down. Code: conforming. */
export const SEG_DOWN_OR_CONFORMING = 1 << 2;
/** Data: writable. Code: readable. */
export const SEG_WRITE_OR_READ = 1 << 1;
export const SEG_ACCESSED = 1;
export const SEG_S = 1 << 4;
export const SEG_DPL_SHIFT = 5;
export const SEG_P = 1 << 7;
export const SEG_BIG = 1 << 14;
export const SEG_G = 1 << 15;
export const SEG_UNUSABLE = 1 << 16;

/** Positions of LDTR and TR behind the six segment registers. */
export const LDTR = 6;
export const TR = 7;
export const SEGMENTS = 8;

/** Flat 4 GiB segments, as a fresh machine has them. */
export const ATTR_FLAT_CODE = SEG_G | SEG_BIG | SEG_P | SEG_S | 0xb;
export const ATTR_FLAT_DATA = SEG_G | SEG_BIG | SEG_P | SEG_S | 0x3;

/** What real mode loads into CS, and virtual-8086 mode into every segment register (SDM vol. 3, 20.1.1, 20.2.1). */
export const ATTR_REAL = SEG_P | SEG_S | 0x3;
export const ATTR_V86 = SEG_P | SEG_S | (3 << SEG_DPL_SHIFT) | 0x3;

export function isUnusable(attr: number): boolean {
  return (attr & SEG_UNUSABLE) !== 0;
}

export function isWritable(attr: number): boolean {
  return (attr & (SEG_CODE | SEG_WRITE_OR_READ)) === SEG_WRITE_OR_READ;
}

export function isReadable(attr: number): boolean {
  return (attr & (SEG_CODE | SEG_WRITE_OR_READ)) !== SEG_CODE;
}

export function isExpandDown(attr: number): boolean {
  return (attr & (SEG_CODE | SEG_DOWN_OR_CONFORMING)) === SEG_DOWN_OR_CONFORMING;
}

export function dplOf(attr: number): number {
  return (attr >>> SEG_DPL_SHIFT) & 3;
}
