/**
 * Bringing out-of-sync shadow pages back in step, and the three versions' rules of when a page may go out of sync and
 * what get_page does with one. docs/kvm-shadow-mmu.md 9.3.
 */
import { EV_SYNC_PAGE, SPTE_SYNC, ZAP_SYNC } from "../../trace/events.ts";
import { C } from "../counters.ts";
import { PAE_ROOT_HPA, PT_A, PT_D, PT_P, PT_SHADOW_IO_MARK } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { H_RESERVED_BITS } from "../policy/hazards.ts";
import { localFlush, remoteFlush } from "./flush.ts";
import { existingPage, newPage, zapPage } from "./page.ts";
import { bucketOf } from "./pool.ts";
import { rmapWriteProtect, spteFrame } from "./rmap.ts";
import { roleAccess, roleGlevels, roleLevel, roleMetaphysical, roleQuadrant } from "./role.ts";
import {
  dropSpte,
  gpteAccess,
  isWide,
  mayHaveNx,
  SET_CAN_UNSYNC,
  SET_SPECULATIVE,
  setSpte,
} from "./set-spte.ts";
import {
  childAt,
  forgetChildren,
  markParentsUnsync,
  nextUnsyncChild,
  unlinkUnsync,
  unsyncPage,
} from "./unsync.ts";
import { frame64, reserved64 } from "./walk.ts";

/** Reads spte `index` of a level-1 page again from its guest entry; true when something is left. The caller flushes. */
export function syncSpte(mmu: Mmu, page: number, index: number): boolean {
  const ptr = mmu.hpaOf(page) + index * 8;
  const low = mmu.spteLow(ptr);
  // An address without memory is found again by its next fault.
  if ((low & (PT_P | PT_SHADOW_IO_MARK)) === PT_SHADOW_IO_MARK) mmu.spteSet(ptr, 0, 0, SPTE_SYNC);
  if ((low & PT_P) === 0) return false;
  const role = mmu.role[page]!;
  const wide = isWide(role);
  const at = wide ? index * 8 : (roleQuadrant(role) * 512 + index) * 4;
  const gpteLow = mmu.guestWord(mmu.gfn[page]!, at);
  const gpteHigh = wide ? mmu.guestWord(mmu.gfn[page]!, at + 4) : 0;
  const gfn = wide ? frame64(gpteLow, gpteHigh) : gpteLow >>> 12;
  let keep = (gpteLow & (PT_P | PT_A)) === (PT_P | PT_A) && mmu.slots.hfnOf(gfn) === spteFrame(low);
  if (keep && wide && reserved64(gpteLow, gpteHigh, false, mayHaveNx(mmu, role))) {
    // sync_page of 2.6.32 does not look at reserved bits; later ones do (3.1 by the processor's mode alone: here by the page's too).
    if (mmu.policy.syncChecksReserved) keep = false;
    else if (mmu.guarded[H_RESERVED_BITS]) {
      mmu.guard(H_RESERVED_BITS, mmu.hpaOf(page), index);
      keep = false;
    }
  }
  if (!keep) {
    dropSpte(mmu, ptr, SPTE_SYNC);
    return false;
  }
  const access = roleAccess(role) & gpteAccess(mmu, gpteLow, gpteHigh, wide);
  setSpte(mmu, page, ptr, access, (gpteLow & PT_D) !== 0, gfn, SET_SPECULATIVE, SPTE_SYNC);
  return true;
}

/** sync_page: every leaf anew. Answers how many are left. */
function syncLeaves(mmu: Mmu, page: number): number {
  let left = 0;
  mmu.collecting = true;
  for (let index = 0; index < 512; index++) if (syncSpte(mmu, page, index)) left++;
  // Callers flush once for all of them.
  mmu.collecting = false;
  mmu.flushPending = false;
  return left;
}

function tellSync(mmu: Mmu, page: number): void {
  if (!mmu.trace.on) return;
  const { gfn, role, rootCount, unsync } = mmu;
  mmu.trace.emit(EV_SYNC_PAGE, mmu.hpaOf(page), gfn[page]!, role[page]!, rootCount[page]!, unsync[page]!);
}

/** kvm_sync_page: write-protects the table and brings the page in step. False: it was zapped instead. */
function syncPage(mmu: Mmu, page: number): boolean {
  if (roleGlevels(mmu.role[page]!) !== mmu.rootLevel) {
    zapPage(mmu, page, ZAP_SYNC);
    return false;
  }
  tellSync(mmu, page);
  if (rmapWriteProtect(mmu, mmu.gfn[page]!) > 0) remoteFlush(mmu);
  unlinkUnsync(mmu, page);
  if (syncLeaves(mmu, page) === 0 && mmu.policy.zapsEmptySynced) {
    zapPage(mmu, page, ZAP_SYNC);
    return false;
  }
  localFlush(mmu);
  return true;
}

/** kvm_sync_page_transient (3.1), kvm_sync_page of get_page (modern): in step now, but still out of sync. */
function syncTransient(mmu: Mmu, page: number): boolean {
  if (roleGlevels(mmu.role[page]!) !== mmu.rootLevel) {
    zapPage(mmu, page, ZAP_SYNC);
    return false;
  }
  tellSync(mmu, page);
  if (syncLeaves(mmu, page) === 0 && mmu.policy.zapsEmptySynced) {
    zapPage(mmu, page, ZAP_SYNC);
    return false;
  }
  localFlush(mmu);
  return true;
}

/** mmu_sync_children: all pages below `page` that are out of sync. */
function syncChildren(mmu: Mmu, page: number): void {
  let flush = false;
  for (let i = nextUnsyncChild(mmu, page, 0); i >= 0; i = nextUnsyncChild(mmu, page, i + 1)) {
    if (rmapWriteProtect(mmu, mmu.gfn[childAt(mmu, page, i)]!) > 0) flush = true;
  }
  if (flush) remoteFlush(mmu);
  for (let i = nextUnsyncChild(mmu, page, 0); i >= 0; i = nextUnsyncChild(mmu, page, i)) {
    syncPage(mmu, childAt(mmu, page, i));
  }
}

/** mmu_sync_roots: what the guest's new address space, or its flush, reaches is in step. */
export function syncRoots(mmu: Mmu): void {
  for (let slot = 0; slot < 4; slot++) {
    const low = mmu.spteLow(PAE_ROOT_HPA + slot * 8);
    if ((low & PT_P) === 0) continue;
    const page = mmu.pageOf(low & ~0xfff);
    if (mmu.unsyncChildren[page]! > 0) syncChildren(mmu, page);
  }
}

/** Before a page is zapped: pages below it that are out of sync go with it; it is no longer out of sync itself. */
export function zapUnsyncChildren(mmu: Mmu, page: number): void {
  if (roleLevel(mmu.role[page]!) > 1) {
    for (let i = nextUnsyncChild(mmu, page, 0); i >= 0; i = nextUnsyncChild(mmu, page, i)) {
      zapPage(mmu, childAt(mmu, page, i), ZAP_SYNC);
    }
    forgetChildren(mmu, page);
  }
  unlinkUnsync(mmu, page);
}

/** Whether the page shadows `gfn` as a table. */
const shadows = (mmu: Mmu, page: number, gfn: number): boolean =>
  mmu.gfn[page] === gfn && !roleMetaphysical(mmu.role[page]!);

/** Without unsync: every frame that holds a shadowed table is write-protected. */
export function protectAlways(mmu: Mmu, gfn: number): boolean {
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (shadows(mmu, page, gfn)) return true;
  }
  return false;
}

/** mmu_need_write_protect of 2.6.32: a leaf table with exactly one role goes out of sync. */
export function protectUnlessOneRole(mmu: Mmu, gfn: number, flags: number): boolean {
  let first = -1;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (!shadows(mmu, page, gfn)) continue;
    if (first < 0) first = page;
    // Another role word, the other quadrant's included.
    else return true;
  }
  if (first < 0) return false;
  if (roleLevel(mmu.role[first]!) !== 1) return true;
  if (mmu.unsync[first] === 1) return false;
  if ((flags & SET_CAN_UNSYNC) === 0) return true;
  unsyncPage(mmu, first);
  return false;
}

/** mmu_need_write_protect of 3.1 and of today: all pages of the gfn go out of sync together, if all are leaf tables'. */
export function protectUpperOnly(mmu: Mmu, gfn: number, flags: number): boolean {
  let wanted = false;
  let all = true;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (!shadows(mmu, page, gfn)) continue;
    if (roleLevel(mmu.role[page]!) !== 1) return true;
    if (mmu.unsync[page] === 0) all = false;
    wanted = true;
  }
  if (!wanted) return false;
  if ((flags & SET_CAN_UNSYNC) === 0) return true;
  if (all) return false;
  // Today nothing goes out of sync ahead of an access.
  if ((flags & SET_SPECULATIVE) !== 0 && mmu.policy.modern) return true;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (shadows(mmu, page, gfn) && mmu.unsync[page] === 0) unsyncPage(mmu, page);
  }
  return false;
}

/** get_page without unsync (~2.6.26): found, or made and its table write-protected. */
export function getPageProtected(mmu: Mmu, gfn: number, role: number, parent: number): number {
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.gfn[page] === gfn && mmu.role[page] === role) return existingPage(mmu, page, parent);
  }
  return madePage(mmu, gfn, role, parent);
}

function madePage(mmu: Mmu, gfn: number, role: number, parent: number): number {
  const page = newPage(mmu, gfn, role, parent);
  if (page >= 0 && !roleMetaphysical(role) && rmapWriteProtect(mmu, gfn) > 0) remoteFlush(mmu);
  return page;
}

/** get_page of 2.6.32: any page of the gfn that is out of sync is brought in step first. */
export function getPageSyncing(mmu: Mmu, gfn: number, role: number, parent: number): number {
  let page = mmu.hashHead[bucketOf(mmu, gfn)]!;
  while (page >= 0) {
    const next = mmu.hashNext[page]!;
    if (mmu.gfn[page] === gfn) {
      if (mmu.unsync[page] === 1 && !syncPage(mmu, page)) {
        page = next;
        continue;
      }
      if (mmu.role[page] === role) return existingPage(mmu, page, parent);
    }
    page = next;
  }
  return madePage(mmu, gfn, role, parent);
}

/** get_page of 3.1: the page itself is read again and stays out of sync; a new upper page brings the others in step. */
export function getPageTransient(mmu: Mmu, gfn: number, role: number, parent: number): number {
  let others = false;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.gfn[page] !== gfn) continue;
    if (mmu.unsync[page] === 1) others = true;
    if (mmu.role[page] !== role) continue;
    if (mmu.unsync[page] === 1 && !syncTransient(mmu, page)) break;
    return linkedUnsync(mmu, existingPage(mmu, page, parent));
  }
  const made = madePage(mmu, gfn, role, parent);
  if (made >= 0 && others && roleLevel(role) > 1 && !roleMetaphysical(role)) {
    let page = mmu.hashHead[bucketOf(mmu, gfn)]!;
    while (page >= 0) {
      const next = mmu.hashNext[page]!;
      if (mmu.gfn[page] === gfn && mmu.unsync[page] === 1) syncPage(mmu, page);
      page = next;
    }
  }
  return made;
}

/** get_page of today: a new upper page zaps what is out of sync of its gfn; the length of the search is noted. */
export function getPageModern(mmu: Mmu, gfn: number, role: number, parent: number): number {
  let collisions = 0;
  let answer = -1;
  let page = mmu.hashHead[bucketOf(mmu, gfn)]!;
  while (page >= 0 && answer < 0) {
    const next = mmu.hashNext[page]!;
    if (mmu.gfn[page] !== gfn) collisions++;
    else if (mmu.role[page] !== role) {
      if (roleLevel(role) > 1 && mmu.unsync[page] === 1) zapPage(mmu, page, ZAP_SYNC);
    } else if (mmu.unsync[page] === 0 || syncTransient(mmu, page)) {
      mmu.writeFloods[page] = 0;
      answer = page;
    } else break;
    page = next;
  }
  if (collisions > mmu.count[C.max_mmu_page_hash_collisions]!) {
    mmu.count[C.max_mmu_page_hash_collisions] = collisions;
  }
  if (answer < 0) return madePage(mmu, gfn, role, parent);
  return linkedUnsync(mmu, existingPage(mmu, answer, parent));
}

/** A page that is out of sync got a parent. */
function linkedUnsync(mmu: Mmu, page: number): number {
  if (mmu.unsync[page] === 1) markParentsUnsync(mmu, page);
  return page;
}
