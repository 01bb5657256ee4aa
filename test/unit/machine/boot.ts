/** Machines for tests: built-in guests and small flat programs, with a small trace. */
import { findGuest } from "../../../core/guests/index.ts";
import { openImage } from "../../../core/images/index.ts";
import { Machine } from "../../../core/machine/machine.ts";
import type { MachineSetup } from "../../../core/machine/setup.ts";
import { Trace } from "../../../core/trace/trace.ts";

export const SETUP: MachineSetup = {
  memory: 16 << 20,
  memoryHigh: 0,
  policy: "B",
  tlb: "vmx",
  hazards: {},
  audit: "end",
  findings: "mark",
  unimplemented: "stop",
};

export function bootGuest(id: string, changes: Partial<MachineSetup> = {}): Machine {
  const guest = findGuest(id)!;
  const setup = { ...SETUP, memory: guest.memory, memoryHigh: guest.memoryHigh, ...changes };
  return bootBytes(guest.bytes, guest.kind, setup);
}

/** A flat program at 0x100000. */
export function bootFlat(code: readonly number[], changes: Partial<MachineSetup> = {}): Machine {
  return bootBytes(Uint8Array.from(code), "flat", { ...SETUP, ...changes });
}

function bootBytes(bytes: Uint8Array, kind: string, setup: MachineSetup): Machine {
  const opened = openImage(bytes, kind, { memory: setup.memory, memoryHigh: setup.memoryHigh });
  if (!opened.ok) throw new Error(opened.error);
  return Machine.boot(setup, opened.image, new Trace(1 << 12));
}
