/**
 * x87 control: the control, status and tag words, the environment, and all of the state in memory
 * (SDM vol. 1, 8.1.10, figures 8-9 to 8-12; vol. 2: FLDCW … FXRSTOR).
 */
import type { Cpu } from "../../cpu.ts";
import { FLAG_VM, REST } from "../../flags.ts";
import { FCS, FDP, FDS, FIP, FOP, type Fpu } from "../../fpu/state.ts";
import { BUSY, ES, EXCEPTIONS, SF } from "../../fpu/words.ts";
import { type Exec, type Insn, NEXT, STOP } from "../insn.ts";
import { ea, set16, VECTOR_GP, VECTOR_NM, VECTOR_UD } from "./operand.ts";
import { immediate, reach, waiting } from "./x87.ts";

const CR0_PE = 1;
const CR0_EM = 4;
const CR0_TS = 8;

export const fninit: Exec = immediate((_cpu, fpu) => {
  fpu.init();
  return NEXT;
});

export const fnclex: Exec = immediate((_cpu, fpu) => {
  fpu.sw &= ~(BUSY | ES | SF | EXCEPTIONS);
  return NEXT;
});

export const fnstswAx: Exec = immediate((cpu, fpu) => {
  set16(cpu.regs, 0, fpu.status);
  return NEXT;
});

export const fnstsw: Exec = immediate((cpu, fpu, insn) => {
  cpu.write16(insn.seg, ea(cpu.regs, insn), fpu.status);
  return cpu.faulted ? STOP : NEXT;
});

export const fnstcw: Exec = immediate((cpu, fpu, insn) => {
  cpu.write16(insn.seg, ea(cpu.regs, insn), fpu.cw);
  return cpu.faulted ? STOP : NEXT;
});

export const fldcw: Exec = waiting((cpu, fpu, insn) => {
  const v = cpu.read16(insn.seg, ea(cpu.regs, insn));
  if (cpu.faulted) return STOP;
  fpu.setControl(v);
  return NEXT;
});

// --- the environment: seven words, of 32 or 16 bits

/** The protected-mode layout, or that of real and virtual-8086 mode? */
function isProtected(cpu: Cpu): boolean {
  return (cpu.cr0 & CR0_PE) !== 0 && (cpu.regs[REST]! & FLAG_VM) === 0;
}

const words = new Int32Array(7);

/** The seven words as they are stored. */
function environment(cpu: Cpu, fpu: Fpu, wide: boolean): void {
  const last = fpu.last;
  const high = wide ? 0xffff_0000 | 0 : 0;
  words[0] = fpu.cw | high;
  words[1] = fpu.status | high;
  words[2] = fpu.tagWord | high;
  if (isProtected(cpu)) {
    words[3] = last[FIP]!;
    words[4] = last[FCS]! | (wide ? last[FOP]! << 16 : 0);
    words[5] = last[FDP]!;
    words[6] = last[FDS]! | high;
    return;
  }
  const ip = (last[FIP]! + (last[FCS]! << 4)) | 0;
  const dp = (last[FDP]! + (last[FDS]! << 4)) | 0;
  words[3] = wide ? (ip & 0xffff) | high : ip;
  words[4] = (wide ? (ip >>> 16) << 12 : (ip >>> 4) & 0xf000) | last[FOP]!;
  words[5] = wide ? (dp & 0xffff) | high : dp;
  words[6] = wide ? (dp >>> 16) << 12 : (dp >>> 4) & 0xf000;
}

function storeEnvironment(cpu: Cpu, fpu: Fpu, seg: number, at: number, wide: boolean): void {
  environment(cpu, fpu, wide);
  for (let i = 0; i < 7 && !cpu.faulted; i++) {
    if (wide) cpu.write32(seg, (at + 4 * i) | 0, words[i]!);
    else cpu.write16(seg, (at + 2 * i) | 0, words[i]! & 0xffff);
  }
}

/** Reads the seven words; false: a fault was raised. */
function readEnvironment(cpu: Cpu, seg: number, at: number, wide: boolean): boolean {
  for (let i = 0; i < 7; i++) {
    words[i] = wide ? cpu.read32(seg, (at + 4 * i) | 0) : cpu.read16(seg, (at + 2 * i) | 0);
    if (cpu.faulted) return false;
  }
  return true;
}

function loadEnvironment(cpu: Cpu, fpu: Fpu, wide: boolean): void {
  const last = fpu.last;
  fpu.cw = 0;
  fpu.status = words[1]!;
  fpu.tagWord = words[2]!;
  fpu.setControl(words[0]!);
  if (isProtected(cpu)) {
    last[FIP] = words[3]!;
    last[FCS] = words[4]! & 0xffff;
    if (wide) last[FOP] = (words[4]! >>> 16) & 0x7ff;
    last[FDP] = words[5]!;
    last[FDS] = words[6]! & 0xffff;
    return;
  }
  const above = (word: number): number => (wide ? ((word >>> 12) & 0xffff) << 16 : (word & 0xf000) << 4);
  last[FIP] = (words[3]! & 0xffff) | above(words[4]!);
  last[FDP] = (words[5]! & 0xffff) | above(words[6]!);
  last[FOP] = words[4]! & 0x7ff;
  last[FCS] = 0;
  last[FDS] = 0;
}

/** FNSTENV; then all exceptions are masked. */
export const fnstenv: Exec = immediate((cpu, fpu, insn) => {
  const at = ea(cpu.regs, insn);
  const wide = insn.opsize === 4;
  if (!reach(cpu, insn.seg, at, wide ? 28 : 14, insn.opsize, true)) return STOP;
  storeEnvironment(cpu, fpu, insn.seg, at, wide);
  if (cpu.faulted) return STOP;
  fpu.setControl(fpu.cw | EXCEPTIONS);
  return NEXT;
});

export const fldenv: Exec = waiting((cpu, fpu, insn) => {
  const at = ea(cpu.regs, insn);
  const wide = insn.opsize === 4;
  if (!reach(cpu, insn.seg, at, wide ? 28 : 14, insn.opsize, false)) return STOP;
  if (!readEnvironment(cpu, insn.seg, at, wide)) return STOP;
  loadEnvironment(cpu, fpu, wide);
  return NEXT;
});

// --- all of the state

/** Stores ST(i) in ten bytes. */
function storeSt(cpu: Cpu, fpu: Fpu, i: number, seg: number, at: number): void {
  const p = fpu.physical(i);
  cpu.write32(seg, at, fpu.lo[p]!);
  if (!cpu.faulted) cpu.write32(seg, (at + 4) | 0, fpu.hi[p]!);
  if (!cpu.faulted) cpu.write16(seg, (at + 8) | 0, fpu.se[p]!);
}

// What has been read of the eight registers: they change when all of it is there.
const se = new Int32Array(8);
const hi = new Int32Array(8);
const lo = new Int32Array(8);

/** Reads eight registers `step` bytes apart; false: a fault was raised. */
function readStack(cpu: Cpu, seg: number, at: number, step: number): boolean {
  for (let i = 0; i < 8; i++) {
    const from = (at + i * step) | 0;
    lo[i] = cpu.read32(seg, from);
    if (!cpu.faulted) hi[i] = cpu.read32(seg, (from + 4) | 0);
    if (!cpu.faulted) se[i] = cpu.read16(seg, (from + 8) | 0);
    if (cpu.faulted) return false;
  }
  return true;
}

/** The registers read become ST(0) to ST(7); what is empty stays so. */
function loadStack(fpu: Fpu): void {
  for (let i = 0; i < 8; i++) {
    const p = fpu.physical(i);
    fpu.se[p] = se[i]!;
    fpu.hi[p] = hi[i]!;
    fpu.lo[p] = lo[i]!;
  }
}

/** FNSAVE: 108 or 94 bytes; then as after FNINIT. */
export const fnsave: Exec = immediate((cpu, fpu, insn) => {
  const at = ea(cpu.regs, insn);
  const wide = insn.opsize === 4;
  const head = wide ? 28 : 14;
  if (!reach(cpu, insn.seg, at, head + 80, insn.opsize, true)) return STOP;
  storeEnvironment(cpu, fpu, insn.seg, at, wide);
  for (let i = 0; i < 8 && !cpu.faulted; i++) storeSt(cpu, fpu, i, insn.seg, (at + head + 10 * i) | 0);
  if (cpu.faulted) return STOP;
  fpu.init();
  return NEXT;
});

export const frstor: Exec = waiting((cpu, fpu, insn) => {
  const at = ea(cpu.regs, insn);
  const wide = insn.opsize === 4;
  const head = wide ? 28 : 14;
  if (!reach(cpu, insn.seg, at, head + 80, insn.opsize, false)) return STOP;
  if (!readEnvironment(cpu, insn.seg, at, wide)) return STOP;
  if (!readStack(cpu, insn.seg, (at + head) | 0, 10)) return STOP;
  loadEnvironment(cpu, fpu, wide);
  loadStack(fpu);
  return NEXT;
});

/** FXSAVE and FXRSTOR: #UD under EM, #NM under TS, and 16-byte alignment (SDM vol. 2). No exception is waited for. */
function fastOperand(cpu: Cpu, insn: Insn, at: number, write: boolean): boolean {
  if ((cpu.cr0 & CR0_EM) !== 0) cpu.raise(VECTOR_UD);
  else if ((cpu.cr0 & CR0_TS) !== 0) cpu.raise(VECTOR_NM);
  else if (((at + cpu.segBase[insn.seg]!) & 15) !== 0) cpu.raise(VECTOR_GP, 0);
  else return cpu.check(insn.seg, at, 512, write);
  return false;
}

/** Without SSE the words of MXCSR and everything behind the eight registers are reserved: they are not written. */
export function fxsave(cpu: Cpu, insn: Insn): number {
  const fpu = cpu.fpu;
  const at = ea(cpu.regs, insn);
  const seg = insn.seg;
  if (!fastOperand(cpu, insn, at, true)) return STOP;
  const last = fpu.last;
  const head = [
    fpu.cw | (fpu.status << 16),
    fpu.full | (last[FOP]! << 16),
    last[FIP]!,
    last[FCS]!,
    last[FDP]!,
    last[FDS]!,
  ];
  for (let i = 0; i < 6 && !cpu.faulted; i++) cpu.write32(seg, (at + 4 * i) | 0, head[i]!);
  for (let i = 0; i < 8 && !cpu.faulted; i++) {
    const to = (at + 32 + 16 * i) | 0;
    storeSt(cpu, fpu, i, seg, to);
    if (!cpu.faulted) cpu.write16(seg, (to + 10) | 0, 0);
    if (!cpu.faulted) cpu.write32(seg, (to + 12) | 0, 0);
  }
  return cpu.faulted ? STOP : NEXT;
}

export function fxrstor(cpu: Cpu, insn: Insn): number {
  const fpu = cpu.fpu;
  const at = ea(cpu.regs, insn);
  const seg = insn.seg;
  if (!fastOperand(cpu, insn, at, false)) return STOP;
  for (let i = 0; i < 6; i++) {
    words[i] = cpu.read32(seg, (at + 4 * i) | 0);
    if (cpu.faulted) return STOP;
  }
  if (!readStack(cpu, seg, (at + 32) | 0, 16)) return STOP;
  const last = fpu.last;
  fpu.status = words[0]! >>> 16;
  fpu.full = words[1]! & 0xff;
  fpu.setControl(words[0]! & 0xffff);
  last[FOP] = (words[1]! >>> 16) & 0x7ff;
  last[FIP] = words[2]!;
  last[FCS] = words[3]! & 0xffff;
  last[FDP] = words[4]!;
  last[FDS] = words[5]! & 0xffff;
  loadStack(fpu);
  return NEXT;
}
