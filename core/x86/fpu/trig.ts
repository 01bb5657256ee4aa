/**
 * FSIN, FCOS, FSINCOS, FPTAN, FPATAN in integer arithmetic (SDM vol. 2; vol. 1, 8.3.8). The argument is reduced exactly by
 * the manual's pi of 66 bits; then Taylor's series to some 120 bits and one rounding.
 */
import { ARCTANGENTS, HALF_PI, ODD_INVERSES, PI } from "./constants.ts";
import {
  add,
  Big,
  div,
  divSmall,
  fix,
  isBelow,
  justBelow,
  LIMBS,
  mul,
  ONE,
  shiftRight,
  sub,
} from "./fixed.ts";
import { BIAS, denormals, INF, indefinite, isNan, type Num, propagate, type Raw, ZERO } from "./number.ts";
import { C2, DE, IE } from "./words.ts";

/** pi/2 = I * 2^-67, where I = C90FDAA2 2168C234 C hexadecimal: the 66 bits of the manual. */
const I2 = 0xc;
const I1 = 0x90fd_aa22;
const I0 = 0x168c_234c;
const TWO_32 = 2 ** 32;

const scratch = (): Float64Array => new Float64Array(LIMBS);

/** |r| of the last reduction, below pi/4, and its square. */
const rest = new Big();
const square = scratch();
/** r itself was negative, and the quadrant that was taken off. */
let restSign = 0;
let quadrant = 0;

/** Reduces |n| < 2^63, not 0, to a rest within pi/4 of 0. */
function reduce(n: Num): void {
  restSign = 0;
  quadrant = 0;
  const e = n.exp - BIAS;
  if (e < -1) {
    rest.take(n);
  } else {
    // The rest in units of 2^-67: exact, since the argument and I are whole numbers of them.
    let r2 = (n.hi >>> 29) | 0;
    let r1 = ((n.hi << 3) | (n.lo >>> 29)) >>> 0;
    let r0 = (n.lo << 3) >>> 0;
    for (let i = 0; i <= e; i++) {
      r2 = r2 * 2 + (r1 >>> 31);
      r1 = ((r1 << 1) | (r0 >>> 31)) >>> 0;
      r0 = (r0 << 1) >>> 0;
      quadrant = (quadrant << 1) & 3;
      const d0 = r0 - I0;
      const d1 = r1 - I1 - (d0 < 0 ? 1 : 0);
      const d2 = r2 - I2 - (d1 < 0 ? 1 : 0);
      if (d2 >= 0) {
        r0 = d0 >>> 0;
        r1 = d1 >>> 0;
        r2 = d2;
        quadrant |= 1;
      }
    }
    // Beyond pi/4, of which I / 2 units are, the next quadrant is nearer.
    const c0 = I0 - r0;
    const c1 = I1 - r1 - (c0 < 0 ? 1 : 0);
    const c2 = I2 - r2 - (c1 < 0 ? 1 : 0);
    const m1 = c1 < 0 ? c1 + TWO_32 : c1;
    const m0 = c0 < 0 ? c0 + TWO_32 : c0;
    if (c2 < r2 || (c2 === r2 && (m1 < r1 || (m1 === r1 && m0 < r0)))) {
      r0 = m0;
      r1 = m1;
      r2 = c2;
      restSign = 1;
      quadrant = (quadrant + 1) & 3;
    }
    // 68 bits at 2^-67: bit 67 is the integer part.
    const m = rest.m;
    m.fill(0);
    m[0] = r2 >>> 3;
    m[1] = ((r2 & 7) << 21) | (r1 >>> 11);
    m[2] = ((r1 & 0x7ff) << 13) | (r0 >>> 19);
    m[3] = (r0 & 0x7_ffff) << 5;
    rest.exp = 0;
    rest.normalise();
  }
  mul(square, rest.m, rest.m);
  shiftRight(square, square, -2 * rest.exp);
}

const term = scratch();

/** Terms that a series in r^2 needs when r is below 2^(exp + 1). */
function terms(exp: number, most: number): number {
  const bits = -2 * (exp + 1);
  return bits <= 0 ? most : Math.min(most, Math.ceil(150 / bits) + 1);
}

/** out = 1 - r^2 / (a b) (1 - r^2 / (c d) (…)): the sine of r over r (`odd` 1), or its cosine (`odd` 0). */
function series(out: Float64Array, odd: number): void {
  out.set(ONE);
  for (let k = terms(rest.exp, 16); k > 0; k--) {
    mul(term, out, square);
    divSmall(term, term, (2 * k - 1 + odd) * (2 * k + odd));
    sub(out, ONE, term);
  }
  // It is below 1, by however little.
  if (out[0] === 1) justBelow(out);
}

const sine = new Big();
const cosine = new Big();

function takeSine(): void {
  series(sine.m, 1);
  mul(sine.m, sine.m, rest.m);
  sine.exp = rest.exp;
}

function takeCosine(): void {
  series(cosine.m, 0);
  cosine.exp = 0;
}

const TOO_LARGE = BIAS + 63;

/**
 * What needs no series: -1 when the function is to be computed, else the flags, with the answer in `r`.
 * `atZero`: the answer at +0, whose sign follows when it is 0. C2: the argument is out of range, ST unchanged.
 */
function special(n: Num, atZero: number, r: Raw): number {
  if (isNan(n)) return propagate(n, n, r);
  if (n.cls === INF) {
    indefinite(r);
    return IE;
  }
  if (n.cls === ZERO) {
    if (atZero === 0) r.set(n.sign << 15, 0, 0);
    else r.set(BIAS, 0x8000_0000 | 0, 0);
    return 0;
  }
  return n.exp >= TOO_LARGE ? C2 : -1;
}

/** sin or cos of the reduced argument, the quadrant counted; `sign` of the whole. */
function deliver(cw: number, quarter: number, sign: number, r: Raw): number {
  if ((quarter & 1) === 0) {
    takeSine();
    return sine.round(cw, sign ^ restSign ^ (quarter >>> 1), r);
  }
  takeCosine();
  return cosine.round(cw, sign ^ (quarter >>> 1), r);
}

/** FSIN. C2 among the flags: nothing was done. */
export function sin(cw: number, n: Num, r: Raw): number {
  const flags = special(n, 0, r);
  if (flags >= 0) return flags;
  reduce(n);
  return (n.denormal ? DE : 0) | deliver(cw, quadrant, n.sign, r);
}

/** FCOS. */
export function cos(cw: number, n: Num, r: Raw): number {
  const flags = special(n, 1, r);
  if (flags >= 0) return flags;
  reduce(n);
  return (n.denormal ? DE : 0) | deliver(cw, (quadrant + 1) & 3, 0, r);
}

/** FSINCOS: both, from one reduction. */
export function sincos(cw: number, n: Num, forSine: Raw, forCosine: Raw): number {
  const flags = special(n, 0, forSine);
  if (flags >= 0) {
    if (n.cls === ZERO) forCosine.set(BIAS, 0x8000_0000 | 0, 0);
    else forCosine.set(forSine.se, forSine.hi, forSine.lo);
    return flags;
  }
  reduce(n);
  const first = deliver(cw, quadrant, n.sign, forSine);
  return (n.denormal ? DE : 0) | first | deliver(cw, (quadrant + 1) & 3, 0, forCosine);
}

const ratio = new Big();

/** FPTAN's tangent. */
export function tan(cw: number, n: Num, r: Raw): number {
  const flags = special(n, 0, r);
  if (flags >= 0) return flags;
  reduce(n);
  takeSine();
  takeCosine();
  const direct = (quadrant & 1) === 0;
  const above = direct ? sine : cosine;
  const below = direct ? cosine : sine;
  above.normalise();
  below.normalise();
  div(ratio.m, above.m, below.m);
  ratio.exp = above.exp - below.exp;
  const sign = n.sign ^ restSign ^ (direct ? 0 : 1);
  return (n.denormal ? DE : 0) | ratio.round(cw, sign, r);
}

// --- FPATAN

const whole = scratch();
const eighth = scratch();
const over = scratch();

/** out = (1 - t^2 / 3 + t^4 / 5 - …) for t^2 in `square`, t below 2^(exp + 1) <= 1/8. */
function arctangentSeries(out: Float64Array, exp: number): void {
  const from = terms(exp, 26);
  out.set(ODD_INVERSES[from]!);
  for (let k = from - 1; k >= 0; k--) {
    mul(term, out, square);
    sub(out, ODD_INVERSES[k]!, term);
  }
  if (out[0] === 1) justBelow(out);
}

const arc = new Big();

/** arc = atan(t), for 0 < t <= 1 in `ratio`, normalised. */
function arctangent(): void {
  if (ratio.exp < -3) {
    mul(square, ratio.m, ratio.m);
    shiftRight(square, square, -2 * ratio.exp);
    arctangentSeries(arc.m, ratio.exp);
    mul(arc.m, arc.m, ratio.m);
    arc.exp = ratio.exp;
    return;
  }
  // atan t = atan c + atan ((t - c) / (1 + t c)), c the nearest eighth
  ratio.toFix(whole);
  const i = Math.round((whole[0]! + whole[1]! * 2 ** -24) * 8);
  divSmall(eighth, fix(i), 8);
  mul(over, whole, eighth);
  add(over, over, ONE);
  const negative = isBelow(whole, eighth);
  if (negative) sub(whole, eighth, whole);
  else sub(whole, whole, eighth);
  div(whole, whole, over);
  mul(square, whole, whole);
  arctangentSeries(arc.m, -5);
  mul(arc.m, arc.m, whole);
  if (negative) sub(arc.m, ARCTANGENTS[i]!, arc.m);
  else add(arc.m, ARCTANGENTS[i]!, arc.m);
  arc.exp = 0;
}

/** A multiple of pi/4 as the answer. */
function quarters(cw: number, count: number, sign: number, r: Raw): number {
  divSmall(arc.m, PI, 4);
  mul(arc.m, arc.m, fix(count));
  arc.exp = 0;
  return arc.round(cw, sign, r);
}

/** FPATAN: the angle of the point (x, y), x = ST, y = ST(1). */
export function atan2(cw: number, x: Num, y: Num, r: Raw): number {
  if (isNan(x) || isNan(y)) return propagate(x, y, r);
  const flags = denormals(x, y);
  const sign = y.sign;
  if (y.cls === INF) return flags | quarters(cw, x.cls === INF ? (x.sign === 0 ? 1 : 3) : 2, sign, r);
  if (x.cls === INF || y.cls === ZERO) {
    if (x.sign === 1) return flags | quarters(cw, 4, sign, r);
    r.set(sign << 15, 0, 0);
    return flags;
  }
  if (x.cls === ZERO) return flags | quarters(cw, 2, sign, r);
  const steep = y.exp > x.exp || (y.exp === x.exp && above(y, x));
  const large = steep ? y : x;
  const small = steep ? x : y;
  sine.take(small);
  cosine.take(large);
  div(ratio.m, sine.m, cosine.m);
  ratio.exp = sine.exp - cosine.exp;
  ratio.normalise();
  if (!steep && x.sign === 0 && small.hi === large.hi && small.lo === large.lo) {
    // A power of two, exactly: the division may be a unit short of it.
    ratio.m.set(ONE);
    ratio.exp = sine.exp - cosine.exp;
  }
  arctangent();
  if (!steep && x.sign === 0) return flags | arc.round(cw, sign, r);
  if (arc.exp < -150) arc.m.fill(0);
  else arc.toFix(arc.m);
  arc.exp = 0;
  const base = steep ? HALF_PI : PI;
  if (steep && x.sign === 1) add(arc.m, base, arc.m);
  else sub(arc.m, base, arc.m);
  return flags | arc.round(cw, sign, r);
}

function above(a: Num, b: Num): boolean {
  const ah = a.hi >>> 0;
  const bh = b.hi >>> 0;
  return ah > bh || (ah === bh && a.lo >>> 0 > b.lo >>> 0);
}
