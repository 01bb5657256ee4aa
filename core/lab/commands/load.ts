/**
 * Starting guests and images, and keeping machines: a saved machine is a snapshot, where it came from, and the log
 * of what reached it since its start.
 */

import * as v from "valibot";
import { CodecError, decode, encode, type Plain, seal, unseal } from "../../machine/codec.ts";
import type { PcState } from "../../machine/pc.ts";
import { logToPlain, restoreSnapshot, type Snapshot, takeSnapshot } from "../../machine/snapshot.ts";
import { LabError } from "../error.ts";
import type { Lab } from "../lab.ts";
import type { Command, FileBytes, Media } from "../protocol/index.ts";
import { MachineConfig } from "../protocol/index.ts";
import {
  checkSetup,
  guestSource,
  kindOfSource,
  machineOfSource,
  memoryForKind,
  openSource,
  type Source,
  type SourceMedia,
} from "../source.ts";
import { fromSparse, toSparse } from "../sparse.ts";
import { diskOf } from "../views/devices/storage.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

const MAGIC = "QUADRANT";
const FORMAT = 1;
/** Largest file that a saved machine may hold. */
const FILE_MOST = 2 ** 31;

export function reset(lab: Lab): void {
  lab.restart();
}

export function loadGuest(lab: Lab, command: Of<"loadGuest">): void {
  const { source, machine, memory, memoryHigh } = guestSource(command.guest);
  lab.load(source, { ...lab.machine.setup, machine, memory, memoryHigh, ...command.config } as MachineConfig);
}

export function openImage(lab: Lab, command: Of<"openImage">): void {
  const source: Source = {
    title: command.title,
    guest: null,
    bytes: here(command.bytes),
    kind: command.kind,
    address: command.address ?? null,
    media: command.media === undefined ? undefined : mediaHere(command.media),
    symbols: [],
    pauseAt: null,
    introduction: [],
  };
  const own = {
    machine: machineOfSource(source),
    memory: memoryForKind(kindOfSource(source)),
    memoryHigh: 0,
  };
  lab.load(source, { ...lab.machine.setup, ...own, ...command.config } as MachineConfig);
}

/** A file's bytes. @throws LabError when only its number came: who carried the command has no such file */
function here(file: FileBytes): Uint8Array {
  if (file instanceof Uint8Array) return file;
  throw new LabError(`file ${file.file} is not open any more; choose it again`);
}

function mediaHere({ commandLine, disks, floppy, initrd, modules, rom }: Media): SourceMedia {
  const maybe = (file: FileBytes | undefined) => (file === undefined ? undefined : here(file));
  return {
    commandLine,
    initrd: maybe(initrd),
    modules: modules?.map((module) => ({ bytes: here(module.bytes), commandLine: module.commandLine })),
    disks: disks?.map(here),
    floppy: maybe(floppy),
    rom: maybe(rom),
  };
}

export function saveMachine(lab: Lab): Uint8Array {
  const { title, guest, bytes, kind, address, media } = lab.source;
  const body: Plain = {
    source: {
      title,
      guest,
      bytes: guest === null ? toSparse(bytes) : null,
      kind,
      address,
      media: media === undefined ? null : mediaToPlain(media),
    },
    breakpoints: [...lab.context.breakpoints],
    snapshot: withoutMedia(takeSnapshot(lab.machine)) as unknown as Plain,
    log: logToPlain(lab.machine.log),
  };
  return seal(MAGIC, FORMAT, encode(body));
}

/** A snapshot whose drives' images are not in it: the source has them already. */
const withoutMedia = (snapshot: Snapshot): Snapshot => withMedia(snapshot, {});

function withMedia(snapshot: Snapshot, media: PcState["media"]): Snapshot {
  const { pc } = snapshot;
  return pc === null || pc === undefined ? snapshot : { ...snapshot, pc: { ...pc, media } };
}

/** A drive's image as the guest sees it. The file it came from is as it was. */
export function saveDisk(lab: Lab, command: Of<"saveDisk">): Uint8Array {
  const { pc } = lab.machine;
  if (pc === null) throw new LabError("a bare machine has no disks: only a pc has them");
  const { drive } = command;
  const disk = diskOf(pc.board, drive);
  if (disk === null)
    throw new LabError(
      drive === "floppy"
        ? "there is no floppy in this machine"
        : `there is no drive ${drive} on this machine`,
    );
  return disk.merged();
}

interface SavedMachine {
  readonly source: {
    readonly title: string;
    readonly guest: string | null;
    /** Sparse; machines saved before there were disks have the bytes themselves. */
    readonly bytes: Plain;
    readonly kind: string;
    readonly address: number | null;
    readonly media?: Plain;
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
    const { disks, floppy, rom } = openSource(source, setup);
    const snapshot = withMedia({ ...saved.snapshot, setup }, { disks, floppy, rom });
    const machine = restoreSnapshot(snapshot, lab.sharedTrace);
    lab.sharedTrace.clear();
    lab.source = source;
    lab.context.breakpoints.clear();
    for (const address of saved.breakpoints) lab.context.breakpoints.add(address);
    lab.adopt(machine);
  } catch (error) {
    lab.sharedTrace.clock = old.cpu;
    if (error instanceof LabError) throw error;
    if (error instanceof CodecError) throw new LabError(error.message);
    const why = error instanceof Error ? error.message : String(error);
    throw new LabError(`the saved machine does not fit together: ${why}`);
  }
}

const optional = (file: Uint8Array | undefined): Plain => (file === undefined ? null : toSparse(file));

function mediaToPlain({ commandLine, disks, floppy, initrd, modules, rom }: SourceMedia): Plain {
  return {
    commandLine: commandLine ?? "",
    initrd: optional(initrd),
    modules: (modules ?? []).map((module) => ({
      bytes: toSparse(module.bytes),
      commandLine: module.commandLine,
    })),
    disks: (disks ?? []).map(toSparse),
    floppy: optional(floppy),
    rom: optional(rom),
  };
}

const fileOf = (plain: Plain): Uint8Array =>
  plain instanceof Uint8Array ? plain : fromSparse(plain, FILE_MOST);

function mediaFromPlain(plain: Plain): SourceMedia {
  const { commandLine, disks, floppy, initrd, modules, rom } = plain as unknown as {
    commandLine: string;
    initrd: Plain;
    modules: readonly { bytes: Plain; commandLine: string }[];
    disks: readonly Plain[];
    floppy: Plain;
    rom: Plain;
  };
  const maybe = (file: Plain) => (file === null ? undefined : fileOf(file));
  return {
    commandLine,
    initrd: maybe(initrd),
    modules: modules.map((module) => ({ bytes: fileOf(module.bytes), commandLine: module.commandLine })),
    disks: disks.map(fileOf),
    floppy: maybe(floppy),
    rom: maybe(rom),
  };
}

/** @throws LabError, CodecError or TypeError when what was saved does not fit together */
function sourceOf(saved: SavedMachine): Source {
  const { title, guest, bytes, kind, address, media } = saved.source;
  if (guest !== null) return guestSource(guest).source;
  if (bytes === null) throw new LabError("the saved machine has no image");
  return {
    title,
    guest,
    bytes: fileOf(bytes),
    kind,
    address,
    media: media === null || media === undefined ? undefined : mediaFromPlain(media),
    symbols: [],
    pauseAt: null,
    introduction: [],
  };
}
