/**
 * What every x87 handler does around its work: #NM, the exception that waits, the pointers to the last instruction,
 * and memory operands that are reached as a whole before anything changes (SDM vol. 1, 8.1.8, 8.6, 8.7; vol. 3, 2.5).
 */
import { misaligned } from "../../access.ts";
import { ATT_HALTED } from "../../attention.ts";
import type { Cpu } from "../../cpu.ts";
import type { Num } from "../../fpu/number.ts";
import { unpack32, unpack64, unpackInt } from "../../fpu/number.ts";
import { FCS, FDP, FDS, FIP, FOP, type Fpu } from "../../fpu/state.ts";
import { ES } from "../../fpu/words.ts";
import { BRANCH, CS, type Exec, type Insn, NEXT } from "../insn.ts";
import { ea, VECTOR_MF, VECTOR_NM } from "./operand.ts";

const CR0_MP = 2;
const CR0_TS = 8;
const CR0_EM_TS = 12;
const CR0_NE = 32;

/** What a handler does when neither #NM nor a waiting exception comes first. */
export type Body = (cpu: Cpu, fpu: Fpu, insn: Insn) => number;

/**
 * The exception that waits is reported: #MF under CR0.NE; else FERR# is asserted, and unless IGNNE# is, the processor
 * stands still before the instruction until an interrupt comes (SDM vol. 1, 8.7.2). NEXT: the instruction may run.
 */
function report(cpu: Cpu, fpu: Fpu, insn: Insn): number {
  if ((cpu.cr0 & CR0_NE) !== 0) return cpu.raise(VECTOR_MF);
  drive(cpu, fpu, true);
  if (fpu.ignne) return NEXT;
  cpu.eip = (cpu.eip - insn.length) | 0;
  cpu.attention |= ATT_HALTED;
  return BRANCH;
}

/** Drives FERR#; who listens hears of changes alone. True: it changed. */
function drive(cpu: Cpu, fpu: Fpu, level: boolean): boolean {
  if (fpu.ferr === level) return false;
  fpu.ferr = level;
  cpu.ferr?.(level);
  return true;
}

/** ES has changed: FERR# follows, and then the block ends so that an interrupt that it raised is seen. */
function summaryChanged(cpu: Cpu, fpu: Fpu): number {
  return drive(cpu, fpu, (fpu.sw & ES) !== 0 && (cpu.cr0 & CR0_NE) === 0) ? BRANCH : NEXT;
}

/** A handler for an instruction that waits for the exception before it. */
export function waiting(body: Body): Exec {
  return (cpu, insn) => {
    const fpu = cpu.fpu;
    const before = fpu.sw;
    if (((cpu.cr0 & CR0_EM_TS) | (before & ES)) !== 0) {
      if ((cpu.cr0 & CR0_EM_TS) !== 0) return cpu.raise(VECTOR_NM);
      const answer = report(cpu, fpu, insn);
      if (answer !== NEXT) return answer;
    }
    const answer = body(cpu, fpu, insn);
    return ((fpu.sw ^ before) & ES) === 0 ? answer : summaryChanged(cpu, fpu);
  };
}

/** A handler for a control instruction that does not wait (FNSTSW and its like). */
export function immediate(body: Body): Exec {
  return (cpu, insn) => {
    if ((cpu.cr0 & CR0_EM_TS) !== 0) return cpu.raise(VECTOR_NM);
    const fpu = cpu.fpu;
    const before = fpu.sw;
    const answer = body(cpu, fpu, insn);
    return ((fpu.sw ^ before) & ES) === 0 ? answer : summaryChanged(cpu, fpu);
  };
}

/** FWAIT: #NM when MP and TS are both set; then the exception that waits. */
export function fwait(cpu: Cpu, insn: Insn): number {
  const both = CR0_MP | CR0_TS;
  if ((cpu.cr0 & both) === both) return cpu.raise(VECTOR_NM);
  const fpu = cpu.fpu;
  return (fpu.sw & ES) === 0 ? NEXT : report(cpu, fpu, insn);
}

/** Notes the instruction as the last one, for FSTENV and its like. */
export function mark(cpu: Cpu, fpu: Fpu, insn: Insn): void {
  const last = fpu.last;
  last[FIP] = (cpu.eip - insn.length) | 0;
  last[FCS] = cpu.selector(CS);
  last[FOP] = ((insn.row.opcode & 7) << 8) | insn.modrm;
}

/** The same with a memory operand at offset `at`. */
export function markMemory(cpu: Cpu, fpu: Fpu, insn: Insn, at: number): void {
  mark(cpu, fpu, insn);
  fpu.last[FDP] = at;
  fpu.last[FDS] = cpu.selector(insn.seg);
}

/**
 * Makes sure that the pieces of an operand can all be reached once the first one was. `align`: what #AC asks for.
 * False: a fault was raised.
 */
export function reach(
  cpu: Cpu,
  seg: number,
  at: number,
  size: number,
  align: number,
  write: boolean,
): boolean {
  if (cpu.cpl === 3 && misaligned(cpu, (at + cpu.segBase[seg]!) | 0, align)) return false;
  // Reads change nothing. In a flat segment they need no check of their limit as a whole either.
  if (!write && ((cpu.flat >>> seg) & 1) !== 0) return true;
  return cpu.check(seg, at, size, write);
}

/** Reads a memory operand into `n`; false: a fault was raised. */
export type Load = (cpu: Cpu, insn: Insn, n: Num) => boolean;

export function loadSingle(cpu: Cpu, insn: Insn, n: Num): boolean {
  const v = cpu.read32(insn.seg, ea(cpu.regs, insn));
  if (cpu.faulted) return false;
  unpack32(n, v);
  return true;
}

/** Two words at the operand: the low one is the answer, the high one in `cpu.high`. */
function read64(cpu: Cpu, insn: Insn): number {
  const at = ea(cpu.regs, insn);
  if (!reach(cpu, insn.seg, at, 8, 8, false)) return 0;
  const low = cpu.read32(insn.seg, at);
  if (cpu.faulted) return 0;
  cpu.high = cpu.read32(insn.seg, (at + 4) | 0);
  return low;
}

export function loadDouble(cpu: Cpu, insn: Insn, n: Num): boolean {
  const low = read64(cpu, insn);
  if (cpu.faulted) return false;
  unpack64(n, low, cpu.high);
  return true;
}

export function loadWord(cpu: Cpu, insn: Insn, n: Num): boolean {
  const v = (cpu.read16(insn.seg, ea(cpu.regs, insn)) << 16) >> 16;
  if (cpu.faulted) return false;
  unpackInt(n, v, v >> 31);
  return true;
}

export function loadInt(cpu: Cpu, insn: Insn, n: Num): boolean {
  const v = cpu.read32(insn.seg, ea(cpu.regs, insn));
  if (cpu.faulted) return false;
  unpackInt(n, v, v >> 31);
  return true;
}

export function loadQuad(cpu: Cpu, insn: Insn, n: Num): boolean {
  const low = read64(cpu, insn);
  if (cpu.faulted) return false;
  unpackInt(n, low, cpu.high);
  return true;
}

/** Ten bytes as they are, into `fpu.r`. */
export function loadRaw(cpu: Cpu, insn: Insn): boolean {
  const at = ea(cpu.regs, insn);
  if (!reach(cpu, insn.seg, at, 10, 8, false)) return false;
  const lo = cpu.read32(insn.seg, at);
  if (cpu.faulted) return false;
  const hi = cpu.read32(insn.seg, (at + 4) | 0);
  if (cpu.faulted) return false;
  const se = cpu.read16(insn.seg, (at + 8) | 0);
  if (cpu.faulted) return false;
  cpu.fpu.r.set(se, hi, lo);
  return true;
}
