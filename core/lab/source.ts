/**
 * Where a machine came from, so that it can be started again: a built-in guest or an image's bytes.
 */
import { findGuest, GUESTS } from "../guests/index.ts";
import { type LoadedImage, openImage } from "../images/index.ts";
import { HAZARDS } from "../kvm/index.ts";
import { POLICY_IDS } from "../machine/machine.ts";
import type { MachineSetup } from "../machine/setup.ts";
import { LabError } from "./error.ts";
import { MIB } from "./protocol/index.ts";

export interface Source {
  readonly title: string;
  /** Id of a built-in guest, or null for an image. */
  readonly guest: string | null;
  readonly bytes: Uint8Array;
  readonly kind: string;
  /** Load address of a flat image; null: the usual one. */
  readonly address: number | null;
  readonly symbols: readonly { readonly name: string; readonly address: number }[];
  readonly pauseAt: string | null;
  readonly introduction: readonly string[];
}

/** Host memory that guest memory may take: 2 GiB less the hypervisor's 16 MiB. */
const MEMORY_MOST = 2032 * MIB;

/** @throws LabError when there is no such guest */
export function guestSource(id: string): { source: Source; memory: number; memoryHigh: number } {
  const guest = findGuest(id);
  if (guest === null) {
    throw new LabError(`there is no guest "${id}"; there are ${GUESTS.map((g) => g.id).join(", ")}`);
  }
  const { title, bytes, kind, symbols, pauseAt, introduction, memory, memoryHigh } = guest;
  return {
    source: { title, guest: id, bytes, kind, address: null, symbols, pauseAt, introduction },
    memory,
    memoryHigh,
  };
}

/** Opens a source's image for a setup. @throws LabError with the loader's sentence */
export function openSource(source: Source, setup: MachineSetup): LoadedImage {
  const options = {
    memory: setup.memory,
    memoryHigh: setup.memoryHigh,
    address: source.address ?? undefined,
  };
  const opened = openImage(source.bytes, source.kind, options);
  if (!opened.ok) throw new LabError(opened.error);
  return opened.image;
}

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
