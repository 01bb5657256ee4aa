/**
 * Random x87 instructions for the host comparison, made from the rows of the table, with random states around them:
 * all classes of numbers, magnitudes that meet, significands on the rounding borders, all precisions and roundings,
 * exceptions masked and unmasked, empty registers.
 */
import { hasModRm } from "../../../core/x86/isa/operands.ts";
import type { Row } from "../../../core/x86/isa/row.ts";
import { VECTOR } from "../../../core/x86/isa/rows/vector.ts";
import { X87 } from "../../../core/x86/isa/rows/x87.ts";
import { BYTES, DATA, type FpuCase, IMAGE } from "./x87-host.ts";

/** Computed in arithmetic of our own, compared by ulps elsewhere. */
export const TRANSCENDENTAL = /^(f2xm1|fyl2x|fptan|fpatan|fyl2xp1|fsincos|fsin|fcos)$/;

/** SSE3's: this processor has none, the host has. */
const ABSENT = /^fisttp$/;

export const FPU_ROWS: readonly Row[] = [
  ...X87.filter((row) => !TRANSCENDENTAL.test(row.name) && !ABSENT.test(row.name)),
  ...VECTOR.filter((row) => /^fx(save|rstor)$/.test(row.name)),
];

export type Next = () => number;

/** A significand: anything, few bits, many bits, or on a border of 24, 53 or 64 bits. */
function significand(next: Next): [number, number] {
  const below = (n: number): number => next() % n;
  let hi = next() | 0;
  let lo = next() | 0;
  switch (below(8)) {
    case 0:
      lo = 0;
      break;
    case 1:
      hi = 0;
      lo = 0;
      for (let i = below(4); i >= 0; i--) {
        const bit = below(64);
        if (bit < 32) lo |= 1 << bit;
        else hi |= 1 << (bit - 32);
      }
      break;
    case 2:
      hi = -1;
      lo = -1 << below(32);
      break;
    case 3: {
      // Half of the last place in single or double precision, give or take one.
      const nudge = [0, 0, 1, -1][below(4)]!;
      if (below(2) === 0) {
        lo = ((lo & ~0x7ff) | 0x400) + nudge;
      } else {
        hi = (hi & ~0xff) | 0x80;
        lo = nudge;
        if (nudge < 0) hi--;
      }
      break;
    }
  }
  return [hi, lo];
}

/** An 80-bit encoding, ten bytes at `at`. */
export function putExtended(to: DataView, at: number, next: Next): void {
  const below = (n: number): number => next() % n;
  let [hi, lo] = significand(next);
  let exp: number;
  switch (below(12)) {
    case 0:
      exp = 0; // zero, denormal, pseudo-denormal
      if (below(3) === 0) hi = lo = 0;
      else if (below(2) === 0) hi &= 0x7fff_ffff;
      if (below(4) === 0) hi = below(2);
      break;
    case 1:
      exp = 0x7fff; // infinity, NaN, and the pseudo ones
      if (below(2) === 0) hi = lo = 0;
      if (below(5) !== 0) hi |= 0x8000_0000;
      if (below(4) === 0) hi &= 0x8000_00ff;
      break;
    case 2:
      exp = below(0x8000); // perhaps unnormal
      if (below(3) !== 0) hi |= 0x8000_0000;
      break;
    case 3:
      exp = 1 + below(70);
      hi |= 0x8000_0000;
      break;
    case 4:
      exp = 0x7ffe - below(70);
      hi |= 0x8000_0000;
      break;
    case 5:
      exp =
        [0x1fff, 0x5fff, 0x3fff - 127, 0x3fff + 127, 0x3fff - 1023, 0x3fff + 1023][below(6)]! +
        below(60) -
        30;
      hi |= 0x8000_0000;
      break;
    case 6: {
      // A whole number of up to 64 bits
      exp = 0x3fff + below(64);
      const keep = exp - 0x3fff;
      if (keep < 32) {
        hi &= -1 << (31 - keep);
        lo = 0;
      } else lo &= keep === 63 ? -1 : -1 << (63 - keep);
      hi |= 0x8000_0000;
      break;
    }
    default:
      exp = 0x3fff + below(140) - 70;
      hi |= 0x8000_0000;
  }
  to.setInt32(at, lo, true);
  to.setInt32(at + 4, hi, true);
  to.setUint16(at + 8, exp | (below(2) << 15), true);
}

/** A state for FRSTOR. `free`: ST(7) is likely to be empty. */
export function makeImage(next: Next, free: boolean): Uint8Array {
  const below = (n: number): number => next() % n;
  const image = new Uint8Array(IMAGE);
  const to = new DataView(image.buffer);
  const pc = [3, 3, 2, 0, 3, 2, 0, 1][below(8)]!;
  const masks = below(3) === 0 ? below(64) : 0x3f;
  to.setUint16(0, 0x40 | masks | (pc << 8) | (below(4) << 10), true);
  let sw = next() & 0x7f00;
  const top = (sw >>> 11) & 7;
  if (below(3) === 0) sw |= next() & 0x7f & (below(8) === 0 ? 0x7f : 0x40 | masks);
  to.setUint16(4, sw, true);
  let tags = below(4) === 0 ? next() & 0xffff : 0;
  if (free && below(8) !== 0) tags |= 3 << (2 * ((top + 7) & 7));
  to.setUint16(8, tags, true);
  for (let i = 0; i < 8; i++) putExtended(to, 28 + 10 * i, next);
  if (below(3) === 0) {
    // ST(1) near ST: what cancels, what ties
    image.copyWithin(38, 28, 38);
    if (below(2) === 0) to.setUint16(46, (to.getUint16(46, true) + below(5) - 2) & 0xffff, true);
    if (below(2) === 0) to.setInt32(38, to.getInt32(38, true) + below(5) - 2, true);
    if (below(2) === 0) to.setUint16(46, to.getUint16(46, true) ^ 0x8000, true);
  }
  return image;
}

/** Bytes for a memory operand of size b w d q t (the row's letter). */
function putOperand(data: Uint8Array, row: Row, next: Next): void {
  const below = (n: number): number => next() % n;
  const to = new DataView(data.buffer);
  const size = row.operands.slice(1);
  const integer = row.name.startsWith("fi");
  for (let i = 0; i < BYTES; i++) data[i] = next() & 0xff;
  if (size === "t" && row.name !== "fbld") putExtended(to, 0, next);
  if (row.name === "fbld") {
    // Digits above 9 are undefined (SDM vol. 2, FBLD).
    for (let i = 0; i < 9; i++) data[i] = below(10) | (below(10) << 4);
    if (below(4) === 0) data.fill(0, below(9), 9);
    data[9] = below(2) << 7;
  }
  if (integer && below(3) === 0) {
    const value = [0, 1, -1, 0x8000, -0x8000, 0x7fff, 100][below(7)]!;
    to.setInt32(0, value, true);
    to.setInt32(4, value >> 31, true);
  }
  if (!integer && size === "d") {
    const exp = [0, 0xff, 127, 126, 1, 254][below(8)] ?? below(256);
    to.setUint32(0, ((below(2) << 31) | (exp << 23) | (below(4) === 0 ? 0 : next() & 0x7f_ffff)) >>> 0, true);
  }
  if (!integer && size === "q") {
    const exp = [0, 0x7ff, 1023, 1022, 1, 2046][below(8)] ?? below(2048);
    to.setUint32(4, ((below(2) << 31) | (exp << 20) | (below(4) === 0 ? 0 : next() & 0xf_ffff)) >>> 0, true);
    if (below(4) === 0) to.setUint32(0, 0, true);
  }
  if (/^(fldenv|frstor)$/.test(row.name)) {
    data.set(makeImage(next, false));
    to.setUint32(12, next(), true);
    to.setUint32(16, next() & 0x7ff_0000, true);
    to.setUint32(20, next(), true);
  }
}

/** An image of FXRSTOR's around random registers; MXCSR, which the host has, as after a reset. */
function putFastImage(data: Uint8Array, next: Next): void {
  const to = new DataView(data.buffer);
  const image = makeImage(next, false);
  to.setUint16(0, new DataView(image.buffer).getUint16(0, true), true);
  to.setUint16(2, new DataView(image.buffer).getUint16(4, true), true);
  to.setUint16(6, 0, true);
  to.setUint32(24, 0x1f80, true);
  for (let i = 0; i < 8; i++) data.set(image.subarray(28 + 10 * i, 38 + 10 * i), 32 + 16 * i);
}

/** One case for a row. */
export function makeFpuCase(row: Row, next: Next): FpuCase {
  const below = (n: number): number => next() % n;
  const image = makeImage(next, /^(fi?ld|fbld|fxtract)/.test(row.name) || below(3) === 0);
  const data = new Uint8Array(BYTES);
  putOperand(data, row, next);
  if (row.name === "fxrstor") putFastImage(data, next);
  const code = row.opcode > 0xff ? [row.opcode >>> 8, row.opcode & 0xff] : [row.opcode];
  // The environment has a 16-bit form.
  if (/^(fnstenv|fnsave|fldenv|frstor)$/.test(row.name) && below(3) === 0) code.unshift(0x66);
  if (hasModRm(row)) {
    const reg = row.ext;
    if (row.form === "mem")
      code.push((reg << 3) | 5, DATA & 0xff, (DATA >>> 8) & 0xff, (DATA >>> 16) & 0xff, DATA >>> 24);
    else code.push(0xc0 | (reg << 3) | (row.rm >= 0 ? row.rm : below(8)));
  }
  return { code, eax: next() | 0, eflags: 0x202 | (next() & 0x8d5), image, data };
}
