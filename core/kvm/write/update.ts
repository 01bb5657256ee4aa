/** What follows the clearing of an spte: nothing, or update_pte. docs/kvm-shadow-mmu.md 6.6. */
import { SPTE_UPDATE_PTE } from "../../trace/events.ts";
import { C } from "../counters.ts";
import { EFER_NXE, PT_A, PT_P, PT_U, PT_W } from "../layout.ts";
import { type Mmu, RIGHT_NX } from "../mmu.ts";
import { H_RESERVED_BITS, H_UPDATE_INHERITED } from "../policy/hazards.ts";
import { setPteCommon } from "../shadow/leaf.ts";
import { roleEntrySize, roleLevel } from "../shadow/role.ts";
import { frame64, reserved64 } from "../shadow/walk.ts";

/** `ptr`: hpa of the cleared spte of `page`; `low`, `high`, `bytes`: what is about to be written. */
export type NewPte = (mmu: Mmu, page: number, ptr: number, low: number, high: number, bytes: number) => void;

export const clearOnly: NewPte = () => {};

/** update_pte: a leaf is made from the new value at once, when it is whole, present and accessed. */
export const updateLeaf: NewPte = (mmu, page, ptr, low, high, bytes) => {
  const role = mmu.role[page]!;
  if (roleLevel(role) !== 1) return;
  mmu.count[C.mmu_pte_updated]!++;
  const size = roleEntrySize(role);
  if (bytes < size) return;
  if ((low & PT_P) === 0 || (low & PT_A) === 0) return;
  const top = size === 8 ? high : 0;
  if (
    size === 8 &&
    mmu.guarded[H_RESERVED_BITS] &&
    reserved64(low, high, false, (mmu.cpu.efer & EFER_NXE) !== 0)
  ) {
    mmu.guard(H_RESERVED_BITS, mmu.hpaOf(page), (ptr & 0xfff) >> 3);
    return;
  }
  let inherited = PT_W | PT_U;
  const remembered = mmu.rights[page]! & (PT_W | PT_U);
  if (mmu.guarded[H_UPDATE_INHERITED] && remembered !== inherited) {
    if ((low & inherited & ~remembered) !== 0) mmu.guard(H_UPDATE_INHERITED, mmu.hpaOf(page), remembered);
    inherited = remembered;
  }
  const frame = size === 8 ? frame64(low, high) : low >>> 12;
  const nx = (mmu.rights[page]! & RIGHT_NX) !== 0;
  setPteCommon(mmu, page, ptr, low, top, inherited, nx, frame, frame, SPTE_UPDATE_PTE);
};
