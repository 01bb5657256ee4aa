/**
 * INVLPG where it exits (2.6.28 and later): what becomes of the address's leaf spte. docs/kvm-shadow-mmu.md 9.3.
 */
import { SPTE_INVLPG } from "../../trace/events.ts";
import { C } from "../counters.ts";
import { PAE_ROOT_HPA, PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { localFlush, remoteFlush } from "./flush.ts";
import { dropSpte } from "./set-spte.ts";
import { syncSpte } from "./sync.ts";

/** Which leaf it is: its page and index. */
export type Invlpg = (mmu: Mmu, page: number, index: number) => void;

/** 2.6.32: the leaf goes. */
export const dropLeaf: Invlpg = (mmu, page, index) => {
  const ptr = mmu.hpaOf(page) + index * 8;
  if ((mmu.spteLow(ptr) & PT_P) !== 0) remoteFlush(mmu);
  dropSpte(mmu, ptr, SPTE_INVLPG);
};

/** 3.1: only when its page is out of sync. */
export const dropUnsyncLeaf: Invlpg = (mmu, page, index) => {
  if (mmu.unsync[page] === 1) dropLeaf(mmu, page, index);
};

/** Today: the leaf of a page that is out of sync is read again. */
export const syncUnsyncLeaf: Invlpg = (mmu, page, index) => {
  if (mmu.unsync[page] === 1) syncSpte(mmu, page, index);
};

/** kvm_mmu_invlpg: the shadow's part, a local flush, the count. */
export function mmuInvlpg(mmu: Mmu, gva: number): void {
  mmu.count[C.invlpg]!++;
  const root = mmu.spteLow(PAE_ROOT_HPA + (gva >>> 30) * 8);
  if (mmu.rootLevel !== 0 && (root & PT_P) !== 0) {
    const link = mmu.spteLow((root & ~0xfff) + ((gva >>> 21) & 511) * 8);
    if ((link & PT_P) !== 0) mmu.policy.invlpg?.(mmu, mmu.pageOf(link & ~0xfff), (gva >>> 12) & 511);
  }
  localFlush(mmu);
}
