/**
 * The built-in guests: what the lab starts without being given a file. Each is a multiboot 1 image, or a PC's disk, made
 * by nasm from the source in its folder; what it does and why is told at the head of that source.
 */
import { decodeBase64 } from "./decode.ts";
import * as firmwareBinary from "./firmware/binary.ts";
import { sealTables } from "./firmware/seal.ts";
import * as nanobench from "./nanobench/binary.ts";
import * as nonpae from "./nonpae-kernel/binary.ts";
import * as pae from "./pae-kernel/binary.ts";
import * as pcKernelBinary from "./pc-kernel/binary.ts";
import * as quadrant from "./quadrant/binary.ts";

export interface GuestSymbol {
  readonly name: string;
  /** Linked (virtual) address, unsigned. */
  readonly address: number;
}

export interface BuiltinGuest {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  /** The kind `openImage` of core/images is to be called with. */
  readonly kind: "multiboot" | "disk";
  /** The machine that it was written for. */
  readonly machine: "bare" | "pc";
  /** Bytes of memory from 0 and from 4 GiB that the guest was written for; more is fine. */
  readonly memory: number;
  readonly memoryHigh: number;
  readonly bytes: Uint8Array;
  readonly symbols: readonly GuestSymbol[];
  /** Symbol at which the lab pauses when the guest is started for the first time, or null. */
  readonly pauseAt: string | null;
  /** Lines to show at the first start: what this is, what to press, what to look for. */
  readonly introduction: readonly string[];
}

const MIB = 1 << 20;
const SECTOR = 512;
/** Sectors of the PC kernel's disk: a cylinder of 16 heads and 63 sectors, as the kernel expects. */
const PC_KERNEL_SECTORS = 1008;

const symbolsOf = (rows: readonly (readonly [string, number])[]): GuestSymbol[] =>
  rows.map(([name, address]) => ({ name, address }));

export const GUESTS: readonly BuiltinGuest[] = [
  {
    id: "quadrant",
    title: "Quadrant: one page table, two shadow pages",
    help: "The smallest program that shows Linux commit fce0657: it writes entries of one page table and one page directory, and checks that no other page changed.",
    kind: "multiboot",
    machine: "bare",
    memory: 128 * MIB,
    memoryHigh: 0,
    bytes: decodeBase64(quadrant.BINARY),
    symbols: symbolsOf(quadrant.SYMBOLS),
    pauseAt: "first_write",
    introduction: [
      "The page table at gfn 0x1234 has 1024 entries; its shadow needs two pages of 512. PTE 72 (left half) and PTE 584 (right half) have the same index, 72, in them.",
      "The machine stands before the instruction that writes PTE 584. Press Step: the write is trapped, and the picture shows which shadow entry it cleared and which page it skipped.",
      "Then press Run and read the console: both pages still show their own bytes.",
      "Now choose policy D (an update without the quadrant), reset and run: the left page shows the right page's frame, and the guest prints WRONG.",
    ],
  },
  {
    id: "nonpae-kernel",
    title: "A kernel without PAE",
    help: "2-level paging with 4 KiB and 4 MiB pages: a higher-half kernel, a user task, demand paging, copy-on-write between two address spaces, and many page-table writes.",
    kind: "multiboot",
    machine: "bare",
    memory: 16 * MIB,
    memoryHigh: 0,
    bytes: decodeBase64(nonpae.BINARY),
    symbols: symbolsOf(nonpae.SYMBOLS),
    pauseAt: null,
    introduction: [],
  },
  {
    id: "pae-kernel",
    title: "A kernel with PAE, NX and memory above 4 GiB",
    help: "3-level paging with 4 KiB and 2 MiB pages and NX: the same work as the kernel without PAE, an execute-disable fault, and frames at 4 GiB.",
    kind: "multiboot",
    machine: "bare",
    memory: 16 * MIB,
    memoryHigh: 16 * MIB,
    bytes: decodeBase64(pae.BINARY),
    symbols: symbolsOf(pae.SYMBOLS),
    pauseAt: null,
    introduction: [],
  },
  {
    id: "nanobench",
    title: "Nanobenchmarks",
    help: "The loops with which virtualisation is measured (call/ret, in, divzero, page faults, PTE writes, demand paging, fork, context switches): what the experiments count. Run by itself it goes through all of them.",
    kind: "multiboot",
    machine: "bare",
    memory: 16 * MIB,
    memoryHigh: 0,
    bytes: decodeBase64(nanobench.BINARY),
    symbols: symbolsOf(nanobench.SYMBOLS),
    pauseAt: null,
    introduction: [],
  },
  {
    id: "pc-kernel",
    title: "A PC: every device and every mode",
    help: "Boots from a disk by the firmware, on a machine with a PC's devices: real mode, 16- and 32-bit protected mode, both kinds of paging, ring 3, virtual-8086 mode and hardware tasks, with the interrupts of timer, keyboard, clock, disk and APIC. Each check is a line on the screen and on COM1.",
    kind: "disk",
    machine: "pc",
    memory: 32 * MIB,
    memoryHigh: 0,
    bytes: pcKernelDisk(),
    symbols: [],
    pauseAt: null,
    introduction: [
      "A whole PC: the firmware tests it and boots a disk. Press Run; the Screen pane shows what the kernel writes, the Devices pane what every device does.",
      "It ends through the debug-exit port with the number of lines that say WRONG. Then choose another policy, reset and run again: the text is the same.",
    ],
  },
];

/** The guest of that id, or null. */
export function findGuest(id: string): BuiltinGuest | null {
  return GUESTS.find((guest) => guest.id === id) ?? null;
}

/** Bytes of the PC's firmware: the ROM that ends at FFFFFFFF and is copied to F0000. */
export const FIRMWARE_BYTES = 0x10000;

/** The PC's own firmware (core/guests/firmware). Its code is the last part; before it are the ones of an empty ROM. */
export function firmware(): Uint8Array {
  const code = decodeBase64(firmwareBinary.BINARY);
  const rom = new Uint8Array(FIRMWARE_BYTES).fill(0xff);
  rom.set(code, FIRMWARE_BYTES - code.length);
  sealTables(rom, firmwareBinary.SYMBOLS);
  return rom;
}

/** The firmware's labels; addresses are offsets in segment F000. */
export const FIRMWARE_SYMBOLS: readonly GuestSymbol[] = symbolsOf(firmwareBinary.SYMBOLS);

/**
 * The disk of the kernel that uses every device and every mode of the PC (core/guests/pc-kernel): its program, and behind it
 * sectors that are filled with their own numbers.
 */
export function pcKernelDisk(): Uint8Array {
  const program = decodeBase64(pcKernelBinary.BINARY);
  const disk = new Uint8Array(PC_KERNEL_SECTORS * SECTOR);
  disk.set(program);
  for (let sector = program.length / SECTOR; sector < PC_KERNEL_SECTORS; sector++)
    disk.fill(sector & 0xff, sector * SECTOR, (sector + 1) * SECTOR);
  return disk;
}

/** The PC kernel's labels and where they are loaded. */
export const PC_KERNEL_SYMBOLS: readonly GuestSymbol[] = symbolsOf(pcKernelBinary.SYMBOLS);
