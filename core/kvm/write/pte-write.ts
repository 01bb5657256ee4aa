/**
 * kvm_mmu_pte_write up to the commit's time: what an emulated write to guest memory does to the shadow, before the bytes
 * change. docs/kvm-shadow-mmu.md 6.2.
 */
import {
  EV_PTE_WRITE,
  SPTE_PTE_WRITE,
  VERDICT_FLOODED,
  VERDICT_MISALIGNED,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
  ZAP_FLOODED,
  ZAP_MISALIGNED,
} from "../../trace/events.ts";
import { C } from "../counters.ts";
import { MAX_MMU_PAGES } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { zapPage } from "../shadow/page.ts";
import { bucketOf } from "../shadow/pool.ts";
import { roleEntrySize, roleLevel, roleMetaphysical } from "../shadow/role.ts";
import { countWrite } from "./detectors.ts";
import { tell } from "./last-writes.ts";
import { chosen, zapSpte } from "./zap-spte.ts";

/**
 * A policy's answer to a write of `bytes` at `offset` of the page of `gfn`, of the value `low`, `high`.
 * @param guest the guest wrote; false: the hypervisor on its behalf (D of an entry)
 */
export type PteWrite = (
  mmu: Mmu,
  gfn: number,
  offset: number,
  bytes: number,
  low: number,
  high: number,
  guest: boolean,
) => void;

/** Safe iteration: pages of the bucket as they were before the write. */
const pages = new Int32Array(MAX_MMU_PAGES);

/**
 * @param offset byte offset in the page of gfn; the write does not cross the page
 * @param bytes 1, 2, 4 or 8
 * @param low, high the value about to be written
 */
export function pteWrite(
  mmu: Mmu,
  gfn: number,
  offset: number,
  bytes: number,
  low: number,
  high: number,
): void {
  const policy = mmu.policy;
  mmu.count[C.mmu_pte_write]!++;
  const flooded = countWrite(mmu, gfn);
  if (mmu.trace.on) {
    mmu.trace.emit(EV_PTE_WRITE, gfn, offset, bytes, low, high, mmu.lastPtWriteCount, flooded ? 1 : 0);
  }
  const { time } = mmu.trace.clock;
  mmu.lastWrites.begin(time, gfn, offset, bytes, low, high, mmu.lastPtWriteCount, flooded);
  let n = 0;
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.gfn[page] === gfn && !roleMetaphysical(mmu.role[page]!)) pages[n++] = page;
  }
  for (let k = 0; k < n; k++) {
    const page = pages[k]!;
    const role = mmu.role[page]!;
    const misaligned = policy.misaligned(offset, bytes, roleEntrySize(role));
    if (misaligned || flooded) {
      mmu.count[C.mmu_flooded]!++;
      tell(mmu, page, misaligned ? VERDICT_MISALIGNED : VERDICT_FLOODED, 0, 0, 0);
      zapPage(mmu, page, misaligned ? ZAP_MISALIGNED : ZAP_FLOODED);
      continue;
    }
    policy.choose(chosen, offset, role);
    const { index, npte } = chosen;
    tell(mmu, page, chosen.skipped ? VERDICT_SKIPPED : VERDICT_TOUCHED, chosen.quadrant, index, npte);
    if (chosen.skipped) {
      mmu.count[C.quadrant_skipped]!++;
      continue;
    }
    const leaf = roleLevel(role) === 1;
    for (let i = 0; i < npte; i++) {
      const ptr = mmu.hpaOf(page) + (index + i) * 8;
      zapSpte(mmu, page, ptr, SPTE_PTE_WRITE);
      if (!leaf) mmu.count[C.mmu_pde_zapped]!++;
      policy.newPte(mmu, page, ptr, low, high, bytes);
    }
  }
}
