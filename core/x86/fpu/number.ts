/**
 * 80-bit numbers taken apart and put together: classes, NaNs, operands of every memory format that is exact in the
 * 64-bit significand (SDM vol. 1, 4.2, 4.8, 8.2). Significands are two 32-bit halves as signed integers.
 */
import { DE, IE } from "./words.ts";

/** What an encoding means (SDM vol. 1, tables 4-3 and 8-3). */
export const ZERO = 0;
/** Finite, not 0: normal, denormal or pseudo-denormal. */
export const FINITE = 1;
export const INF = 2;
export const QNAN = 3;
export const SNAN = 4;
/** Unnormal, pseudo-zero, pseudo-infinity, pseudo-NaN: invalid as an operand (8.2.2). */
export const UNSUPPORTED = 5;

export const BIAS = 0x3fff;
export const EXP_MAX = 0x7fff;
export const TOP_BIT = 0x8000_0000 | 0;

/** A number taken apart. Finite: sign, (hi.lo as 1.63 bits) * 2^(exp - BIAS), with bit 63 set; `exp` may be below 1. */
export class Num {
  cls = ZERO;
  sign = 0;
  exp = 0;
  hi = 0;
  lo = 0;
  /** It came from a denormal or pseudo-denormal encoding. */
  denormal = false;
}

/** An encoding: sign and exponent in 16 bits, significand with its explicit integer bit. */
export class Raw {
  se = 0;
  hi = 0;
  lo = 0;

  set(se: number, hi: number, lo: number): void {
    this.se = se;
    this.hi = hi;
    this.lo = lo;
  }
}

/** The real indefinite: what an invalid operation answers while it is masked (SDM vol. 1, 4.8.3.7). */
export function indefinite(r: Raw): void {
  r.set(0xffff, 0xc000_0000 | 0, 0);
}

/** Shifts a non-zero significand up until bit 63 is set; `exp` follows. */
function normalise(n: Num): void {
  if (n.hi === 0) {
    n.hi = n.lo;
    n.lo = 0;
    n.exp -= 32;
  }
  const shift = Math.clz32(n.hi);
  if (shift === 0) return;
  n.hi = (n.hi << shift) | (n.lo >>> (32 - shift));
  n.lo <<= shift;
  n.exp -= shift;
}

/** Takes an encoding apart. */
export function unpack(n: Num, se: number, hi: number, lo: number): void {
  const exp = se & EXP_MAX;
  n.sign = (se >>> 15) & 1;
  n.exp = exp;
  n.hi = hi;
  n.lo = lo;
  n.denormal = false;
  if (exp === EXP_MAX) {
    if (hi >= 0) n.cls = UNSUPPORTED;
    else if (hi === TOP_BIT && lo === 0) n.cls = INF;
    else n.cls = (hi & 0x4000_0000) !== 0 ? QNAN : SNAN;
  } else if (exp === 0) {
    if ((hi | lo) === 0) {
      n.cls = ZERO;
      return;
    }
    n.cls = FINITE;
    n.denormal = true;
    n.exp = 1;
    normalise(n);
  } else {
    n.cls = hi < 0 ? FINITE : UNSUPPORTED;
  }
}

/** Single precision, exact; a signalling NaN stays one. */
export function unpack32(n: Num, bits: number): void {
  const exp = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7f_ffff;
  n.sign = bits >>> 31;
  narrow(n, exp === 0 ? 0 : exp === 0xff ? 2 : 1, exp - 127 + BIAS, (fraction << 8) | TOP_BIT, 0);
  if (exp === 0) subnormal(n, fraction << 8, 0, 1 - 127 + BIAS);
}

/** Double precision, exact. */
export function unpack64(n: Num, low: number, high: number): void {
  const exp = (high >>> 20) & 0x7ff;
  const hi = ((high & 0xf_ffff) << 11) | (low >>> 21);
  const lo = low << 11;
  n.sign = high >>> 31;
  narrow(n, exp === 0 ? 0 : exp === 0x7ff ? 2 : 1, exp - 1023 + BIAS, hi | TOP_BIT, lo);
  if (exp === 0) subnormal(n, hi, lo, 1 - 1023 + BIAS);
}

/** `kind`: 0 an exponent of zeros, 1 between, 2 of ones. */
function narrow(n: Num, kind: number, exp: number, hi: number, lo: number): void {
  n.denormal = false;
  n.hi = hi;
  n.lo = lo;
  n.exp = exp;
  if (kind === 1) n.cls = FINITE;
  else if (kind === 2) {
    n.exp = EXP_MAX;
    n.cls = hi === TOP_BIT && lo === 0 ? INF : (hi & 0x4000_0000) !== 0 ? QNAN : SNAN;
  }
}

function subnormal(n: Num, hi: number, lo: number, exp: number): void {
  n.hi = hi;
  n.lo = lo;
  n.exp = exp;
  if ((hi | lo) === 0) {
    n.cls = ZERO;
    n.exp = 0;
    return;
  }
  n.cls = FINITE;
  n.denormal = true;
  normalise(n);
}

/** A signed integer of 64 bits (or, sign-extended, fewer), exact. */
export function unpackInt(n: Num, low: number, high: number): void {
  n.denormal = false;
  n.sign = high < 0 ? 1 : 0;
  n.hi = high;
  n.lo = low;
  if (n.sign === 1) {
    n.lo = -low | 0;
    n.hi = low === 0 ? -high | 0 : ~high;
  }
  if ((n.hi | n.lo) === 0) {
    n.cls = ZERO;
    n.exp = 0;
    return;
  }
  n.cls = FINITE;
  n.exp = BIAS + 63;
  normalise(n);
}

/** Puts an exactly representable number together: nothing is rounded. NaNs are quieted. */
export function packExact(n: Num, r: Raw): void {
  const sign = n.sign << 15;
  switch (n.cls) {
    case ZERO:
      r.set(sign, 0, 0);
      break;
    case FINITE:
      r.set(sign | n.exp, n.hi, n.lo);
      break;
    case INF:
      r.set(sign | EXP_MAX, TOP_BIT, 0);
      break;
    default:
      r.set(sign | EXP_MAX, n.hi | 0x4000_0000, n.lo);
  }
}

/** True for an operand that ends an operation before it begins. */
export function isNan(n: Num): boolean {
  return n.cls >= QNAN;
}

/** -1, 0, 1: the significands of a and b compared as unsigned. */
export function compareSignificands(a: Num, b: Num): number {
  const ah = a.hi >>> 0;
  const bh = b.hi >>> 0;
  if (ah !== bh) return ah < bh ? -1 : 1;
  const al = a.lo >>> 0;
  const bl = b.lo >>> 0;
  return al === bl ? 0 : al < bl ? -1 : 1;
}

/**
 * The answer of an operation with a NaN or an unsupported operand (SDM vol. 1, table 4-7): the exceptions.
 * Of two NaNs of one kind the larger significand is taken, of equal ones the positive.
 */
export function propagate(a: Num, b: Num, r: Raw): number {
  if (a.cls === UNSUPPORTED || b.cls === UNSUPPORTED) {
    indefinite(r);
    return IE;
  }
  let pick = isNan(a) ? a : b;
  if (isNan(a) && isNan(b)) {
    if (a.cls !== b.cls) pick = a.cls === QNAN ? a : b;
    else {
      const order = compareSignificands(a, b);
      if (order < 0 || (order === 0 && a.sign > b.sign)) pick = b;
    }
  }
  r.set((pick.sign << 15) | EXP_MAX, pick.hi | 0x4000_0000, pick.lo);
  return a.cls === SNAN || b.cls === SNAN ? IE : 0;
}

/** The same for one operand. */
export function propagateOne(a: Num, r: Raw): number {
  return propagate(a, a, r);
}

/** DE when an operand is denormal. */
export function denormals(a: Num, b: Num): number {
  return a.denormal || b.denormal ? DE : 0;
}

/** Upper 32 bits of the product of two unsigned 32-bit integers (as any int32), unsigned. */
export function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const t = Math.imul(al, bl) >>> 16;
  const u = (Math.imul(ah, bl) >>> 0) + t;
  const v = (Math.imul(al, bh) >>> 0) + (u & 0xffff);
  return (Math.imul(ah, bh) >>> 0) + Math.floor(u / 65536) + Math.floor(v / 65536);
}
