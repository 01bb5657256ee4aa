/**
 * TLB flushes of the later versions: local ones, and requests to all processors, which this machine has one of.
 * docs/kvm-shadow-mmu.md 6.6, 9.1, 10.2.
 */
import { FLUSH_LOCAL, FLUSH_REMOTE } from "../../trace/events.ts";
import { C } from "../counters.ts";
import { PT_NX_HIGH, PT_P, PT_U, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";

/** kvm_flush_remote_tlbs. While a write collects its flushes (3.1 and later) the request waits for its end. */
export function remoteFlush(mmu: Mmu): void {
  if (mmu.collecting) {
    mmu.flushPending = true;
    return;
  }
  mmu.count[C.remote_tlb_flush]!++;
  mmu.cpu.paging.flush(FLUSH_REMOTE, false);
}

/** kvm_mmu_flush_tlb: this processor's own. */
export function localFlush(mmu: Mmu): void {
  mmu.count[C.tlb_flush]!++;
  mmu.cpu.paging.flush(FLUSH_LOCAL, false);
}

/**
 * Whether other processors must hear of the change of an spte: it was present, and is now absent, maps another frame, or
 * gives fewer rights (NX inverted before the comparison).
 */
export function needRemoteFlush(oldLow: number, oldHigh: number, low: number, high: number): boolean {
  if ((oldLow & PT_P) === 0) return false;
  if ((low & PT_P) === 0) return true;
  if (((oldLow ^ low) & ~0xfff) !== 0 || ((oldHigh ^ high) & ~PT_NX_HIGH) !== 0) return true;
  return (oldLow & ~low & (PT_W | PT_U)) !== 0 || (high & ~oldHigh & PT_NX_HIGH) !== 0;
}
