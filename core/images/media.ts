/**
 * What goes along with an image: disks, floppy, ROM, initrd, modules, command line. What a kind or a machine has no
 * use for is refused instead of being left out in silence.
 */
import { asFloppy, refuseDisk } from "./disks.ts";
import type { ImageOptions, LoadedImage, LoadedKind, OpenResult } from "./image.ts";
import { refuse } from "./image.ts";
import { refuseRom } from "./rom.ts";

const DRIVES = 2;

const NAMES: Readonly<Record<LoadedKind, string>> = {
  flat: "a flat image",
  elf: "an ELF image",
  multiboot: "a multiboot kernel",
  linux: "a Linux kernel",
  "boot-sector": "a boot sector",
  disk: "a disk image",
  rom: "a ROM",
};

const PC_ALONE: readonly LoadedKind[] = ["boot-sector", "disk", "rom"];

/** What does not go together, in a sentence, or null. */
export function refuseMedia(kind: LoadedKind, options: ImageOptions): string | null {
  const { commandLine, disks, floppy, initrd, machine, modules, rom } = options;
  const name = NAMES[kind];
  if (machine !== "pc") {
    if (PC_ALONE.includes(kind))
      return `${name} starts on the machine pc, which has firmware and drives; bare has neither`;
    const [what] = [
      disks !== undefined && disks.length > 0 ? "a disk" : null,
      floppy !== undefined ? "a floppy" : null,
      rom !== undefined ? "a ROM" : null,
    ].filter((one) => one !== null);
    if (what !== undefined)
      return `${what} is given, and the machine bare has no place for it; choose the machine pc`;
  }
  const kernel = kind === "multiboot" || kind === "linux";
  if (!kernel && initrd !== undefined)
    return `an initrd is given, and ${name} takes none; Linux and multiboot kernels do`;
  if (kind !== "multiboot" && modules !== undefined && modules.length > 0)
    return `a module is given, and ${name} takes none; multiboot kernels do`;
  if (!kernel && commandLine !== undefined && commandLine !== "")
    return `a command line is given, and ${name} takes none; Linux and multiboot kernels do`;
  if (kind !== "flat" && options.address !== undefined)
    return `a load address is given, and ${name} has its own; only a flat image is loaded where one says`;
  if (kind === "rom" && rom !== undefined) return "the image is a ROM, and another ROM is given beside it";
  if (kind === "boot-sector" && floppy !== undefined)
    return "the image is in the floppy drive, and another floppy is given beside it";
  const own = kind === "disk" ? 1 : 0;
  const drives = own + (disks?.length ?? 0);
  if (drives > DRIVES)
    return `there are ${drives} disks${own === 1 ? ", the image itself among them" : ""}; the machine has ${DRIVES} drives`;
  return null;
}

/** The image with the drives and the ROM that were given beside it. */
export function addMedia(image: LoadedImage, { disks, floppy, rom }: ImageOptions): OpenResult {
  for (const [i, disk] of (disks ?? []).entries()) {
    const bad = refuseDisk(disk, `disk ${i + 1}`);
    if (bad !== null) return refuse(bad);
  }
  const badRom = rom === undefined ? null : refuseRom(rom);
  if (badRom !== null) return refuse(badRom);
  const badFloppy = floppy === undefined ? null : refuseDisk(floppy, "floppy");
  if (badFloppy !== null) return refuse(badFloppy);
  const whole = floppy === undefined ? undefined : asFloppy(floppy);
  if (whole === null)
    return refuse(`floppy: it has ${floppy!.length} bytes, more than the largest floppy (2880 KiB)`);
  const all = [...(image.disks ?? []), ...(disks ?? [])];
  return {
    ok: true,
    image: {
      ...image,
      ...(all.length === 0 ? {} : { disks: all }),
      ...(whole === undefined ? {} : { floppy: whole }),
      ...(rom === undefined ? {} : { rom }),
    },
  };
}
