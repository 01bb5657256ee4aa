/**
 * MOVS CMPS STOS LODS SCAS INS OUTS with their REP prefixes. SDM vol. 2; vol. 1, 7.3.9.
 * One call is one iteration (REPEAT while more remain): a unit of time and an interrupt boundary. ESI, EDI and ECX
 * change after the iteration's last access that can fault. Widths of ESI, EDI, ECX follow the address size.
 * The byte forms have even opcodes; the others take the operand size.
 */
import type { Cpu } from "../../cpu.ts";
import { getZf, REST } from "../../flags.ts";
import { portIn, portOut } from "../../ports.ts";
import { ES, type Insn, NEXT, PREFIX_NONE, PREFIX_REP, REPEAT, STOP } from "../insn.ts";
import { aluNarrow, CMP, sub32 } from "./alu.ts";
import { EAX, ECX, EDI, EDX, ESI, set8, set16 } from "./operand.ts";

function width(insn: Insn): number {
  return (insn.row.opcode & 1) === 0 ? 1 : insn.opsize;
}
/** True when a REP prefix finds the count already 0: nothing happens at all. */
function exhausted(r: Int32Array, insn: Insn): boolean {
  return insn.rep !== PREFIX_NONE && (insn.addrsize === 4 ? r[ECX] : r[ECX] & 0xffff) === 0;
}
function source(r: Int32Array, insn: Insn): number {
  return insn.addrsize === 4 ? r[ESI] : r[ESI] & 0xffff;
}
function destination(r: Int32Array, insn: Insn): number {
  return insn.addrsize === 4 ? r[EDI] : r[EDI] & 0xffff;
}
/** Moves ESI or EDI by one element in the direction of DF. */
function advance(r: Int32Array, insn: Insn, index: number, size: number): void {
  const step = (r[REST] & 0x400) === 0 ? size : -size;
  if (insn.addrsize === 4) r[index] = r[index] + step;
  else set16(r, index, r[index] + step);
}
/** Counts the iteration and says whether more remain. */
function counted(r: Int32Array, insn: Insn): number {
  if (insn.rep === PREFIX_NONE) return NEXT;
  if (insn.addrsize === 4) {
    r[ECX] = r[ECX] - 1;
    return r[ECX] === 0 ? NEXT : REPEAT;
  }
  set16(r, ECX, r[ECX] - 1);
  return (r[ECX] & 0xffff) === 0 ? NEXT : REPEAT;
}
/** REPE goes on while ZF = 1, REPNE while ZF = 0. */
function compared(r: Int32Array, insn: Insn): number {
  const answer = counted(r, insn);
  return answer === REPEAT && getZf(r) !== (insn.rep === PREFIX_REP ? 1 : 0) ? NEXT : answer;
}
function load(cpu: Cpu, seg: number, at: number, size: number): number {
  if (size === 4) return cpu.read32(seg, at);
  return size === 1 ? cpu.read8(seg, at) : cpu.read16(seg, at);
}
function store(cpu: Cpu, at: number, size: number, value: number): void {
  if (size === 4) cpu.write32(ES, at, value);
  else if (size === 1) cpu.write8(ES, at, value & 0xff);
  else cpu.write16(ES, at, value & 0xffff);
}
function compare(r: Int32Array, a: number, b: number, size: number): void {
  if (size === 4) sub32(r, a, b);
  else aluNarrow(r, CMP, a, b, 32 - size * 8);
}

export function movs(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  const v = load(cpu, insn.seg, source(r, insn), size);
  if (cpu.faulted) return STOP;
  store(cpu, destination(r, insn), size, v);
  if (cpu.faulted) return STOP;
  advance(r, insn, ESI, size);
  advance(r, insn, EDI, size);
  return counted(r, insn);
}
/** MOVSD with 32-bit addresses, the form that memcpy uses. */
export function movs32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.rep !== PREFIX_NONE && r[ECX] === 0) return NEXT;
  const v = cpu.read32(insn.seg, r[ESI]);
  if (cpu.faulted) return STOP;
  cpu.write32(ES, r[EDI], v);
  if (cpu.faulted) return STOP;
  const step = (r[REST] & 0x400) === 0 ? 4 : -4;
  r[ESI] = r[ESI] + step;
  r[EDI] = r[EDI] + step;
  if (insn.rep === PREFIX_NONE) return NEXT;
  r[ECX] = r[ECX] - 1;
  return r[ECX] === 0 ? NEXT : REPEAT;
}

export function stos(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  store(cpu, destination(r, insn), size, r[EAX]);
  if (cpu.faulted) return STOP;
  advance(r, insn, EDI, size);
  return counted(r, insn);
}
/** STOSD with 32-bit addresses, the form that clears pages. */
export function stos32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.rep !== PREFIX_NONE && r[ECX] === 0) return NEXT;
  cpu.write32(ES, r[EDI], r[EAX]);
  if (cpu.faulted) return STOP;
  r[EDI] = r[EDI] + ((r[REST] & 0x400) === 0 ? 4 : -4);
  if (insn.rep === PREFIX_NONE) return NEXT;
  r[ECX] = r[ECX] - 1;
  return r[ECX] === 0 ? NEXT : REPEAT;
}

/**
 * Iterations of a REP MOVS or REP STOS, of bytes or double words upwards, that lie before the next page of either operand
 * and in memory that nobody watches: made in one go, at most `most` of them and never the last one. Returns how many; 0
 * when the next is to go the usual way. Nothing else can happen between them, so that each is still a unit of time.
 */
export function stride(cpu: Cpu, insn: Insn, most: number): number {
  const r = cpu.regs;
  const opcode = insn.row.opcode;
  const fills = (opcode & 0xfe) === 0xaa;
  if ((!fills && (opcode & 0xfe) !== 0xa4) || insn.addrsize !== 4 || (r[REST]! & 0x400) !== 0) return 0;
  const size = width(insn);
  const flat = cpu.flat;
  if (size === 2 || ((flat >>> ES) & 256) === 0) return 0;
  const to = r[EDI]!;
  const w = (to >>> 11) & 0x7fe;
  const page = size === 4 ? ~0xffc : ~0xfff;
  const shift = size >> 1;
  if (cpu.fastWrite[w] !== (to & page)) return 0;
  // ECX is unsigned; its last iteration ends the instruction.
  let n = Math.min(most, (r[ECX]! >>> 0) - 1, (0x1000 - (to & 0xfff)) >> shift);
  const host = (to + cpu.fastWrite[w + 1]!) | 0;
  if (fills) {
    if (n <= 0) return 0;
    if (size === 4) cpu.i32.fill(r[EAX]!, host >> 2, (host >> 2) + n);
    else cpu.bytes.fill(r[EAX]! & 0xff, host, host + n);
  } else {
    const from = r[ESI]!;
    const x = (from >>> 11) & 0x7fe;
    if (((flat >>> insn.seg) & 1) === 0 || cpu.fastRead[x] !== (from & page)) return 0;
    n = Math.min(n, (0x1000 - (from & 0xfff)) >> shift);
    if (n <= 0) return 0;
    const source = (from + cpu.fastRead[x + 1]!) | 0;
    // One after the other: what overlaps is copied as often as the iterations would.
    if (size === 4) {
      const { i32 } = cpu;
      for (let i = 0, a = source >> 2, b = host >> 2; i < n; i++) i32[b + i] = i32[a + i]!;
    } else {
      const { bytes } = cpu;
      for (let i = 0; i < n; i++) bytes[host + i] = bytes[source + i]!;
    }
    r[ESI] = from + (n << shift);
  }
  r[EDI] = to + (n << shift);
  r[ECX] = r[ECX]! - n;
  return n;
}

export function lods(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  const v = load(cpu, insn.seg, source(r, insn), size);
  if (cpu.faulted) return STOP;
  if (size === 4) r[EAX] = v;
  else if (size === 1) set8(r, EAX, v);
  else set16(r, EAX, v);
  advance(r, insn, ESI, size);
  return counted(r, insn);
}

export function scas(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  const v = load(cpu, ES, destination(r, insn), size);
  if (cpu.faulted) return STOP;
  const a = size === 4 ? r[EAX] : size === 1 ? r[EAX] & 0xff : r[EAX] & 0xffff;
  compare(r, a, v, size);
  advance(r, insn, EDI, size);
  return compared(r, insn);
}

export function cmps(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  const a = load(cpu, insn.seg, source(r, insn), size);
  if (cpu.faulted) return STOP;
  const b = load(cpu, ES, destination(r, insn), size);
  if (cpu.faulted) return STOP;
  compare(r, a, b, size);
  advance(r, insn, ESI, size);
  advance(r, insn, EDI, size);
  return compared(r, insn);
}

/** The destination is probed first: reading a port has effects that a fault could not take back. */
export function ins(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  const to = destination(r, insn);
  if (!cpu.check(ES, to, size, true)) return STOP;
  const v = portIn(cpu, r[EDX] & 0xffff, size);
  if (cpu.faulted) return STOP;
  store(cpu, to, size, v);
  if (cpu.faulted) return STOP;
  advance(r, insn, EDI, size);
  return counted(r, insn);
}

export function outs(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (exhausted(r, insn)) return NEXT;
  const size = width(insn);
  const v = load(cpu, insn.seg, source(r, insn), size);
  if (cpu.faulted) return STOP;
  if (portOut(cpu, r[EDX] & 0xffff, size, v) === STOP) return STOP;
  advance(r, insn, ESI, size);
  return counted(r, insn);
}
