/**
 * Instructions that ask about descriptors without loading them: LAR, LSL, VERR, VERW, and ARPL (SDM vol. 2; vol. 3,
 * 5.10). They answer in ZF; #UD outside protected mode is the caller's. Functions answer an Exec answer.
 */
import type { Cpu } from "./cpu.ts";
import { GP } from "./exceptions.ts";
import { FLAG_ZF, getEflags, setStatusFlags } from "./flags.ts";
import { NEXT, STOP } from "./isa/insn.ts";
import {
  dplOf,
  isReadable,
  isUnusable,
  isWritable,
  LDTR,
  SEG_CODE,
  SEG_DOWN_OR_CONFORMING,
  SEG_S,
} from "./segment-cache.ts";
import { limitOf, readDescriptor, rightsOf } from "./segments.ts";

/** System descriptors that LAR knows: TSSs, LDT, call and task gates; those of LSL: the ones with a limit. */
const LAR_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 9) | (1 << 0xb) | (1 << 0xc);
const LSL_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 0xb);

const NOWHERE = 0;
const FOUND = 1;
const FAULTED = -1;

/** Reads a descriptor where there is one. */
function find(cpu: Cpu, selector: number): number {
  if ((selector & 0xfffc) === 0) return NOWHERE;
  const local = (selector & 4) !== 0;
  if (local && isUnusable(cpu.segAttr[LDTR]!)) return NOWHERE;
  if ((selector & 0xfff8) + 7 > (local ? cpu.segLimit[LDTR]! : cpu.gdtLimit)) return NOWHERE;
  return readDescriptor(cpu, selector, GP, 0) ? FOUND : FAULTED;
}

function isConformingCode(attr: number): boolean {
  const bits = SEG_S | SEG_CODE | SEG_DOWN_OR_CONFORMING;
  return (attr & bits) === bits;
}

/** May a program at this level see it, by DPL, CPL and RPL? */
function visible(cpu: Cpu, selector: number, attr: number): boolean {
  return isConformingCode(attr) || (dplOf(attr) >= cpu.cpl && dplOf(attr) >= (selector & 3));
}

function answer(cpu: Cpu, yes: boolean): number {
  const flags = getEflags(cpu);
  setStatusFlags(cpu.regs, yes ? flags | FLAG_ZF : flags & ~FLAG_ZF);
  return NEXT;
}

/** Does LAR or LSL load a register? `types`: the system types it knows. FAULTED, NOWHERE or FOUND. */
function loads(cpu: Cpu, selector: number, types: number): number {
  const found = find(cpu, selector);
  if (found !== FOUND) return found;
  const attr = rightsOf(cpu.descHigh);
  if ((attr & SEG_S) === 0 && ((types >>> (attr & 15)) & 1) === 0) return NOWHERE;
  return visible(cpu, selector, attr) ? FOUND : NOWHERE;
}

/** LAR: the descriptor's upper word without base and limit, into `reg`, of which 2 or 4 bytes change. */
export function lar(cpu: Cpu, reg: number, selector: number, opsize: number): number {
  const found = loads(cpu, selector, LAR_TYPES);
  if (found === FAULTED) return STOP;
  if (found === FOUND) put(cpu, reg, cpu.descHigh & 0x00f0_ff00, opsize);
  return answer(cpu, found === FOUND);
}

/** LSL: the limit in bytes. */
export function lsl(cpu: Cpu, reg: number, selector: number, opsize: number): number {
  const found = loads(cpu, selector, LSL_TYPES);
  if (found === FAULTED) return STOP;
  if (found === FOUND) put(cpu, reg, limitOf(cpu.descLow, cpu.descHigh) | 0, opsize);
  return answer(cpu, found === FOUND);
}

function put(cpu: Cpu, reg: number, value: number, opsize: number): void {
  const r = cpu.regs;
  r[reg] = opsize === 4 ? value : (r[reg]! & ~0xffff) | (value & 0xffff);
}

/** VERR and VERW. */
export function verify(cpu: Cpu, selector: number, write: boolean): number {
  const found = find(cpu, selector);
  if (found === FAULTED) return STOP;
  if (found === NOWHERE) return answer(cpu, false);
  const attr = rightsOf(cpu.descHigh);
  const kind = (attr & SEG_S) !== 0 && (write ? isWritable(attr) : isReadable(attr));
  return answer(cpu, kind && visible(cpu, selector, attr));
}

/** ARPL's answer: what the destination becomes, or -1 when its RPL is high enough already. ZF says which. */
export function adjustRpl(cpu: Cpu, destination: number, source: number): number {
  const lower = (destination & 3) < (source & 3);
  answer(cpu, lower);
  return lower ? (destination & ~3) | (source & 3) : -1;
}
