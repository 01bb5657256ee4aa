/**
 * The registers as gdb numbers them: the i386 core that it knows, then the system's, which it shows and groups. One
 * table: the target description, the packets and the tests read it.
 */
import type { Input } from "../machine/inputs.ts";
import type { Machine } from "../machine/machine.ts";
import { DEBUG_REGISTERS, type DebugRegister } from "../machine/register-edits.ts";
import type { Cpu } from "../x86/cpu.ts";
import { FCS, FDP, FDS, FIP, FOP } from "../x86/fpu/state.ts";
import { LDTR, TR } from "../x86/segment-cache.ts";

export type RegisterType =
  | "int32"
  | "code_ptr"
  | "data_ptr"
  | "eflags"
  | "cr0"
  | "cr4"
  | "efer"
  | "x87"
  | "int";

export interface Register {
  readonly name: string;
  readonly type: RegisterType;
  readonly feature: "core" | "system";
  /** gdb's group, or "" for the type's own. */
  readonly group: string;
  /** Bytes: 10 for the x87's stack, 4 for every other. */
  readonly size: number;
  readonly read: (machine: Machine) => Uint8Array;
}

/** Numbers of the registers that a stop tells of without being asked. */
export const ESP = 4;
export const EBP = 5;
export const EIP = 8;

type Get = (cpu: Cpu) => number;

/** A 32-bit value, little-endian. */
export function word(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

function core(name: string, type: RegisterType, get: Get, group = ""): Register {
  return { name, type, feature: "core", group, size: 4, read: ({ cpu }) => word(get(cpu)) };
}

function system(name: string, type: RegisterType, get: Get): Register {
  return { name, type, feature: "system", group: "system", size: 4, read: ({ cpu }) => word(get(cpu)) };
}

function stackRegister(i: number): Register {
  const read = ({ cpu: { fpu } }: Machine): Uint8Array => {
    const p = fpu.physical(i);
    const bytes = new Uint8Array(10);
    bytes.set(word(fpu.lo[p]!));
    bytes.set(word(fpu.hi[p]!), 4);
    bytes.set(word(fpu.se[p]!).subarray(0, 2), 8);
    return bytes;
  };
  return { name: `st${i}`, type: "x87", feature: "core", group: "", size: 10, read };
}

const GENERAL = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
/** gdb's order, with the processor's numbers. */
const SELECTORS: readonly (readonly [string, number])[] = [
  ["cs", 1],
  ["ss", 2],
  ["ds", 3],
  ["es", 0],
  ["fs", 4],
  ["gs", 5],
];
const X87: readonly (readonly [string, Get])[] = [
  ["fctrl", ({ fpu }) => fpu.cw],
  ["fstat", ({ fpu }) => fpu.status],
  ["ftag", ({ fpu }) => fpu.tagWord],
  ["fiseg", ({ fpu }) => fpu.last[FCS]!],
  ["fioff", ({ fpu }) => fpu.last[FIP]!],
  ["foseg", ({ fpu }) => fpu.last[FDS]!],
  ["fooff", ({ fpu }) => fpu.last[FDP]!],
  ["fop", ({ fpu }) => fpu.last[FOP]!],
];

/** By number. */
export const REGISTERS: readonly Register[] = [
  ...GENERAL.map((name, i) =>
    core(name, i === ESP || i === EBP ? "data_ptr" : "int32", (cpu) => cpu.regs[i]!),
  ),
  core("eip", "code_ptr", (cpu) => cpu.eip),
  core("eflags", "eflags", (cpu) => cpu.eflags),
  ...SELECTORS.map(([name, seg]) => core(name, "int32", (cpu) => cpu.segSelector[seg]!)),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map(stackRegister),
  ...X87.map(([name, get]) => core(name, "int", get, "float")),
  system("cr0", "cr0", (cpu) => cpu.cr0),
  system("cr2", "int32", (cpu) => cpu.cr2),
  system("cr3", "int32", (cpu) => cpu.cr3),
  system("cr4", "cr4", (cpu) => cpu.cr4),
  system("efer", "efer", (cpu) => cpu.efer),
  ...SELECTORS.map(([name, seg]) => system(`${name}_base`, "int32", (cpu) => cpu.segBase[seg]!)),
  system("gdt_base", "int32", (cpu) => cpu.gdtBase),
  system("gdt_limit", "int32", (cpu) => cpu.gdtLimit),
  system("idt_base", "int32", (cpu) => cpu.idtBase),
  system("idt_limit", "int32", (cpu) => cpu.idtLimit),
  system("ldtr", "int32", (cpu) => cpu.segSelector[LDTR]!),
  system("tr", "int32", (cpu) => cpu.segSelector[TR]!),
  system("cpl", "int32", (cpu) => cpu.cpl),
  ...[0, 1, 2, 3, 6, 7].map((n) => system(`dr${n}`, "int32", (cpu) => cpu.dr[n]!)),
];

const CONTROLS = ["cr0", "cr3", "cr4", "efer"] as const;

/** The input that writes a register, or the sentence that says why there is none. Bytes are as many as it has. */
export function writing(register: Register, bytes: Uint8Array): Input | string {
  const control = CONTROLS.find((name) => name === register.name);
  if (control !== undefined) {
    const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
    return { kind: "control", register: control, value };
  }
  const plain: DebugRegister | undefined = DEBUG_REGISTERS.find((name) => name === register.name);
  if (plain === undefined) return `${register.name} is written by instructions alone`;
  return { kind: "register", register: plain, bytes };
}
