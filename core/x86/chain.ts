/**
 * The innermost loop: block after block, instruction after instruction, until something else has to happen.
 *
 * The handlers that compiled code spends its time in are called by number from a switch, right in the loop: there the
 * JIT inlines them, where a call through `insn.exec` costs more than most instructions do. Nothing is decided here;
 * number n stands for HANDLERS[n - 1], a handler of the instruction table, and 0 for "call insn.exec".
 */

import { ATT_LIMIT, FLAGS_STEPWISE, JUMP_ENTRIES } from "./attention.ts";
import { type Block, STALE } from "./blocks.ts";
import { type Cpu, FLAT_STACK } from "./cpu.ts";
import { RUN_RETIRED } from "./door.ts";
import { fetchBlock } from "./fetch.ts";
import { CARRIES, REST, RESULT } from "./flags.ts";
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
import { ESP } from "./isa/exec/operand.ts";
import { sar32Ri, shl32R1, shl32Ri, shr32Ri } from "./isa/exec/shift.ts";
import { leave, pop32Z, push32I, push32M, push32Z } from "./isa/exec/stack.ts";
import { nop } from "./isa/exec/system.ts";
import { BRANCH, CS, type Exec, type Insn, NEXT, REPEAT, STOP } from "./isa/insn.ts";

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
  let n = block.count | 0;
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

/** Answers within `chain` alone, above all others: jump by the immediate; EIP is set already (the local one). */
const JUMP = 5;
const TAKEN = 6;

/**
 * Runs at most `budget` units from EIP on: RUN_RETIRED, RETIRED_STOP or STEP_NEXT. The processor's EIP is written
 * where somebody may read it: before a handler that leaves the registers, and when the block has ended.
 */
export function chain(cpu: Cpu, budget: number): number {
  // `| 0` keeps the loop's variables machine integers: what comes from a field or a call is anything to the JIT.
  let left = budget | 0;
  const tlb = cpu.tlb;
  const regs = cpu.regs;
  const i32 = cpu.i32;
  const first = nextBlock(cpu);
  if (first === null) return RETIRED_STOP;
  let block: Block = first;
  let n = block.count | 0;
  // Whatever chooses others moves the fetch epoch, too: they are looked at again where a block is.
  let fastRead = cpu.fastRead;
  let fastWrite = cpu.fastWrite;
  if (cpu.attention !== 0) {
    n = roomIn(cpu, block);
    if (n === 0) return STEP_NEXT;
  }
  for (;;) {
    if (n > left) n = left;
    let insn = block.first;
    let eip = cpu.eip | 0;
    cpu.running = block;
    cpu.runningEip = eip;
    let i = 0;
    let answer = NEXT;
    for (;;) {
      eip = (eip + insn.length) | 0;
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
        case 4: {
          const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
          const w = (at >>> 11) & 0x7fe;
          if (fastRead[w] === (at & ~0xffc) && ((cpu.flat >>> insn.seg) & 1) !== 0) {
            regs[insn.reg] = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
            break;
          }
          cpu.eip = eip;
          answer = mov32Rm(cpu, insn);
          break;
        }
        case 5: {
          const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
          const w = (at >>> 11) & 0x7fe;
          if (fastWrite[w] === (at & ~0xffc) && ((cpu.flat >>> insn.seg) & 256) !== 0) {
            i32[((at + fastWrite[w + 1]!) | 0) >> 2] = regs[insn.reg]!;
            break;
          }
          cpu.eip = eip;
          answer = mov32Mr(cpu, insn);
          break;
        }
        case 6:
          answer = mov32Ri(cpu, insn);
          break;
        case 7:
          answer = mov32Zi(cpu, insn);
          break;
        case 8:
          cpu.eip = eip;
          answer = mov32Mi(cpu, insn);
          break;
        case 9:
          cpu.eip = eip;
          answer = mov8Rm(cpu, insn);
          break;
        case 10:
          cpu.eip = eip;
          answer = mov8Mr(cpu, insn);
          break;
        case 11:
          cpu.eip = eip;
          answer = mov8Mi(cpu, insn);
          break;
        case 12:
          cpu.eip = eip;
          answer = movzx8M(cpu, insn);
          break;
        case 13:
          answer = movzx8R(cpu, insn);
          break;
        case 14:
          cpu.eip = eip;
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
          cpu.eip = eip;
          answer = addRm(cpu, insn);
          break;
        case 20:
          cpu.eip = eip;
          answer = addMr(cpu, insn);
          break;
        case 21:
          cpu.eip = eip;
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
          cpu.eip = eip;
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
          cpu.eip = eip;
          answer = cmpRm(cpu, insn);
          break;
        case 39:
          cpu.eip = eip;
          answer = cmpMr(cpu, insn);
          break;
        case 40:
          cpu.eip = eip;
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
          cpu.eip = eip;
          answer = incM32(cpu, insn);
          break;
        case 46:
          cpu.eip = eip;
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
        case 51: {
          const sp = (regs[ESP]! - 4) | 0;
          const w = (sp >>> 11) & 0x7fe;
          if (fastWrite[w] === (sp & ~0xffc) && (cpu.flat & FLAT_STACK) !== 0) {
            i32[((sp + fastWrite[w + 1]!) | 0) >> 2] = regs[insn.reg]!;
            regs[ESP] = sp;
            break;
          }
          cpu.eip = eip;
          answer = push32Z(cpu, insn);
          break;
        }
        case 52:
          cpu.eip = eip;
          answer = push32I(cpu, insn);
          break;
        case 53:
          cpu.eip = eip;
          answer = push32M(cpu, insn);
          break;
        case 54: {
          const sp = regs[ESP]!;
          const w = (sp >>> 11) & 0x7fe;
          if (fastRead[w] === (sp & ~0xffc) && (cpu.flat & FLAT_STACK) !== 0) {
            regs[ESP] = sp + 4;
            regs[insn.reg] = i32[((sp + fastRead[w + 1]!) | 0) >> 2]!;
            break;
          }
          cpu.eip = eip;
          answer = pop32Z(cpu, insn);
          break;
        }
        case 55:
          cpu.eip = eip;
          answer = leave(cpu, insn);
          break;
        case 56: {
          const sp = (regs[ESP]! - 4) | 0;
          const w = (sp >>> 11) & 0x7fe;
          if (fastWrite[w] === (sp & ~0xffc) && (cpu.flat & FLAT_STACK) !== 0 && cpu.csFlat) {
            i32[((sp + fastWrite[w + 1]!) | 0) >> 2] = eip;
            regs[ESP] = sp;
            eip = (eip + insn.imm) | 0;
            answer = TAKEN;
            break;
          }
          cpu.eip = eip;
          answer = call32J(cpu, insn);
          break;
        }
        case 57:
          cpu.eip = eip;
          answer = call32R(cpu, insn);
          break;
        case 58: {
          const sp = regs[ESP]!;
          const w = (sp >>> 11) & 0x7fe;
          if (fastRead[w] === (sp & ~0xffc) && (cpu.flat & FLAT_STACK) !== 0 && cpu.csFlat) {
            regs[ESP] = sp + 4;
            eip = i32[((sp + fastRead[w + 1]!) | 0) >> 2]!;
            answer = TAKEN;
            break;
          }
          cpu.eip = eip;
          answer = ret32(cpu);
          break;
        }
        case 59: // jmp32J
          answer = JUMP;
          break;
        case 60: // jb32
          if (regs[CARRIES]! < 0) answer = JUMP;
          break;
        case 61: // jnb32
          if (regs[CARRIES]! >= 0) answer = JUMP;
          break;
        case 62: // jz32
          if (regs[RESULT] === 0) answer = JUMP;
          break;
        case 63: // jnz32
          if (regs[RESULT] !== 0) answer = JUMP;
          break;
        case 64: // jbe32
          if (regs[CARRIES]! < 0 || regs[RESULT] === 0) answer = JUMP;
          break;
        case 65: // jnbe32
          if (regs[CARRIES]! >= 0 && regs[RESULT] !== 0) answer = JUMP;
          break;
        case 66:
          cpu.eip = eip;
          answer = js32(cpu, insn);
          break;
        case 67:
          cpu.eip = eip;
          answer = jns32(cpu, insn);
          break;
        case 68:
          cpu.eip = eip;
          answer = jl32(cpu, insn);
          break;
        case 69:
          cpu.eip = eip;
          answer = jnl32(cpu, insn);
          break;
        case 70:
          cpu.eip = eip;
          answer = jle32(cpu, insn);
          break;
        case 71:
          cpu.eip = eip;
          answer = jnle32(cpu, insn);
          break;
        default:
          cpu.eip = eip;
          answer = insn.exec(cpu, insn) | 0;
      }
      i = (i + 1) | 0;
      if (answer !== NEXT || i >= n) break;
      insn = insn.next!;
    }
    if (answer === NEXT) {
      cpu.eip = eip;
    } else if (answer >= JUMP) {
      const to = answer === JUMP ? (eip + insn.imm) | 0 : eip;
      if (answer === JUMP && !cpu.csFlat) {
        answer = cpu.jumpNear(to);
      } else {
        cpu.eip = to;
        answer = BRANCH;
      }
    }
    if (answer <= BRANCH) {
      cpu.retired += i;
      left = (left - i) | 0;
      if ((cpu.attention | (regs[REST]! & FLAGS_STEPWISE)) !== 0 || left <= 0) {
        cpu.midRep = false;
        return RUN_RETIRED;
      }
      const to = cpu.eip | 0;
      let next = block.next;
      if (block.nextEip !== to || block.nextEpoch !== tlb.fetchEpoch || next === null) {
        cpu.running = null;
        next = nextBlock(cpu);
        if (next === null) {
          cpu.midRep = false;
          return RETIRED_STOP;
        }
        fastRead = cpu.fastRead;
        fastWrite = cpu.fastWrite;
        if (next.hfn >= 0) {
          block.next = next;
          block.nextEip = to;
          block.nextEpoch = tlb.fetchEpoch;
        }
      }
      block = next;
      n = block.count | 0;
      continue;
    }
    // The last instruction did not retire as a whole.
    const done = i - 1;
    if (answer === REPEAT) {
      answer = iterate(cpu, block, insn, done, eip, left - done);
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
      cpu.eip = (eip - insn.length) | 0;
      if (cpu.stopCode >= 0) nameStop(cpu, block, done);
      return RETIRED_STOP;
    }
    // RESTART: EIP stands where it was, the sentinel has no length.
    if (left <= 0 || cpu.attention !== 0) return RUN_RETIRED;
    const again = nextBlock(cpu);
    if (again === null) return RETIRED_STOP;
    block = again;
    fastRead = cpu.fastRead;
    fastWrite = cpu.fastWrite;
    n = block.count | 0;
  }
}

/**
 * Goes on with `insn`, a REP instruction whose first iteration has retired, `done` instructions into its block, for at most
 * `budget` units in all. Retires what ran; answers STOP, or NEXT when the caller is to look around.
 */
function iterate(cpu: Cpu, block: Block, insn: Insn, done: number, behind: number, budget: number): number {
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
