/**
 * The rows of the access matrix by number: every combination of the bits of a directory entry and a page-table entry,
 * of the control bits, and of the kinds of access. A row is a situation for the oracle, the entries as the guest has
 * them in memory, and the guest frame that the access must reach.
 */
import type { Flags, Situation } from "./oracle.ts";

/** Guest frames of the tables; the address used is page 6 of the region of entry 3 (2-level) or 5 (PAE). */
export const DIRECTORY = 1;
export const TABLE = 2;
export const PDPT = 3;
export const PAGE = 6;
/** What a PTE names. */
export const FRAME = 16;
/** First guest frame of the memory above 4 GiB. */
export const HIGH = 0x10_0000;

export interface Registers {
  readonly pae: boolean;
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pse: boolean;
  readonly pge: boolean;
}

export interface Row {
  readonly situation: Situation;
  /** Words of the directory entry and of the table's entry; the upper ones are 0 without PAE. */
  readonly pde: readonly [low: number, high: number];
  readonly pte: readonly [low: number, high: number];
  /** Guest frame of the byte. */
  readonly gfn: number;
}

/** A kind of rows: its digits from the fastest on, how many values each has. */
export interface Family {
  readonly name: string;
  readonly pae: boolean;
  readonly digits: readonly number[];
  readonly count: number;
  row(digits: Int32Array, registers: Registers): Row;
  /** Does this family exist under these control bits? */
  fits(registers: Registers): boolean;
}

const ACCESSES = ["read", "write", "fetch"] as const;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const BIT7 = 0x80; // PS of a directory entry, PAT of a page-table entry
const G = 0x100;
const NX = 0x8000_0000 | 0;
const RESERVED_36 = [0x10, 0x4000_0000] as const; // bits 36 and 62, in the high word

/** P, W, U, A, D, G: digits 0 to 63. */
function sixBits(n: number): number {
  return (n & 1) | ((n & 2) === 0 ? 0 : W) | ((n & 4) === 0 ? 0 : U) | ((n & 8) === 0 ? 0 : A) | more(n);
}
const more = (n: number): number => ((n & 16) === 0 ? 0 : D) | ((n & 32) === 0 ? 0 : G);

/** Every set of flags once: there are millions of rows. */
const ALL_FLAGS: readonly Flags[] = Array.from({ length: 512 }, (_, n) => ({
  present: (n & 1) !== 0,
  write: (n & W) !== 0,
  user: (n & U) !== 0,
  accessed: (n & A) !== 0,
  dirty: (n & D) !== 0,
  executeDisable: (n & 128) !== 0,
  reserved: (n & 256) !== 0,
}));

function flags(low: number, nx: boolean, reserved: boolean): Flags {
  return ALL_FLAGS[(low & 127) | (nx ? 128 : 0) | (reserved ? 256 : 0)]!;
}

const product = (digits: readonly number[]): number => digits.reduce((a, b) => a * b, 1);

function situation(
  registers: Registers,
  large: boolean,
  directory: Flags,
  table: Flags,
  kind: number,
): Situation {
  return {
    pae: registers.pae,
    writeProtect: registers.wp,
    executeDisableEnable: registers.nxe,
    large,
    directory,
    table,
    access: ACCESSES[kind % 3]!,
    userMode: kind >= 3,
  };
}

const family = (
  name: string,
  pae: boolean,
  digits: readonly number[],
  fits: Family["fits"],
  row: Family["row"],
): Family => ({ name, pae, digits, count: product(digits), fits, row });

/** Digits: access; PTE: six bits, PAT; PDE: six bits, PS (only where CR4.PSE = 0 makes it no page). */
const small32 = (ps: boolean): Family =>
  family(
    ps ? "2-level, PS without CR4.PSE" : "2-level, 4 KiB",
    false,
    [6, 64, 2, 64],
    (r) => !(ps && r.pse),
    (d, r) => {
      const pte = sixBits(d[1]!) | (d[2] === 0 ? 0 : BIT7);
      const pde = sixBits(d[3]!) | (ps ? BIT7 : 0);
      return {
        situation: situation(r, false, flags(pde, false, false), flags(pte, false, false), d[0]!),
        pde: [(TABLE << 12) | pde, 0],
        pte: [(FRAME << 12) | pte, 0],
        gfn: FRAME,
      };
    },
  );

/** Digits: access; six bits; PAT (bit 12); reserved: none, bits 17 to 21; PSE-36: bit 13 is address bit 32. */
const large32 = family(
  "2-level, 4 MiB and PSE-36",
  false,
  [6, 64, 2, 6, 2],
  (r) => r.pse,
  (d, r) => {
    const pde = sixBits(d[1]!) | BIT7 | (d[2] === 0 ? 0 : 0x1000);
    const reserved = d[3] === 0 ? 0 : 0x1_0000 << d[3]!;
    const high = d[4] !== 0;
    return {
      situation: situation(r, true, flags(pde, false, reserved !== 0), NOTHING, d[0]!),
      pde: [pde | reserved | (high ? 0x2000 : 0), 0],
      pte: [0, 0],
      gfn: high ? HIGH + PAGE : PAGE,
    };
  },
);

const NOTHING = flags(0, false, false);

/** Digits: access; PTE: six bits, PAT, NX, reserved; PDE: six bits, NX, reserved. */
const smallPae = family(
  "PAE, 4 KiB",
  true,
  [6, 64, 2, 2, 2, 64, 2, 2],
  () => true,
  (d, r) => {
    const pte = sixBits(d[1]!) | (d[2] === 0 ? 0 : BIT7);
    const pde = sixBits(d[5]!);
    const pteReserved = d[4] === 0 ? 0 : RESERVED_36[d[1]! & 1]!;
    const pdeReserved = d[7] === 0 ? 0 : RESERVED_36[d[0]! & 1]!;
    return {
      situation: situation(
        r,
        false,
        flags(pde, d[6] !== 0, d[7] !== 0),
        flags(pte, d[3] !== 0, d[4] !== 0),
        d[0]!,
      ),
      pde: [(TABLE << 12) | pde, pdeReserved | (d[6] === 0 ? 0 : NX)],
      pte: [(FRAME << 12) | pte, pteReserved | (d[3] === 0 ? 0 : NX)],
      gfn: FRAME,
    };
  },
);

/** Digits: access; six bits; PAT (bit 12); NX; reserved: none, bits 13 to 20, 36, 62; above 4 GiB. */
const largePae = family(
  "PAE, 2 MiB",
  true,
  [6, 64, 2, 2, 11, 2],
  () => true,
  (d, r) => {
    const reserved = d[4]!;
    const low = reserved >= 1 && reserved <= 8 ? 0x1000 << reserved : 0;
    const high = reserved > 8 ? RESERVED_36[reserved - 9]! : 0;
    const above = d[5] !== 0;
    const pde = sixBits(d[1]!) | BIT7 | (d[2] === 0 ? 0 : 0x1000);
    return {
      situation: situation(r, true, flags(pde, d[3] !== 0, reserved !== 0), NOTHING, d[0]!),
      pde: [pde | low, high | (above ? 1 : 0) | (d[3] === 0 ? 0 : NX)],
      pte: [0, 0],
      gfn: above ? HIGH + PAGE : PAGE,
    };
  },
);

export const FAMILIES: readonly Family[] = [small32(false), small32(true), large32, smallPae, largePae];

/** All values of the control bits: EFER.NXE does nothing with 32-bit paging, nor CR4.PSE with PAE, and so it must be. */
export const REGISTERS: readonly Registers[] = Array.from({ length: 32 }, (_, n) => ({
  pae: (n & 16) !== 0,
  wp: (n & 1) !== 0,
  nxe: (n & 2) !== 0,
  pse: (n & 4) !== 0,
  pge: (n & 8) !== 0,
}));

/** The digits of a row's number, into `into`. */
export function digitsOf(f: Family, number: number, into: Int32Array): void {
  let rest = number;
  for (let i = 0; i < f.digits.length; i++) {
    const base = f.digits[i]!;
    into[i] = rest % base;
    rest = (rest - into[i]!) / base;
  }
}
