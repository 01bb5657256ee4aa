/**
 * The page fault path of the versions from 2.6.26 on: the walker sets D itself, the leaf is made anew by every fault, and
 * a write to a table that stays write-protected is emulated, the user's too. docs/kvm-shadow-mmu.md 9.1, 9.3, 11.
 */
import {
  EV_CHECK_MMIO_SPTE,
  EV_HANDLE_MMIO_PAGE_FAULT,
  EV_PF_FIXED,
  EV_SPTE_REQUESTED,
  SPTE_FETCH,
  SPTE_LINK,
  SPTE_NONPAGING,
} from "../../trace/events.ts";
import { ACCESS_FETCH, ACCESS_USER, ACCESS_WRITE } from "../../x86/door.ts";
import { C } from "../counters.ts";
import { LINK_NONPAGING, LINK_PAGING, PAE_ROOT_HPA, PT_D, PT_P, PT_SHADOW_IO_MARK } from "../layout.ts";
import { type Mmu, RIGHT_D } from "../mmu.ts";
import { H_DIRECT_ACCESS, H_LARGE_PAGE_DIRTY } from "../policy/hazards.ts";
import { FAULT_EMULATE, FAULT_FIXED, FAULT_GUEST, FAULT_MMIO, resetDetector } from "./fault.ts";
import { largeKey } from "./fetch.ts";
import { remoteFlush } from "./flush.ts";
import { findPage, guardZap, reclaimIfLow, roleWithAccess } from "./page.ts";
import { removeParent, topupCaches } from "./parents.ts";
import { ACC_ALL, ACC_W, ACC_X, roleAccess, roleMetaphysical } from "./role.ts";
import {
  gpteAccess,
  largePageWritten,
  SET_CAN_UNSYNC,
  SET_USER_FAULT,
  SET_WRITE_FAULT,
  setSpte,
} from "./set-spte.ts";
import { WALK_SET_DIRTY, walkGuest } from "./walk.ts";
import type { Walker } from "./walker.ts";

export function laterPageFault(mmu: Mmu, addr: number, error: number): number {
  if (mmu.policy.modern) mmu.count[C.pf_taken]!++;
  topupCaches(mmu);
  const access = error & (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH);
  if (mmu.policy.mmioSptes && mmioFault(mmu, addr)) return emulated(mmu, FAULT_MMIO);
  if (mmu.rootLevel === 0) return laterNonpagingFault(mmu, addr, access);
  const w = mmu.walker;
  if (!walkGuest(mmu, w, addr, access, WALK_SET_DIRTY)) {
    resetDetector(mmu);
    return FAULT_GUEST;
  }
  if (w.madeDirty) mmu.policy.dirtySet(mmu, w);
  if (mmu.slots.hfnOf(w.frame) < 0 && !mmu.policy.mmioSptes) return FAULT_MMIO;
  reclaimIfLow(mmu);
  const ptr = laterFetch(mmu, addr, w, access);
  if (ptr === 0) return FAULT_FIXED;
  if (!mmu.writePt) resetDetector(mmu);
  const low = mmu.spteLow(ptr);
  if ((low & (PT_SHADOW_IO_MARK | PT_P)) === PT_SHADOW_IO_MARK) return emulated(mmu, FAULT_MMIO);
  mmu.count[C.pf_fixed]!++;
  if (mmu.trace.on) {
    mmu.trace.emit(EV_PF_FIXED, addr, error, w.frame, low, mmu.spteHigh(ptr), mmu.writePt ? 1 : 0);
  }
  return mmu.writePt ? emulated(mmu, FAULT_EMULATE) : FAULT_FIXED;
}

function emulated(mmu: Mmu, what: number): number {
  if (mmu.policy.modern) mmu.count[C.pf_emulate]!++;
  return what;
}

/** handle_mmio_page_fault: the spte says that there is no memory; the guest's tables are not walked for it. */
function mmioFault(mmu: Mmu, addr: number): boolean {
  const root = mmu.spteLow(PAE_ROOT_HPA + (addr >>> 30) * 8);
  if ((root & PT_P) === 0) return false;
  const link = mmu.spteLow((root & ~0xfff) + ((addr >>> 21) & 511) * 8);
  if ((link & PT_P) === 0) return false;
  const ptr = (link & ~0xfff) + ((addr >>> 12) & 511) * 8;
  const low = mmu.spteLow(ptr);
  if ((low & (PT_SHADOW_IO_MARK | PT_P)) !== PT_SHADOW_IO_MARK) return false;
  const high = mmu.spteHigh(ptr);
  if (mmu.trace.on) {
    if (mmu.policy.modern) mmu.trace.emit(EV_CHECK_MMIO_SPTE, low, high, 0, 0);
    const gfn = (high & 0xf_ffff) * 0x10_0000 + (low >>> 12);
    mmu.trace.emit(EV_HANDLE_MMIO_PAGE_FAULT, addr, gfn, low & ACC_ALL);
  }
  return true;
}

/** FNAME(fetch): finds or builds the way down and makes the leaf. 0: no root, or the pool was empty (a finding). */
function laterFetch(mmu: Mmu, addr: number, w: Walker, access: number): number {
  mmu.writePt = false;
  const root = mmu.spteLow(PAE_ROOT_HPA + (addr >>> 30) * 8);
  if ((root & PT_P) === 0) return 0;
  const link = (root & ~0xfff) + ((addr >>> 21) & 511) * 8;
  const large = w.level === 2;
  const wide = mmu.rootLevel === 3;
  const above = (w.inherited & 6) | (w.inheritedNx && wide ? 0 : ACC_X);
  const all = above & gpteAccess(mmu, w.low, w.high, wide);
  let ofPage = above;
  if (large) {
    ofPage = directAccess(mmu, above, all, (w.low & PT_D) !== 0);
    validateDirect(mmu, link, ofPage);
  }
  if (mmu.policy.flood.by === "page") mmu.writeFloods[mmu.pageOf(root & ~0xfff)] = 0;
  let child: number;
  const low = mmu.spteLow(link);
  if ((low & PT_P) !== 0) child = mmu.pageOf(low & ~0xfff);
  else {
    const gfn = large ? largeKey(w.low, wide ? w.high & 0x7fff_ffff : 0) : w.table[0]!;
    const role = roleWithAccess(mmu, addr, 1, large, ofPage);
    if (large) checkClean(mmu, gfn, role, (w.low & PT_D) === 0);
    child = mmu.policy.getPage(mmu, gfn, role, link);
    if (child < 0) return 0;
    mmu.spteSet(link, mmu.hpaOf(child) | LINK_PAGING, 0, SPTE_LINK);
  }
  const ptr = mmu.hpaOf(child) + ((addr >>> 12) & 511) * 8;
  if ((mmu.spteLow(ptr) & PT_P) === 0) mmu.count[C.refills]!++;
  if (mmu.policy.modern && mmu.trace.on) {
    mmu.trace.emit(EV_SPTE_REQUESTED, w.frame, mmu.slots.hfnOf(w.frame), 1);
  }
  const write = (access & ACCESS_WRITE) !== 0;
  const flags =
    SET_CAN_UNSYNC | (write ? SET_WRITE_FAULT : 0) | ((access & ACCESS_USER) !== 0 ? SET_USER_FAULT : 0);
  const before = mmu.spteLow(ptr);
  const beforeHigh = mmu.spteHigh(ptr);
  const protect = setSpte(mmu, child, ptr, all & ofPage, (w.low & PT_D) !== 0, w.frame, flags, SPTE_FETCH);
  if (large) largePageWritten(mmu, child, ptr, link);
  if (
    mmu.policy.modern &&
    !protect &&
    (before & PT_P) !== 0 &&
    before === mmu.spteLow(ptr) &&
    beforeHigh === mmu.spteHigh(ptr)
  ) {
    mmu.count[C.pf_spurious]!++;
  }
  mmu.writePt = protect && write;
  return ptr;
}

/**
 * Rights of the page that breaks a guest's large page up: all that the guest allows, W only when D is set. 2.6.26 and
 * 2.6.32 leave the large entry's own rights out (`direct-access`).
 */
function directAccess(mmu: Mmu, above: number, all: number, dirty: boolean): number {
  const whole = dirty ? all : all & ~ACC_W;
  if (mmu.policy.directWhole) return whole;
  const reference = dirty ? above : above & ~ACC_W;
  if (!mmu.guarded[H_DIRECT_ACCESS]) return reference;
  if (whole !== reference) mmu.guard(H_DIRECT_ACCESS, reference, whole);
  return whole;
}

/** validate_direct_spte: a link to a large page's shadow of other rights goes. */
function validateDirect(mmu: Mmu, link: number, access: number): void {
  const low = mmu.spteLow(link);
  if ((low & PT_P) === 0) return;
  if (!mmu.policy.directWhole && !mmu.guarded[H_DIRECT_ACCESS]) return;
  const child = mmu.pageOf(low & ~0xfff);
  if (!roleMetaphysical(mmu.role[child]!) || roleAccess(mmu.role[child]!) === access) return;
  removeParent(mmu, child, link);
  mmu.spteSet(link, 0, 0, SPTE_LINK);
  remoteFlush(mmu);
}

/** A clean large entry must not find leaves that were made writable without it (3.2). */
function checkClean(mmu: Mmu, gfn: number, role: number, clean: boolean): void {
  const known = findPage(mmu, gfn, role);
  if (known < 0 || !clean || (mmu.rights[known]! & RIGHT_D) === 0) return;
  if (mmu.guarded[H_LARGE_PAGE_DIRTY]) guardZap(mmu, known, H_LARGE_PAGE_DIRTY);
}

/** nonpaging_page_fault: the frame is looked at as with paging on, so that a shadowed table stays protected. */
function laterNonpagingFault(mmu: Mmu, addr: number, access: number): number {
  const frame = addr >>> 12;
  if (mmu.slots.hfnOf(frame) < 0) return FAULT_MMIO;
  reclaimIfLow(mmu);
  const root = mmu.spteLow(PAE_ROOT_HPA + (addr >>> 30) * 8);
  if ((root & PT_P) === 0) return FAULT_FIXED;
  const link = (root & ~0xfff) + ((addr >>> 21) & 511) * 8;
  if ((mmu.spteLow(link) & PT_P) === 0) {
    const role = roleWithAccess(mmu, addr, 1, true, ACC_ALL);
    const page = mmu.policy.getPage(mmu, (addr >>> 21) << 9, role, link);
    if (page < 0) return FAULT_FIXED;
    mmu.spteSet(link, mmu.hpaOf(page) | LINK_NONPAGING, 0, SPTE_NONPAGING);
  }
  const page = mmu.pageOf(mmu.spteLow(link) & ~0xfff);
  const ptr = mmu.hpaOf(page) + ((addr >>> 12) & 511) * 8;
  const write = (access & ACCESS_WRITE) !== 0;
  const flags = SET_CAN_UNSYNC | (write ? SET_WRITE_FAULT : 0);
  const protect = setSpte(mmu, page, ptr, ACC_ALL, true, frame, flags, SPTE_NONPAGING);
  return protect && write ? emulated(mmu, FAULT_EMULATE) : FAULT_FIXED;
}
