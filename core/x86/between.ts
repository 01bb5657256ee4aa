/**
 * What the run loop (chain.ts) calls when it cannot go on by itself: the next block, how much of it may run, an operand that the
 * TLB's derived arrays lack, an instruction that did not retire, and a REP instruction that goes on.
 */

import { pageFault, userBit } from "./access.ts";
import {
  ATT_LIMIT,
  FLAGS_STEPWISE,
  FLAT_STACK,
  HOT_END,
  HOT_STORE_IMM,
  HOT_STORE_PLAIN,
  HOT_STORE_REG,
  JUMP_ENTRIES,
  TOUCH_PUSH,
  TOUCH_READ,
  TOUCH_WRITE,
  waiting,
} from "./attention.ts";
import { type Block, STALE } from "./blocks.ts";
import type { Cpu } from "./cpu.ts";
import { ACCESS_FETCH, ACCESS_WRITE, EXIT_PF, RUN_EXIT, RUN_RETIRED } from "./door.ts";
import { fetchBlock } from "./fetch.ts";
import { REST } from "./flags.ts";
import { ESP } from "./isa/exec/operand.ts";
import { stride } from "./isa/exec/string.ts";
import { CS, type Insn, REPEAT, STOP } from "./isa/insn.ts";

/** `chain`: the next instruction wants to be run on its own. */
export const STEP_NEXT = -3;
/** `chain`: an instruction stopped; `afterStop` says why. */
export const RETIRED_STOP = -2;

/** Completes the reason of a RUN_UNIMPLEMENTED with the instruction's name. */
export function nameStop(cpu: Cpu, insn: Insn): void {
  if (cpu.unimplemented === "") cpu.unimplemented = insn.row.name;
}

/** The block that EIP leads to, by the cache from EIP to block or by a fetch. */
export function nextBlock(cpu: Cpu): Block | null {
  const eip = cpu.eip;
  const slot = (eip ^ (eip >>> 12)) & (JUMP_ENTRIES - 1);
  const tags = cpu.jumpTags;
  if (tags[slot * 2] === eip) {
    const block = cpu.jumpBlocks[slot] ?? null;
    if (block !== null && block.first !== STALE) {
      if (tags[slot * 2 + 1] === cpu.tlb.fetchEpoch) return block;
      // The TLB has been flushed, or the like: mostly the page is where it was.
      if (cpu.csFlat && block.big === cpu.csBig && block.hfn2 < 0) {
        const la = (eip + cpu.csBase) | 0;
        const i = cpu.paging.lookup(la, userBit(cpu) | ACCESS_FETCH);
        if (i < 0) {
          pageFault(cpu, la, cpu.paging.error);
          return null;
        }
        if (cpu.tlb.hfns[i] === block.hfn && block.offset === (la & 0xfff)) {
          tags[slot * 2 + 1] = cpu.tlb.fetchEpoch;
          return block;
        }
      }
    }
  }
  const block = fetchBlock(cpu);
  if (block !== null && block.hfn >= 0) {
    tags[slot * 2] = eip;
    tags[slot * 2 + 1] = cpu.tlb.fetchEpoch;
    cpu.jumpBlocks[slot] = block;
  }
  return block;
}

/** Value of `near` that no link has. */
export const NEVER_NEAR = -1;

/**
 * A link within a page of one frame holds in every fetch epoch: whoever runs the block it leads from has looked up the
 * translation of the page, and so that of the block it leads to. It holds for one base and one D of CS (`nearEpoch`).
 */
export function isNear(cpu: Cpu, from: Block, start: number, next: Block, to: number): boolean {
  const base = cpu.csBase;
  return (
    from.hfn === next.hfn && from.hfn2 < 0 && next.hfn2 < 0 && (((start + base) ^ (to + base)) & ~0xfff) === 0
  );
}

/** Instructions of `block` that may run before a breakpoint, or the end of CS, has to be looked at. */
export function roomIn(cpu: Cpu, block: Block): number {
  let n = block.count | 0;
  if ((cpu.attention & ATT_LIMIT) !== 0) {
    const eip = cpu.eip >>> 0;
    const back = block.offset - block.low;
    if (eip < back || eip - back + (block.high - block.low) - 1 > cpu.segLimit[CS]!) n = 0;
  }
  for (const breakpoint of cpu.breakpoints) {
    const at = (breakpoint - cpu.linearIp) | 0;
    if (at < block.low - block.offset || at >= block.high - block.offset) continue;
    for (let i = 1; i < n; i++) {
      const insn = block.insns[i]!;
      if (insn.end - insn.length === at) n = i;
    }
  }
  return n;
}

/** Answers of `refill`: the loop finds the operand now; it faults; the handler is to see. */
export const FOUND = 1;
export const FAULTED = 2;
const UNKNOWN = 0;

/**
 * Brings the memory operand of an instruction of the loop's own into the TLB's derived arrays, which did not have it. The
 * access is one within a flat segment, aligned whatever its size: the walk alone decides whether it is allowed.
 */
export function refill(cpu: Cpu, insn: Insn): number {
  const regs = cpu.regs;
  const touch = insn.touch;
  const flat = cpu.flat;
  const write = touch === TOUCH_WRITE || touch === TOUCH_PUSH;
  let la: number;
  if (touch === TOUCH_READ || touch === TOUCH_WRITE) {
    if (((write ? flat >>> 8 : flat) & insn.segBit) === 0) return UNKNOWN;
    la = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
  } else {
    if ((flat & FLAT_STACK) === 0) return UNKNOWN;
    la = write ? (regs[ESP]! - 4) | 0 : regs[ESP]!;
  }
  if ((la & 3) !== 0) return UNKNOWN;
  const page = la & ~0xfff;
  const fast = write ? cpu.fastWrite : cpu.fastRead;
  const w = (la >>> 11) & 0x7fe;
  if (fast[w] === page) return UNKNOWN;
  const i = cpu.paging.lookup(la, write ? userBit(cpu) | ACCESS_WRITE : userBit(cpu));
  if (i < 0) {
    pageFault(cpu, la, cpu.paging.error);
    return FAULTED;
  }
  cpu.tlb.derive(i, cpu.paging.wp);
  return fast[w] === page ? FOUND : UNKNOWN;
}

/** An instruction of a chain did not retire; `some`: others did. */
export function stopped(cpu: Cpu, insn: Insn, behind: number, some: boolean): number {
  cpu.retired += insn.count - 1;
  if (some) cpu.midRep = false;
  cpu.eip = (behind - insn.length) | 0;
  if (cpu.stopCode >= 0) nameStop(cpu, insn);
  return RETIRED_STOP;
}

/**
 * The access of an instruction of the loop's own, in a whole block of `hfn`, has faulted. When that is an exit, and the
 * instruction is a plain store, the exit says so.
 */
export function tellStore(cpu: Cpu, insn: Insn, hfn: number): void {
  const { exit } = cpu;
  if (cpu.stopCode !== RUN_EXIT || exit.reason !== EXIT_PF || cpu.attention !== 0) return;
  if (insn.hot === HOT_STORE_REG || insn.hot === HOT_STORE_PLAIN) exit.value = cpu.regs[insn.dst]!;
  else if (insn.hot === HOT_STORE_IMM) exit.value = insn.imm;
  else return;
  // Watchpoints hear of stores that go the whole way alone.
  if ((cpu.regs[REST]! & FLAGS_STEPWISE) === 0 && cpu.watchpoints === null) exit.storeFrom = hfn;
}

/**
 * Has an exit of the chain's answered on the spot, where somebody does. True: the guest goes on, at EIP, with whatever is
 * pending. False: the run comes back.
 */
export function answerExit(cpu: Cpu): boolean {
  if (cpu.stopCode !== RUN_EXIT || cpu.answer === null) return false;
  cpu.faulted = false;
  cpu.stopCode = -1;
  if (cpu.answer()) return true;
  cpu.answered = true;
  cpu.stopCode = RUN_EXIT;
  return false;
}

/**
 * Where in its own block the guest goes on when an exit of `insn` has been answered: behind it (it was emulated), or with it
 * again. Null: elsewhere, or something else is to be seen to first, or the block does not fit into what is left.
 * `start`: EIP of the block's first instruction, `left`: units. Looks the translation of the code up, as a fetch would.
 */
export function resumed(cpu: Cpu, block: Block, start: number, insn: Insn, left: number): Insn | null {
  const next = insn.next!;
  // A block that was stored into leads to STALE everywhere.
  if (next === STALE || waiting(cpu.attention, cpu.regs[REST]!) !== 0) return null;
  const eip = cpu.eip;
  let on = insn;
  if (((start + insn.end) | 0) === eip) {
    if (next.hot === HOT_END) return null;
    on = next;
  } else if (((start + insn.end - insn.length) | 0) !== eip) return null;
  if (block.count > left + on.count - 1 || left <= 0) return null;
  const la = (start + cpu.csBase) | 0;
  if (!cpu.csFlat || block.big !== cpu.csBig || block.hfn2 >= 0 || block.offset !== (la & 0xfff)) return null;
  const i = cpu.paging.lookup(la, userBit(cpu) | ACCESS_FETCH);
  // Where it fails it is made again, and faults.
  return i >= 0 && cpu.tlb.hfns[i] === block.hfn ? on : null;
}

/**
 * Goes on with a REP instruction whose first iteration has retired, for at most `budget` units in all, the first
 * included. Retires what ran. Iterations are few or many: the caller sees what is left.
 */
export function goOn(cpu: Cpu, insn: Insn, behind: number, budget: number): number {
  let left = budget;
  let answer = REPEAT;
  cpu.running = insn;
  for (;;) {
    // `time` adds the position in the block while it runs.
    cpu.retired++;
    left--;
    cpu.midRep = true;
    if (left <= 0 || waiting(cpu.attention, cpu.regs[REST]!) !== 0 || insn.next === STALE) break;
    const many = stride(cpu, insn, left);
    cpu.retired += many;
    left -= many;
    if (left <= 0) break;
    cpu.eip = behind;
    answer = insn.exec(cpu, insn);
    if (answer !== REPEAT) break;
  }
  cpu.running = null;
  if (answer === STOP) return stopped(cpu, insn, behind, false);
  cpu.retired += insn.count - 1;
  if (answer === REPEAT) {
    cpu.eip = (behind - insn.length) | 0;
  } else {
    cpu.retired++;
    cpu.midRep = false;
  }
  return RUN_RETIRED;
}
