/**
 * The debug registers: four breakpoints on instructions, data and ports, DR6's report and DR7's switches
 * (SDM vol. 3, 17.2, 17.3).
 *
 * Nothing here costs anything while DR7 enables no breakpoint. While it does, instructions run one by one
 * (ATT_WATCH), and with a breakpoint on data every access takes the slow path, which asks `watchData`.
 */
import { ATT_WATCH } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { DB, GP, UD } from "./exceptions.ts";
import { FLAG_VM, REST } from "./flags.ts";
import { BRANCH, NEXT, STOP } from "./isa/insn.ts";

/** DR6: causes of a debug exception. */
export const DR6_BD = 1 << 13;
export const DR6_BS = 1 << 14;
/** After a reset; reserved bits are ones (SDM vol. 3, table 9-1). */
export const DR6_RESET = 0xffff_0ff0 | 0;
export const DR7_RESET = 0x400;
const DR6_WRITABLE = 0xe00f;
const DR7_WRITABLE = 0xffff_23ff | 0;
const DR7_GD = 1 << 13;
const CR4_DE = 1 << 3;

/** R/W field of breakpoint `n`: 0 instruction, 1 data writes, 2 ports, 3 data reads and writes. */
function kindOf(dr7: number, n: number): number {
  return (dr7 >>> (16 + n * 4)) & 3;
}

/** Bytes of breakpoint `n`; 10B is 8 in later processors and undefined here. */
function lengthOf(dr7: number, n: number): number {
  return ((dr7 >>> (18 + n * 4)) & 3) + 1;
}

function isEnabled(dr7: number, n: number): boolean {
  return ((dr7 >>> (n * 2)) & 3) !== 0;
}

/** Derives what the run loop and the accesses test from DR7. Call after changing it. */
export function debugChanged(cpu: Cpu): void {
  const dr7 = cpu.dr[7]!;
  let any = false;
  let data = false;
  for (let n = 0; n < 4; n++) {
    if (!isEnabled(dr7, n)) continue;
    any = true;
    if ((kindOf(dr7, n) & 1) !== 0) data = true;
  }
  cpu.attention = any ? cpu.attention | ATT_WATCH : cpu.attention & ~ATT_WATCH;
  if (cpu.watchingData === data) return;
  cpu.watchingData = data;
  cpu.setCpl(cpu.cpl);
}

/** Bits of DR6 for the instruction breakpoints at a linear address. */
export function codeHits(cpu: Cpu, la: number): number {
  const dr7 = cpu.dr[7]!;
  let hits = 0;
  for (let n = 0; n < 4; n++) {
    if (isEnabled(dr7, n) && kindOf(dr7, n) === 0 && cpu.dr[n] === (la | 0)) hits |= 1 << n;
  }
  return hits;
}

/** Does [at, at + size) meet breakpoint `n`, whose low address bits its length makes ignored? */
function meets(cpu: Cpu, n: number, at: number, size: number): boolean {
  const length = lengthOf(cpu.dr[7]!, n);
  const first = (cpu.dr[n]! & ~(length - 1)) >>> 0;
  const from = at >>> 0;
  return from < first + length && from + size > first;
}

/** A data access of the instruction in hand: what it meets is reported when it retires. */
export function watchData(cpu: Cpu, la: number, size: number, write: boolean): void {
  const dr7 = cpu.dr[7]!;
  for (let n = 0; n < 4; n++) {
    if (!isEnabled(dr7, n)) continue;
    const kind = kindOf(dr7, n);
    if ((kind === 3 || (kind === 1 && write)) && meets(cpu, n, la, size)) cpu.debugHits |= 1 << n;
  }
}

/** A port access of the instruction in hand; only CR4.DE makes breakpoints on ports. */
export function watchPort(cpu: Cpu, port: number, size: number): void {
  if ((cpu.cr4 & CR4_DE) === 0) return;
  const dr7 = cpu.dr[7]!;
  for (let n = 0; n < 4; n++) {
    if (isEnabled(dr7, n) && kindOf(dr7, n) === 2 && meets(cpu, n, port, size)) cpu.debugHits |= 1 << n;
  }
}

/** Number of the register that MOV DRn means, or -1 after a fault (SDM vol. 2, MOV DR; vol. 3, 17.2.2). */
function reach(cpu: Cpu, n: number): number {
  if ((n === 4 || n === 5) && (cpu.cr4 & CR4_DE) !== 0) {
    cpu.raise(UD);
    return -1;
  }
  if (cpu.cpl !== 0 || (cpu.regs[REST]! & FLAG_VM) !== 0) {
    cpu.raise(GP, 0);
    return -1;
  }
  if ((cpu.dr[7]! & DR7_GD) !== 0) {
    // The one debug exception of an instruction that is a fault: RF is pushed set.
    cpu.debugFault = true;
    cpu.dr[6]! |= DR6_BD;
    cpu.raise(DB);
    return -1;
  }
  return n === 4 || n === 5 ? n + 2 : n;
}

/** MOV r32, DRn. */
export function movFromDr(cpu: Cpu, n: number, reg: number): number {
  const dr = reach(cpu, n);
  if (dr < 0) return STOP;
  cpu.regs[reg] = cpu.dr[dr]!;
  return NEXT;
}

/** MOV DRn, r32. The block ends: a breakpoint may be armed for the next instruction. */
export function movToDr(cpu: Cpu, n: number, value: number): number {
  const dr = reach(cpu, n);
  if (dr < 0) return STOP;
  if (dr === 6) cpu.dr[6] = (value & DR6_WRITABLE) | DR6_RESET;
  else if (dr === 7) cpu.dr[7] = (value & DR7_WRITABLE) | DR7_RESET;
  else cpu.dr[dr] = value;
  debugChanged(cpu);
  return BRANCH;
}
