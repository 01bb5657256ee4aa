/**
 * The life of a shadow page: found or made, emptied, zapped, reclaimed. docs/kvm-shadow-mmu.md 4.4 to 4.11.
 */
import {
  EV_GET_PAGE,
  EV_RECYCLE,
  EV_UNPROTECT,
  EV_ZAP_PAGE,
  FLUSH_GUARD,
  FLUSH_UNLINK_CHILDREN,
  SPTE_UNLINK_CHILDREN,
  SPTE_ZAP_PAGE,
  ZAP_ALL,
  ZAP_GUARD,
  ZAP_RECYCLED,
  ZAP_UNPROTECT,
} from "../../trace/events.ts";
import { C } from "../counters.ts";
import { KVM_MIN_FREE_MMU_PAGES, KVM_NUM_MMU_PAGES, KVM_REFILL_PAGES, PT_P } from "../layout.ts";
import { FINDING_HAZARD, type Mmu } from "../mmu.ts";
import { H_RESET_WITHOUT_RECLAIM, H_UNLINK_NO_FLUSH } from "../policy/hazards.ts";
import { addParent, firstParent, removeParent } from "./parents.ts";
import { bucketOf, hashAdd, hashRemove, listAddHead, listRemove, releasePage, takePage } from "./pool.ts";
import { rmapRemove, rmapWriteProtect } from "./rmap.ts";
import { quadrantOf, ROLE_METAPHYSICAL, roleLevel, roleMetaphysical, roleWord } from "./role.ts";

/** Role of the page that shadows at `level` what translates `gaddr` (3.2, 3.3). */
export function roleFor(
  mmu: Mmu,
  gaddr: number,
  level: number,
  metaphysical: boolean,
  hugepageAccess: number,
): number {
  return roleWord(
    mmu.rootLevel,
    level,
    quadrantOf(mmu.rootLevel, gaddr, level),
    metaphysical,
    hugepageAccess,
  );
}

/** The active page with this key, or -1. */
export function findPage(mmu: Mmu, gfn: number, role: number): number {
  let page = mmu.hashHead[bucketOf(gfn)]!;
  while (page >= 0 && (mmu.gfn[page] !== gfn || mmu.role[page] !== role)) page = mmu.hashNext[page]!;
  return page;
}

/** kvm_mmu_lookup_page: the first page of the bucket that shadows gfn as a table, or -1 (4.5). */
export function lookupPage(mmu: Mmu, gfn: number): number {
  let page = mmu.hashHead[bucketOf(gfn)]!;
  while (page >= 0 && (mmu.gfn[page] !== gfn || (mmu.role[page]! & ROLE_METAPHYSICAL) !== 0)) {
    page = mmu.hashNext[page]!;
  }
  return page;
}

/**
 * kvm_mmu_get_page (4.4): looks the page up by key, or makes it. `parent`: hpa of the spte that will point at it, 0 for
 * a root. -1: the pool is empty, which the reference does not check for (a finding).
 */
export function getPage(mmu: Mmu, gfn: number, role: number, parent: number): number {
  const found = findPage(mmu, gfn, role);
  if (found >= 0) {
    addParent(mmu, found, parent);
    if (mmu.trace.on) mmu.trace.emit(EV_GET_PAGE, mmu.hpaOf(found), gfn, role, 0);
    return found;
  }
  const page = takePage(mmu);
  if (page < 0) {
    mmu.found(
      FINDING_HAZARD + H_RESET_WITHOUT_RECLAIM,
      gfn,
      role,
      "kvm_mmu_get_page found no free page (4.4, 4.9)",
    );
    return -1;
  }
  mmu.count[C.mmu_cache_miss]!++;
  mmu.slotBitmap[page] = 0;
  mmu.multimapped[page] = 0;
  mmu.parent[page] = parent;
  mmu.rights[page] = 0;
  mmu.rootCount[page] = 0;
  mmu.gfn[page] = gfn;
  mmu.role[page] = role;
  hashAdd(mmu, page);
  if (mmu.trace.on) mmu.trace.emit(EV_GET_PAGE, mmu.hpaOf(page), gfn, role, 1);
  if (!roleMetaphysical(role)) rmapWriteProtect(mmu, gfn);
  return page;
}

/** kvm_mmu_page_unlink_children (4.8). */
function unlinkChildren(mmu: Mmu, page: number): void {
  const base = mmu.hpaOf(page);
  if (roleLevel(mmu.role[page]!) === 1) {
    for (let i = 0; i < 512; i++) {
      const ptr = base + i * 8;
      if ((mmu.spteLow(ptr) & PT_P) !== 0) rmapRemove(mmu, ptr);
      mmu.spteSet(ptr, 0, 0, SPTE_UNLINK_CHILDREN);
    }
    mmu.cpu.paging.flush(FLUSH_UNLINK_CHILDREN, false);
    return;
  }
  for (let i = 0; i < 512; i++) {
    const ptr = base + i * 8;
    const low = mmu.spteLow(ptr);
    mmu.spteSet(ptr, 0, 0, SPTE_UNLINK_CHILDREN);
    if ((low & PT_P) !== 0) removeParent(mmu, mmu.pageOf(low & ~0xfff), ptr);
  }
}

/** kvm_mmu_zap_page (4.8): parents unlinked, contents emptied; freed unless it is an active root. `why`: ZAP_…. */
export function zapPage(mmu: Mmu, page: number, why: number): void {
  mmu.count[C.mmu_shadow_zapped]!++;
  if (mmu.trace.on) {
    mmu.trace.emit(EV_ZAP_PAGE, mmu.hpaOf(page), mmu.gfn[page]!, mmu.role[page]!, why, mmu.rootCount[page]!);
  }
  let unlinked = false;
  for (let ptr = firstParent(mmu, page); ptr !== 0; ptr = firstParent(mmu, page)) {
    removeParent(mmu, page, ptr);
    mmu.spteSet(ptr, 0, 0, SPTE_ZAP_PAGE);
    unlinked = true;
  }
  const upper = roleLevel(mmu.role[page]!) > 1;
  unlinkChildren(mmu, page);
  mmu.rights[page] = 0;
  // No flush for upper levels (4.8): only an MMU whose TLB outlives the exit can tell.
  if (upper && mmu.svm && mmu.guarded[H_UNLINK_NO_FLUSH] && tlbHolds(mmu)) {
    mmu.guard(H_UNLINK_NO_FLUSH, mmu.hpaOf(page), unlinked ? 1 : 0);
    mmu.cpu.paging.flush(FLUSH_GUARD, false);
  }
  if (mmu.rootCount[page] === 0) {
    hashRemove(mmu, page);
    releasePage(mmu, page);
  } else {
    listRemove(mmu, page);
    listAddHead(mmu, page);
  }
}

function tlbHolds(mmu: Mmu): boolean {
  return mmu.cpu.paging.entries().length > 0;
}

/** Most zaps a guard's log keeps for one instruction. */
const LOG = 32;

/**
 * Zaps a page because of a guard. A second zap of the same page for one unretired instruction asks that the
 * instruction be emulated: no guard costs progress.
 */
export function guardZap(mmu: Mmu, page: number, hazard: number): void {
  mmu.guard(hazard, mmu.hpaOf(page), mmu.role[page]!);
  noteZap(mmu, mmu.gfn[page]!, mmu.role[page]!, hazard);
  zapPage(mmu, page, ZAP_GUARD);
}

/** Logs a zap for the instruction in hand; true (and `mustEmulate`) when this page was zapped for it before. */
export function noteZap(mmu: Mmu, gfn: number, role: number, hazard: number): boolean {
  for (let i = 0; i < mmu.zappedCount; i++) {
    if (mmu.zappedGfn[i] === gfn && mmu.zappedRole[i] === role) {
      mmu.mustEmulate = hazard;
      return true;
    }
  }
  if (mmu.zappedCount < LOG) {
    mmu.zappedGfn[mmu.zappedCount] = gfn;
    mmu.zappedRole[mmu.zappedCount] = role;
    mmu.zappedCount++;
  }
  return false;
}

/** kvm_mmu_free_some_pages (4.9): zaps the oldest pages until 25 are free. */
export function freeSomePages(mmu: Mmu): void {
  if (mmu.trace.on) mmu.trace.emit(EV_RECYCLE, mmu.nFree);
  // Only four roots can stay, so that the loop ends long before the bound.
  for (
    let bound = 0;
    mmu.nFree < KVM_REFILL_PAGES && mmu.activeTail >= 0 && bound < 2 * KVM_NUM_MMU_PAGES;
    bound++
  ) {
    mmu.count[C.mmu_recycled]!++;
    zapPage(mmu, mmu.activeTail, ZAP_RECYCLED);
  }
}

/** Reclaims when fewer than five pages are free. */
export function reclaimIfLow(mmu: Mmu): void {
  if (mmu.nFree < KVM_MIN_FREE_MMU_PAGES) freeSomePages(mmu);
}

/** kvm_mmu_unprotect_page: zaps every page that shadows gfn as a table (4.11). Answers how many. */
export function unprotectPage(mmu: Mmu, gfn: number, why = ZAP_UNPROTECT): number {
  let zapped = 0;
  let page = mmu.hashHead[bucketOf(gfn)]!;
  while (page >= 0) {
    const next = mmu.hashNext[page]!;
    if (mmu.gfn[page] === gfn && !roleMetaphysical(mmu.role[page]!)) {
      zapPage(mmu, page, why);
      zapped++;
    }
    page = next;
  }
  if (zapped > 0 && mmu.trace.on) mmu.trace.emit(EV_UNPROTECT, gfn, zapped);
  return zapped;
}

/** The part of kvm_mmu_zap_all that empties the active list; the caller has freed the roots. */
export function zapActive(mmu: Mmu): number {
  let zapped = 0;
  while (mmu.activeHead >= 0 && zapped < 2 * KVM_NUM_MMU_PAGES) {
    zapPage(mmu, mmu.activeHead, ZAP_ALL);
    zapped++;
  }
  return zapped;
}
