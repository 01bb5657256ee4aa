/**
 * What the table picture says, computed from one TableView: kinds of cells, which shadow page stands in which band,
 * the last write in words, and which sptes, pages and frames belong to an entry. Pure.
 */
import {
  type LastWrite,
  PTE_WRITE_VERDICT,
  type ShadowPageInfo,
  type TableView,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
  VERDICT_UNSYNC,
} from "../../../core/lab/protocol/index.ts";
import {
  CELL_EMPTY,
  CELL_LARGE,
  CELL_NOT_PRESENT,
  CELL_READ_ONLY,
  CELL_UNFILLED,
  CELL_WRITABLE,
} from "../../components/cell-painter.ts";
import { addressOf, type EntryValue, guestFormat, hasBit, hex } from "../memory/entry-bits.ts";
import { entrySizeOf, entrySpan, guestOf, quadrantsOf, shadowOf } from "./quadrant.ts";

export const ENTRY_NAMES = ["", "PTE", "PDE", "PDPTE"] as const;
export const TABLE_NAMES = ["", "Page table", "Page directory", "Page-directory-pointer table"] as const;

/** Entry `index` of a list of entries of 4 or 8 bytes. */
export function entryOf(entries: Uint32Array, index: number, size: 4 | 8): EntryValue {
  return size === 4
    ? { low: entries[index] ?? 0, high: 0 }
    : { low: entries[2 * index] ?? 0, high: entries[2 * index + 1] ?? 0 };
}

/** What a guest entry looks like. */
export function guestKind(value: EntryValue, level: number): number {
  if (!hasBit(value, 0)) return value.low === 0 && value.high === 0 ? CELL_EMPTY : CELL_NOT_PRESENT;
  if (level === 2 && hasBit(value, 7)) return CELL_LARGE;
  return level === 3 || hasBit(value, 1) ? CELL_WRITABLE : CELL_READ_ONLY;
}

/** What an spte looks like; `wanted`: its guest entry is present, so an empty one is only not filled yet. */
export function spteKind(value: EntryValue, wanted: boolean): number {
  if (!hasBit(value, 0)) {
    if (value.low !== 0 || value.high !== 0) return CELL_NOT_PRESENT;
    return wanted ? CELL_UNFILLED : CELL_EMPTY;
  }
  return hasBit(value, 1) ? CELL_WRITABLE : CELL_READ_ONLY;
}

type Shadow = TableView["shadows"][number];

/** One band of the picture: the guest entries of one quadrant beside the shadow page that holds them, if there is one. */
export interface Band {
  readonly quadrant: number;
  /** First guest entry and number of entries. */
  readonly first: number;
  readonly count: number;
  readonly guestKinds: Uint8Array;
  readonly guestChanged: Uint8Array;
  readonly shadow: Shadow | null;
  readonly spteKinds: Uint8Array;
}

/** The view's table in bands, top to bottom. */
export function bandsOf(view: TableView): Band[] {
  const quadrants = quadrantsOf(view.level, view.entrySize);
  const total = view.entries.length / (view.entrySize === 4 ? 1 : 2);
  const count = Math.floor(total / quadrants);
  const bands: Band[] = [];
  for (let quadrant = 0; quadrant < quadrants; quadrant++) {
    const first = quadrant * count;
    const guestKinds = new Uint8Array(count);
    for (let i = 0; i < count; i++)
      guestKinds[i] = guestKind(entryOf(view.entries, first + i, view.entrySize), view.level);
    const shadow =
      view.shadows.find(
        (s) =>
          !s.info.metaphysical &&
          s.info.level === view.level &&
          s.info.quadrant === quadrant &&
          entrySizeOf(s.info.glevels) === view.entrySize,
      ) ?? null;
    const spteKinds = new Uint8Array(512);
    if (shadow !== null)
      for (let j = 0; j < 512; j++) {
        const guest = guestOf(j, view.level, quadrant, view.entrySize) - first;
        const kind = guestKinds[guest] ?? CELL_EMPTY;
        const wanted = kind !== CELL_EMPTY && kind !== CELL_NOT_PRESENT;
        spteKinds[j] = spteKind(entryOf(shadow.sptes, j, 8), wanted);
      }
    bands.push({
      quadrant,
      first,
      count,
      guestKinds,
      guestChanged: view.changed.subarray(first, first + count),
      shadow,
      spteKinds,
    });
  }
  return bands;
}

/** Shadow pages of the gfn that the picture does not draw: other levels, other entry sizes (a self-mapped table has such). */
export const otherShadows = (view: TableView): ShadowPageInfo[] =>
  view.shadows
    .map((s) => s.info)
    .filter((info) => info.level !== view.level || entrySizeOf(info.glevels) !== view.entrySize);

/** What entries and sptes held in an earlier view of the same table, where it differs now. Keys: entry number, "hpa.index". */
export function changesOf(before: TableView, now: TableView): [number | string, EntryValue][] {
  const found: [number | string, EntryValue][] = [];
  if (before.gfn !== now.gfn || before.level !== now.level || before.entrySize !== now.entrySize)
    return found;
  const compare = (
    old: Uint32Array,
    fresh: Uint32Array,
    size: 4 | 8,
    key: (i: number) => number | string,
  ) => {
    const words = size / 4;
    if (old.length !== fresh.length) return;
    for (let i = 0; i < fresh.length; i += words)
      if (old[i] !== fresh[i] || (words === 2 && old[i + 1] !== fresh[i + 1]))
        found.push([key(i / words), entryOf(old, i / words, size)]);
  };
  compare(before.entries, now.entries, now.entrySize, (i) => i);
  for (const { info, sptes } of now.shadows) {
    const old = before.shadows.find((shadow) => shadow.info.hpa === info.hpa);
    if (old !== undefined) compare(old.sptes, sptes, 8, (i) => `${info.hpa}.${i}`);
  }
  return found;
}

/** The write that the picture is about: the one that the next instruction makes, else the last one. */
export interface ShownWrite {
  /** True when it is still to come. */
  readonly next: boolean;
  /** First and last entry that it stores into. */
  readonly entry: number;
  readonly lastEntry: number;
  readonly offset: number;
  readonly bytes: number;
  readonly value: EntryValue | null;
  readonly flooded: boolean;
  readonly count: number;
  readonly pages: LastWrite["pages"];
}

export function shownWrite(view: TableView): ShownWrite | null {
  const write = view.upcoming ?? view.lastWrite;
  if (write === null) return null;
  const { offset, bytes, flooded, count, pages } = write;
  return {
    next: view.upcoming !== null,
    entry: Math.floor(offset / view.entrySize),
    lastEntry: Math.floor((offset + bytes - 1) / view.entrySize),
    offset,
    bytes,
    value: "value" in write ? write.value : { low: write.low, high: write.high },
    flooded,
    count,
    pages,
  };
}

/** The entry that the shown write begins in, or -1. */
export const writtenEntry = (view: TableView): number => shownWrite(view)?.entry ?? -1;

/** Everything that belongs to one guest entry. */
export interface Linked {
  readonly entry: number;
  readonly value: EntryValue;
  readonly quadrant: number;
  readonly gpa: number;
  /** Guest-virtual address it maps, or null when the table is not linked. */
  readonly gva: number | null;
  readonly shadow: Shadow | null;
  readonly sptes: readonly { readonly index: number; readonly value: EntryValue; readonly hpa: number }[];
}

export function linksOf(view: TableView, bands: readonly Band[], entry: number): Linked {
  const place = shadowOf(entry, view.level, view.entrySize);
  const shadow = bands[place.quadrant]?.shadow ?? null;
  const sptes = [];
  if (shadow !== null)
    for (let k = 0; k < place.count; k++) {
      const index = place.index + k;
      sptes.push({ index, value: entryOf(shadow.sptes, index, 8), hpa: shadow.info.hpa + index * 8 });
    }
  return {
    entry,
    value: entryOf(view.entries, entry, view.entrySize),
    quadrant: place.quadrant,
    gpa: view.gfn * 4096 + entry * view.entrySize,
    gva: view.gvaBase === null ? null : view.gvaBase + entry * entrySpan(view.level, view.entrySize),
    shadow,
    sptes,
  };
}

/** Guest-virtual range of a band, or null when the table is not linked. */
export function bandRange(view: TableView, band: Band): { from: number; to: number } | null {
  if (view.gvaBase === null) return null;
  const span = entrySpan(view.level, view.entrySize);
  const from = view.gvaBase + band.first * span;
  return { from, to: from + band.count * span - 1 };
}

/** What a write did (or is about to do) with one shadow page, in words. */
export interface Verdict {
  readonly hpa: number;
  readonly role: number;
  readonly quadrant: number;
  readonly tone: "hit" | "skip" | "zap";
  readonly text: string;
  readonly sptes: readonly number[];
}

const list = (from: number, count: number): number[] => Array.from({ length: count }, (_, k) => from + k);

export function verdictsOf(write: Pick<LastWrite, "pages">): Verdict[] {
  return write.pages.map((page) => {
    const own = (page.role >>> 8) & 3;
    const base = { hpa: page.hpa, role: page.role, quadrant: own };
    if (page.verdict === VERDICT_TOUCHED) {
      const sptes = list(page.index, page.npte);
      const names = sptes.length === 1 ? `spte ${sptes[0]}` : `sptes ${sptes[0]} and ${sptes.at(-1)}`;
      return { ...base, tone: "hit" as const, text: names, sptes };
    }
    if (page.verdict === VERDICT_SKIPPED)
      return {
        ...base,
        tone: "skip" as const,
        text: `skipped: wrong quadrant (q${own} ≠ q${page.quadrant})`,
        sptes: [],
      };
    if (page.verdict === VERDICT_UNSYNC)
      return { ...base, tone: "skip" as const, text: PTE_WRITE_VERDICT[page.verdict]!, sptes: [] };
    return {
      ...base,
      tone: "zap" as const,
      text: PTE_WRITE_VERDICT[page.verdict] ?? "zapped",
      sptes: [],
    };
  });
}

/** The shown write as one sentence, without its verdicts. */
export function writeSentence(view: TableView): string {
  const write = shownWrite(view);
  if (write === null) return "No write to this table has been seen yet.";
  const { entry, lastEntry: last } = write;
  const name = ENTRY_NAMES[view.level];
  const which = last === entry ? `${name} ${entry}` : `${name} ${entry} to ${last}`;
  return `${write.next ? "About to be written" : "Written"}: ${write.bytes} ${write.bytes === 1 ? "byte" : "bytes"} at ${hex(view.gfn * 4096 + write.offset, 8)} (${which})`;
}

/** The flood detector's count in words. */
export const floodWords = (write: Pick<LastWrite, "flooded" | "count">): string =>
  write.flooded
    ? `write ${write.count} in a row: flooded, all shadow pages of this table are zapped`
    : `write ${write.count} of this table in a row (flooded at 3)`;

/** A guest entry in words, for the screen reader. */
export function describeGuest(view: TableView, entry: number): string {
  const value = entryOf(view.entries, entry, view.entrySize);
  const name = `${ENTRY_NAMES[view.level]} ${entry}`;
  if (value.low === 0 && value.high === 0) return `${name}: empty`;
  const format = guestFormat(view.level, view.entrySize, value);
  const text = hex(value.low, 8);
  const whole = view.entrySize === 8 ? hex(value.high, 8) + text : text;
  if (!hasBit(value, 0)) return `${name}: ${whole}, not present`;
  return `${name}: ${whole}, frame ${hex(addressOf(value, format) / 4096, 1)}, ${hasBit(value, 1) ? "writable" : "read only"}, ${hasBit(value, 2) ? "user" : "kernel"}`;
}

/** An spte in words. */
export function describeSpte(value: EntryValue, index: number): string {
  if (value.low === 0 && value.high === 0) return `spte ${index}: empty`;
  const whole = hex(value.high, 8) + hex(value.low, 8);
  if (!hasBit(value, 0)) return `spte ${index}: ${whole}, not present`;
  return `spte ${index}: ${whole}, host frame ${hex(addressOf(value, "spte-leaf") / 4096, 1)}, ${hasBit(value, 1) ? "writable" : "read only"}`;
}
