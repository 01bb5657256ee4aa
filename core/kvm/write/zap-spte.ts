/** mmu_pte_write_zap_pte: clears one spte, taking it out of the rmap or its child's parents. docs/kvm-shadow-mmu.md 6.2. */
import { FLUSH_GUARD } from "../../trace/events.ts";
import { PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { H_CLEAR_NO_FLUSH, H_INVLPG_LARGE_PAGE } from "../policy/hazards.ts";
import { isLargePageShadow } from "../shadow/fetch.ts";
import { removeParent } from "../shadow/parents.ts";
import { rmapRemove } from "../shadow/rmap.ts";
import { roleLevel } from "../shadow/role.ts";
import type { Chosen } from "./choice.ts";

/** The one record that choices are written to. */
export const chosen: Chosen = { index: 0, npte: 1, quadrant: 0, skipped: false };

/** Clears the spte at `ptr` of `page`; `why`: SPTE_…. Does not flush (6.6), unless a guard must. */
export function zapSpte(mmu: Mmu, page: number, ptr: number, why: number): void {
  const low = mmu.spteLow(ptr);
  let hazard = -1;
  if ((low & PT_P) !== 0) {
    if (roleLevel(mmu.role[page]!) === 1) {
      rmapRemove(mmu, ptr);
      hazard = H_CLEAR_NO_FLUSH;
    } else {
      const child = mmu.pageOf(low & ~0xfff);
      removeParent(mmu, child, ptr);
      hazard = isLargePageShadow(mmu, child) ? H_INVLPG_LARGE_PAGE : -1;
    }
  }
  mmu.spteSet(ptr, 0, 0, why);
  if (hazard >= 0 && mmu.svm && mmu.guarded[hazard] && mmu.cpu.paging.entries().length > 0) {
    mmu.guard(hazard, ptr & ~0xfff, (ptr & 0xfff) >> 3);
    mmu.cpu.paging.flush(FLUSH_GUARD, false);
  }
}
