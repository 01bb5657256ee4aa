/**
 * Linux/i386 kernels (bzImage) by the 32-bit boot protocol (the kernel's Documentation/arch/x86/boot.rst, "32-bit Boot
 * Protocol"; zero-page.rst): the protected-mode part at 1 MiB, the boot parameters ("zero page") at the address in
 * ESI, a GDT with __BOOT_CS 0x10 and __BOOT_DS 0x18, the initrd as high as it may lie.
 */
import {
  hex,
  type ImageOptions,
  type LoadedImage,
  type OpenResult,
  put32,
  refuse,
  textBytes,
  ZERO_REGS,
} from "./image.ts";
import { HEADER_AT, type LinuxKernel, LOAD_AT, readLinux } from "./linux-header.ts";
import { memoryMap } from "./memory-map.ts";

/** Where what is handed over lies: in conventional memory, which Linux leaves alone until it has read it. */
const ZERO_PAGE = 0x90000;
const GDT = 0x91000;
const COMMAND_LINE = 0x92000;
/** Room for the command line, below what a PC's firmware keeps. */
const COMMAND_LINE_ROOM = 0x9f000 - COMMAND_LINE;
const STACK = 0x90000;
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;
const PAGE = 0x1000;
const E820_ENTRIES = 0x1e8;
const E820_TABLE = 0x2d0;
const E820_ENTRY = 20;
/** A boot loader without a number of its own. */
const LOADER_UNKNOWN = 0xff;
const KEEP_SEGMENTS = 1 << 6;

/** Two null descriptors, flat code and flat data: base 0, limit 4 GiB, 32-bit, accessed. */
const GDT_BYTES = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0],
);

export function loadLinux(bytes: Uint8Array, options: ImageOptions): OpenResult {
  const read = readLinux(bytes);
  if (!read.ok) return read;
  const { kernel } = read;
  const { memory } = options;
  if (kernel.needs.end > memory)
    return refuse(
      `Linux kernel: it needs memory up to ${hex(kernel.needs.end)} to unpack itself, behind the memory's end ${hex(memory)}; give the machine more memory`,
    );
  const commandLine = options.commandLine ?? "";
  const most = Math.min(kernel.commandLineMost, COMMAND_LINE_ROOM - 1);
  if (commandLine.length > most)
    return refuse(
      `Linux kernel: the command line has ${commandLine.length} characters; this kernel takes at most ${most}`,
    );
  const initrd = placeInitrd(kernel, options);
  if (!initrd.ok) return initrd;
  const writes: { gpa: number; bytes: Uint8Array }[] = [
    { gpa: ZERO_PAGE, bytes: zeroPage(kernel, options, initrd.at) },
    { gpa: GDT, bytes: GDT_BYTES.slice() },
    { gpa: COMMAND_LINE, bytes: textBytes(commandLine) },
    { gpa: LOAD_AT, bytes: kernel.code },
  ];
  if (options.initrd !== undefined && options.initrd.length > 0)
    writes.push({ gpa: initrd.at, bytes: options.initrd });
  const image: LoadedImage = {
    kind: "linux",
    writes,
    zeros: [],
    entry: kernel.entry,
    regs: { ...ZERO_REGS, esp: STACK, esi: ZERO_PAGE },
    gdt: { base: GDT, limit: GDT_BYTES.length - 1, code: BOOT_CS, data: BOOT_DS },
    symbols: [],
    notes: [],
    machine: "pc",
  };
  return { ok: true, image };
}

/** The highest page at which the initrd ends below the memory's end and below what the kernel can reach. */
function placeInitrd(
  kernel: LinuxKernel,
  { initrd, memory }: ImageOptions,
): { readonly ok: true; readonly at: number } | { readonly ok: false; readonly error: string } {
  if (initrd === undefined || initrd.length === 0) return { ok: true, at: 0 };
  const top = Math.min(memory, kernel.initrdMax + 1);
  const at = Math.floor((top - initrd.length) / PAGE) * PAGE;
  if (at < kernel.needs.end)
    return refuse(
      `Linux kernel: the initrd of ${initrd.length} bytes does not fit between the kernel's end ${hex(kernel.needs.end)} and ${hex(top)} (${top === memory ? "the memory's end" : "initrd_addr_max at 0x22c"}); ${top === memory ? "give the machine more memory" : "the kernel cannot reach a higher one"}`,
    );
  return { ok: true, at };
}

/** The boot parameters: zeros, the screen, the kernel's own header with the loader's fields filled in, the map. */
function zeroPage(kernel: LinuxKernel, options: ImageOptions, initrd: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PAGE);
  const put = (at: number, value: number) => put32(bytes, at, value);
  bytes.set(kernel.header, HEADER_AT);
  if (options.machine === "pc") {
    bytes[0x06] = 3; // video mode: 80x25 text
    bytes[0x07] = 80;
    bytes[0x0a] = 3; // EGA memory: 256 KiB or more
    bytes[0x0e] = 25;
    bytes[0x0f] = 1; // a VGA
    bytes[0x10] = 16; // lines a character
  }
  const extended = Math.min(0xffff, (options.memory - 0x100000) >>> 10);
  bytes[0x02] = extended; // KiB above 1 MiB, for what does not read the map
  bytes[0x03] = extended >>> 8;
  put(0x1e0, (options.memory - 0x100000) >>> 10);
  bytes[0x1fa] = bytes[0x1fb] = 0xff; // vid_mode: "normal"
  bytes[0x210] = LOADER_UNKNOWN;
  bytes[0x211]! &= ~KEEP_SEGMENTS; // the segment registers are the kernel's to load
  put(0x218, initrd);
  put(0x21c, options.initrd?.length ?? 0);
  put(0x228, COMMAND_LINE);
  if (kernel.version >= 0x209) bytes.fill(0, 0x250, 0x258); // setup_data: none
  const map = memoryMap(options);
  bytes[E820_ENTRIES] = map.length;
  map.forEach(({ base, length, type }, i) => {
    const at = E820_TABLE + i * E820_ENTRY;
    put(at, base % 0x1_0000_0000);
    put(at + 4, Math.floor(base / 0x1_0000_0000));
    put(at + 8, length % 0x1_0000_0000);
    put(at + 12, Math.floor(length / 0x1_0000_0000));
    put(at + 16, type);
  });
  return bytes;
}
