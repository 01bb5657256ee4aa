/**
 * The disassembly view: instructions from the one instruction table, at an address or around EIP, read by peeking.
 * Addresses are linear.
 */
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
  const view = comparing((): DisassemblyView => {
    const current = lab.machine.cpu.linearIp >>> 0;
    if (request.address !== null) {
      return { kind: "disassembly", lines: disassembleFrom(lab, request.address, request.count, current) };
    }
    const before = linesBefore(lab, current, Math.floor(request.count / 4));
    const after = disassembleFrom(lab, current, request.count - before.length, current);
    return { kind: "disassembly", lines: [...before, ...after] };
  });
  return { ...view, calm: request.address === null };
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
