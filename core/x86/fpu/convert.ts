/**
 * From the register format to the memory formats: single, double, integers, packed BCD, and rounding to an integer
 * (SDM vol. 1, 4.8.4, 8.2; vol. 2: FST, FIST, FBSTP, FRNDINT). Each answers the exceptions.
 */
import {
  BIAS,
  EXP_MAX,
  FINITE,
  INF,
  isNan,
  type Num,
  propagateOne,
  type Raw,
  SNAN,
  TOP_BIT,
  UNSUPPORTED,
  ZERO,
} from "./number.ts";
import { goesUp, overflowsToInfinity, roundTo, shiftRightSticky, Work } from "./round.ts";
import { C1, DE, IE, OE, PE, roundingOf, UE } from "./words.ts";

/** A value for memory: up to 64 bits, for BCD 80. */
export class Stored {
  lo = 0;
  hi = 0;
  /** Bits 79:64 of packed BCD. */
  top = 0;
}

const work = new Work();

/** ST as single precision into `out.lo`. With an unmasked IE, OE or UE nothing may be stored. */
export function toSingle(cw: number, n: Num, out: Stored): number {
  const flags = toNarrow(cw, n, 24, 127, 0xff);
  const w = work;
  out.lo = (n.cls === UNSUPPORTED ? TOP_BIT : n.sign << 31) | (w.ext << 23) | ((w.hi >>> 8) & 0x7f_ffff);
  return flags;
}

/** ST as double precision into `out`. */
export function toDouble(cw: number, n: Num, out: Stored): number {
  const flags = toNarrow(cw, n, 53, 1023, 0x7ff);
  const w = work;
  out.hi = (n.cls === UNSUPPORTED ? TOP_BIT : n.sign << 31) | (w.ext << 20) | ((w.hi >>> 11) & 0xf_ffff);
  out.lo = (w.lo >>> 11) | (w.hi << 21);
  return flags;
}

/** Leaves the significand in `work.hi.lo` (its top bit is not stored) and the biased exponent in `work.ext`. */
function toNarrow(cw: number, n: Num, bits: number, bias: number, max: number): number {
  const w = work;
  w.hi = 0;
  w.lo = 0;
  w.ext = 0;
  if (n.cls !== FINITE) {
    if (n.cls === ZERO) return 0;
    w.ext = max;
    if (n.cls === INF) return 0;
    if (n.cls === UNSUPPORTED) {
      w.hi = 0xc000_0000 | 0;
      return IE;
    }
    w.hi = n.hi | 0x4000_0000;
    w.lo = n.lo;
    return n.cls === SNAN ? IE : 0;
  }
  const rc = roundingOf(cw);
  w.hi = n.hi;
  w.lo = n.lo;
  let flags = roundTo(w, bits, n.sign, rc);
  const exp = n.exp - BIAS + bias;
  const rounded = exp + w.carry;
  if (rounded >= max) {
    flags = OE | PE;
    if (overflowsToInfinity(rc, n.sign)) {
      w.hi = 0;
      w.lo = 0;
      w.ext = max;
      return flags | C1;
    }
    w.hi = -1;
    w.lo = -1;
    w.ext = max - 1;
    return flags;
  }
  if (exp > 0) {
    w.ext = rounded;
    return flags;
  }
  const tiny = rounded < 1;
  w.hi = n.hi;
  w.lo = n.lo;
  w.ext = 0;
  shiftRightSticky(w, 1 - exp);
  flags = roundTo(w, bits, n.sign, rc);
  if (tiny && ((flags & PE) !== 0 || (cw & UE) === 0)) flags |= UE;
  w.ext = w.hi < 0 ? 1 : 0;
  return flags;
}

/**
 * ST as a signed integer of 16, 32 or 64 bits into `out`; `rc` is the rounding. Out of range, infinite, NaN: IE and the
 * integer indefinite, the most negative one.
 */
export function toInteger(n: Num, bits: number, rc: number, out: Stored): number {
  out.hi = bits === 64 ? TOP_BIT : -1;
  out.lo = bits === 64 ? 0 : bits === 32 ? TOP_BIT : -0x8000;
  if (n.cls === ZERO) {
    out.hi = 0;
    out.lo = 0;
    return 0;
  }
  if (n.cls !== FINITE || n.exp > BIAS + 63) return IE;
  const flags = magnitude(n, rc);
  const w = work;
  if (flags < 0) return IE;
  const negative = n.sign === 1;
  if (bits === 64) {
    if (w.hi < 0 && !(negative && w.hi === TOP_BIT && w.lo === 0)) return IE;
  } else {
    const most = bits === 32 ? 0x7fff_ffff : 0x7fff;
    if (w.hi !== 0 || w.lo >>> 0 > most + (negative ? 1 : 0)) return IE;
  }
  out.lo = negative ? -w.lo | 0 : w.lo;
  out.hi = negative ? (w.lo === 0 ? -w.hi | 0 : ~w.hi) : w.hi;
  return flags;
}

/** |n| < 2^64 rounded to an integer in `work.hi.lo`: PE, C1; -1 when it becomes 2^64. */
function magnitude(n: Num, rc: number): number {
  const w = work;
  w.hi = n.hi;
  w.lo = n.lo;
  w.ext = 0;
  shiftRightSticky(w, BIAS + 63 - n.exp);
  const flags = roundTo(w, 64, n.sign, rc);
  return w.carry === 1 ? -1 : flags;
}

const TEN_18_HIGH = 0x0de0_b6b3;
const TEN_18_LOW = 0xa764_0000;

/** ST as 18 BCD digits and a sign; more digits, infinity, NaN: IE and the BCD indefinite (SDM vol. 1, table 4-6). */
export function toBcd(n: Num, rc: number, out: Stored): number {
  out.top = 0xffff;
  out.hi = 0xc000_0000 | 0;
  out.lo = 0;
  let flags = 0;
  if (n.cls === ZERO) {
    work.hi = 0;
    work.lo = 0;
  } else {
    if (n.cls !== FINITE || n.exp > BIAS + 63) return IE;
    flags = magnitude(n, rc);
    const hi = work.hi >>> 0;
    if (flags < 0 || hi > TEN_18_HIGH || (hi === TEN_18_HIGH && work.lo >>> 0 >= TEN_18_LOW)) return IE;
  }
  let hi = work.hi >>> 0;
  let lo = work.lo >>> 0;
  let low = 0;
  let high = 0;
  let top = 0;
  for (let i = 0; i < 18; i++) {
    const rest = hi % 10;
    hi = Math.floor(hi / 10);
    const both = rest * 2 ** 32 + lo;
    lo = Math.floor(both / 10);
    const d = both - lo * 10;
    if (i < 8) low |= d << (4 * i);
    else if (i < 16) high |= d << (4 * (i - 8));
    else top |= d << (4 * (i - 16));
  }
  out.lo = low;
  out.hi = high;
  out.top = top | (n.sign << 15);
  return flags;
}

/** Packed BCD into `n`, exact. Nibbles above 9 are undefined (SDM vol. 2, FBLD): they count with their value. */
export function fromBcd(n: Num, low: number, high: number, top: number): void {
  let hi = 0;
  let lo = 0;
  for (let i = 17; i >= 0; i--) {
    const word = i < 8 ? low : i < 16 ? high : top;
    const d = (word >>> (4 * (i & 7))) & 15;
    const next = lo * 10 + d;
    hi = hi * 10 + Math.floor(next / 2 ** 32);
    lo = next % 2 ** 32;
  }
  n.sign = (top >>> 15) & 1;
  n.denormal = false;
  n.hi = hi | 0;
  n.lo = lo | 0;
  n.exp = 0;
  n.cls = ZERO;
  if ((n.hi | n.lo) === 0) return;
  n.cls = FINITE;
  const shift = n.hi === 0 ? 32 + Math.clz32(n.lo) : Math.clz32(n.hi);
  n.exp = BIAS + 63 - shift;
  if (shift >= 32) {
    n.hi = n.lo << (shift - 32);
    n.lo = 0;
  } else if (shift > 0) {
    n.hi = (n.hi << shift) | (n.lo >>> (32 - shift));
    n.lo <<= shift;
  }
}

/** ST rounded to an integer, in the register format. */
export function roundToInteger(cw: number, n: Num, r: Raw): number {
  if (isNan(n)) return propagateOne(n, r);
  const sign = n.sign << 15;
  if (n.cls === ZERO) {
    r.set(sign, 0, 0);
    return 0;
  }
  if (n.cls === INF) {
    r.set(sign | EXP_MAX, TOP_BIT, 0);
    return 0;
  }
  if (n.exp >= BIAS + 63) {
    r.set(sign | n.exp, n.hi, n.lo);
    return 0;
  }
  const rc = roundingOf(cw);
  const flags = n.denormal ? DE : 0;
  if (n.exp < BIAS) {
    const half = n.exp === BIAS - 1;
    const sticky = !half || n.hi !== TOP_BIT || n.lo !== 0;
    if (goesUp(rc, n.sign, half, sticky, false)) {
      r.set(sign | BIAS, TOP_BIT, 0);
      return flags | PE | C1;
    }
    r.set(sign, 0, 0);
    return flags | PE;
  }
  const up = magnitude(n, rc);
  const w = work;
  const exp = BIAS + 63;
  const shift = w.hi === 0 ? 32 + Math.clz32(w.lo) : Math.clz32(w.hi);
  const hi =
    shift >= 32 ? w.lo << (shift - 32) : shift === 0 ? w.hi : (w.hi << shift) | (w.lo >>> (32 - shift));
  r.set(sign | (exp - shift), hi, shift >= 32 ? 0 : w.lo << shift);
  return flags | up;
}
