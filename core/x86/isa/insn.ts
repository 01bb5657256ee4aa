/**
 * One decoded instruction, as a block holds it and a handler reads it. All instances have one hidden class.
 * SDM vol. 2, chapter 2 (instruction format).
 */
import type { Block } from "../blocks.ts";
import type { Cpu } from "../cpu.ts";
import type { Row } from "./row.ts";

/** A handler's answer: go on with the next instruction of the block. */
export const NEXT = 0;
/** `cpu.eip` was set (a taken branch), or the block must end (state that decoding depends on changed). The instruction retires. */
export const BRANCH = 1;
/** The instruction did not retire: a fault, an exit, or a stop is recorded in the processor. */
export const STOP = 2;
/** One iteration of a REP instruction retired and more remain: EIP stays, registers are updated. */
export const REPEAT = 3;

/**
 * Executes one instruction. On entry `cpu.eip` is the address BEHIND the instruction; after STOP the loop puts it back.
 * A handler changes no architectural state before its last access that can fault.
 */
export type Exec = (cpu: Cpu, insn: Insn) => number;

export const PREFIX_NONE = 0;
export const PREFIX_REP = 0xf3;
export const PREFIX_REPNE = 0xf2;

/** Segment register numbers in encoding order. */
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

/** `regs[NO_REG]` is always 0, so that an absent base or index adds nothing. */
export const NO_REG = 8;

export class Insn {
  /** Bound by the row for this operand form and size. */
  exec: Exec;
  row: Row;
  /** Number of its case in core/x86/chain.ts, or 0: called. Then come what the case reads (hot.ts). */
  hot = 0;
  /** Number of the register that is written (a store's source, too), and of the other one; a shift's count. */
  dst = 0;
  src = 0;
  /** Bit `seg` of Cpu.flat. */
  segBit = 0;
  /** The one memory operand that its case has: TOUCH_… of core/x86/attention.ts. */
  touch = 0;
  /** Bytes, 1 to 15. */
  length = 0;
  /** Operand size in bytes: 2 or 4 (rows with byte operands know it themselves). */
  opsize = 4;
  /** Address size in bytes: 2 or 4. */
  addrsize = 4;
  /** PREFIX_NONE, PREFIX_REP or PREFIX_REPNE. */
  rep = PREFIX_NONE;
  lock = false;
  /** True when the ModRM operand is a register (mod = 3). */
  isReg = false;
  /** ModRM.reg (also the opcode's register for +r forms). */
  reg = 0;
  /** ModRM.rm when isReg. */
  rm = 0;
  /** The ModRM byte, for the x87 opcode register. */
  modrm = 0;
  /** Effective address: regs[base] + (regs[index] << scale) + disp, in addrsize. NO_REG where absent. */
  base = NO_REG;
  index = NO_REG;
  scale = 0;
  disp = 0;
  /** Effective segment of the memory operand, ES … GS: the override or the default. */
  seg = DS;
  /** Immediate, sign-extended as the row says; relative branches: the displacement. */
  imm = 0;
  /** Second immediate: ENTER's level, the selector of a far pointer. */
  imm2 = 0;
  // In a block (blocks.ts):
  /** The instruction that comes next in its block; the last leads to the block's end, a dropped block's to STALE. */
  next: Insn | null = null;
  /** Instructions of the block up to this one and with it. */
  count = 1;
  /** Offset of the byte behind it from the block's first byte; where the block follows branches it may be negative. */
  end = 0;
  /** The same of a relative branch's target; of a RET that the block follows: of where it is expected to return to. */
  goes = 0;
  /** The block that came after leaving its own here: for that EIP, in that fetch epoch. */
  link: Block | null = null;
  linkEip = 0;
  linkEpoch = 0;

  constructor(exec: Exec, row: Row) {
    this.exec = exec;
    this.row = row;
  }
}
