/**
 * Hardware task switching: JMP, CALL, IRET and the task gates of the IDT, between 16- and 32-bit TSSs
 * (SDM vol. 3, 7.2, 7.3, 7.4).
 *
 * Everything up to the commit point is probed first: until then nothing has changed and the instruction, or the
 * delivery, can be tried again. Behind it faults belong to the new task: the switch is complete, and the exception
 * finds the new task's CS:EIP. A hypervisor intercepts task switches (EXIT_TASK_SWITCH) and carries them out on its
 * emulator, whose accesses never exit; so nothing exits behind the commit point.
 */
import { linearCheck, systemRead, systemWrite } from "./access.ts";
import { ATT_DEBUG } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { debugChanged } from "./debug.ts";
import { ACCESS_WRITE, EXIT_TASK_SWITCH } from "./door.ts";
import { GP, NP, SS_FAULT, TS } from "./exceptions.ts";
import { FLAG_NT, FLAG_VM } from "./flags.ts";
import { CS, DS, ES, FS, GS, SS } from "./isa/insn.ts";
import {
  dplOf,
  isReadable,
  isUnusable,
  isWritable,
  LDTR,
  SEG_CODE,
  SEG_DOWN_OR_CONFORMING,
  SEG_P,
  SEG_S,
  TR,
} from "./segment-cache.ts";
import {
  baseOf,
  descriptorHigh,
  limitOf,
  markAccessed,
  markBusy,
  probeBusy,
  readDescriptor,
  rightsOf,
  setNull,
  setRealSegment,
  setSegment,
} from "./segments.ts";
import { loadTaskCr3 } from "./system.ts";

/** JMP: the old task is no longer busy. */
export const TASK_JUMP = 0;
/** CALL, interrupts and exceptions: the new task is nested, with a link back. */
export const TASK_NEST = 1;
/** IRET with NT set: back along the link. */
export const TASK_RETURN = 2;

/** Nothing has changed: `faulted`, with an exception of the old task or an exit. */
export const TASK_REFUSED = 0;
export const TASK_DONE = 1;
/** The new task runs, and an exception of its own is recorded (`faulted`). */
export const TASK_FAULTED = 2;

const CR0_TS = 8;
const DR7_LOCAL = 0x55;
const DR6_BT = 1 << 15;

// Offsets in a TSS (SDM vol. 3, figures 7-2 and 7-10), and the order of the general registers in both.
const LINK = 0;
const CR3_32 = 0x1c;
const EIP_32 = 0x20;
const REGS_32 = 0x28;
const SEGS_32 = 0x48;
const LDT_32 = 0x60;
const TRAP_32 = 0x64;
const IP_16 = 0x0e;
const REGS_16 = 0x12;
const SEGS_16 = 0x22;
const LDT_16 = 0x2a;
const LIMIT_32 = 0x67;
const LIMIT_16 = 0x2b;

/** ES CS SS DS FS GS of the incoming task. */
const selectors = new Int32Array(6);

function refuse(cpu: Cpu, vector: number, error: number): false {
  cpu.raise(vector, error);
  return false;
}

const isTss = (type: number): boolean => (type & 0x15) === 0x1;
const isBusy = (type: number): boolean => (type & 2) !== 0;

/**
 * The TSS that a task gate or a far pointer names, for JMP, CALL and events: in the GDT, available, present; its
 * descriptor in `desc…`. False: raised.
 */
export function gateTask(cpu: Cpu, selector: number, ext: number): boolean {
  const error = (selector & 0xfffc) | ext;
  if ((selector & 4) !== 0) return refuse(cpu, GP, error);
  if (!readDescriptor(cpu, selector, GP, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  if (!isTss(attr & 0x1f) || isBusy(attr)) return refuse(cpu, GP, error);
  return (attr & SEG_P) !== 0 || refuse(cpu, NP, error);
}

/** The TSS that the link of the running one names, for IRET: busy, present; its descriptor in `desc…`. -1: raised. */
export function linkedTask(cpu: Cpu): number {
  const selector = systemRead(cpu, (cpu.segBase[TR]! + LINK) | 0, 2);
  if (cpu.faulted) return -1;
  const error = selector & 0xfffc;
  let good = (selector & 4) === 0 || refuse(cpu, TS, error);
  good = good && readDescriptor(cpu, selector, TS, error);
  if (!good) return -1;
  const attr = rightsOf(cpu.descHigh);
  good = (isTss(attr & 0x1f) && isBusy(attr)) || refuse(cpu, TS, error);
  good = good && ((attr & SEG_P) !== 0 || refuse(cpu, NP, error));
  return good ? selector : -1;
}

/**
 * Switches to the task of `selector`, whose descriptor is in `desc…` and was checked. `how`: TASK_JUMP, TASK_NEST,
 * TASK_RETURN; `ext`: bit EXT of error codes; `eflags`: what is saved. Answers a TASK_….
 */
export function switchTask(cpu: Cpu, selector: number, how: number, ext: number, eflags: number): number {
  if (cpu.intercepting(EXIT_TASK_SWITCH)) {
    cpu.exitFor(EXIT_TASK_SWITCH);
    cpu.exit.value = selector & 0xffff;
    cpu.exit.vectoringType = cpu.vectoringType;
    cpu.exit.vectoringVector = cpu.vectoringVector;
    cpu.exit.vectoringError = cpu.vectoringError;
    return TASK_REFUSED;
  }
  const low = cpu.descLow;
  const high = cpu.descHigh;
  const wide = (high & 0x800) !== 0;
  const base = baseOf(low, high);
  const size = wide ? LIMIT_32 + 1 : LIMIT_16 + 1;
  const error = (selector & 0xfffc) | ext;
  if (limitOf(low, high) < size - 1) {
    cpu.raise(TS, error);
    return TASK_REFUSED;
  }
  if (!probe(cpu, selector, base, size, how)) return TASK_REFUSED;
  const oldSelector = cpu.segSelector[TR]!;
  const oldHigh = how === TASK_NEST || oldSelector === 0 ? 0 : descriptorHigh(cpu, oldSelector);
  if (cpu.faulted) return TASK_REFUSED;

  // The commit point: every access from here to the new descriptors has been probed.
  if (oldHigh !== 0) markBusy(cpu, oldSelector, oldHigh, false);
  saveState(cpu, how === TASK_RETURN ? eflags & ~FLAG_NT : eflags);
  if (how === TASK_NEST) systemWrite(cpu, (base + LINK) | 0, 2, oldSelector);
  if (how !== TASK_RETURN) markBusy(cpu, selector, high, true);
  setSegment(cpu, TR, selector & 0xffff, low, high | 0x200);
  cpu.cr0 |= CR0_TS;
  cpu.dr[7]! &= ~DR7_LOCAL;
  debugChanged(cpu);
  const cr3 = wide ? systemRead(cpu, (base + CR3_32) | 0, 4) : 0;
  const ldt = loadState(cpu, base, wide, how === TASK_NEST);
  const goodCr3 = !wide || loadTaskCr3(cpu, cr3);
  loadSegments(cpu, ldt, ext);
  // A CR3 whose PDPTEs are refused: where that is told the manual leaves open. The new task is whole by now.
  if (!goodCr3 && !cpu.faulted) cpu.raise(GP, 0);
  return cpu.faulted ? TASK_FAULTED : TASK_DONE;
}

/** Everything that must be readable or writable for the switch to go through (SDM vol. 3, 7.3, step 5). */
function probe(cpu: Cpu, selector: number, base: number, size: number, how: number): boolean {
  const old = cpu.segAttr[TR]!;
  const oldBase = cpu.segBase[TR]!;
  const oldWide = (old & 8) !== 0;
  const oldError = cpu.segSelector[TR]! & 0xfffc;
  if (isUnusable(old) || cpu.segLimit[TR]! < (oldWide ? LIMIT_32 : LIMIT_16))
    return refuse(cpu, TS, oldError);
  if (!linearCheck(cpu, base, size, 0)) return false;
  const from = oldWide ? EIP_32 : IP_16;
  const to = oldWide ? LDT_32 : LDT_16;
  if (!linearCheck(cpu, (oldBase + from) | 0, to - from, ACCESS_WRITE)) return false;
  if (how === TASK_NEST && !linearCheck(cpu, (base + LINK) | 0, 2, ACCESS_WRITE)) return false;
  if (how !== TASK_RETURN && !probeBusy(cpu, selector)) return false;
  return how === TASK_NEST || oldError === 0 || probeBusy(cpu, oldError);
}

/** Saves the running task in its TSS: not its CR3 and LDTR, which are static (SDM vol. 3, 7.2.1). */
function saveState(cpu: Cpu, eflags: number): void {
  const base = cpu.segBase[TR]!;
  const wide = (cpu.segAttr[TR]! & 8) !== 0;
  const size = wide ? 4 : 2;
  const at = base + (wide ? EIP_32 : IP_16);
  systemWrite(cpu, at | 0, size, cpu.eip);
  systemWrite(cpu, (at + size) | 0, size, eflags);
  const regs = base + (wide ? REGS_32 : REGS_16);
  for (let n = 0; n < 8; n++) systemWrite(cpu, (regs + n * size) | 0, size, cpu.regs[n]!);
  const segs = base + (wide ? SEGS_32 : SEGS_16);
  for (let seg = 0; seg < (wide ? 6 : 4); seg++) {
    systemWrite(cpu, (segs + seg * size) | 0, 2, cpu.segSelector[seg]!);
  }
}

/** Loads registers, EFLAGS, EIP and the selectors' numbers; answers the LDT's selector. */
function loadState(cpu: Cpu, base: number, wide: boolean, nest: boolean): number {
  const size = wide ? 4 : 2;
  const at = base + (wide ? EIP_32 : IP_16);
  const eip = systemRead(cpu, at | 0, size);
  let eflags = systemRead(cpu, (at + size) | 0, size);
  const regs = base + (wide ? REGS_32 : REGS_16);
  // A 16-bit TSS says nothing of the upper halves: they stay.
  for (let n = 0; n < 8; n++) {
    const value = systemRead(cpu, (regs + n * size) | 0, size);
    cpu.regs[n] = wide ? value : (cpu.regs[n]! & ~0xffff) | value;
  }
  const segs = base + (wide ? SEGS_32 : SEGS_16);
  for (let seg = 0; seg < 6; seg++) {
    selectors[seg] = wide || seg < FS ? systemRead(cpu, (segs + seg * size) | 0, 2) : 0;
  }
  const ldt = systemRead(cpu, (base + (wide ? LDT_32 : LDT_16)) | 0, 2);
  const trap = wide ? systemRead(cpu, (base + TRAP_32) | 0, 2) : 0;
  if (nest) eflags |= FLAG_NT;
  cpu.eip = eip;
  cpu.eflags = eflags;
  if ((trap & 1) !== 0) {
    cpu.debugHits |= DR6_BT;
    cpu.attention |= ATT_DEBUG;
  }
  return ldt;
}

/**
 * Loads LDTR and the segment registers from `selectors`; the first that does not pass raises its exception, in the new
 * task, and leaves the rest with their selectors alone.
 */
function loadSegments(cpu: Cpu, ldt: number, ext: number): void {
  const v86 = (cpu.eflags & FLAG_VM) !== 0;
  const cpl = v86 ? 3 : selectors[CS]! & 3;
  for (let seg = ES; seg <= GS; seg++) setNull(cpu, seg, selectors[seg]!);
  setNull(cpu, LDTR, ldt);
  if (!cpu.faulted && loadLdt(cpu, ldt, ext)) {
    if (v86) for (let seg = ES; seg <= GS; seg++) setRealSegment(cpu, seg, selectors[seg]!);
    else if (loadCode(cpu, ext) && loadStack(cpu, cpl, ext)) {
      for (const seg of [DS, ES, FS, GS]) if (!loadData(cpu, seg, cpl, ext)) break;
    }
  }
  cpu.setCpl(cpl);
  cpu.segmentsChanged();
  if (!cpu.faulted && cpu.eip >>> 0 > cpu.segLimit[CS]!) cpu.raise(GP, ext);
}

function loadLdt(cpu: Cpu, selector: number, ext: number): boolean {
  if ((selector & 0xfffc) === 0) return true;
  const error = (selector & 0xfffc) | ext;
  if ((selector & 4) !== 0) return refuse(cpu, TS, error);
  if (!readDescriptor(cpu, selector, TS, error)) return false;
  if ((rightsOf(cpu.descHigh) & 0x9f) !== 0x82) return refuse(cpu, TS, error);
  setSegment(cpu, LDTR, selector, cpu.descLow, cpu.descHigh);
  return true;
}

function load(cpu: Cpu, seg: number, selector: number): boolean {
  const low = cpu.descLow;
  const high = cpu.descHigh;
  if (!markAccessed(cpu, selector, high)) return false;
  setSegment(cpu, seg, selector, low, high);
  return true;
}

function loadCode(cpu: Cpu, ext: number): boolean {
  const selector = selectors[CS]!;
  const error = (selector & 0xfffc) | ext;
  if ((selector & 0xfffc) === 0) return refuse(cpu, TS, error);
  if (!readDescriptor(cpu, selector, TS, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  const rpl = selector & 3;
  const conforming = (attr & SEG_DOWN_OR_CONFORMING) !== 0;
  if ((attr & (SEG_S | SEG_CODE)) !== (SEG_S | SEG_CODE)) return refuse(cpu, TS, error);
  if (conforming ? dplOf(attr) > rpl : dplOf(attr) !== rpl) return refuse(cpu, TS, error);
  if ((attr & SEG_P) === 0) return refuse(cpu, NP, error);
  return load(cpu, CS, selector);
}

function loadStack(cpu: Cpu, cpl: number, ext: number): boolean {
  const selector = selectors[SS]!;
  const error = (selector & 0xfffc) | ext;
  if ((selector & 0xfffc) === 0) return refuse(cpu, TS, error);
  if (!readDescriptor(cpu, selector, TS, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  if ((attr & SEG_S) === 0 || !isWritable(attr)) return refuse(cpu, TS, error);
  if (dplOf(attr) !== cpl || (selector & 3) !== cpl) return refuse(cpu, TS, error);
  if ((attr & SEG_P) === 0) return refuse(cpu, SS_FAULT, error);
  return load(cpu, SS, selector);
}

function loadData(cpu: Cpu, seg: number, cpl: number, ext: number): boolean {
  const selector = selectors[seg]!;
  const error = (selector & 0xfffc) | ext;
  if ((selector & 0xfffc) === 0) return true;
  if (!readDescriptor(cpu, selector, TS, error)) return false;
  const attr = rightsOf(cpu.descHigh);
  if ((attr & SEG_S) === 0 || !isReadable(attr)) return refuse(cpu, TS, error);
  const conforming = (attr & (SEG_CODE | SEG_DOWN_OR_CONFORMING)) === (SEG_CODE | SEG_DOWN_OR_CONFORMING);
  if (!conforming && (dplOf(attr) < cpl || dplOf(attr) < (selector & 3))) return refuse(cpu, TS, error);
  if ((attr & SEG_P) === 0) return refuse(cpu, NP, error);
  return load(cpu, seg, selector);
}
