/**
 * FPREM and FPREM1, FSCALE, FXTRACT (SDM vol. 2). Exact all of them but for overflow and underflow.
 */
import {
  BIAS,
  compareSignificands,
  denormals,
  EXP_MAX,
  INF,
  indefinite,
  isNan,
  type Num,
  propagate,
  propagateOne,
  type Raw,
  TOP_BIT,
  ZERO,
} from "./number.ts";
import { roundPack } from "./round.ts";
import { C0, C1, C2, C3, DE, IE, ZE } from "./words.ts";

/** Bits 2:0 of the quotient in C0, C3, C1 (SDM vol. 2, FPREM). */
function quotientBits(q: number): number {
  return ((q & 4) !== 0 ? C0 : 0) | ((q & 2) !== 0 ? C3 : 0) | ((q & 1) !== 0 ? C1 : 0);
}

const TWO_32 = 2 ** 32;

/**
 * a by b: the remainder truncated (`nearest` false) or to the nearest quotient. Answers exceptions and the conditions:
 * C2 set means that the exponents were 64 or more apart and that only some of the quotient was taken off.
 */
export function remainder(cw: number, a: Num, b: Num, nearest: boolean, r: Raw): number {
  if (isNan(a) || isNan(b)) return propagate(a, b, r);
  if (a.cls === INF || b.cls === ZERO) {
    indefinite(r);
    return IE;
  }
  const flags = denormals(a, b);
  if (a.cls === ZERO) {
    r.set(a.sign << 15, 0, 0);
    return flags;
  }
  if (b.cls === INF) return flags | finish(cw, a.sign, a.exp, a.hi, a.lo, r);
  const apart = a.exp - b.exp;
  if (apart < -1 || (apart < 0 && !nearest)) return flags | finish(cw, a.sign, a.exp, a.hi, a.lo, r);
  // How much is taken off at once is the processor's choice between 32 and 63 (SDM vol. 2, FPREM).
  const partial = apart >= 64;
  const steps = partial ? (apart & 31) | 32 : apart;
  const bh = b.hi >>> 0;
  const bl = b.lo >>> 0;
  let hi = a.hi >>> 0;
  let lo = a.lo >>> 0;
  let q = 0;
  let exp = a.exp - steps;
  if (apart < 0) {
    // Nearest only: a is below b, its quotient 0 or 1. As a rest in units of b's exponent, with a bit below.
    return flags | halfway(cw, a, b, r);
  }
  for (let i = 0; i <= steps; i++) {
    if (i > 0) {
      hi = hi * 2 + (lo >= 0x8000_0000 ? 1 : 0);
      lo = (lo * 2) % TWO_32;
      q = (q << 1) & 0x7f;
    }
    if (hi > bh || (hi === bh && lo >= bl)) {
      lo -= bl;
      hi -= bh;
      if (lo < 0) {
        lo += TWO_32;
        hi--;
      }
      q |= 1;
    }
  }
  if (partial) return flags | C2 | finish(cw, a.sign, exp, hi | 0, lo | 0, r);
  let sign = a.sign;
  if (nearest) {
    // Twice the rest against b.
    const h2 = hi * 2 + (lo >= 0x8000_0000 ? 1 : 0);
    const l2 = (lo * 2) % TWO_32;
    const above = h2 > bh || (h2 === bh && l2 > bl);
    const tie = h2 === bh && l2 === bl;
    if (above || (tie && (q & 1) === 1)) {
      lo = bl - lo;
      hi = bh - hi;
      if (lo < 0) {
        lo += TWO_32;
        hi--;
      }
      sign ^= 1;
      q++;
    }
  }
  exp = b.exp;
  return flags | quotientBits(q) | finish(cw, sign, exp, hi | 0, lo | 0, r);
}

/** FPREM1 where a has the exponent just below b's: |a| < b, nearer to b or to 0? */
function halfway(cw: number, a: Num, b: Num, r: Raw): number {
  // 2|a| against b: their significands, a's exponent being one less.
  if (compareSignificands(a, b) <= 0) return finish(cw, a.sign, a.exp, a.hi, a.lo, r);
  // b - a in units of a's last bit: 2 * B - A, at most 65 bits before and below 64 after.
  let lo = (b.lo >>> 0) * 2 - (a.lo >>> 0);
  let hi = (b.hi >>> 0) * 2 - (a.hi >>> 0);
  while (lo < 0) {
    lo += TWO_32;
    hi--;
  }
  while (lo >= TWO_32) {
    lo -= TWO_32;
    hi++;
  }
  return quotientBits(1) | finish(cw, a.sign ^ 1, a.exp, hi | 0, lo | 0, r);
}

/** An exact result that may be 0 or need its top bit brought up. */
function finish(cw: number, sign: number, exp: number, hi: number, lo: number, r: Raw): number {
  if ((hi | lo) === 0) {
    r.set(sign << 15, 0, 0);
    return 0;
  }
  let h = hi;
  let l = lo;
  let e = exp;
  if (h === 0) {
    h = l;
    l = 0;
    e -= 32;
  }
  const shift = Math.clz32(h);
  if (shift > 0) {
    h = (h << shift) | (l >>> (32 - shift));
    l <<= shift;
  }
  return roundPack(cw, 64, sign, e - shift, h, l, 0, r);
}

/** Beyond it every number overflows, or underflows, also after the exponent is adjusted. */
const FAR = 0x1_8000;

/** a * 2^trunc(b). */
export function scale(cw: number, a: Num, b: Num, r: Raw): number {
  if (isNan(a) || isNan(b)) return propagate(a, b, r);
  const sign = a.sign << 15;
  const flags = denormals(a, b);
  if (b.cls === INF) {
    if ((a.cls === INF && b.sign === 1) || (a.cls === ZERO && b.sign === 0)) {
      indefinite(r);
      return IE;
    }
    if (b.sign === 0) r.set(sign | EXP_MAX, TOP_BIT, 0);
    else r.set(sign, 0, 0);
    return flags;
  }
  if (a.cls === INF) {
    r.set(sign | EXP_MAX, TOP_BIT, 0);
    return flags;
  }
  if (a.cls === ZERO) {
    r.set(sign, 0, 0);
    return flags;
  }
  let by = 0;
  if (b.cls !== ZERO && b.exp >= BIAS) by = b.exp > BIAS + 16 ? FAR : b.hi >>> (31 - (b.exp - BIAS));
  return flags | roundPack(cw, 64, a.sign, a.exp + (b.sign === 1 ? -by : by), a.hi, a.lo, 0, r);
}

/** FXTRACT: the exponent of `a` as a number into `exponent`, its significand into `significand`. */
export function extract(a: Num, exponent: Raw, significand: Raw): number {
  if (isNan(a)) {
    const flags = propagateOne(a, significand);
    exponent.set(significand.se, significand.hi, significand.lo);
    return flags;
  }
  const sign = a.sign << 15;
  if (a.cls === INF) {
    exponent.set(EXP_MAX, TOP_BIT, 0);
    significand.set(sign | EXP_MAX, TOP_BIT, 0);
    return 0;
  }
  if (a.cls === ZERO) {
    exponent.set(0xffff, TOP_BIT, 0);
    significand.set(sign, 0, 0);
    return ZE;
  }
  significand.set(sign | BIAS, a.hi, a.lo);
  const e = a.exp - BIAS;
  if (e === 0) exponent.set(0, 0, 0);
  else {
    const magnitude = e < 0 ? -e : e;
    const shift = Math.clz32(magnitude);
    exponent.set((e < 0 ? 0x8000 : 0) | (BIAS + 31 - shift), magnitude << shift, 0);
  }
  return a.denormal ? DE : 0;
}
