/**
 * The row type of the ONE instruction table (table.ts): decoding, execution, naming and tests all read it.
 * Operand codes are those of the SDM's opcode maps (vol. 2, appendix A.2): E G I M, sizes b w v d z p q …
 * Two additions: `Zb` `Zv` is the register in the opcode's low three bits, `sIb` a byte that is sign-extended.
 */
import type { Exec, Insn } from "./insn.ts";

export interface Row {
  /** Opcode bytes behind the prefixes, without ModRM: 0x00 … 0xff, 0x0f00 … 0x0fff, 0x0f3800 …, 0x0f3a00 …. */
  readonly opcode: number;
  /** ModRM.reg that selects the row within a group, or -1. */
  readonly ext: number;
  /** ModRM.rm that selects the row (register form), or -1. */
  readonly rm: number;
  /** Which ModRM forms the row is for: "any", "mem" (mod is not 3) or "reg" (mod = 3). */
  readonly form: "any" | "mem" | "reg";
  /** Mandatory prefix: 0 none, 0x66, 0xf3, 0xf2; -1 whatever the prefixes. The more specific row wins. */
  readonly prefix: number;
  /** SDM mnemonic in lower case; "cbw/cwde": the names with 16- and 32-bit size. */
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

export interface RowOptions {
  ext?: number;
  rm?: number;
  form?: "any" | "mem" | "reg";
  prefix?: number;
  lock?: boolean;
  rep?: boolean;
  ends?: boolean;
}

/** The form that operand codes imply: M has no register form, N and U (vector registers in rm) no memory form. */
function impliedForm(operands: string, rm: number): "any" | "mem" | "reg" {
  if (rm >= 0 || /(^|,)[NU]/.test(operands)) return "reg";
  return /(^|,)M/.test(operands) ? "mem" : "any";
}

/** Makes a row; `bind` may be a handler that serves every form. */
export function row(
  opcode: number,
  name: string,
  operands: string,
  bind: ((insn: Insn) => Exec) | null,
  options: RowOptions = {},
): Row {
  const rm = options.rm ?? -1;
  return {
    opcode,
    ext: options.ext ?? -1,
    rm,
    form: options.form ?? impliedForm(operands, rm),
    prefix: options.prefix ?? -1,
    name,
    operands,
    lock: options.lock ?? false,
    rep: options.rep ?? false,
    ends: options.ends ?? false,
    bind,
  };
}

/** The same handler for every form. */
export function always(exec: Exec): (insn: Insn) => Exec {
  return () => exec;
}
/** By form: register, memory. */
export function byForm(reg: Exec, mem: Exec): (insn: Insn) => Exec {
  return (insn) => (insn.isReg ? reg : mem);
}
/** By operand size: 32 bits, 16 bits. */
export function bySize(wide: Exec, word: Exec): (insn: Insn) => Exec {
  return (insn) => (insn.opsize === 4 ? wide : word);
}
/** By operand size and form: 32-bit register, 32-bit memory, 16-bit register, 16-bit memory. */
export function byBoth(reg: Exec, mem: Exec, wordReg: Exec, wordMem: Exec = wordReg): (insn: Insn) => Exec {
  return (insn) => (insn.opsize === 4 ? (insn.isReg ? reg : mem) : insn.isReg ? wordReg : wordMem);
}
