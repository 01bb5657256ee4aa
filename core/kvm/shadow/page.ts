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
import { CR0_WP, CR4_PGE, EFER_NXE, KVM_MIN_FREE_MMU_PAGES, KVM_REFILL_PAGES, PT_P } from "../layout.ts";
import { FINDING_HAZARD, type Mmu } from "../mmu.ts";
import { H_RESET_WITHOUT_RECLAIM, H_UNLINK_NO_FLUSH } from "../policy/hazards.ts";
import { remoteFlush } from "./flush.ts";
import { addParent, firstParent, removeParent } from "./parents.ts";
import { bucketOf, hashAdd, hashRemove, listAddHead, listRemove, releasePage, takePage } from "./pool.ts";
import { rmapRemove, rmapWriteProtect } from "./rmap.ts";
import {
  accessBits,
  quadrantOf,
  ROLE_INVALID,
  ROLE_METAPHYSICAL,
  ROLE_NXE,
  ROLE_PGE,
  ROLE_WP,
  roleLevel,
  roleMetaphysical,
  roleWord,
} from "./role.ts";

/** Role of the page that shadows at `level` what translates `gaddr` (3.2, 3.3). */
export function roleFor(
  mmu: Mmu,
  gaddr: number,
  level: number,
  metaphysical: boolean,
  hugepageAccess: number,
): number {
  const word = roleWord(
    mmu.rootLevel,
    level,
    quadrantOf(mmu.rootLevel, gaddr, level),
    metaphysical,
    hugepageAccess,
  );
  return word & mmu.policy.roles.key;
}

/** As roleFor where every page has its rights in the key (9.1, 9.4). `access`: ACC_…. */
export function roleWithAccess(
  mmu: Mmu,
  gaddr: number,
  level: number,
  direct: boolean,
  access: number,
): number {
  const { cr0, cr4, efer } = mmu.cpu;
  let word = roleWord(mmu.rootLevel, level, quadrantOf(mmu.rootLevel, gaddr, level), direct, 0);
  word |= accessBits(access);
  if ((cr4 & CR4_PGE) !== 0) word |= ROLE_PGE;
  if ((efer & EFER_NXE) !== 0) word |= ROLE_NXE;
  if ((cr0 & CR0_WP) !== 0) word |= ROLE_WP;
  return word & mmu.policy.roles.key;
}

/** The active page with this key, or -1. */
export function findPage(mmu: Mmu, gfn: number, role: number): number {
  let page = mmu.hashHead[bucketOf(mmu, gfn)]!;
  while (page >= 0 && (mmu.gfn[page] !== gfn || mmu.role[page] !== role)) page = mmu.hashNext[page]!;
  return page;
}

/** kvm_mmu_lookup_page: the first page of the bucket that shadows gfn as a table, or -1 (4.5). */
export function lookupPage(mmu: Mmu, gfn: number): number {
  let page = mmu.hashHead[bucketOf(mmu, gfn)]!;
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
  if (found >= 0) return existingPage(mmu, found, parent);
  const page = newPage(mmu, gfn, role, parent);
  if (page >= 0 && !roleMetaphysical(role)) rmapWriteProtect(mmu, gfn);
  return page;
}

/** The part of get_page that answers with a page that is there. */
export function existingPage(mmu: Mmu, page: number, parent: number): number {
  addParent(mmu, page, parent);
  if (mmu.trace.on) {
    const { gfn, role, rootCount, unsync } = mmu;
    mmu.trace.emit(EV_GET_PAGE, mmu.hpaOf(page), gfn[page]!, role[page]!, 0, rootCount[page]!, unsync[page]!);
  }
  return page;
}

/** The part of get_page that makes a page; the caller write-protects its gfn. -1: the pool is empty (a finding). */
export function newPage(mmu: Mmu, gfn: number, role: number, parent: number): number {
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
  mmu.writeFloods[page] = 0;
  hashAdd(mmu, page);
  if (mmu.trace.on) mmu.trace.emit(EV_GET_PAGE, mmu.hpaOf(page), gfn, role, 1, 0, 0);
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
    if (!mmu.policy.remoteFlush) mmu.cpu.paging.flush(FLUSH_UNLINK_CHILDREN, false);
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
    const { gfn, role, rootCount, unsync } = mmu;
    mmu.trace.emit(
      EV_ZAP_PAGE,
      mmu.hpaOf(page),
      gfn[page]!,
      role[page]!,
      why,
      rootCount[page]!,
      unsync[page]!,
    );
  }
  mmu.policy.beforeZap(mmu, page);
  let unlinked = false;
  for (let ptr = firstParent(mmu, page); ptr !== 0; ptr = firstParent(mmu, page)) {
    removeParent(mmu, page, ptr);
    mmu.spteSet(ptr, 0, 0, SPTE_ZAP_PAGE);
    unlinked = true;
  }
  const upper = roleLevel(mmu.role[page]!) > 1 && !mmu.policy.remoteFlush;
  unlinkChildren(mmu, page);
  mmu.rights[page] = 0;
  // No flush for upper levels (4.8): only an MMU whose TLB outlives the exit can tell.
  if (upper && mmu.svm && mmu.guarded[H_UNLINK_NO_FLUSH] && tlbHolds(mmu)) {
    mmu.guard(H_UNLINK_NO_FLUSH, mmu.hpaOf(page), unlinked ? 1 : 0);
    mmu.cpu.paging.flush(FLUSH_GUARD, false);
  }
  if (mmu.policy.remoteFlush) remoteFlush(mmu);
  const invalid = (mmu.role[page]! & ROLE_INVALID) !== 0;
  if (mmu.rootCount[page] === 0) {
    if (!invalid) hashRemove(mmu, page);
    releasePage(mmu, page);
    return;
  }
  listRemove(mmu, page);
  listAddHead(mmu, page);
  if (!mmu.policy.rootsInvalid) return;
  // Out of the hash, as a page that no lookup answers with; it is freed with its last root (9.3, 11).
  if (!invalid) hashRemove(mmu, page);
  mmu.role[page]! |= ROLE_INVALID;
  if (mmu.touched !== null) mmu.touched.header(page);
  mmu.reload = 1;
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
  if (mmu.policy.reclaimSkipsRoots) {
    freeSkippingRoots(mmu);
    return;
  }
  // Only four roots can stay, so that the loop ends long before the bound.
  for (
    let bound = 0;
    mmu.nFree < KVM_REFILL_PAGES && mmu.activeTail >= 0 && bound < 2 * mmu.poolSize;
    bound++
  ) {
    mmu.count[C.mmu_recycled]!++;
    zapPage(mmu, mmu.activeTail, ZAP_RECYCLED);
  }
}

/** Reclaim of the modern version: from the tail of the active list, passing over the pages of active roots (11). */
function freeSkippingRoots(mmu: Mmu): void {
  let page = mmu.activeTail;
  while (mmu.nFree < KVM_REFILL_PAGES && page >= 0) {
    const previous = mmu.listPrev[page]!;
    if (mmu.rootCount[page] === 0) {
      mmu.count[C.mmu_recycled]!++;
      zapPage(mmu, page, ZAP_RECYCLED);
      // Zapping an upper page takes its unsync children along (9.3): the list is looked at anew from the tail.
      page = previous >= 0 && mmu.active[previous] === 1 ? previous : mmu.activeTail;
      continue;
    }
    page = previous;
  }
}

/** Reclaims when fewer than five pages are free. */
export function reclaimIfLow(mmu: Mmu): void {
  if (mmu.nFree < KVM_MIN_FREE_MMU_PAGES) freeSomePages(mmu);
}

/** kvm_mmu_unprotect_page: zaps every page that shadows gfn as a table (4.11). Answers how many. */
export function unprotectPage(mmu: Mmu, gfn: number, why = ZAP_UNPROTECT): number {
  let zapped = 0;
  let page = mmu.hashHead[bucketOf(mmu, gfn)]!;
  while (page >= 0) {
    const next = mmu.hashNext[page]!;
    if (mmu.gfn[page] === gfn && !roleMetaphysical(mmu.role[page]!)) {
      zapPage(mmu, page, why);
      zapped++;
    }
    // Pages that went along with an upper one (9.3) may be in this bucket too.
    page = mmu.policy.unsync === null ? next : lookupPage(mmu, gfn);
  }
  if (zapped > 0 && mmu.trace.on) mmu.trace.emit(EV_UNPROTECT, gfn, zapped);
  return zapped;
}

/** The part of kvm_mmu_zap_all that empties the active list; the caller has freed the roots. */
export function zapActive(mmu: Mmu): number {
  let zapped = 0;
  while (mmu.activeHead >= 0 && zapped < 2 * mmu.poolSize) {
    zapPage(mmu, mmu.activeHead, ZAP_ALL);
    zapped++;
  }
  return zapped;
}
