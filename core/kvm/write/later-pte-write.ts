/**
 * kvm_mmu_pte_write of the versions from 2.6.26 on, called when the bytes are in memory already: entries are read back
 * from there, whole. docs/kvm-shadow-mmu.md 9.1, 9.2, 11.
 */
import {
  EV_PTE_WRITE,
  SPTE_PTE_WRITE,
  SPTE_UPDATE_PTE,
  VERDICT_FLOODED,
  VERDICT_MISALIGNED,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
  ZAP_FLOODED,
  ZAP_MISALIGNED,
} from "../../trace/events.ts";
import { C } from "../counters.ts";
import { CR0_WP, CR4_PAE, EFER_NXE, MAX_MMU_PAGES, PT_A, PT_D, PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { H_CROSSING_HALF, H_RESERVED_BITS } from "../policy/hazards.ts";
import { localFlush, needRemoteFlush, remoteFlush } from "../shadow/flush.ts";
import { reclaimIfLow, zapPage } from "../shadow/page.ts";
import { removeParent } from "../shadow/parents.ts";
import { bucketOf } from "../shadow/pool.ts";
import { rmapRemove } from "../shadow/rmap.ts";
import {
  ROLE_NXE,
  ROLE_WP,
  roleAccess,
  roleEntrySize,
  roleGlevels,
  roleLevel,
  roleMetaphysical,
} from "../shadow/role.ts";
import {
  gpteAccess,
  isWide,
  mayHaveNx,
  SET_CAN_UNSYNC,
  SET_SPECULATIVE,
  setSpte,
} from "../shadow/set-spte.ts";
import { frame64, reserved64 } from "../shadow/walk.ts";
import { accessPage, countWrite, countWriteOfPage } from "./detectors.ts";
import { tell } from "./last-writes.ts";
import { chosen } from "./zap-spte.ts";

/** Safe iteration: pages of the bucket as they were before the write. */
const pages = new Int32Array(MAX_MMU_PAGES);

/**
 * @param offset, bytes where in the page of gfn bytes have changed; within the page
 * @param guest the guest wrote, not the hypervisor on its behalf
 */
export function laterPteWrite(
  mmu: Mmu,
  gfn: number,
  offset: number,
  bytes: number,
  low: number,
  high: number,
  guest: boolean,
): void {
  const { policy } = mmu;
  if (policy.widens !== null && !anyIndirect(mmu)) return;
  if (!policy.modern) reclaimIfLow(mmu);
  let at = offset;
  let size = bytes;
  if (policy.widens !== null && bytes === 4 && (mmu.cpu.cr4 & CR4_PAE) !== 0) {
    // Half an entry is taken for the whole. 3.1 leaves the offset, so that an upper half counts as misaligned; later ones
    // round it down first, and a write across two entries is seen in the first alone.
    if (policy.widens === "entry" && (at & 7) > 4 && mmu.guarded[H_CROSSING_HALF]) {
      mmu.guard(H_CROSSING_HALF, gfn, at);
    } else {
      size = 8;
      if (policy.widens === "entry") at &= ~7;
    }
  }
  mmu.count[C.mmu_pte_write]!++;
  let flooded = false;
  if (policy.flood.by === "vcpu" && (guest || !policy.flood.guestOnly)) {
    accessPage(mmu, gfn);
    flooded = countWrite(mmu, gfn);
  }
  mmu.lastWrites.begin(mmu.trace.clock.time, gfn, offset, bytes, low, high, mmu.lastPtWriteCount, flooded);
  if (mmu.trace.on) {
    mmu.trace.emit(EV_PTE_WRITE, gfn, offset, bytes, low, high, mmu.lastPtWriteCount, flooded ? 1 : 0);
  }
  const guess = policy.guesses ? guessFrame(mmu, gfn, offset, bytes) : -1;
  let n = 0;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.gfn[page] === gfn && !roleMetaphysical(mmu.role[page]!)) pages[n++] = page;
  }
  mmu.collecting = policy.flush === "combined";
  let zapped = false;
  let touched = false;
  for (let k = 0; k < n; k++) {
    const page = pages[k]!;
    // An upper page takes its unsync children along, which may be of this gfn too.
    if (mmu.active[page] === 0 || mmu.gfn[page] !== gfn) continue;
    const role = mmu.role[page]!;
    const misaligned = policy.misaligned(at, size, roleEntrySize(role));
    const full = flooded || (policy.flood.by === "page" && !misaligned && countWriteOfPage(mmu, page));
    if (misaligned || full) {
      mmu.count[C.mmu_flooded]!++;
      tell(mmu, page, misaligned ? VERDICT_MISALIGNED : VERDICT_FLOODED, 0, 0, 0);
      zapPage(mmu, page, misaligned ? ZAP_MISALIGNED : ZAP_FLOODED);
      zapped = true;
      continue;
    }
    policy.choose(chosen, at, role);
    const { index, npte } = chosen;
    tell(mmu, page, chosen.skipped ? VERDICT_SKIPPED : VERDICT_TOUCHED, chosen.quadrant, index, npte);
    if (chosen.skipped) {
      mmu.count[C.quadrant_skipped]!++;
      continue;
    }
    touched = true;
    for (let i = 0; i < npte; i++) {
      writeSpte(mmu, page, mmu.hpaOf(page) + (index + i) * 8, at, size, guess);
    }
  }
  endFlush(mmu, zapped, touched);
}

/** One spte: cleared, made anew where the version does, flushed or noted for the flush at the end. */
function writeSpte(mmu: Mmu, page: number, ptr: number, at: number, size: number, guess: number): void {
  const { policy } = mmu;
  const oldLow = mmu.spteLow(ptr);
  const oldHigh = mmu.spteHigh(ptr);
  const leaf = roleLevel(mmu.role[page]!) === 1;
  if ((oldLow & PT_P) !== 0) {
    if (leaf) rmapRemove(mmu, ptr);
    else removeParent(mmu, mmu.pageOf(oldLow & ~0xfff), ptr);
  }
  mmu.spteSet(ptr, 0, 0, SPTE_PTE_WRITE);
  if (!leaf) {
    if (!policy.modern || wrote(mmu, page, at, size)) mmu.count[C.mmu_pde_zapped]!++;
  } else if (policy.updates) {
    mmu.count[C.mmu_pte_updated]!++;
    updateLater(mmu, page, ptr, at, size, guess);
  }
  const flush = needRemoteFlush(oldLow, oldHigh, mmu.spteLow(ptr), mmu.spteHigh(ptr));
  if (flush) remoteFlush(mmu);
  else if (policy.flush === "selective") localFlush(mmu);
}

/** Whether the write left something but zeroes in an entry that could be read whole. */
function wrote(mmu: Mmu, page: number, at: number, size: number): boolean {
  if (size !== 4 && size !== 8) return false;
  const gfn = mmu.gfn[page]!;
  return mmu.guestWord(gfn, at & ~3) !== 0 || (size === 8 && mmu.guestWord(gfn, (at & ~3) + 4) !== 0);
}

/** 3.1 and later flush once: for all processors when it must be, else, in 3.1, for this one. */
function endFlush(mmu: Mmu, zapped: boolean, touched: boolean): void {
  if (!mmu.collecting) return;
  mmu.collecting = false;
  if (mmu.flushPending) {
    mmu.flushPending = false;
    remoteFlush(mmu);
  } else if (touched && !zapped && !mmu.policy.modern) localFlush(mmu);
}

/** FNAME(update_pte) of 2.6.26 to 3.1: a leaf from the entry as it is in memory now. */
function updateLater(mmu: Mmu, page: number, ptr: number, at: number, size: number, guess: number): void {
  const { policy } = mmu;
  const role = mmu.role[page]!;
  const wide = isWide(role);
  if (policy.widens !== null && ((size !== 4 && size !== 8) || !sameMode(mmu, role))) return;
  const offset = at & ~(roleEntrySize(role) - 1);
  const low = mmu.guestWord(mmu.gfn[page]!, offset);
  const high = wide ? mmu.guestWord(mmu.gfn[page]!, offset + 4) : 0;
  if ((low & (PT_P | PT_A)) !== (PT_P | PT_A)) return;
  if (wide && reserved64(low, high, false, mayHaveNx(mmu, role))) {
    if (policy.syncChecksReserved) return;
    if (mmu.guarded[H_RESERVED_BITS]) {
      mmu.guard(H_RESERVED_BITS, mmu.hpaOf(page), (ptr & 0xfff) >> 3);
      return;
    }
  }
  const frame = wide ? frame64(low, high) : low >>> 12;
  if (policy.guesses && frame !== guess) return;
  if (mmu.slots.hfnOf(frame) < 0) return;
  const access = roleAccess(role) & gpteAccess(mmu, low, high, wide);
  const flags = SET_SPECULATIVE | SET_CAN_UNSYNC;
  setSpte(mmu, page, ptr, access, (low & PT_D) !== 0, frame, flags, SPTE_UPDATE_PTE);
  mmu.lastPteUpdated = ptr;
  mmu.lastPteGfn = frame;
}

/** 3.1 updates only when cr0_wp, cr4_pae and nxe of the page are the processor's. */
function sameMode(mmu: Mmu, role: number): boolean {
  const { cr0, cr4, efer } = mmu.cpu;
  if (((role & ROLE_WP) !== 0) !== ((cr0 & CR0_WP) !== 0)) return false;
  if (((role & ROLE_NXE) !== 0) !== ((efer & EFER_NXE) !== 0)) return false;
  return roleGlevels(role) >= 3 === ((cr4 & CR4_PAE) !== 0);
}

/** mmu_guess_page_from_pte_write: the frame that the written entry names in the processor's own mode, or -1. */
function guessFrame(mmu: Mmu, gfn: number, offset: number, bytes: number): number {
  const pae = (mmu.cpu.cr4 & CR4_PAE) !== 0;
  if (offset % 4 !== 0 || (pae ? bytes !== 4 && (bytes !== 8 || offset % 8 !== 0) : bytes !== 4)) return -1;
  const at = pae ? offset & ~7 : offset;
  const low = mmu.guestWord(gfn, at);
  if ((low & PT_P) === 0) return -1;
  return pae ? frame64(low, mmu.guestWord(gfn, at + 4)) : low >>> 12;
}

/** Some active page shadows a guest table. */
function anyIndirect(mmu: Mmu): boolean {
  for (let page = mmu.activeHead; page >= 0; page = mmu.listNext[page]!) {
    if (!roleMetaphysical(mmu.role[page]!)) return true;
  }
  return false;
}
