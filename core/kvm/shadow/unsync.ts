/**
 * Out-of-sync page tables: marks on pages and on their parents. A leaf table may be written by the guest freely while its
 * shadow page is marked; it is read again before the guest can ask that its changes count. docs/kvm-shadow-mmu.md 9.3.
 */
import { EV_UNSYNC_PAGE } from "../../trace/events.ts";
import { C } from "../counters.ts";
import { PT_P } from "../layout.ts";
import { type Mmu, UNSYNC_WORDS } from "../mmu.ts";
import { forEachParent } from "./parents.ts";

/** kvm_unsync_page: marks a level-1 page and the parents that lead to it. */
export function unsyncPage(mmu: Mmu, page: number): void {
  mmu.count[C.mmu_unsync]!++;
  mmu.unsync[page] = 1;
  if (mmu.touched !== null) mmu.touched.header(page);
  if (mmu.trace.on) {
    mmu.trace.emit(EV_UNSYNC_PAGE, mmu.hpaOf(page), mmu.gfn[page]!, mmu.role[page]!, mmu.rootCount[page]!, 1);
  }
  markParentsUnsync(mmu, page);
}

/** kvm_mmu_mark_parents_unsync. */
export function markParentsUnsync(mmu: Mmu, page: number): void {
  forEachParent(mmu, page, markParent);
}

function markParent(mmu: Mmu, ptr: number): void {
  const above = mmu.pageOf(ptr & ~0xfff);
  const index = (ptr & 0xfff) >> 3;
  const word = above * UNSYNC_WORDS + (index >> 5);
  const bit = 1 << (index & 31);
  if ((mmu.unsyncBits[word]! & bit) !== 0) return;
  mmu.unsyncBits[word]! |= bit;
  mmu.unsyncChildren[above]!++;
  if (mmu.touched !== null) mmu.touched.unsyncMarks(above);
}

/** kvm_unlink_unsync_page: the page is in sync again, or goes. The parents' marks are cleared when they are looked at. */
export function unlinkUnsync(mmu: Mmu, page: number): void {
  if (mmu.unsync[page] === 0) return;
  mmu.unsync[page] = 0;
  if (mmu.touched !== null) mmu.touched.header(page);
  mmu.count[C.mmu_unsync]!--;
}

/** The upper page is emptied: it has no children any more. */
export function forgetChildren(mmu: Mmu, page: number): void {
  if (mmu.unsyncChildren[page] === 0) return;
  mmu.unsyncBits.fill(0, page * UNSYNC_WORDS, (page + 1) * UNSYNC_WORDS);
  mmu.unsyncChildren[page] = 0;
  if (mmu.touched !== null) mmu.touched.unsyncMarks(page);
}

/**
 * Index, at least `from`, of the next child of `page` that is out of sync, or -1. Marks of children that are gone or in
 * sync are cleared on the way.
 */
export function nextUnsyncChild(mmu: Mmu, page: number, from: number): number {
  for (let index = from; index < 512; index++) {
    const word = page * UNSYNC_WORDS + (index >> 5);
    if (mmu.unsyncBits[word] === 0) {
      index |= 31;
      continue;
    }
    const bit = 1 << (index & 31);
    if ((mmu.unsyncBits[word]! & bit) === 0) continue;
    const low = mmu.spteLow(mmu.hpaOf(page) + index * 8);
    if ((low & PT_P) !== 0 && mmu.unsync[mmu.pageOf(low & ~0xfff)] === 1) return index;
    mmu.unsyncBits[word]! &= ~bit;
    mmu.unsyncChildren[page]!--;
    if (mmu.touched !== null) mmu.touched.unsyncMarks(page);
  }
  return -1;
}

/** The child that spte `index` of an upper page points at; the spte is present. */
export const childAt = (mmu: Mmu, page: number, index: number): number =>
  mmu.pageOf(mmu.spteLow(mmu.hpaOf(page) + index * 8) & ~0xfff);
