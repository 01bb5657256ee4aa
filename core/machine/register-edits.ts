/**
 * Registers as a debugger writes them: between two instructions, past every rule that an instruction would have to keep,
 * but never into a state that no processor can be in. Control registers have an input of their own (controls.ts).
 */
import { EV_INPUT } from "../trace/events.ts";
import { ATT_SHADOW, ATT_STACK } from "../x86/attention.ts";
import type { Cpu } from "../x86/cpu.ts";
import { FLAG_VM } from "../x86/flags.ts";
import { FCS, FDP, FDS, FIP, FOP } from "../x86/fpu/state.ts";
import { selectsDescriptors, setRealSegment } from "../x86/segments.ts";
import type { Machine } from "./machine.ts";

const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
/** In the order of the segment registers' numbers. */
const SEGMENT = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const STACK = ["st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"] as const;
const X87 = ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"] as const;

export type DebugRegister =
  | (typeof GENERAL)[number]
  | "eip"
  | "eflags"
  | "cr2"
  | (typeof SEGMENT)[number]
  | (typeof STACK)[number]
  | (typeof X87)[number];

/** What can be written this way. */
export const DEBUG_REGISTERS: readonly DebugRegister[] = [
  ...GENERAL,
  "eip",
  "eflags",
  "cr2",
  ...SEGMENT,
  ...STACK,
  ...X87,
];

/** Bytes of a register's value: 10 for the x87's stack, 4 for every other. */
export const registerSize = (register: DebugRegister): number => (numberIn(STACK, register) >= 0 ? 10 : 4);

/** `kind` of the `input` event. */
const INPUT_REGISTER = 4;

/** A register's number among these, or -1. */
const numberIn = (names: readonly string[], register: DebugRegister): number => names.indexOf(register);

const word = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt32(0, true);

/** Why a write makes no sense, or null. Bytes are little-endian. */
export function checkRegister(machine: Machine, register: DebugRegister, bytes: Uint8Array): string | null {
  const { cpu } = machine;
  if (!DEBUG_REGISTERS.includes(register)) return `there is no register ${register}`;
  if (bytes.length !== registerSize(register)) {
    return `${register} has ${registerSize(register)} bytes, not ${bytes.length}`;
  }
  if (register === "eflags" && ((word(bytes) ^ cpu.eflags) & FLAG_VM) !== 0) {
    return "EFLAGS.VM changes by IRET and task switches alone";
  }
  const segment = numberIn(SEGMENT, register);
  if (segment >= 0 && selectsDescriptors(cpu) && (word(bytes) & 0xffff) !== cpu.segSelector[segment]) {
    return `${register} selects a descriptor, which only an instruction loads`;
  }
  return null;
}

/** Writes a register that was checked. */
export function writeRegister(machine: Machine, register: DebugRegister, bytes: Uint8Array): void {
  const { cpu, trace } = machine;
  const value = word(bytes);
  if (trace.on) trace.emit(EV_INPUT, INPUT_REGISTER, value);
  const general = numberIn(GENERAL, register);
  const segment = numberIn(SEGMENT, register);
  const stack = numberIn(STACK, register);
  if (general >= 0) cpu.regs[general] = value;
  else if (segment >= 0) writeSegment(cpu, segment, value & 0xffff);
  else if (stack >= 0) writeStack(cpu, stack, bytes);
  else if (register === "eip") writeEip(cpu, value);
  else if (register === "eflags") cpu.eflags = value;
  else if (register === "cr2") cpu.cr2 = value;
  else writeX87(cpu, register, value);
}

/** Elsewhere is a new beginning: what the instruction before left behind, and HLT, are over. */
function writeEip(cpu: Cpu, value: number): void {
  if (value === cpu.eip) return;
  cpu.eip = value;
  cpu.midRep = false;
  cpu.halted = false;
  cpu.attention &= ~(ATT_SHADOW | ATT_STACK);
}

function writeSegment(cpu: Cpu, segment: number, selector: number): void {
  if (selectsDescriptors(cpu)) return;
  setRealSegment(cpu, segment, selector);
  cpu.segmentsChanged();
}

function writeStack(cpu: Cpu, i: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const p = cpu.fpu.physical(i);
  cpu.fpu.lo[p] = view.getInt32(0, true);
  cpu.fpu.hi[p] = view.getInt32(4, true);
  cpu.fpu.se[p] = view.getUint16(8, true);
}

function writeX87(cpu: Cpu, register: DebugRegister, value: number): void {
  const { fpu } = cpu;
  switch (register) {
    case "fctrl":
      fpu.setControl(value & 0xffff);
      return;
    case "fstat":
      fpu.status = value & 0xffff;
      return;
    case "ftag":
      fpu.tagWord = value & 0xffff;
      return;
    case "fiseg":
      fpu.last[FCS] = value & 0xffff;
      return;
    case "fioff":
      fpu.last[FIP] = value;
      return;
    case "foseg":
      fpu.last[FDS] = value & 0xffff;
      return;
    case "fooff":
      fpu.last[FDP] = value;
      return;
    case "fop":
      fpu.last[FOP] = value & 0x7ff;
      return;
  }
}
