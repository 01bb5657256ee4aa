/**
 * Delivery of exceptions and interrupts: through the IDT's gates, out of virtual-8086 mode too, and through real mode's
 * vector table (SDM vol. 3, 6.12, 20.1.4, 20.3; vol. 2, INT n).
 * Everything is checked before anything changes; a second exception on the way combines with the first.
 *
 * A delivery is a unit of its own in which no instruction retires. So that time always moves, every 64th delivery in
 * a row without a retired instruction counts as one retired unit (a handler that faults at once would stand still).
 */
import { EV_EXCEPTION, EV_INTERRUPT } from "../trace/events.ts";
import { systemRead } from "./access.ts";
import { ATT_HALTED, ATT_SHADOW, ATT_STACK } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import {
  ACCESS_USER,
  EXIT_TRIPLE_FAULT,
  RUN_EXIT,
  RUN_FAULTED,
  RUN_SHUTDOWN,
  VECTORING_HARDWARE_EXCEPTION,
  VECTORING_NMI,
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
import { FLAG_AC, FLAG_IF, FLAG_IOPL, FLAG_NT, FLAG_RF, FLAG_TF, FLAG_VM, REST } from "./flags.ts";
import { frameWords, probeFrame, stackMaskOf, storeFrame } from "./frame.ts";
import { CS, DS, ES, FS, GS, SS } from "./isa/insn.ts";
import {
  dplOf,
  isUnusable,
  isWritable,
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
  setNull,
  setRealSegment,
  setSegment,
} from "./segments.ts";
import { gateTask, switchTask, TASK_DONE, TASK_NEST, TASK_REFUSED } from "./task.ts";

const CR0_PE = 1;
const DR7_GD = 1 << 13;
/** Data segments in the order in which they are pushed when an event leaves virtual-8086 mode (SDM vol. 3, 20.3.1.1). */
const V86_FRAME: readonly number[] = [GS, FS, DS, ES];

const STILL = 64;

/** Delivers the exception that the last instruction raised. RUN_FAULTED, or what came of it. */
export function takeException(cpu: Cpu): number {
  const { cr2 } = cpu;
  if (cpu.excVector === PF) cpu.cr2 = cpu.excAddress;
  const answer = deliverEvent(cpu, cpu.excVector, VECTORING_HARDWARE_EXCEPTION, cpu.excError, cr2);
  cpu.debugFault = false;
  return answer;
}

/**
 * Delivers an event: RUN_FAULTED when it (or the exception that took its place) was, RUN_EXIT when an access of it
 * exits, RUN_SHUTDOWN, RUN_UNIMPLEMENTED. EIP is what a return goes to. `cr2`: what CR2 holds again when an access of the
 * delivery exits. Whatever was delivered comes back, but a page fault need not: a page-walk cache forgot what it came from.
 */
export function deliverEvent(cpu: Cpu, vector: number, type: number, error: number, cr2 = cpu.cr2): number {
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
      cpu.cr2 = cr2;
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
  const done = dispatch(cpu, vector, type, error);
  cpu.vectoringType = VECTORING_NONE;
  return done;
}

function dispatch(cpu: Cpu, vector: number, type: number, error: number): boolean {
  if ((cpu.cr0 & CR0_PE) === 0) return throughVector(cpu, vector, type);
  const rest = cpu.regs[REST]!;
  // INT n depends on IOPL in virtual-8086 mode, INT3 and INTO do not (SDM vol. 3, 20.2.7).
  if ((rest & FLAG_VM) !== 0 && type === VECTORING_SOFTWARE_INTERRUPT && (rest & FLAG_IOPL) !== FLAG_IOPL) {
    return fail(cpu, GP, 0);
  }
  return throughGate(cpu, vector, type, error);
}

/** Is the bit EXT of an error code clear: INT n, INT3, INTO (SDM vol. 3, 6.13)? */
function isSoftware(type: number): boolean {
  return type === VECTORING_SOFTWARE_INTERRUPT || type === VECTORING_SOFTWARE_EXCEPTION;
}

/** Real mode: the interrupt vector table, three words on the stack, no error code (SDM vol. 3, 20.1.4; vol. 2, INT n). */
function throughVector(cpu: Cpu, vector: number, type: number): boolean {
  if (vector * 4 + 3 > cpu.idtLimit) return fail(cpu, GP, 0);
  const at = (cpu.idtBase + vector * 4) | 0;
  const ip = systemRead(cpu, at, 2);
  if (cpu.faulted) return false;
  const selector = systemRead(cpu, (at + 2) | 0, 2);
  if (cpu.faulted) return false;
  const attr = cpu.segAttr[SS]!;
  const base = cpu.segBase[SS]!;
  const esp = cpu.regs[4]!;
  frameWords[0] = cpu.eflags;
  frameWords[1] = cpu.segSelector[CS]!;
  frameWords[2] = cpu.eip;
  if (!probeFrame(cpu, base, cpu.segLimit[SS]!, attr, esp, 3, 2, 0)) {
    return cpu.faulted ? false : fail(cpu, SS_FAULT, 0);
  }
  if (ip > cpu.segLimit[CS]!) return fail(cpu, GP, 0);
  if (!storeFrame(cpu, base, attr, esp, 3, 2, 0)) return false;
  tell(cpu, vector, type, -1);
  cpu.regs[4] = cpu.moveSp(-6);
  setRealSegment(cpu, CS, selector);
  cpu.eip = ip;
  cpu.regs[REST]! &= ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
  arrived(cpu, vector, type);
  return true;
}

/** The event of a delivery that can fail no more. */
function tell(cpu: Cpu, vector: number, type: number, error: number): void {
  if (!cpu.trace.on) return;
  if (type === VECTORING_HARDWARE_EXCEPTION) {
    cpu.trace.emit(EV_EXCEPTION, vector, Math.max(error, 0), vector === PF ? cpu.cr2 : 0);
  } else {
    cpu.trace.emit(EV_INTERRUPT, vector, isSoftware(type) ? 1 : 0);
  }
}

/** What every delivery ends with: the handler's first instruction is next. */
function arrived(cpu: Cpu, vector: number, type: number): void {
  cpu.segmentsChanged();
  cpu.midRep = false;
  cpu.attention &= ~(ATT_SHADOW | ATT_STACK | ATT_HALTED);
  if (type === VECTORING_NMI) cpu.blockNmi(true);
  // The debug handler begins with the debug registers accessible (SDM vol. 3, 17.2.4, GD).
  if (vector === DB && !isSoftware(type)) cpu.dr[7]! &= ~DR7_GD;
}

/** RF as it is pushed (SDM vol. 3, 17.3.1.1). */
function pushedRf(cpu: Cpu, vector: number, type: number): number {
  if (type === VECTORING_HARDWARE_EXCEPTION && (vector !== DB || cpu.debugFault)) return FLAG_RF;
  if (cpu.midRep && !isSoftware(type)) return FLAG_RF;
  return cpu.regs[REST]! & FLAG_RF;
}

function throughGate(cpu: Cpu, vector: number, type: number, error: number): boolean {
  const software = isSoftware(type);
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
  const rf = pushedRf(cpu, vector, type);
  if (kind === 0x5) return throughTaskGate(cpu, low >>> 16, vector, type, error, rf);
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
  const v86 = (cpu.regs[REST]! & FLAG_VM) !== 0;
  // Out of virtual-8086 mode an event leads to level 0 and nowhere else.
  if (v86 && (!inner || dpl !== 0)) return fail(cpu, GP, codeError);

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
  let n = 0;
  if (v86) for (const seg of V86_FRAME) frameWords[n++] = cpu.segSelector[seg]!;
  if (inner) {
    frameWords[n++] = cpu.segSelector[SS]!;
    frameWords[n++] = cpu.regs[4]!;
  }
  frameWords[n++] = (cpu.eflags & ~FLAG_RF) | rf;
  frameWords[n++] = cpu.segSelector[CS]!;
  frameWords[n++] = cpu.eip;
  if (error >= 0) frameWords[n++] = error;
  const user = cpl === 3 ? ACCESS_USER : 0;
  if (!probeFrame(cpu, stackBase, stackLimit, stackAttr, newEsp, n, size, user)) {
    return cpu.faulted ? false : fail(cpu, SS_FAULT, inner ? (newSs & 0xfffc) | ext : ext);
  }
  if (limitOf(codeLow, codeHigh) < offset >>> 0) return fail(cpu, GP, ext);
  if (!markAccessed(cpu, selector, codeHigh)) return false;
  if (inner && !markAccessed(cpu, newSs, stackHigh)) return false;
  if (!storeFrame(cpu, stackBase, stackAttr, newEsp, n, size, user)) return false;

  // From here on nothing can fail.
  tell(cpu, vector, type, error);
  if (inner) setSegment(cpu, SS, newSs, stackLow, stackHigh);
  if (v86) for (const seg of V86_FRAME) setNull(cpu, seg, 0);
  const mask = stackMaskOf(stackAttr);
  cpu.regs[4] = (newEsp & ~mask) | ((newEsp - n * size) & mask);
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, codeLow, codeHigh);
  cpu.eip = offset;
  let flags = cpu.regs[REST]! & ~(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM);
  if ((kind & 1) === 0) flags &= ~FLAG_IF;
  cpu.regs[REST] = flags;
  cpu.setCpl(cpl);
  arrived(cpu, vector, type);
  return true;
}

/** A task gate of the IDT: a task switch that nests; the error code goes onto the new task's stack (SDM vol. 3, 7.3). */
function throughTaskGate(
  cpu: Cpu,
  selector: number,
  vector: number,
  type: number,
  error: number,
  rf: number,
): boolean {
  const software = isSoftware(type);
  const ext = software ? 0 : 1;
  if (!gateTask(cpu, selector, ext)) return false;
  const answer = switchTask(cpu, selector, TASK_NEST, ext, (cpu.eflags & ~FLAG_RF) | rf);
  if (answer === TASK_REFUSED) return false;
  tell(cpu, vector, type, error);
  arrived(cpu, vector, type);
  return answer === TASK_DONE && (error < 0 || pushErrorCode(cpu, error));
}

/** In the new task already: what goes wrong here is that task's. */
function pushErrorCode(cpu: Cpu, error: number): boolean {
  const size = (cpu.segAttr[TR]! & 8) !== 0 ? 4 : 2;
  const attr = cpu.segAttr[SS]!;
  const user = cpu.cpl === 3 ? ACCESS_USER : 0;
  frameWords[0] = error;
  if (!probeFrame(cpu, cpu.segBase[SS]!, cpu.segLimit[SS]!, attr, cpu.regs[4]!, 1, size, user)) {
    return cpu.faulted ? false : fail(cpu, SS_FAULT, 1);
  }
  if (!storeFrame(cpu, cpu.segBase[SS]!, attr, cpu.regs[4]!, 1, size, user)) return false;
  cpu.regs[4] = cpu.moveSp(-size);
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
