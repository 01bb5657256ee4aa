/**
 * PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE. SDM vol. 2; vol. 1, 6.2 (stacks).
 * Each is restartable: ESP and other registers change after the last access that can fault, or are put back.
 */
import type { Cpu } from "../../cpu.ts";
import {
  FLAG_AC,
  FLAG_DF,
  FLAG_FIXED,
  FLAG_ID,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_NT,
  FLAG_RF,
  FLAG_TF,
  FLAG_VM,
  FLAGS_STATUS,
  getEflags,
  REST,
  setEflags,
} from "../../flags.ts";
import { loadSegment } from "../../segments.ts";
import { BRANCH, type Insn, NEXT, SS, STOP } from "../insn.ts";
import { EBP, ESP, ea, set16, VECTOR_GP } from "./operand.ts";

/** Writes ESP, or SP alone on a 16-bit stack. */
function setSp(cpu: Cpu, value: number): void {
  const r = cpu.regs;
  const mask = cpu.stackMask;
  r[ESP] = (r[ESP] & ~mask) | (value & mask);
}

// --- PUSH

/** Opcodes 50-57. PUSH ESP pushes the old value. */
export function push32Z(cpu: Cpu, insn: Insn): number {
  cpu.push32(cpu.regs[insn.reg]);
  return cpu.faulted ? STOP : NEXT;
}
export function push16Z(cpu: Cpu, insn: Insn): number {
  cpu.push16(cpu.regs[insn.reg] & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}
export function push32R(cpu: Cpu, insn: Insn): number {
  cpu.push32(cpu.regs[insn.rm]);
  return cpu.faulted ? STOP : NEXT;
}
export function push32M(cpu: Cpu, insn: Insn): number {
  const v = cpu.read32(insn.seg, ea(cpu.regs, insn));
  if (cpu.faulted) return STOP;
  cpu.push32(v);
  return cpu.faulted ? STOP : NEXT;
}
export function push16E(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  let v = r[insn.rm];
  if (!insn.isReg) {
    v = cpu.read16(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
  }
  cpu.push16(v & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}
export function push32I(cpu: Cpu, insn: Insn): number {
  cpu.push32(insn.imm);
  return cpu.faulted ? STOP : NEXT;
}
export function push16I(cpu: Cpu, insn: Insn): number {
  cpu.push16(insn.imm & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}
/** With a 32-bit operand size the selector is pushed zero-extended (SDM vol. 2, PUSH). */
function pushSeg(cpu: Cpu, insn: Insn, seg: number): number {
  if (insn.opsize === 4) cpu.push32(cpu.selector(seg));
  else cpu.push16(cpu.selector(seg));
  return cpu.faulted ? STOP : NEXT;
}
export function pushEs(cpu: Cpu, insn: Insn): number {
  return pushSeg(cpu, insn, 0);
}
export function pushCs(cpu: Cpu, insn: Insn): number {
  return pushSeg(cpu, insn, 1);
}
export function pushSs(cpu: Cpu, insn: Insn): number {
  return pushSeg(cpu, insn, 2);
}
export function pushDs(cpu: Cpu, insn: Insn): number {
  return pushSeg(cpu, insn, 3);
}
export function pushFs(cpu: Cpu, insn: Insn): number {
  return pushSeg(cpu, insn, 4);
}
export function pushGs(cpu: Cpu, insn: Insn): number {
  return pushSeg(cpu, insn, 5);
}

// --- POP

/** Opcodes 58-5F. POP ESP keeps the value popped. */
export function pop32Z(cpu: Cpu, insn: Insn): number {
  const v = cpu.pop32();
  if (cpu.faulted) return STOP;
  cpu.regs[insn.reg] = v;
  return NEXT;
}
export function pop16Z(cpu: Cpu, insn: Insn): number {
  const v = cpu.pop16();
  if (cpu.faulted) return STOP;
  set16(cpu.regs, insn.reg, v);
  return NEXT;
}
/** The address is computed with ESP already incremented (SDM vol. 2, POP). */
export function popE(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const esp = r[ESP];
  const wide = insn.opsize === 4;
  const v = wide ? cpu.pop32() : cpu.pop16();
  if (cpu.faulted) return STOP;
  if (insn.isReg) {
    if (wide) r[insn.rm] = v;
    else set16(r, insn.rm, v);
    return NEXT;
  }
  if (wide) cpu.write32(insn.seg, ea(r, insn), v);
  else cpu.write16(insn.seg, ea(r, insn), v & 0xffff);
  if (cpu.faulted) {
    r[ESP] = esp;
    return STOP;
  }
  return NEXT;
}
function popSeg(cpu: Cpu, insn: Insn, seg: number): number {
  const r = cpu.regs;
  const esp = r[ESP];
  const v = insn.opsize === 4 ? cpu.pop32() : cpu.pop16();
  if (cpu.faulted) return STOP;
  const answer = loadSegment(cpu, seg, v & 0xffff);
  if (answer === STOP) r[ESP] = esp;
  return answer;
}
export function popEs(cpu: Cpu, insn: Insn): number {
  return popSeg(cpu, insn, 0);
}
export function popSs(cpu: Cpu, insn: Insn): number {
  return popSeg(cpu, insn, 2);
}
export function popDs(cpu: Cpu, insn: Insn): number {
  return popSeg(cpu, insn, 3);
}
export function popFs(cpu: Cpu, insn: Insn): number {
  return popSeg(cpu, insn, 4);
}
export function popGs(cpu: Cpu, insn: Insn): number {
  return popSeg(cpu, insn, 5);
}

// --- PUSHA, POPA

export function pusha(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const esp = r[ESP];
  const size = insn.opsize;
  const mask = cpu.stackMask;
  for (let k = 1; k <= 8; k++) {
    if (!cpu.check(SS, (esp - k * size) & mask, size, true)) return STOP;
  }
  for (let k = 0; k < 8; k++) {
    const v = k === ESP ? esp : r[k];
    if (size === 4) cpu.push32(v);
    else cpu.push16(v & 0xffff);
    if (cpu.faulted) {
      r[ESP] = esp;
      return STOP;
    }
  }
  return NEXT;
}

/** What POPA has read so far: registers change when all of it is there. */
const popped = new Int32Array(8);

/** All slots are read before a register changes; the saved ESP is skipped. */
export function popa(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const esp = r[ESP];
  const size = insn.opsize;
  const mask = cpu.stackMask;
  for (let k = 0; k < 8; k++) {
    const at = (esp + k * size) & mask;
    popped[7 - k] = size === 4 ? cpu.read32(SS, at) : cpu.read16(SS, at);
    if (cpu.faulted) return STOP;
  }
  for (let k = 0; k < 8; k++) {
    if (k === ESP) continue;
    if (size === 4) r[k] = popped[k];
    else set16(r, k, popped[k]);
  }
  setSp(cpu, esp + 8 * size);
  return NEXT;
}

// --- PUSHF, POPF

/** VM and RF are pushed as 0 (SDM vol. 2, PUSHF). */
export function pushf(cpu: Cpu, insn: Insn): number {
  const v = getEflags(cpu);
  if ((v & FLAG_VM) !== 0 && (v & FLAG_IOPL) !== FLAG_IOPL) return cpu.raise(VECTOR_GP, 0);
  if (insn.opsize === 4) cpu.push32(v & ~(FLAG_VM | FLAG_RF));
  else cpu.push16(v & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}

/**
 * IOPL changes at CPL 0 alone, IF where CPL <= IOPL; VM, VIF, VIP never, RF becomes 0 (SDM vol. 2, POPF).
 * The block ends: TF and IF are looked at again.
 */
export function popf(cpu: Cpu, insn: Insn): number {
  const old = getEflags(cpu);
  const iopl = (old & FLAG_IOPL) >>> 12;
  if ((old & FLAG_VM) !== 0 && iopl !== 3) return cpu.raise(VECTOR_GP, 0);
  const v = insn.opsize === 4 ? cpu.pop32() : cpu.pop16();
  if (cpu.faulted) return STOP;
  let change = FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT;
  if (insn.opsize === 4) change |= FLAG_AC | FLAG_ID;
  if (cpu.cpl === 0) change |= FLAG_IOPL;
  if (cpu.cpl <= iopl) change |= FLAG_IF;
  setEflags(cpu, (v & change) | (old & ~change & ~FLAG_RF) | FLAG_FIXED);
  return BRANCH;
}

/** AH to the status flags but OF. */
export function sahf(cpu: Cpu): number {
  const ah = (cpu.regs[0] >>> 8) & 0xff;
  const keep = getEflags(cpu) & ~0xd5;
  setEflags(cpu, keep | (ah & 0xd5));
  return NEXT;
}
export function lahf(cpu: Cpu): number {
  const r = cpu.regs;
  r[0] = (r[0] & ~0xff00) | ((getEflags(cpu) & 0xff) << 8);
  return NEXT;
}
export function cld(cpu: Cpu): number {
  cpu.regs[REST] &= ~FLAG_DF;
  return NEXT;
}
export function std(cpu: Cpu): number {
  cpu.regs[REST] |= FLAG_DF;
  return NEXT;
}

// --- ENTER, LEAVE

export function leave(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const size = insn.opsize;
  const at = r[EBP] & cpu.stackMask;
  const v = size === 4 ? cpu.read32(SS, at) : cpu.read16(SS, at);
  if (cpu.faulted) return STOP;
  setSp(cpu, at + size);
  if (size === 4) r[EBP] = v;
  else set16(r, EBP, v);
  return NEXT;
}

/**
 * ENTER size,level. Every slot that will be written, and the byte range at the final ESP (SDM vol. 2, ENTER:
 * "a write using the final value of the stack pointer"), is probed before anything is stored.
 */
export function enter(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const size = insn.opsize;
  const mask = cpu.stackMask;
  const level = insn.imm2 & 31;
  const esp = r[ESP];
  const ebp = r[EBP];
  const slots = level === 0 ? 1 : level + 1;
  for (let k = 1; k <= slots; k++) {
    if (!cpu.check(SS, (esp - k * size) & mask, size, true)) return STOP;
  }
  for (let k = 1; k < level; k++) {
    if (!cpu.check(SS, (ebp - k * size) & mask, size, false)) return STOP;
  }
  const final = (esp - slots * size - (insn.imm & 0xffff)) & mask;
  // The new top of the stack must be writable (SDM vol. 2, ENTER, #PF); nothing is stored there, so #AC cannot be.
  if (!cpu.check(SS, final, 1, true)) return STOP;
  const frame = (esp - size) & mask;
  store(cpu, frame, ebp, size);
  for (let k = 1; k < level; k++) {
    const from = (ebp - k * size) & mask;
    const v = size === 4 ? cpu.read32(SS, from) : cpu.read16(SS, from);
    if (cpu.faulted) return STOP;
    store(cpu, (frame - k * size) & mask, v, size);
    if (cpu.faulted) return STOP;
  }
  const pointer = (esp & ~mask) | frame;
  if (level > 0) store(cpu, (frame - level * size) & mask, pointer, size);
  if (cpu.faulted) return STOP;
  if (size === 4) r[EBP] = pointer;
  else set16(r, EBP, pointer);
  setSp(cpu, final);
  return NEXT;
}
function store(cpu: Cpu, at: number, value: number, size: number): void {
  if (size === 4) cpu.write32(SS, at, value);
  else cpu.write16(SS, at, value & 0xffff);
}
