/**
 * What stands above the leaves of a shadow page: the guest's entries behind its parent sptes. An orphan has none.
 * docs/kvm-shadow-mmu.md 2.9, 3.6.
 */
import { NR_PTE_CHAIN_ENTRIES } from "../layout.ts";
import { CHAIN_WORDS, type Mmu } from "../mmu.ts";
import { type GuestEntry, guestEntry, holderOf } from "./reach.ts";

export class Above {
  page = -1;
  /** The entries, low and high words. */
  readonly lows: number[] = [];
  readonly highs: number[] = [];
  count = 0;
  /** All of them ANDed (-1: there is none), and whether one has NX. */
  rights = -1;
  nx = false;
  private readonly entry: GuestEntry = { low: 0, high: 0 };

  load(mmu: Mmu, page: number): void {
    this.page = page;
    this.count = 0;
    this.rights = -1;
    this.nx = false;
    if (mmu.multimapped[page] === 0) {
      this.add(mmu, mmu.parent[page]!);
      return;
    }
    const chains = mmu.chains;
    for (
      let chain = mmu.parent[page]!;
      chain !== 0;
      chain = chains[chain * CHAIN_WORDS + NR_PTE_CHAIN_ENTRIES]!
    ) {
      const at = chain * CHAIN_WORDS;
      for (let i = 0; i < NR_PTE_CHAIN_ENTRIES; i++) this.add(mmu, chains[at + i]!);
    }
  }

  private add(mmu: Mmu, ptr: number): void {
    if (ptr === 0) return;
    const holder = holderOf(mmu, ptr, 2);
    // I4 tells of a parent that is none.
    if (holder < 0) return;
    guestEntry(mmu, holder, (ptr & 0xfff) >> 3, this.entry);
    const { low, high } = this.entry;
    this.lows[this.count] = low;
    this.highs[this.count] = high;
    this.count++;
    this.rights &= low;
    if (high < 0) this.nx = true;
  }
}
