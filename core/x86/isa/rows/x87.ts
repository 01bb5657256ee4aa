/**
 * The floating-point escapes D8-DF by name. SDM vol. 2, appendix A.5, tables A-7 … A-22. None is executed:
 * #NM while CR0.EM or CR0.TS is set, else the machine stops with the reason `unimplemented`.
 */
import { x87 } from "../exec/system.ts";
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

export const X87: readonly Row[] = [
  ...MEMORY.flatMap((line, n) =>
    line.split(" ").flatMap((name, ext) => {
      if (name === "-") return [];
      const size = SIZES[n][ext];
      return [row(0xd8 + n, name, size === "x" ? "M" : `M${size}`, always(x87), { ext, form: "mem" })];
    }),
  ),
  ...REGISTER.flatMap((line, n) =>
    line.split(" ").flatMap((entry, ext) => {
      if (entry === "-") return [];
      const [name, kind] = entry.split(":");
      return [row(0xd8 + n, name, OPERANDS[kind], always(x87), { ext, form: "reg" })];
    }),
  ),
  ...SINGLE.flatMap(([opcode, ext, names]) =>
    names.split(" ").flatMap((name, rm) => {
      if (name === "-") return [];
      return [row(opcode, name, opcode === 0xdf ? "AX" : "", always(x87), { ext, rm })];
    }),
  ),
];
