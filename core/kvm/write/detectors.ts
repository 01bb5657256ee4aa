/** The detectors of pte_write: what cannot be a write of one page table entry. docs/kvm-shadow-mmu.md 6.2, 6.3, 9.1, 11. */
import { SPTE_CPU_AD } from "../../trace/events.ts";
import { PT_A, PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { roleLevel } from "../shadow/role.ts";

/** True when a write of `bytes` at `offset` of the page cannot be one entry of `pteSize` bytes. */
export type Misaligned = (offset: number, bytes: number, pteSize: number) => boolean;

/** First and last byte lie in different entries (2.6.20 to 2.6.22). */
export const crossesEntry: Misaligned = (offset, bytes, pteSize) =>
  ((offset ^ (offset + bytes - 1)) & ~(pteSize - 1)) !== 0;

/** First and last byte lie in different entries, or fewer than four bytes (6.2 step 2.2). */
export const crossesEntryOrShort: Misaligned = (offset, bytes, pteSize) =>
  ((offset ^ (offset + bytes - 1)) & ~(pteSize - 1)) !== 0 || bytes < 4;

/** As crossesEntryOrShort, but one byte at the start of an entry is no misalignment (~3.3 and later). */
export const crossesEntryOrShortButFirstByte: Misaligned = (offset, bytes, pteSize) =>
  !(bytes === 1 && (offset & (pteSize - 1)) === 0) && crossesEntryOrShort(offset, bytes, pteSize);

/** The flood detector of a policy. */
export interface Flood {
  /** The write of a run that zaps. */
  readonly threshold: number;
  /** Ordinary faults end the run (6.3). */
  readonly resets: boolean;
  /** What is counted: writes to one gfn a processor, or writes to one shadow page above level 1. */
  readonly by: "vcpu" | "page";
  /** The run ends when the processor has used the leaf that was updated last (~2.6.26). */
  readonly sparesAccessed: boolean;
  /** Writes of the hypervisor on the guest's behalf do not count (2.6.32 and later). */
  readonly guestOnly: boolean;
}

/** Counts a write to gfn, before any shadow page is looked at. True: flooded (6.2 step 1). */
export function countWrite(mmu: Mmu, gfn: number): boolean {
  const { flood } = mmu.policy;
  if (gfn === mmu.lastPtWriteGfn && !(flood.sparesAccessed && lastUpdatedAccessed(mmu))) {
    mmu.lastPtWriteCount++;
    return mmu.lastPtWriteCount >= flood.threshold;
  }
  mmu.lastPtWriteGfn = gfn;
  mmu.lastPtWriteCount = 1;
  mmu.lastPteUpdated = 0;
  return false;
}

/** last_updated_pte_accessed: the processor has set A in the leaf that update_pte made last. */
export function lastUpdatedAccessed(mmu: Mmu): boolean {
  return mmu.lastPteUpdated !== 0 && (mmu.spteLow(mmu.lastPteUpdated) & PT_A) !== 0;
}

/** kvm_mmu_access_page: an emulated write to the frame that was mapped last is a use of that mapping. */
export function accessPage(mmu: Mmu, gfn: number): void {
  const ptr = mmu.lastPteUpdated;
  if (ptr === 0 || mmu.lastPteGfn !== gfn) return;
  const low = mmu.spteLow(ptr);
  if ((low & (PT_P | PT_A)) === PT_P) mmu.spteSet(ptr, low | PT_A, mmu.spteHigh(ptr), SPTE_CPU_AD);
}

/** detect_write_flooding of later versions: counts a write to one shadow page. True: flooded. */
export function countWriteOfPage(mmu: Mmu, page: number): boolean {
  if (roleLevel(mmu.role[page]!) === 1) return false;
  mmu.writeFloods[page]!++;
  return mmu.writeFloods[page]! >= mmu.policy.flood.threshold;
}
