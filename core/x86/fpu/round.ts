/**
 * Rounding: from an exact significand of 96 bits (the last one sticky) to a result of 24, 53 or 64 bits, with overflow
 * and underflow, masked and not (SDM vol. 1, 4.8.4, 4.9.1.4 to 4.9.1.6, 8.5.4 to 8.5.6).
 */
import { EXP_MAX, type Raw, TOP_BIT } from "./number.ts";
import { C1, OE, PE, RC_CHOP, RC_DOWN, RC_NEAREST, RC_UP, roundingOf, UE } from "./words.ts";

/** What is added to, or taken from, the exponent of a result that does not fit while that is not masked. */
const ADJUST = 0x6000;

/** A significand on its way; `hi.lo.ext` is 96 bits wide. */
export class Work {
  hi = 0;
  lo = 0;
  ext = 0;
  /** Rounding carried out of bit 63: the significand is 1.0 again and the exponent one more. */
  carry = 0;
}

/** Shifts right by `n` >= 0 bits; what falls out stays as the sticky last bit. */
export function shiftRightSticky(w: Work, n: number): void {
  let hi = w.hi;
  let lo = w.lo;
  let ext = w.ext;
  let left = n > 97 ? 97 : n;
  while (left >= 32) {
    ext = lo | (ext !== 0 ? 1 : 0);
    lo = hi;
    hi = 0;
    left -= 32;
  }
  if (left > 0) {
    const lost = ext << (32 - left);
    ext = (ext >>> left) | (lo << (32 - left)) | (lost !== 0 ? 1 : 0);
    lo = (lo >>> left) | (hi << (32 - left));
    hi >>>= left;
  }
  w.hi = hi;
  w.lo = lo;
  w.ext = ext;
}

/** Does a result with these leftovers go up in magnitude? `odd`: the last bit kept. */
export function goesUp(rc: number, sign: number, half: boolean, sticky: boolean, odd: boolean): boolean {
  if (rc === RC_NEAREST) return half && (sticky || odd);
  if (rc === RC_CHOP) return false;
  return (half || sticky) && (rc === RC_UP) === (sign === 0);
}

/** Rounds `w` to its upper `bits` (24, 53 or 64). Answers 0 when it was exact, else PE, with C1 when it went up. */
export function roundTo(w: Work, bits: number, sign: number, rc: number): number {
  let half: boolean;
  let sticky: boolean;
  let odd: boolean;
  w.carry = 0;
  if (bits === 64) {
    if (w.ext === 0) return 0;
    half = w.ext < 0;
    sticky = w.ext << 1 !== 0;
    odd = (w.lo & 1) !== 0;
  } else if (bits === 53) {
    const rest = w.lo & 0x7ff;
    if ((rest | w.ext) === 0) return 0;
    half = (rest & 0x400) !== 0;
    sticky = ((rest & 0x3ff) | w.ext) !== 0;
    odd = (w.lo & 0x800) !== 0;
    w.lo &= ~0x7ff;
  } else {
    const rest = w.hi & 0xff;
    if ((rest | w.lo | w.ext) === 0) return 0;
    half = (rest & 0x80) !== 0;
    sticky = ((rest & 0x7f) | w.lo | w.ext) !== 0;
    odd = (w.hi & 0x100) !== 0;
    w.hi &= ~0xff;
    w.lo = 0;
  }
  w.ext = 0;
  if (!goesUp(rc, sign, half, sticky, odd)) return PE;
  let hi = w.hi;
  if (bits === 24) {
    hi = (hi + 0x100) | 0;
    if (hi === 0) w.carry = 1;
  } else {
    w.lo = (w.lo + (bits === 53 ? 0x800 : 1)) | 0;
    if (w.lo === 0) {
      hi = (hi + 1) | 0;
      if (hi === 0) w.carry = 1;
    }
  }
  w.hi = w.carry === 1 ? TOP_BIT : hi;
  return PE | C1;
}

const work = new Work();

/** The largest finite number, or infinity: the masked answer to overflow (SDM vol. 1, table 4-10). True: infinity. */
export function overflowsToInfinity(rc: number, sign: number): boolean {
  return rc === RC_NEAREST || (rc === RC_UP && sign === 0) || (rc === RC_DOWN && sign === 1);
}

/**
 * Rounds a finite result to `bits` and packs it into `r`. The significand `hi.lo.ext` has its top bit set and is
 * 1.xxx * 2^(exp - BIAS). Answers the exceptions, with C1 where the result went up in magnitude.
 */
export function roundPack(
  cw: number,
  bits: number,
  sign: number,
  exp: number,
  hi: number,
  lo: number,
  ext: number,
  r: Raw,
): number {
  const rc = roundingOf(cw);
  const w = work;
  w.hi = hi;
  w.lo = lo;
  w.ext = ext;
  let flags = roundTo(w, bits, sign, rc);
  const rounded = exp + w.carry;
  if (rounded >= EXP_MAX) return overflow(cw, bits, sign, rounded, flags, r);
  if (exp > 0) {
    r.set((sign << 15) | rounded, w.hi, w.lo);
    return flags;
  }
  const tiny = rounded < 1;
  if (tiny && (cw & UE) === 0) {
    const adjusted = rounded + ADJUST;
    if (adjusted > 0) r.set((sign << 15) | adjusted, w.hi, w.lo);
    else {
      r.set(sign << 15, 0, 0); // FSCALE alone comes here
      return flags | UE | PE;
    }
    return flags | UE;
  }
  w.hi = hi;
  w.lo = lo;
  w.ext = ext;
  shiftRightSticky(w, 1 - exp);
  flags = roundTo(w, bits, sign, rc);
  if (tiny && (flags & PE) !== 0) flags |= UE;
  r.set((sign << 15) | (w.hi < 0 ? 1 : 0), w.hi, w.lo);
  return flags;
}

function overflow(cw: number, bits: number, sign: number, exp: number, flags: number, r: Raw): number {
  if ((cw & OE) === 0) {
    const adjusted = exp - ADJUST;
    if (adjusted < EXP_MAX) r.set((sign << 15) | adjusted, work.hi, work.lo);
    else {
      r.set((sign << 15) | EXP_MAX, TOP_BIT, 0); // FSCALE alone comes here
      return flags | OE | PE | C1;
    }
    return flags | OE;
  }
  if (overflowsToInfinity(roundingOf(cw), sign)) {
    r.set((sign << 15) | EXP_MAX, TOP_BIT, 0);
    return OE | PE | C1;
  }
  if (bits === 24) r.set((sign << 15) | (EXP_MAX - 1), 0xffff_ff00 | 0, 0);
  else r.set((sign << 15) | (EXP_MAX - 1), -1, bits === 53 ? 0xffff_f800 | 0 : -1);
  return OE | PE;
}
