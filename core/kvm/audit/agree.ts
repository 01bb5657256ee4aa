/**
 * When I3 need not be walked. If a root slot, a link and a leaf each agree with the one guest entry behind them, the
 * guest's walk of that address ends at the leaf's frame: that is what the incremental audit looks at when one of the
 * three is touched. Where one does not agree (which is no violation by itself) the walk of mappings.ts decides.
 */
import { CR4_PSE, EFER_NXE, PT_P, PT_PS, PT_U, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { spteFrame } from "../shadow/rmap.ts";
import { roleGlevels, roleMetaphysical, roleQuadrant } from "../shadow/role.ts";
import { frame64, LARGE_32_RESERVED, reserved64 } from "../shadow/walk.ts";
import { pieceGfn } from "./leaf.ts";
import { childOf, type GuestEntry, guestEntry } from "./reach.ts";
import { rootSlot } from "./roots.ts";

const entry: GuestEntry = { low: 0, high: 0 };

/** gfn that piece `index` of a large-page shadow page maps, by the page's key (3.6). */
export function pieceOfKey(mmu: Mmu, page: number, index: number): number {
  const role = mmu.role[page]!;
  const key = mmu.gfn[page]!;
  const low = (key % 0x10_0000) << 12;
  return pieceGfn(roleGlevels(role), low, Math.floor(key / 0x10_0000), roleQuadrant(role) * 512 + index);
}

/** A leaf that breaks neither I9 nor I11 maps what its page's key and its guest entry say. */
export function leafAgrees(mmu: Mmu, page: number, index: number): boolean {
  const low = mmu.spteLow(mmu.hpaOf(page) + index * 8);
  if ((low & PT_P) === 0 || mmu.unsync[page] === 1) return true;
  const role = mmu.role[page]!;
  const glevels = roleGlevels(role);
  if (glevels === 0) return mmu.slots.hfnOf(mmu.gfn[page]! + index) === spteFrame(low);
  if (roleMetaphysical(role)) return mmu.slots.hfnOf(pieceOfKey(mmu, page, index)) === spteFrame(low);
  if (glevels === 2) return true;
  guestEntry(mmu, page, index, entry);
  return !reserved64(entry.low, entry.high, false, (mmu.cpu.efer & EFER_NXE) !== 0);
}

/**
 * A link leads where the guest's directory entry does, and takes no rights away (so that
 * what the processor fills its TLB with is what the leaf says: T1).
 */
export function linkAgrees(mmu: Mmu, page: number, index: number): boolean {
  const ptr = mmu.hpaOf(page) + index * 8;
  const low = mmu.spteLow(ptr);
  if ((low & PT_P) === 0) return true;
  if ((low & (PT_W | PT_U | PT_PS)) !== (PT_W | PT_U) || mmu.spteHigh(ptr) !== 0) return false;
  const child = childOf(mmu, low, 1);
  if (child < 0) return false;
  const role = mmu.role[page]!;
  const glevels = roleGlevels(role);
  const direct = roleMetaphysical(mmu.role[child]!);
  if (roleGlevels(mmu.role[child]!) !== glevels) return false;
  if (roleQuadrant(mmu.role[child]!) !== (glevels <= 2 ? index & 1 : 0)) return false;
  if (glevels === 0) return direct && mmu.gfn[child] === (roleQuadrant(role) * 512 + index) * 512;
  guestEntry(mmu, page, index, entry);
  if ((entry.low & PT_P) === 0) return false;
  if (glevels === 2) {
    const large = (entry.low & PT_PS) !== 0 && (mmu.cpu.cr4 & CR4_PSE) !== 0;
    if (large && (entry.low & LARGE_32_RESERVED) !== 0) return false;
    return direct === large && entry.low >>> 12 === mmu.gfn[child];
  }
  const large = (entry.low & PT_PS) !== 0;
  if (reserved64(entry.low, entry.high, large, (mmu.cpu.efer & EFER_NXE) !== 0)) return false;
  return direct === large && frame64(entry.low, entry.high) === mmu.gfn[child];
}

/** A slot of pae_root is empty, or names the shadow of the table that the guest's CR3 (or PDPTE) names. */
export function rootAgrees(mmu: Mmu, slot: number): boolean {
  const low = rootSlot(mmu, slot);
  if ((low & PT_P) === 0) return true;
  const page = childOf(mmu, low, 2);
  if (page < 0) return false;
  const role = mmu.role[page]!;
  if (roleGlevels(role) !== mmu.rootLevel) return false;
  if (mmu.rootLevel < 3 && roleQuadrant(role) !== slot) return false;
  if (mmu.rootLevel === 0) return roleMetaphysical(role);
  if (roleMetaphysical(role)) return false;
  if (mmu.rootLevel === 2) return mmu.gfn[page] === mmu.cpu.cr3 >>> 12;
  const pdpte = mmu.pdptes[slot * 2]!;
  return (pdpte & PT_P) !== 0 && mmu.gfn[page] === frame64(pdpte | 0, mmu.pdptes[slot * 2 + 1]! | 0);
}
