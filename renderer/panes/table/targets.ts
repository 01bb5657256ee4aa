/**
 * The right column of the table picture: the host frames that a page table's leaves map, or the child shadow pages
 * that a directory's sptes name, and which of them fit beside the entry in hand. Pure.
 */
import type { ShadowPageInfo, TableView } from "../../../core/lab/protocol/index.ts";
import { hex } from "../../format.ts";
import { addressOf, hasBit } from "../memory/entry-bits.ts";
import { type Band, entryOf, type Linked } from "./model.ts";

/** Height of a row, its gap included, in pixels. */
export const TARGET_ROW = 27;

export interface Target {
  /** Host frame number. */
  readonly key: number;
  readonly text: string;
  readonly note: string;
  /** Of a child shadow page that has one. */
  readonly quadrant: number | null;
  /** Shadow page to go to, or null: the host frame. */
  readonly page: number | null;
}

const frame = (hfn: number, note: string): Target => ({
  key: hfn,
  text: hex(hfn, 5),
  note,
  quadrant: null,
  page: null,
});

/** @param children all shadow pages: a directory's sptes name some of them */
export function targetsOf(
  view: TableView,
  bands: readonly Band[],
  children: readonly ShadowPageInfo[],
): Target[] {
  if (view.level === 1) {
    // Several sptes may map one frame.
    const seen = new Set<number>();
    const frames = view.frames.filter(({ hfn }) => !seen.has(hfn) && seen.add(hfn));
    return frames.map(({ hfn, rmap }) => frame(hfn, `rmap ${rmap}`));
  }
  const wanted = new Set<number>();
  for (const { shadow } of bands)
    if (shadow !== null)
      for (let i = 0; i < 512; i++) {
        const spte = entryOf(shadow.sptes, i, 8);
        if (hasBit(spte, 0)) wanted.add(addressOf(spte, "spte"));
      }
  return children
    .filter((page) => wanted.has(page.hpa))
    .sort((a, b) => a.gfn - b.gfn || a.quadrant - b.quadrant)
    .map((page) => ({
      key: page.hpa / 4096,
      text: `gfn ${hex(page.gfn, 1)}`,
      note: page.metaphysical ? "large" : "",
      quadrant: page.glevels <= 2 ? page.quadrant : null,
      page: page.hpa,
    }));
}

/** Frames that the sptes in hand name, in the order of the sptes. */
export const activeKeys = (linked: Linked | null): number[] =>
  (linked?.sptes ?? [])
    .filter((spte) => hasBit(spte.value, 0))
    .map((spte) => addressOf(spte.value, "spte-leaf") / 4096);

/** The targets that are shown: `fits` of them, those in hand among them, added should the list not hold them. */
export function shownTargets(targets: readonly Target[], active: readonly number[], fits: number): Target[] {
  const missing = [...new Set(active)].filter((key) => !targets.some((target) => target.key === key));
  const all = [...missing.map((key) => frame(key, "")), ...targets];
  const want = all.findIndex((target) => active.includes(target.key));
  const most = Math.max(0, all.length - fits);
  const from = want < fits - 1 ? 0 : Math.min(most, want - Math.floor(fits / 2));
  return all.slice(from, from + fits);
}
