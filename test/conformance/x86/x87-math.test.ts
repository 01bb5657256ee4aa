/**
 * The transcendental instructions: within 1 ulp of an arbitrary-precision reference (x87-reference.ts), within 2 of the
 * host's x87, with the host's exceptions, tags and special answers. QUADRANT_X87_CASES asks for more cases.
 * The comparison with the host is skipped where gcc -m32 does not work.
 */
import { describe, expect, it } from "vitest";
import { decode } from "../../../core/x86/isa/decode.ts";
import type { Insn } from "../../../core/x86/isa/insn.ts";
import { random } from "../../random.ts";
import { makeImage, type Next, putExtended } from "./x87-cases.ts";
import { type FpuCase, type FpuOutcome, OurFpu, openFpuHost } from "./x87-host.ts";
import * as R from "./x87-reference.ts";

const CASES = Number(process.env.QUADRANT_X87_CASES ?? 10_000);
const SEED = Number(process.env.QUADRANT_SEED ?? 0x8087);

interface Entry {
  readonly name: string;
  readonly code: readonly number[];
  /** Registers that are answers afterwards, with the function of ST and ST(1) before. */
  readonly answers: readonly ((x: R.Real, y: R.Real) => R.Real)[];
  /** Does the manual define it for this finite ST? */
  readonly defined: (x: R.Real) => boolean;
  /** Does it for an infinite one? */
  readonly infinite: boolean;
  /** Puts a likely argument into ST (at byte 28) and ST(1) (at 38). */
  readonly argument: (to: DataView, next: Next) => void;
}

function putNumber(to: DataView, at: number, sign: number, exp: number, hi: number, lo: number): void {
  to.setInt32(at, lo, true);
  to.setInt32(at + 4, hi | 0x8000_0000, true);
  to.setUint16(at + 8, (sign << 15) | exp, true);
}

/** A significand with one of the borders near. */
function putRandom(to: DataView, at: number, next: Next, from: number, exponents: number): void {
  const plain = next() % 4 !== 0;
  putNumber(
    to,
    at,
    next() & 1,
    from + (next() % exponents),
    plain ? next() : [0, -1, next()][next() % 3]!,
    plain ? next() : [0, -1, 1][next() % 3]!,
  );
}

/** A number next to a multiple of pi/2, of pi/4, or anything below 2^63. */
function angle(to: DataView, next: Next): void {
  const kind = next() % 4;
  if (kind === 0) putRandom(to, 28, next, 0x3fff - 70, 70);
  else if (kind === 1) putRandom(to, 28, next, 0x3fff, 63);
  else if (kind === 2) putRandom(to, 28, next, 0x3ffc, 6);
  else {
    const k = BigInt(1 + (next() % 0x10000));
    const n = (0xc90fdaa22168c234cn * k) << 60n; // pi/4 = 2^-128 of it
    const length = n.toString(2).length;
    const m = (n >> BigInt(length - 64)) + BigInt((next() % 5) - 2);
    putNumber(
      to,
      28,
      next() & 1,
      0x3fff + length - 1 - 128,
      Number((m >> 32n) & 0xffffffffn),
      Number(m & 0xffffffffn),
    );
  }
}

function ratio(to: DataView, next: Next): void {
  putRandom(to, 28, next, 0x3fff - 40, 80);
  const exp =
    (to.getUint16(36, true) & 0x7fff) + (next() % 3 === 0 ? (next() % 160) - 80 : (next() % 12) - 6);
  putRandom(to, 38, next, exp, 1);
}

function nearOne(to: DataView, next: Next): void {
  putRandom(to, 28, next, 1, 0x7ffe);
  const kind = next() % 4;
  if (kind < 2) putRandom(to, 28, next, 0x3ffe, 2);
  if (kind === 2) putNumber(to, 28, 0, 0x3fff, 0, next() >>> (next() % 32));
  if (next() % 8 !== 0) to.setUint16(36, to.getUint16(36, true) & 0x7fff, true);
  putRandom(to, 38, next, 0x3fff - 40, 80);
}

const below = (x: R.Real, e: number): boolean => R.magnitude(x) < e;

const FUNCTIONS: readonly Entry[] = [
  {
    name: "fsin",
    infinite: true,
    code: [0xd9, 0xfe],
    answers: [R.sin],
    defined: (x) => below(x, 63),
    argument: angle,
  },
  {
    name: "fcos",
    infinite: true,
    code: [0xd9, 0xff],
    answers: [R.cos],
    defined: (x) => below(x, 63),
    argument: angle,
  },
  {
    name: "fsincos",
    infinite: true,
    code: [0xd9, 0xfb],
    answers: [R.cos, R.sin],
    defined: (x) => below(x, 63),
    argument: angle,
  },
  {
    name: "fptan",
    infinite: true,
    code: [0xd9, 0xf2],
    answers: [() => R.whole(1), R.tan],
    defined: (x) => below(x, 63),
    argument: angle,
  },
  {
    name: "fpatan",
    infinite: true,
    code: [0xd9, 0xf3],
    answers: [(x, y) => R.atan2(y, x)],
    defined: () => true,
    argument: ratio,
  },
  {
    name: "f2xm1",
    infinite: false,
    code: [0xd9, 0xf0],
    answers: [R.exp2m1],
    defined: (x) => below(x, 0),
    argument: (to, next) => putRandom(to, 28, next, next() % 2 === 0 ? 0x3fff - 8 : 0x3fff - 80, 8),
  },
  {
    name: "fyl2x",
    infinite: true,
    code: [0xd9, 0xf1],
    answers: [(x, y) => R.times(y, R.log2(x))],
    defined: () => true,
    argument: nearOne,
  },
  {
    name: "fyl2xp1",
    infinite: false,
    code: [0xd9, 0xf9],
    answers: [(x, y) => R.times(y, R.log2Plus1(x))],
    // |x| < 1 - 1/sqrt 2 = 0.29289
    defined: (x) => R.minus({ ...x, s: 1 }, { s: 1, m: 0x4afb0ccc06219b7bn, e: -64 }).s === -1,
    argument: (to, next) => {
      putRandom(to, 28, next, next() % 2 === 0 ? 0x3fff - 70 : 0x3fff - 5, next() % 2 === 0 ? 68 : 4);
      putRandom(to, 38, next, 0x3fff - 40, 80);
    },
  },
];

interface Register {
  readonly se: number;
  readonly hi: number;
  readonly lo: number;
}
function register(image: Uint8Array, i: number): Register {
  const view = new DataView(image.buffer, image.byteOffset);
  const at = 28 + 10 * i;
  return { se: view.getUint16(at + 8, true), hi: view.getUint32(at + 4, true), lo: view.getUint32(at, true) };
}
const word = (image: Uint8Array, at: number): number =>
  new DataView(image.buffer, image.byteOffset).getUint16(at, true);
const finite = (r: Register): boolean => {
  const exp = r.se & 0x7fff;
  return exp !== 0x7fff && (exp === 0 || r.hi >= 0x8000_0000);
};
const isInfinite = (r: Register): boolean => (r.se & 0x7fff) === 0x7fff && r.hi === 0x8000_0000 && r.lo === 0;
const real = (r: Register): R.Real => R.fromRegister(r.se, r.hi, r.lo);
const isZero = (r: Register): boolean => (r.hi | r.lo) === 0;
const text = (r: Register): string =>
  `${r.se.toString(16)}:${r.hi.toString(16).padStart(8, "0")}${r.lo.toString(16).padStart(8, "0")}`;

function makeCase(f: Entry, next: Next, special: boolean): FpuCase {
  const image = makeImage(next, next() % 16 !== 0);
  const to = new DataView(image.buffer);
  if (special) {
    putExtended(to, 28, next);
    putExtended(to, 38, next);
    if (next() % 8 === 0) putNumber(to, 28, next() & 1, 0x3fff, 0, 0);
  } else f.argument(to, next);
  return { code: f.code, eax: 0, eflags: 0x202, image, data: new Uint8Array(128) };
}

function decodeOf(f: Entry): Insn {
  const insn = decode(Uint8Array.from([...f.code, ...new Array(16).fill(0)]), 0, 16, true);
  if (insn === null || insn.row.name !== f.name) throw new Error(`${f.name} decodes as ${insn?.row.name}`);
  return insn;
}

/** The finite operands before, or null. */
function operands(c: FpuCase): [R.Real, R.Real] | null {
  const x = register(c.image, 0);
  const y = register(c.image, 1);
  return finite(x) && finite(y) ? [real(x), real(y)] : null;
}

describe("the transcendental instructions against arbitrary precision", () => {
  const each = Math.ceil(CASES / 10 / FUNCTIONS.length);
  it.each(FUNCTIONS)(`$name is within 1 ulp, ${each} times`, (f) => {
    const next = random(SEED + 1);
    const ours = new OurFpu();
    const insn = decodeOf(f);
    let most = 0;
    let worst = "";
    for (let i = 0; i < each; i++) {
      const c = makeCase(f, next, false);
      const to = new DataView(c.image.buffer);
      to.setUint16(0, to.getUint16(0, true) | 0x3f, true); // all masked
      to.setUint16(4, to.getUint16(4, true) & 0x3800, true);
      const top = to.getUint16(4, true) >>> 11;
      to.setUint16(8, 3 << (2 * ((top + 7) & 7)), true);
      const before = operands(c);
      if (before === null || !f.defined(before[0]) || (f.name === "fyl2x" && before[0].s === -1)) continue;
      const after = ours.run(c, insn);
      f.answers.forEach((answer, at) => {
        const got = register(after.image, at);
        if (!finite(got)) return;
        const error = R.ulps(real(got), answer(...before));
        // Rounded once: half an ulp to nearest, below 1 in the other directions.
        if ((word(c.image, 0) & 0xc00) === 0)
          expect(error, text(register(c.image, 0))).toBeLessThan(0.500_001);
        if (error <= most) return;
        most = error;
        worst = `${text(register(c.image, 0))} ${text(register(c.image, 1))} gives ${text(got)}: ${error} ulp`;
      });
    }
    expect(most, worst).toBeGreaterThan(0.4);
    expect(most, worst).toBeLessThan(1);
  });
});

const host = openFpuHost();

/** Ours against theirs: "" when they agree, with the distance of finite answers in `distance`. */
function differs(f: Entry, ours: FpuOutcome, theirs: FpuOutcome, distance: number[]): string {
  if (ours.signal !== theirs.signal) return `signal ${ours.signal} and ${theirs.signal}`;
  // C1 tells the direction of a rounding, which is each implementation's own.
  const mine = word(ours.image, 4);
  const other = word(theirs.image, 4);
  if (((mine ^ other) & ~0x200) !== 0) return `status ${mine.toString(16)} and ${other.toString(16)}`;
  if (word(ours.image, 8) !== word(theirs.image, 8)) return "tags";
  for (let i = 0; i < 8; i++) {
    const a = register(ours.image, i);
    const b = register(theirs.image, i);
    if (text(a) === text(b)) continue;
    if (i < f.answers.length && finite(a) && finite(b) && !isZero(a) && !isZero(b)) {
      const error = R.ulps(real(a), real(b));
      distance.push(error);
      if (error <= 2) continue;
    }
    return `st${i} ${text(a)} and ${text(b)}`;
  }
  return "";
}

describe.skipIf(host === null)("the transcendental instructions against the host processor", () => {
  it.each(FUNCTIONS)("$name is within 2 ulp, with the same exceptions and special answers", (f) => {
    if (host === null) return;
    const each = Math.ceil(CASES / FUNCTIONS.length);
    const next = random(SEED + 2);
    const ours = new OurFpu();
    const insn = decodeOf(f);
    const failures = new Map<string, string>();
    const counts = new Map<string, number>();
    let most = 0;
    for (let done = 0; done < each; done += 20_000) {
      const cases = Array.from({ length: Math.min(20_000, each - done) }, () =>
        makeCase(f, next, next() % 4 === 0),
      );
      const theirs = host.run(cases);
      cases.forEach((c, i) => {
        const x = register(c.image, 0);
        if (finite(x) && !f.defined(real(x))) return;
        if (isInfinite(x) && !f.infinite) return;
        const distance: number[] = [];
        const difference = differs(f, ours.run(c, insn), theirs[i]!, distance);
        if (difference === "") {
          most = Math.max(most, ...distance);
          return;
        }
        const key = difference.replace(/[0-9a-f]{4}:[0-9a-f]{16}/g, "x");
        counts.set(key, (counts.get(key) ?? 0) + 1);
        if (failures.has(key)) return;
        const state = `cw ${word(c.image, 0).toString(16)} sw ${word(c.image, 4).toString(16)} tags ${word(c.image, 8).toString(16)}`;
        failures.set(
          key,
          `${f.name}: ${state} st0 ${text(register(c.image, 0))} st1 ${text(register(c.image, 1))}: ${difference}`,
        );
      });
    }
    expect([...failures].map(([key, line]) => `${counts.get(key)} times ${line}`)).toEqual([]);
    expect(most).toBeLessThanOrEqual(2);
  });
});
