/**
 * Fixed-point numbers of 144 fraction bits for the transcendental functions: seven limbs of 24 bits, the first one the
 * integer part. A limb is a whole number in a double, so that products and their sums stay below 2^53: exact integer
 * arithmetic, the same in every engine. Values are not negative; results are truncated, with an error of a few units
 * in the last place.
 */
import { BIAS, type Num, type Raw, TOP_BIT } from "./number.ts";
import { roundPack } from "./round.ts";

export const LIMBS = 7;
const LAST = LIMBS - 1;
const UNIT = 2 ** 24;
const PER_UNIT = 2 ** -24;

export type Fix = Float64Array;

export function fix(...limbs: number[]): Fix {
  const f = new Float64Array(LIMBS);
  f.set(limbs);
  return f;
}

export const ONE = fix(1);

const columns = new Float64Array(LIMBS + 1);

/** out = a * b. */
export function mul(out: Fix, a: Fix, b: Fix): void {
  const c = columns;
  for (let k = 0; k <= LIMBS; k++) {
    let sum = 0;
    const from = k === LIMBS ? 1 : 0;
    const to = k === LIMBS ? LAST : k;
    for (let i = from; i <= to; i++) sum += a[i]! * b[k - i]!;
    c[k] = sum;
  }
  let carry = 0;
  for (let k = LIMBS; k > 0; k--) {
    const v = c[k]! + carry;
    carry = Math.floor(v * PER_UNIT);
    if (k <= LAST) out[k] = v - carry * UNIT;
  }
  out[0] = c[0]! + carry;
}

/** out = a + b. */
export function add(out: Fix, a: Fix, b: Fix): void {
  let carry = 0;
  for (let k = LAST; k > 0; k--) {
    const v = a[k]! + b[k]! + carry;
    carry = v >= UNIT ? 1 : 0;
    out[k] = v - carry * UNIT;
  }
  out[0] = a[0]! + b[0]! + carry;
}

/** out = a - b, for a >= b. */
export function sub(out: Fix, a: Fix, b: Fix): void {
  let borrow = 0;
  for (let k = LAST; k > 0; k--) {
    const v = a[k]! - b[k]! - borrow;
    borrow = v < 0 ? 1 : 0;
    out[k] = v + borrow * UNIT;
  }
  out[0] = a[0]! - b[0]! - borrow;
}

/** out = a / n, for a whole number n below 2^24. */
export function divSmall(out: Fix, a: Fix, n: number): void {
  let rest = 0;
  for (let k = 0; k < LIMBS; k++) {
    const v = rest * UNIT + a[k]!;
    const q = Math.floor(v / n);
    out[k] = q;
    rest = v - q * n;
  }
}

/** out = a * 2^-n, n >= 0. */
export function shiftRight(out: Fix, a: Fix, n: number): void {
  const whole = Math.floor(n / 24);
  const bits = n - whole * 24;
  const low = 2 ** bits;
  const up = 2 ** (24 - bits);
  for (let k = LAST; k >= 0; k--) {
    const from = k - whole;
    const here = from >= 0 ? Math.floor(a[from]! / low) : 0;
    // What falls out of the limb above comes in here.
    const above = from >= 1 ? (a[from - 1]! % low) * up : 0;
    out[k] = here + above;
  }
}

/** out = a * 2^n, where the result's integer part stays below 2^24 and 0 <= n <= 24. */
function shiftLeft(out: Fix, a: Fix, n: number): void {
  const by = 2 ** n;
  let carry = 0;
  for (let k = LAST; k >= 0; k--) {
    const v = a[k]! * by + carry;
    carry = Math.floor(v * PER_UNIT);
    out[k] = k === 0 ? v : v - carry * UNIT;
  }
}

export function isZero(a: Fix): boolean {
  for (let k = 0; k < LIMBS; k++) if (a[k] !== 0) return false;
  return true;
}

export function isBelow(a: Fix, b: Fix): boolean {
  for (let k = 0; k < LIMBS; k++) if (a[k] !== b[k]) return a[k]! < b[k]!;
  return false;
}

const difference = new Float64Array(LIMBS);
const reciprocal = new Float64Array(LIMBS);
const TWO = fix(2);

/** out = a / b, for b from 1/2 to 4, by Newton's iteration from the double's reciprocal. */
export function div(out: Fix, a: Fix, b: Fix): void {
  let estimate = 1 / (b[0]! + b[1]! * PER_UNIT + b[2]! * PER_UNIT * PER_UNIT);
  const y = reciprocal;
  for (let k = 0; k < LIMBS; k++) {
    y[k] = Math.floor(estimate);
    estimate = (estimate - y[k]!) * UNIT;
  }
  for (let i = 0; i < 2; i++) {
    mul(difference, b, y);
    sub(difference, TWO, difference);
    mul(y, y, difference);
  }
  mul(out, a, y);
}

/** One unit in the last place less: for what is below 1 by less than can be written. */
export function justBelow(a: Fix): void {
  for (let k = LAST; k >= 0; k--) {
    if (a[k]! > 0) {
      a[k]!--;
      return;
    }
    a[k] = UNIT - 1;
  }
}

/** The significand of a finite number, 1 to 2. */
export function significand(out: Fix, hi: number, lo: number): void {
  out.fill(0);
  out[0] = 1;
  out[1] = (hi & 0x7fff_ffff) >>> 7;
  out[2] = ((hi & 0x7f) << 17) | (lo >>> 15);
  out[3] = (lo & 0x7fff) << 9;
}

/** A number as a significand with an exponent of its own: m * 2^exp. */
export class Big {
  readonly m: Fix = new Float64Array(LIMBS);
  exp = 0;

  take(n: Num): void {
    significand(this.m, n.hi, n.lo);
    this.exp = n.exp - BIAS;
  }

  /** Brings the significand to 1 … 2; it must not be 0. */
  normalise(): void {
    const m = this.m;
    while (m[0] === 0) {
      m.copyWithin(0, 1);
      m[LAST] = 0;
      this.exp -= 24;
    }
    const over = 31 - Math.clz32(m[0]!);
    if (over > 0) {
      shiftRight(m, m, over);
      this.exp += over;
    }
  }

  /** The number as plain fixed point; its exponent is at most 8. */
  toFix(out: Fix): void {
    if (this.exp <= 0) shiftRight(out, this.m, -this.exp);
    else shiftLeft(out, this.m, this.exp);
  }

  /** Rounded to the 64 bits of a register; an irrational number is never exact. */
  round(cw: number, sign: number, r: Raw): number {
    this.normalise();
    const m = this.m;
    const hi = TOP_BIT | (m[1]! << 7) | (m[2]! >>> 17);
    const lo = ((m[2]! & 0x1_ffff) << 15) | (m[3]! >>> 9);
    const ext = ((m[3]! & 0x1ff) << 23) | (m[4]! >>> 1) | 1;
    return roundPack(cw, 64, sign, this.exp + BIAS, hi, lo, ext, r);
  }
}
