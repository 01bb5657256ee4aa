/** Our own PC, started from a disk or floppy by our firmware, and what a test wants to see of it. */
import type { LoadedImage } from "../../../core/images/index.ts";
import { ZERO_REGS } from "../../../core/images/index.ts";
import { Machine } from "../../../core/machine/machine.ts";
import type { MachineSetup } from "../../../core/machine/setup.ts";
import { Trace } from "../../../core/trace/trace.ts";

export const PC_SETUP: MachineSetup = {
  machine: "pc",
  memory: 64 << 20,
  memoryHigh: 0,
  policy: "none",
  tlb: "vmx",
  hazards: {},
  audit: "off",
  findings: "stop",
  unimplemented: "stop",
};

export interface Media {
  readonly disks?: readonly (Uint8Array | null)[];
  readonly floppy?: Uint8Array;
}

/** A PC at its reset vector. */
export function powerOn(media: Media, changes: Partial<MachineSetup> = {}): Machine {
  const image: LoadedImage = {
    kind: "disk",
    machine: "pc",
    start: "reset",
    writes: [],
    zeros: [],
    entry: 0,
    regs: ZERO_REGS,
    gdt: { base: 0, limit: 0 },
    symbols: [],
    notes: [],
    ...media,
  };
  const trace = new Trace(1 << 12);
  trace.on = false;
  return Machine.boot({ ...PC_SETUP, ...changes }, image, trace);
}

/** Runs until the machine stops, or its time is up. @returns the reason for which it stands, or "time" */
export function runTo(machine: Machine, time: number): string {
  while (machine.time < time)
    if (!machine.run(Math.min(2_000_000, time - machine.time))) return machine.stop.reason;
  return "time";
}

export const serialText = (machine: Machine): string =>
  Buffer.from(machine.serial.output()).toString("latin1");

export const consoleText = (machine: Machine): string =>
  Buffer.from(machine.pc!.debugOutput).toString("latin1");

/** Guest-physical bytes. */
export function readBytes(machine: Machine, gpa: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const hfn = machine.slots.hfnOf(Math.floor((gpa + i) / 4096));
    bytes[i] = machine.memory.bytes[hfn * 4096 + ((gpa + i) % 4096)]!;
  }
  return bytes;
}

/** The text screen's lines, without the blanks at their ends. */
export function screenLines(machine: Machine): string[] {
  const cells = readBytes(machine, 0xb8000, 80 * 25 * 2);
  const line = (row: number): string =>
    String.fromCharCode(...Array.from({ length: 80 }, (_, i) => cells[(row * 80 + i) * 2]!)).trimEnd();
  return Array.from({ length: 25 }, (_, row) => line(row));
}
