/**
 * The list of shadow pages as a person asks for it: filtered by gfn or hpa, sorted by a column. Pure.
 */
import type { ShadowPageInfo } from "../../../core/lab/protocol/index.ts";
import { spteOffset } from "../table/quadrant.ts";

export const COLUMNS = [
  {
    id: "gfn",
    title: "gfn",
    help: "Guest frame of the table it shadows (metaphysical: of the range it maps)",
  },
  { id: "level", title: "level", help: "1 page table, 2 page directory" },
  { id: "quadrant", title: "quad", help: "Which half or quarter of the guest's table it shadows" },
  { id: "glevels", title: "glev", help: "Levels of the guest's paging when it was made" },
  { id: "role", title: "role", help: "The role word: with the gfn the page's key" },
  { id: "kind", title: "kind", help: "metaphysical: it shadows no guest table" },
  {
    id: "access",
    title: "acc",
    help: "hugepage_access: W and U of the large entry it was made for; from E1 on the rights of every page",
  },
  { id: "rootCount", title: "roots", help: "How many roots use it now" },
  { id: "parents", title: "parents", help: "sptes that name it" },
  { id: "present", title: "present", help: "Present sptes of 512, and how many of them are writable" },
  { id: "hpa", title: "hpa", help: "Where its 512 sptes lie in host memory" },
] as const;
export type Column = (typeof COLUMNS)[number]["id"];

export interface Sort {
  readonly column: Column;
  readonly down: boolean;
}

const sortKey = (page: ShadowPageInfo, column: Column): number => {
  switch (column) {
    case "kind":
      return page.metaphysical ? 1 : 0;
    case "access":
      return page.hugepageAccess;
    case "parents":
      return page.parents.length;
    default:
      return page[column];
  }
};

/** Pages whose gfn or hpa begins with the typed hex digits (an hpa is matched as a page address or frame number). */
export function matches(page: ShadowPageInfo, filter: string): boolean {
  const text = filter
    .trim()
    .toLowerCase()
    .replace(/^(gfn|hpa)[: ]*/, "")
    .replace(/^0x/, "");
  if (text === "") return true;
  const bare = text.replace(/^0+(?=.)/, "");
  return page.gfn.toString(16).startsWith(bare) || page.hpa.toString(16).startsWith(bare);
}

/** The pages in the order asked for; equal ones by gfn, then role word. */
export function arrange(pages: readonly ShadowPageInfo[], filter: string, sort: Sort): ShadowPageInfo[] {
  const sign = sort.down ? -1 : 1;
  return pages
    .filter((page) => matches(page, filter))
    .sort(
      (a, b) =>
        sign * (sortKey(a, sort.column) - sortKey(b, sort.column)) || a.gfn - b.gfn || a.role - b.role,
    );
}

/** hugepage_access in letters: W, U; in later versions access, as their tracepoints write it. */
export function accessText(page: ShadowPageInfo): string {
  if (page.access !== "") return page.access;
  if (!page.metaphysical || page.glevels === 0) return "";
  const letters = `${page.hugepageAccess & 2 ? "U" : ""}${page.hugepageAccess & 1 ? "W" : ""}`;
  return letters === "" ? "read" : letters;
}

/** What kind of shadow page it is, in a word or two. */
export function kindText(page: ShadowPageInfo): string {
  if (page.metaphysical) return page.glevels === 0 ? "paging off" : "large page";
  if (page.unsync) return "page table, unsync";
  return page.level === 1 ? "page table" : page.level === 2 ? "directory" : `level ${page.level}`;
}

/**
 * Guest-virtual addresses that spte 0 of a page translates, ascending: a directory's by its quadrant (4-byte entries,
 * paging off) or its slots in pae_root (PAE); a page table's through each of its parents. Empty when nothing links it.
 * Source: docs/kvm-shadow-mmu.md 2.2, 3.3.
 */
export function basesOf(
  page: ShadowPageInfo,
  pages: readonly ShadowPageInfo[],
  paeRoot: readonly { readonly low: number; readonly high: number }[],
): number[] {
  if (page.level === 2) {
    if (page.glevels <= 2) return [page.quadrant * 2 ** 30];
    const slots: number[] = [];
    paeRoot.forEach((slot, i) => {
      if ((slot.low & 1) === 1 && slot.low - (slot.low % 4096) === page.hpa) slots.push(i * 2 ** 30);
    });
    return slots;
  }
  const bases: number[] = [];
  for (const spte of page.parents) {
    const parent = pages.find((p) => p.hpa === spte - (spte % 4096) && p.level === 2);
    if (parent === undefined) continue;
    const offset = spteOffset((spte % 4096) / 8, 2, 0);
    for (const base of basesOf(parent, pages, paeRoot)) bases.push(base + offset);
  }
  return bases.sort((a, b) => a - b);
}
