/**
 * Far transfers of protected mode: JMP, CALL, RET, IRET and software interrupts, through gates, tasks and into
 * virtual-8086 mode (SDM vol. 3, 5.8, 6.12, 7.3, 20.2.5; vol. 2). Those of real and virtual-8086 mode: real.ts.
 * `opsize` is 2 or 4 bytes. `cpu.eip` is the address behind the instruction.
 */
import { misaligned, userBit } from "./access.ts";
import type { Cpu } from "./cpu.ts";
import { deliver, innerStack } from "./delivery.ts";
import { ACCESS_USER, VECTORING_HARDWARE_EXCEPTION } from "./door.ts";
import { GP, NP, PF, SS_FAULT } from "./exceptions.ts";
import {
  FLAG_AC,
  FLAG_DF,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_STATUS,
  REST,
} from "./flags.ts";
import { frameWords, probeFrame, stackMaskOf, storeFrame } from "./frame.ts";
import { BRANCH, CS, DS, ES, FS, GS, SS, STOP } from "./isa/insn.ts";
import { realCall, realInterruptReturn, realJump, realReturn } from "./real.ts";
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
  selectsDescriptors,
  setNull,
  setRealSegment,
  setSegment,
} from "./segments.ts";
import {
  gateTask,
  linkedTask,
  switchTask,
  TASK_FAULTED,
  TASK_JUMP,
  TASK_NEST,
  TASK_REFUSED,
  TASK_RETURN,
} from "./task.ts";

const isCode = (attr: number): boolean => (attr & (SEG_S | SEG_CODE)) === (SEG_S | SEG_CODE);
const isConforming = (attr: number): boolean => (attr & SEG_DOWN_OR_CONFORMING) !== 0;

/** Commits CS:EIP at privilege `cpl`. */
function enter(cpu: Cpu, selector: number, low: number, high: number, eip: number, cpl: number): void {
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, low, high);
  cpu.eip = eip;
  cpu.setCpl(cpl);
  cpu.segmentsChanged();
}

/** The checks that JMP and CALL make of a code descriptor without a gate. */
function directCheck(cpu: Cpu, selector: number, attr: number): boolean {
  const error = selector & 0xfffc;
  const dpl = dplOf(attr);
  const allowed = isConforming(attr) ? dpl <= cpu.cpl : dpl === cpu.cpl && (selector & 3) <= cpu.cpl;
  if (!allowed) {
    cpu.raise(GP, error);
    return false;
  }
  if ((attr & SEG_P) === 0) {
    cpu.raise(NP, error);
    return false;
  }
  return true;
}

export function farJump(cpu: Cpu, selector: number, offset: number, opsize: number): number {
  if (!selectsDescriptors(cpu)) return realJump(cpu, selector, offset, opsize);
  const error = selector & 0xfffc;
  if (error === 0) return cpu.raise(GP, 0);
  if (!readDescriptor(cpu, selector, GP, error)) return STOP;
  const attr = rightsOf(cpu.descHigh);
  if (!isCode(attr)) return viaGate(cpu, selector, attr, false);
  if (!directCheck(cpu, selector, attr)) return STOP;
  const low = cpu.descLow;
  const high = cpu.descHigh;
  const target = opsize === 4 ? offset | 0 : offset & 0xffff;
  if (target >>> 0 > limitOf(low, high)) return cpu.raise(GP, 0);
  if (!markAccessed(cpu, selector, high)) return STOP;
  enter(cpu, selector, low, high, target, cpu.cpl);
  return BRANCH;
}

export function farCall(cpu: Cpu, selector: number, offset: number, opsize: number): number {
  if (!selectsDescriptors(cpu)) return realCall(cpu, selector, offset, opsize);
  const error = selector & 0xfffc;
  if (error === 0) return cpu.raise(GP, 0);
  if (!readDescriptor(cpu, selector, GP, error)) return STOP;
  const attr = rightsOf(cpu.descHigh);
  if (!isCode(attr)) return viaGate(cpu, selector, attr, true);
  if (!directCheck(cpu, selector, attr)) return STOP;
  return callTo(cpu, selector, cpu.descLow, cpu.descHigh, offset, opsize);
}

/** CALL within one privilege level: pushes CS and EIP of `opsize`. */
function callTo(
  cpu: Cpu,
  selector: number,
  low: number,
  high: number,
  offset: number,
  opsize: number,
): number {
  const target = opsize === 4 ? offset | 0 : offset & 0xffff;
  const attr = cpu.segAttr[SS]!;
  const base = cpu.segBase[SS]!;
  const esp = cpu.regs[4]!;
  const user = userBit(cpu);
  frameWords[0] = cpu.segSelector[CS]!;
  frameWords[1] = cpu.eip;
  if (!probeFrame(cpu, base, cpu.segLimit[SS]!, attr, esp, 2, opsize, user)) {
    return cpu.faulted ? STOP : cpu.raise(SS_FAULT, 0);
  }
  if (target >>> 0 > limitOf(low, high)) return cpu.raise(GP, 0);
  if (misaligned(cpu, (base + ((esp - opsize) & stackMaskOf(attr))) | 0, opsize)) return STOP;
  if (!markAccessed(cpu, selector, high)) return STOP;
  if (!storeFrame(cpu, base, attr, esp, 2, opsize, user)) return STOP;
  cpu.regs[4] = cpu.moveSp(-2 * opsize);
  enter(cpu, selector, low, high, target, cpu.cpl);
  return BRANCH;
}

/** JMP or CALL to a system descriptor. */
function viaGate(cpu: Cpu, selector: number, attr: number, call: boolean): number {
  const error = selector & 0xfffc;
  const kind = attr & 0x1f;
  if (kind === 0x5 || kind === 0x1 || kind === 0x9) {
    if (dplOf(attr) < cpu.cpl || dplOf(attr) < (selector & 3)) return cpu.raise(GP, error);
    if ((attr & SEG_P) === 0) return cpu.raise(NP, error);
    const task = kind === 0x5 ? cpu.descLow >>> 16 : selector;
    if (!gateTask(cpu, task, 0)) return STOP;
    return switched(cpu, switchTask(cpu, task, call ? TASK_NEST : TASK_JUMP, 0, cpu.eflags));
  }
  if (kind !== 0x4 && kind !== 0xc) return cpu.raise(GP, error);
  if (dplOf(attr) < cpu.cpl || dplOf(attr) < (selector & 3)) return cpu.raise(GP, error);
  if ((attr & SEG_P) === 0) return cpu.raise(NP, error);
  const wide = kind === 0xc;
  const size = wide ? 4 : 2;
  const offset = wide ? (cpu.descHigh & 0xffff_0000) | (cpu.descLow & 0xffff) : cpu.descLow & 0xffff;
  const count = cpu.descHigh & 0x1f;
  const target = cpu.descLow >>> 16;
  const targetError = target & 0xfffc;
  if (targetError === 0) return cpu.raise(GP, 0);
  if (!readDescriptor(cpu, target, GP, targetError)) return STOP;
  const low = cpu.descLow;
  const high = cpu.descHigh;
  const code = rightsOf(high);
  const dpl = dplOf(code);
  if (!isCode(code) || dpl > cpu.cpl) return cpu.raise(GP, targetError);
  if (!call && !isConforming(code) && dpl !== cpu.cpl) return cpu.raise(GP, targetError);
  if ((code & SEG_P) === 0) return cpu.raise(NP, targetError);
  if (call && !isConforming(code) && dpl < cpu.cpl) {
    return callInner(cpu, target, low, high, offset, size, count, dpl);
  }
  if (call) return callTo(cpu, target, low, high, offset, size);
  if (offset >>> 0 > limitOf(low, high)) return cpu.raise(GP, 0);
  if (!markAccessed(cpu, target, high)) return STOP;
  enter(cpu, target, low, high, offset, cpu.cpl);
  return BRANCH;
}

/** CALL through a gate to a more privileged level: a new stack, with `count` parameters copied to it. */
function callInner(
  cpu: Cpu,
  selector: number,
  low: number,
  high: number,
  offset: number,
  size: number,
  count: number,
  dpl: number,
): number {
  if (!innerStack(cpu, dpl, 0)) return STOP;
  const newSs = cpu.newSs;
  const newEsp = cpu.newEsp;
  const ssLow = cpu.descLow;
  const ssHigh = cpu.descHigh;
  const attr = rightsOf(ssHigh);
  const base = baseOf(ssLow, ssHigh);
  const words = 4 + count;
  const user = dpl === 3 ? ACCESS_USER : 0;
  frameWords[0] = cpu.segSelector[SS]!;
  frameWords[1] = cpu.regs[4]!;
  if (!probeFrame(cpu, base, limitOf(ssLow, ssHigh), attr, newEsp, words, size, user)) {
    return cpu.faulted ? STOP : cpu.raise(SS_FAULT, newSs & 0xfffc);
  }
  if (offset >>> 0 > limitOf(low, high)) return cpu.raise(GP, 0);
  for (let i = 0; i < count; i++) {
    // The parameter pushed first lies highest.
    const from = (cpu.regs[4]! + (count - 1 - i) * size) & cpu.stackMask;
    frameWords[2 + i] = size === 4 ? cpu.read32(SS, from) : cpu.read16(SS, from);
    if (cpu.faulted) return STOP;
  }
  frameWords[2 + count] = cpu.segSelector[CS]!;
  frameWords[3 + count] = cpu.eip;
  if (!markAccessed(cpu, selector, high) || !markAccessed(cpu, newSs, ssHigh)) return STOP;
  if (!storeFrame(cpu, base, attr, newEsp, words, size, user)) return STOP;
  const mask = stackMaskOf(attr);
  setSegment(cpu, SS, newSs, ssLow, ssHigh);
  cpu.regs[4] = (newEsp & ~mask) | ((newEsp - words * size) & mask);
  enter(cpu, selector, low, high, offset, dpl);
  return BRANCH;
}

/** One item of the stack, `index` items above ESP. */
function peekStack(cpu: Cpu, index: number, size: number, extra = 0): number {
  const sp = (cpu.regs[4]! + index * size + extra) & cpu.stackMask;
  return size === 4 ? cpu.read32(SS, sp) : cpu.read16(SS, sp);
}

/** Data segments that the outer level may not use become null (SDM vol. 2, IRET, RET). */
function nullInner(cpu: Cpu, cpl: number): void {
  for (const seg of [ES, DS, FS, GS]) {
    const attr = cpu.segAttr[seg]!;
    if (isUnusable(attr)) continue;
    const conformingCode = (attr & SEG_CODE) !== 0 && isConforming(attr);
    if (!conformingCode && dplOf(attr) < cpl) setNull(cpu, seg, 0);
  }
}

/** The code descriptor that RET and IRET return to; low and high in `desc…`. False: raised. */
function returnCode(cpu: Cpu, selector: number): boolean {
  const error = selector & 0xfffc;
  if (error === 0) {
    cpu.raise(GP, 0);
    return false;
  }
  if (!readDescriptor(cpu, selector, GP, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  const rpl = selector & 3;
  const dpl = dplOf(attr);
  if (!isCode(attr) || rpl < cpu.cpl || (isConforming(attr) ? dpl > rpl : dpl !== rpl)) {
    cpu.raise(GP, error);
    return false;
  }
  if ((attr & SEG_P) === 0) {
    cpu.raise(NP, error);
    return false;
  }
  return true;
}

/** The stack descriptor that a return to an outer level loads. False: raised. */
function returnStack(cpu: Cpu, ss: number, rpl: number): boolean {
  const error = ss & 0xfffc;
  if (error === 0) {
    cpu.raise(GP, 0);
    return false;
  }
  if (!readDescriptor(cpu, ss, GP, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  if ((ss & 3) !== rpl || (attr & SEG_S) === 0 || !isWritable(attr) || dplOf(attr) !== rpl) {
    cpu.raise(GP, error);
    return false;
  }
  if ((attr & SEG_P) === 0) {
    cpu.raise(SS_FAULT, error);
    return false;
  }
  return true;
}

/** Far RET; `popBytes` is the immediate of RET imm16. */
export function farReturn(cpu: Cpu, opsize: number, popBytes: number): number {
  if (!selectsDescriptors(cpu)) return realReturn(cpu, opsize, popBytes);
  const eip = peekStack(cpu, 0, opsize);
  if (cpu.faulted) return STOP;
  const selector = peekStack(cpu, 1, opsize) & 0xffff;
  if (cpu.faulted) return STOP;
  return returnTo(cpu, selector, eip, opsize, 2, popBytes, -1);
}

/** IRET, IRETD. */
export function iret(cpu: Cpu, opsize: number): number {
  const answer = interruptReturn(cpu, opsize);
  if (answer !== STOP) cpu.blockNmi(false);
  return answer;
}

function interruptReturn(cpu: Cpu, opsize: number): number {
  if (!selectsDescriptors(cpu)) return realInterruptReturn(cpu, opsize);
  if ((cpu.regs[REST]! & FLAG_NT) !== 0) {
    const task = linkedTask(cpu);
    return task < 0 ? STOP : switched(cpu, switchTask(cpu, task, TASK_RETURN, 0, cpu.eflags));
  }
  const eip = peekStack(cpu, 0, opsize);
  if (cpu.faulted) return STOP;
  const selector = peekStack(cpu, 1, opsize) & 0xffff;
  if (cpu.faulted) return STOP;
  const flags = peekStack(cpu, 2, opsize);
  if (cpu.faulted) return STOP;
  if (opsize === 4 && (flags & FLAG_VM) !== 0 && cpu.cpl === 0) {
    return returnToV86(cpu, eip, selector, flags);
  }
  // Which bits IRET may load depends on the CPL that it is executed at (SDM vol. 2, IRET).
  let mask = FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT;
  if (opsize === 4) mask |= FLAG_RF | FLAG_AC | FLAG_ID;
  const iopl = (cpu.regs[REST]! & FLAG_IOPL) >>> 12;
  if (cpu.cpl <= iopl) mask |= FLAG_IF;
  if (cpu.cpl === 0) mask |= opsize === 4 ? FLAG_IOPL | FLAG_VIF | FLAG_VIP : FLAG_IOPL;
  const loaded = (cpu.eflags & ~mask) | (flags & mask);
  return returnTo(cpu, selector, eip, opsize, 3, 0, loaded);
}

/** IRETD at level 0 with VM in its image: nine words, everything of EFLAGS (SDM vol. 2, IRET; vol. 3, 20.2.5). */
function returnToV86(cpu: Cpu, eip: number, selector: number, flags: number): number {
  for (let i = 0; i < 6; i++) {
    frameWords[i] = peekStack(cpu, 3 + i, 4);
    if (cpu.faulted) return STOP;
  }
  if (eip >>> 0 > 0xffff) return cpu.raise(GP, 0);
  cpu.eflags = flags;
  cpu.regs[4] = frameWords[0]!;
  setRealSegment(cpu, CS, selector);
  setRealSegment(cpu, SS, frameWords[1]!);
  setRealSegment(cpu, ES, frameWords[2]!);
  setRealSegment(cpu, DS, frameWords[3]!);
  setRealSegment(cpu, FS, frameWords[4]!);
  setRealSegment(cpu, GS, frameWords[5]!);
  cpu.eip = eip;
  cpu.setCpl(3);
  cpu.segmentsChanged();
  return BRANCH;
}

/** What an instruction that switched tasks answers: an exception of the new task waits until the instruction has retired. */
function switched(cpu: Cpu, answer: number): number {
  if (answer === TASK_REFUSED) return STOP;
  if (answer === TASK_FAULTED) pend(cpu);
  return BRANCH;
}

/** The exception that is recorded is delivered before the next instruction. */
function pend(cpu: Cpu): void {
  if (cpu.excVector === PF) cpu.cr2 = cpu.excAddress;
  cpu.faulted = false;
  cpu.inject(cpu.excVector, VECTORING_HARDWARE_EXCEPTION, cpu.excError);
}

/** The common part of RET and IRET. `items` lie on the stack before an outer ESP and SS; `eflags` -1: not loaded. */
function returnTo(
  cpu: Cpu,
  selector: number,
  eip: number,
  opsize: number,
  items: number,
  popBytes: number,
  eflags: number,
): number {
  if (!returnCode(cpu, selector)) return STOP;
  const low = cpu.descLow;
  const high = cpu.descHigh;
  const rpl = selector & 3;
  const target = opsize === 4 ? eip : eip & 0xffff;
  const outer = rpl > cpu.cpl;
  if (!outer) {
    if (target >>> 0 > limitOf(low, high)) return cpu.raise(GP, 0);
    if (!markAccessed(cpu, selector, high)) return STOP;
    cpu.regs[4] = cpu.moveSp(items * opsize + popBytes);
    enter(cpu, selector, low, high, target, rpl);
  } else {
    const esp = peekStack(cpu, items, opsize, popBytes);
    if (cpu.faulted) return STOP;
    const ss = peekStack(cpu, items + 1, opsize, popBytes) & 0xffff;
    if (cpu.faulted) return STOP;
    if (!returnStack(cpu, ss, rpl)) return STOP;
    const ssLow = cpu.descLow;
    const ssHigh = cpu.descHigh;
    if (target >>> 0 > limitOf(low, high)) return cpu.raise(GP, 0);
    if (!markAccessed(cpu, selector, high) || !markAccessed(cpu, ss, ssHigh)) return STOP;
    setSegment(cpu, SS, ss, ssLow, ssHigh);
    const big = (rightsOf(ssHigh) & SEG_BIG) !== 0;
    // With a 16-bit stack only SP is loaded.
    cpu.regs[4] = big ? (esp + popBytes) | 0 : (cpu.regs[4]! & ~0xffff) | ((esp + popBytes) & 0xffff);
    enter(cpu, selector, low, high, target, rpl);
    nullInner(cpu, rpl);
    cpu.segmentsChanged();
  }
  if (eflags !== -1) cpu.eflags = eflags;
  return BRANCH;
}

/** INT n, INT3, INTO, INT1. `type`: VECTORING_SOFTWARE_INTERRUPT, …_SOFTWARE_EXCEPTION or …_PRIVILEGED. */
export function softwareInterrupt(cpu: Cpu, vector: number, type: number): number {
  const task = cpu.segSelector[TR]!;
  if (deliver(cpu, vector, type, -1)) return BRANCH;
  // Through a task gate: the switch was made, and what went wrong is the new task's.
  if (cpu.stopCode >= 0 || cpu.segSelector[TR] === task) return STOP;
  pend(cpu);
  return BRANCH;
}
