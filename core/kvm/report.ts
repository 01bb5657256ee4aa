/** The shadow pages as reports and views show them. docs/kvm-shadow-mmu.md 3. */
import { INVALID_ROOT, PAE_ROOT_HPA, PT_P, PT_W } from "./layout.ts";
import type { Mmu } from "./mmu.ts";
import { parentsOf } from "./shadow/parents.ts";
import { decodeRole, type Role } from "./shadow/role.ts";
import { roleFieldsOf, shownRole } from "./shadow/role-layouts.ts";

export interface ShadowPage {
  readonly hpa: number;
  readonly gfn: number;
  readonly role: Role;
  /** The word and its fields as the policy's version has them (9.4). */
  readonly word: number;
  readonly layout: string;
  readonly fields: Readonly<Record<string, number>>;
  readonly rootCount: number;
  /** hpa of each parent spte, ascending. */
  readonly parents: number[];
  /** Present sptes, and (level 1) writable ones. */
  readonly present: number;
  readonly writable: number;
  /** Out of sync with its guest table (9.3), and how many pages below it are. */
  readonly unsync: boolean;
  readonly unsyncChildren: number;
}

export function describePage(mmu: Mmu, page: number): ShadowPage {
  const base = mmu.hpaOf(page);
  const { roles } = mmu.policy;
  let present = 0;
  let writable = 0;
  for (let i = 0; i < 512; i++) {
    const low = mmu.spteLow(base + i * 8);
    if ((low & PT_P) === 0) continue;
    present++;
    if ((low & PT_W) !== 0) writable++;
  }
  return {
    hpa: base,
    gfn: mmu.gfn[page]!,
    role: decodeRole(mmu.role[page]!),
    word: shownRole(roles, mmu.role[page]!),
    layout: roles.id,
    fields: roleFieldsOf(roles, mmu.role[page]!),
    rootCount: mmu.rootCount[page]!,
    parents: parentsOf(mmu, page).sort((a, b) => a - b),
    present,
    writable,
    unsync: mmu.unsync[page] === 1,
    unsyncChildren: mmu.unsyncChildren[page]!,
  };
}

/** All active shadow pages, by gfn, then role word. */
export function describePages(mmu: Mmu): ShadowPage[] {
  const pages: ShadowPage[] = [];
  for (let page = mmu.activeHead; page >= 0; page = mmu.listNext[page]!) pages.push(describePage(mmu, page));
  return pages.sort((a, b) => a.gfn - b.gfn || a.role.word - b.role.word);
}

/** The four slots of pae_root, low and high words (unsigned). */
export function describePaeRoot(mmu: Mmu): { low: number; high: number }[] {
  return [0, 8, 16, 24].map((at) => ({
    low: mmu.spteLow(PAE_ROOT_HPA + at) >>> 0,
    high: mmu.spteHigh(PAE_ROOT_HPA + at) >>> 0,
  }));
}

export const rootValid = (mmu: Mmu): boolean => mmu.rootHpa !== INVALID_ROOT;
