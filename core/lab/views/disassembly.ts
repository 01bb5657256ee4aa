/**
 * The disassembly view: instructions from the one instruction table, at an address or around EIP, read by peeking.
 * Addresses are linear.
 */
import { MAX_LENGTH } from "../../x86/isa/decode.ts";
import { disassemble } from "../../x86/isa/disasm.ts";
import { type Insn, NO_REG } from "../../x86/isa/insn.ts";
import { operandCodes } from "../../x86/isa/operands.ts";
import { decodeHere, peekLinear } from "../code.ts";
import type { LabContext } from "../context.ts";
import type { DisassemblyLine, DisassemblyView, ViewRequest } from "../protocol/index.ts";
import { comparing, type View } from "./view.ts";

type Request = Extract<ViewRequest, { kind: "disassembly" }>;

/** Bytes in front of EIP among which a beginning is looked for. */
const BEFORE = 64;

export function openDisassembly(lab: LabContext, request: Request): View {
  const { address, count } = request;
  if (address !== null) {
    return comparing((): DisassemblyView => {
      const current = lab.machine.cpu.linearIp >>> 0;
      return { kind: "disassembly", lines: disassembleFrom(lab, address, count, current) };
    });
  }
  let top = -1;
  const view = comparing((): DisassemblyView => {
    const lines = aroundEip(lab, top, count);
    top = lines[0]!.address;
    return { kind: "disassembly", lines };
  });
  return { ...view, calm: true };
}

/**
 * The lines around EIP. They begin at `top`, where they began before, as long as EIP stays among them and not at their
 * end: a loop is then seen to move the mark and not the text.
 */
function aroundEip(lab: LabContext, top: number, count: number): DisassemblyLine[] {
  const current = lab.machine.cpu.linearIp >>> 0;
  if (top >= 0 && current >= top && current < top + count * MAX_LENGTH) {
    const lines = disassembleFrom(lab, top, count, current);
    const at = lines.findIndex((line) => line.current);
    if (at >= 0 && at < count - Math.floor(count / 4)) return lines;
  }
  const before = linesBefore(lab, current, Math.floor(count / 4));
  return [...before, ...disassembleFrom(lab, current, count - before.length, current)];
}

/** `count` lines from an address on. */
export function disassembleFrom(
  lab: LabContext,
  address: number,
  count: number,
  current: number,
): DisassemblyLine[] {
  const lines: DisassemblyLine[] = [];
  for (let at = address; lines.length < count; ) {
    const { line, length } = lineAt(lab, at, current);
    lines.push(line);
    at += length;
    if (at > 0xffff_ffff) break;
  }
  return lines;
}

/**
 * The lines that end exactly at `current`. x86 code cannot be read backwards: beginnings are tried, a symbol's first,
 * then the farthest that comes out at `current` by way of valid instructions.
 */
function linesBefore(lab: LabContext, current: number, most: number): DisassemblyLine[] {
  if (most === 0) return [];
  const from = Math.max(0, current - BEFORE);
  const bytes = peekLinear(lab, from, current - from);
  if (bytes.length < current - from) return [];
  const starts: number[] = [];
  for (let at = current - 1; at >= from; at--) if (lab.symbols.at(at) !== null) starts.push(at);
  for (let at = from; at < current; at++) starts.push(at);
  for (const start of starts) {
    let count = 0;
    let at = start - from;
    while (at < bytes.length) {
      const insn = decodeHere(lab, bytes, at);
      if (insn === null || insn.row.opcode < 0) break;
      at += insn.length;
      count++;
    }
    if (at === bytes.length) return disassembleFrom(lab, start, count, current).slice(-most);
  }
  return [];
}

function lineAt(lab: LabContext, address: number, current: number) {
  const bytes = peekLinear(lab, address);
  const insn = decodeHere(lab, bytes);
  const eip = (address - lab.machine.cpu.csBase) >>> 0;
  const known = {
    address,
    symbol: lab.symbols.at(address),
    current: address === current,
    breakpoint: lab.breakpoints.has(eip),
  };
  if (insn === null) {
    const line: DisassemblyLine = {
      ...known,
      bytes: bytes.length === 0 ? "" : hexBytes(bytes.subarray(0, 1)),
      text: bytes.length === 0 ? "(nothing is mapped here)" : "(continues where nothing is mapped)",
      target: null,
    };
    return { line, length: 1 };
  }
  const length = Math.max(1, Math.min(insn.length, bytes.length));
  const line: DisassemblyLine = {
    ...known,
    bytes: hexBytes(bytes.subarray(0, length)),
    text: disassemble(insn, eip | 0),
    target: targetOf(insn, address),
  };
  return { line, length };
}

/** The linear address that a relative branch, or an operand without registers, names. */
function targetOf(insn: Insn, address: number): number | null {
  const codes = operandCodes(insn.row);
  if (codes.some((code) => code.startsWith("J"))) return (address + insn.length + insn.imm) >>> 0;
  const direct = !insn.isReg && insn.base === NO_REG && insn.index === NO_REG;
  if (direct && codes.some((code) => /^[EMO]/.test(code))) return insn.disp >>> 0;
  return null;
}

const hexBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
