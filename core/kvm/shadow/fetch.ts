/**
 * fetch: finds or builds the leaf spte for a walked address. docs/kvm-shadow-mmu.md 5.4; the rights that a page's
 * leaves were made under (2.9, 3.2) are remembered outside of its role.
 */
import { SPTE_FETCH, SPTE_GUARD, SPTE_LINK } from "../../trace/events.ts";
import { C } from "../counters.ts";
import {
  LINK_PAGING,
  PAE_ROOT_HPA,
  PT_D,
  PT_NX_HIGH,
  PT_P,
  PT_SHADOW_IO_MARK,
  PT_U,
  PT_W,
} from "../layout.ts";
import { type Mmu, RIGHT_D, RIGHT_NX, RIGHT_U, RIGHT_W } from "../mmu.ts";
import {
  H_INHERITED_RIGHTS,
  H_LARGE_PAGE_ACCESS,
  H_LARGE_PAGE_DIRTY,
  H_LARGE_PAGE_NX,
  H_UPPER_NX,
} from "../policy/hazards.ts";
import { setPteCommon } from "./leaf.ts";
import { findPage, getPage, guardZap, roleFor } from "./page.ts";
import { parentsOf, removeParent } from "./parents.ts";
import { ROLE_W, roleGlevels, roleMetaphysical, roleQuadrant } from "./role.ts";
import type { Walker } from "./walker.ts";

/** Frame number of a large entry's base as the key has it: PAT and PSE-36 bits take part (3.6). */
export function largeKey(low: number, high: number): number {
  return (high & 0xf_ffff) * 0x10_0000 + (low >>> 12);
}

/**
 * Returns the hpa of the leaf spte for `addr`, which `w` has walked; 0 when the pool was empty (a finding was made).
 */
export function fetch(mmu: Mmu, addr: number, w: Walker): number {
  const root = mmu.spteLow(PAE_ROOT_HPA + (addr >>> 30) * 8);
  if ((root & PT_P) === 0) return 0;
  const link = (root & ~0xfff) + ((addr >>> 21) & 511) * 8;
  const large = w.level === 2;
  let child: number;
  const low = mmu.spteLow(link);
  if ((low & (PT_P | PT_SHADOW_IO_MARK)) !== 0) {
    child = mmu.pageOf(low & ~0xfff);
  } else {
    const gfn = large ? largeKey(w.low, mmu.rootLevel === 3 ? w.high & ~PT_NX_HIGH : 0) : w.table[0]!;
    const access = large ? (w.low & (PT_W | PT_U)) >> 1 : 0;
    const role = roleFor(mmu, addr, 1, large, access);
    const rights = rightsOf(w, large, (mmu.policy.roles.key & ROLE_W) === 0);
    const known = findPage(mmu, gfn, role);
    if (known >= 0) checkRights(mmu, known, rights, large, (w.low & PT_D) === 0);
    child = getPage(mmu, gfn, role, link);
    if (child < 0) return 0;
    // What the leaves from now on are made under; a remembered D stays.
    mmu.rights[child] = rights | (mmu.rights[child]! & RIGHT_D);
    mmu.spteSet(link, mmu.hpaOf(child) | LINK_PAGING, 0, SPTE_LINK);
  }
  const ptr = mmu.hpaOf(child) + ((addr >>> 12) & 511) * 8;
  if ((mmu.spteLow(ptr) & (PT_P | PT_SHADOW_IO_MARK)) !== 0) return ptr;
  mmu.count[C.refills]!++;
  const before = mmu.rights[child]!;
  setPteCommon(mmu, child, ptr, w.low, w.high, w.inherited, w.inheritedNx, w.frame, w.gfn, SPTE_FETCH);
  if (large) {
    mmu.spteSet(link, mmu.spteLow(link) | PT_SHADOW_IO_MARK, mmu.spteHigh(link), SPTE_FETCH);
    if (((before ^ mmu.rights[child]!) & RIGHT_D) !== 0) becameDirty(mmu, child, link);
  }
  return ptr;
}

/** Rights above the leaves of the page that `w` leads to: inherited W, U, NX; for a large page what its key lacks. */
function rightsOf(w: Walker, large: boolean, keyless: boolean): number {
  if (large) return (w.high < 0 ? RIGHT_NX : 0) | (keyless ? w.low & (PT_W | PT_U) : RIGHT_W | RIGHT_U);
  return (w.inherited & (PT_W | PT_U)) | (w.inheritedNx ? RIGHT_NX : 0);
}

/** Zaps the page first when its leaves were made under other rights than it is about to be linked under. */
function checkRights(mmu: Mmu, page: number, rights: number, large: boolean, clean: boolean): void {
  if (mmu.parent[page] === 0 && isEmpty(mmu, page)) {
    mmu.rights[page] = 0;
    return;
  }
  const differs = mmu.rights[page]! ^ rights;
  if (large) {
    if ((differs & (RIGHT_W | RIGHT_U)) !== 0 && mmu.guarded[H_LARGE_PAGE_ACCESS]) {
      guardZap(mmu, page, H_LARGE_PAGE_ACCESS);
    } else if ((differs & RIGHT_NX) !== 0 && mmu.guarded[H_LARGE_PAGE_NX]) {
      guardZap(mmu, page, H_LARGE_PAGE_NX);
    } else if ((mmu.rights[page]! & RIGHT_D) !== 0 && clean && mmu.guarded[H_LARGE_PAGE_DIRTY]) {
      guardZap(mmu, page, H_LARGE_PAGE_DIRTY);
    }
    return;
  }
  if ((differs & (RIGHT_W | RIGHT_U)) !== 0 && mmu.guarded[H_INHERITED_RIGHTS]) {
    guardZap(mmu, page, H_INHERITED_RIGHTS);
  } else if ((differs & RIGHT_NX) !== 0 && mmu.guarded[H_UPPER_NX]) {
    guardZap(mmu, page, H_UPPER_NX);
  }
}

function isEmpty(mmu: Mmu, page: number): boolean {
  const base = mmu.hpaOf(page) >> 2;
  const i32 = mmu.memory.i32;
  for (let i = 0; i < 1024; i += 2) if (i32[base + i] !== 0) return false;
  return true;
}

/**
 * A leaf of a large-page shadow page is writable from now on. Other entries that link to the page with D clear would
 * never get their D: they are unlinked (each comes back through checkRights).
 */
export function becameDirty(mmu: Mmu, page: number, through: number): void {
  if (!mmu.guarded[H_LARGE_PAGE_DIRTY] || mmu.multimapped[page] === 0) return;
  for (const ptr of parentsOf(mmu, page)) {
    if (ptr === through) continue;
    const above = mmu.pageOf(ptr & ~0xfff);
    const index = (ptr & 0xfff) >> 3;
    const role = mmu.role[above]!;
    const offset = roleGlevels(role) === 2 ? (roleQuadrant(role) * 256 + (index >> 1)) * 4 : index * 8;
    if ((mmu.guestWord(mmu.gfn[above]!, offset) & PT_D) !== 0) continue;
    mmu.guard(H_LARGE_PAGE_DIRTY, mmu.hpaOf(page), ptr);
    removeParent(mmu, page, ptr);
    mmu.spteSet(ptr, 0, 0, SPTE_GUARD);
  }
}

/** True when a shadow page breaks a guest's large page into 4 KiB sptes. */
export const isLargePageShadow = (mmu: Mmu, page: number): boolean =>
  roleMetaphysical(mmu.role[page]!) && roleGlevels(mmu.role[page]!) !== 0;
