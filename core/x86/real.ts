/**
 * Far transfers of real and virtual-8086 mode: selectors are paragraphs, and nothing is checked but limits and IOPL
 * (SDM vol. 3, 20.1, 20.2; vol. 2, CALL, JMP, RET, IRET). `opsize` is 2 or 4 bytes.
 */
import { misaligned, userBit } from "./access.ts";
import type { Cpu } from "./cpu.ts";
import { GP, SS_FAULT } from "./exceptions.ts";
import { FLAG_FIXED, FLAG_IOPL, FLAG_VIF, FLAG_VIP, FLAG_VM, REST } from "./flags.ts";
import { frameWords, probeFrame, stackMaskOf, storeFrame } from "./frame.ts";
import { BRANCH, CS, SS, STOP } from "./isa/insn.ts";
import { setRealSegment } from "./segments.ts";

function enter(cpu: Cpu, selector: number, target: number): number {
  setRealSegment(cpu, CS, selector);
  cpu.eip = target;
  cpu.segmentsChanged();
  return BRANCH;
}

const cut = (offset: number, opsize: number): number => (opsize === 4 ? offset | 0 : offset & 0xffff);

export function realJump(cpu: Cpu, selector: number, offset: number, opsize: number): number {
  const target = cut(offset, opsize);
  if (target >>> 0 > cpu.segLimit[CS]!) return cpu.raise(GP, 0);
  return enter(cpu, selector, target);
}

export function realCall(cpu: Cpu, selector: number, offset: number, opsize: number): number {
  const target = cut(offset, opsize);
  const attr = cpu.segAttr[SS]!;
  const base = cpu.segBase[SS]!;
  const esp = cpu.regs[4]!;
  const user = userBit(cpu);
  frameWords[0] = cpu.segSelector[CS]!;
  frameWords[1] = cpu.eip;
  if (!probeFrame(cpu, base, cpu.segLimit[SS]!, attr, esp, 2, opsize, user)) {
    return cpu.faulted ? STOP : cpu.raise(SS_FAULT, 0);
  }
  if (target >>> 0 > cpu.segLimit[CS]!) return cpu.raise(GP, 0);
  if (misaligned(cpu, (base + ((esp - opsize) & stackMaskOf(attr))) | 0, opsize)) return STOP;
  if (!storeFrame(cpu, base, attr, esp, 2, opsize, user)) return STOP;
  cpu.regs[4] = cpu.moveSp(-2 * opsize);
  return enter(cpu, selector, target);
}

/** One item of the stack, `index` items above ESP. */
function item(cpu: Cpu, index: number, opsize: number): number {
  const sp = (cpu.regs[4]! + index * opsize) & cpu.stackMask;
  return opsize === 4 ? cpu.read32(SS, sp) : cpu.read16(SS, sp);
}

export function realReturn(cpu: Cpu, opsize: number, popBytes: number): number {
  const target = item(cpu, 0, opsize);
  if (cpu.faulted) return STOP;
  const selector = item(cpu, 1, opsize);
  if (cpu.faulted) return STOP;
  if (target >>> 0 > cpu.segLimit[CS]!) return cpu.raise(GP, 0);
  cpu.regs[4] = cpu.moveSp(2 * opsize + popBytes);
  return enter(cpu, selector, target);
}

/** IRET: in virtual-8086 mode with IOPL 3 alone, and without touching IOPL. */
export function realInterruptReturn(cpu: Cpu, opsize: number): number {
  const rest = cpu.regs[REST]!;
  const v86 = (rest & FLAG_VM) !== 0;
  if (v86 && (rest & FLAG_IOPL) !== FLAG_IOPL) return cpu.raise(GP, 0);
  const target = item(cpu, 0, opsize);
  if (cpu.faulted) return STOP;
  const selector = item(cpu, 1, opsize);
  if (cpu.faulted) return STOP;
  const flags = item(cpu, 2, opsize);
  if (cpu.faulted) return STOP;
  if (target >>> 0 > cpu.segLimit[CS]!) return cpu.raise(GP, 0);
  cpu.regs[4] = cpu.moveSp(3 * opsize);
  let keep = FLAG_VM | FLAG_VIF | FLAG_VIP;
  if (opsize === 2) keep |= 0xffff_0000 | 0;
  if (v86) keep |= FLAG_IOPL;
  cpu.eflags = (cpu.eflags & keep) | (flags & ~keep) | FLAG_FIXED;
  return enter(cpu, selector, target);
}
