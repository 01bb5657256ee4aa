/**
 * The row type of the ONE instruction table (table.ts): decoding, execution, naming and tests all read it.
 * Operand codes are those of the SDM's opcode maps (vol. 2, appendix A.2): E G I M, sizes b v w d z p q …
 */
import type { Exec, Insn } from "./insn.ts";

export interface Row {
  /** Opcode bytes behind the prefixes, without ModRM: 0x00 … 0xff, 0x0f00 … 0x0fff. */
  readonly opcode: number;
  /** ModRM.reg that selects the row within a group, or -1. */
  readonly ext: number;
  /** SDM mnemonic in lower case. */
  readonly name: string;
  /** Operands in Intel order, e.g. "Ev,Gv"; "" for none. */
  readonly operands: string;
  /** LOCK is allowed (with a memory destination). */
  readonly lock: boolean;
  /** REP / REPE / REPNE has a meaning here. */
  readonly rep: boolean;
  /** A decoded block ends behind it. */
  readonly ends: boolean;
  /**
   * Chooses the handler for a decoded instruction (operand size, register or memory form). A row that the manual
   * defines and we do not execute has none: the machine stops with the reason `unimplemented`.
   */
  readonly bind: ((insn: Insn) => Exec) | null;
}
