/** The detectors of pte_write: what cannot be a write of one page table entry. docs/kvm-shadow-mmu.md 6.2, 6.3. */
import type { Mmu } from "../mmu.ts";

/** True when a write of `bytes` at `offset` of the page cannot be one entry of `pteSize` bytes. */
export type Misaligned = (offset: number, bytes: number, pteSize: number) => boolean;

/** First and last byte lie in different entries, or fewer than four bytes (6.2 step 2.2). */
export const crossesEntryOrShort: Misaligned = (offset, bytes, pteSize) =>
  ((offset ^ (offset + bytes - 1)) & ~(pteSize - 1)) !== 0 || bytes < 4;

/** Counts a write to gfn, before any shadow page is looked at. True: flooded (6.2 step 1). */
export function countWrite(mmu: Mmu, gfn: number): boolean {
  if (gfn === mmu.lastPtWriteGfn) {
    mmu.lastPtWriteCount++;
    return mmu.lastPtWriteCount >= mmu.policy.flood.threshold;
  }
  mmu.lastPtWriteGfn = gfn;
  mmu.lastPtWriteCount = 1;
  return false;
}
