/**
 * The innermost loop: block after block, instruction after instruction, until something else has to happen.
 *
 * The instructions that compiled code spends its time in are carried out right here, one case of a switch each (hot.ts
 * says which is which), and the loop around them calls nothing and writes nothing of the processor but registers and
 * memory: nobody can look at it there. A block leads to the next by the branch that left it, as long as EIP and the fetch
 * epoch say so. Whatever needs more (an access that the TLB's derived arrays do not answer, any other instruction, a block
 * not seen yet) leaves the loop, is done by the handler of the instruction table, and the loop is entered again.
 *
 * Why it looks as it does, by what V8 makes of it: a function called from here costs a check that it is still that
 * function, and most are not inlined any more once there are this many; a constant of a module is a load; what is read
 * from a field is anything until `| 0` makes it a machine integer. Case labels are literal numbers for the same reason.
 */

import { FLAT_CODE, FLAT_STACK, TOUCH_NONE, waiting } from "./attention.ts";
import {
  answerExit,
  FAULTED,
  FOUND,
  goOn,
  isNear,
  NEVER_NEAR,
  nextBlock,
  RETIRED_STOP,
  refill,
  resumed,
  roomIn,
  STEP_NEXT,
  stopped,
  tellStore,
} from "./between.ts";
import { type Block, STALE } from "./blocks.ts";
import type { Cpu } from "./cpu.ts";
import { EXIT_INVLPG, RUN_RETIRED } from "./door.ts";
import { CARRIES, REST, RESULT } from "./flags.ts";
import { EBP, ESP } from "./isa/exec/operand.ts";
import { BRANCH, type Insn, NEXT, REPEAT, STOP } from "./isa/insn.ts";
import { FAST_EMPTY } from "./paging/tlb.ts";

/**
 * Runs at most `budget` units from EIP on: RUN_RETIRED, RETIRED_STOP or STEP_NEXT. The processor's EIP, its time and what
 * it is running are written where somebody may read them: before a handler is called, and when the chain ends.
 */
export function chain(cpu: Cpu, budget: number): number {
  // `| 0` keeps the loop's variables machine integers: what comes from a field or a call is anything to the JIT.
  /** Units left at the block's first instruction, and those that `cpu.retired` knows of. */
  let left = budget | 0;
  let known = left;
  /** Units that were left when the chain began, or behind the last exit that was answered. */
  let since = left;
  const tlb = cpu.tlb;
  const regs = cpu.regs;
  const i32 = cpu.i32;
  const bytes = cpu.bytes;
  const entered = nextBlock(cpu);
  if (entered === null) return RETIRED_STOP;
  let block: Block = entered;
  /** EIP of the block's first instruction. */
  let start = cpu.eip | 0;
  let n = block.count | 0;
  /** The fetch epoch in which the translation of the block's page was looked up. */
  let looked = tlb.fetchEpoch | 0;
  /** Not 0: somebody wants to look up when the block ends. */
  let look = waiting(cpu.attention, regs[REST]!);
  if (look !== 0) {
    n = roomIn(cpu, block);
    if (n === 0) return STEP_NEXT;
  }
  for (;;) {
    if (n > left) n = left;
    let insn = block.first;
    // Whole blocks in a CS that reaches everywhere go through the loop below; of others each instruction is called.
    const whole = n === (block.count | 0) && (cpu.flat & FLAT_CODE) !== 0 ? 1 : 0;
    let to = 0;
    let from: Insn | null = null;
    for (;;) {
      // Whatever changes one of these is not in the loop.
      const fastRead = cpu.fastRead;
      const fastWrite = cpu.fastWrite;
      const flat = cpu.flat | 0;
      const writable = flat >>> 8;
      const epoch = tlb.fetchEpoch | 0;
      const near = epoch === looked ? cpu.nearEpoch | 0 : NEVER_NEAR;
      /** The page that the stack was last found in, readable and writable, and host byte minus address there. */
      let stackPage = FAST_EMPTY;
      let stackAdd = 0;
      let away = 0;
      if (whole !== 0) {
        run: for (;;) {
          straight: for (;;) {
            switch (insn.hot) {
              case 1: // the end of the block
                to = (start + insn.end) | 0;
                break straight;
              case 2: // NOP; a JMP that the block follows
                break;
              case 3: // MOV r32, r32
                regs[insn.dst] = regs[insn.src]!;
                break;
              case 4: // MOV r32, imm32
                regs[insn.dst] = insn.imm;
                break;
              case 5: // MOV r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  regs[insn.dst] = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  break;
                }
              case 6: // MOV m32, r32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  i32[((at + fastWrite[w + 1]!) | 0) >> 2] = regs[insn.dst]!;
                  break;
                }
              case 7: // MOV m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  i32[((at + fastWrite[w + 1]!) | 0) >> 2] = insn.imm;
                  break;
                }
              case 8: // LEA r32, m
                regs[insn.dst] = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                break;
              case 9: // MOVZX r32, r8
                regs[insn.dst] = (regs[insn.src & 3]! >>> ((insn.src & 4) << 1)) & 0xff;
                break;
              case 10: // MOVZX r32, m8
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xfff) || (flat & insn.segBit) === 0) break run;
                  regs[insn.dst] = bytes[(at + fastRead[w + 1]!) | 0]!;
                  break;
                }
              case 11: // MOVZX r32, r16
                regs[insn.dst] = regs[insn.src]! & 0xffff;
                break;
              case 12: // MOVZX r32, m16
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffe) || (flat & insn.segBit) === 0) break run;
                  const host = (at + fastRead[w + 1]!) | 0;
                  regs[insn.dst] = (i32[host >> 2]! >>> ((host & 2) << 3)) & 0xffff;
                  break;
                }
              case 13: // MOVSX r32, m8
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xfff) || (flat & insn.segBit) === 0) break run;
                  regs[insn.dst] = (bytes[(at + fastRead[w + 1]!) | 0]! << 24) >> 24;
                  break;
                }
              case 14: // MOV r8, m8
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xfff) || (flat & insn.segBit) === 0) break run;
                  const v = bytes[(at + fastRead[w + 1]!) | 0]!;
                  const shift = (insn.dst & 4) << 1;
                  regs[insn.dst & 3] = (regs[insn.dst & 3]! & ~(0xff << shift)) | (v << shift);
                  break;
                }
              case 15: // MOV m8, r8
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xfff) || (writable & insn.segBit) === 0) break run;
                  bytes[(at + fastWrite[w + 1]!) | 0] = regs[insn.dst & 3]! >>> ((insn.dst & 4) << 1);
                  break;
                }
              case 16: // MOV m8, imm8
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xfff) || (writable & insn.segBit) === 0) break run;
                  bytes[(at + fastWrite[w + 1]!) | 0] = insn.imm;
                  break;
                }
              case 17: // MOV r8, r8
                {
                  const v = (regs[insn.src & 3]! >>> ((insn.src & 4) << 1)) & 0xff;
                  const shift = (insn.dst & 4) << 1;
                  regs[insn.dst & 3] = (regs[insn.dst & 3]! & ~(0xff << shift)) | (v << shift);
                  break;
                }
              case 18: // MOV r8, imm8
                {
                  const shift = (insn.dst & 4) << 1;
                  regs[insn.dst & 3] =
                    (regs[insn.dst & 3]! & ~(0xff << shift)) | ((insn.imm & 0xff) << shift);
                  break;
                }
              case 19: // XCHG r32, r32
                {
                  const v = regs[insn.dst]!;
                  regs[insn.dst] = regs[insn.src]!;
                  regs[insn.src] = v;
                  break;
                }
              case 20: // ADD r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = (a + b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((a & b) | ((a | b) & ~v)) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 21: // OR r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = a | b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 22: // AND r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 23: // SUB r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 24: // XOR r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = a ^ b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 25: // CMP r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  break;
                }
              case 26: // TEST r32, r32
                {
                  const a = regs[insn.dst]!;
                  const b = regs[insn.src]!;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  break;
                }
              case 27: // ADD r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = (a + b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((a & b) | ((a | b) & ~v)) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 28: // OR r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = a | b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 29: // AND r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 30: // SUB r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 31: // XOR r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = a ^ b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 32: // CMP r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  break;
                }
              case 33: // TEST r32, imm32
                {
                  const a = regs[insn.dst]!;
                  const b = insn.imm;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  break;
                }
              case 34: // ADD r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = regs[insn.dst]!;
                  const b = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const v = (a + b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((a & b) | ((a | b) & ~v)) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 35: // OR r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = regs[insn.dst]!;
                  const b = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const v = a | b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 36: // AND r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = regs[insn.dst]!;
                  const b = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 37: // SUB r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = regs[insn.dst]!;
                  const b = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 38: // XOR r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = regs[insn.dst]!;
                  const b = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const v = a ^ b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  regs[insn.dst] = v;
                  break;
                }
              case 39: // CMP r32, m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = regs[insn.dst]!;
                  const b = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;

                  break;
                }
              case 40: // ADD m32, r32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = regs[insn.dst]!;
                  const v = (a + b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((a & b) | ((a | b) & ~v)) & -0x3fff_fff8;
                  i32[host] = v;
                  break;
                }
              case 41: // OR m32, r32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = regs[insn.dst]!;
                  const v = a | b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  i32[host] = v;
                  break;
                }
              case 42: // SUB m32, r32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = regs[insn.dst]!;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  i32[host] = v;
                  break;
                }
              case 43: // CMP m32, r32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const b = regs[insn.dst]!;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;

                  break;
                }
              case 44: // TEST m32, r32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const b = regs[insn.dst]!;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;

                  break;
                }
              case 45: // ADD m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = insn.imm;
                  const v = (a + b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((a & b) | ((a | b) & ~v)) & -0x3fff_fff8;
                  i32[host] = v;
                  break;
                }
              case 46: // OR m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = insn.imm;
                  const v = a | b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  i32[host] = v;
                  break;
                }
              case 47: // AND m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = insn.imm;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;
                  i32[host] = v;
                  break;
                }
              case 48: // SUB m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const b = insn.imm;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;
                  i32[host] = v;
                  break;
                }
              case 49: // CMP m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const b = insn.imm;
                  const v = (a - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = ((~a & b) | ((~a | b) & v)) & -0x3fff_fff8;

                  break;
                }
              case 50: // TEST m32, imm32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const a = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const b = insn.imm;
                  const v = a & b;
                  regs[RESULT] = v;
                  regs[CARRIES] = 0;

                  break;
                }
              case 51: // INC r32
                {
                  const a = regs[insn.dst]!;
                  const v = (a + 1) | 0;
                  const c = regs[CARRIES]! & -0x8000_0000;
                  regs[RESULT] = v;
                  regs[CARRIES] =
                    c | ((c >>> 1) ^ (v === -0x8000_0000 ? 0x4000_0000 : 0)) | ((v & 15) === 0 ? 8 : 0);
                  regs[insn.dst] = v;
                  break;
                }
              case 52: // DEC r32
                {
                  const a = regs[insn.dst]!;
                  const v = (a - 1) | 0;
                  const c = regs[CARRIES]! & -0x8000_0000;
                  regs[RESULT] = v;
                  regs[CARRIES] =
                    c | ((c >>> 1) ^ (v === 0x7fff_ffff ? 0x4000_0000 : 0)) | ((a & 15) === 0 ? 8 : 0);
                  regs[insn.dst] = v;
                  break;
                }
              case 53: // INC m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const v = (a + 1) | 0;
                  const c = regs[CARRIES]! & -0x8000_0000;
                  regs[RESULT] = v;
                  regs[CARRIES] =
                    c | ((c >>> 1) ^ (v === -0x8000_0000 ? 0x4000_0000 : 0)) | ((v & 15) === 0 ? 8 : 0);
                  i32[host] = v;
                  break;
                }
              case 54: // DEC m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  const host = ((at + fastWrite[w + 1]!) | 0) >> 2;
                  const a = i32[host]!;
                  const v = (a - 1) | 0;
                  const c = regs[CARRIES]! & -0x8000_0000;
                  regs[RESULT] = v;
                  regs[CARRIES] =
                    c | ((c >>> 1) ^ (v === 0x7fff_ffff ? 0x4000_0000 : 0)) | ((a & 15) === 0 ? 8 : 0);
                  i32[host] = v;
                  break;
                }
              case 55: // SHL r32, imm8 (not 0)
                {
                  const out = regs[insn.dst]! << (insn.src - 1);
                  const v = out << 1;
                  regs[RESULT] = v;
                  regs[CARRIES] = (out & -0x8000_0000) | ((v >>> 31) << 30);
                  regs[insn.dst] = v;
                  break;
                }
              case 56: // SHR r32, imm8 (not 0)
                {
                  const out = regs[insn.dst]! >>> (insn.src - 1);
                  const cf = out & 1;
                  const v = out >>> 1;
                  regs[RESULT] = v;
                  regs[CARRIES] = (cf << 31) | ((cf ^ (out >>> 31)) << 30);
                  regs[insn.dst] = v;
                  break;
                }
              case 57: // SAR r32, imm8 (not 0)
                {
                  const out = regs[insn.dst]! >> (insn.src - 1);
                  const v = out >> 1;
                  regs[RESULT] = v;
                  regs[CARRIES] = (out << 31) | ((out & 1) << 30);
                  regs[insn.dst] = v;
                  break;
                }
              case 58: // NOT r32
                regs[insn.dst] = ~regs[insn.dst]!;
                break;
              case 59: // NEG r32
                {
                  const b = regs[insn.dst]!;
                  const v = (0 - b) | 0;
                  regs[RESULT] = v;
                  regs[CARRIES] = (b | v) & -0x3fff_fff8;
                  regs[insn.dst] = v;
                  break;
                }
              case 60: // CMP r8, imm8
                {
                  const a = (regs[insn.dst & 3]! >>> ((insn.dst & 4) << 1)) & 0xff;
                  const b = insn.imm & 0xff;
                  const v = a - b;
                  const out = (~a & b) | ((~a | b) & v);
                  regs[RESULT] = (v << 24) >> 24;
                  regs[CARRIES] = ((out << 24) & -0x4000_0000) | (out & 8);
                  break;
                }
              case 61: // CMP m8, imm8
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xfff) || (flat & insn.segBit) === 0) break run;
                  const a = bytes[(at + fastRead[w + 1]!) | 0]!;
                  const b = insn.imm & 0xff;
                  const v = a - b;
                  const out = (~a & b) | ((~a | b) & v);
                  regs[RESULT] = (v << 24) >> 24;
                  regs[CARRIES] = ((out << 24) & -0x4000_0000) | (out & 8);
                  break;
                }
              case 62: // TEST r8, r8
                regs[RESULT] =
                  (((regs[insn.dst & 3]! >>> ((insn.dst & 4) << 1)) &
                    (regs[insn.src & 3]! >>> ((insn.src & 4) << 1))) <<
                    24) >>
                  24;
                regs[CARRIES] = 0;
                break;
              case 63: // TEST r8, imm8
                regs[RESULT] = (((regs[insn.dst & 3]! >>> ((insn.dst & 4) << 1)) & insn.imm) << 24) >> 24;
                regs[CARRIES] = 0;
                break;
              case 64: // PUSH r32
                {
                  const sp = (regs[ESP]! - 4) | 0;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastWrite[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastWrite[w + 1]!;
                    stackPage = fastRead[w] === page ? page : FAST_EMPTY;
                  }
                  i32[((sp + stackAdd) | 0) >> 2] = regs[insn.dst]!;
                  regs[ESP] = sp;
                  break;
                }
              case 65: // PUSH imm32
                {
                  const sp = (regs[ESP]! - 4) | 0;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastWrite[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastWrite[w + 1]!;
                    stackPage = fastRead[w] === page ? page : FAST_EMPTY;
                  }
                  i32[((sp + stackAdd) | 0) >> 2] = insn.imm;
                  regs[ESP] = sp;
                  break;
                }
              case 66: // PUSH m32
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  const v = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  const sp = (regs[ESP]! - 4) | 0;
                  const x = (sp >>> 11) & 0x7fe;
                  if (fastWrite[x] !== (sp & ~0xffc) || (flat & FLAT_STACK) === 0) break run;
                  i32[((sp + fastWrite[x + 1]!) | 0) >> 2] = v;
                  regs[ESP] = sp;
                  break;
                }
              case 67: // POP r32
                {
                  const sp = regs[ESP]!;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastRead[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastRead[w + 1]!;
                    stackPage = fastWrite[w] === page ? page : FAST_EMPTY;
                  }
                  const v = i32[((sp + stackAdd) | 0) >> 2]!;
                  regs[ESP] = sp + 4;
                  regs[insn.dst] = v;
                  break;
                }
              case 68: // LEAVE
                {
                  const bp = regs[EBP]!;
                  const w = (bp >>> 11) & 0x7fe;
                  if (fastRead[w] !== (bp & ~0xffc) || (flat & FLAT_STACK) === 0) break run;
                  regs[EBP] = i32[((bp + fastRead[w + 1]!) | 0) >> 2]!;
                  regs[ESP] = bp + 4;
                  break;
                }
              case 69: // JMP rel
                to = (start + insn.goes) | 0;
                break straight;
              case 70: // JMP r32
                to = regs[insn.dst]!;
                break straight;
              case 71: // CALL rel
                {
                  const sp = (regs[ESP]! - 4) | 0;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastWrite[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastWrite[w + 1]!;
                    stackPage = fastRead[w] === page ? page : FAST_EMPTY;
                  }
                  i32[((sp + stackAdd) | 0) >> 2] = (start + insn.end) | 0;
                  regs[ESP] = sp;
                  to = (start + insn.goes) | 0;
                  break straight;
                }
              case 72: // CALL rel, which the block follows
                {
                  const sp = (regs[ESP]! - 4) | 0;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastWrite[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastWrite[w + 1]!;
                    stackPage = fastRead[w] === page ? page : FAST_EMPTY;
                  }
                  i32[((sp + stackAdd) | 0) >> 2] = (start + insn.end) | 0;
                  regs[ESP] = sp;
                  break;
                }
              case 73: // RET
                {
                  const sp = regs[ESP]!;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastRead[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastRead[w + 1]!;
                    stackPage = fastWrite[w] === page ? page : FAST_EMPTY;
                  }
                  const v = i32[((sp + stackAdd) | 0) >> 2]!;
                  regs[ESP] = sp + 4;
                  to = v;
                  break straight;
                }
              case 74: // RET to where the block goes on, if the stack says so
                {
                  const sp = regs[ESP]!;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastRead[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastRead[w + 1]!;
                    stackPage = fastWrite[w] === page ? page : FAST_EMPTY;
                  }
                  const v = i32[((sp + stackAdd) | 0) >> 2]!;
                  regs[ESP] = sp + 4;
                  if (v !== ((start + insn.goes) | 0)) {
                    to = v;
                    break straight;
                  }
                  break;
                }
              case 75: // CALL r32
                {
                  const sp = (regs[ESP]! - 4) | 0;
                  if ((sp & ~0xffc) !== stackPage) {
                    const w = (sp >>> 11) & 0x7fe;
                    const page = sp & ~0xffc;
                    if (fastWrite[w] !== page || (flat & FLAT_STACK) === 0) break run;
                    stackAdd = fastWrite[w + 1]!;
                    stackPage = fastRead[w] === page ? page : FAST_EMPTY;
                  }
                  i32[((sp + stackAdd) | 0) >> 2] = (start + insn.end) | 0;
                  to = regs[insn.dst]!;
                  regs[ESP] = sp;
                  break straight;
                }
              case 76: // JB
                if (regs[CARRIES]! < 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 77: // JAE
                if (regs[CARRIES]! >= 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 78: // JE
                if (regs[RESULT]! === 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 79: // JNE
                if (regs[RESULT]! !== 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 80: // JBE
                if (regs[CARRIES]! < 0 || regs[RESULT]! === 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 81: // JA
                if (regs[CARRIES]! >= 0 && regs[RESULT]! !== 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 82: // JS
                if ((regs[RESULT]! ^ (regs[CARRIES]! << 31)) < 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 83: // JNS
                if ((regs[RESULT]! ^ (regs[CARRIES]! << 31)) >= 0) {
                  to = (start + insn.goes) | 0;
                  break straight;
                }
                break;
              case 84: // JL
                {
                  const c = regs[CARRIES]!;
                  const less = regs[RESULT]! ^ (c << 31) ^ c ^ (c << 1);
                  if (less < 0) {
                    to = (start + insn.goes) | 0;
                    break straight;
                  }
                  break;
                }
              case 85: // JGE
                {
                  const c = regs[CARRIES]!;
                  const less = regs[RESULT]! ^ (c << 31) ^ c ^ (c << 1);
                  if (less >= 0) {
                    to = (start + insn.goes) | 0;
                    break straight;
                  }
                  break;
                }
              case 86: // JLE
                {
                  const c = regs[CARRIES]!;
                  const less = regs[RESULT]! ^ (c << 31) ^ c ^ (c << 1);
                  if (less < 0 || regs[RESULT] === 0) {
                    to = (start + insn.goes) | 0;
                    break straight;
                  }
                  break;
                }
              case 87: // JG
                {
                  const c = regs[CARRIES]!;
                  const less = regs[RESULT]! ^ (c << 31) ^ c ^ (c << 1);
                  if (less >= 0 && regs[RESULT] !== 0) {
                    to = (start + insn.goes) | 0;
                    break straight;
                  }
                  break;
                }
              case 88: // MOV r32, m32 without index
                {
                  const at = (regs[insn.base]! + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastRead[w] !== (at & ~0xffc) || (flat & insn.segBit) === 0) break run;
                  regs[insn.dst] = i32[((at + fastRead[w + 1]!) | 0) >> 2]!;
                  break;
                }
              case 89: // MOV m32, r32 without index
                {
                  const at = (regs[insn.base]! + insn.disp) | 0;
                  const w = (at >>> 11) & 0x7fe;
                  if (fastWrite[w] !== (at & ~0xffc) || (writable & insn.segBit) === 0) break run;
                  i32[((at + fastWrite[w + 1]!) | 0) >> 2] = regs[insn.dst]!;
                  break;
                }
              case 90: // INVLPG of a page that is no piece of a large one, and that no code is fetched from
                {
                  const at = (regs[insn.base]! + (regs[insn.index]! << insn.scale) + insn.disp) | 0;
                  const tag = (at & ~0xfff) | 1;
                  const tags = tlb.tags;
                  if (
                    cpu.cpl !== 0 ||
                    (flat & insn.segBit) === 0 ||
                    ((cpu.intercepts >>> EXIT_INVLPG) & 1) !== 0 ||
                    tlb.large !== 0 ||
                    cpu.trace.on ||
                    cpu.paging.nested.on ||
                    tags[1024 | ((at >>> 12) & 255)] === tag
                  )
                    break run;
                  const i = (at >>> 12) & 1023;
                  if (tags[i] === tag) {
                    tags[i] = 0;
                    const w = i << 1;
                    tlb.readSupervisor[w] = FAST_EMPTY;
                    tlb.readUser[w] = FAST_EMPTY;
                    tlb.writeSupervisor[w] = FAST_EMPTY;
                    tlb.writeUser[w] = FAST_EMPTY;
                    stackPage = FAST_EMPTY;
                  }
                  break;
                }
              default:
                break run;
            }
            insn = insn.next!;
          }
          left = (left - insn.count) | 0;
          if (
            insn.linkEip !== to ||
            (insn.linkEpoch !== near && insn.linkEpoch !== epoch) ||
            look !== 0 ||
            insn.link!.count > left
          ) {
            away = 1;
            break;
          }
          block = insn.link!;
          start = to;
          insn = block.first;
        }
      }
      if (away === 0) {
        // The instruction has not been carried out: its handler does it.
        if (insn === STALE) {
          to = start;
          break;
        }
        const behind = (start + insn.end) | 0;
        if (known !== left) {
          cpu.retired += known - left;
          known = left;
        }
        cpu.running = insn;
        cpu.runningEip = start;
        cpu.eip = behind;
        let answer: number = STOP;
        if (insn.touch !== TOUCH_NONE && whole !== 0) {
          const found = refill(cpu, insn);
          if (found === FOUND && insn.next !== STALE) continue;
          if (found === FAULTED) tellStore(cpu, insn, block.hfn);
          else answer = insn.exec(cpu, insn) | 0;
        } else {
          answer = insn.exec(cpu, insn) | 0;
        }
        if (answer > BRANCH) {
          cpu.running = null;
          left = (left - insn.count + 1) | 0;
          if (answer === REPEAT) return goOn(cpu, insn, behind, left);
          stopped(cpu, insn, behind, left !== since);
          const retired = cpu.retired;
          if (!answerExit(cpu)) return RETIRED_STOP;
          // Here again, as if the run had come back and been begun anew.
          left = (left - (cpu.retired - retired)) | 0;
          known = left;
          since = left;
          to = cpu.eip | 0;
          const on = whole !== 0 ? resumed(cpu, block, start, insn, left) : null;
          if (on === null) break;
          // In the same block: as if what stands before had been run just now.
          left = (left + on.count - 1) | 0;
          cpu.retired -= on.count - 1;
          known = left;
          looked = tlb.fetchEpoch | 0;
          look = 0;
          insn = on;
          continue;
        }
        look = waiting(cpu.attention, regs[REST]!);
        if (answer === NEXT) {
          const next = insn.next!;
          if (next !== STALE && (whole !== 0 || insn.count < n)) {
            insn = next;
            continue;
          }
        }
        to = cpu.eip | 0;
        left = (left - insn.count) | 0;
      }
      from = insn;
      break;
    }
    cpu.running = null;
    cpu.eip = to;
    cpu.retired += known - left;
    known = left;
    if (left !== since) cpu.midRep = false;
    look = waiting(cpu.attention, regs[REST]!);
    if (look !== 0 || left <= 0) return RUN_RETIRED;
    const next = nextBlock(cpu);
    if (next === null) return RETIRED_STOP;
    if (from !== null && next.hfn >= 0) {
      from.link = next;
      from.linkEip = to;
      from.linkEpoch = isNear(cpu, block, start, next, to) ? cpu.nearEpoch : tlb.fetchEpoch;
    }
    looked = tlb.fetchEpoch | 0;
    block = next;
    start = to;
    n = block.count | 0;
  }
}
