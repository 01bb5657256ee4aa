/**
 * ELF32 executables for i386 (System V ABI, gABI chapters 4 and 5): program headers say what is stored where, by
 * physical address; .symtab gives the names. Sizes in the file are claims: every one is checked before it is used.
 */
import { readSymbols } from "./elf32-symbols.ts";
import {
  hex,
  type ImageOptions,
  type LoadedImage,
  type OpenResult,
  placeGdt,
  type Range,
  refuse,
  u16,
  u32,
  ZERO_REGS,
} from "./image.ts";
import { refuseHole } from "./memory-map.ts";

const EHDR_SIZE = 52;
const PHDR_SIZE = 32;
const PT_LOAD = 1;
const ET_EXEC = 2;
const EM_386 = 3;

/** What program headers come to: the parts of a LoadedImage that ELF and multiboot kernels share. */
export interface ElfProgram {
  readonly writes: { gpa: number; bytes: Uint8Array }[];
  readonly zeros: { gpa: number; length: number }[];
  readonly taken: Range[];
  readonly entry: number;
  readonly symbols: LoadedImage["symbols"];
  readonly notes: string[];
}

export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** The header's claims that must hold before anything else is read. Answers a sentence, or null. */
function checkHeader(bytes: Uint8Array): string | null {
  if (!isElf(bytes)) {
    const found = [...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, "0")).join(" ");
    return `ELF image: the file begins with ${found || "nothing"} where 7f 45 4c 46 (ELF's magic) should be`;
  }
  if (bytes.length < EHDR_SIZE) {
    return `ELF image: the file ends at ${hex(bytes.length)}, inside its header of ${EHDR_SIZE} bytes; it is cut off`;
  }
  if (bytes[4] === 2) {
    return "ELF image: this is a 64-bit file (ELFCLASS64 at 0x4); the machine runs 32-bit code, link it as elf32-i386";
  }
  if (bytes[4] !== 1) return `ELF image: the class at 0x4 is ${bytes[4]}, it should be 1 (32-bit)`;
  if (bytes[5] !== 1)
    return `ELF image: the byte order at 0x5 is ${bytes[5]}, it should be 1 (little-endian)`;
  const machine = u16(bytes, 18);
  if (machine !== EM_386)
    return `ELF image: the machine number at 0x12 is ${machine}, it should be 3 (Intel 80386)`;
  const type = u16(bytes, 16);
  if (type !== ET_EXEC) {
    const what =
      type === 1 ? "an object file" : type === 3 ? "a shared or position-independent file" : "unknown";
    return `ELF image: the type at 0x10 is ${type} (${what}), it should be 2 (executable); link it with -static and without -pie`;
  }
  return null;
}

/** Reads the program headers and symbols of an ELF32 file. The entry point is translated to its physical address. */
export function readElf(
  bytes: Uint8Array,
  memory: number,
): { ok: true; program: ElfProgram } | { ok: false; error: string } {
  const bad = checkHeader(bytes);
  if (bad !== null) return refuse(bad);
  const phoff = u32(bytes, 28);
  const phentsize = u16(bytes, 42);
  const phnum = u16(bytes, 44);
  if (phnum === 0)
    return refuse("ELF image: it has no program headers (e_phnum at 0x2c is 0), so nothing to load");
  if (phentsize !== PHDR_SIZE) {
    return refuse(
      `ELF image: a program header is said to have ${phentsize} bytes (at 0x2a), it should be ${PHDR_SIZE}`,
    );
  }
  if (phoff + phnum * PHDR_SIZE > bytes.length) {
    return refuse(
      `ELF image: ${phnum} program headers at ${hex(phoff)} reach behind the file's end at ${hex(bytes.length)}; it is cut off or damaged`,
    );
  }
  const e_entry = u32(bytes, 24);
  let entry = e_entry;
  let entryFound = false;
  const writes: ElfProgram["writes"] = [];
  const zeros: ElfProgram["zeros"] = [];
  const taken: Range[] = [];
  for (let i = 0; i < phnum; i++) {
    const at = phoff + i * PHDR_SIZE;
    if (u32(bytes, at) !== PT_LOAD) continue;
    const offset = u32(bytes, at + 4);
    const vaddr = u32(bytes, at + 8);
    const paddr = u32(bytes, at + 12);
    const filesz = u32(bytes, at + 16);
    const memsz = u32(bytes, at + 20);
    const where = `ELF image: segment ${i} (program header at ${hex(at)})`;
    if (filesz > memsz)
      return refuse(`${where} has ${filesz} bytes in the file but only ${memsz} in memory; it is damaged`);
    if (memsz === 0) continue;
    if (offset + filesz > bytes.length) {
      return refuse(
        `${where} takes ${filesz} bytes at ${hex(offset)} of a file that ends at ${hex(bytes.length)}; it is cut off or damaged`,
      );
    }
    if (paddr + memsz > memory) {
      return refuse(
        `${where} goes to physical ${hex(paddr)} to ${hex(paddr + memsz)}, behind the memory's end ${hex(memory)}; give the machine more memory or link it lower`,
      );
    }
    if (filesz > 0) writes.push({ gpa: paddr, bytes: bytes.subarray(offset, offset + filesz) });
    if (memsz > filesz) zeros.push({ gpa: paddr + filesz, length: memsz - filesz });
    taken.push({ start: paddr, end: paddr + memsz });
    if (!entryFound && e_entry >= vaddr && e_entry < vaddr + memsz) {
      // The entry point is a virtual address; paging is off, so it starts at the physical one.
      entry = e_entry - vaddr + paddr;
      entryFound = true;
    }
  }
  if (taken.length === 0)
    return refuse(`ELF image: none of its ${phnum} program headers is PT_LOAD, so nothing to load`);
  const sorted = [...taken].sort((a, b) => a.start - b.start);
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i]!.start < sorted[i - 1]!.end) {
      return refuse(
        `ELF image: two segments overlap at physical ${hex(sorted[i]!.start)}; each byte should be loaded once`,
      );
    }
  }
  if (!entryFound && !taken.some((t) => e_entry >= t.start && e_entry < t.end)) {
    return refuse(`ELF image: the entry point ${hex(e_entry)} (at 0x18) lies in none of its segments`);
  }
  const { symbols, note } = readSymbols(bytes);
  return {
    ok: true,
    program: { writes, zeros, taken, entry, symbols, notes: note === null ? [] : [note] },
  };
}

export function loadElf(bytes: Uint8Array, options: ImageOptions): OpenResult {
  const read = readElf(bytes, options.memory);
  if (!read.ok) return read;
  const { writes, zeros, taken, entry, symbols, notes } = read.program;
  const hole = refuseHole("ELF image", taken, options);
  if (hole !== null) return hole;
  const { base, limit, bytes: gdt } = placeGdt(taken);
  return {
    ok: true,
    image: {
      kind: "elf",
      writes: [{ gpa: base, bytes: gdt }, ...writes],
      zeros,
      entry,
      regs: ZERO_REGS,
      gdt: { base, limit },
      symbols,
      notes,
    },
  };
}
