/**
 * What a loader is told and what it answers: everything the machine must store and the register state to start with.
 * Flat, ELF and multiboot images start in 32-bit protected mode with paging and interrupts off and the same GDT: null,
 * flat code 0x08, flat data 0x10. Linux brings a GDT of its own; boot sectors, disks and ROMs start at reset.
 */

/** In the order in which help and refusals name them. */
export const LOADED_KINDS = ["flat", "elf", "multiboot", "linux", "boot-sector", "disk", "rom"] as const;
export type LoadedKind = (typeof LOADED_KINDS)[number];

/** `bare`: memory from 0 without a hole and a serial port. `pc`: the devices, the hole at A0000-FFFFF, the ROM. */
export type MachineKind = "bare" | "pc";

/** A file that goes along with a multiboot kernel, with the text that the kernel finds beside it. */
export interface ModuleFile {
  readonly bytes: Uint8Array;
  readonly commandLine: string;
}

export interface ImageOptions {
  /** Load address of a flat image (default 0x100000); other kinds carry their own. */
  readonly address?: number | undefined;
  /** Bytes of memory from guest-physical 0. */
  readonly memory: number;
  /** Bytes of memory from guest-physical 4 GiB. */
  readonly memoryHigh: number;
  /** The machine that it will start on. Absent: bare. */
  readonly machine?: MachineKind | undefined;
  /** Command line of a multiboot or Linux kernel; characters above U+00FF become "?". */
  readonly commandLine?: string | undefined;
  /** Linux's first root file system; a multiboot kernel has it as its first module. */
  readonly initrd?: Uint8Array | undefined;
  /** Modules of a multiboot kernel, in order. */
  readonly modules?: readonly ModuleFile[] | undefined;
  /** Drives of a pc, in order, behind the image itself if that is a disk; at most two in all. */
  readonly disks?: readonly Uint8Array[] | undefined;
  /** What is in a pc's floppy drive. */
  readonly floppy?: Uint8Array | undefined;
  /** A ROM for a pc in place of its own firmware. */
  readonly rom?: Uint8Array | undefined;
}

export interface StartRegs {
  readonly eax: number;
  readonly ecx: number;
  readonly edx: number;
  readonly ebx: number;
  readonly esp: number;
  readonly ebp: number;
  readonly esi: number;
  readonly edi: number;
}

/** Unsigned 32-bit values; EFER's low word. */
export interface StartControls {
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly eflags: number;
}

export interface LoadedImage {
  readonly kind: LoadedKind;
  /** To be stored in this order; where two overlap, the later one wins. `bytes` may be a window on the image's file. */
  readonly writes: readonly { readonly gpa: number; readonly bytes: Uint8Array }[];
  /** To be filled with zeros, before the writes. */
  readonly zeros: readonly { readonly gpa: number; readonly length: number }[];
  /** EIP, a guest-physical address (unsigned). */
  readonly entry: number;
  /** Unsigned 32-bit values. EFLAGS is 2. */
  readonly regs: StartRegs;
  /** Control registers to start with, for images that begin with paging on (scenarios). Absent: CR0 = 0x11, others 0. */
  readonly controls?: StartControls;
  /**
   * What GDTR holds; the bytes are one of the writes. CS is `code` (absent: 0x08), all data segments are `data`
   * (absent: 0x10), flat in either case.
   */
  readonly gdt: {
    readonly base: number;
    readonly limit: number;
    readonly code?: number;
    readonly data?: number;
  };
  /** Ascending by address. */
  readonly symbols: readonly { readonly name: string; readonly address: number }[];
  /** What was left out and why, in sentences (a damaged symbol table, for instance). */
  readonly notes: readonly string[];
  /** Which machine the kind is for, when nobody names one. Absent: bare. */
  readonly machine?: MachineKind | undefined;
  /**
   * Absent or "protected": as the registers say. "reset": the processor begins at FFFFFFF0 in real mode, out of the
   * ROM; entry, registers and GDT are of no account.
   */
  readonly start?: "protected" | "reset" | undefined;
  /** A ROM in place of the firmware: 64, 128 or 256 KiB, ending at FFFFFFFF. */
  readonly rom?: Uint8Array | undefined;
  /** Drives of the primary channel: first and second. */
  readonly disks?: readonly (Uint8Array | null)[] | undefined;
  /** What is in the floppy drive: the sectors of a whole floppy of a standard size. */
  readonly floppy?: Uint8Array | undefined;
}

export type OpenResult =
  | { readonly ok: true; readonly image: LoadedImage }
  | { readonly ok: false; readonly error: string };

/** A range of guest-physical memory: [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export const refuse = (error: string): { readonly ok: false; readonly error: string } => ({
  ok: false,
  error,
});

/** A number as the field writes addresses: 0x, lower case, no leading zeros. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

/** Little-endian reader over the file; the caller has checked the bounds. */
export const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
export const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

export const put32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
};

/** One byte a character; characters above U+00FF become "?". A zero ends it. */
export function textBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length + 1);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bytes[i] = code > 0xff ? 0x3f : code;
  }
  return bytes;
}

export const START_ESP = 0x7c00;

export const ZERO_REGS: StartRegs = {
  eax: 0,
  ecx: 0,
  edx: 0,
  ebx: 0,
  esp: START_ESP,
  ebp: 0,
  esi: 0,
  edi: 0,
};

/**
 * Null, flat code (execute/read, accessed), flat data (read/write, accessed): base 0, limit 4 GiB, DPL 0, 32-bit.
 * SDM vol. 3, 3.4.5. Accessed is set so that loading a selector stores nothing.
 */
const GDT_BYTES = new Uint8Array([
  0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0,
]);

/** First byte behind the place where the GDT is put. */
const GDT_END = 0x500;

export const overlaps = (a: Range, b: Range): boolean => a.start < b.end && b.start < a.end;

/**
 * Chooses where the GDT goes: the highest 8-aligned place below 0x500 that the image leaves free. An image that
 * covers all of 0 to 0x500 wins over it: the segment registers are loaded already, and such an image brings its own.
 */
export function placeGdt(taken: readonly Range[]): { base: number; limit: number; bytes: Uint8Array } {
  const size = GDT_BYTES.length;
  const found = { base: GDT_END - size, limit: size - 1, bytes: GDT_BYTES.slice() };
  for (let base = GDT_END - size; base >= 0; base -= 8) {
    const range = { start: base, end: base + size };
    if (!taken.some((t) => overlaps(t, range))) return { ...found, base };
  }
  return found;
}

/** First byte that a PC's firmware keeps for itself at the end of conventional memory is in this page. */
const LOW_END = 0x9f000;

/**
 * A free place of `size` bytes for a structure handed to the image: a page in 0x9000 to 0x9efff, else the first page
 * behind the image. -1 when there is none.
 */
export function placeStructure(taken: readonly Range[], size: number, memory: number): number {
  const free = (start: number) =>
    start + size <= memory && !taken.some((t) => overlaps(t, { start, end: start + size }));
  for (let at = 0x9000; at + size <= LOW_END; at += 0x1000) if (free(at)) return at;
  const behind = Math.ceil(taken.reduce((most, t) => Math.max(most, t.end), 0x100000) / 0x1000) * 0x1000;
  return free(behind) ? behind : -1;
}
