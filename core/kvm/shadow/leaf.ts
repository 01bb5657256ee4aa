/**
 * How a leaf spte is computed: set_pte_common, for page table entries, large pages and update_pte.
 * docs/kvm-shadow-mmu.md 2.6.
 */
import { FLUSH_SET_PTE_COMMON } from "../../trace/events.ts";
import {
  PT_COPY_MASK,
  PT_D,
  PT_NX_HIGH,
  PT_P,
  PT_SHADOW_BITS_OFFSET,
  PT_SHADOW_IO_MARK,
  PT_U,
  PT_W,
} from "../layout.ts";
import { type Mmu, RIGHT_D } from "../mmu.ts";
import { H_PSE36_GFN, H_UPPER_NX } from "../policy/hazards.ts";
import { lookupPage } from "./page.ts";
import { rmapAdd } from "./rmap.ts";
import { roleGlevels, roleMetaphysical } from "./role.ts";

/**
 * Fills the empty spte at `ptr` of shadow page `page` from a guest entry.
 * @param inherited W and U of the entries above, ANDed
 * @param inheritedNx an entry above has NX
 * @param frame gfn of the page mapped, whole
 * @param gfn gfn that the reference looks up (without PSE-36 bits)
 */
export function setPteCommon(
  mmu: Mmu,
  page: number,
  ptr: number,
  gpteLow: number,
  gpteHigh: number,
  inherited: number,
  inheritedNx: boolean,
  frame: number,
  gfn: number,
  why: number,
): void {
  const allowed = inherited & gpteLow & (PT_W | PT_U);
  const wide = roleGlevels(mmu.role[page]!) >= 3;
  let high = wide ? gpteHigh & PT_NX_HIGH : 0;
  if (inheritedNx && high === 0 && mmu.guarded[H_UPPER_NX]) {
    mmu.guard(H_UPPER_NX, mmu.hpaOf(page), (ptr & 0xfff) >> 3);
    high = PT_NX_HIGH;
  }
  let low = (gpteLow & PT_COPY_MASK) | (allowed << PT_SHADOW_BITS_OFFSET);
  let access = allowed;
  if ((gpteLow & PT_D) === 0) access &= ~PT_W;
  low |= access;
  const hfn = mmu.slots.hfnOf(frame);
  if (hfn < 0) {
    // MMIO: not present, the gpa in its place, bit 9; W may stay (2.6 step 7).
    low = (low | (frame << 12) | PT_SHADOW_IO_MARK) & ~PT_P;
    mmu.spteSet(ptr, low, high | (Math.floor(frame / 0x10_0000) & 0xf_ffff), why);
    return;
  }
  low |= hfn << 12;
  if ((access & PT_W) !== 0) {
    let target = gfn;
    if (frame !== gfn && mmu.guarded[H_PSE36_GFN]) {
      if (lookupPage(mmu, frame) >= 0 !== lookupPage(mmu, gfn) >= 0) mmu.guard(H_PSE36_GFN, frame, gfn);
      target = frame;
    }
    if (lookupPage(mmu, target) >= 0) {
      access &= ~PT_W;
      low &= ~PT_W;
      mmu.cpu.paging.flush(FLUSH_SET_PTE_COMMON, false);
    } else {
      mmu.slots.markDirty(target);
    }
  }
  const slot = mmu.slots.slotOf(frame);
  mmu.slotBitmap[page]! |= 1 << slot;
  mmu.spteSet(ptr, low, high, why);
  rmapAdd(mmu, ptr);
  if ((access & PT_W) !== 0) noteWritable(mmu, page);
}

/** A leaf of a large-page shadow page became writable: D is remembered as 1. */
export function noteWritable(mmu: Mmu, page: number): void {
  if (roleMetaphysical(mmu.role[page]!)) mmu.rights[page]! |= RIGHT_D;
}
