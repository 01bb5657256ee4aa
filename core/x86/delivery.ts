/**
 * Delivery of exceptions and interrupts through the IDT of protected mode (SDM vol. 3, 6.12; vol. 2, INT n).
 * Everything is checked before anything changes; a second exception on the way combines with the first.
 *
 * A delivery is a unit of its own in which no instruction retires. So that time always moves, every 64th delivery in
 * a row without a retired instruction counts as one retired unit (a handler that faults at once would stand still).
 */
import { EV_EXCEPTION, EV_INTERRUPT } from "../trace/events.ts";
import { linearCheck, linearWrite, systemRead } from "./access.ts";
import { ATT_HALTED, ATT_SHADOW } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import {
  ACCESS_USER,
  ACCESS_WRITE,
  EXIT_TRIPLE_FAULT,
  RUN_EXIT,
  RUN_FAULTED,
  RUN_SHUTDOWN,
  VECTORING_HARDWARE_EXCEPTION,
  VECTORING_NONE,
  VECTORING_SOFTWARE_EXCEPTION,
  VECTORING_SOFTWARE_INTERRUPT,
} from "./door.ts";
import {
  CLASS_BENIGN,
  CLASS_DOUBLE_FAULT,
  COMBINE_DOUBLE_FAULT,
  COMBINE_SHUTDOWN,
  combine,
  DB,
  DF,
  exceptionClass,
  GP,
  NP,
  PF,
  SS_FAULT,
  TS,
} from "./exceptions.ts";
import { FLAG_IF, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VM, REST } from "./flags.ts";
import { CS, SS } from "./isa/insn.ts";
import {
  dplOf,
  isUnusable,
  isWritable,
  SEG_BIG,
  SEG_CODE,
  SEG_DOWN_OR_CONFORMING,
  SEG_P,
  SEG_S,
  TR,
} from "./segment-cache.ts";
import {
  baseOf,
  limitOf,
  markAccessed,
  readDescriptor,
  rightsOf,
  setSegment,
  stackRoom,
} from "./segments.ts";

const STILL = 64;

/** Delivers the exception that the last instruction raised. RUN_FAULTED, or what came of it. */
export function takeException(cpu: Cpu): number {
  if (cpu.excVector === PF) cpu.cr2 = cpu.excAddress;
  return deliverEvent(cpu, cpu.excVector, VECTORING_HARDWARE_EXCEPTION, cpu.excError);
}

/**
 * Delivers an event: RUN_FAULTED when it (or the exception that took its place) was, RUN_EXIT when an access of it
 * exits, RUN_SHUTDOWN, RUN_UNIMPLEMENTED. EIP is what a return goes to.
 */
export function deliverEvent(cpu: Cpu, vector: number, type: number, error: number): number {
  let v = vector;
  let t = type;
  let e = error;
  let firstClass = t === VECTORING_HARDWARE_EXCEPTION ? exceptionClass(v) : CLASS_BENIGN;
  for (;;) {
    cpu.faulted = false;
    const done = deliver(cpu, v, t, e);
    if (done) {
      countDelivery(cpu);
      return RUN_FAULTED;
    }
    cpu.faulted = false;
    if (cpu.stopCode >= 0) {
      const code = cpu.stopCode;
      cpu.stopCode = -1;
      return code;
    }
    const second = cpu.excVector;
    if (second === PF) cpu.cr2 = cpu.excAddress;
    const what = combine(firstClass, second);
    if (what === COMBINE_SHUTDOWN) return tripleFault(cpu);
    t = VECTORING_HARDWARE_EXCEPTION;
    if (what === COMBINE_DOUBLE_FAULT) {
      v = DF;
      e = 0;
      firstClass = CLASS_DOUBLE_FAULT;
    } else {
      v = second;
      e = cpu.excError;
      firstClass = exceptionClass(v);
    }
  }
}

function tripleFault(cpu: Cpu): number {
  if (((cpu.intercepts >>> EXIT_TRIPLE_FAULT) & 1) !== 0) {
    cpu.exitFor(EXIT_TRIPLE_FAULT);
    cpu.faulted = false;
    cpu.stopCode = -1;
    return RUN_EXIT;
  }
  return RUN_SHUTDOWN;
}

function countDelivery(cpu: Cpu): void {
  if (cpu.deliveriesAt === cpu.retired) {
    cpu.deliveries++;
    if (cpu.deliveries >= STILL) {
      cpu.retired++;
      cpu.deliveries = 0;
    }
  } else {
    cpu.deliveries = 1;
  }
  cpu.deliveriesAt = cpu.retired;
}

/** One try. False: `faulted`, with an exception, an exit or a stop. */
export function deliver(cpu: Cpu, vector: number, type: number, error: number): boolean {
  cpu.vectoringType = type;
  cpu.vectoringVector = vector;
  cpu.vectoringError = error;
  const done = throughGate(cpu, vector, type, error);
  cpu.vectoringType = VECTORING_NONE;
  return done;
}

function throughGate(cpu: Cpu, vector: number, type: number, error: number): boolean {
  const software = type === VECTORING_SOFTWARE_INTERRUPT || type === VECTORING_SOFTWARE_EXCEPTION;
  const ext = software ? 0 : 1;
  const idtError = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > cpu.idtLimit) return fail(cpu, GP, idtError);
  const gateAt = (cpu.idtBase + vector * 8) | 0;
  const low = systemRead(cpu, gateAt, 4);
  if (cpu.faulted) return false;
  const high = systemRead(cpu, (gateAt + 4) | 0, 4);
  if (cpu.faulted) return false;
  const kind = (high >>> 8) & 0x1f;
  if (kind !== 0x5 && kind !== 0x6 && kind !== 0x7 && kind !== 0xe && kind !== 0xf) {
    return fail(cpu, GP, idtError);
  }
  if (software && ((high >>> 13) & 3) < cpu.cpl) return fail(cpu, GP, idtError);
  if ((high & 0x8000) === 0) return fail(cpu, NP, idtError);
  if (kind === 0x5) return stop(cpu, "task gate in the IDT");
  const size = (kind & 8) !== 0 ? 4 : 2;
  const offset = size === 4 ? (high & 0xffff_0000) | (low & 0xffff) : low & 0xffff;

  const selector = low >>> 16;
  if ((selector & ~3) === 0) return fail(cpu, GP, ext);
  const codeError = (selector & 0xfffc) | ext;
  if (!readDescriptor(cpu, selector, GP, codeError)) return false;
  const codeLow = cpu.descLow;
  const codeHigh = cpu.descHigh;
  const attr = rightsOf(codeHigh);
  const dpl = dplOf(attr);
  if ((attr & (SEG_S | SEG_CODE)) !== (SEG_S | SEG_CODE) || dpl > cpu.cpl) return fail(cpu, GP, codeError);
  if ((attr & SEG_P) === 0) return fail(cpu, NP, codeError);
  const inner = (attr & SEG_DOWN_OR_CONFORMING) === 0 && dpl < cpu.cpl;

  let rest = cpu.eflags & ~FLAG_RF;
  // Faults push RF set; so do interrupts between two iterations of a string instruction (SDM vol. 3, 17.3.1.1).
  if ((type === VECTORING_HARDWARE_EXCEPTION && vector !== DB) || (cpu.midRep && !software)) rest |= FLAG_RF;
  else rest |= cpu.regs[REST]! & FLAG_RF;

  let newSs = cpu.segSelector[SS]!;
  let newEsp = cpu.regs[4]!;
  let stackLow = 0;
  let stackHigh = 0;
  let stackAttr = cpu.segAttr[SS]!;
  let stackBase = cpu.segBase[SS]!;
  let stackLimit = cpu.segLimit[SS]!;
  const cpl = inner ? dpl : cpu.cpl;
  if (inner) {
    if (!innerStack(cpu, dpl, ext)) return false;
    newSs = cpu.newSs;
    newEsp = cpu.newEsp;
    stackLow = cpu.descLow;
    stackHigh = cpu.descHigh;
    stackAttr = rightsOf(stackHigh);
    stackBase = baseOf(stackLow, stackHigh);
    stackLimit = limitOf(stackLow, stackHigh);
  }
  const words = (inner ? 5 : 3) + (error >= 0 ? 1 : 0);
  const bytes = words * size;
  const mask = (stackAttr & SEG_BIG) !== 0 ? -1 : 0xffff;
  const sp = (newEsp - bytes) & mask;
  if (!stackRoom(stackAttr, stackLimit, sp, bytes)) {
    return fail(cpu, SS_FAULT, inner ? (newSs & 0xfffc) | ext : ext);
  }
  if (limitOf(codeLow, codeHigh) < offset >>> 0) return fail(cpu, GP, ext);
  const user = cpl === 3 ? ACCESS_USER : 0;
  const frame = (stackBase + sp) | 0;
  if (!linearCheck(cpu, frame, bytes, user | ACCESS_WRITE)) return false;
  if (!markAccessed(cpu, selector, codeHigh)) return false;
  if (inner && !markAccessed(cpu, newSs, stackHigh)) return false;

  let at = frame;
  if (error >= 0) {
    linearWrite(cpu, at, size, error, user);
    if (cpu.faulted) return false;
    at = (at + size) | 0;
  }
  const values = [cpu.eip, cpu.segSelector[CS]!, rest, cpu.regs[4]!, cpu.segSelector[SS]!];
  for (let i = 0; i < (inner ? 5 : 3); i++) {
    linearWrite(cpu, at, size, values[i]!, user);
    if (cpu.faulted) return false;
    at = (at + size) | 0;
  }

  // From here on nothing can fail.
  if (cpu.trace.on) {
    if (type === VECTORING_HARDWARE_EXCEPTION) {
      cpu.trace.emit(EV_EXCEPTION, vector, Math.max(error, 0), vector === PF ? cpu.cr2 : 0);
    } else {
      cpu.trace.emit(EV_INTERRUPT, vector, software ? 1 : 0);
    }
  }
  if (inner) setSegment(cpu, SS, newSs, stackLow, stackHigh);
  cpu.regs[4] = (newEsp & ~mask) | sp;
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, codeLow, codeHigh);
  cpu.eip = offset;
  let flags = cpu.regs[REST]! & ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM);
  if ((kind & 1) === 0) flags &= ~FLAG_IF;
  cpu.regs[REST] = flags;
  cpu.setCpl(cpl);
  cpu.segmentsChanged();
  cpu.midRep = false;
  cpu.attention &= ~(ATT_SHADOW | ATT_HALTED);
  return true;
}

/** The stack of a more privileged level, from the TSS (SDM vol. 3, 5.8.5): `newSs`, `newEsp`, its descriptor in `desc…`. */
export function innerStack(cpu: Cpu, dpl: number, ext: number): boolean {
  const tr = cpu.segAttr[TR]!;
  const trError = (cpu.segSelector[TR]! & 0xfffc) | ext;
  if (isUnusable(tr)) return fail(cpu, TS, trError);
  const wide = (tr & 0xf) === 0xb || (tr & 0xf) === 0x9;
  const offset = wide ? dpl * 8 + 4 : dpl * 4 + 2;
  if (offset + (wide ? 5 : 3) > cpu.segLimit[TR]!) return fail(cpu, TS, trError);
  const at = (cpu.segBase[TR]! + offset) | 0;
  const esp = systemRead(cpu, at, wide ? 4 : 2);
  if (cpu.faulted) return false;
  const ss = systemRead(cpu, (at + (wide ? 4 : 2)) | 0, 2);
  if (cpu.faulted) return false;
  if ((ss & ~3) === 0) return fail(cpu, TS, ext);
  const error = (ss & 0xfffc) | ext;
  if ((ss & 3) !== dpl) return fail(cpu, TS, error);
  if (!readDescriptor(cpu, ss, TS, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  if ((attr & SEG_S) === 0 || !isWritable(attr) || dplOf(attr) !== dpl) return fail(cpu, TS, error);
  if ((attr & SEG_P) === 0) return fail(cpu, SS_FAULT, error);
  cpu.newSs = ss;
  cpu.newEsp = esp;
  return true;
}

function fail(cpu: Cpu, vector: number, error: number): boolean {
  cpu.raise(vector, error);
  return false;
}

function stop(cpu: Cpu, what: string): boolean {
  cpu.stopUnimplemented(what);
  return false;
}
