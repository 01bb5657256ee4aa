/**
 * `--save-disk` and `--save-floppy`: the drives as the guest left them, written to files of the user's. Without it nothing that a guest
 * writes to a disk reaches a file.
 */
import { type Disk, SECTOR } from "../../core/devices/disk.ts";
import type { LoadedImage } from "../../core/images/index.ts";
import type { Machine } from "../../core/machine/machine.ts";
import type { Chunk, CliIo } from "./io.ts";

const BLOCK = 1 << 16;

/** The files that are asked for. */
export interface SaveFiles {
  readonly saveDisks: readonly string[];
  readonly saveFloppy: string | null;
}

/** @throws with a sentence when there are fewer drives than files, or no floppy */
export function checkSaveDisks(
  { saveDisks, saveFloppy }: SaveFiles,
  { disks = [], floppy }: LoadedImage,
): void {
  if (saveFloppy !== null && floppy === undefined)
    throw new Error(
      "--save-floppy is given, and the machine has no floppy; give one with --floppy, or start a boot sector",
    );
  if (saveDisks.length <= disks.length) return;
  const drives = disks.length === 0 ? "no disk" : disks.length === 1 ? "one disk" : `${disks.length} disks`;
  throw new Error(
    `--save-disk is given ${saveDisks.length === 1 ? "once" : `${saveDisks.length} times`}, and the machine has ${drives}; give a disk with --disk`,
  );
}

/** The n-th file gets the n-th drive. @throws with a sentence */
export function saveDisks(
  { pc }: Machine,
  { disks = [], floppy }: LoadedImage,
  files: SaveFiles,
  io: CliIo,
): void {
  const save = (file: string, image: Uint8Array | null | undefined, disk: Disk | null | undefined): void => {
    if (image === undefined || image === null || disk === undefined || disk === null) return;
    io.writeSparse(file, disk.sectors * SECTOR, chunks(image, disk));
  };
  files.saveDisks.forEach((file, i) => {
    save(file, disks[i], pc?.board.disks[i]);
  });
  if (files.saveFloppy !== null) save(files.saveFloppy, floppy, pc?.board.floppy.disk);
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
