/**
 * What a guest can see of its machine: registers, memory, what it wrote to its port, whether it still runs. Two
 * machines are held against each other; A and D of page-table entries may be let differ, because a guest that reads
 * them sees when a walk happened, which the manual leaves open (SDM vol. 3, 4.8, 4.10.3).
 */
import type { Machine } from "../machine/machine.ts";
import { GuestTables } from "../machine/peek/guest-tables.ts";
import { hex } from "./values.ts";

const GENERAL = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"];
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"];
const FIELDS = [
  "eip",
  "eflags",
  "cr0",
  "cr2",
  "cr3",
  "cr4",
  "efer",
  "gdtBase",
  "gdtLimit",
  "idtBase",
  "idtLimit",
] as const;
const ACCESSED_DIRTY = 0x60;
const WORDS = 1024;
const PAGE = 4096;

/** A place whose value differs. */
export interface Differing {
  readonly what: string;
  readonly first: string;
  readonly second: string;
  /** Guest-physical address of a word of memory, or -1. */
  readonly gpa: number;
}

/** Cheap: true when registers, time or the end differ. */
export function registersDiffer(a: Machine, b: Machine): boolean {
  const x = a.cpu;
  const y = b.cpu;
  for (let i = 0; i < 8; i++) if (x.regs[i] !== y.regs[i]) return true;
  if (x.eip !== y.eip || x.time !== y.time || x.cr0 !== y.cr0 || x.cr2 !== y.cr2 || x.cr3 !== y.cr3)
    return true;
  if (x.cr4 !== y.cr4 || x.efer !== y.efer || x.cpl !== y.cpl || a.over !== b.over) return true;
  if (x.eflags !== y.eflags || x.gdtBase !== y.gdtBase || x.idtBase !== y.idtBase) return true;
  for (let i = 0; i < SEGMENTS.length; i++)
    if (x.segSelector[i] !== y.segSelector[i] || x.segBase[i] !== y.segBase[i]) return true;
  return a.serial.total !== b.serial.total;
}

/** Which registers differ, in words. */
export function differingRegisters(a: Machine, b: Machine): Differing[] {
  const found: Differing[] = [];
  const add = (what: string, first: number, second: number) => {
    if (first !== second) found.push({ what, first: hex(first >>> 0), second: hex(second >>> 0), gpa: -1 });
  };
  GENERAL.forEach((name, i) => {
    add(name, a.cpu.regs[i]!, b.cpu.regs[i]!);
  });
  for (const name of FIELDS) add(name.toUpperCase(), a.cpu[name], b.cpu[name]);
  SEGMENTS.forEach((name, i) => {
    add(name, a.cpu.segSelector[i]!, b.cpu.segSelector[i]!);
    add(`${name}'s base`, a.cpu.segBase[i]!, b.cpu.segBase[i]!);
  });
  add("CPL", a.cpu.cpl, b.cpu.cpl);
  add("bytes sent to the serial port", a.serial.total, b.serial.total);
  if (a.time !== b.time) found.push({ what: "time", first: String(a.time), second: String(b.time), gpa: -1 });
  if (a.over !== b.over) found.push({ what: "the end", first: endText(a), second: endText(b), gpa: -1 });
  return found;
}

const endText = (machine: Machine): string => (machine.over ? machine.stop.reason : "runs on");

/**
 * Words of guest memory that differ, in frames that either machine touched behind the epochs in `since`; at most
 * `most`. Both machines have the same memory layout.
 */
export function differingMemory(
  a: Machine,
  b: Machine,
  since: readonly [number, number],
  accessedDirty: boolean,
  most: number,
): Differing[] {
  const found: Differing[] = [];
  let tables: Set<number> | null = null;
  for (let hfn = 0; hfn < a.memory.frames; hfn++) {
    if (a.memory.version[hfn]! <= since[0] && b.memory.version[hfn]! <= since[1]) continue;
    const gfn = a.slots.gfnOf(hfn);
    if (gfn < 0) continue;
    const base = hfn * WORDS;
    for (let i = 0; i < WORDS; i++) {
      const first = a.memory.u32[base + i]!;
      const second = b.memory.u32[base + i]!;
      if (first === second) continue;
      if (!accessedDirty && ((first ^ second) & ~ACCESSED_DIRTY) === 0) {
        tables ??= tablesOf(a, b);
        if (tables.has(gfn)) continue;
      }
      const gpa = gfn * PAGE + i * 4;
      found.push({ what: `memory at gpa ${hex(gpa)}`, first: hex(first), second: hex(second), gpa });
      if (found.length >= most) return found;
    }
  }
  return found;
}

/** Guest frames that are, or were lately, page tables of either machine. */
function tablesOf(...machines: readonly Machine[]): Set<number> {
  const found = new Set<number>();
  for (const machine of machines) {
    for (const { gfn } of new GuestTables().list(machine, machine.guestPaging())) found.add(gfn);
    for (const { gfn, role } of machine.kvm?.shadowPages() ?? []) if (!role.metaphysical) found.add(gfn);
  }
  return found;
}
