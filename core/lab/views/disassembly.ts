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

/** Bytes in front of an instruction among which a beginning is looked for, when no symbol says one. */
const BEFORE = 64;
/** A symbol farther away than this says nothing about where instructions begin. */
const FAR = 2048;

export function openDisassembly(lab: LabContext, request: Request): View {
  const { address, count } = request;
  if (address !== null) {
    return comparing((): DisassemblyView => {
      const current = lab.machine.cpu.linearIp >>> 0;
      const before = linesBefore(lab, address, request.before ?? 0, current).slice(0, count);
      const after = disassembleFrom(lab, address, count - before.length, current);
      return { kind: "disassembly", lines: [...before, ...after] };
    });
  }
  let top = -1;
  const view = comparing((): DisassemblyView => {
    const lines = aroundEip(lab, top, count);
    top = lines[0]!.address;
    return { kind: "disassembly", lines };
  });
  return { ...view, calm: "whole" };
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
  const before = linesBefore(lab, current, Math.floor(count / 4), current);
  return [...before, ...disassembleFrom(lab, current, count - before.length, current)];
}

/** `count` lines from an address on. Where a symbol or EIP is, a line begins: what lies in the way is shown as bytes. */
export function disassembleFrom(
  lab: LabContext,
  address: number,
  count: number,
  current: number,
): DisassemblyLine[] {
  const lines: DisassemblyLine[] = [];
  for (let at = address; lines.length < count; ) {
    const symbol = lab.symbols.addressAbove(at);
    const known = current > at && (symbol < 0 || current < symbol) ? current : symbol;
    const { line, length } = lineAt(lab, at, current, at === current ? -1 : known);
    lines.push(line);
    at += length;
    if (at > 0xffff_ffff) break;
  }
  return lines;
}

/**
 * The `most` lines that end exactly at `end`. x86 code cannot be read backwards: where instructions begin is known at
 * symbols and at EIP, so it is read forwards from the nearest of them below; without one, beginnings are tried.
 */
function linesBefore(lab: LabContext, end: number, most: number, current: number): DisassemblyLine[] {
  let starts: number[] = [];
  for (let to = end; starts.length < most && to > 0; ) {
    const symbol = lab.symbols.addressBelow(to);
    const from = current < to && current > symbol ? current : symbol;
    const stretch = from >= 0 && to - from < FAR ? startsUpTo(lab, from, to) : guessUpTo(lab, to);
    if (stretch.length === 0) break;
    starts = [...stretch, ...starts];
    to = stretch[0]!;
  }
  if (most === 0) return [];
  const shown = starts.slice(-most);
  return shown.map((at, i) => lineAt(lab, at, current, shown[i + 1] ?? end).line);
}

/** Where the lines begin from a place where an instruction does, up to another such place; empty when unreadable. */
function startsUpTo(lab: LabContext, from: number, to: number): number[] {
  const bytes = peekLinear(lab, from, to - from);
  if (bytes.length < to - from) return [];
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    starts.push(from + at);
    // What would run over the end is no instruction: a byte by itself.
    at += decodeHere(lab, bytes, at)?.length ?? 1;
  }
  return starts;
}

/** As `startsUpTo`, from the farthest beginning within reach that comes out at `to` by way of valid instructions. */
function guessUpTo(lab: LabContext, to: number): number[] {
  const from = Math.max(0, to - BEFORE);
  const bytes = peekLinear(lab, from, to - from);
  if (bytes.length < to - from) return [];
  for (let first = 0; first < bytes.length; first++) {
    const starts: number[] = [];
    let at = first;
    while (at < bytes.length) {
      const insn = decodeHere(lab, bytes, at);
      if (insn === null || insn.row.opcode < 0) break;
      starts.push(from + at);
      at += insn.length;
    }
    if (at === bytes.length) return starts;
  }
  return [];
}

/** The instruction at an address, or a single byte of it when it would run over `next`, where another begins (-1: none). */
function lineAt(lab: LabContext, address: number, current: number, next: number) {
  const bytes = peekLinear(lab, address);
  const insn = decodeHere(lab, bytes);
  const known = {
    address,
    symbol: lab.symbols.at(address),
    current: address === current,
    breakpoint: lab.breakpoints.has(address),
  };
  if (insn === null) {
    const line: DisassemblyLine = {
      ...known,
      bytes: bytes.length === 0 ? "" : hexBytes(bytes.subarray(0, 1)),
      text: bytes.length === 0 ? "(nothing is mapped here)" : "(continues where nothing is mapped)",
      target: null,
    };
    // Nothing is mapped up to the next page.
    return { line, length: bytes.length === 0 ? 4096 - (address % 4096) : 1 };
  }
  if (next >= 0 && address < next && address + insn.length > next) {
    const byte = hexBytes(bytes.subarray(0, 1));
    return { line: { ...known, bytes: byte, text: `db 0x${byte}`, target: null }, length: 1 };
  }
  const length = Math.max(1, Math.min(insn.length, bytes.length));
  const line: DisassemblyLine = {
    ...known,
    bytes: hexBytes(bytes.subarray(0, length)),
    text: disassemble(insn, (address - lab.machine.cpu.csBase) | 0),
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
