/**
 * Leaf sptes as the versions from 2.6.26 on make them: mmu_set_spte and set_spte. Rights come from the page's role and the
 * guest's entry alone, D is always set, A unless the spte is made ahead of an access; what the guest allows is no longer
 * kept in bits 10 and 11. docs/kvm-shadow-mmu.md 9.1, 9.3.
 */
import { EV_MARK_MMIO_SPTE, EV_SET_SPTE, FLUSH_SET_PTE_COMMON } from "../../trace/events.ts";
import { C } from "../counters.ts";
import { CR0_WP, EFER_NXE, PT_A, PT_D, PT_NX_HIGH, PT_P, PT_SHADOW_IO_MARK, PT_U, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { H_WP_WRITE_USER } from "../policy/hazards.ts";
import { becameDirty, isLargePageShadow } from "./fetch.ts";
import { needRemoteFlush, remoteFlush } from "./flush.ts";
import { noteWritable } from "./leaf.ts";
import { rmapAdd, rmapRemove } from "./rmap.ts";
import { ACC_U, ACC_W, ACC_X, ROLE_NXE, roleGlevels } from "./role.ts";

/** What the spte is made for. */
export const SET_USER_FAULT = 1;
export const SET_WRITE_FAULT = 2;
/** Ahead of an access: by update_pte, or while a page is synchronised. */
export const SET_SPECULATIVE = 4;
/** The frame's page tables may go out of sync for it. */
export const SET_CAN_UNSYNC = 8;

/**
 * Whether NX is no reserved bit in the entries of a page of this role that are read now, ahead of an access: under
 * EFER.NXE, and where the role has a field for it (2.6.32 and later, 9.4) in the mode that the page is for as well. 2.6.32
 * tells pages of either mode of a write, and synchronises them.
 */
export function mayHaveNx(mmu: Mmu, role: number): boolean {
  if ((mmu.cpu.efer & EFER_NXE) === 0) return false;
  return (mmu.policy.roles.key & ROLE_NXE) === 0 || (role & ROLE_NXE) !== 0;
}

/** gpte_access: rights that one guest entry gives. `wide`: it has 8 bytes. */
export function gpteAccess(mmu: Mmu, low: number, high: number, wide: boolean): number {
  const access = (low & (ACC_W | ACC_U)) | ACC_X;
  return wide && high < 0 && (mmu.cpu.efer & EFER_NXE) !== 0 ? access & ~ACC_X : access;
}

/**
 * Makes the leaf at `ptr` of `page` map `frame`. True: its frame holds a shadowed table that must stay write-protected,
 * so that a write is to be emulated.
 * @param access ACC_…: what page and guest entry allow
 * @param dirty D of the guest's entry
 * @param frame whole gfn
 * @param flags SET_…
 */
export function setSpte(
  mmu: Mmu,
  page: number,
  ptr: number,
  access: number,
  dirty: boolean,
  frame: number,
  flags: number,
  why: number,
): boolean {
  const oldLow = mmu.spteLow(ptr);
  const oldHigh = mmu.spteHigh(ptr);
  const hfn = mmu.slots.hfnOf(frame);
  if (hfn < 0) {
    if ((oldLow & PT_P) !== 0) dropSpte(mmu, ptr, why);
    if (mmu.policy.mmioSptes && (flags & SET_SPECULATIVE) === 0) markMmio(mmu, ptr, access, frame, why);
    return false;
  }
  const supervisorWrite =
    (flags & (SET_WRITE_FAULT | SET_USER_FAULT)) === SET_WRITE_FAULT && (mmu.cpu.cr0 & CR0_WP) === 0;
  let rights = dirty ? access : access & ~ACC_W;
  let low = (hfn << 12) | PT_P | PT_D | ((flags & SET_SPECULATIVE) === 0 ? PT_A : 0);
  const high = (access & ACC_X) !== 0 ? 0 : PT_NX_HIGH;
  if ((access & ACC_U) !== 0) low |= PT_U;
  let protect = false;
  if ((rights & ACC_W) !== 0 || supervisorWrite) {
    low |= PT_W;
    if ((rights & ACC_W) === 0 && (low & PT_U) !== 0) {
      // CR0.WP=0: only the kernel may write (2.7). 2.6.26 and 2.6.32 leave the page to the user as well.
      if (mmu.policy.clearsUser) low &= ~PT_U;
      else if (mmu.guarded[H_WP_WRITE_USER]) {
        mmu.guard(H_WP_WRITE_USER, ptr & ~0xfff, (ptr & 0xfff) >> 3);
        low &= ~PT_U;
      }
    }
    // While a page is synchronised, an spte that was writable has its frame looked at already.
    const stays =
      (flags & SET_CAN_UNSYNC) === 0 && (oldLow & (PT_P | PT_W)) === (PT_P | PT_W) && oldLow >>> 12 === hfn;
    if (!stays && mmu.policy.needWriteProtect(mmu, frame, flags)) {
      protect = true;
      rights &= ~ACC_W;
      low &= ~PT_W;
      if ((access & ACC_U) !== 0) low |= PT_U;
    }
  }
  if ((low & PT_W) !== 0) mmu.slots.markDirty(frame);
  mmu.slotBitmap[page]! |= 1 << mmu.slots.slotOf(frame);
  rmapRemove(mmu, ptr);
  mmu.spteSet(ptr, low, high, why);
  rmapAdd(mmu, ptr);
  if (needRemoteFlush(oldLow, oldHigh, low, high)) remoteFlush(mmu);
  else if (protect) mmu.cpu.paging.flush(FLUSH_SET_PTE_COMMON, false);
  if ((low & PT_W) !== 0 && isLargePageShadow(mmu, page)) noteWritable(mmu, page);
  if (mmu.policy.modern && mmu.trace.on) {
    mmu.trace.emit(EV_SET_SPTE, frame, low, high, 1, ptr);
  }
  return protect;
}

/** After `setSpte` of a large-page shadow: other clean entries that link to the page are taken off it (3.2). */
export function largePageWritten(mmu: Mmu, page: number, ptr: number, link: number): void {
  if ((mmu.spteLow(ptr) & (PT_P | PT_W)) === (PT_P | PT_W)) becameDirty(mmu, page, link);
}

/** drop_spte: a leaf goes, out of the rmap too. The caller flushes. */
export function dropSpte(mmu: Mmu, ptr: number, why: number): void {
  rmapRemove(mmu, ptr);
  mmu.spteSet(ptr, 0, 0, why);
}

/** An address without memory, remembered in the spte (3.1 and later): not present, bit 9, the gpa in its place. */
function markMmio(mmu: Mmu, ptr: number, access: number, frame: number, why: number): void {
  const low = (frame << 12) | PT_SHADOW_IO_MARK | (access & (ACC_W | ACC_U));
  mmu.spteSet(ptr, low, Math.floor(frame / 0x10_0000) & 0xf_ffff, why);
  if (mmu.policy.modern) mmu.count[C.pf_mmio_spte_created]!++;
  if (mmu.trace.on) mmu.trace.emit(EV_MARK_MMIO_SPTE, ptr, frame, access & (ACC_W | ACC_U));
}

/** Entries of 8 bytes are read by a page of this role. */
export const isWide = (role: number): boolean => roleGlevels(role) >= 3;
