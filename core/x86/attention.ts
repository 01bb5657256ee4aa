/**
 * What makes the run loop look up between two blocks, and what it tests on the way. A file of its own, on the ground:
 * everybody here reads it. Plain numbers, imported: those the bundler writes into the code, where a constant of one's
 * own module, or a computed one, is a load.
 */
/** Reasons to look up between two blocks, as bits of `attention`. */
export const ATT_LINE = 1; // the interrupt line is raised
export const ATT_PENDING = 2; // an injected event waits
export const ATT_DEBUG = 4; // a debug trap waits (`debugHits` says why)
export const ATT_SHADOW = 8; // STI or MOV SS has just retired
export const ATT_HALTED = 16;
export const ATT_BREAK = 32; // breakpoints are set
export const ATT_LIMIT = 64; // CS does not reach to 4 GiB
export const ATT_STACK = 128; // MOV SS or POP SS has just retired (ATT_SHADOW is set, too)
export const ATT_NMI = 256; // an NMI waits and is not blocked
export const ATT_WATCH = 512; // DR7 enables a breakpoint: every instruction is a matter of its own
export const ATT_WATCHED = 2048; // a store into a watched frame: the run comes back behind its instruction

export const ATT_YIELD = 4096; // somebody outside wants the run to come back at this boundary

/** Flags that make every instruction a matter of its own. */
export const FLAGS_STEPWISE = 0x1_0100; // RF, TF

/**
 * What has to be looked at between two instructions, of the reasons `attention` and the flags `rest`. An interrupt line
 * has not while IF (bit 9) holds it back: every instruction that sets IF ends its block.
 */
export function waiting(attention: number, rest: number): number {
  return (attention & ~((~rest >> 9) & ATT_LINE)) | (rest & FLAGS_STEPWISE);
}

/** Entries of the cache from EIP to block. */
export const JUMP_ENTRIES = 4096;

/** Bits of `Cpu.flat`: SS is flat, writable and 32-bit; CS reaches to 4 GiB. */
export const FLAT_STACK = 0x1_0000;
export const FLAT_CODE = 0x2_0000;

/** Numbers of Insn.hot that more than the run loop knows (hot.ts has the others). */
export const HOT_END = 1; // not an instruction: a block's end
export const HOT_NOP = 2;
export const HOT_STORE_REG = 6; // MOV m32, r32
export const HOT_STORE_IMM = 7; // MOV m32, imm32
export const HOT_JMP = 69;
export const HOT_CALL = 71;
export const HOT_CALL_ON = 72; // CALL, and the block goes on at its target
export const HOT_RET = 73;
export const HOT_RET_ON = 74; // RET, and the block goes on where it is expected to return to
export const HOT_STORE_PLAIN = 89; // MOV m32, r32 without an index register

/** What an instruction of the run loop's own accesses (Insn.touch). */
export const TOUCH_NONE = 0; // nothing, or two things
export const TOUCH_READ = 1; // its memory operand
export const TOUCH_WRITE = 2;
export const TOUCH_PUSH = 3; // the word below ESP, written
export const TOUCH_POP = 4; // the word at ESP
