/**
 * The numbers of the transcendental functions, computed anew in BigInt; and the fixed-point arithmetic they live in.
 */
import { describe, expect, it } from "vitest";
import {
  ARCTANGENTS,
  HALF_PI,
  LN2,
  ODD_INVERSES,
  PI,
  TWO_OVER_LN2,
} from "../../../../core/x86/fpu/constants.ts";
import { add, div, divSmall, type Fix, LIMBS, mul, shiftRight, sub } from "../../../../core/x86/fpu/fixed.ts";
import { random } from "../../../random.ts";

const FRACTION = 144n;
const BITS = 400n;
const ONE = 1n << BITS;

/** A fixed-point number as a whole one of 2^-144. */
const big = (f: Fix): bigint => f.reduce((sum, limb) => (sum << 24n) | BigInt(limb), 0n);
/** The first 144 fraction bits of a number of 400. */
const truncated = (value: bigint): bigint => value >> (BITS - FRACTION);

/** atan(n / d) by Euler's series: sum of 2^2k (k!)^2 / (2k + 1)! * x^(2k + 1) / (1 + x^2)^(k + 1). */
function atan(n: bigint, d: bigint): bigint {
  let term = (ONE * n * d) / (n * n + d * d);
  let sum = 0n;
  for (let k = 0n; term > 0n; k++) {
    sum += term;
    term = (term * (2n * k + 2n) * n * n) / ((2n * k + 3n) * (n * n + d * d));
  }
  return sum;
}

/** ln 2 = sum of 1 / (k 2^k). */
function ln2(): bigint {
  let sum = 0n;
  for (let k = 1n; k < BITS; k++) sum += ONE / (k << k);
  return sum;
}

describe("the constants", () => {
  it("are pi, ln 2 and what is made of them, truncated", () => {
    const pi = 16n * atan(1n, 5n) - 4n * atan(1n, 239n);
    expect(big(PI)).toBe(truncated(pi));
    expect(big(HALF_PI)).toBe(truncated(pi / 2n));
    expect(big(LN2)).toBe(truncated(ln2()));
    expect(big(TWO_OVER_LN2)).toBe(truncated((2n * ONE * ONE) / ln2()));
  });

  it("are arctangents of eighths, and inverses of odd numbers", () => {
    expect(ARCTANGENTS.map(big)).toEqual(Array.from({ length: 9 }, (_, i) => truncated(atan(BigInt(i), 8n))));
    expect(ODD_INVERSES.map(big)).toEqual(
      ODD_INVERSES.map((_, k) => (1n << FRACTION) / (2n * BigInt(k) + 1n)),
    );
  });
});

describe("fixed-point arithmetic", () => {
  const next = random(7);
  /** A number from 1/2 to 2, now and then with limbs of zeros or ones. */
  const some = (): Fix => {
    const f = new Float64Array(LIMBS);
    for (let k = 1; k < LIMBS; k++)
      f[k] = [0, 0xff_ffff, next() & 0xff_ffff, next() & 0xff_ffff][next() % 4]!;
    f[0] = next() % 2;
    if (f[0] === 0) f[1]! = f[1]! | 0x80_0000;
    return f;
  };
  const wellFormed = (f: Fix): boolean =>
    f.every((limb) => Number.isInteger(limb) && limb >= 0 && limb < 2 ** 24);

  it("adds, subtracts, divides by small numbers and shifts exactly, and multiplies and divides to a few units", () => {
    const out = new Float64Array(LIMBS);
    for (let i = 0; i < 2000; i++) {
      const [a, b] = [some(), some()];
      const [x, y] = [big(a), big(b)];
      add(out, a, b);
      expect(big(out)).toBe(x + y);
      if (x >= y) {
        sub(out, a, b);
        expect(big(out)).toBe(x - y);
      }
      const n = 1 + (next() % 2000);
      divSmall(out, a, n);
      expect(big(out)).toBe(x / BigInt(n));
      const shift = next() % 150;
      shiftRight(out, a, shift);
      expect(big(out)).toBe(x >> BigInt(shift));
      mul(out, a, b);
      expect(wellFormed(out)).toBe(true);
      let error = ((x * y) >> FRACTION) - big(out);
      expect(error >= 0n && error < 8n).toBe(true);
      div(out, a, b);
      expect(wellFormed(out)).toBe(true);
      error = (x << FRACTION) / y - big(out);
      expect(error > -64n && error < 64n, `${x} / ${y}: ${error}`).toBe(true);
    }
  });
});
