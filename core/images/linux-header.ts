/**
 * The setup header of a Linux/i386 kernel (the kernel's Documentation/arch/x86/boot.rst, "The Real-Mode Kernel
 * Header"): what it claims about itself, each claim checked before anything relies on it.
 */
import { hex, refuse, u16, u32 } from "./image.ts";

/** "HdrS" at 0x202. */
const MAGIC = 0x5372_6448;
const BOOT_FLAG = 0xaa55;
const SECTOR = 512;
/** Where the header begins in the file and in the boot parameters. */
export const HEADER_AT = 0x1f1;
const MAGIC_AT = 0x202;
/** End of the header's room in the boot parameters. */
const PARAMETERS_END = 0x290;
/** 2.02 brought the command line as a pointer; kernels before 2.4 have less. */
const LEAST_VERSION = 0x202;
const LOADED_HIGH = 1 << 0;
const KERNEL_64 = 1 << 0;
/** What a bzImage's protected-mode part is loaded at. */
export const LOAD_AT = 0x100000;
/** A header that says nothing of these (before 2.03, before 2.06) is held to what the protocol says of them. */
const INITRD_MAX = 0x37ff_ffff;
const COMMAND_LINE_MOST = 255;

export interface LinuxKernel {
  /** Protocol version: 0x20a is 2.10. */
  readonly version: number;
  /** The header's bytes as they stand in the file, from HEADER_AT. */
  readonly header: Uint8Array;
  /** The part that runs in protected mode; loaded at LOAD_AT. */
  readonly code: Uint8Array;
  readonly entry: number;
  /** Highest address that a byte of the initrd may have. */
  readonly initrdMax: number;
  /** Characters, the zero not counted. */
  readonly commandLineMost: number;
  /** What it uses before it has read the memory map: [start, end), its place in memory included. */
  readonly needs: { readonly start: number; readonly end: number };
}

/** True when boot flag and signature are there: the file says that it is a Linux kernel. */
export const isLinux = (bytes: Uint8Array): boolean =>
  bytes.length >= MAGIC_AT + 4 && u16(bytes, 0x1fe) === BOOT_FLAG && u32(bytes, MAGIC_AT) === MAGIC;

const versionText = (version: number): string =>
  `${version >>> 8}.${String(version & 0xff).padStart(2, "0")}`;

export function readLinux(
  bytes: Uint8Array,
): { readonly ok: true; readonly kernel: LinuxKernel } | { readonly ok: false; readonly error: string } {
  const bad = (what: string) => refuse(`Linux kernel: ${what}`);
  if (bytes.length < MAGIC_AT + 4)
    return bad(`the file ends at ${hex(bytes.length)}, before the signature HdrS at 0x202; it is cut off`);
  if (!isLinux(bytes))
    return bad(
      `at 0x1fe and 0x202 are ${hex(u16(bytes, 0x1fe))} and ${hex(u32(bytes, MAGIC_AT))}, they should be 0xaa55 and 0x53726448 (HdrS)`,
    );
  const headerEnd = MAGIC_AT + bytes[0x201]!;
  if (bytes.length < Math.max(headerEnd, 0x230))
    return bad(`the file ends at ${hex(bytes.length)}, inside its setup header; it is cut off`);
  if (headerEnd > PARAMETERS_END)
    return bad(
      `its setup header is said to end at ${hex(headerEnd)} (byte 0x201); the boot parameters have room for it up to ${hex(PARAMETERS_END)}`,
    );
  const version = u16(bytes, 0x206);
  if (version < LEAST_VERSION)
    return bad(
      `its boot protocol at 0x206 is ${versionText(version)}, it should be at least 2.02 (kernel 2.4); older ones do not start in 32-bit mode`,
    );
  const reach = lengthOf(version);
  if (headerEnd < reach)
    return bad(
      `its setup header ends at ${hex(headerEnd)} (byte 0x201), before fields of the protocol ${versionText(version)} that it claims; it should reach to ${hex(reach)}`,
    );
  if ((bytes[0x211]! & LOADED_HIGH) === 0)
    return bad("it is a zImage (bit 0 of loadflags at 0x211 is clear); only a bzImage can be loaded");
  if (version >= 0x20c && (u16(bytes, 0x236) & KERNEL_64) !== 0)
    return bad(
      "it is an x86-64 kernel (bit 0 of xloadflags at 0x236); the processor has 32 bits, build it for i386",
    );
  const setup = ((bytes[HEADER_AT]! || 4) + 1) * SECTOR;
  if (bytes.length <= setup)
    return bad(
      `its real-mode part takes ${hex(setup)} bytes (setup_sects at 0x1f1 is ${bytes[HEADER_AT]}), and the file ends at ${hex(bytes.length)}; it is cut off or damaged`,
    );
  const rest = bytes.length - setup;
  let length = rest;
  if (version >= 0x204) {
    const claimed = u32(bytes, 0x1f4) * 16;
    if (claimed === 0 || claimed > Math.ceil(rest / 16) * 16)
      return bad(
        `it should have ${claimed} bytes behind its real-mode part (syssize at 0x1f4), and there are ${rest}; it is cut off or damaged`,
      );
    length = Math.min(rest, claimed);
  }
  const entry = u32(bytes, 0x214);
  if (entry < LOAD_AT || entry >= LOAD_AT + length)
    return bad(
      `its entry point (code32_start at 0x214) is ${hex(entry)}, outside the loaded bytes, ${hex(LOAD_AT)} to ${hex(LOAD_AT + length)}`,
    );
  const needs = needsOf(bytes, version, length);
  if (typeof needs === "string") return bad(needs);
  return {
    ok: true,
    kernel: {
      version,
      header: bytes.subarray(HEADER_AT, headerEnd),
      code: bytes.subarray(setup, setup + length),
      entry,
      initrdMax: version >= 0x203 ? u32(bytes, 0x22c) : INITRD_MAX,
      commandLineMost: version >= 0x206 ? u32(bytes, 0x238) : COMMAND_LINE_MOST,
      needs,
    },
  };
}

/** End of the last field that a protocol version defines and that is read here. */
function lengthOf(version: number): number {
  if (version >= 0x20a) return 0x264;
  if (version >= 0x206) return 0x23c;
  if (version >= 0x205) return 0x235;
  return version >= 0x203 ? 0x230 : 0x22c;
}

/** The memory that it wants from its start, or a sentence. Before 2.10 the header does not say more than its size. */
function needsOf(bytes: Uint8Array, version: number, length: number): LinuxKernel["needs"] | string {
  const loaded = { start: LOAD_AT, end: LOAD_AT + length };
  if (version < 0x20a) return loaded;
  const relocatable = bytes[0x234] !== 0;
  const alignment = u32(bytes, 0x230);
  if (relocatable && (alignment === 0 || (alignment & (alignment - 1)) !== 0))
    return `its kernel_alignment at 0x230 is ${hex(alignment)}, it should be a power of two`;
  if (u32(bytes, 0x25c) !== 0)
    return `its pref_address at 0x258 lies above 4 GiB, where a 32-bit kernel cannot run`;
  const preferred = u32(bytes, 0x258);
  const start = relocatable ? Math.ceil(Math.max(LOAD_AT, preferred) / alignment) * alignment : preferred;
  return { start: LOAD_AT, end: Math.max(loaded.end, start + u32(bytes, 0x260)) };
}
