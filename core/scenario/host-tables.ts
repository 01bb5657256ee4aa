/**
 * The host tables of nested paging as a comparison sees them: what each guest frame is mapped to, however many levels
 * lead there. Everything here peeks.
 */
import { NESTED_FRAME, NESTED_FRAMES_END } from "../kvm/index.ts";
import type { Machine } from "../machine/machine.ts";
import { hex, hex64 } from "./values.ts";

const P = 0x1;
const W = 0x2;
const U = 0x4;
const A_D = 0x60;
const ENTRIES = 512;
const PAGE = 4096;

/** A present leaf of the host tables, its two words unsigned. */
export interface HostLeaf {
  readonly low: number;
  readonly high: number;
}

/** Leaves by guest frame. */
export type HostImage = ReadonlyMap<number, HostLeaf>;

/** A guest frame that two sets of host tables map differently; null: not mapped there. */
export interface HostChange {
  readonly gfn: number;
  readonly before: HostLeaf | null;
  readonly after: HostLeaf | null;
}

/** Every translation; empty without nested paging. Entries that lead out of the hypervisor's tables are passed over. */
export function takeHostTables({ memory, nested }: Machine): HostImage {
  const found = new Map<number, HostLeaf>();
  if (nested === null) return found;
  const visit = (table: number, level: number, gfn: number): void => {
    for (let i = 0; i < ENTRIES; i++) {
      const at = table * (PAGE / 4) + i * 2;
      const low = memory.u32[at]!;
      const high = memory.u32[at + 1]!;
      if ((low & P) === 0) continue;
      // Multiplied, for a damaged entry may stand where no guest frame has 32 bits.
      const here = gfn + i * ENTRIES ** (level - 1);
      const below = low >>> 12;
      if (level === 1) found.set(here, { low, high });
      else if (below > NESTED_FRAME && below < NESTED_FRAMES_END) visit(below, level - 1, here);
    }
  };
  visit(nested.tables.root >>> 12, nested.tables.levels, 0);
  return found;
}

/** What differs, by guest frame, at most `most`. A and D, which the processor sets, count as equal. */
export function diffHostTables(first: HostImage, second: HostImage, most: number): HostChange[] {
  const found: HostChange[] = [];
  for (const gfn of new Set([...first.keys(), ...second.keys()])) {
    if (found.length >= most) break;
    const before = first.get(gfn) ?? null;
    const after = second.get(gfn) ?? null;
    const same =
      before !== null &&
      after !== null &&
      (before.low & ~A_D) === (after.low & ~A_D) &&
      before.high === after.high;
    if (!same) found.push({ gfn, before, after });
  }
  return found.sort((a, b) => a.gfn - b.gfn);
}

/** "gpa 0x5000". */
export const hostPlace = (gfn: number): string => `gpa ${hex(gfn * PAGE)}`;

/** A leaf in words: where it leads, and its rights. */
export function hostLeafText(leaf: HostLeaf | null): string {
  if (leaf === null) return "not mapped";
  const rights = [(leaf.low & W) !== 0 ? "W" : "read-only", (leaf.low & U) !== 0 ? "U" : "supervisor"];
  return `maps host ${hex64({ low: (leaf.low & 0xffff_f000) >>> 0, high: leaf.high })}, ${rights.join(" ")}`;
}
