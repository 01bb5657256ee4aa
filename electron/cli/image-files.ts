/**
 * From the words that name an image to a source that a machine can start: a built-in guest by its name, else files.
 */
import { GUESTS } from "../../core/guests/index.ts";
import { DEFAULT_CONFIG, type MachineKind } from "../../core/lab/protocol/index.ts";
import {
  guestSource,
  kindOfSource,
  machineOfSource,
  memoryForKind,
  type Source,
} from "../../core/lab/source.ts";
import type { ImageArguments } from "./arguments.ts";
import type { CliIo } from "./io.ts";

export interface ChosenImage {
  readonly source: Source;
  readonly machine: MachineKind;
  /** Bytes of memory when nobody says how many. */
  readonly memory: number;
  readonly memoryHigh: number;
}

/** A file of a guest's name is meant with a path (./quadrant). @throws with a sentence */
export function chooseImage(wanted: ImageArguments, io: CliIo): ChosenImage {
  const media = mediaOf(wanted, io);
  if (GUESTS.some((guest) => guest.id === wanted.image)) {
    const { source, machine, memory, memoryHigh } = guestSource(wanted.image);
    return { source: { ...source, media }, machine: wanted.machine ?? machine, memory, memoryHigh };
  }
  const source: Source = {
    title: wanted.image,
    guest: null,
    bytes: readImage(wanted.image, io),
    kind: wanted.kind,
    address: wanted.address,
    media,
    symbols: [],
    pauseAt: null,
    introduction: [],
  };
  return {
    source,
    machine: wanted.machine ?? machineOfSource(source),
    memory: memoryForKind(kindOfSource(source)),
    memoryHigh: DEFAULT_CONFIG.memoryHigh,
  };
}

function readImage(path: string, io: CliIo): Uint8Array {
  try {
    return io.readFile(path);
  } catch (error) {
    const guests = GUESTS.map((guest) => guest.id).join(", ");
    throw new Error(
      `${error instanceof Error ? error.message : String(error)}; built-in guests are ${guests}`,
    );
  }
}

function mediaOf(wanted: ImageArguments, io: CliIo): Source["media"] {
  const maybe = (path: string | null) => (path === null ? undefined : io.readFile(path));
  return {
    commandLine: wanted.append,
    initrd: maybe(wanted.initrd),
    modules: wanted.modules.map(({ file, commandLine }) => ({ bytes: io.readFile(file), commandLine })),
    disks: wanted.disks.map((path) => io.readFile(path)),
    floppy: maybe(wanted.floppy),
    rom: maybe(wanted.rom),
  };
}
