/**
 * Whether a list (an rmap, a page's parents, a bucket) is as it must be: each member right and there once, and as many
 * as the mirror counted, so that none is missing. Nothing is said here; where the answer is no, the checks say what.
 */
import { NR_PTE_CHAIN_ENTRIES, PT_P, PT_W, RMAP_EXT } from "../layout.ts";
import { CHAIN_WORDS, DESC_WORDS, type Mmu } from "../mmu.ts";
import { bucketOf } from "../shadow/pool.ts";
import { spteFrame } from "../shadow/rmap.ts";
import { pointsAt } from "./parents.ts";
import { holderOf } from "./reach.ts";

const RMAPPED = PT_P | PT_W;

/** Numbers met in one list: emptied by beginning anew. */
export class Seen {
  private readonly round: Int32Array;
  private now = 0;

  constructor(bound: number) {
    this.round = new Int32Array(bound);
  }

  begin(): void {
    this.now++;
  }

  /** True when `n` comes for the first time. */
  first(n: number): boolean {
    if (this.round[n] === this.now) return false;
    this.round[n] = this.now;
    return true;
  }
}

/** The rmap of `hfn` is exactly its `writable` leaves. */
export function rmapIsQuiet(mmu: Mmu, seen: Seen, hfn: number, writable: number): boolean {
  const head = mmu.rmap[hfn]!;
  if (head === 0) return writable === 0;
  if ((head & 1) === 0) return writable === 1 && isMapped(mmu, head, hfn);
  seen.begin();
  const descs = mmu.descs;
  let n = 0;
  for (let desc = head >> 1; desc !== 0; desc = descs[desc * DESC_WORDS + RMAP_EXT]!) {
    for (let i = 0; i < RMAP_EXT; i++) {
      const ptr = descs[desc * DESC_WORDS + i]!;
      if (ptr === 0) continue;
      if (!isMapped(mmu, ptr, hfn) || !seen.first((mmu.pageOf(ptr) << 9) | ((ptr & 0xfff) >> 3)))
        return false;
      n++;
    }
  }
  return n === writable;
}

function isMapped(mmu: Mmu, ptr: number, hfn: number): boolean {
  if (holderOf(mmu, ptr, 1) < 0) return false;
  const low = mmu.spteLow(ptr);
  return (low & RMAPPED) === RMAPPED && spteFrame(low) === hfn;
}

/** The parents of `page` are exactly the `links` that point at it; a free page has none. */
export function parentsAreQuiet(mmu: Mmu, seen: Seen, page: number, links: number): boolean {
  if (mmu.active[page] !== 1) return links === 0;
  const parent = mmu.parent[page]!;
  if (mmu.multimapped[page] === 0) {
    return parent === 0 ? links === 0 : links === 1 && pointsAt(mmu, parent, page);
  }
  seen.begin();
  const chains = mmu.chains;
  let n = 0;
  for (let chain = parent; chain !== 0; chain = chains[chain * CHAIN_WORDS + NR_PTE_CHAIN_ENTRIES]!) {
    for (let i = 0; i < NR_PTE_CHAIN_ENTRIES; i++) {
      const ptr = chains[chain * CHAIN_WORDS + i]!;
      if (ptr === 0) continue;
      if (!pointsAt(mmu, ptr, page) || !seen.first((mmu.pageOf(ptr) << 9) | ((ptr & 0xfff) >> 3)))
        return false;
      n++;
    }
  }
  return n === links;
}

/** The chain of `bucket` is exactly its `members`, and no two have one key. */
export function bucketIsQuiet(mmu: Mmu, seen: Seen, bucket: number, members: number): boolean {
  seen.begin();
  let n = 0;
  for (let page = mmu.hashHead[bucket]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.active[page] !== 1 || bucketOf(mmu, mmu.gfn[page]!) !== bucket || !seen.first(page)) return false;
    for (let other = mmu.hashNext[page]!, steps = 0; other >= 0; other = mmu.hashNext[other]!, steps++) {
      if (steps > mmu.poolSize) return false;
      if (mmu.gfn[other] === mmu.gfn[page] && mmu.role[other] === mmu.role[page]) return false;
    }
    n++;
  }
  return n === members;
}
