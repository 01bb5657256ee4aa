/**
 * Guesses what kind of image a file is: a multiboot header, then ELF's magic, else flat. Files that are surely
 * something else (a Windows program, a Linux kernel) are refused in words instead of being run as raw code.
 */
import { isElf } from "./elf32.ts";
import { type LoadedKind, refuse, u16, u32 } from "./image.ts";
import { findMultibootHeader } from "./multiboot.ts";

/** "HdrS" at 0x202: the signature of the Linux/x86 boot protocol's setup header. */
const LINUX_HEADER = 0x53726448;

export function sniffImage(
  bytes: Uint8Array,
): { readonly ok: true; readonly kind: LoadedKind } | { readonly ok: false; readonly error: string } {
  if (findMultibootHeader(bytes) >= 0) return { ok: true, kind: "multiboot" };
  if (isElf(bytes)) return { ok: true, kind: "elf" };
  if (bytes.length >= 0x206 && u16(bytes, 0x1fe) === 0xaa55 && u32(bytes, 0x202) === LINUX_HEADER) {
    return refuse(
      "this is a Linux kernel in its boot format (HdrS at 0x202), which this machine cannot start yet; it takes flat, ELF32 and multiboot 1 images",
    );
  }
  if (isPortableExecutable(bytes)) {
    return refuse(
      "this is a Windows or EFI program (MZ at 0x0 and a PE header); the machine takes flat, ELF32 and multiboot 1 images",
    );
  }
  return { ok: true, kind: "flat" };
}

/** MZ, and the offset at 0x3c leads to "PE\0\0". */
function isPortableExecutable(bytes: Uint8Array): boolean {
  if (bytes.length < 0x40 || u16(bytes, 0) !== 0x5a4d) return false;
  const at = u32(bytes, 0x3c);
  return at + 4 <= bytes.length && u32(bytes, at) === 0x4550;
}
