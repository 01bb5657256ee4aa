/**
 * Operands as iced-x86 decodes them against ours: registers, immediates, branch targets, and the parts of a memory operand.
 * The instruction is decoded at address 0.
 */
import iced, { type Instruction } from "iced-x86";
import { type Insn, NO_REG } from "../../../core/x86/isa/insn.ts";
import { isFixed, operandCodes } from "../../../core/x86/isa/operands.ts";

const { OpKind, Register } = iced;

/** First register of each kind; the others follow in the order of their numbers. */
const KINDS: readonly (readonly [string, number, number])[] = [
  ["b", Register.AL, 8],
  ["w", Register.AX, 8],
  ["d", Register.EAX, 8],
  ["S", Register.ES, 6],
  ["C", Register.CR0, 8],
  ["D", Register.DR0, 8],
  ["P", Register.MM0, 8],
  ["V", Register.XMM0, 8],
  ["st", Register.ST0, 8],
];

/** Kind and number of a register, or its number in their list where we have no such kind. */
function nameOf(register: number): string {
  for (const [kind, first, count] of KINDS)
    if (register >= first && register < first + count) return `${kind}${register - first}`;
  return `register ${register}`;
}

/** Register that an operand code of ours stands for. "": the code does not say one. */
function ours(code: string, insn: Insn): string {
  const size = code[1] === "b" ? "b" : code[1] === "w" || (code[1] !== "d" && insn.opsize === 2) ? "w" : "d";
  if (isFixed(code)) return "";
  if (code === "STi") return `st${insn.rm}`;
  if (code === "ST") return "st0";
  switch (code[0]) {
    case "E":
    case "R":
      return `${size}${insn.rm}`;
    case "G":
    case "Z":
      return code.length > 1 ? `${size}${insn.reg}` : "";
    case "S":
    case "C":
    case "D":
      return code.length === 2 && /[wd]/.test(code[1]) ? `${code[0]}${insn.reg}` : "";
    default:
      return "";
  }
}

const unsigned = (value: bigint, bits: number): number => Number(BigInt.asUintN(bits, value));
const within = (value: number, bits: number): number =>
  bits === 32 ? value >>> 0 : value & ((1 << bits) - 1);

function memory(theirs: Instruction, insn: Insn): string {
  const bits = insn.addrsize * 8;
  const kind = insn.addrsize === 4 ? "d" : "w";
  const register = (n: number): string => (n === NO_REG ? "none" : `${kind}${n}`);
  const named = (n: number): string => (n === Register.None ? "none" : nameOf(n));
  // [SI] and [DI] have an index alone with us, a base alone with them.
  const alone = insn.addrsize === 2 && insn.base === NO_REG;
  const base = register(alone ? insn.index : insn.base);
  const index = register(alone ? NO_REG : insn.index);
  if (named(theirs.memoryBase) !== base) return `base ${named(theirs.memoryBase)}`;
  if (named(theirs.memoryIndex) !== index) return `index ${named(theirs.memoryIndex)}`;
  if (index !== "none" && theirs.memoryIndexScale !== 1 << insn.scale)
    return `scale ${theirs.memoryIndexScale}`;
  const displacement = unsigned(theirs.memoryDisplacement, bits);
  if (displacement !== within(insn.disp, bits)) return `displacement ${displacement}`;
  return nameOf(theirs.memorySegment) === `S${insn.seg}` ? "" : `segment ${nameOf(theirs.memorySegment)}`;
}

/** Bits of an immediate's kind: those that it has behind its extension. */
const IMMEDIATES = new Map<number, number>([
  [OpKind.Immediate8, 8],
  [OpKind.Immediate16, 16],
  [OpKind.Immediate32, 32],
  [OpKind.Immediate8to16, 16],
  [OpKind.Immediate8to32, 32],
]);

/** What differs between the operands, or "". Adds to `compared` the kinds of operands that were looked at. */
export function operandsDiffer(theirs: Instruction, insn: Insn, compared: Map<string, number>): string {
  const codes = operandCodes(insn.row);
  const saw = (what: string): void => {
    compared.set(what, (compared.get(what) ?? 0) + 1);
  };
  for (let i = 0; i < theirs.opCount; i++) {
    const kind = theirs.opKind(i);
    const bits = IMMEDIATES.get(kind);
    if (bits !== undefined) {
      // A shift by one, and INT3, have their number in the opcode.
      if (!codes.some((code) => /I/.test(code))) continue;
      saw("immediate");
      const value = unsigned(theirs.immediate(i), bits);
      if (value !== within(insn.imm, bits)) return `immediate ${value}`;
    } else if (kind === OpKind.Immediate8_2nd) {
      saw("second immediate");
      if (theirs.immediate8_2nd !== insn.imm2) return `second immediate ${theirs.immediate8_2nd}`;
    } else if (kind === OpKind.NearBranch16 || kind === OpKind.NearBranch32) {
      saw("branch");
      const width = kind === OpKind.NearBranch16 ? 16 : 32;
      const target = unsigned(theirs.nearBranchTarget, width);
      if (target !== within(insn.length + insn.imm, width)) return `target ${target}`;
    } else if (kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32) {
      saw("far branch");
      const offset = kind === OpKind.FarBranch16 ? theirs.farBranch16 : theirs.farBranch32;
      if (offset >>> 0 !== insn.imm >>> 0 || theirs.farBranchSelector !== insn.imm2) return `far ${offset}`;
    } else if (kind === OpKind.Memory) {
      saw("memory");
      if (insn.isReg) return "memory";
      // XLAT's address is its own: EBX plus AL, by no code of the row.
      if (insn.row.name === "xlatb") continue;
      const difference = memory(theirs, insn);
      if (difference !== "") return difference;
    } else if (kind === OpKind.Register && codes.length === theirs.opCount) {
      const code = codes[i];
      if (/^[ER]/.test(code) && !isFixed(code) && !insn.isReg)
        return `${nameOf(theirs.opRegister(i))}, not memory`;
      const register = ours(code, insn);
      if (register === "") continue;
      saw("register");
      const name = nameOf(theirs.opRegister(i));
      // LLDT, ARPL and the like use 16 bits of a register that iced names by the operand size; MOVDIR64B's is an address.
      const loose = code === "Ew" || insn.row.name === "arpl" || insn.row.name === "movdir64b";
      if (loose ? register.slice(1) !== name.slice(1) : register !== name)
        return `${nameOf(theirs.opRegister(i))}, not ${register}`;
    }
  }
  return "";
}
