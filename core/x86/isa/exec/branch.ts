/**
 * Control flow: Jcc, JMP, CALL, RET, LOOPcc, JECXZ, and the far and interrupt forms, which core/x86/transfer.ts does.
 * SDM vol. 2. On entry EIP is behind the instruction, so a relative target is EIP + displacement; with a 16-bit
 * operand size EIP is cut to 16 bits. A target outside CS faults before anything has changed.
 */
import type { Cpu } from "../../cpu.ts";
import {
  VECTORING_PRIVILEGED,
  VECTORING_SOFTWARE_EXCEPTION,
  VECTORING_SOFTWARE_INTERRUPT,
} from "../../door.ts";
import { CARRIES, cc, getOf, getZf, RESULT } from "../../flags.ts";
import { farCall, farJump, farReturn, iret, softwareInterrupt } from "../../transfer.ts";
import { BRANCH, type Insn, NEXT, STOP } from "../insn.ts";
import { ECX, ESP, ea, get16, set16, VECTOR_BR } from "./operand.ts";

function relative(cpu: Cpu, insn: Insn): number {
  const target = (cpu.eip + insn.imm) | 0;
  return insn.opsize === 4 ? target : target & 0xffff;
}

// --- Jcc with a 32-bit operand size: a function for each condition that compiled code uses often

export function jo32(cpu: Cpu, insn: Insn): number {
  const c = cpu.regs[CARRIES];
  return (c ^ (c << 1)) < 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jno32(cpu: Cpu, insn: Insn): number {
  const c = cpu.regs[CARRIES];
  return (c ^ (c << 1)) < 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
export function jb32(cpu: Cpu, insn: Insn): number {
  return cpu.regs[CARRIES] < 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jnb32(cpu: Cpu, insn: Insn): number {
  return cpu.regs[CARRIES] < 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
export function jz32(cpu: Cpu, insn: Insn): number {
  return cpu.regs[RESULT] === 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jnz32(cpu: Cpu, insn: Insn): number {
  return cpu.regs[RESULT] === 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
export function jbe32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  return r[CARRIES] < 0 || r[RESULT] === 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jnbe32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  return r[CARRIES] < 0 || r[RESULT] === 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
export function js32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  return (r[RESULT] ^ (r[CARRIES] << 31)) < 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jns32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  return (r[RESULT] ^ (r[CARRIES] << 31)) < 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
/** SF XOR OF in the sign bit. */
function less(r: Int32Array): number {
  const c = r[CARRIES];
  return r[RESULT] ^ (c << 31) ^ c ^ (c << 1);
}
export function jl32(cpu: Cpu, insn: Insn): number {
  return less(cpu.regs) < 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jnl32(cpu: Cpu, insn: Insn): number {
  return less(cpu.regs) < 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
export function jle32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  return r[RESULT] === 0 || less(r) < 0 ? cpu.jumpNear((cpu.eip + insn.imm) | 0) : NEXT;
}
export function jnle32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  return r[RESULT] === 0 || less(r) < 0 ? NEXT : cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
/** Any condition, any operand size. */
export function jcc(cpu: Cpu, insn: Insn): number {
  return cc(cpu, insn.row.opcode & 15) ? cpu.jumpNear(relative(cpu, insn)) : NEXT;
}

// --- JMP, CALL, RET near

export function jmp32J(cpu: Cpu, insn: Insn): number {
  return cpu.jumpNear((cpu.eip + insn.imm) | 0);
}
export function jmp16J(cpu: Cpu, insn: Insn): number {
  return cpu.jumpNear(relative(cpu, insn));
}
export function jmp32R(cpu: Cpu, insn: Insn): number {
  return cpu.jumpNear(cpu.regs[insn.rm]);
}
export function jmp32M(cpu: Cpu, insn: Insn): number {
  const target = cpu.read32(insn.seg, ea(cpu.regs, insn));
  return cpu.faulted ? STOP : cpu.jumpNear(target);
}
export function jmp16E(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const target = insn.isReg ? get16(r, insn.rm) : cpu.read16(insn.seg, ea(r, insn));
  return cpu.faulted ? STOP : cpu.jumpNear(target);
}

function call32(cpu: Cpu, target: number): number {
  if (!cpu.csFlat) return call32Within(cpu, target);
  cpu.push32(cpu.eip);
  if (cpu.faulted) return STOP;
  cpu.eip = target;
  return BRANCH;
}
/** With a limit of CS that the target may exceed: then nothing has been pushed. */
function call32Within(cpu: Cpu, target: number): number {
  const esp = cpu.regs[ESP];
  cpu.push32(cpu.eip);
  if (cpu.faulted) return STOP;
  const answer = cpu.jumpNear(target);
  if (answer === STOP) cpu.regs[ESP] = esp;
  return answer;
}
function call16(cpu: Cpu, target: number): number {
  const esp = cpu.regs[ESP];
  cpu.push16(cpu.eip & 0xffff);
  if (cpu.faulted) return STOP;
  const answer = cpu.jumpNear(target);
  if (answer === STOP) cpu.regs[ESP] = esp;
  return answer;
}
export function call32J(cpu: Cpu, insn: Insn): number {
  return call32(cpu, (cpu.eip + insn.imm) | 0);
}
export function call16J(cpu: Cpu, insn: Insn): number {
  return call16(cpu, relative(cpu, insn));
}
export function call32R(cpu: Cpu, insn: Insn): number {
  return call32(cpu, cpu.regs[insn.rm]);
}
export function call32M(cpu: Cpu, insn: Insn): number {
  const target = cpu.read32(insn.seg, ea(cpu.regs, insn));
  return cpu.faulted ? STOP : call32(cpu, target);
}
export function call16E(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const target = insn.isReg ? get16(r, insn.rm) : cpu.read16(insn.seg, ea(r, insn));
  return cpu.faulted ? STOP : call16(cpu, target);
}

export function ret32(cpu: Cpu): number {
  if (!cpu.csFlat) return ret32Within(cpu);
  const target = cpu.pop32();
  if (cpu.faulted) return STOP;
  cpu.eip = target;
  return BRANCH;
}
function ret32Within(cpu: Cpu): number {
  const esp = cpu.regs[ESP];
  const target = cpu.pop32();
  if (cpu.faulted) return STOP;
  const answer = cpu.jumpNear(target);
  if (answer === STOP) cpu.regs[ESP] = esp;
  return answer;
}
export function ret16(cpu: Cpu): number {
  const esp = cpu.regs[ESP];
  const target = cpu.pop16();
  if (cpu.faulted) return STOP;
  const answer = cpu.jumpNear(target);
  if (answer === STOP) cpu.regs[ESP] = esp;
  return answer;
}
/** RET imm16 drops bytes above the return address. */
export function retI(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const answer = insn.opsize === 4 ? ret32(cpu) : ret16(cpu);
  if (answer === STOP) return STOP;
  const mask = cpu.stackMask;
  r[ESP] = (r[ESP] & ~mask) | ((r[ESP] + (insn.imm & 0xffff)) & mask);
  return answer;
}

// --- LOOP, LOOPE, LOOPNE, JECXZ

/** E0 LOOPNE, E1 LOOPE, E2 LOOP. The count changes when the jump cannot fault any more. */
export function loop(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const wide = insn.addrsize === 4;
  const left = wide ? (r[ECX] - 1) | 0 : (r[ECX] - 1) & 0xffff;
  const form = insn.row.opcode & 3;
  const taken = left !== 0 && (form === 2 || getZf(r) === form);
  const answer = taken ? cpu.jumpNear(relative(cpu, insn)) : NEXT;
  if (answer === STOP) return STOP;
  if (wide) r[ECX] = left;
  else set16(r, ECX, left);
  return answer;
}
export function jecxz(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const count = insn.addrsize === 4 ? r[ECX] : r[ECX] & 0xffff;
  return count === 0 ? cpu.jumpNear(relative(cpu, insn)) : NEXT;
}

// --- far, interrupts

export function jmpFar(cpu: Cpu, insn: Insn): number {
  return farJump(cpu, insn.imm2, insn.imm, insn.opsize);
}
export function callFar(cpu: Cpu, insn: Insn): number {
  return farCall(cpu, insn.imm2, insn.imm, insn.opsize);
}
/** FF /3 and /5: CALL and JMP through a far pointer in memory, offset first. */
export function farM(cpu: Cpu, insn: Insn): number {
  const at = ea(cpu.regs, insn);
  const offset = insn.opsize === 4 ? cpu.read32(insn.seg, at) : cpu.read16(insn.seg, at);
  if (cpu.faulted) return STOP;
  const selector = cpu.read16(insn.seg, (at + insn.opsize) | 0);
  if (cpu.faulted) return STOP;
  if (insn.reg === 3) return farCall(cpu, selector, offset, insn.opsize);
  return farJump(cpu, selector, offset, insn.opsize);
}
export function retFar(cpu: Cpu, insn: Insn): number {
  return farReturn(cpu, insn.opsize, insn.imm & 0xffff);
}
export function iretx(cpu: Cpu, insn: Insn): number {
  return iret(cpu, insn.opsize);
}
export function int3(cpu: Cpu): number {
  return softwareInterrupt(cpu, 3, VECTORING_SOFTWARE_EXCEPTION);
}
/** Not subject to the gate's DPL, nor to IOPL (SDM vol. 2, INT n). */
export function int1(cpu: Cpu): number {
  return softwareInterrupt(cpu, 1, VECTORING_PRIVILEGED);
}
export function into(cpu: Cpu): number {
  return getOf(cpu.regs) === 0 ? NEXT : softwareInterrupt(cpu, 4, VECTORING_SOFTWARE_EXCEPTION);
}
export function intN(cpu: Cpu, insn: Insn): number {
  return softwareInterrupt(cpu, insn.imm & 0xff, VECTORING_SOFTWARE_INTERRUPT);
}

/** Signed index against a pair of bounds in memory; both ends are allowed (SDM vol. 2, BOUND). */
export function bound(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const at = ea(r, insn);
  const wide = insn.opsize === 4;
  const lower = wide ? cpu.read32(insn.seg, at) : (cpu.read16(insn.seg, at) << 16) >> 16;
  if (cpu.faulted) return STOP;
  const next = (at + insn.opsize) | 0;
  const upper = wide ? cpu.read32(insn.seg, next) : (cpu.read16(insn.seg, next) << 16) >> 16;
  if (cpu.faulted) return STOP;
  const index = wide ? r[insn.reg] : (r[insn.reg] << 16) >> 16;
  return index < lower || index > upper ? cpu.raise(VECTOR_BR) : NEXT;
}
