/**
 * Descriptors and the loading of segment registers, LDTR and TR (SDM vol. 3, 3.4, 5.4 to 5.7; vol. 2: MOV, LLDT, LTR).
 * The accessed and busy bits are written before the register changes, and only when everything else has passed.
 */
import { linearCheck, systemRead, systemWrite } from "./access.ts";
import { ATT_SHADOW, ATT_STACK } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { ACCESS_WRITE } from "./door.ts";
import { GP, NP, SS_FAULT } from "./exceptions.ts";
import { FLAG_VM, REST } from "./flags.ts";
import { BRANCH, CS, NEXT, SS, STOP } from "./isa/insn.ts";
import {
  ATTR_REAL,
  ATTR_V86,
  dplOf,
  isExpandDown,
  isReadable,
  isUnusable,
  isWritable,
  LDTR,
  SEG_BIG,
  SEG_CODE,
  SEG_DOWN_OR_CONFORMING,
  SEG_G,
  SEG_P,
  SEG_S,
  SEG_UNUSABLE,
  TR,
} from "./segment-cache.ts";

const CR0_PE = 1;

/** Protected mode proper: selectors name descriptors. False in real mode and in virtual-8086 mode. */
export function selectsDescriptors(cpu: Cpu): boolean {
  return (cpu.cr0 & CR0_PE) !== 0 && (cpu.regs[REST]! & FLAG_VM) === 0;
}

/** Access rights (segment-cache.ts) of a descriptor's upper word. */
export function rightsOf(high: number): number {
  return (high >>> 8) & 0xf0ff;
}

export function baseOf(low: number, high: number): number {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
}

/** Limit in bytes, unsigned. */
export function limitOf(low: number, high: number): number {
  const limit = (low & 0xffff) | (high & 0xf_0000);
  return (high & 0x80_0000) !== 0 ? ((limit << 12) | 0xfff) >>> 0 : limit;
}

/** Linear address of a selector's descriptor; call it only after `readDescriptor` found it within its table. */
function addressOf(cpu: Cpu, selector: number): number {
  const base = (selector & 4) !== 0 ? cpu.segBase[LDTR]! : cpu.gdtBase;
  return (base + (selector & 0xfff8)) | 0;
}

/** Reads a selector's descriptor into `descLow`, `descHigh`. Beyond its table: raises `vector` with `error`. */
export function readDescriptor(cpu: Cpu, selector: number, vector: number, error: number): boolean {
  const local = (selector & 4) !== 0;
  const limit = local ? cpu.segLimit[LDTR]! : cpu.gdtLimit;
  if ((local && isUnusable(cpu.segAttr[LDTR]!)) || (selector & 0xfff8) + 7 > limit) {
    cpu.raise(vector, error);
    return false;
  }
  const at = addressOf(cpu, selector);
  const low = systemRead(cpu, at, 4);
  if (cpu.faulted) return false;
  const high = systemRead(cpu, (at + 4) | 0, 4);
  if (cpu.faulted) return false;
  cpu.descLow = low;
  cpu.descHigh = high;
  return true;
}

/** Upper word of a descriptor of the GDT that was found within it before. Test `faulted`. */
export function descriptorHigh(cpu: Cpu, selector: number): number {
  return systemRead(cpu, (addressOf(cpu, selector) + 4) | 0, 4);
}

/** Sets the accessed bit of a code or data descriptor, if it is clear. False: faulted. */
export function markAccessed(cpu: Cpu, selector: number, high: number): boolean {
  if ((high & 0x100) !== 0) return true;
  return storeHigh(cpu, selector, high | 0x100);
}

function storeHigh(cpu: Cpu, selector: number, high: number): boolean {
  const at = (addressOf(cpu, selector) + 4) | 0;
  if (!linearCheck(cpu, at, 4, ACCESS_WRITE)) return false;
  systemWrite(cpu, at, 4, high);
  return !cpu.faulted;
}

/** Puts a descriptor into a segment register's hidden part. The caller calls `segmentsChanged` when it is done. */
export function setSegment(cpu: Cpu, seg: number, selector: number, low: number, high: number): void {
  cpu.segSelector[seg] = selector;
  cpu.segBase[seg] = baseOf(low, high);
  cpu.segLimit[seg] = limitOf(low, high);
  const system = (high & 0x1000) === 0;
  cpu.segAttr[seg] = rightsOf(high) | (system ? 0 : 1);
}

export function setNull(cpu: Cpu, seg: number, selector: number): void {
  cpu.segSelector[seg] = selector;
  cpu.segBase[seg] = 0;
  cpu.segLimit[seg] = 0;
  cpu.segAttr[seg] = SEG_UNUSABLE;
}

/**
 * Loads a segment register as real mode and virtual-8086 mode do: base = selector * 16. Real mode leaves limit and
 * attributes as they were (SDM vol. 3, 9.9.2), but for CS, whose access rights it loads. A register that was null gets
 * the attributes of a reset. The caller calls `segmentsChanged`.
 */
export function setRealSegment(cpu: Cpu, seg: number, selector: number): void {
  cpu.segSelector[seg] = selector & 0xffff;
  cpu.segBase[seg] = (selector & 0xffff) << 4;
  if ((cpu.cr0 & CR0_PE) !== 0) {
    cpu.segLimit[seg] = 0xffff;
    cpu.segAttr[seg] = ATTR_V86;
  } else if (isUnusable(cpu.segAttr[seg]!)) {
    cpu.segLimit[seg] = 0xffff;
    cpu.segAttr[seg] = ATTR_REAL;
  } else if (seg === CS) {
    cpu.segAttr[seg] = ATTR_REAL | (cpu.segAttr[seg]! & (SEG_G | SEG_BIG));
  }
}

/** Does a stack segment hold `bytes` at `sp` (already masked)? */
export function stackRoom(attr: number, limit: number, sp: number, bytes: number): boolean {
  const first = sp >>> 0;
  const last = first + bytes - 1;
  if (isExpandDown(attr)) return first > limit && last <= ((attr & SEG_BIG) !== 0 ? 0xffff_ffff : 0xffff);
  return last <= limit && ((attr & SEG_BIG) !== 0 || last <= 0xffff);
}

/**
 * MOV and POP to DS, ES, FS, GS, SS, and the far pointer loads. `shadow`: loading SS holds back interrupts and traps
 * for one instruction; LSS does not (SDM vol. 3, 6.8.3). Answers BRANCH where a block must end.
 */
export function loadSegment(cpu: Cpu, seg: number, selector: number, shadow = true): number {
  if (!selectsDescriptors(cpu)) {
    setRealSegment(cpu, seg, selector);
    return segmentLoaded(cpu, seg, shadow);
  }
  const error = selector & 0xfffc;
  if ((selector & 0xfffc) === 0) {
    if (seg === SS) return cpu.raise(GP, 0);
    setNull(cpu, seg, selector & 0xffff);
    cpu.segmentsChanged();
    return NEXT;
  }
  if (!readDescriptor(cpu, selector, GP, error)) return STOP;
  const low = cpu.descLow;
  const high = cpu.descHigh;
  const attr = rightsOf(high);
  const rpl = selector & 3;
  if (seg === SS) {
    if (rpl !== cpu.cpl || (attr & SEG_S) === 0 || !isWritable(attr) || dplOf(attr) !== cpu.cpl) {
      return cpu.raise(GP, error);
    }
    if ((attr & SEG_P) === 0) return cpu.raise(SS_FAULT, error);
  } else {
    if ((attr & SEG_S) === 0 || !isReadable(attr)) return cpu.raise(GP, error);
    const conforming = (attr & (SEG_CODE | SEG_DOWN_OR_CONFORMING)) === (SEG_CODE | SEG_DOWN_OR_CONFORMING);
    if (!conforming && (rpl > dplOf(attr) || cpu.cpl > dplOf(attr))) return cpu.raise(GP, error);
    if ((attr & SEG_P) === 0) return cpu.raise(NP, error);
  }
  if (!markAccessed(cpu, selector, high)) return STOP;
  setSegment(cpu, seg, selector & 0xffff, low, high);
  return segmentLoaded(cpu, seg, shadow);
}

function segmentLoaded(cpu: Cpu, seg: number, shadow: boolean): number {
  cpu.segmentsChanged();
  if (seg !== SS) return NEXT;
  if (shadow) cpu.attention |= ATT_SHADOW | ATT_STACK;
  return BRANCH;
}

/** Sets or clears the busy bit of a TSS descriptor (SDM vol. 3, 7.2.2). `high`: its upper word. False: faulted. */
export function markBusy(cpu: Cpu, selector: number, high: number, busy: boolean): boolean {
  return storeHigh(cpu, selector, busy ? high | 0x200 : high & ~0x200);
}

/** Could `markBusy` store? False: faulted. */
export function probeBusy(cpu: Cpu, selector: number): boolean {
  return linearCheck(cpu, (addressOf(cpu, selector) + 4) | 0, 4, ACCESS_WRITE);
}

/** LLDT. */
export function lldt(cpu: Cpu, selector: number): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  if ((selector & 0xfffc) === 0) {
    setNull(cpu, LDTR, selector & 0xffff);
    return NEXT;
  }
  const error = selector & 0xfffc;
  if ((selector & 4) !== 0) return cpu.raise(GP, error);
  if (!readDescriptor(cpu, selector, GP, error)) return STOP;
  const attr = rightsOf(cpu.descHigh);
  if ((attr & 0x1f) !== 0x2) return cpu.raise(GP, error);
  if ((attr & SEG_P) === 0) return cpu.raise(NP, error);
  setSegment(cpu, LDTR, selector & 0xffff, cpu.descLow, cpu.descHigh);
  return NEXT;
}

/** LTR: marks the TSS busy. */
export function ltr(cpu: Cpu, selector: number): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  const error = selector & 0xfffc;
  if (error === 0) return cpu.raise(GP, 0);
  if ((selector & 4) !== 0) return cpu.raise(GP, error);
  if (!readDescriptor(cpu, selector, GP, error)) return STOP;
  const low = cpu.descLow;
  const high = cpu.descHigh;
  const attr = rightsOf(high);
  if ((attr & 0x1f) !== 0x9 && (attr & 0x1f) !== 0x1) return cpu.raise(GP, error);
  if ((attr & SEG_P) === 0) return cpu.raise(NP, error);
  const busy = high | 0x200;
  if (!storeHigh(cpu, selector, busy)) return STOP;
  setSegment(cpu, TR, selector & 0xffff, low, busy);
  return NEXT;
}
