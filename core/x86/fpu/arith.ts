/**
 * Addition, subtraction, multiplication, division and square root, exact before one rounding (SDM vol. 1, 8.3.5;
 * special operands: SDM vol. 2, tables of FADD, FSUB, FMUL, FDIV, FSQRT). Each answers the exceptions.
 */
import {
  BIAS,
  compareSignificands,
  denormals,
  EXP_MAX,
  INF,
  indefinite,
  isNan,
  mulHigh,
  type Num,
  propagate,
  propagateOne,
  type Raw,
  TOP_BIT,
  ZERO,
} from "./number.ts";
import { roundPack, shiftRightSticky, Work } from "./round.ts";
import { DE, IE, precisionOf, RC_DOWN, roundingOf, ZE } from "./words.ts";

const TWO_32 = 2 ** 32;
const work = new Work();

function infinity(r: Raw, sign: number): void {
  r.set((sign << 15) | EXP_MAX, TOP_BIT, 0);
}

function zero(r: Raw, sign: number): void {
  r.set(sign << 15, 0, 0);
}

/** A finite operand as the result: rounded to the precision asked for. */
function pass(cw: number, sign: number, n: Num, r: Raw): number {
  return roundPack(cw, precisionOf(cw), sign, n.exp, n.hi, n.lo, 0, r);
}

/** a + b. */
export function add(cw: number, a: Num, b: Num, r: Raw): number {
  return isNan(a) || isNan(b) ? propagate(a, b, r) : sum(cw, a, a.sign, b, b.sign, r);
}

/** a - b. */
export function sub(cw: number, a: Num, b: Num, r: Raw): number {
  return isNan(a) || isNan(b) ? propagate(a, b, r) : sum(cw, a, a.sign, b, b.sign ^ 1, r);
}

function sum(cw: number, a: Num, aSign: number, b: Num, bSign: number, r: Raw): number {
  if (a.cls === INF && b.cls === INF && aSign !== bSign) {
    indefinite(r);
    return IE;
  }
  const flags = denormals(a, b);
  if (a.cls === INF || b.cls === INF) {
    infinity(r, a.cls === INF ? aSign : bSign);
    return flags;
  }
  const zeroSign = roundingOf(cw) === RC_DOWN ? 1 : 0;
  if (a.cls === ZERO && b.cls === ZERO) {
    zero(r, aSign === bSign ? aSign : zeroSign);
    return flags;
  }
  if (a.cls === ZERO) return flags | pass(cw, bSign, b, r);
  if (b.cls === ZERO) return flags | pass(cw, aSign, a, r);
  let order = a.exp - b.exp;
  if (order === 0) order = compareSignificands(a, b);
  if (aSign !== bSign && order === 0) {
    zero(r, zeroSign);
    return flags;
  }
  const large = order >= 0 ? a : b;
  const small = order >= 0 ? b : a;
  const sign = order >= 0 ? aSign : bSign;
  const w = work;
  w.hi = small.hi;
  w.lo = small.lo;
  w.ext = 0;
  shiftRightSticky(w, large.exp - small.exp);
  return flags | (aSign === bSign ? plus(cw, sign, large, w, r) : minus(cw, sign, large, w, r));
}

function plus(cw: number, sign: number, large: Num, w: Work, r: Raw): number {
  const lo = (large.lo >>> 0) + (w.lo >>> 0);
  const hi = (large.hi >>> 0) + (w.hi >>> 0) + (lo >= TWO_32 ? 1 : 0);
  const bits = precisionOf(cw);
  if (hi < TWO_32) return roundPack(cw, bits, sign, large.exp, hi | 0, lo | 0, w.ext, r);
  const ext = (w.ext >>> 1) | (w.ext & 1) | (lo << 31);
  return roundPack(cw, bits, sign, large.exp + 1, (hi >>> 1) | TOP_BIT, (lo >>> 1) | (hi << 31), ext, r);
}

function minus(cw: number, sign: number, large: Num, w: Work, r: Raw): number {
  let ext = -w.ext | 0;
  const lowWords = (large.lo >>> 0) - (w.lo >>> 0) - (w.ext !== 0 ? 1 : 0);
  let lo = lowWords | 0;
  let hi = (large.hi - w.hi - (lowWords < 0 ? 1 : 0)) | 0;
  let exp = large.exp;
  while (hi === 0) {
    hi = lo;
    lo = ext;
    ext = 0;
    exp -= 32;
  }
  const shift = Math.clz32(hi);
  if (shift > 0) {
    hi = (hi << shift) | (lo >>> (32 - shift));
    lo = (lo << shift) | (ext >>> (32 - shift));
    ext <<= shift;
    exp -= shift;
  }
  return roundPack(cw, precisionOf(cw), sign, exp, hi, lo, ext, r);
}

/** a * b. */
export function mul(cw: number, a: Num, b: Num, r: Raw): number {
  if (isNan(a) || isNan(b)) return propagate(a, b, r);
  const sign = a.sign ^ b.sign;
  if (a.cls === INF || b.cls === INF) {
    if (a.cls === ZERO || b.cls === ZERO) {
      indefinite(r);
      return IE;
    }
    infinity(r, sign);
    return denormals(a, b);
  }
  if (a.cls === ZERO || b.cls === ZERO) {
    zero(r, sign);
    return denormals(a, b);
  }
  return denormals(a, b) | product(cw, precisionOf(cw), sign, a, b, r);
}

/** The rounded product of two finite numbers. */
export function product(cw: number, bits: number, sign: number, a: Num, b: Num, r: Raw): number {
  const w0 = Math.imul(a.lo, b.lo);
  const s1 = mulHigh(a.lo, b.lo) + (Math.imul(a.lo, b.hi) >>> 0) + (Math.imul(a.hi, b.lo) >>> 0);
  const s2 =
    mulHigh(a.lo, b.hi) + mulHigh(a.hi, b.lo) + (Math.imul(a.hi, b.hi) >>> 0) + Math.floor(s1 / TWO_32);
  let hi = (mulHigh(a.hi, b.hi) + Math.floor(s2 / TWO_32)) | 0;
  let lo = s2 | 0;
  let ext = s1 | 0;
  let exp = a.exp + b.exp - BIAS + 1;
  if (hi >= 0) {
    hi = (hi << 1) | (lo >>> 31);
    lo = (lo << 1) | (ext >>> 31);
    ext = (ext << 1) | (w0 >>> 31);
    exp--;
    if (w0 << 1 !== 0) ext |= 1;
  } else if (w0 !== 0) ext |= 1;
  return roundPack(cw, bits, sign, exp, hi, lo, ext, r);
}

/** a / b. */
export function div(cw: number, a: Num, b: Num, r: Raw): number {
  if (isNan(a) || isNan(b)) return propagate(a, b, r);
  const sign = a.sign ^ b.sign;
  if (a.cls === INF || b.cls === INF) {
    if (a.cls === b.cls) {
      indefinite(r);
      return IE;
    }
    if (a.cls === INF) infinity(r, sign);
    else zero(r, sign);
    return denormals(a, b);
  }
  if (b.cls === ZERO) {
    if (a.cls === ZERO) {
      indefinite(r);
      return IE;
    }
    infinity(r, sign);
    return ZE;
  }
  if (a.cls === ZERO) {
    zero(r, sign);
    return denormals(a, b);
  }
  return denormals(a, b) | quotient(cw, sign, a, b, r);
}

/** What long division leaves, in unsigned halves. */
let restHigh = 0;
let restLow = 0;

/** One digit of 16 bits: floor(rest * 2^16 / divisor), for rest < divisor. */
function digit(bh: number, bl: number, whole: number): number {
  let d = Math.floor(((restHigh * TWO_32 + restLow) * 65536) / whole);
  const low = restLow * 65536 - d * bl;
  const carry = Math.floor(low / TWO_32);
  let l = low - carry * TWO_32;
  let h = restHigh * 65536 - d * bh + carry;
  // The estimate is off by one at most: its error is far below 1.
  if (h < 0) {
    d--;
    l += bl;
    h += bh;
    if (l >= TWO_32) {
      l -= TWO_32;
      h++;
    }
  } else if (h > bh || (h === bh && l >= bl)) {
    d++;
    l -= bl;
    h -= bh;
    if (l < 0) {
      l += TWO_32;
      h--;
    }
  }
  restHigh = h;
  restLow = l;
  return d;
}

function quotient(cw: number, sign: number, a: Num, b: Num, r: Raw): number {
  const bh = b.hi >>> 0;
  const bl = b.lo >>> 0;
  const whole = bh * TWO_32 + bl;
  const one = compareSignificands(a, b) >= 0;
  restHigh = a.hi >>> 0;
  restLow = a.lo >>> 0;
  let exp = a.exp - b.exp + BIAS;
  if (one) {
    restHigh -= bh;
    restLow -= bl;
    if (restLow < 0) {
      restLow += TWO_32;
      restHigh--;
    }
  }
  const d1 = digit(bh, bl, whole);
  const d2 = digit(bh, bl, whole);
  const d3 = digit(bh, bl, whole);
  const d4 = digit(bh, bl, whole);
  const d5 = digit(bh, bl, whole);
  let hi = (d1 << 16) | d2;
  let lo = (d3 << 16) | d4;
  let ext = d5 << 16;
  if (one) {
    ext = (ext >>> 1) | (lo << 31);
    lo = (lo >>> 1) | (hi << 31);
    hi = (hi >>> 1) | TOP_BIT;
  } else exp--;
  if (restHigh !== 0 || restLow !== 0) ext |= 1;
  return roundPack(cw, precisionOf(cw), sign, exp, hi, lo, ext, r);
}

/** Square root. */
export function sqrt(cw: number, a: Num, r: Raw): number {
  if (isNan(a)) return propagateOne(a, r);
  if (a.cls === ZERO) {
    zero(r, a.sign);
    return 0;
  }
  if (a.sign === 1) {
    indefinite(r);
    return IE;
  }
  if (a.cls === INF) {
    infinity(r, 0);
    return 0;
  }
  const flags = a.denormal ? DE : 0;
  const exp = a.exp - BIAS;
  return flags | root(cw, a, exp, r);
}

/** Digit by digit, one bit a step: the rest stays below twice the root. */
function root(cw: number, a: Num, exp: number, r: Raw): number {
  // The radicand as 2.126 bits: shifted so that the exponent is even.
  const even = (exp & 1) === 0;
  let n3 = even ? a.hi >>> 1 : a.hi;
  let n2 = even ? (a.hi << 31) | (a.lo >>> 1) : a.lo;
  let n1 = even ? a.lo << 31 : 0;
  let r2 = 0; // rest, three words
  let r1 = 0;
  let r0 = 0;
  let q2 = 0; // root, three words
  let q1 = 0;
  let q0 = 0;
  for (let i = 0; i < 66; i++) {
    r2 = (r2 << 2) | (r1 >>> 30);
    r1 = (r1 << 2) | (r0 >>> 30);
    r0 = (r0 << 2) | (n3 >>> 30);
    n3 = (n3 << 2) | (n2 >>> 30);
    n2 = (n2 << 2) | (n1 >>> 30);
    n1 <<= 2;
    // trial = 4 * root + 1
    const t2 = (q2 << 2) | (q1 >>> 30);
    const t1 = (q1 << 2) | (q0 >>> 30);
    const t0 = (q0 << 2) | 1;
    q2 = (q2 << 1) | (q1 >>> 31);
    q1 = (q1 << 1) | (q0 >>> 31);
    q0 <<= 1;
    const d0 = (r0 >>> 0) - (t0 >>> 0);
    const d1 = (r1 >>> 0) - (t1 >>> 0) - (d0 < 0 ? 1 : 0);
    const d2 = (r2 >>> 0) - (t2 >>> 0) - (d1 < 0 ? 1 : 0);
    if (d2 >= 0) {
      r0 = d0 | 0;
      r1 = d1 | 0;
      r2 = d2 | 0;
      q0 |= 1;
    }
  }
  // 66 bits: 64 and two for rounding.
  const hi = (q2 << 30) | (q1 >>> 2);
  const lo = (q1 << 30) | (q0 >>> 2);
  const ext = (q0 << 30) | ((r0 | r1 | r2) !== 0 ? 1 : 0);
  return roundPack(cw, precisionOf(cw), 0, (exp >> 1) + BIAS, hi, lo, ext, r);
}
