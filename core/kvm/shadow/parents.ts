/**
 * Which sptes of higher shadow pages point at a page: one pointer, or a list of chains of five. docs/kvm-shadow-mmu.md
 * 4.6; the object cache of 4.3 is a count.
 */
import { KVM_NR_MEM_OBJS, MIN_PTE_CHAINS, MIN_RMAP_DESCS, NR_PTE_CHAIN_ENTRIES } from "../layout.ts";
import { CHAIN_WORDS, FINDING_HAZARD, type Mmu } from "../mmu.ts";
import { H_UPDATE_WITHOUT_TOPUP } from "../policy/hazards.ts";

const NEXT = NR_PTE_CHAIN_ENTRIES;

/** mmu_topup_memory_caches (4.3). */
export function topupCaches(mmu: Mmu): void {
  if (mmu.cachedChains < MIN_PTE_CHAINS) mmu.cachedChains = KVM_NR_MEM_OBJS;
  if (mmu.cachedDescs < MIN_RMAP_DESCS) mmu.cachedDescs = KVM_NR_MEM_OBJS;
}

function allocChain(mmu: Mmu): number {
  if (mmu.cachedChains === 0) {
    mmu.found(FINDING_HAZARD + H_UPDATE_WITHOUT_TOPUP, 0, 0, "the cache of pte chains was empty (4.3)");
  } else {
    mmu.cachedChains--;
  }
  let chain = mmu.chainFree;
  if (chain !== 0) mmu.chainFree = mmu.chains[chain * CHAIN_WORDS + NEXT]!;
  else {
    chain = mmu.chainTop++;
    mmu.growChains(mmu.chainTop);
  }
  mmu.chains.fill(0, chain * CHAIN_WORDS, (chain + 1) * CHAIN_WORDS);
  return chain;
}

function freeChain(mmu: Mmu, chain: number): void {
  if (mmu.cachedChains < KVM_NR_MEM_OBJS) mmu.cachedChains++;
  mmu.chains[chain * CHAIN_WORDS + NEXT] = mmu.chainFree;
  mmu.chainFree = chain;
}

/** mmu_page_add_parent_pte. `ptr` 0 (NULL) is ignored. */
export function addParent(mmu: Mmu, page: number, ptr: number): void {
  if (ptr === 0) return;
  if (mmu.touched !== null) mmu.touched.parentsOf(page);
  if (mmu.multimapped[page] === 0) {
    const old = mmu.parent[page]!;
    if (old === 0) {
      mmu.parent[page] = ptr;
      return;
    }
    const chain = allocChain(mmu);
    mmu.multimapped[page] = 1;
    mmu.parent[page] = chain;
    mmu.chains[chain * CHAIN_WORDS] = old;
  }
  const chains = mmu.chains;
  for (let chain = mmu.parent[page]!; chain !== 0; chain = chains[chain * CHAIN_WORDS + NEXT]!) {
    const at = chain * CHAIN_WORDS;
    if (chains[at + NR_PTE_CHAIN_ENTRIES - 1] !== 0) continue;
    for (let i = 0; i < NR_PTE_CHAIN_ENTRIES; i++) {
      if (chains[at + i] === 0) {
        chains[at + i] = ptr;
        return;
      }
    }
  }
  const chain = allocChain(mmu);
  mmu.chains[chain * CHAIN_WORDS + NEXT] = mmu.parent[page]!;
  mmu.parent[page] = chain;
  mmu.chains[chain * CHAIN_WORDS] = ptr;
}

/** mmu_page_remove_parent_pte. A pointer that is not there is the reference's BUG: a finding. */
export function removeParent(mmu: Mmu, page: number, ptr: number): void {
  if (mmu.touched !== null) mmu.touched.parentsOf(page);
  const chains = mmu.chains;
  if (mmu.multimapped[page] === 0) {
    if (mmu.parent[page] === ptr) mmu.parent[page] = 0;
    else absent(mmu, page, ptr);
    return;
  }
  let previous = 0;
  for (let chain = mmu.parent[page]!; chain !== 0; chain = chains[chain * CHAIN_WORDS + NEXT]!) {
    const at = chain * CHAIN_WORDS;
    for (let i = 0; i < NR_PTE_CHAIN_ENTRIES && chains[at + i] !== 0; i++) {
      if (chains[at + i] !== ptr) continue;
      while (i + 1 < NR_PTE_CHAIN_ENTRIES && chains[at + i + 1] !== 0) {
        chains[at + i] = chains[at + i + 1]!;
        i++;
      }
      chains[at + i] = 0;
      if (i === 0) {
        const next = chains[at + NEXT]!;
        if (previous === 0) mmu.parent[page] = next;
        else chains[previous * CHAIN_WORDS + NEXT] = next;
        freeChain(mmu, chain);
        if (mmu.parent[page] === 0) mmu.multimapped[page] = 0;
      }
      return;
    }
    previous = chain;
  }
  absent(mmu, page, ptr);
}

function absent(mmu: Mmu, page: number, ptr: number): void {
  mmu.found(
    3,
    mmu.hpaOf(page),
    ptr,
    `shadow page ${mmu.hpaOf(page).toString(16)} has no parent spte ${ptr.toString(16)}`,
  );
}

/** Some parent spte of a page, the one zap_page takes next, or 0. */
export function firstParent(mmu: Mmu, page: number): number {
  if (mmu.multimapped[page] === 0) return mmu.parent[page]!;
  return mmu.chains[mmu.parent[page]! * CHAIN_WORDS]!;
}

/** All parent sptes of a page, in list order. For guards, audits and reports: allocates. */
export function parentsOf(mmu: Mmu, page: number): number[] {
  const found: number[] = [];
  if (mmu.multimapped[page] === 0) {
    if (mmu.parent[page] !== 0) found.push(mmu.parent[page]!);
    return found;
  }
  for (let chain = mmu.parent[page]!; chain !== 0; chain = mmu.chains[chain * CHAIN_WORDS + NEXT]!) {
    for (let i = 0; i < NR_PTE_CHAIN_ENTRIES; i++) {
      const ptr = mmu.chains[chain * CHAIN_WORDS + i]!;
      if (ptr !== 0) found.push(ptr);
    }
  }
  return found;
}

/** Calls `what` with each parent spte of a page. */
export function forEachParent(mmu: Mmu, page: number, what: (mmu: Mmu, ptr: number) => void): void {
  if (mmu.multimapped[page] === 0) {
    if (mmu.parent[page] !== 0) what(mmu, mmu.parent[page]!);
    return;
  }
  for (let chain = mmu.parent[page]!; chain !== 0; chain = mmu.chains[chain * CHAIN_WORDS + NEXT]!) {
    for (let i = 0; i < NR_PTE_CHAIN_ENTRIES; i++) {
      const ptr = mmu.chains[chain * CHAIN_WORDS + i]!;
      if (ptr !== 0) what(mmu, ptr);
    }
  }
}
