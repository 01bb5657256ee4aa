/**
 * The pool's lists: free pages (LIFO), active pages (newest at the head), hash buckets (insertion at the head).
 * docs/kvm-shadow-mmu.md 4.2.
 */
import { FRAME_SHADOW } from "../../memory/host-memory.ts";
import { MAX_MMU_PAGES, PAE_ROOT_FRAME, POOL_FRAME } from "../layout.ts";
import type { Mmu } from "../mmu.ts";

/** Puts all pages of the policy's pool on the free list, so that page 0 is taken first. None is active. */
export function initPool(mmu: Mmu): void {
  mmu.memory.flags[PAE_ROOT_FRAME]! |= FRAME_SHADOW;
  for (let page = 0; page < MAX_MMU_PAGES; page++) mmu.memory.flags[POOL_FRAME + page]! &= ~FRAME_SHADOW;
  mmu.poolSize = mmu.policy.pool;
  mmu.hashHead.fill(-1);
  mmu.hashNext.fill(-1);
  mmu.freeHead = -1;
  for (let page = mmu.poolSize - 1; page >= 0; page--) {
    mmu.memory.flags[POOL_FRAME + page]! |= FRAME_SHADOW;
    mmu.listNext[page] = mmu.freeHead;
    mmu.freeHead = page;
  }
  mmu.nFree = mmu.poolSize;
}

/** Takes a page from the free list and puts it at the head of the active list. -1: none left. */
export function takePage(mmu: Mmu): number {
  const page = mmu.freeHead;
  if (page < 0) return -1;
  mmu.freeHead = mmu.listNext[page]!;
  mmu.nFree--;
  mmu.active[page] = 1;
  if (mmu.touched !== null) mmu.touched.header(page);
  listAddHead(mmu, page);
  return page;
}

/** Takes an active page off its list and puts it at the head of the free list. */
export function releasePage(mmu: Mmu, page: number): void {
  listRemove(mmu, page);
  mmu.active[page] = 0;
  if (mmu.touched !== null) mmu.touched.header(page);
  mmu.listNext[page] = mmu.freeHead;
  mmu.freeHead = page;
  mmu.nFree++;
}

export function listAddHead(mmu: Mmu, page: number): void {
  if (mmu.touched !== null) mmu.touched.lists();
  mmu.listPrev[page] = -1;
  mmu.listNext[page] = mmu.activeHead;
  if (mmu.activeHead >= 0) mmu.listPrev[mmu.activeHead] = page;
  else mmu.activeTail = page;
  mmu.activeHead = page;
}

export function listRemove(mmu: Mmu, page: number): void {
  if (mmu.touched !== null) mmu.touched.lists();
  const next = mmu.listNext[page]!;
  const prev = mmu.listPrev[page]!;
  if (prev >= 0) mmu.listNext[prev] = next;
  else mmu.activeHead = next;
  if (next >= 0) mmu.listPrev[next] = prev;
  else mmu.activeTail = prev;
}

/** In machine integers but for a gfn with reserved bits that nobody checked. */
export const bucketOf = (mmu: Mmu, gfn: number): number =>
  gfn < 0x4000_0000 ? (gfn | 0) % mmu.poolSize : gfn % mmu.poolSize;

export function hashAdd(mmu: Mmu, page: number): void {
  const bucket = bucketOf(mmu, mmu.gfn[page]!);
  if (mmu.touched !== null) mmu.touched.bucket(bucket);
  mmu.hashNext[page] = mmu.hashHead[bucket]!;
  mmu.hashHead[bucket] = page;
}

export function hashRemove(mmu: Mmu, page: number): void {
  const bucket = bucketOf(mmu, mmu.gfn[page]!);
  if (mmu.touched !== null) mmu.touched.bucket(bucket);
  let at = mmu.hashHead[bucket]!;
  if (at === page) {
    mmu.hashHead[bucket] = mmu.hashNext[page]!;
  } else {
    while (at >= 0) {
      const next = mmu.hashNext[at]!;
      if (next === page) {
        mmu.hashNext[at] = mmu.hashNext[page]!;
        break;
      }
      at = next;
    }
  }
  mmu.hashNext[page] = -1;
}
