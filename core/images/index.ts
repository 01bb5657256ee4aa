/**
 * Opens a kernel image: flat, ELF32 or multiboot 1. A damaged or wrong one is refused with a sentence that says what
 * is wrong, where, and what would be right; nothing throws, and no size the file claims is believed unchecked.
 */
import { sniffImage } from "./auto.ts";
import { loadElf } from "./elf32.ts";
import { loadFlat } from "./flat.ts";
import { type ImageOptions, type OpenResult, refuse } from "./image.ts";
import { loadMultiboot } from "./multiboot.ts";

export type { ImageOptions, LoadedImage, LoadedKind, OpenResult, StartControls, StartRegs } from "./image.ts";

export const IMAGE_KINDS = ["auto", "flat", "elf", "multiboot"] as const;

/**
 * @param bytes the whole file; the answer's writes are windows on it, so it must not change afterwards
 * @param kind one of IMAGE_KINDS; any other is refused
 */
export function openImage(bytes: Uint8Array, kind: string, options: ImageOptions): OpenResult {
  if (bytes.length === 0) return refuse("the image is empty: a kernel has at least one byte");
  switch (kind) {
    case "flat":
      return loadFlat(bytes, options);
    case "elf":
      return loadElf(bytes, options);
    case "multiboot":
      return loadMultiboot(bytes, options);
    case "auto": {
      const sniffed = sniffImage(bytes);
      return sniffed.ok ? openImage(bytes, sniffed.kind, options) : sniffed;
    }
    default:
      return refuse(`unknown image kind "${kind}": it should be one of ${IMAGE_KINDS.join(", ")}`);
  }
}
export { placeGdt, ZERO_REGS } from "./image.ts";
