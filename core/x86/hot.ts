/**
 * The instructions that the run loop (chain.ts) carries out itself: which case of its switch stands for which handler of
 * the instruction table, and where its register operands are. Every other instruction has number 0 and is called.
 *
 * A number says the same as its handler does, as long as the operand in memory is found by the derived arrays of the
 * TLB; where it is not, the loop calls the handler after all. A test runs each of them both ways.
 */
import {
  HOT_CALL,
  HOT_JMP,
  HOT_NOP,
  HOT_RET,
  TOUCH_NONE,
  TOUCH_POP,
  TOUCH_PUSH,
  TOUCH_READ,
  TOUCH_WRITE,
} from "./attention.ts";
import * as N from "./isa/exec/alu-narrow.ts";
import * as W from "./isa/exec/alu32.ts";
import * as B from "./isa/exec/branch.ts";
import * as M from "./isa/exec/move.ts";
import * as H from "./isa/exec/shift.ts";
import * as K from "./isa/exec/stack.ts";
import { invlpg, nop } from "./isa/exec/system.ts";
import { type Exec, type Insn, NO_REG } from "./isa/insn.ts";

/** Where `dst` and `src` of an instruction come from. */
const RM_REG = 0; // Ev,Gv
const REG_RM = 1; // Gv,Ev; also one operand in ModRM.reg or the opcode
const SHIFT_BY = 2; // ModRM.rm by the immediate; a count of 0 does nothing
const SHIFT_ONE = 3; // ModRM.rm by one

/** [number, handler, operands] */
const TABLE: readonly (readonly [number, Exec, number])[] = [
  [HOT_NOP, nop, RM_REG],
  [3, M.mov32Rr, RM_REG],
  [3, M.mov32Gr, REG_RM],
  [4, M.mov32Ri, RM_REG],
  [4, M.mov32Zi, REG_RM],
  [5, M.mov32Rm, REG_RM],
  [6, M.mov32Mr, REG_RM],
  [7, M.mov32Mi, REG_RM],
  [8, M.lea32, REG_RM],
  [9, M.movzx8R, REG_RM],
  [10, M.movzx8M, REG_RM],
  [11, M.movzx16R, REG_RM],
  [12, M.movzx16M, REG_RM],
  [13, M.movsx8M, REG_RM],
  [14, M.mov8Rm, REG_RM],
  [15, M.mov8Mr, REG_RM],
  [16, M.mov8Mi, REG_RM],
  [17, M.mov8Rr, RM_REG],
  [17, M.mov8Gr, REG_RM],
  [18, M.mov8Zi, REG_RM],
  [18, M.mov8Ri, RM_REG],
  [19, M.xchg32R, RM_REG],
  [20, W.addRr, RM_REG],
  [20, W.addGr, REG_RM],
  [21, W.orRr, RM_REG],
  [21, W.orGr, REG_RM],
  [22, W.andRr, RM_REG],
  [22, W.andGr, REG_RM],
  [23, W.subRr, RM_REG],
  [23, W.subGr, REG_RM],
  [24, W.xorRr, RM_REG],
  [24, W.xorGr, REG_RM],
  [25, W.cmpRr, RM_REG],
  [25, W.cmpGr, REG_RM],
  [26, W.testRr, RM_REG],
  [27, W.addRi, RM_REG],
  [28, W.orRi, RM_REG],
  [29, W.andRi, RM_REG],
  [30, W.subRi, RM_REG],
  [31, W.xorRi, RM_REG],
  [32, W.cmpRi, RM_REG],
  [33, W.testRi, RM_REG],
  [34, W.addRm, REG_RM],
  [35, W.orRm, REG_RM],
  [36, W.andRm, REG_RM],
  [37, W.subRm, REG_RM],
  [38, W.xorRm, REG_RM],
  [39, W.cmpRm, REG_RM],
  [40, W.addMr, REG_RM],
  [41, W.orMr, REG_RM],
  [42, W.subMr, REG_RM],
  [43, W.cmpMr, REG_RM],
  [44, W.testMr, REG_RM],
  [45, W.addMi, REG_RM],
  [46, W.orMi, REG_RM],
  [47, W.andMi, REG_RM],
  [48, W.subMi, REG_RM],
  [49, W.cmpMi, REG_RM],
  [50, W.testMi, REG_RM],
  [51, N.incZ32, REG_RM],
  [51, N.incR32, RM_REG],
  [52, N.decZ32, REG_RM],
  [52, N.decR32, RM_REG],
  [53, N.incM32, REG_RM],
  [54, N.decM32, REG_RM],
  [55, H.shl32Ri, SHIFT_BY],
  [55, H.shl32R1, SHIFT_ONE],
  [56, H.shr32Ri, SHIFT_BY],
  [56, H.shr32R1, SHIFT_ONE],
  [57, H.sar32Ri, SHIFT_BY],
  [57, H.sar32R1, SHIFT_ONE],
  [58, N.notR32, RM_REG],
  [59, N.negR32, RM_REG],
  [60, N.cmp8Ri, RM_REG],
  [61, N.cmp8Mi, REG_RM],
  [62, N.test8Rr, RM_REG],
  [63, N.test8Ri, RM_REG],
  [64, K.push32Z, REG_RM],
  [64, K.push32R, RM_REG],
  [65, K.push32I, REG_RM],
  [66, K.push32M, REG_RM],
  [67, K.pop32Z, REG_RM],
  [68, K.leave, REG_RM],
  [HOT_JMP, B.jmp32J, REG_RM],
  [70, B.jmp32R, RM_REG],
  [HOT_CALL, B.call32J, REG_RM],
  [HOT_RET, B.ret32, REG_RM],
  [75, B.call32R, RM_REG],
  [76, B.jb32, REG_RM],
  [77, B.jnb32, REG_RM],
  [78, B.jz32, REG_RM],
  [79, B.jnz32, REG_RM],
  [80, B.jbe32, REG_RM],
  [81, B.jnbe32, REG_RM],
  [82, B.js32, REG_RM],
  [83, B.jns32, REG_RM],
  [84, B.jl32, REG_RM],
  [85, B.jnl32, REG_RM],
  [86, B.jle32, REG_RM],
  [87, B.jnle32, REG_RM],
  [90, invlpg, REG_RM],
];
const ENTRIES = new Map(TABLE.map((entry) => [entry[1], entry]));

/** Forms without an index register, which most memory operands are, by the number of the general form. */
const WITHOUT_INDEX: Readonly<Record<number, number>> = { 5: 88, 6: 89 };

/** Numbers by what their memory operand is for. PUSH m32 and LEAVE are not here: they make two accesses, or by EBP. */
const TOUCHES = new Map<number, number>();
for (const hot of [5, 10, 12, 13, 14, 34, 35, 36, 37, 38, 39, 43, 44, 49, 50, 61, 88])
  TOUCHES.set(hot, TOUCH_READ);
for (const hot of [6, 7, 15, 16, 40, 41, 42, 45, 46, 47, 48, 53, 54, 89]) TOUCHES.set(hot, TOUCH_WRITE);
for (const hot of [64, 65, 71, 75]) TOUCHES.set(hot, TOUCH_PUSH);
for (const hot of [67, 73]) TOUCHES.set(hot, TOUCH_POP);

/** Every handler that has a number, for tests. */
export const HOT_HANDLERS: readonly Exec[] = TABLE.map((entry) => entry[1]);

/** Gives a decoded instruction its number and what its case reads. */
export function prepare(insn: Insn): void {
  const entry = ENTRIES.get(insn.exec);
  if (entry === undefined) return;
  const [hot, exec, operands] = entry;
  // LEAVE has one handler for both sizes.
  if (exec === K.leave && insn.opsize !== 4) return;
  insn.hot = insn.index === NO_REG ? (WITHOUT_INDEX[hot] ?? hot) : hot;
  insn.segBit = 1 << insn.seg;
  insn.touch = TOUCHES.get(insn.hot) ?? TOUCH_NONE;
  insn.dst = operands === REG_RM ? insn.reg : insn.rm;
  insn.src = operands === REG_RM ? insn.rm : insn.reg;
  if (operands === SHIFT_ONE) insn.src = 1;
  if (operands === SHIFT_BY) {
    insn.src = insn.imm & 31;
    if (insn.src === 0) insn.hot = HOT_NOP;
  }
}
