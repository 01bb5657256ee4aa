/**
 * F2XM1, FYL2X, FYL2XP1 in integer arithmetic (SDM vol. 2; vol. 1, 8.3.9): series to some 120 bits and one rounding.
 */
import { add as addNumbers, product } from "./arith.ts";
import { LN2, ODD_INVERSES, TWO_OVER_LN2 } from "./constants.ts";
import { add, Big, div, divSmall, LIMBS, mul, ONE, shiftRight, sub } from "./fixed.ts";
import {
  BIAS,
  denormals,
  EXP_MAX,
  FINITE,
  INF,
  indefinite,
  isNan,
  Num,
  propagate,
  Raw,
  TOP_BIT,
  unpack,
  unpackInt,
  ZERO,
} from "./number.ts";
import { CW_INIT, DE, IE, PE, UE, ZE } from "./words.ts";

const scratch = (): Float64Array => new Float64Array(LIMBS);
const term = scratch();
const square = scratch();
const fixed = scratch();

const power = new Big();

/** 2^x - 1, for -1 <= x <= 1; beyond, where the manual leaves it undefined, x itself. */
export function exp2m1(cw: number, x: Num, r: Raw): number {
  if (isNan(x)) return propagate(x, x, r);
  const sign = x.sign << 15;
  if (x.cls === ZERO) {
    r.set(sign, 0, 0);
    return 0;
  }
  if (x.cls === INF) {
    if (x.sign === 1) r.set(0x8000 | BIAS, TOP_BIT, 0);
    else r.set(EXP_MAX, TOP_BIT, 0);
    return 0;
  }
  const flags = x.denormal ? DE : 0;
  if (x.exp >= BIAS) {
    if (x.exp === BIAS && x.hi === TOP_BIT && x.lo === 0) {
      if (x.sign === 1) r.set(0x8000 | (BIAS - 1), TOP_BIT, 0);
      else r.set(BIAS, TOP_BIT, 0);
      return flags | PE; // as silicon does, though it is exact
    }
    r.set(sign | x.exp, x.hi, x.lo);
    return flags;
  }
  // z = x ln 2, (e^z - 1) = z (1 + z/2 (1 + z/3 (…)))
  power.take(x);
  mul(power.m, power.m, LN2);
  const exp = power.exp;
  shiftRight(fixed, power.m, -exp);
  const bits = -exp; // z is below 2^exp * 1.39
  const n = bits < 2 ? 36 : Math.min(36, Math.ceil(150 / (bits - 0.5)) + 2);
  const sum = square;
  sum.set(ONE);
  for (let k = n; k > 1; k--) {
    mul(term, sum, fixed);
    divSmall(term, term, k);
    if (x.sign === 1) sub(sum, ONE, term);
    else add(sum, ONE, term);
  }
  mul(power.m, power.m, sum);
  power.exp = exp;
  return flags | power.round(cw, x.sign, r);
}

const logarithm = new Big();
const factor = new Big();
const numerator = new Big();

/** out = u (1 + u^2/3 + u^4/5 + …) 2/ln 2, for u in `numerator`, normalised, below 0.2: log2 of (1 + u) / (1 - u). */
function logSeries(out: Big): void {
  mul(square, numerator.m, numerator.m);
  const exp = numerator.exp;
  shiftRight(square, square, -2 * exp);
  const bits = -2 * (exp + 1);
  const n = bits < 5 ? 36 : Math.min(36, Math.ceil(150 / bits) + 1);
  const sum = fixed;
  sum.set(ODD_INVERSES[n]!);
  for (let k = n - 1; k >= 0; k--) {
    mul(term, sum, square);
    add(sum, ODD_INVERSES[k]!, term);
  }
  mul(out.m, sum, TWO_OVER_LN2);
  mul(out.m, out.m, numerator.m);
  out.exp = exp;
}

/** `logarithm` times |y|, rounded. */
function timesY(cw: number, sign: number, y: Num, r: Raw): number {
  logarithm.normalise();
  factor.take(y);
  mul(logarithm.m, logarithm.m, factor.m);
  logarithm.exp += factor.exp;
  return logarithm.round(cw, sign, r);
}

const whole = new Num();

function infinite(r: Raw, sign: number): void {
  r.set((sign << 15) | EXP_MAX, TOP_BIT, 0);
}

/** Is a finite, positive x below 1 (-1), 1 (0), above (1)? */
function againstOne(x: Num): number {
  if (x.exp < BIAS) return -1;
  return x.exp === BIAS && x.hi === TOP_BIT && x.lo === 0 ? 0 : 1;
}

/** FYL2X: y log2 x, x = ST, y = ST(1). */
export function yLog2x(cw: number, x: Num, y: Num, r: Raw): number {
  if (isNan(x) || isNan(y)) return propagate(x, y, r);
  if (x.sign === 1 && x.cls !== ZERO) {
    indefinite(r);
    return IE;
  }
  if (x.cls === ZERO) {
    if (y.cls === ZERO) {
      indefinite(r);
      return IE;
    }
    infinite(r, y.sign ^ 1);
    return y.cls === INF ? 0 : ZE;
  }
  if (x.cls === INF) {
    if (y.cls === ZERO) {
      indefinite(r);
      return IE;
    }
    infinite(r, y.sign);
    return denormals(x, y);
  }
  const order = againstOne(x);
  const flags = denormals(x, y);
  const sign = y.sign ^ (order < 0 ? 1 : 0);
  if (y.cls === INF) {
    if (order === 0) {
      indefinite(r);
      return IE;
    }
    infinite(r, sign);
    return flags;
  }
  if (y.cls === ZERO || order === 0) {
    r.set(sign << 15, 0, 0);
    return flags;
  }
  return flags | finiteLog(cw, sign, x, y, r);
}

/** The same for finite numbers, x > 0 and not 1, y not 0; `sign` of the answer. */
function finiteLog(cw: number, sign: number, x: Num, y: Num, r: Raw): number {
  let k = x.exp - BIAS;
  if (x.hi === TOP_BIT && x.lo === 0) {
    unpackInt(whole, k, k >> 31);
    // Silicon calls it inexact though it may be exact, and with that a tiny one an underflow.
    const flags = product(cw, 64, sign, whole, y, r) | PE;
    return (r.se & EXP_MAX) === 0 ? flags | UE : flags;
  }
  // m from 1/sqrt 2 to sqrt 2: u = (m - 1) / (m + 1)
  logarithm.take(x);
  const m = logarithm.m;
  const half = x.hi >>> 0 >= 0xb504_f334;
  if (half) {
    k++;
    shiftRight(m, m, 1);
    sub(numerator.m, ONE, m);
  } else sub(numerator.m, m, ONE);
  numerator.exp = 0;
  add(m, m, ONE);
  numerator.normalise();
  div(numerator.m, numerator.m, m);
  numerator.normalise();
  logSeries(logarithm);
  if (k !== 0) {
    // |k| plus or minus what is below 1/2; x above 1 has k > 0
    logarithm.toFix(term);
    const down = k > 0 === half;
    logarithm.m.fill(0);
    logarithm.m[0] = Math.abs(k);
    logarithm.exp = 0;
    if (down) sub(logarithm.m, logarithm.m, term);
    else add(logarithm.m, logarithm.m, term);
  }
  return timesY(cw, sign, y, r);
}

const one = new Num();
const sumRaw = new Raw();
const shifted = new Num();

/**
 * FYL2XP1: y log2 (x + 1). The manual defines it for |x| < 1 - 1/sqrt 2; beyond, x + 1 is rounded first.
 */
export function yLog2xPlus1(cw: number, x: Num, y: Num, r: Raw): number {
  if (isNan(x) || isNan(y)) return propagate(x, y, r);
  const sign = x.sign ^ y.sign;
  if (x.cls === ZERO || y.cls === ZERO) {
    if (x.cls === INF || y.cls === INF) {
      indefinite(r);
      return IE;
    }
    r.set(sign << 15, 0, 0);
    return denormals(x, y);
  }
  if (x.cls === INF || (x.cls === FINITE && x.exp >= BIAS - 1)) {
    unpack(one, BIAS, TOP_BIT, 0);
    addNumbers(CW_INIT, x, one, sumRaw);
    unpack(shifted, sumRaw.se, sumRaw.hi, sumRaw.lo);
    return denormals(x, y) | yLog2x(cw, shifted, y, r);
  }
  if (y.cls === INF) {
    infinite(r, sign);
    return denormals(x, y);
  }
  // u = x / (2 + x)
  numerator.take(x);
  numerator.toFix(fixed);
  fixed[0]! += x.sign === 0 ? 2 : 0;
  if (x.sign === 1) {
    term.fill(0);
    term[0] = 2;
    sub(fixed, term, fixed);
  }
  div(numerator.m, numerator.m, fixed);
  numerator.normalise();
  logSeries(logarithm);
  return denormals(x, y) | timesY(cw, sign, y, r);
}
