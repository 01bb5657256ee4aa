/**
 * Bit tests and scans, and the read-modify-write atoms: BT BTS BTR BTC, BSF BSR, CMPXCHG, CMPXCHG8B, XADD. SDM vol. 2.
 * BT… define CF; the manual leaves OF SF AF PF undefined and here they stay.
 */
import type { Cpu } from "../../cpu.ts";
import { CARRIES, FLAG_ZF, getEflags, RESULT, setCf, setStatusFlags } from "../../flags.ts";
import { type Insn, NEXT, STOP } from "../insn.ts";
import { add32, aluNarrow, CMP, sub32 } from "./alu.ts";
import { EAX, EBX, ECX, EDX, ea, get8, get16, set8, set16 } from "./operand.ts";

const BT = 0;
const BTS = 1;
const BTR = 2;

/** 0 BT, 1 BTS, 2 BTR, 3 BTC: opcode bits 3-4, or ModRM.reg - 4 of group 8 (0F BA). */
function bitOp(insn: Insn): number {
  return insn.row.ext >= 4 ? insn.row.ext - 4 : (insn.row.opcode >>> 3) & 3;
}
function apply(op: number, v: number, mask: number): number {
  if (op === BTS) return v | mask;
  return op === BTR ? v & ~mask : v ^ mask;
}

/**
 * With a register bit number and a memory operand the number selects a bit of the string at the operand:
 * the word or doubleword that holds it is accessed (SDM vol. 1, 3.1.1.9, "bit string").
 */
export function bitTest(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const op = bitOp(insn);
  const wide = insn.opsize === 4;
  const immediate = insn.row.ext >= 4;
  const number = immediate ? insn.imm : wide ? r[insn.reg] : (r[insn.reg] << 16) >> 16;
  const bit = number & (wide ? 31 : 15);
  if (insn.isReg) {
    const v = r[insn.rm];
    setCf(r, (v >>> bit) & 1);
    if (op !== BT) r[insn.rm] = apply(op, v, 1 << bit);
    return NEXT;
  }
  let at = ea(r, insn);
  if (!immediate) {
    at = (at + (wide ? (number >> 5) << 2 : (number >> 4) << 1)) | 0;
    if (insn.addrsize === 2) at &= 0xffff;
  }
  let v: number;
  if (op === BT) v = wide ? cpu.read32(insn.seg, at) : cpu.read16(insn.seg, at);
  else v = wide ? cpu.rmwRead32(insn.seg, at) : cpu.rmwRead16(insn.seg, at);
  if (cpu.faulted) return STOP;
  setCf(r, (v >>> bit) & 1);
  if (op !== BT) {
    if (wide) cpu.rmwWrite32(apply(op, v, 1 << bit));
    else cpu.rmwWrite16(apply(op, v, 1 << bit));
  }
  return NEXT;
}

/**
 * BSF (0F BC) and BSR (0F BD). A zero source sets ZF; the destination is undefined in the manual and stays, as on
 * every processor. CF OF SF AF PF are undefined.
 */
export function bitScan(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const wide = insn.opsize === 4;
  let v: number;
  if (wide) v = insn.isReg ? r[insn.rm] : cpu.read32(insn.seg, ea(r, insn));
  else v = insn.isReg ? get16(r, insn.rm) : cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[RESULT] = v;
  r[CARRIES] = 0;
  if (v === 0) return NEXT;
  const n = (insn.row.opcode & 1) === 1 ? 31 - Math.clz32(v) : 31 - Math.clz32(v & -v);
  if (wide) r[insn.reg] = n;
  else set16(r, insn.reg, n);
  return NEXT;
}

/** The destination is written in both cases, with its old value on a mismatch (SDM vol. 2, CMPXCHG). */
export function cmpxchg32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = insn.isReg ? r[insn.rm] : cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const equal = sub32(r, r[EAX], v) === 0;
  if (insn.isReg) {
    if (equal) r[insn.rm] = r[insn.reg];
  } else cpu.rmwWrite32(equal ? r[insn.reg] : v);
  if (!equal) r[EAX] = v;
  return NEXT;
}
export function cmpxchg16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = insn.isReg ? get16(r, insn.rm) : cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const equal = get16(r, EAX) === v;
  aluNarrow(r, CMP, get16(r, EAX), v, 16);
  if (insn.isReg) {
    if (equal) set16(r, insn.rm, r[insn.reg]);
  } else cpu.rmwWrite16(equal ? get16(r, insn.reg) : v);
  if (!equal) set16(r, EAX, v);
  return NEXT;
}
export function cmpxchg8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = insn.isReg ? get8(r, insn.rm) : cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const equal = get8(r, EAX) === v;
  aluNarrow(r, CMP, get8(r, EAX), v, 24);
  if (insn.isReg) {
    if (equal) set8(r, insn.rm, get8(r, insn.reg));
  } else cpu.rmwWrite8(equal ? get8(r, insn.reg) : v);
  if (!equal) set8(r, EAX, v);
  return NEXT;
}

/** ZF alone changes. The quadword is written in both cases, as one access of 8 bytes, which an emulator passes on as one. */
export function cmpxchg8b(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const low = cpu.rmwRead64(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const high = cpu.high;
  const equal = low === r[EAX] && high === r[EDX];
  cpu.rmwWrite64(equal ? r[EBX] : low, equal ? r[ECX] : high);
  setStatusFlags(r, (getEflags(cpu) & ~FLAG_ZF) | (equal ? FLAG_ZF : 0));
  if (!equal) {
    r[EAX] = low;
    r[EDX] = high;
  }
  return NEXT;
}

/** XADD of every width (0F C0 bytes, 0F C1 words and doublewords). */
export function xadd(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if ((insn.row.opcode & 1) === 0) return xadd8(cpu, insn);
  if (insn.opsize === 4) {
    const v = insn.isReg ? r[insn.rm] : cpu.rmwRead32(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
    const sum = add32(r, v, r[insn.reg]);
    r[insn.reg] = v;
    if (insn.isReg) r[insn.rm] = sum;
    else cpu.rmwWrite32(sum);
    return NEXT;
  }
  const v = insn.isReg ? get16(r, insn.rm) : cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const sum = aluNarrow(r, 0, v, get16(r, insn.reg), 16);
  set16(r, insn.reg, v);
  if (insn.isReg) set16(r, insn.rm, sum);
  else cpu.rmwWrite16(sum & 0xffff);
  return NEXT;
}
function xadd8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = insn.isReg ? get8(r, insn.rm) : cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  const sum = aluNarrow(r, 0, v, get8(r, insn.reg), 24);
  set8(r, insn.reg, v);
  if (insn.isReg) set8(r, insn.rm, sum);
  else cpu.rmwWrite8(sum & 0xff);
  return NEXT;
}
