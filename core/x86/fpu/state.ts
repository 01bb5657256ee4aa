/**
 * The x87 register file: eight 80-bit registers, control, status and tag words, and the pointers to the last
 * instruction (SDM vol. 1, 8.1). Part of the processor's state and of its snapshot.
 */
import { Num, Raw, unpack } from "./number.ts";
import {
  BEFORE,
  BUSY,
  C1,
  CONDITIONS,
  CW_INIT,
  CW_KNOWN,
  CW_ONES,
  CW_RESET,
  ES,
  EXCEPTIONS,
  IE,
  OE,
  PE,
  SF,
  TOP_SHIFT,
  UE,
} from "./words.ts";

/** Indices of `last`: where the last instruction that is not a control instruction stood, and its operand. */
export const FIP = 0;
export const FCS = 1;
export const FOP = 2;
export const FDP = 3;
export const FDS = 4;
const LAST_WORDS = 5;

/** Indices of a saved `words`. */
const SAVED = { cw: 0, sw: 1, top: 2, full: 3, ignne: 4, ferr: 5 } as const;

export interface FpuState {
  se: Int32Array;
  hi: Int32Array;
  lo: Int32Array;
  last: Int32Array;
  words: Int32Array;
}

export class Fpu {
  // By physical register, R0 to R7: sign and exponent, the significand's halves.
  readonly se = new Int32Array(8);
  readonly hi = new Int32Array(8);
  readonly lo = new Int32Array(8);
  readonly last = new Int32Array(LAST_WORDS);
  cw = CW_RESET;
  /** The status word without TOP; ES and B follow the exceptions. */
  sw = 0;
  top = 0;
  /** Bit n: R(n) is not empty. The tag word's finer classes are computed when it is stored. */
  full = 0xff;
  /** IGNNE#: while set, an unmasked exception does not stop the next instruction under CR0.NE = 0. Set by the PC. */
  ignne = false;
  /** FERR#: the level driven last. */
  ferr = false;

  // Operands and results on their way; no state.
  readonly a = new Num();
  readonly b = new Num();
  readonly r = new Raw();
  readonly r2 = new Raw();

  /** After power-up: FNINIT's state it is not (SDM vol. 3, table 9-1). */
  reset(): void {
    this.se.fill(0);
    this.hi.fill(0);
    this.lo.fill(0);
    this.last.fill(0);
    this.cw = CW_RESET;
    this.sw = 0;
    this.top = 0;
    this.full = 0xff;
    this.ignne = false;
    this.ferr = false;
  }

  /** FNINIT: the registers keep their contents and become empty. */
  init(): void {
    this.last.fill(0);
    this.cw = CW_INIT;
    this.sw = 0;
    this.top = 0;
    this.full = 0;
  }

  /** The status word as it is stored. */
  get status(): number {
    return this.sw | (this.top << TOP_SHIFT);
  }

  /** Loads the status word; ES and B follow the exceptions and their masks. */
  set status(value: number) {
    this.top = (value >>> TOP_SHIFT) & 7;
    this.sw = value & (CONDITIONS | SF | EXCEPTIONS);
    this.summarise();
  }

  setControl(value: number): void {
    this.cw = (value & CW_KNOWN) | CW_ONES;
    this.summarise();
  }

  /** ES and B: an exception is flagged that the control word does not mask. */
  summarise(): void {
    if ((this.sw & ~this.cw & EXCEPTIONS) !== 0) this.sw |= ES | BUSY;
    else this.sw &= ~(ES | BUSY);
  }

  /** Physical number of ST(i). */
  physical(i: number): number {
    return (this.top + i) & 7;
  }

  isEmpty(i: number): boolean {
    return ((this.full >>> ((this.top + i) & 7)) & 1) === 0;
  }

  /** Takes ST(i) apart. */
  get(n: Num, i: number): void {
    const p = (this.top + i) & 7;
    unpack(n, this.se[p]!, this.hi[p]!, this.lo[p]!);
  }

  /** ST(i) becomes `r`, and is not empty any more. */
  put(i: number, r: Raw): void {
    const p = (this.top + i) & 7;
    this.se[p] = r.se;
    this.hi[p] = r.hi;
    this.lo[p] = r.lo;
    this.full |= 1 << p;
  }

  push(r: Raw): void {
    this.top = (this.top - 1) & 7;
    this.put(0, r);
  }

  pop(): void {
    this.full &= ~(1 << this.top);
    this.top = (this.top + 1) & 7;
  }

  /**
   * Flags what an instruction met: exceptions, and C1 as given. True: its result is to be delivered (what is not masked
   * and came before the operation leaves everything as it was).
   */
  flag(flags: number): boolean {
    const waits = flags & ~this.cw;
    if ((waits & BEFORE) !== 0) {
      this.sw = (this.sw & ~C1) | (flags & (BEFORE | SF)) | ((flags & SF) !== 0 ? flags & C1 : 0) | ES | BUSY;
      return false;
    }
    this.sw = (this.sw & ~C1) | (flags & (EXCEPTIONS | SF | C1));
    if ((waits & EXCEPTIONS) !== 0) this.sw |= ES | BUSY;
    return true;
  }

  /** As `flag`, for a store to memory: what overflows or underflows unmasked is not stored either. */
  flagStore(flags: number): boolean {
    const waits = flags & ~this.cw & (OE | UE);
    return this.flag(waits !== 0 ? flags & ~(C1 | PE) : flags) && waits === 0;
  }

  /** An empty register was read. */
  underflow(): boolean {
    return this.flag(IE | SF);
  }

  /** A register that is not empty would be pushed over. */
  overflow(): boolean {
    return this.flag(IE | SF | C1);
  }

  /** Two bits for each register: 0 valid, 1 zero, 2 special, 3 empty (SDM vol. 1, 8.1.7). */
  get tagWord(): number {
    let word = 0;
    for (let p = 0; p < 8; p++) {
      let tag = 3;
      if (((this.full >>> p) & 1) === 1) {
        const exp = this.se[p]! & 0x7fff;
        if (exp === 0) tag = (this.hi[p]! | this.lo[p]!) === 0 ? 1 : 2;
        else tag = exp === 0x7fff || this.hi[p]! >= 0 ? 2 : 0;
      }
      word |= tag << (2 * p);
    }
    return word;
  }

  /** Only "empty" is taken from a tag word; the rest is found in the registers. */
  set tagWord(word: number) {
    let full = 0;
    for (let p = 0; p < 8; p++) if (((word >>> (2 * p)) & 3) !== 3) full |= 1 << p;
    this.full = full;
  }

  save(): FpuState {
    return {
      se: this.se.slice(),
      hi: this.hi.slice(),
      lo: this.lo.slice(),
      last: this.last.slice(),
      words: Int32Array.of(this.cw, this.sw, this.top, this.full, this.ignne ? 1 : 0, this.ferr ? 1 : 0),
    };
  }

  load(state: FpuState): void {
    this.se.set(state.se);
    this.hi.set(state.hi);
    this.lo.set(state.lo);
    this.last.set(state.last);
    this.cw = state.words[SAVED.cw]!;
    this.sw = state.words[SAVED.sw]!;
    this.top = state.words[SAVED.top]! & 7;
    this.full = state.words[SAVED.full]! & 0xff;
    this.ignne = state.words[SAVED.ignne] === 1;
    this.ferr = state.words[SAVED.ferr] === 1;
  }
}
