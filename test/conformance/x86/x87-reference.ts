/**
 * The transcendental functions to some 300 bits in BigInt floats: what x87's are measured against. Nothing of the
 * processor's own arithmetic is used. Trigonometric arguments are reduced by the manual's pi of 66 bits (SDM vol. 1, 8.3.8).
 */

/** sign * m * 2^e; m >= 0, 0 or of about BITS bits after `norm`. */
export interface Real {
  readonly s: 1 | -1;
  readonly m: bigint;
  readonly e: number;
}

const BITS = 320;

function length(m: bigint): number {
  return m === 0n ? 0 : m.toString(16).length * 4 - Math.clz32(Number.parseInt(m.toString(16)[0]!, 16)) + 28;
}

function norm(s: 1 | -1, m: bigint, e: number): Real {
  const over = length(m) - BITS;
  return over > 0 ? { s, m: m >> BigInt(over), e: e + over } : { s, m, e };
}

export const ZERO_REAL: Real = { s: 1, m: 0n, e: 0 };
export const whole = (n: number): Real => ({ s: n < 0 ? -1 : 1, m: BigInt(Math.abs(n)), e: 0 });
const flip = (s: 1 | -1): 1 | -1 => (s === 1 ? -1 : 1);
export const negate = (a: Real): Real => ({ ...a, s: flip(a.s) });

export function times(a: Real, b: Real): Real {
  return norm(a.s === b.s ? 1 : -1, a.m * b.m, a.e + b.e);
}

export function over(a: Real, b: Real): Real {
  const up = Math.max(0, BITS + length(b.m) - length(a.m));
  return norm(a.s === b.s ? 1 : -1, (a.m << BigInt(up)) / b.m, a.e - b.e - up);
}

/** Exponent of the leading bit; 0 has a very small one. */
export function magnitude(a: Real): number {
  return a.m === 0n ? -1e9 : a.e + length(a.m) - 1;
}

export function plus(a: Real, b: Real): Real {
  if (a.m === 0n) return b;
  if (b.m === 0n) return a;
  if (magnitude(a) - magnitude(b) > BITS + 8) return a;
  if (magnitude(b) - magnitude(a) > BITS + 8) return b;
  const e = Math.min(a.e, b.e);
  const value = BigInt(a.s) * (a.m << BigInt(a.e - e)) + BigInt(b.s) * (b.m << BigInt(b.e - e));
  return norm(value < 0n ? -1 : 1, value < 0n ? -value : value, e);
}
export const minus = (a: Real, b: Real): Real => plus(a, negate(b));

/** Sums a series until its terms no longer count: `step` makes term n from the one before. */
function sum(first: Real, step: (term: Real, n: number) => Real): Real {
  let total = first;
  let term = first;
  for (let n = 1; n < 4000; n++) {
    term = step(term, n);
    if (term.m === 0n || magnitude(term) < magnitude(total) - BITS) return total;
    total = plus(total, term);
  }
  throw new Error("the series does not end");
}

const sinSeries = (x: Real): Real => {
  const x2 = negate(times(x, x));
  return sum(x, (t, n) => over(times(t, x2), whole(2 * n * (2 * n + 1))));
};
const cosSeries = (x: Real): Real => {
  const x2 = negate(times(x, x));
  return sum(whole(1), (t, n) => over(times(t, x2), whole(2 * n * (2 * n - 1))));
};

/** atan for |x| <= 1: the argument is halved until the series is short. */
function atanSmall(x: Real): Real {
  let t = x;
  let halvings = 0;
  while (magnitude(t) > -12) {
    t = over(t, plus(whole(1), root(plus(whole(1), times(t, t)))));
    halvings++;
  }
  const t2 = negate(times(t, t));
  let power = t;
  let total = t;
  for (let n = 3; magnitude(power) > magnitude(total) - BITS; n += 2) {
    power = times(power, t2);
    total = plus(total, over(power, whole(n)));
  }
  return { ...total, e: total.e + halvings };
}

function root(a: Real): Real {
  let up = 2 * BITS - length(a.m);
  if (((a.e - up) & 1) !== 0) up++;
  const n = up > 0 ? a.m << BigInt(up) : a.m >> BigInt(-up);
  let x = 1n << BigInt((length(n) + 2) >> 1);
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) return norm(1, x, (a.e - up) / 2);
    x = y;
  }
}

export const PI_REAL: Real = ((): Real => {
  const quarter = atanSmall(whole(1));
  return { ...quarter, e: quarter.e + 2 };
})();
/** 4 * 0.C90FDAA22168C234C: the 66 bits of the manual. */
const PI_66: Real = { s: 1, m: 0xc90fdaa22168c234cn, e: -66 };

/** 2 atanh((m - 1) / (m + 1)) */
function lnNear1(m: Real, mMinus1: Real): Real {
  const u = over(mMinus1, plus(m, whole(1)));
  const u2 = times(u, u);
  let power = u;
  let total = u;
  for (let n = 3; power.m !== 0n && magnitude(power) > magnitude(total) - BITS; n += 2) {
    power = times(power, u2);
    total = plus(total, over(power, whole(n)));
  }
  return { ...total, e: total.e + 1 };
}
export const LN2_REAL: Real = lnNear1(whole(2), whole(1));

export function log2(x: Real): Real {
  let k = magnitude(x);
  let m: Real = { ...x, e: x.e - k };
  // To the side of 1 that x is near.
  if (k < 0) {
    k++;
    m = { ...m, e: m.e - 1 };
  }
  return plus(whole(k), over(lnNear1(m, minus(m, whole(1))), LN2_REAL));
}

export function log2Plus1(x: Real): Real {
  return over(lnNear1(plus(whole(1), x), x), LN2_REAL);
}

export function exp2m1(x: Real): Real {
  const z = times(x, LN2_REAL);
  return sum(z, (t, n) => over(times(t, z), whole(n + 1)));
}

/** x = k pi/2 + r exactly, with the pi of 66 bits: r within pi/4 of 0, and k modulo 4. */
function reduce(x: Real): { r: Real; k: number } {
  const half: Real = { ...PI_66, e: PI_66.e - 1 };
  const e = Math.min(x.e, half.e);
  if (x.e + length(x.m) < -4) return { r: x, k: 0 };
  const n = x.m << BigInt(x.e - e);
  const d = half.m << BigInt(half.e - e);
  const q = (2n * n + d) / (2n * d);
  const rest = n - q * d;
  const r: Real = { s: (rest < 0n ? -1 : 1) === x.s ? 1 : -1, m: rest < 0n ? -rest : rest, e };
  const k = Number(q & 3n);
  return { r, k: x.s === 1 ? k : (4 - k) & 3 };
}

export function sin(x: Real): Real {
  const { r, k } = reduce(x);
  const v = (k & 1) === 0 ? sinSeries(r) : cosSeries(r);
  return k >= 2 ? negate(v) : v;
}
export function cos(x: Real): Real {
  const { r, k } = reduce(x);
  const v = (k & 1) === 0 ? cosSeries(r) : sinSeries(r);
  return k === 1 || k === 2 ? negate(v) : v;
}
export function tan(x: Real): Real {
  return over(sin(x), cos(x));
}

/** The angle of (x, y). */
export function atan2(y: Real, x: Real): Real {
  const ay: Real = { ...y, s: 1 };
  const ax: Real = { ...x, s: 1 };
  const steep = minus(ay, ax).s === 1 && minus(ay, ax).m !== 0n;
  const small = steep ? over(ax, ay) : over(ay, ax);
  let a = atanSmall(small);
  if (steep) a = minus({ ...PI_REAL, e: PI_REAL.e - 1 }, a);
  if (x.s === -1) a = minus(PI_REAL, a);
  return { ...a, s: y.s };
}

/** A finite register encoding. */
export function fromRegister(se: number, hi: number, lo: number): Real {
  const m = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return { s: se >= 0x8000 ? -1 : 1, m, e: Math.max(se & 0x7fff, 1) - 16383 - 63 };
}

/** |a - reference| in units of the last place of `reference` in the register format. */
export function ulps(a: Real, reference: Real): number {
  const d = minus(a, reference);
  if (d.m === 0n) return 0;
  const unit = Math.max(magnitude(reference), -16382) - 63;
  const up = magnitude(d) - unit;
  if (up > 60) return Number.POSITIVE_INFINITY;
  const scaled = over({ ...d, s: 1 }, { s: 1, m: 1n, e: unit - 40 });
  return Number(scaled.e >= 0 ? scaled.m << BigInt(scaled.e) : scaled.m >> BigInt(-scaled.e)) / 2 ** 40;
}
