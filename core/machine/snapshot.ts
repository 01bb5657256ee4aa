/**
 * Snapshots: the whole state of a machine at a boundary, as plain values and as a sealed file. Touched pages only.
 * Save + restore + run equals run; the trace is not part of the state.
 */

import type { SerialState } from "../devices/index.ts";
import type { Trace } from "../trace/trace.ts";
import type { CpuState } from "../x86/state.ts";
import { decode, encode, type Plain, seal, unseal } from "./codec.ts";
import type { DatedViolation } from "./findings.ts";
import { type LoggedInput, logFromPlain, logToPlain } from "./inputs.ts";
import { Machine, MachineError } from "./machine.ts";
import { loadMemory, type MemoryImage, saveMemory } from "./memory-image.ts";
import type { PcState } from "./pc.ts";
import type { MachineSetup, Stop } from "./setup.ts";

export interface Snapshot {
  readonly setup: MachineSetup;
  readonly memory: MemoryImage;
  readonly dirty: readonly Uint8Array[];
  readonly cpu: CpuState;
  /** Null on the bare machine. */
  readonly kvm: Plain;
  readonly serial: SerialState;
  /** Null (or, in older files, absent) on the bare machine. */
  readonly pc?: PcState | null;
  readonly raised: readonly number[];
  readonly exits: number;
  readonly stop: Stop;
  readonly over: boolean;
  readonly findings: readonly DatedViolation[];
}

const MAGIC = "QUADSNAP";
/** Raised with every change of what a snapshot holds. */
export const SNAPSHOT_FORMAT = 2;

export function takeSnapshot(machine: Machine): Snapshot {
  // That the board wanted a boundary is no state: the machine stands at one.
  machine.cpu.resume();
  return {
    setup: machine.setup,
    memory: saveMemory(machine.memory),
    dirty: machine.slots.dirty.map((bits) => bits.slice()),
    cpu: machine.cpu.save(),
    kvm: machine.inCharge.save(),
    serial: machine.serial.save(),
    pc: machine.pc?.save() ?? null,
    ...machine.saveRest(),
  };
}

/** A new machine in the state of a snapshot. @throws Error with a sentence when the snapshot does not fit together */
export function restoreSnapshot(snapshot: Snapshot, trace?: Trace): Machine {
  const machine = new Machine(snapshot.setup, trace, snapshot.pc?.media);
  loadMemory(machine.memory, snapshot.memory);
  machine.slots.dirty.forEach((bits, i) => {
    bits.set(snapshot.dirty[i]!);
  });
  machine.loadRest(snapshot);
  return machine;
}

/** A snapshot as bytes of a file: the same state gives the same bytes. */
export function snapshotToBytes(snapshot: Snapshot): Uint8Array {
  return seal(MAGIC, SNAPSHOT_FORMAT, encode(snapshot as unknown as Plain));
}

/** @throws CodecError with a sentence when the file is damaged or something else */
export function snapshotFromBytes(bytes: Uint8Array): Snapshot {
  return decode(unseal(MAGIC, SNAPSHOT_FORMAT, "the snapshot", bytes)) as unknown as Snapshot;
}

/**
 * Runs a machine along a log of inputs: to each input's boundary, then the input. The machine must stand at or before
 * the first one. @throws Error when the run leaves the path of the log
 */
export function replay(machine: Machine, log: readonly LoggedInput[]): void {
  for (const { at, input } of log) {
    machine.advanceTo(at);
    try {
      machine.input(input);
    } catch (error) {
      // It was logged, so it was refused half-way then as well, and left the same state.
      if (!(error instanceof MachineError)) throw error;
    }
  }
}

export { logFromPlain, logToPlain };
