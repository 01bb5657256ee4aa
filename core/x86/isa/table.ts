/**
 * The ONE instruction table: every row of 32-bit protected mode, and the opcode map that the decoder reads,
 * built from the rows at load.
 */
import { invalid, tooLong } from "./exec/system.ts";
import { hasModRm, IMM_MOFFS, immediateOf, operandCodes } from "./operands.ts";
import { always, type Row, row } from "./row.ts";
import { ONE_BYTE } from "./rows/one-byte.ts";
import { TWO_BYTE } from "./rows/two-byte.ts";
import { VECTOR } from "./rows/vector.ts";
import { X87 } from "./rows/x87.ts";

export const TABLE: readonly Row[] = [...ONE_BYTE, ...TWO_BYTE, ...X87, ...VECTOR];

/** Stand-ins of the decoder: an encoding that the manual calls invalid (#UD), and more than 15 bytes (#GP). */
export const INVALID: Row = row(-1, "(bad)", "", always(invalid), { ends: true });
export const TOO_LONG: Row = row(-1, "(too long)", "", always(tooLong), { ends: true });

/** What the decoder needs of a row, computed once. */
export class Form {
  readonly row: Row;
  /** An IMM_… of operands.ts. */
  readonly immediate: number;
  /** A memory operand without ModRM. */
  readonly moffs: boolean;
  readonly hasModRm: boolean;
  /** ModRM.rm is a register whatever mod says (MOV CRn, DRn). */
  readonly forceReg: boolean;
  /** Bit n is set: ModRM.reg = n is not a register here (segment and control registers). */
  readonly badReg: number;

  constructor(from: Row) {
    this.row = from;
    this.immediate = immediateOf(from);
    this.moffs = this.immediate === IMM_MOFFS;
    this.hasModRm = hasModRm(from);
    const codes = operandCodes(from);
    this.forceReg = codes.includes("Rd");
    let bad = 0;
    if (codes.includes("Sw")) bad |= 0xc0;
    if (codes[0] === "Sw") bad |= 2; // MOV CS
    if (codes.includes("Cd")) bad |= 0xe2; // CR1, CR5-CR7
    this.badReg = bad;
  }
}

/** One opcode: what chooses among its rows. A dimension that no row names has one place in `cells`. */
export class Opcode {
  hasModRm = false;
  byPrefix = false;
  byReg = false;
  byRm = false;
  cells: (Form | null)[] = [];

  /** Index of mandatory prefix (0-3), form (0 memory, 1 register), ModRM.reg, ModRM.rm. */
  index(prefix: number, form: number, reg: number, rm: number): number {
    let i = this.byPrefix ? prefix : 0;
    if (this.byReg) i = i * 16 + form * 8 + reg;
    return this.byRm ? i * 8 + rm : i;
  }
}

export const PREFIX_INDEX: readonly number[] = [0, 0x66, 0xf3, 0xf2];

/** The opcode maps, one behind the other: 00-FF, 0F 00-FF, 0F 38 00-FF, 0F 3A 00-FF. */
export const MAP_0F = 256;
export const MAP_0F38 = 512;
export const MAP_0F3A = 768;

export function mapIndex(opcode: number): number {
  if (opcode < 0x100) return opcode;
  const map = opcode >>> 8;
  return (map === 0x0f ? MAP_0F : map === 0x0f38 ? MAP_0F38 : MAP_0F3A) + (opcode & 0xff);
}

/** How many selectors a row names: a more specific row takes places from a less specific one. */
function specificity(r: Row): number {
  return (r.ext >= 0 ? 1 : 0) + (r.rm >= 0 ? 1 : 0) + (r.form !== "any" ? 1 : 0) + (r.prefix >= 0 ? 1 : 0);
}

function build(rows: readonly Row[]): (Opcode | null)[] {
  const map: (Opcode | null)[] = new Array(1024).fill(null);
  const sorted = [...rows].sort((a, b) => specificity(a) - specificity(b));
  for (const r of sorted) {
    const at = mapIndex(r.opcode);
    const opcode = map[at] ?? new Opcode();
    map[at] = opcode;
    if (hasModRm(r)) opcode.hasModRm = true;
    if (r.prefix >= 0) opcode.byPrefix = true;
    if (r.ext >= 0 || r.form !== "any") opcode.byReg = true;
    if (r.rm >= 0) opcode.byRm = true;
  }
  for (const r of sorted) {
    const opcode = map[mapIndex(r.opcode)] as Opcode;
    const form = new Form(r);
    for (let prefix = 0; prefix < 4; prefix++) {
      if (r.prefix >= 0 && PREFIX_INDEX[prefix] !== r.prefix) continue;
      for (let mod = 0; mod < 2; mod++) {
        if (r.form !== "any" && (r.form === "reg") !== (mod === 1)) continue;
        for (let reg = 0; reg < 8; reg++) {
          if (r.ext >= 0 && reg !== r.ext) continue;
          for (let rm = 0; rm < 8; rm++) {
            if (r.rm >= 0 && rm !== r.rm) continue;
            opcode.cells[opcode.index(prefix, mod, reg, rm)] = form;
          }
        }
      }
    }
  }
  for (const opcode of map) {
    if (opcode === null) continue;
    const length = (opcode.byPrefix ? 4 : 1) * (opcode.byReg ? 16 : 1) * (opcode.byRm ? 8 : 1);
    for (let i = 0; i < length; i++) opcode.cells[i] ??= null;
  }
  return map;
}

/** By `mapIndex`; null: no row at all. */
export const OPCODES: readonly (Opcode | null)[] = build(TABLE);
