/** Safe ways from one thing to another for audits, whose sptes and links may be anything. Nothing is allocated. */
import { NR_PTE_CHAIN_ENTRIES, PT_P } from "../layout.ts";
import { CHAIN_WORDS, type Mmu } from "../mmu.ts";
import { roleGlevels, roleLevel, roleQuadrant } from "../shadow/role.ts";

/** Pool index of the active shadow page of this level that an entry's low word names, or -1. */
export function childOf(mmu: Mmu, low: number, level: number): number {
  if ((low & PT_P) === 0) return -1;
  const page = mmu.pageOf(low & ~0xfff);
  if (page < 0 || page >= mmu.poolSize || mmu.active[page] !== 1) return -1;
  return roleLevel(mmu.role[page]!) === level ? page : -1;
}

/** Pool index of the active page of this level that holds the spte at `ptr`, or -1. */
export function holderOf(mmu: Mmu, ptr: number, level: number): number {
  return childOf(mmu, (ptr & ~0xfff) | PT_P, level);
}

/** How often `page` names the parent spte `ptr`. */
export function countParent(mmu: Mmu, page: number, ptr: number): number {
  if (mmu.multimapped[page] === 0) return mmu.parent[page] === ptr ? 1 : 0;
  let n = 0;
  const chains = mmu.chains;
  for (
    let chain = mmu.parent[page]!;
    chain !== 0;
    chain = chains[chain * CHAIN_WORDS + NR_PTE_CHAIN_ENTRIES]!
  ) {
    const at = chain * CHAIN_WORDS;
    for (let i = 0; i < NR_PTE_CHAIN_ENTRIES; i++) if (chains[at + i] === ptr) n++;
  }
  return n;
}

/** An entry of a guest table, as two words. */
export interface GuestEntry {
  low: number;
  high: number;
}

/** Reads the guest's entry behind spte `index` of a page that shadows a table. Without memory: all ones. */
export function guestEntry(mmu: Mmu, page: number, index: number, into: GuestEntry): void {
  const role = mmu.role[page]!;
  const hfn = mmu.slots.hfnOf(mmu.gfn[page]!);
  if (hfn < 0) {
    into.low = -1;
    into.high = -1;
    return;
  }
  if (roleGlevels(role) === 2) {
    const quadrant = roleQuadrant(role);
    const number = roleLevel(role) === 1 ? 512 * quadrant + index : 256 * quadrant + (index >> 1);
    into.low = mmu.memory.i32[(hfn << 10) + number]!;
    into.high = 0;
    return;
  }
  const at = (hfn << 10) + index * 2;
  into.low = mmu.memory.i32[at]!;
  into.high = mmu.memory.i32[at + 1]!;
}
