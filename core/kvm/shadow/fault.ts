/**
 * The page fault path of paging guests, and of paging off. docs/kvm-shadow-mmu.md 5.2, 5.5, 5.6, 5.7, in their order.
 * Answers what the exit handler does next.
 */
import {
  EV_PF_FIXED,
  FLUSH_GUARD,
  SPTE_FIX_READ_PF,
  SPTE_FIX_WRITE_PF,
  SPTE_NONPAGING,
  ZAP_GUARD,
  ZAP_USER_WRITE,
} from "../../trace/events.ts";
import { ACCESS_FETCH, ACCESS_USER, ACCESS_WRITE } from "../../x86/door.ts";
import { C } from "../counters.ts";
import {
  CR0_WP,
  LINK_NONPAGING,
  PAE_ROOT_HPA,
  PT_A,
  PT_D,
  PT_P,
  PT_SHADOW_IO_MARK,
  PT_SHADOW_USER,
  PT_SHADOW_WRITABLE,
  PT_U,
  PT_W,
} from "../layout.ts";
import { FINDING_HAZARD, type Mmu } from "../mmu.ts";
import {
  H_DIRECT_AD_WRITE,
  H_NONPAGING_TABLE,
  H_PSE36_GFN,
  H_USER_WRITE_OWN_TABLE,
  H_USER_WRITE_ROOT,
  H_WP_TRICK,
} from "../policy/hazards.ts";
import { clearOtherModes } from "../write/other-modes.ts";
import { becameDirty, fetch, isLargePageShadow } from "./fetch.ts";
import { noteWritable } from "./leaf.ts";
import { getPage, lookupPage, noteZap, roleFor, unprotectPage, zapPage } from "./page.ts";
import { topupCaches } from "./parents.ts";
import { bucketOf } from "./pool.ts";
import { rmapAdd, rmapRemove } from "./rmap.ts";
import { roleMetaphysical } from "./role.ts";
import { WALK_MANUAL, WALK_PEEK, walkGuest } from "./walk.ts";
import type { Walker } from "./walker.ts";

/** The spte is right now: the guest goes on. */
export const FAULT_FIXED = 0;
/** The guest's own fault: inject #PF with `mmu.walker.error`. */
export const FAULT_GUEST = 1;
/** A write to a shadowed table: emulate. */
export const FAULT_EMULATE = 2;
/** No memory there: emulate. */
export const FAULT_MMIO = 3;

/** A policy's page fault handler: `error` is the hardware's error code; answers FAULT_…. */
export type PageFault = (mmu: Mmu, addr: number, error: number) => number;

/** The handler of 2007 (5.2, 5.7). */
export function referencePageFault(mmu: Mmu, addr: number, error: number): number {
  if (mmu.rootLevel === 0) return nonpagingPageFault(mmu, addr);
  topupCaches(mmu);
  const w = mmu.walker;
  const access = error & (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH);
  if (!walkGuest(mmu, w, addr, access, 0)) {
    resetDetector(mmu);
    return FAULT_GUEST;
  }
  const ptr = fetch(mmu, addr, w);
  if (ptr === 0) return FAULT_FIXED;
  let writePt = false;
  if ((access & ACCESS_WRITE) !== 0) writePt = fixWritePf(mmu, addr, ptr, (access & ACCESS_USER) !== 0, w);
  else fixReadPf(mmu, ptr);
  if (!writePt) resetDetector(mmu);
  const low = mmu.spteLow(ptr);
  if ((low & PT_SHADOW_IO_MARK) !== 0 && (low & PT_P) === 0) return FAULT_MMIO;
  mmu.count[C.pf_fixed]!++;
  if (mmu.trace.on) {
    mmu.trace.emit(EV_PF_FIXED, addr, error, w.frame, low, mmu.spteHigh(ptr), writePt ? 1 : 0);
  }
  return writePt ? FAULT_EMULATE : FAULT_FIXED;
}

/** Ordinary faults reset the count of the flood detector, where the policy has that rule (6.3). */
export function resetDetector(mmu: Mmu): void {
  if (mmu.policy.flood.resets) mmu.lastPtWriteCount = 0;
}

/** fix_write_pf (5.5). True: write_pt, the write is to be emulated. */
function fixWritePf(mmu: Mmu, addr: number, ptr: number, user: boolean, w: Walker): boolean {
  let low = mmu.spteLow(ptr);
  if ((low & PT_W) !== 0) return false;
  const allowed = (low & PT_SHADOW_WRITABLE) !== 0;
  if (user) {
    if ((low & PT_SHADOW_USER) === 0 || !allowed) return false;
  } else if (!allowed) {
    if ((mmu.cpu.cr0 & CR0_WP) !== 0) return false;
    // The CR0.WP=0 trick (2.7): the kernel may write, the user is locked out.
    mmu.spteSet(ptr, low & ~PT_U, mmu.spteHigh(ptr), SPTE_FIX_WRITE_PF);
  }
  const table = w.table[w.level - 1]!;
  let gfn = w.gfn;
  if (w.frame !== gfn && mmu.guarded[H_PSE36_GFN]) {
    if (lookupPage(mmu, w.frame) >= 0 !== lookupPage(mmu, gfn) >= 0) mmu.guard(H_PSE36_GFN, w.frame, gfn);
    gfn = w.frame;
  }
  if (lookupPage(mmu, gfn) >= 0 && (!user || !userWrite(mmu, addr, gfn, w))) {
    mmu.slots.markDirty(gfn);
    setDirty(mmu, table, w);
    return true;
  }
  mmu.slots.markDirty(gfn);
  low = mmu.spteLow(ptr);
  mmu.spteSet(ptr, low | PT_W, mmu.spteHigh(ptr), SPTE_FIX_WRITE_PF);
  setDirty(mmu, table, w);
  rmapAdd(mmu, ptr);
  const page = mmu.pageOf(ptr);
  if (mmu.active[page] === 1 && isLargePageShadow(mmu, page)) {
    noteWritable(mmu, page);
    becameDirty(mmu, page, linkOf(mmu, addr));
  }
  return false;
}

/** hpa of the level-2 spte that translates `addr`. */
function linkOf(mmu: Mmu, addr: number): number {
  return (mmu.spteLow(PAE_ROOT_HPA + (addr >>> 30) * 8) & ~0xfff) + ((addr >>> 21) & 511) * 8;
}

function setDirty(mmu: Mmu, table: number, w: Walker): void {
  if ((w.low & PT_D) !== 0) {
    mmu.slots.markDirty(table);
    return;
  }
  mmu.setGuestBits(table, w.offset, PT_A | PT_D, w.level);
  w.low |= PT_A | PT_D;
  if (mmu.guarded[H_DIRECT_AD_WRITE]) clearOtherModes(mmu, table, w.offset);
}

/**
 * A user write to a shadowed table (5.5 step 5): zaps every shadow page of gfn. False: a guard asks for emulation
 * instead, because the table is an active root's, or translates this very instruction.
 */
function userWrite(mmu: Mmu, addr: number, gfn: number, w: Walker): boolean {
  let root = false;
  let again = false;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.gfn[page] !== gfn || roleMetaphysical(mmu.role[page]!)) continue;
    if (mmu.rootCount[page]! > 0) root = true;
    for (let i = 0; i < mmu.zappedCount; i++) {
      if (mmu.zappedGfn[i] === gfn && mmu.zappedRole[i] === mmu.role[page]) again = true;
    }
  }
  if (root) {
    if (mmu.guarded[H_USER_WRITE_ROOT]) {
      mmu.guard(H_USER_WRITE_ROOT, addr, gfn);
      return false;
    }
    unprotectPage(mmu, gfn, ZAP_USER_WRITE);
    mmu.found(
      FINDING_HAZARD + H_USER_WRITE_ROOT,
      addr,
      gfn,
      `a user write to the table of an active root (gfn ${gfn.toString(16)}): the loop that zaps its shadow pages never ends (5.5)`,
    );
    return true;
  }
  if (mmu.guarded[H_USER_WRITE_OWN_TABLE] && (again || translatedThrough(mmu, addr, gfn, w))) {
    mmu.guard(H_USER_WRITE_OWN_TABLE, addr, gfn);
    return false;
  }
  for (let page = lookupPage(mmu, gfn); page >= 0; page = lookupPage(mmu, gfn)) {
    if (mmu.guarded[H_USER_WRITE_OWN_TABLE]) noteZap(mmu, gfn, mmu.role[page]!, H_USER_WRITE_OWN_TABLE);
    zapPage(mmu, page, ZAP_USER_WRITE);
  }
  return true;
}

/** True when the access, or the fetch of the instruction that makes it, goes through the table `gfn`. */
function translatedThrough(mmu: Mmu, addr: number, gfn: number, w: Walker): boolean {
  for (let level = w.reached; level <= 2; level++) if (w.table[level - 1] === gfn) return true;
  const ip = mmu.cpu.linearIp;
  const peek = mmu.walker2;
  for (let i = 0; i < 2; i++) {
    walkGuest(mmu, peek, i === 0 ? ip : (ip + 14) | 0, 0, WALK_PEEK | WALK_MANUAL);
    for (let level = peek.reached; level <= 2; level++) if (peek.table[level - 1] === gfn) return true;
  }
  // An access may cross into the next page.
  walkGuest(mmu, peek, (addr + 7) | 0, 0, WALK_PEEK | WALK_MANUAL);
  for (let level = peek.reached; level <= 2; level++) if (peek.table[level - 1] === gfn) return true;
  return false;
}

/** fix_read_pf (5.6): back from the WP=0 state. */
function fixReadPf(mmu: Mmu, ptr: number): void {
  const low = mmu.spteLow(ptr);
  if ((low & PT_SHADOW_USER) === 0 || (low & PT_U) !== 0) return;
  if (mmu.guarded[H_WP_TRICK] && (low & (PT_P | PT_W)) === (PT_P | PT_W)) {
    mmu.guard(H_WP_TRICK, ptr & ~0xfff, (ptr & 0xfff) >> 3);
    rmapRemove(mmu, ptr);
    if (mmu.svm) mmu.cpu.paging.flush(FLUSH_GUARD, false);
  }
  mmu.spteSet(ptr, (low | PT_U) & ~PT_W, mmu.spteHigh(ptr), SPTE_FIX_READ_PF);
}

/** nonpaging_page_fault and nonpaging_map (5.7). */
function nonpagingPageFault(mmu: Mmu, addr: number): number {
  topupCaches(mmu);
  const gfn = addr >>> 12;
  const hfn = mmu.slots.hfnOf(gfn);
  if (hfn < 0) return FAULT_MMIO;
  // No root: the pool was empty when it was made (a finding).
  if ((mmu.spteLow(PAE_ROOT_HPA + (addr >>> 30) * 8) & PT_P) === 0) return FAULT_FIXED;
  const link = linkOf(mmu, addr);
  if ((mmu.spteLow(link) & PT_P) === 0) {
    const page = getPage(mmu, (addr >>> 21) << 9, roleFor(mmu, addr, 1, true, 0), link);
    if (page < 0) return FAULT_FIXED;
    mmu.spteSet(link, mmu.hpaOf(page) | LINK_NONPAGING, 0, SPTE_NONPAGING);
  }
  const page = mmu.pageOf(mmu.spteLow(link) & ~0xfff);
  const ptr = mmu.hpaOf(page) + ((addr >>> 12) & 511) * 8;
  const low = mmu.spteLow(ptr);
  if ((low & (PT_P | PT_W)) === (PT_P | PT_W)) return FAULT_FIXED;
  if (mmu.guarded[H_NONPAGING_TABLE] && lookupPage(mmu, gfn) >= 0) {
    mmu.guard(H_NONPAGING_TABLE, addr, gfn);
    unprotectPage(mmu, gfn, ZAP_GUARD);
  }
  mmu.slots.markDirty(gfn);
  mmu.slotBitmap[page]! |= 1 << mmu.slots.slotOf(gfn);
  mmu.spteSet(ptr, (hfn << 12) | LINK_NONPAGING, 0, SPTE_NONPAGING);
  rmapAdd(mmu, ptr);
  return FAULT_FIXED;
}
