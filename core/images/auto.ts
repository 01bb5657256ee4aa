/**
 * Finds out what kind of image a file is, in this order (docs/images.md says why):
 * ELF's magic: multiboot if its header is there, else ELF; Linux's boot flag and HdrS; programs for other systems are
 * refused; a multiboot header within the first sector; 55 AA at 510: a floppy's size is a boot sector, any other a
 * disk; a multiboot header further on; wrapped or compressed files and CD images are refused; a ROM's size and a jump
 * at its reset vector; else flat.
 */
import { hasBootSignature, isBootSector, isIso, SECTOR, wrappingOf } from "./disks.ts";
import { isElf } from "./elf32.ts";
import { type LoadedKind, refuse, u16, u32 } from "./image.ts";
import { isLinux } from "./linux-header.ts";
import { findMultibootHeader } from "./multiboot.ts";
import { isRom } from "./rom.ts";

export type Sniffed =
  | { readonly ok: true; readonly kind: LoadedKind }
  | { readonly ok: false; readonly error: string };

const KINDS = "flat, ELF32, multiboot 1, Linux/i386, boot sector, disk or ROM";

export function sniffImage(bytes: Uint8Array): Sniffed {
  const is = (kind: LoadedKind): Sniffed => ({ ok: true, kind });
  const header = findMultibootHeader(bytes);
  if (isElf(bytes)) return is(header >= 0 ? "multiboot" : "elf");
  if (isLinux(bytes)) return is("linux");
  if (isPortableExecutable(bytes)) {
    return refuse(
      `this is a Windows or EFI program (MZ at 0x0 and a PE header); the machine takes ${KINDS} images`,
    );
  }
  if (header >= 0 && header < SECTOR) return is("multiboot");
  if (hasBootSignature(bytes)) return is(isBootSector(bytes) ? "boot-sector" : "disk");
  if (header >= 0) return is("multiboot");
  const wrapping = wrappingOf(bytes);
  if (wrapping !== null) {
    return refuse(
      `this file is ${wrapping}; the machine takes ${KINDS} images, so unpack or convert it first`,
    );
  }
  if (isIso(bytes)) {
    return refuse(
      "this is a CD's image (CD001 at 0x8001) without a boot sector for disks, and the machine has no CD drive",
    );
  }
  return is(isRom(bytes) ? "rom" : "flat");
}

/** MZ, and the offset at 0x3c leads to "PE\0\0". */
function isPortableExecutable(bytes: Uint8Array): boolean {
  if (bytes.length < 0x40 || u16(bytes, 0) !== 0x5a4d) return false;
  const at = u32(bytes, 0x3c);
  return at + 4 <= bytes.length && u32(bytes, at) === 0x4550;
}
