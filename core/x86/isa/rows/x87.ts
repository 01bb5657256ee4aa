/**
 * The floating-point escapes D8-DF by name, with their handlers. SDM vol. 2, appendix A.5, tables A-7 … A-22.
 */

import { invalid } from "../exec/system.ts";
import { type Load, loadDouble, loadInt, loadQuad, loadSingle, loadWord } from "../exec/x87.ts";
import * as A from "../exec/x87-arith.ts";
import * as C from "../exec/x87-control.ts";
import * as T from "../exec/x87-math.ts";
import * as M from "../exec/x87-move.ts";
import type { Exec } from "../insn.ts";
import { always, type Row, row } from "../row.ts";

/** Memory forms by ModRM.reg; "-" is reserved. */
const MEMORY: readonly string[] = [
  "fadd fmul fcom fcomp fsub fsubr fdiv fdivr",
  "fld - fst fstp fldenv fldcw fnstenv fnstcw",
  "fiadd fimul ficom ficomp fisub fisubr fidiv fidivr",
  "fild fisttp fist fistp - fld - fstp",
  "fadd fmul fcom fcomp fsub fsubr fdiv fdivr",
  "fld fisttp fst fstp frstor - fnsave fnstsw",
  "fiadd fimul ficom ficomp fisub fisubr fidiv fidivr",
  "fild fisttp fist fistp fbld fild fbstp fistp",
];
/** Operand size of each memory form: d 32, q 64, t 80, w 16 bits, x an environment without a size word. */
const SIZES = [
  "dddddddd",
  "ddddxwxw",
  "dddddddd",
  "dddddtdt",
  "qqqqqqqq",
  "qqqqxxxw",
  "wwwwwwww",
  "wwwwtqtq",
];
/** Register forms by ModRM.reg with ST(i) as an operand: name and operands (a = "ST,STi", b = "STi,ST", c = "STi"). */
const REGISTER: readonly string[] = [
  "fadd:a fmul:a fcom:c fcomp:c fsub:a fsubr:a fdiv:a fdivr:a",
  "fld:c fxch:c - - - - - -",
  "fcmovb:a fcmove:a fcmovbe:a fcmovu:a - - - -",
  "fcmovnb:a fcmovne:a fcmovnbe:a fcmovnu:a - fucomi:a fcomi:a -",
  "fadd:b fmul:b - - fsubr:b fsub:b fdivr:b fdiv:b",
  "ffree:c - fst:c fstp:c fucom:c fucomp:c - -",
  "faddp:b fmulp:b - - fsubrp:b fsubp:b fdivrp:b fdivp:b",
  "- - - - - fucomip:a fcomip:a -",
];
/** Single encodings: opcode byte, ModRM.reg, then the names by ModRM.rm. */
const SINGLE: readonly (readonly [number, number, string])[] = [
  [0xd9, 2, "fnop - - - - - - -"],
  [0xd9, 4, "fchs fabs - - ftst fxam - -"],
  [0xd9, 5, "fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz -"],
  [0xd9, 6, "f2xm1 fyl2x fptan fpatan fxtract fprem1 fdecstp fincstp"],
  [0xd9, 7, "fprem fyl2xp1 fsqrt fsincos frndint fscale fsin fcos"],
  [0xda, 5, "- fucompp - - - - - -"],
  [0xdb, 4, "- - fnclex fninit - - - -"],
  [0xde, 3, "- fcompp - - - - - -"],
  [0xdf, 4, "fnstsw - - - - - - -"],
];
const OPERANDS: Readonly<Record<string, string>> = { a: "ST,STi", b: "STi,ST", c: "STi" };

/** What a memory operand of this opcode and size holds. */
const FLOATS: Readonly<Record<string, Load>> = { d: loadSingle, q: loadDouble };
const INTEGERS: Readonly<Record<string, Load>> = { w: loadWord, d: loadInt, q: loadQuad };
const FLOAT_STORES: Readonly<Record<string, string>> = { d: "single", q: "double" };
const INTEGER_STORES: Readonly<Record<string, string>> = { w: "int16", d: "int32", q: "int64" };

const CONTROL: Readonly<Record<string, Exec>> = {
  fldenv: C.fldenv,
  fldcw: C.fldcw,
  fnstenv: C.fnstenv,
  fnstcw: C.fnstcw,
  frstor: C.frstor,
  fnsave: C.fnsave,
  fnstsw: C.fnstsw,
  fbld: M.fbld,
  fbstp: M.storeNumber("bcd", 1),
  fisttp: invalid, // SSE3's: #UD without it
};

/** The handler of a memory form. */
function memoryHandler(name: string, size: string): Exec {
  const control = CONTROL[name];
  if (control !== undefined) return control;
  const integer = name.startsWith("fi");
  const plain = integer ? name.slice(2) : name.slice(1); // fiadd, fadd: add
  const load = (integer ? INTEGERS : FLOATS)[size];
  switch (plain) {
    case "ld":
      return size === "t" ? M.fldExtended : M.loadNumber(load);
    case "st":
    case "stp":
      if (size === "t") return M.fstpExtended;
      return M.storeNumber((integer ? INTEGER_STORES : FLOAT_STORES)[size], plain === "stp" ? 1 : 0);
    case "com":
    case "comp":
      return A.compareMemory(load, plain === "comp" ? 1 : 0);
    default:
      return A.arithMemory(A.OPERATIONS[plain], load);
  }
}

const MOVES: Readonly<Record<string, Exec>> = {
  fld: M.fldRegister,
  fxch: M.fxch,
  ffree: M.ffree,
  fst: M.storeRegister(0),
  fstp: M.storeRegister(1),
  fcom: A.compareRegister(false, 0),
  fcomp: A.compareRegister(false, 1),
  fucom: A.compareRegister(true, 0),
  fucomp: A.compareRegister(true, 1),
  fcomi: A.compareFlags(false, 0),
  fcomip: A.compareFlags(false, 1),
  fucomi: A.compareFlags(true, 0),
  fucomip: A.compareFlags(true, 1),
};

/** The handler of a register form; `kind` as in REGISTER. */
function registerHandler(name: string, kind: string): Exec {
  if (name.startsWith("fcmov")) return A.fcmov;
  const move = MOVES[name];
  if (move !== undefined) return move;
  const plain = name.slice(1);
  const pops = plain.endsWith("p") ? 1 : 0;
  return A.arithRegister(A.OPERATIONS[pops === 1 ? plain.slice(0, -1) : plain], kind === "b", pops);
}

const SINGLES: Readonly<Record<string, Exec>> = {
  fnop: M.fnop,
  fchs: M.fchs,
  fabs: M.fabs,
  ftst: A.ftst,
  fxam: A.fxam,
  f2xm1: T.f2xm1,
  fyl2x: T.fyl2x,
  fptan: T.fptan,
  fpatan: T.fpatan,
  fxtract: A.fxtract,
  fprem1: A.fprem1,
  fdecstp: M.fdecstp,
  fincstp: M.fincstp,
  fprem: A.fprem,
  fyl2xp1: T.fyl2xp1,
  fsqrt: A.fsqrt,
  fsincos: T.fsincos,
  frndint: A.frndint,
  fscale: A.fscale,
  fsin: T.fsin,
  fcos: T.fcos,
  fucompp: A.compareRegister(true, 2),
  fcompp: A.compareRegister(false, 2),
  fnclex: C.fnclex,
  fninit: C.fninit,
  fnstsw: C.fnstswAx,
};
const singleHandler = (name: string): Exec => SINGLES[name] ?? M.constant(name);

export const X87: readonly Row[] = [
  ...MEMORY.flatMap((line, n) =>
    line.split(" ").flatMap((name, ext) => {
      if (name === "-") return [];
      const size = SIZES[n][ext];
      const exec = memoryHandler(name, size);
      return [row(0xd8 + n, name, size === "x" ? "M" : `M${size}`, always(exec), { ext, form: "mem" })];
    }),
  ),
  ...REGISTER.flatMap((line, n) =>
    line.split(" ").flatMap((entry, ext) => {
      if (entry === "-") return [];
      const [name, kind] = entry.split(":");
      return [row(0xd8 + n, name, OPERANDS[kind], always(registerHandler(name, kind)), { ext, form: "reg" })];
    }),
  ),
  ...SINGLE.flatMap(([opcode, ext, names]) =>
    names.split(" ").flatMap((name, rm) => {
      if (name === "-") return [];
      return [row(opcode, name, opcode === 0xdf ? "AX" : "", always(singleHandler(name)), { ext, rm })];
    }),
  ),
];
