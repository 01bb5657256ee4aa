/**
 * Multiboot 1 kernels (Multiboot Specification 0.6.96): a header in the first 8 KiB, placement by its address fields
 * or by ELF program headers, and an information structure whose address is handed over in EBX.
 */
import { isElf, readElf } from "./elf32.ts";
import {
  hex,
  type ImageOptions,
  type OpenResult,
  placeGdt,
  placeStructure,
  type Range,
  refuse,
  u32,
  ZERO_REGS,
} from "./image.ts";
import { buildInfo, MOST_COMMAND_LINE } from "./multiboot-info.ts";

const HEADER_MAGIC = 0x1bad_b002;
/** What EAX holds at the entry point (3.2). */
export const LOADED_MAGIC = 0x2bad_b002;
const SEARCH = 8192;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
/** Bits 0 to 15 are demands that a loader must meet or refuse (3.1.2); page-aligned modules and memory information are met. */
const UNKNOWN_DEMANDS = 0xfff8;

/** Offset of the multiboot header in the file, or -1. It lies 4-aligned and whole in the first 8192 bytes (3.1). */
export function findMultibootHeader(bytes: Uint8Array): number {
  const end = Math.min(SEARCH, bytes.length);
  for (let at = 0; at + 12 <= end; at += 4) {
    if (u32(bytes, at) !== HEADER_MAGIC) continue;
    if ((HEADER_MAGIC + u32(bytes, at + 4) + u32(bytes, at + 8)) % 0x1_0000_0000 === 0) return at;
  }
  return -1;
}

interface Placement {
  readonly writes: readonly { gpa: number; bytes: Uint8Array }[];
  readonly zeros: readonly { gpa: number; length: number }[];
  readonly taken: readonly Range[];
  readonly entry: number;
  readonly symbols: readonly { name: string; address: number }[];
  readonly notes: readonly string[];
}

type PlacementResult = { ok: true; placement: Placement } | { ok: false; error: string };

/** Placement by the header's address fields (3.1.3). */
function placeByAddresses(bytes: Uint8Array, header: number, memory: number): PlacementResult {
  if (header + 32 > bytes.length) {
    return refuse(
      `multiboot image: the address fields at ${hex(header + 12)} are cut off by the file's end at ${hex(bytes.length)}`,
    );
  }
  const headerAddress = u32(bytes, header + 12);
  const load = u32(bytes, header + 16);
  const loadEnd = u32(bytes, header + 20);
  const bssEnd = u32(bytes, header + 24);
  const entry = u32(bytes, header + 28);
  const start = header - (headerAddress - load);
  if (headerAddress < load || start < 0) {
    return refuse(
      `multiboot image: header_addr ${hex(headerAddress)} and load_addr ${hex(load)} do not fit a header at ${hex(header)} of the file; load_addr should be at most header_addr, and no more than ${hex(header)} below it`,
    );
  }
  const length = loadEnd === 0 ? bytes.length - start : loadEnd - load;
  if (length <= 0) {
    return refuse(
      `multiboot image: load_end_addr ${hex(loadEnd)} is not behind load_addr ${hex(load)}, so nothing would be loaded`,
    );
  }
  if (start + length > bytes.length) {
    return refuse(
      `multiboot image: load_addr to load_end_addr are ${length} bytes from ${hex(start)} of the file, which ends at ${hex(bytes.length)}; it is cut off or damaged`,
    );
  }
  const end = load + length;
  if (bssEnd !== 0 && bssEnd < end) {
    return refuse(
      `multiboot image: bss_end_addr ${hex(bssEnd)} lies before the end of the loaded bytes, ${hex(end)}`,
    );
  }
  const top = bssEnd === 0 ? end : bssEnd;
  if (top > memory) {
    return refuse(
      `multiboot image: it takes memory up to ${hex(top)}, behind the memory's end ${hex(memory)}; give the machine more memory`,
    );
  }
  if (entry < load || entry >= end) {
    return refuse(
      `multiboot image: entry_addr ${hex(entry)} lies outside the loaded bytes, ${hex(load)} to ${hex(end)}`,
    );
  }
  return {
    ok: true,
    placement: {
      writes: [{ gpa: load, bytes: bytes.subarray(start, start + length) }],
      zeros: top > end ? [{ gpa: end, length: top - end }] : [],
      taken: [{ start: load, end: top }],
      entry,
      symbols: [],
      notes: [],
    },
  };
}

function place(bytes: Uint8Array, header: number, flags: number, memory: number): PlacementResult {
  if ((flags & FLAG_ADDRESSES) !== 0) return placeByAddresses(bytes, header, memory);
  if (!isElf(bytes)) {
    return refuse(
      `multiboot image: flag 16 of the header at ${hex(header)} is clear, so the file should be ELF, but it is not; set the flag and the address fields, or link it as ELF32`,
    );
  }
  const read = readElf(bytes, memory);
  return read.ok ? { ok: true, placement: read.program } : read;
}

export function loadMultiboot(bytes: Uint8Array, options: ImageOptions): OpenResult {
  const header = findMultibootHeader(bytes);
  if (header < 0) {
    return refuse(
      "multiboot image: no header in its first 8192 bytes; there should be 0x1badb002, flags and a checksum that add up to 0, on a multiple of 4",
    );
  }
  const flags = u32(bytes, header + 4);
  if ((flags & FLAG_VIDEO) !== 0) {
    return refuse(
      `multiboot image: the header at ${hex(header)} demands a video mode (flag 2), and this machine has no screen adapter`,
    );
  }
  if ((flags & UNKNOWN_DEMANDS) !== 0) {
    return refuse(
      `multiboot image: the header at ${hex(header)} demands features that multiboot 1 does not define (flags ${hex(flags)}); only flags 0 and 1 can be met`,
    );
  }
  const commandLine = options.commandLine ?? "";
  if (commandLine.length > MOST_COMMAND_LINE) {
    return refuse(
      `multiboot image: the command line has ${commandLine.length} characters; at most ${MOST_COMMAND_LINE} fit`,
    );
  }
  const placed = place(bytes, header, flags, options.memory);
  if (!placed.ok) return placed;
  const { writes, zeros, taken, entry, symbols, notes } = placed.placement;
  const { base, limit, bytes: gdt } = placeGdt(taken);
  const size = buildInfo(0, commandLine, options.memory, options.memoryHigh).length;
  const info = placeStructure(taken, size, options.memory);
  if (info < 0) {
    return refuse(
      "multiboot image: it leaves no room for the boot information; give the machine more memory",
    );
  }
  return {
    ok: true,
    image: {
      kind: "multiboot",
      writes: [
        { gpa: base, bytes: gdt },
        { gpa: info, bytes: buildInfo(info, commandLine, options.memory, options.memoryHigh) },
        ...writes,
      ],
      zeros,
      entry,
      regs: { ...ZERO_REGS, eax: LOADED_MAGIC, ebx: info },
      gdt: { base, limit },
      symbols,
      notes,
    },
  };
}
