/**
 * The run loop: blocks one after the other within an exact budget, and single units with everything that may happen
 * between two instructions (SDM vol. 3, 6.9: priority among simultaneous events).
 */

import {
  ATT_BREAK,
  ATT_DEBUG,
  ATT_HALTED,
  ATT_LINE,
  ATT_NMI,
  ATT_PENDING,
  ATT_SHADOW,
  ATT_STACK,
  ATT_WATCH,
  ATT_WATCHED,
  ATT_YIELD,
  FLAGS_STEPWISE,
} from "./attention.ts";
import { nameStop, RETIRED_STOP, STEP_NEXT } from "./between.ts";
import { RESTART } from "./blocks.ts";
import { chain } from "./chain.ts";
import type { Cpu } from "./cpu.ts";
import { codeHits, DR6_BS } from "./debug.ts";
import { deliverEvent, takeException } from "./delivery.ts";
import {
  EXIT_EXTERNAL_INTERRUPT,
  RUN_BREAK,
  RUN_BUDGET,
  RUN_EXIT,
  RUN_FAULTED,
  RUN_HALTED,
  RUN_RETIRED,
  STEP_EMULATE,
  STEP_NORMAL,
  VECTORING_EXTERNAL,
  VECTORING_HARDWARE_EXCEPTION,
  VECTORING_NMI,
} from "./door.ts";
import { DB, GP, NMI } from "./exceptions.ts";
import { fetchBlock, fetchEmulated } from "./fetch.ts";
import { FLAG_IF, FLAG_RF, FLAG_TF, REST } from "./flags.ts";
import { BRANCH, CS, REPEAT, STOP } from "./isa/insn.ts";

/** Nothing to be done before the next instruction. */
const GO = -1;

/**
 * Runs until `budget` units retired, or until one of the RUN_ reasons but FAULTED; RETIRED: behind an instruction that
 * stored into a watched frame, or that somebody asked to come back behind, until they take ATT_WATCHED or ATT_YIELD back.
 */
export function run(cpu: Cpu, budget: number): number {
  const limit = cpu.retired + budget;
  for (;;) {
    const left = limit - cpu.retired;
    if (left <= 0) return RUN_BUDGET;
    let answer: number;
    if ((cpu.attention | (cpu.regs[REST]! & FLAGS_STEPWISE)) !== 0) {
      if ((cpu.attention & (ATT_WATCHED | ATT_YIELD)) !== 0) return RUN_RETIRED;
      answer = attend(cpu, true);
      if (answer === GO && atBreakpoint(cpu)) return RUN_BREAK;
      if (answer === GO) answer = mustStep(cpu) ? one(cpu) : runBlocks(cpu, left);
    } else {
      answer = runBlocks(cpu, left);
    }
    if (answer !== RUN_RETIRED && answer !== RUN_FAULTED) return answer;
  }
}

/** Runs one unit: a pending delivery, an instruction, or one REP iteration. `mode`: STEP_…. */
export function step(cpu: Cpu, mode: number): number {
  if (mode === STEP_NORMAL) {
    const answer = cpu.attention === 0 ? GO : attend(cpu, true);
    return answer === GO ? one(cpu) : answer;
  }
  cpu.unintercepted = true;
  const emulate = (mode & STEP_EMULATE) !== 0;
  if (emulate) {
    cpu.setEmulating(true);
    cpu.emulatedOpcode = -1;
  }
  // The interrupt line waits: the caller wants this unit.
  let answer = cpu.attention === 0 ? GO : attend(cpu, false);
  if (answer === GO) answer = one(cpu);
  if (emulate) cpu.setEmulating(false);
  cpu.unintercepted = false;
  return answer;
}

/** Deals with what waits between two instructions. GO: run the next one. */
function attend(cpu: Cpu, lines: boolean): number {
  const attention = cpu.attention;
  if ((attention & ATT_PENDING) !== 0) {
    const answer = deliverEvent(cpu, cpu.pendingVector, cpu.pendingType, cpu.pendingError);
    if (answer === RUN_FAULTED) {
      cpu.cancelInjection();
      return RUN_RETIRED;
    }
    return answer;
  }
  if ((attention & ATT_DEBUG) !== 0) return debugTrap(cpu);
  if ((attention & (ATT_NMI | ATT_SHADOW)) === ATT_NMI) return nonMaskable(cpu);
  if (lines && (attention & (ATT_LINE | ATT_SHADOW)) === ATT_LINE && (cpu.regs[REST]! & FLAG_IF) !== 0) {
    return external(cpu);
  }
  if ((attention & ATT_HALTED) !== 0) return RUN_HALTED;
  if ((attention & ATT_WATCH) !== 0) return codeBreakpoint(cpu);
  return GO;
}

/** The traps of the instruction that has retired: single step, data and port breakpoints, a task's T bit. */
function debugTrap(cpu: Cpu): number {
  cpu.dr[6]! |= cpu.debugHits;
  const answer = deliverEvent(cpu, DB, VECTORING_HARDWARE_EXCEPTION, -1);
  if (answer !== RUN_FAULTED) return answer;
  cpu.attention &= ~ATT_DEBUG;
  cpu.debugHits = 0;
  return RUN_RETIRED;
}

function nonMaskable(cpu: Cpu): number {
  const answer = deliverEvent(cpu, NMI, VECTORING_NMI, -1);
  if (answer !== RUN_FAULTED) return answer;
  cpu.nmiWaits = false;
  cpu.noteNmi();
  return RUN_RETIRED;
}

/** An instruction breakpoint is a fault of the instruction that has not begun; RF holds it back (SDM vol. 3, 17.3.1.1). */
function codeBreakpoint(cpu: Cpu): number {
  if ((cpu.regs[REST]! & FLAG_RF) !== 0 || cpu.midRep || (cpu.attention & ATT_STACK) !== 0) return GO;
  const hits = codeHits(cpu, cpu.linearIp);
  if (hits === 0) return GO;
  cpu.dr[6]! |= hits;
  const answer = deliverEvent(cpu, DB, VECTORING_HARDWARE_EXCEPTION, -1);
  return answer === RUN_FAULTED ? RUN_RETIRED : answer;
}

/** A breakpoint at EIP that has not been reported yet: once reported the instruction may run, also when an exit brings it back. */
function atBreakpoint(cpu: Cpu): boolean {
  if ((cpu.attention & ATT_BREAK) === 0 || !cpu.breakpoints.includes(cpu.eip)) return false;
  if (cpu.brokeAtEip === cpu.eip && cpu.brokeAtRetired === cpu.retired) return false;
  cpu.brokeAtEip = cpu.eip;
  cpu.brokeAtRetired = cpu.retired;
  return true;
}

function external(cpu: Cpu): number {
  if (((cpu.intercepts >>> EXIT_EXTERNAL_INTERRUPT) & 1) !== 0) {
    cpu.exitFor(EXIT_EXTERNAL_INTERRUPT);
    cpu.exit.value = cpu.interruptLine;
    cpu.acknowledged?.(cpu.interruptLine);
    cpu.faulted = false;
    cpu.stopCode = -1;
    return RUN_EXIT;
  }
  const vector = cpu.interruptLine;
  cpu.acknowledged?.(vector);
  const answer = deliverEvent(cpu, vector, VECTORING_EXTERNAL, -1);
  if (answer === RUN_FAULTED) return RUN_RETIRED;
  // Acknowledged, not yet delivered: it stays pending with its vector.
  if (answer === RUN_EXIT) cpu.inject(vector, VECTORING_EXTERNAL, -1);
  return answer;
}

function mustStep(cpu: Cpu): boolean {
  return (cpu.attention & (ATT_SHADOW | ATT_WATCH)) !== 0 || (cpu.regs[REST]! & FLAGS_STEPWISE) !== 0;
}

/** What ended an instruction that did not retire: an exit or a stop, or an exception, which is delivered. */
function afterStop(cpu: Cpu): number {
  cpu.faulted = false;
  const code = cpu.stopCode;
  if (code >= 0) {
    cpu.stopCode = -1;
    return code;
  }
  return takeException(cpu);
}

const SOFTWARE_INTERRUPTS: ReadonlySet<string> = new Set(["int", "int3", "int1", "into"]);

/** Runs one instruction or REP iteration with all its between-instructions business. */
function one(cpu: Cpu): number {
  const start = cpu.eip;
  const rest = cpu.regs[REST]!;
  const shadow = cpu.attention & (ATT_SHADOW | ATT_STACK);
  const hits = cpu.debugHits;
  // RF lasts for one instruction (SDM vol. 3, 17.3.1.1); IRET may set it anew. So does the interrupt shadow.
  cpu.regs[REST] = rest & ~FLAG_RF;
  cpu.attention &= ~(ATT_SHADOW | ATT_STACK);
  let trap = (rest & FLAG_TF) !== 0;
  for (;;) {
    const block = cpu.emulating ? fetchEmulated(cpu) : fetchBlock(cpu);
    let answer = STOP;
    if (block !== null) {
      const insn = block.insns[0]!;
      if (!cpu.csFlat && (start >>> 0) + insn.length - 1 > cpu.segLimit[CS]!) {
        cpu.raise(GP, 0);
      } else {
        cpu.running = insn;
        cpu.runningEip = start;
        cpu.eip = (start + insn.length) | 0;
        answer = insn.exec(cpu, insn);
        cpu.running = null;
        if (answer === RESTART) continue;
        // A software interrupt clears TF instead of being trapped (SDM vol. 3, 17.3.1.4).
        if (trap && answer === BRANCH && SOFTWARE_INTERRUPTS.has(insn.row.name)) trap = false;
      }
    }
    if (answer === STOP) {
      cpu.eip = start;
      cpu.debugHits = hits;
      if (cpu.stopCode >= 0) {
        cpu.regs[REST] = (cpu.regs[REST]! & ~FLAG_RF) | (rest & FLAG_RF);
        cpu.attention |= shadow;
        if (block !== null) nameStop(cpu, block.insns[0]!);
      }
      return afterStop(cpu);
    }
    cpu.midRep = answer === REPEAT;
    if (answer === REPEAT) cpu.eip = start;
    cpu.retired++;
    // MOV SS holds back the debug traps of its own: the single step's is lost, the others wait (SDM vol. 3, 6.8.3).
    if ((cpu.attention & ATT_STACK) === 0) {
      if (trap) cpu.debugHits |= DR6_BS;
      if (cpu.debugHits !== 0) cpu.attention |= ATT_DEBUG;
    }
    return RUN_RETIRED;
  }
}

const MOST = 0x3fff_ffff;

/** Runs blocks until something wants attention or `budget` units retired: RUN_RETIRED, or what stopped them. */
function runBlocks(cpu: Cpu, budget: number): number {
  // A small integer, so that the loop stays in integers; the caller asks again when more is left.
  const answer = chain(cpu, Math.min(budget, MOST) | 0);
  cpu.running = null;
  if (answer === RETIRED_STOP) return afterStop(cpu);
  if (answer === STEP_NEXT) return one(cpu);
  return answer;
}
