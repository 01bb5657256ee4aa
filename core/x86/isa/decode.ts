/**
 * Bytes to `Insn`: prefixes, opcode, ModRM, SIB, displacement, immediates, and the handler bound by the row.
 * SDM vol. 2, 2.1 (instruction format), tables 2-1 to 2-3 (addressing forms).
 */
import type { Cpu } from "../cpu.ts";
import { unimplemented } from "./exec/system.ts";
import { DS, Insn, NO_REG, PREFIX_REP, PREFIX_REPNE, SS } from "./insn.ts";
import {
  IMM_AP,
  IMM_IB,
  IMM_IW,
  IMM_IWIB,
  IMM_IZ,
  IMM_JB,
  IMM_JZ,
  IMM_MOFFS,
  IMM_NONE,
  IMM_SIB,
} from "./operands.ts";
import type { Row } from "./row.ts";
import { type Form, INVALID, MAP_0F, MAP_0F3A, MAP_0F38, OPCODES, TOO_LONG } from "./table.ts";

/** No instruction is longer (SDM vol. 2, 2.3.11). */
export const MAX_LENGTH = 15;

const EBP = 5;
const ESP = 4;
/** Base and index registers of the 16-bit addressing forms (SDM vol. 2, table 2-1). */
const BASE16 = [3, 3, 5, 5, NO_REG, NO_REG, 5, 3];
const INDEX16 = [6, 7, 6, 7, 6, 7, NO_REG, NO_REG];

// The decoder's place: module variables, set anew by each call.
let source: Uint8Array = new Uint8Array(0);
let at = 0;
let end = 0;
/** Set when a byte beyond `end` was asked for. */
let short = false;

function u8(): number {
  if (at >= end) {
    short = true;
    return 0;
  }
  return source[at++];
}
function u16(): number {
  const low = u8();
  return low | (u8() << 8);
}
function i32(): number {
  const low = u16();
  return low | (u16() << 16);
}
function i8(): number {
  return (u8() << 24) >> 24;
}
function i16(): number {
  return (u16() << 16) >> 16;
}

/**
 * Decodes the instruction at `bytes[start]`, of which `available` bytes may be read; `big` is CS.D.
 * Null: the instruction goes on behind the bytes available (call again with up to 15 of them). An encoding that the
 * manual calls invalid comes back as an Insn that raises #UD, one of more than 15 bytes as one that raises #GP(0),
 * and one that is defined but not executed as one that stops with `unimplemented`.
 */
export function decode(bytes: Uint8Array, start: number, available: number, big: boolean): Insn | null {
  source = bytes;
  at = start;
  end = start + Math.min(available, MAX_LENGTH);
  short = false;
  const insn = parse(big);
  if (short) {
    if (available < MAX_LENGTH) return null;
    const long = stand(TOO_LONG);
    long.length = MAX_LENGTH;
    return long;
  }
  insn.length = at - start;
  return insn;
}

function stand(row: Row): Insn {
  const bind = row.bind as NonNullable<Row["bind"]>;
  const insn = new Insn(unimplemented, row);
  insn.exec = bind(insn);
  return insn;
}

function parse(big: boolean): Insn {
  const insn = new Insn(unimplemented, INVALID);
  let override = -1;
  let size66 = false;
  let byte = u8();
  let prefix = true;
  let address67 = false;
  while (prefix && !short) {
    switch (byte) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        override = (byte >>> 3) & 3;
        break;
      case 0x64:
      case 0x65:
        override = byte - 0x60;
        break;
      case 0x66:
        size66 = true;
        break;
      case 0x67:
        address67 = true;
        break;
      case 0xf0:
        insn.lock = true;
        break;
      case 0xf2:
        insn.rep = PREFIX_REPNE;
        break;
      case 0xf3:
        insn.rep = PREFIX_REP;
        break;
      default:
        prefix = false;
    }
    if (prefix) byte = u8();
  }
  insn.opsize = big !== size66 ? 4 : 2;
  insn.addrsize = big !== address67 ? 4 : 2;
  insn.seg = override < 0 ? DS : override;

  let index = byte;
  if (byte === 0x0f) {
    const second = u8();
    if (second === 0x38) index = MAP_0F38 + u8();
    else if (second === 0x3a) index = MAP_0F3A + u8();
    else index = MAP_0F + second;
  }
  const opcode = OPCODES[index];
  if (opcode === null) return bad(insn);
  const mandatory = insn.rep === PREFIX_REP ? 2 : insn.rep === PREFIX_REPNE ? 3 : size66 ? 1 : 0;
  let form: Form | null;
  if (opcode.hasModRm) {
    const modrm = u8();
    const mod = modrm >>> 6;
    insn.modrm = modrm;
    insn.reg = (modrm >>> 3) & 7;
    form = opcode.cells[opcode.index(mandatory, mod === 3 ? 1 : 0, insn.reg, modrm & 7)];
    if (form === null || ((form.badReg >>> insn.reg) & 1) === 1) return bad(insn);
    insn.isReg = mod === 3 || form.forceReg;
    if (insn.isReg) insn.rm = modrm & 7;
    else if (insn.addrsize === 4) memory32(insn, mod, modrm & 7, override);
    else memory16(insn, mod, modrm & 7, override);
  } else {
    insn.reg = index & 7;
    form = opcode.cells[opcode.byPrefix ? mandatory : 0];
    if (form === null) return bad(insn);
  }
  immediates(insn, form.immediate);
  return bound(insn, form);
}

/** Gives the Insn its row and handler. */
function bound(insn: Insn, form: Form): Insn {
  const row = form.row;
  const memory = form.hasModRm && !insn.isReg;
  if (insn.lock && !(row.lock && memory)) return bad(insn);
  insn.row = row;
  if (form.moffs) insn.reg = 0;
  if (row.bind === null) insn.exec = unimplemented;
  else insn.exec = memory && insn.addrsize === 2 ? addr16 : row.bind(insn);
  return insn;
}

function bad(insn: Insn): Insn {
  const bind = INVALID.bind as NonNullable<Row["bind"]>;
  insn.row = INVALID;
  insn.exec = bind(insn);
  return insn;
}

function memory32(insn: Insn, mod: number, rm: number, override: number): void {
  let base = rm;
  if (rm === 4) {
    const sib = u8();
    insn.scale = sib >>> 6;
    const index = (sib >>> 3) & 7;
    insn.index = index === ESP ? NO_REG : index;
    if (insn.index === NO_REG) insn.scale = 0;
    base = sib & 7;
  }
  if (mod === 0 && base === EBP) {
    base = NO_REG;
    insn.disp = i32();
  } else if (mod === 1) insn.disp = i8();
  else if (mod === 2) insn.disp = i32();
  insn.base = base;
  if (override < 0 && (base === ESP || base === EBP)) insn.seg = SS;
}

function memory16(insn: Insn, mod: number, rm: number, override: number): void {
  insn.base = BASE16[rm];
  insn.index = INDEX16[rm];
  if (mod === 0 && rm === 6) {
    insn.base = NO_REG;
    insn.disp = u16();
  } else if (mod === 1) insn.disp = i8();
  else if (mod === 2) insn.disp = i16();
  if (override < 0 && insn.base === EBP) insn.seg = SS;
}

function immediates(insn: Insn, kind: number): void {
  switch (kind) {
    case IMM_NONE:
      break;
    case IMM_IB:
      insn.imm = u8();
      break;
    case IMM_SIB:
    case IMM_JB:
      insn.imm = i8();
      break;
    case IMM_IW:
      insn.imm = u16();
      break;
    case IMM_IZ:
    case IMM_JZ:
      insn.imm = insn.opsize === 4 ? i32() : i16();
      break;
    case IMM_AP:
      insn.imm = insn.opsize === 4 ? i32() : u16();
      insn.imm2 = u16();
      break;
    case IMM_MOFFS:
      insn.disp = insn.addrsize === 4 ? i32() : u16();
      break;
    case IMM_IWIB:
      insn.imm = u16();
      insn.imm2 = u8();
      break;
  }
}

/** The operand with its 16-bit address folded into a displacement, for handlers that know 32-bit addressing only. */
const folded = new Insn(unimplemented, INVALID);

/**
 * Runs an instruction with a 16-bit memory operand: the address is (base + index + displacement) modulo 2^16.
 * `addrsize` stays 2, for bit strings.
 */
function addr16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  // POP m with a base of SP needs no care here: 16-bit forms cannot name SP.
  folded.disp = (r[insn.base] + r[insn.index] + insn.disp) & 0xffff;
  folded.row = insn.row;
  folded.length = insn.length;
  folded.opsize = insn.opsize;
  folded.addrsize = 2;
  folded.rep = insn.rep;
  folded.lock = insn.lock;
  folded.reg = insn.reg;
  folded.modrm = insn.modrm;
  folded.seg = insn.seg;
  folded.imm = insn.imm;
  folded.imm2 = insn.imm2;
  const bind = insn.row.bind;
  return bind === null ? unimplemented(cpu) : bind(folded)(cpu, folded);
}
