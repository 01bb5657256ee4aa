/**
 * Opens an image: flat, ELF32, multiboot 1, Linux/i386, boot sector, disk or ROM, with what goes along with it. A
 * damaged or wrong one is refused with a sentence that says what is wrong, where, and what would be right; nothing
 * throws, and no size the file claims is believed unchecked.
 */
import { type Sniffed, sniffImage } from "./auto.ts";
import { loadBootSector, loadDisk } from "./disks.ts";
import { loadElf } from "./elf32.ts";
import { loadFlat } from "./flat.ts";
import { type ImageOptions, LOADED_KINDS, type LoadedKind, type OpenResult, refuse } from "./image.ts";
import { loadLinux } from "./linux.ts";
import { addMedia, refuseMedia } from "./media.ts";
import { loadMultiboot } from "./multiboot.ts";
import { loadRom } from "./rom.ts";

export type {
  ImageOptions,
  LoadedImage,
  LoadedKind,
  MachineKind,
  ModuleFile,
  OpenResult,
  StartControls,
  StartRegs,
} from "./image.ts";

export const IMAGE_KINDS = ["auto", ...LOADED_KINDS] as const;

const isLoadedKind = (kind: string): kind is LoadedKind => (LOADED_KINDS as readonly string[]).includes(kind);

/** What a file is: `kind` itself, or for "auto" what its bytes say. */
export function kindOf(bytes: Uint8Array, kind: string): Sniffed {
  if (bytes.length === 0) return refuse("the image is empty: a kernel has at least one byte");
  if (kind === "auto") return sniffImage(bytes);
  if (isLoadedKind(kind)) return { ok: true, kind };
  return refuse(`unknown image kind "${kind}": it should be one of ${IMAGE_KINDS.join(", ")}`);
}

/** The machine that a kind is started on when nobody names one. */
export const machineFor = (kind: LoadedKind): "bare" | "pc" =>
  kind === "flat" || kind === "elf" || kind === "multiboot" ? "bare" : "pc";

/**
 * @param bytes the whole file; the answer's writes are windows on it, so it must not change afterwards
 * @param kind one of IMAGE_KINDS; any other is refused
 */
export function openImage(bytes: Uint8Array, kind: string, options: ImageOptions): OpenResult {
  const known = kindOf(bytes, kind);
  if (!known.ok) return known;
  const media = refuseMedia(known.kind, options);
  if (media !== null) return refuse(media);
  const opened = load(bytes, known.kind, options);
  return opened.ok ? addMedia(opened.image, options) : opened;
}

function load(bytes: Uint8Array, kind: LoadedKind, options: ImageOptions): OpenResult {
  switch (kind) {
    case "flat":
      return loadFlat(bytes, options);
    case "elf":
      return loadElf(bytes, options);
    case "multiboot":
      return loadMultiboot(bytes, options);
    case "linux":
      return loadLinux(bytes, options);
    case "boot-sector":
      return loadBootSector(bytes, options.rom !== undefined);
    case "disk":
      return loadDisk(bytes, options.rom !== undefined);
    case "rom":
      return loadRom(bytes);
  }
}

export { placeGdt, ZERO_REGS } from "./image.ts";
