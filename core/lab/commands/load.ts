/**
 * Starting guests and images, and keeping machines: a saved machine is a snapshot, where it came from, and the log
 * of what reached it since its start.
 */

import * as v from "valibot";
import { CodecError, decode, encode, type Plain, seal, unseal } from "../../machine/codec.ts";
import { logToPlain, restoreSnapshot, type Snapshot, takeSnapshot } from "../../machine/snapshot.ts";
import { LabError } from "../error.ts";
import type { Lab } from "../lab.ts";
import type { Command } from "../protocol/index.ts";
import { MachineConfig } from "../protocol/index.ts";
import { checkSetup, guestSource, openSource, type Source } from "../source.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

const MAGIC = "QUADRANT";
const FORMAT = 1;

export function reset(lab: Lab): void {
  if (lab.story.runner !== null) {
    lab.story.reset(undefined);
    return;
  }
  lab.load(lab.source, lab.machine.setup);
}

export function loadGuest(lab: Lab, command: Of<"loadGuest">): void {
  const { source, memory, memoryHigh } = guestSource(command.guest);
  lab.load(source, { ...lab.machine.setup, memory, memoryHigh, ...command.config } as MachineConfig);
}

export function openImage(lab: Lab, command: Of<"openImage">): void {
  const source: Source = {
    title: command.title,
    guest: null,
    bytes: command.bytes,
    kind: command.kind,
    address: command.address ?? null,
    symbols: [],
    pauseAt: null,
    introduction: [],
  };
  lab.load(source, { ...lab.machine.setup, ...command.config } as MachineConfig);
}

export function saveMachine(lab: Lab): Uint8Array {
  const { title, guest, bytes, kind, address } = lab.source;
  const body: Plain = {
    source: { title, guest, bytes: guest === null ? bytes : null, kind, address },
    breakpoints: [...lab.context.breakpoints],
    snapshot: takeSnapshot(lab.machine) as unknown as Plain,
    log: logToPlain(lab.machine.log),
  };
  return seal(MAGIC, FORMAT, encode(body));
}

/** A drive's image as the guest sees it. The file it came from is as it was. */
export function saveDisk(lab: Lab, command: Of<"saveDisk">): Uint8Array {
  const { pc } = lab.machine;
  if (pc === null) throw new LabError("a bare machine has no disks: only a pc has them");
  const disk = pc.board.disks[command.drive];
  if (disk === null || disk === undefined)
    throw new LabError(`there is no drive ${command.drive} on this machine`);
  return disk.merged();
}

interface SavedMachine {
  readonly source: {
    readonly title: string;
    readonly guest: string | null;
    readonly bytes: Uint8Array | null;
    readonly kind: string;
    readonly address: number | null;
  };
  readonly breakpoints: readonly number[];
  readonly snapshot: Snapshot;
}

export function openMachine(lab: Lab, command: Of<"openMachine">): void {
  const old = lab.machine;
  try {
    const saved = decode(
      unseal(MAGIC, FORMAT, "the saved machine", command.bytes),
    ) as unknown as SavedMachine;
    const setup = v.parse(MachineConfig, saved.snapshot.setup);
    checkSetup(setup);
    const source = sourceOf(saved);
    openSource(source, setup);
    const machine = restoreSnapshot({ ...saved.snapshot, setup }, lab.sharedTrace);
    lab.sharedTrace.clear();
    lab.source = source;
    lab.context.breakpoints.clear();
    for (const eip of saved.breakpoints) lab.context.breakpoints.add(eip);
    lab.adopt(machine);
  } catch (error) {
    lab.sharedTrace.clock = old.cpu;
    if (error instanceof LabError) throw error;
    if (error instanceof CodecError) throw new LabError(error.message);
    const why = error instanceof Error ? error.message : String(error);
    throw new LabError(`the saved machine does not fit together: ${why}`);
  }
}

function sourceOf(saved: SavedMachine): Source {
  const { title, guest, bytes, kind, address } = saved.source;
  if (guest !== null) return guestSource(guest).source;
  if (bytes === null) throw new LabError("the saved machine has no image");
  return { title, guest, bytes, kind, address, symbols: [], pauseAt: null, introduction: [] };
}
