/**
 * Where a machine came from, so that it can be started again: a built-in guest or an image's bytes.
 */
import { findGuest, GUESTS } from "../guests/index.ts";
import {
  kindOf,
  type LoadedImage,
  type LoadedKind,
  type MachineKind,
  type ModuleFile,
  machineFor,
  openImage,
} from "../images/index.ts";
import { HAZARDS } from "../kvm/index.ts";
import type { MachineSetup } from "../machine/setup.ts";
import { POLICY_IDS } from "../machine/setup.ts";
import { LabError } from "./error.ts";
import { DEFAULT_CONFIG, MIB } from "./protocol/index.ts";

/** What goes along with an image; which kind and machine takes what, the loader says. */
export interface SourceMedia {
  readonly commandLine?: string | undefined;
  readonly initrd?: Uint8Array | undefined;
  readonly modules?: readonly ModuleFile[] | undefined;
  readonly disks?: readonly Uint8Array[] | undefined;
  readonly floppy?: Uint8Array | undefined;
  readonly rom?: Uint8Array | undefined;
}

export interface Source {
  readonly title: string;
  /** Id of a built-in guest, or null for an image. */
  readonly guest: string | null;
  readonly bytes: Uint8Array;
  readonly kind: string;
  /** Load address of a flat image; null: the usual one. */
  readonly address: number | null;
  /** Absent: nothing. */
  readonly media?: SourceMedia | undefined;
  readonly symbols: readonly { readonly name: string; readonly address: number }[];
  readonly pauseAt: string | null;
  readonly introduction: readonly string[];
}

/** Host memory that guest memory may take: 2 GiB less the hypervisor's 16 MiB. */
const MEMORY_MOST = 2032 * MIB;

/** @throws LabError when there is no such guest */
export function guestSource(id: string): {
  source: Source;
  machine: MachineKind;
  memory: number;
  memoryHigh: number;
} {
  const guest = findGuest(id);
  if (guest === null) {
    throw new LabError(`there is no guest "${id}"; there are ${GUESTS.map((g) => g.id).join(", ")}`);
  }
  const { title, bytes, kind, symbols, pauseAt, introduction, machine, memory, memoryHigh } = guest;
  return {
    source: { title, guest: id, bytes, kind, address: null, symbols, pauseAt, introduction },
    machine,
    memory,
    memoryHigh,
  };
}

/** Opens a source's image for a setup. @throws LabError with the loader's sentence */
export function openSource(source: Source, setup: MachineSetup): LoadedImage {
  const options = {
    ...source.media,
    memory: setup.memory,
    memoryHigh: setup.memoryHigh,
    machine: setup.machine,
    address: source.address ?? undefined,
  };
  const opened = openImage(source.bytes, source.kind, options);
  if (!opened.ok) throw new LabError(opened.error);
  return opened.image;
}

/** What a source's image is. @throws LabError with a sentence when its bytes say what cannot be started */
export function kindOfSource({ bytes, kind }: Source): LoadedKind {
  const known = kindOf(bytes, kind);
  if (!known.ok) throw new LabError(known.error);
  return known.kind;
}

/** The machine that a source is started on when nobody names one. @throws LabError as `kindOfSource` */
export const machineOfSource = (source: Source): MachineKind => machineFor(kindOfSource(source));

/** Bytes of memory for a kind when nobody says how many: a Linux that unpacks itself at 16 MiB wants more. */
export const memoryForKind = (kind: LoadedKind): number =>
  kind === "linux" ? 256 * MIB : DEFAULT_CONFIG.memory;

/** @throws LabError with what is wrong with a setup that has the right shape */
export function checkSetup(setup: MachineSetup): void {
  if (setup.memory + setup.memoryHigh > MEMORY_MOST) {
    throw new LabError(`memory and memory above 4 GiB are together at most ${MEMORY_MOST / MIB} MiB`);
  }
  if (!POLICY_IDS.includes(setup.policy)) {
    throw new LabError(`there is no policy "${setup.policy}"; there are ${POLICY_IDS.join(", ")}`);
  }
  for (const id of Object.keys(setup.hazards)) {
    if (!HAZARDS.some((hazard) => hazard.id === id)) {
      throw new LabError(`there is no hazard "${id}"; quadrant list names them all`);
    }
  }
}
