/**
 * Multiboot 1 kernels (Multiboot Specification 0.6.96): a header in the first 8 KiB, placement by its address fields
 * or by ELF program headers, and an information structure whose address is handed over in EBX.
 */
import { isElf, readElf } from "./elf32.ts";
import {
  hex,
  type ImageOptions,
  type ModuleFile,
  type OpenResult,
  placeGdt,
  placeStructure,
  type Range,
  refuse,
  u32,
  ZERO_REGS,
} from "./image.ts";
import { refuseHole } from "./memory-map.ts";
import { buildInfo, MOST_COMMAND_LINE, type PlacedModule } from "./multiboot-info.ts";

const HEADER_MAGIC = 0x1bad_b002;
/** What EAX holds at the entry point (3.2). */
export const LOADED_MAGIC = 0x2bad_b002;
const SEARCH = 8192;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
/** mode_type of the header's graphics fields: 1 is a text mode (3.1.4). */
const MODE_TYPE = 32;
const MODE_TEXT = 1;
const PAGE = 0x1000;
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

/** What the header demands and cannot have, in a sentence, or null. */
function refuseDemands(bytes: Uint8Array, header: number, flags: number, pc: boolean): string | null {
  if ((flags & FLAG_VIDEO) !== 0) {
    const demand = `multiboot image: the header at ${hex(header)} demands a video mode (flag 2)`;
    if (!pc) return `${demand}, and the machine bare has no screen; start it on the machine pc`;
    if (header + MODE_TYPE + 4 > bytes.length)
      return `${demand}, but its fields at ${hex(header + MODE_TYPE)} are cut off by the file's end at ${hex(bytes.length)}`;
    const mode = u32(bytes, header + MODE_TYPE);
    if (mode !== MODE_TEXT)
      return `${demand} of type ${mode} at ${hex(header + MODE_TYPE)}; the pc's screen has text alone (type 1)`;
  }
  if ((flags & UNKNOWN_DEMANDS) !== 0) {
    return `multiboot image: the header at ${hex(header)} demands features that multiboot 1 does not define (flags ${hex(flags)}); only flags 0 to 2 can be met`;
  }
  return null;
}

/** The initrd, if there is one, is the first module. */
function modulesOf({ initrd, modules }: ImageOptions): readonly ModuleFile[] {
  const first = initrd === undefined ? [] : [{ bytes: initrd, commandLine: "initrd" }];
  return [...first, ...(modules ?? [])];
}

export function loadMultiboot(bytes: Uint8Array, options: ImageOptions): OpenResult {
  const header = findMultibootHeader(bytes);
  if (header < 0) {
    return refuse(
      "multiboot image: no header in its first 8192 bytes; there should be 0x1badb002, flags and a checksum that add up to 0, on a multiple of 4",
    );
  }
  const flags = u32(bytes, header + 4);
  const demand = refuseDemands(bytes, header, flags, options.machine === "pc");
  if (demand !== null) return refuse(demand);
  const modules = modulesOf(options);
  const lines = [options.commandLine ?? "", ...modules.map(({ commandLine }) => commandLine)];
  const tooLong = lines.find(({ length }) => length > MOST_COMMAND_LINE);
  if (tooLong !== undefined) {
    return refuse(
      `multiboot image: the command line has ${tooLong.length} characters; at most ${MOST_COMMAND_LINE} fit`,
    );
  }
  const placed = place(bytes, header, flags, options.memory);
  if (!placed.ok) return placed;
  const { writes, zeros, taken, entry, symbols, notes } = placed.placement;
  const hole = refuseHole("multiboot image", taken, options);
  if (hole !== null) return hole;
  const { base, limit, bytes: gdt } = placeGdt(taken);
  const nowhere = modules.map(({ commandLine }) => ({ start: 0, end: 0, commandLine }));
  const size = buildInfo(0, options, nowhere).length;
  const info = placeStructure(taken, size, options.memory);
  if (info < 0) {
    return refuse(
      "multiboot image: it leaves no room for the boot information; give the machine more memory",
    );
  }
  const at = placeModules([...taken, { start: info, end: info + size }], modules, options.memory);
  if (!at.ok) return at;
  return {
    ok: true,
    image: {
      kind: "multiboot",
      writes: [
        { gpa: base, bytes: gdt },
        { gpa: info, bytes: buildInfo(info, options, at.placed) },
        ...writes,
        ...modules.flatMap(({ bytes }, i) =>
          bytes.length === 0 ? [] : [{ gpa: at.placed[i]!.start, bytes }],
        ),
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

/** Modules lie one behind the other from the first page behind the image, each on a page of its own (flag 0). */
function placeModules(
  taken: readonly Range[],
  modules: readonly ModuleFile[],
  memory: number,
): { ok: true; placed: PlacedModule[] } | { ok: false; error: string } {
  const pageUp = (address: number) => Math.ceil(address / PAGE) * PAGE;
  let next = pageUp(taken.reduce((most, { end }) => Math.max(most, end), 0x100000));
  const placed: PlacedModule[] = [];
  for (const [i, { bytes, commandLine }] of modules.entries()) {
    const end = next + bytes.length;
    if (end > memory) {
      return refuse(
        `multiboot image: module ${i + 1} of ${modules.length} has ${bytes.length} bytes and would end at ${hex(end)}, behind the memory's end ${hex(memory)}; give the machine more memory`,
      );
    }
    placed.push({ start: next, end, commandLine });
    next = pageUp(Math.max(end, next + 1));
  }
  return { ok: true, placed };
}
