/**
 * Looking for bytes in one of the three spaces, page by page, by peeking. Pages nobody ever wrote hold zeroes.
 */
import { PAGE_SIZE } from "../memory/host-memory.ts";
import type { LabContext } from "./context.ts";
import type { Space } from "./protocol/index.ts";

/** A run of pages whose bytes follow each other in the space: [first page, pages]. Ascending. */
type Range = readonly [number, number];

/**
 * First address at or above `from` where the bytes begin (last one at or below it when `backwards`), or null.
 * Matches may cross pages that follow each other in the space.
 */
export function findBytes(
  lab: LabContext,
  space: Space,
  from: number,
  bytes: Uint8Array,
  backwards: boolean,
): number | null {
  const frameOf = framesOf(lab, space);
  const ranges = rangesOf(lab, space);
  if (backwards) ranges.reverse();
  const zero = bytes.every((byte) => byte === 0);
  for (const [first, pages] of ranges) {
    const last = first + pages - 1;
    const begin = Math.floor(from / PAGE_SIZE);
    if (backwards ? first > begin : last < begin) continue;
    let page = backwards ? Math.min(last, begin) : Math.max(first, begin);
    for (; page >= first && page <= last; page += backwards ? -1 : 1) {
      const hfn = frameOf(page);
      if (hfn < 0 || (!zero && lab.memory.version[hfn] === 0)) continue;
      const found = inPage(lab, frameOf, page, bytes, from, backwards);
      if (found !== null) return found;
    }
  }
  return null;
}

/** The pages of a space that can hold anything. */
function rangesOf(lab: LabContext, space: Space): Range[] {
  if (space === "gva") return [[0, 2 ** 20]];
  if (space === "hpa") return [[0, lab.memory.frames]];
  return lab.slots.slots.map((slot) => [slot.gfn, slot.pages] as const);
}

/** Host frame of a page of the space, or -1. */
function framesOf(lab: LabContext, space: Space): (page: number) => number {
  if (space === "hpa") return (page) => (page < lab.memory.frames ? page : -1);
  if (space === "gpa") return (page) => lab.slots.hfnOf(page);
  return (page) => {
    if (page >= 2 ** 20) return -1;
    const gpa = lab.translate(page * PAGE_SIZE);
    return gpa < 0 ? -1 : lab.slots.hfnOf(Math.floor(gpa / PAGE_SIZE));
  };
}

/** A match that begins in this page, at or beyond `from` in the direction of the search. */
function inPage(
  lab: LabContext,
  frameOf: (page: number) => number,
  page: number,
  bytes: Uint8Array,
  from: number,
  backwards: boolean,
): number | null {
  const window = new Uint8Array(PAGE_SIZE + bytes.length - 1);
  let length = 0;
  for (let p = page; length < window.length; p++) {
    const hfn = frameOf(p);
    if (hfn < 0) break;
    const take = Math.min(PAGE_SIZE, window.length - length);
    window.set(lab.memory.bytes.subarray(hfn * PAGE_SIZE, hfn * PAGE_SIZE + take), length);
    length += take;
  }
  const base = page * PAGE_SIZE;
  const least = backwards ? 0 : Math.max(0, from - base);
  const most = Math.min(
    PAGE_SIZE - 1,
    length - bytes.length,
    backwards ? from - base : Number.MAX_SAFE_INTEGER,
  );
  for (let i = backwards ? most : least; i >= least && i <= most; i += backwards ? -1 : 1) {
    let n = 0;
    while (n < bytes.length && window[i + n] === bytes[n]) n++;
    if (n === bytes.length) return base + i;
  }
  return null;
}
