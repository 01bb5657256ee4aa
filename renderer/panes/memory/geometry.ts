/**
 * The hex grid's geometry over spaces of up to 2^36 bytes: rows, the scroll bar, what a cell is and where it stands.
 * Addresses are plain numbers (exact to 2^53). Pure; no DOM.
 */
import type { MemoryPageInfo, Space } from "../../../core/lab/protocol/index.ts";

export const PAGE = 4096;
/** Largest length of a memory view request, in bytes. */
export const MOST_BYTES = 65536;

export type CellSize = 1 | 2 | 4 | 8;
export type CellChoice = "auto" | CellSize;
export type RowBytes = 8 | 16 | 32;

export const SPACE_TITLES: Readonly<Record<Space, string>> = {
  gva: "guest-virtual",
  gpa: "guest-physical",
  hpa: "host-physical",
};

/** Bytes that a space spans. Host memory: 16 MiB of the hypervisor's own and the guest's slots behind them. */
export function spaceSize(space: Space, memory: number, memoryHigh: number): number {
  if (space === "gva") return 2 ** 32;
  if (space === "gpa") return 2 ** 36;
  return HYPERVISOR_BYTES + memory + memoryHigh;
}
const HYPERVISOR_BYTES = 16 * 2 ** 20;

/** Parts of a space that hold memory, for the scroll bar's marks: [from, to) in bytes. */
export function memoryRegions(space: Space, memory: number, memoryHigh: number): [number, number][] {
  if (space === "gva") return [];
  if (space === "hpa") return [[HYPERVISOR_BYTES, HYPERVISOR_BYTES + memory + memoryHigh]];
  const regions: [number, number][] = [[0, memory]];
  if (memoryHigh > 0) regions.push([2 ** 32, 2 ** 32 + memoryHigh]);
  return regions;
}

/** Hex digits of an address in a space of that size: 8, or 9 above 4 GiB. */
export const addressDigits = (size: number): number => (size > 2 ** 32 ? 9 : 8);

/** Characters a row takes, but for the role label: gutter, cells at three characters a byte, and the ASCII column. */
export const rowCharacters = (rowBytes: number, digits: number): number =>
  digits + 2 + rowBytes * 3 + 2 + rowBytes;

/** The widest row (8, 16 or 32 bytes) that fits `characters`. */
export function rowBytesFor(characters: number, digits: number): RowBytes {
  for (const bytes of [32, 16] as const) if (rowCharacters(bytes, digits) <= characters) return bytes;
  return 8;
}

export const rowStart = (address: number, rowBytes: number): number => address - (address % rowBytes);

/** The address of the first row on screen, kept inside the space so that the last row ends at its end. */
export function clampTop(top: number, rowBytes: number, rows: number, size: number): number {
  const last = Math.max(0, Math.ceil(size / rowBytes) - rows) * rowBytes;
  return Math.min(Math.max(0, rowStart(Math.floor(top), rowBytes)), last);
}

/** The top that brings `address` on screen, moved no more than needed; a jump puts it a third down. */
export function scrollTo(
  top: number,
  address: number,
  rowBytes: number,
  rows: number,
  size: number,
  jump = false,
): number {
  const row = rowStart(address, rowBytes);
  if (jump && (row < top || row >= top + rows * rowBytes))
    return clampTop(row - Math.floor(rows / 3) * rowBytes, rowBytes, rows, size);
  if (row < top) return clampTop(row, rowBytes, rows, size);
  if (row >= top + rows * rowBytes) return clampTop(row - (rows - 1) * rowBytes, rowBytes, rows, size);
  return clampTop(top, rowBytes, rows, size);
}

/** The scroll bar's thumb: offset and length in pixels on a track; at least `least` long so that it can be grasped. */
export function thumb(
  top: number,
  rowBytes: number,
  rows: number,
  size: number,
  track: number,
  least = 24,
): { offset: number; length: number } {
  const visible = rows * rowBytes;
  const length = Math.min(track, Math.max(least, Math.round((visible / size) * track)));
  const range = Math.max(1, size - visible);
  return { offset: Math.round((Math.min(top, range) / range) * (track - length)), length };
}

/** The address that a thumb at `offset` pixels means. The inverse of `thumb`. */
export function topAt(
  offset: number,
  rowBytes: number,
  rows: number,
  size: number,
  track: number,
  least = 24,
): number {
  const { length } = thumb(0, rowBytes, rows, size, track, least);
  const room = Math.max(1, track - length);
  const part = Math.min(1, Math.max(0, offset / room));
  return clampTop(part * Math.max(0, size - rows * rowBytes), rowBytes, rows, size);
}

/** Page information of an address, out of a view's ascending list. */
export function pageOf(pages: readonly MemoryPageInfo[], address: number): MemoryPageInfo | null {
  const page = address - (address % PAGE);
  for (const p of pages) if (p.address === page) return p;
  return null;
}

/** Size of the cells in a page: what was chosen, or with "auto" the table's entry size (else bytes). */
export function cellSizeIn(page: MemoryPageInfo | null, choice: CellChoice): CellSize {
  if (choice !== "auto") return choice;
  const size = page?.entrySize ?? 0;
  return size === 4 || size === 8 ? size : 1;
}

export const cellStart = (address: number, size: CellSize): number => address - (address % size);

/** A keyboard step over cells: the address of the cell that `key` leads to, or null when the key is another's. */
export function step(
  key: string,
  address: number,
  cell: CellSize,
  rowBytes: number,
  rows: number,
  size: number,
  control: boolean,
): number | null {
  const start = cellStart(address, cell);
  const page = Math.max(1, rows - 1) * rowBytes;
  const inside = (to: number) => (to >= 0 && to < size ? to : address);
  switch (key) {
    case "ArrowLeft":
      return inside(start - cell < 0 ? start : start - 1);
    case "ArrowRight":
      return inside(start + cell);
    case "ArrowUp":
      return inside(start - rowBytes);
    case "ArrowDown":
      return inside(start + rowBytes);
    case "PageUp":
      return Math.max(start % rowBytes, start - page);
    case "PageDown":
      return Math.min(size - rowBytes + (start % rowBytes), start + page);
    case "Home":
      return control ? start - (start % PAGE) : rowStart(start, rowBytes);
    case "End":
      return control ? start - (start % PAGE) + PAGE - 1 : rowStart(start, rowBytes) + rowBytes - 1;
    default:
      return null;
  }
}
