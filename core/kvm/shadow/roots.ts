/**
 * Roots: the four slots of pae_root and the level-2 pages they name; modes and kvm_mmu_reset_context.
 * docs/kvm-shadow-mmu.md 2.1, 2.8, 4.10, 5.9.
 */
import {
  EV_ZAP_ALL_FAST,
  FLUSH_RESET_CONTEXT,
  FLUSH_ZAP_ALL,
  SPTE_LINK,
  ZAP_ROOT,
} from "../../trace/events.ts";
import { PAGING_PAE } from "../../x86/door.ts";
import { C } from "../counters.ts";
import {
  INVALID_ROOT,
  INVALID_WORD,
  KVM_MIN_FREE_MMU_PAGES,
  PAE_ROOT_HPA,
  PT_P,
  PT_PCD,
  PT_PWT,
} from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { H_BAD_PAGE, H_RESET_WITHOUT_RECLAIM } from "../policy/hazards.ts";
import { freeSomePages, reclaimIfLow, roleFor, roleWithAccess, zapActive, zapPage } from "./page.ts";
import { topupCaches } from "./parents.ts";
import { ACC_ALL, ROLE_INVALID } from "./role.ts";
import { syncRoots } from "./sync.ts";
import { frame64 } from "./walk.ts";

/** Bits that a present PDPTE must not have (2.8): 2:1, 8:5 and 63:36. */
const PDPTE_RESERVED_LOW = 0x1e6;
const PDPTE_RESERVED_HIGH = 0xffff_fff0 | 0;

/** load_pdptrs (2.8): reads the four PDPTEs that cr3 names. False: a present one has reserved bits; nothing loaded. */
export function loadPdptrs(mmu: Mmu, cr3: number): boolean {
  const gfn = cr3 >>> 12;
  const offset = cr3 & 0xfe0;
  const noMemory = mmu.slots.hfnOf(gfn) < 0;
  for (let i = 0; i < 4; i++) {
    const low = mmu.guestWord(gfn, offset + i * 8);
    const high = mmu.guestWord(gfn, offset + i * 8 + 4);
    if ((low & PT_P) !== 0 && ((low & PDPTE_RESERVED_LOW) !== 0 || (high & PDPTE_RESERVED_HIGH) !== 0)) {
      if (noMemory) mmu.guard(H_BAD_PAGE, gfn, 3);
      return false;
    }
  }
  for (let i = 0; i < 8; i++) mmu.pdptes[i] = mmu.guestWord(gfn, offset + i * 4);
  return true;
}

/** mmu_free_roots (4.10). No shadow page is zapped. */
export function freeRoots(mmu: Mmu): void {
  if (mmu.rootHpa === INVALID_ROOT) return;
  for (let i = 0; i < 4; i++) {
    const ptr = PAE_ROOT_HPA + i * 8;
    const low = mmu.spteLow(ptr);
    mmu.spteSet(ptr, INVALID_WORD, INVALID_WORD, SPTE_LINK);
    if ((low & PT_P) === 0) continue;
    const page = mmu.pageOf(low & ~0xfff);
    mmu.rootCount[page]!--;
    // Zapped while it was a root: only now it can be freed (9.3).
    if (mmu.rootCount[page] === 0 && (mmu.role[page]! & ROLE_INVALID) !== 0) zapPage(mmu, page, ZAP_ROOT);
  }
  mmu.rootHpa = INVALID_ROOT;
}

/** mmu_alloc_roots (4.10) for the mode in `rootLevel`. */
export function allocRoots(mmu: Mmu): void {
  const paging = mmu.rootLevel !== 0;
  for (let i = 0; i < 4; i++) {
    const ptr = PAE_ROOT_HPA + i * 8;
    let gfn = 0;
    if (mmu.rootLevel === 3) {
      if ((mmu.pdptes[i * 2]! & PT_P) === 0) {
        mmu.spteSet(ptr, 0, 0, SPTE_LINK);
        continue;
      }
      gfn = frame64(mmu.pdptes[i * 2]! | 0, mmu.pdptes[i * 2 + 1]! | 0);
    } else if (paging) {
      gfn = mmu.cpu.cr3 >>> 12;
    }
    const role = mmu.policy.roles.access
      ? roleWithAccess(mmu, i << 30, 2, !paging, ACC_ALL)
      : roleFor(mmu, i << 30, 2, !paging, 0);
    const page = mmu.policy.getPage(mmu, gfn, role, 0);
    if (page < 0) {
      mmu.spteSet(ptr, 0, 0, SPTE_LINK);
      continue;
    }
    mmu.rootCount[page]!++;
    mmu.spteSet(ptr, mmu.hpaOf(page) | PT_P, 0, SPTE_LINK);
  }
  mmu.rootHpa = PAE_ROOT_HPA;
  if (mmu.policy.unsync !== null) syncRoots(mmu);
}

/** Before the guest goes on: roots that were zapped in use are made anew (kvm_mmu_reload of later versions). */
export function enterGuest(mmu: Mmu): void {
  if (mmu.reload === 0) return;
  mmu.reload = 0;
  freeRoots(mmu);
  reclaimIfLow(mmu);
  allocRoots(mmu);
  loadRoot(mmu, FLUSH_RESET_CONTEXT, true);
  mmu.reload = 0;
}

/** Gives the processor the root: PAE paging with WP and NX, its PDPTEs from pae_root; flushes with `why`. */
export function loadRoot(mmu: Mmu, why: number, cacheBits: boolean): void {
  const bits = cacheBits && mmu.rootLevel !== 0 ? mmu.cpu.cr3 & (PT_PWT | PT_PCD) : 0;
  const paging = mmu.cpu.paging;
  paging.configure(PAGING_PAE, mmu.rootHpa | bits, true, true, false, false);
  paging.loadPdptes(mmu.rootHpa);
  paging.flush(why, false);
}

/** kvm_mmu_reset_context (5.9): roots of the mode that CR0, CR4 and CR3 say. */
export function resetContext(mmu: Mmu): void {
  freeRoots(mmu);
  mmu.rootLevel = mmu.guestRootLevel();
  if (mmu.policy.lazyRoots) {
    // kvm_mmu_load, at the entry that follows: it reclaims first, and its flush counts (5.9).
    reclaimIfLow(mmu);
    mmu.count[C.tlb_flush]!++;
  } else if (mmu.nFree < KVM_MIN_FREE_MMU_PAGES && mmu.guarded[H_RESET_WITHOUT_RECLAIM]) {
    mmu.guard(H_RESET_WITHOUT_RECLAIM, mmu.nFree, 0);
    freeSomePages(mmu);
  }
  allocRoots(mmu);
  loadRoot(mmu, FLUSH_RESET_CONTEXT, true);
  topupCaches(mmu);
}

/** kvm_mmu_zap_all (4.11): no shadow page stays; the context begins anew. Answers how many pages went. */
export function zapAll(mmu: Mmu): number {
  const zapped = emptyAll(mmu);
  resetContext(mmu);
  return zapped;
}

/** The part of kvm_mmu_zap_all before the context begins anew: no roots, no pages, nothing cached. */
export function emptyAll(mmu: Mmu): number {
  freeRoots(mmu);
  if (mmu.policy.modern && mmu.trace.on) {
    mmu.trace.emit(EV_ZAP_ALL_FAST, mmu.zapGeneration, mmu.poolSize - mmu.nFree);
  }
  if (mmu.policy.modern) mmu.zapGeneration ^= 1;
  const zapped = zapActive(mmu);
  mmu.reload = 0;
  mmu.lastPteUpdated = 0;
  mmu.cachedChains = 0;
  mmu.cachedDescs = 0;
  mmu.cpu.paging.flush(FLUSH_ZAP_ALL, false);
  return zapped;
}
