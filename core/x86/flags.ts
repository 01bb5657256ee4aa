/**
 * EFLAGS, kept lazily: an arithmetic handler stores its result and its carries, and the six status flags are
 * derived from those two words when somebody asks. SDM vol. 1, 3.4.3 (EFLAGS), vol. 2, appendix B.1.4.7 (conditions).
 *
 * The words live behind the general registers in `cpu.regs` (an Int32Array of REGS_LENGTH), so that a handler
 * that has the register file at hand has the flags too, and a snapshot of `regs` holds them:
 * - `regs[RESULT]`: the last result, sign-extended to 32 bits. ZF = it is zero, SF = its sign, PF = parity of its low byte.
 * - `regs[CARRIES]`: bit 31 = carry (borrow) out of the top bit = CF; bit 30 = carry into the top bit, so that
 *   OF = bit 31 ^ bit 30; bit 3 = carry out of bit 3 = AF. Bit 0 inverts SF and bits 8-15 are XORed into the parity
 *   byte: combinations that no result has (POPF, SAHF) need them, arithmetic leaves them 0.
 * - `regs[REST]`: every other flag at its EFLAGS position (TF IF DF IOPL NT RF VM AC VIF VIP ID), and bit 1, always 1.
 */

/** Length of `cpu.regs`: eight registers, the zero register, the three flag words. */
export const REGS_LENGTH = 12;
export const RESULT = 9;
export const CARRIES = 10;
export const REST = 11;

export const FLAG_CF = 0x1;
export const FLAG_FIXED = 0x2;
export const FLAG_PF = 0x4;
export const FLAG_AF = 0x10;
export const FLAG_ZF = 0x40;
export const FLAG_SF = 0x80;
export const FLAG_TF = 0x100;
export const FLAG_IF = 0x200;
export const FLAG_DF = 0x400;
export const FLAG_OF = 0x800;
export const FLAG_IOPL = 0x3000;
export const FLAG_NT = 0x4000;
export const FLAG_RF = 0x1_0000;
export const FLAG_VM = 0x2_0000;
export const FLAG_AC = 0x4_0000;
export const FLAG_VIF = 0x8_0000;
export const FLAG_VIP = 0x10_0000;
export const FLAG_ID = 0x20_0000;
export const FLAGS_STATUS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;
/** What `regs[REST]` may hold. */
export const FLAGS_REST = 0x3f_7700 | FLAG_FIXED;

/** The bits of a carry vector that are flags. */
export const CARRY_BITS = 0xc000_0008 | 0;
/** Toggling both keeps OF and inverts CF. */
const CF_KEEPING_OF = 0xc000_0000 | 0;

/** Whatever has a register file: the processor, and test doubles. */
export interface FlagFile {
  readonly regs: Int32Array;
}

/** CF as 0 or 1. */
export function getCf(regs: Int32Array): number {
  return regs[CARRIES] >>> 31;
}

/** OF as 0 or 1. */
export function getOf(regs: Int32Array): number {
  return (regs[CARRIES] ^ (regs[CARRIES] << 1)) >>> 31;
}

/** AF as 0 or 1. */
export function getAf(regs: Int32Array): number {
  return (regs[CARRIES] >>> 3) & 1;
}

/** ZF as 0 or 1. */
export function getZf(regs: Int32Array): number {
  return regs[RESULT] === 0 ? 1 : 0;
}

/** SF as 0 or 1. */
export function getSf(regs: Int32Array): number {
  return (regs[RESULT] ^ (regs[CARRIES] << 31)) >>> 31;
}

/** PF as 0 or 1: set when the low byte of the result has an even number of ones. */
export function getPf(regs: Int32Array): number {
  const folded = regs[RESULT] ^ (regs[CARRIES] >>> 8);
  return (0x9669 >>> ((folded ^ (folded >>> 4)) & 15)) & 1;
}

/** Sets CF alone (0 or 1). */
export function setCf(regs: Int32Array, cf: number): void {
  if (regs[CARRIES] >>> 31 !== cf) regs[CARRIES] ^= CF_KEEPING_OF;
}

/** Sets CF and OF (0 or 1 each), and no other flag: rotates. */
export function setCfOf(regs: Int32Array, cf: number, of: number): void {
  regs[CARRIES] = (regs[CARRIES] & 0x3fff_ffff) | (cf << 31) | ((cf ^ of) << 30);
}

/** All of EFLAGS. */
export function getEflags(cpu: FlagFile): number {
  const regs = cpu.regs;
  const carries = regs[CARRIES];
  return (
    regs[REST] |
    (carries >>> 31) |
    (getPf(regs) << 2) |
    ((carries & 8) << 1) |
    (getZf(regs) << 6) |
    (getSf(regs) << 7) |
    (getOf(regs) << 11)
  );
}

/** Sets the six status flags from their EFLAGS positions and leaves the rest. */
export function setStatusFlags(regs: Int32Array, value: number): void {
  const cf = value & 1;
  const of = (value >>> 11) & 1;
  regs[RESULT] = value & FLAG_ZF ? 0 : 0x100;
  regs[CARRIES] =
    (cf << 31) |
    ((cf ^ of) << 30) |
    ((value & FLAG_AF) >>> 1) |
    ((value >>> 7) & 1) | // SF: the result's sign is 0
    (value & FLAG_PF ? 0 : 0x100); // PF: the result's low byte is 0, of even parity
}

/** Sets all of EFLAGS as given; undefined bits become what they always are. Privilege rules are the caller's. */
export function setEflags(cpu: FlagFile, value: number): void {
  setStatusFlags(cpu.regs, value);
  cpu.regs[REST] = (value & FLAGS_REST) | FLAG_FIXED;
}

/** Condition `n` of Jcc, SETcc and CMOVcc (low four opcode bits: O NO B NB Z NZ BE NBE S NS P NP L NL LE NLE). */
export function cc(cpu: FlagFile, n: number): boolean {
  const regs = cpu.regs;
  const result = regs[RESULT];
  const carries = regs[CARRIES];
  let yes: boolean;
  switch (n >>> 1) {
    case 0:
      yes = (carries ^ (carries << 1)) < 0;
      break;
    case 1:
      yes = carries < 0;
      break;
    case 2:
      yes = result === 0;
      break;
    case 3:
      yes = carries < 0 || result === 0;
      break;
    case 4:
      yes = (result ^ (carries << 31)) < 0;
      break;
    case 5:
      yes = getPf(regs) === 1;
      break;
    case 6:
      yes = (result ^ (carries << 31) ^ carries ^ (carries << 1)) < 0;
      break;
    default:
      yes = result === 0 || (result ^ (carries << 31) ^ carries ^ (carries << 1)) < 0;
      break;
  }
  return yes !== ((n & 1) === 1);
}
