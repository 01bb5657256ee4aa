/** What makes the run loop look up between two blocks. A file of its own, on the ground: everybody here reads it. */
import { FLAG_RF, FLAG_TF } from "./flags.ts";

/** Reasons to look up between two blocks, as bits of `attention`. */
export const ATT_LINE = 1; // the interrupt line is raised
export const ATT_PENDING = 2; // an injected event waits
export const ATT_DEBUG = 4; // a single-step trap waits
export const ATT_SHADOW = 8; // STI or MOV SS has just retired
export const ATT_HALTED = 16;
export const ATT_BREAK = 32; // breakpoints are set
export const ATT_LIMIT = 64; // CS does not reach to 4 GiB

/** Flags that make every instruction a matter of its own. */
export const FLAGS_STEPWISE = FLAG_TF | FLAG_RF;

/** Entries of the cache from EIP to block. */
export const JUMP_ENTRIES = 4096;
