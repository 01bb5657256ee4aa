/**
 * The innermost loop: block after block, instruction after instruction, until something else has to happen.
 *
 * The handlers that compiled code spends its time in are called by number from a switch, right in the loop: there the
 * JIT inlines them, where a call through `insn.exec` costs more than most instructions do. Nothing is decided here;
 * number n stands for HANDLERS[n - 1], a handler of the instruction table, and 0 for "call insn.exec".
 */

import { ATT_LIMIT, FLAGS_STEPWISE, JUMP_ENTRIES } from "./attention.ts";
import { type Block, STALE } from "./blocks.ts";
import type { Cpu } from "./cpu.ts";
import { RUN_RETIRED } from "./door.ts";
import { fetchBlock } from "./fetch.ts";
import { REST } from "./flags.ts";
import { decM32, decZ32, incM32, incZ32 } from "./isa/exec/alu-narrow.ts";
import {
  addGr,
  addMi,
  addMr,
  addRi,
  addRm,
  addRr,
  andGr,
  andRi,
  andRr,
  cmpGr,
  cmpMi,
  cmpMr,
  cmpRi,
  cmpRm,
  cmpRr,
  orGr,
  orRi,
  orRr,
  subGr,
  subRi,
  subRm,
  subRr,
  testRi,
  testRr,
  xorGr,
  xorRi,
  xorRr,
} from "./isa/exec/alu32.ts";
import {
  call32J,
  call32R,
  jb32,
  jbe32,
  jl32,
  jle32,
  jmp32J,
  jnb32,
  jnbe32,
  jnl32,
  jnle32,
  jns32,
  jnz32,
  js32,
  jz32,
  ret32,
} from "./isa/exec/branch.ts";
import {
  lea32,
  mov8Mi,
  mov8Mr,
  mov8Rm,
  mov32Gr,
  mov32Mi,
  mov32Mr,
  mov32Ri,
  mov32Rm,
  mov32Rr,
  mov32Zi,
  movzx8M,
  movzx8R,
  movzx16M,
} from "./isa/exec/move.ts";
import { sar32Ri, shl32R1, shl32Ri, shr32Ri } from "./isa/exec/shift.ts";
import { leave, pop32Z, push32I, push32M, push32Z } from "./isa/exec/stack.ts";
import { nop } from "./isa/exec/system.ts";
import { BRANCH, CS, type Exec, NEXT, REPEAT, STOP } from "./isa/insn.ts";

/** In the order of the switch in `chain`. */
export const HANDLERS: readonly Exec[] = [
  nop,
  mov32Rr,
  mov32Gr,
  mov32Rm,
  mov32Mr,
  mov32Ri,
  mov32Zi,
  mov32Mi,
  mov8Rm,
  mov8Mr,
  mov8Mi,
  movzx8M,
  movzx8R,
  movzx16M,
  lea32,
  addRr,
  addGr,
  addRi,
  addRm,
  addMr,
  addMi,
  subRr,
  subGr,
  subRi,
  subRm,
  andRr,
  andGr,
  andRi,
  orRr,
  orGr,
  orRi,
  xorRr,
  xorGr,
  xorRi,
  cmpRr,
  cmpGr,
  cmpRi,
  cmpRm,
  cmpMr,
  cmpMi,
  testRr,
  testRi,
  incZ32,
  decZ32,
  incM32,
  decM32,
  shl32Ri,
  shr32Ri,
  sar32Ri,
  shl32R1,
  push32Z,
  push32I,
  push32M,
  pop32Z,
  leave,
  call32J,
  call32R,
  ret32,
  jmp32J,
  jb32,
  jnb32,
  jz32,
  jnz32,
  jbe32,
  jnbe32,
  js32,
  jns32,
  jl32,
  jnl32,
  jle32,
  jnle32,
];
const NUMBERS = new Map<Exec, number>(HANDLERS.map((exec, i) => [exec, i + 1]));

/** The number that `chain` knows this handler by, or 0. */
export function hotNumber(exec: Exec): number {
  return NUMBERS.get(exec) ?? 0;
}

/** `chain`: the next instruction wants to be run on its own. */
export const STEP_NEXT = -3;

/** Completes the reason of a RUN_UNIMPLEMENTED with the instruction's name. */
export function nameStop(cpu: Cpu, block: Block, index = 0): void {
  if (cpu.unimplemented === "") cpu.unimplemented = block.insns[index]!.row.name;
}

/** The block that EIP leads to, by the cache from EIP to block or by a fetch. */
function nextBlock(cpu: Cpu): Block | null {
  const eip = cpu.eip;
  const slot = (eip ^ (eip >>> 12)) & (JUMP_ENTRIES - 1);
  const tags = cpu.jumpTags;
  if (tags[slot * 2] === eip && tags[slot * 2 + 1] === cpu.tlb.fetchEpoch) {
    const block = cpu.jumpBlocks[slot]!;
    if (block.insns[0] !== STALE) return block;
  }
  const block = fetchBlock(cpu);
  if (block !== null && block.hfn >= 0) {
    tags[slot * 2] = eip;
    tags[slot * 2 + 1] = cpu.tlb.fetchEpoch;
    cpu.jumpBlocks[slot] = block;
  }
  return block;
}

/** Instructions of `block` that may run before a breakpoint, or the end of CS, has to be looked at. */
function roomIn(cpu: Cpu, block: Block): number {
  let n = block.count;
  if ((cpu.attention & ATT_LIMIT) !== 0 && (cpu.eip >>> 0) + block.bytes - 1 > cpu.segLimit[CS]!) n = 0;
  for (const eip of cpu.breakpoints) {
    const d = (eip - cpu.eip) >>> 0;
    if (d === 0 || d >= block.bytes) continue;
    const at = block.offsets.indexOf(d);
    if (at > 0 && at < n) n = at;
  }
  return n;
}

/** `chain`: an instruction stopped; `afterStop` says why. */
export const RETIRED_STOP = -2;

export function chain(cpu: Cpu, budget: number): number {
  let left = budget;
  const tlb = cpu.tlb;
  const regs = cpu.regs;
  const first = nextBlock(cpu);
  if (first === null) return RETIRED_STOP;
  let block: Block = first;
  let n = block.count;
  if (cpu.attention !== 0) {
    n = roomIn(cpu, block);
    if (n === 0) return STEP_NEXT;
  }
  for (;;) {
    if (n > left) n = left;
    const insns = block.insns;
    let eip = cpu.eip;
    cpu.running = block;
    cpu.runningEip = eip;
    let i = 0;
    let answer = NEXT;
    do {
      const insn = insns[i]!;
      eip = (eip + insn.length) | 0;
      cpu.eip = eip;
      switch (insn.hot) {
        case 1:
          answer = nop();
          break;
        case 2:
          answer = mov32Rr(cpu, insn);
          break;
        case 3:
          answer = mov32Gr(cpu, insn);
          break;
        case 4:
          answer = mov32Rm(cpu, insn);
          break;
        case 5:
          answer = mov32Mr(cpu, insn);
          break;
        case 6:
          answer = mov32Ri(cpu, insn);
          break;
        case 7:
          answer = mov32Zi(cpu, insn);
          break;
        case 8:
          answer = mov32Mi(cpu, insn);
          break;
        case 9:
          answer = mov8Rm(cpu, insn);
          break;
        case 10:
          answer = mov8Mr(cpu, insn);
          break;
        case 11:
          answer = mov8Mi(cpu, insn);
          break;
        case 12:
          answer = movzx8M(cpu, insn);
          break;
        case 13:
          answer = movzx8R(cpu, insn);
          break;
        case 14:
          answer = movzx16M(cpu, insn);
          break;
        case 15:
          answer = lea32(cpu, insn);
          break;
        case 16:
          answer = addRr(cpu, insn);
          break;
        case 17:
          answer = addGr(cpu, insn);
          break;
        case 18:
          answer = addRi(cpu, insn);
          break;
        case 19:
          answer = addRm(cpu, insn);
          break;
        case 20:
          answer = addMr(cpu, insn);
          break;
        case 21:
          answer = addMi(cpu, insn);
          break;
        case 22:
          answer = subRr(cpu, insn);
          break;
        case 23:
          answer = subGr(cpu, insn);
          break;
        case 24:
          answer = subRi(cpu, insn);
          break;
        case 25:
          answer = subRm(cpu, insn);
          break;
        case 26:
          answer = andRr(cpu, insn);
          break;
        case 27:
          answer = andGr(cpu, insn);
          break;
        case 28:
          answer = andRi(cpu, insn);
          break;
        case 29:
          answer = orRr(cpu, insn);
          break;
        case 30:
          answer = orGr(cpu, insn);
          break;
        case 31:
          answer = orRi(cpu, insn);
          break;
        case 32:
          answer = xorRr(cpu, insn);
          break;
        case 33:
          answer = xorGr(cpu, insn);
          break;
        case 34:
          answer = xorRi(cpu, insn);
          break;
        case 35:
          answer = cmpRr(cpu, insn);
          break;
        case 36:
          answer = cmpGr(cpu, insn);
          break;
        case 37:
          answer = cmpRi(cpu, insn);
          break;
        case 38:
          answer = cmpRm(cpu, insn);
          break;
        case 39:
          answer = cmpMr(cpu, insn);
          break;
        case 40:
          answer = cmpMi(cpu, insn);
          break;
        case 41:
          answer = testRr(cpu, insn);
          break;
        case 42:
          answer = testRi(cpu, insn);
          break;
        case 43:
          answer = incZ32(cpu, insn);
          break;
        case 44:
          answer = decZ32(cpu, insn);
          break;
        case 45:
          answer = incM32(cpu, insn);
          break;
        case 46:
          answer = decM32(cpu, insn);
          break;
        case 47:
          answer = shl32Ri(cpu, insn);
          break;
        case 48:
          answer = shr32Ri(cpu, insn);
          break;
        case 49:
          answer = sar32Ri(cpu, insn);
          break;
        case 50:
          answer = shl32R1(cpu, insn);
          break;
        case 51:
          answer = push32Z(cpu, insn);
          break;
        case 52:
          answer = push32I(cpu, insn);
          break;
        case 53:
          answer = push32M(cpu, insn);
          break;
        case 54:
          answer = pop32Z(cpu, insn);
          break;
        case 55:
          answer = leave(cpu, insn);
          break;
        case 56:
          answer = call32J(cpu, insn);
          break;
        case 57:
          answer = call32R(cpu, insn);
          break;
        case 58:
          answer = ret32(cpu);
          break;
        case 59:
          answer = jmp32J(cpu, insn);
          break;
        case 60:
          answer = jb32(cpu, insn);
          break;
        case 61:
          answer = jnb32(cpu, insn);
          break;
        case 62:
          answer = jz32(cpu, insn);
          break;
        case 63:
          answer = jnz32(cpu, insn);
          break;
        case 64:
          answer = jbe32(cpu, insn);
          break;
        case 65:
          answer = jnbe32(cpu, insn);
          break;
        case 66:
          answer = js32(cpu, insn);
          break;
        case 67:
          answer = jns32(cpu, insn);
          break;
        case 68:
          answer = jl32(cpu, insn);
          break;
        case 69:
          answer = jnl32(cpu, insn);
          break;
        case 70:
          answer = jle32(cpu, insn);
          break;
        case 71:
          answer = jnle32(cpu, insn);
          break;
        default:
          answer = insn.exec(cpu, insn);
      }
      i++;
    } while (answer === NEXT && i < n);
    if (answer <= BRANCH) {
      cpu.retired += i;
      left -= i;
      if ((cpu.attention | (regs[REST]! & FLAGS_STEPWISE)) !== 0 || left <= 0) {
        cpu.midRep = false;
        return RUN_RETIRED;
      }
      const to = cpu.eip;
      let next = block.next;
      if (block.nextEip !== to || block.nextEpoch !== tlb.fetchEpoch || next === null) {
        cpu.running = null;
        next = nextBlock(cpu);
        if (next === null) {
          cpu.midRep = false;
          return RETIRED_STOP;
        }
        if (next.hfn >= 0) {
          block.next = next;
          block.nextEip = to;
          block.nextEpoch = tlb.fetchEpoch;
        }
      }
      block = next;
      n = block.count;
      continue;
    }
    // The last instruction did not retire as a whole.
    const done = i - 1;
    if (answer === REPEAT) {
      const insn = insns[done]!;
      answer = iterate(cpu, block, done, eip, left - done);
      cpu.running = null;
      if (answer === STOP) {
        cpu.eip = (eip - insn.length) | 0;
        if (cpu.stopCode >= 0) nameStop(cpu, block, done);
        return RETIRED_STOP;
      }
      // Iterations are few or many: let the caller see what is left.
      return RUN_RETIRED;
    }
    cpu.running = null;
    cpu.retired += done;
    left -= done;
    if (left !== budget) cpu.midRep = false;
    if (answer === STOP) {
      cpu.eip = (eip - insns[done]!.length) | 0;
      if (cpu.stopCode >= 0) nameStop(cpu, block, done);
      return RETIRED_STOP;
    }
    // RESTART: EIP stands where it was, the sentinel has no length.
    if (left <= 0 || cpu.attention !== 0) return RUN_RETIRED;
    const again = nextBlock(cpu);
    if (again === null) return RETIRED_STOP;
    block = again;
    n = block.count;
  }
}

/**
 * Goes on with a REP instruction whose first iteration has retired, `done` instructions into its block, for at most
 * `budget` units in all. Retires what ran; answers STOP, or NEXT when the caller is to look around.
 */
function iterate(cpu: Cpu, block: Block, done: number, behind: number, budget: number): number {
  const insn = block.insns[done]!;
  let left = budget;
  let answer = REPEAT;
  for (;;) {
    // `time` adds the position in the block while it runs.
    cpu.retired++;
    left--;
    cpu.midRep = true;
    if (left <= 0 || cpu.attention !== 0 || block.insns[done] !== insn) break;
    cpu.eip = behind;
    answer = insn.exec(cpu, insn);
    if (answer !== REPEAT) break;
  }
  cpu.retired += done;
  if (answer === REPEAT) {
    cpu.eip = (behind - insn.length) | 0;
  } else if (answer !== STOP) {
    cpu.retired++;
    cpu.midRep = false;
  }
  return answer === STOP ? STOP : NEXT;
}
