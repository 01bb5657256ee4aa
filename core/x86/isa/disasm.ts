/**
 * Decoded instructions as text, in NASM's Intel syntax, from the rows that the decoder and the handlers read.
 * Numbers are hexadecimal with 0x; branch targets are absolute; a segment is shown when it was overridden.
 */
import { DS, type Insn, NO_REG, PREFIX_REP, SS } from "./insn.ts";
import { operandCodes } from "./operands.ts";

const REGS32 = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", ""];
const REGS16 = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di", ""];
const REGS8 = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];

/** Names that follow the address size instead of the operand size. */
const BY_ADDRESS = "jcxz/jecxz";

/** The mnemonic for the instruction's operand (or address) size, in lower case. */
export function mnemonic(insn: Insn): string {
  const name = insn.row.name;
  const slash = name.indexOf("/");
  if (slash < 0) return name;
  const wide = name === BY_ADDRESS ? insn.addrsize === 4 : insn.opsize === 4;
  return wide ? name.slice(slash + 1) : name.slice(0, slash);
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
function signed(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** The memory operand in brackets. */
function memory(insn: Insn): string {
  const wide = insn.addrsize === 4;
  const names = wide ? REGS32 : REGS16;
  const parts: string[] = [];
  if (insn.base !== NO_REG) parts.push(names[insn.base]);
  if (insn.index !== NO_REG) parts.push(names[insn.index] + (insn.scale > 0 ? `*${1 << insn.scale}` : ""));
  let text = parts.join("+");
  if (parts.length === 0) text = hex(wide ? insn.disp : insn.disp & 0xffff);
  else if (insn.disp !== 0) text += insn.disp < 0 ? signed(insn.disp) : `+${signed(insn.disp)}`;
  const usual = insn.base === 4 || insn.base === 5 ? SS : DS;
  return insn.seg === usual ? `[${text}]` : `[${SEGMENTS[insn.seg]}:${text}]`;
}

const SIZE_WORDS: Readonly<Record<string, string>> = {
  b: "byte ",
  w: "word ",
  d: "dword ",
  q: "qword ",
  t: "tword ",
};

/** Operands beside memory that leave no doubt about its size. CL and DX do not say it, nor does another width. */
const SAYS_SIZE = /^[GZPVS]|^AL$|^eAX$/;
/** Rows whose memory operand has another width than the register beside it. */
const OWN_SIZE = /^(mov[sz]x|cvt|crc32|pinsr|pextr)/;
/** Stores of 16 bits whatever the operand size. */
const STORES_WORD = /^(smsw|sldt|str)$/;

/** Size in front of a memory operand, where no register says it. */
function sizeWord(code: string, insn: Insn): string {
  const row = insn.row;
  if (STORES_WORD.test(row.name)) return "word ";
  if (!OWN_SIZE.test(row.name) && operandCodes(row).some((c) => SAYS_SIZE.test(c))) return "";
  const size = code.slice(1);
  if (size === "v") return insn.opsize === 4 ? "dword " : "word ";
  if (size === "p") return insn.opsize === 4 ? "dword far " : "word far ";
  return SIZE_WORDS[size] ?? "";
}
function register(n: number, size: string, insn: Insn): string {
  if (size === "b") return REGS8[n];
  if (size === "w") return REGS16[n];
  return size === "d" || insn.opsize === 4 ? REGS32[n] : REGS16[n];
}

function operand(code: string, insn: Insn, next: number, position: number): string {
  const size = code.slice(1);
  switch (code) {
    case "eAX":
      return insn.opsize === 4 ? "eax" : "ax";
    case "ST":
      return "st0";
    case "STi":
      return `st${insn.rm}`;
    case "Ap":
      return `${hex(insn.imm2)}:${hex(insn.imm)}`;
    case "1":
      return "1";
    case "sIb":
      return signed(insn.imm);
    case "AL":
    case "CL":
    case "DX":
    case "AX":
    case "ES":
    case "CS":
    case "SS":
    case "DS":
    case "FS":
    case "GS":
      return code.toLowerCase();
  }
  switch (code[0]) {
    case "E":
    case "R":
      if (insn.isReg) return register(insn.rm, size, insn);
      return sizeWord(code, insn) + memory(insn);
    case "M":
      return sizeWord(code, insn) + memory(insn);
    case "G":
      return register(insn.reg, size, insn);
    case "Z":
      return register(insn.reg, size, insn);
    case "S":
      return SEGMENTS[insn.reg];
    case "C":
      return `cr${insn.reg}`;
    case "D":
      return `dr${insn.reg}`;
    case "I":
      if (position > 0 && insn.row.operands === "Iw,Ib") return hex(insn.imm2);
      return hex(size === "z" && insn.opsize === 2 ? insn.imm & 0xffff : insn.imm);
    case "J":
      return hex(insn.opsize === 4 ? next + insn.imm : (next + insn.imm) & 0xffff);
    case "O":
      return memory(insn);
    case "P":
      return `mm${insn.reg}`;
    case "Q":
    case "N":
      return insn.isReg ? `mm${insn.rm}` : memory(insn);
    case "V":
      return `xmm${insn.reg}`;
    case "W":
    case "U":
      return insn.isReg ? `xmm${insn.rm}` : memory(insn);
  }
  return "";
}

const OWN_SIZE_NAME = /^(pusha|popa|pushf|popf|iret)\//;
/** Operands without a size of their own: a 16-bit operand size is written as a prefix. */
const SIZED_BY_PREFIX = /^J|^[CDEFGS]S$/;

/** Text of the instruction at `eip` (the offset of its first byte, int32 or unsigned). */
export function disassemble(insn: Insn, eip: number): string {
  const row = insn.row;
  let text = mnemonic(insn);
  if (insn.opsize === 2 && OWN_SIZE_NAME.test(row.name)) text += "w"; // NASM reads the bare name by the mode's size
  const codes = operandCodes(row);
  const isString = codes.some((code) => code[0] === "X" || code[0] === "Y");
  if (isString) {
    // An overridden source segment is written as a prefix; the operands are implied.
    const overridden = insn.seg !== DS && codes.some((code) => code[0] === "X");
    if (overridden) text = `${SEGMENTS[insn.seg]} ${text}`;
    if (insn.addrsize === 2) text = `a16 ${text}`;
    if (row.rep && insn.rep !== 0) {
      const compares = /^(cmps|scas)/.test(row.name);
      text = `${insn.rep !== PREFIX_REP ? "repne" : compares ? "repe" : "rep"} ${text}`;
    }
    return text;
  }
  if (insn.opsize === 2 && codes.some((code) => SIZED_BY_PREFIX.test(code))) text = `o16 ${text}`;
  if (insn.lock) text = `lock ${text}`;
  if (row.name === "xlatb") {
    if (insn.addrsize === 2) text = `a16 ${text}`;
    if (insn.seg !== DS) text = `${SEGMENTS[insn.seg]} ${text}`;
  }
  const next = (eip + insn.length) | 0;
  const operands = codes.map((code, i) => operand(code, insn, next, i)).filter((s) => s !== "");
  // LOOP counts in the register of the address size.
  if (insn.addrsize === 2 && row.name.startsWith("loop")) operands.push("cx");
  return operands.length === 0 ? text : `${text} ${operands.join(",")}`;
}
