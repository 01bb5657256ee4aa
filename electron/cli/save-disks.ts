/**
 * `--save-disk`: the drives as the guest left them, written to files of the user's. Without it nothing that a guest
 * writes to a disk reaches a file.
 */
import { type Disk, SECTOR } from "../../core/devices/disk.ts";
import type { LoadedImage } from "../../core/images/index.ts";
import type { Machine } from "../../core/machine/machine.ts";
import type { Chunk, CliIo } from "./io.ts";

const BLOCK = 1 << 16;

/** @throws with a sentence when there are fewer drives than files */
export function checkSaveDisks(files: readonly string[], { disks = [] }: LoadedImage): void {
  if (files.length <= disks.length) return;
  const drives = disks.length === 0 ? "no disk" : disks.length === 1 ? "one disk" : `${disks.length} disks`;
  throw new Error(
    `--save-disk is given ${files.length === 1 ? "once" : `${files.length} times`}, and the machine has ${drives}; give a disk with --disk`,
  );
}

/** The n-th file gets the n-th drive. @throws with a sentence */
export function saveDisks(
  machine: Machine,
  { disks = [] }: LoadedImage,
  files: readonly string[],
  io: CliIo,
): void {
  files.forEach((file, i) => {
    const image = disks[i];
    const disk = machine.pc?.board.disks[i];
    if (image === undefined || image === null || disk === undefined || disk === null) return;
    io.writeSparse(file, disk.sectors * SECTOR, chunks(image, disk));
  });
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** What the file holds and is not all zeros, then what the guest wrote over it. */
function* chunks(image: Uint8Array, disk: Disk): Generator<Chunk> {
  for (let at = 0; at < image.length; at += BLOCK) {
    const bytes = image.subarray(at, at + BLOCK);
    if (!isZero(bytes)) yield { offset: at, bytes };
  }
  const { sectors, bytes } = disk.save();
  for (let i = 0; i < sectors.length; i++)
    yield { offset: sectors[i]! * SECTOR, bytes: bytes.subarray(i * SECTOR, (i + 1) * SECTOR) };
}
