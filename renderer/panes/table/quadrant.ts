/**
 * Which spte shadows which guest entry, as formulas: guest entry i <-> shadow page (level, quadrant) and index(es).
 * Source: docs/kvm-shadow-mmu.md 3.3 and the closed forms of 6.5. Pure; the panes draw and link with it.
 */

export type EntrySize = 4 | 8;

/** Sptes that shadow one guest entry: `count` of them from `index`, in the shadow page of that quadrant. */
export interface ShadowPlace {
  readonly quadrant: number;
  readonly index: number;
  readonly count: 1 | 2;
}

/** Entries of a guest table page: 1024 of four bytes or 512 of eight. A PDPT has 4 in use; its page still holds 512. */
export const entriesPerTable = (entrySize: EntrySize): 1024 | 512 => (entrySize === 4 ? 1024 : 512);

/** Quadrants that a guest table has: 1 for 8-byte entries, else 2 (page table) or 4 (page directory). */
export const quadrantsOf = (level: number, entrySize: EntrySize): 1 | 2 | 4 =>
  entrySize === 8 ? 1 : level === 1 ? 2 : 4;

/** Sptes that shadow one guest entry: a 4-byte PDE maps 4 MiB and takes two sptes of 2 MiB, all others take one. */
export const sptesPerEntry = (level: number, entrySize: EntrySize): 1 | 2 =>
  entrySize === 4 && level === 2 ? 2 : 1;

/** Where guest entry `entry` of a table at `level` is shadowed. */
export function shadowOf(entry: number, level: number, entrySize: EntrySize): ShadowPlace {
  if (entrySize === 8) return { quadrant: 0, index: entry, count: 1 };
  if (level === 1) return { quadrant: entry >> 9, index: entry & 511, count: 1 };
  return { quadrant: entry >> 8, index: 2 * (entry & 255), count: 2 };
}

/** Guest entry that spte `index` of a shadow page at `level` and `quadrant` shadows. The inverse of `shadowOf`. */
export function guestOf(index: number, level: number, quadrant: number, entrySize: EntrySize): number {
  if (entrySize === 8) return index;
  return level === 1 ? 512 * quadrant + index : 256 * quadrant + (index >> 1);
}

/** Entry size of the guest table that a shadow page with these glevels shadows (3.2): 2 levels have 4-byte entries. */
export const entrySizeOf = (glevels: number): EntrySize => (glevels === 2 ? 4 : 8);

/** Bytes of guest-virtual space that one guest entry maps. */
export function entrySpan(level: number, entrySize: EntrySize): number {
  const bits = entrySize === 4 ? 10 : 9;
  return 2 ** (12 + bits * (level - 1));
}

/** Bytes of guest-virtual space that one spte at `level` maps: 4 KiB, 2 MiB, 1 GiB. */
export const spteSpan = (level: number): number => 2 ** (12 + 9 * (level - 1));

/** Guest entry that a byte of the table page belongs to. */
export const entryAt = (offset: number, entrySize: EntrySize): number => Math.floor(offset / entrySize);

/** What a shadow page needs to say where its sptes come from. */
export interface ShadowKey {
  readonly gfn: number;
  readonly level: number;
  readonly quadrant: number;
  readonly glevels: number;
  readonly metaphysical: boolean;
}

/** Guest-physical address of the entry that spte `index` shadows, or null: a metaphysical page shadows no table. */
export function guestEntryAddress(page: ShadowKey, index: number): number | null {
  if (page.metaphysical) return null;
  const size = entrySizeOf(page.glevels);
  return page.gfn * 4096 + guestOf(index, page.level, page.quadrant, size) * size;
}

/** The shadow pages, of those given, that hold sptes for a guest entry, each with the place. */
export function shadowsOfEntry<T extends ShadowKey>(
  pages: readonly T[],
  gfn: number,
  entry: number,
  entrySize: EntrySize,
): { page: T; place: ShadowPlace }[] {
  const found: { page: T; place: ShadowPlace }[] = [];
  for (const page of pages) {
    if (page.gfn !== gfn || page.metaphysical || entrySizeOf(page.glevels) !== entrySize) continue;
    const place = shadowOf(entry, page.level, entrySize);
    if (place.quadrant === page.quadrant) found.push({ page, place });
  }
  return found;
}

/**
 * Guest-virtual offset of an spte from the start of what its guest table maps (page table: 4 MiB or 2 MiB; directory:
 * 4 GiB or 1 GiB). Needs the table's own base to become a gva.
 */
export const spteOffset = (index: number, level: number, quadrant: number): number =>
  (quadrant * 512 + index) * spteSpan(level);
