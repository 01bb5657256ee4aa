/**
 * The guard of direct-ad-write: KVM's walker stores A and D in guest entries without pte_write. A shadow page of the
 * same table that was made in another paging mode takes those bytes for something else; its entry is cleared.
 * docs/kvm-shadow-mmu.md 7.5.
 */
import { SPTE_GUARD } from "../../trace/events.ts";
import type { Mmu } from "../mmu.ts";
import { H_DIRECT_AD_WRITE } from "../policy/hazards.ts";
import { bucketOf } from "../shadow/pool.ts";
import { roleGlevels, roleMetaphysical } from "../shadow/role.ts";
import { chooseByQuadrant } from "./choice.ts";
import { chosen, zapSpte } from "./zap-spte.ts";

/** After a store of A or D at `offset` of the table `gfn` in the guest's present mode. */
export function clearOtherModes(mmu: Mmu, gfn: number, offset: number): void {
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    const role = mmu.role[page]!;
    if (mmu.gfn[page] !== gfn || roleMetaphysical(role) || roleGlevels(role) === mmu.rootLevel) continue;
    chooseByQuadrant(chosen, offset, role);
    if (chosen.skipped) continue;
    for (let i = 0; i < chosen.npte; i++) {
      const ptr = mmu.hpaOf(page) + (chosen.index + i) * 8;
      if (mmu.spteLow(ptr) === 0 && mmu.spteHigh(ptr) === 0) continue;
      mmu.guard(H_DIRECT_AD_WRITE, mmu.hpaOf(page), chosen.index + i);
      zapSpte(mmu, page, ptr, SPTE_GUARD);
    }
  }
}
