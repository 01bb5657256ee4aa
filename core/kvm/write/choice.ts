/**
 * Which sptes a write to a guest table touches in one shadow page: the rule that the commit is about.
 * docs/kvm-shadow-mmu.md 6.2 step 2.5, 9.2.
 */
import { roleGlevels, roleLevel, roleQuadrant } from "../shadow/role.ts";

/** Filled in place by a choice: no allocation on the path of a write. */
export interface Chosen {
  /** First spte and how many; meaningless when skipped. */
  index: number;
  npte: number;
  /** Quadrant that the write falls in; 0 for tables of 8-byte entries. */
  quadrant: number;
  skipped: boolean;
}

/** `offset`: of the write in the guest's page; `role`: of the shadow page. */
export type Choice = (chosen: Chosen, offset: number, role: number) => void;

function choose(chosen: Chosen, offset: number, role: number, respectQuadrant: boolean): void {
  let pageOffset = offset;
  chosen.npte = 1;
  chosen.quadrant = 0;
  chosen.skipped = false;
  if (roleGlevels(role) === 2) {
    // 4-byte guest entries, 8-byte sptes.
    pageOffset <<= 1;
    if (roleLevel(role) === 2) {
      // A directory entry maps 4 MiB, an spte 2 MiB: twice as many again, an even and an odd one.
      pageOffset = (pageOffset & ~7) << 1;
      chosen.npte = 2;
    }
    chosen.quadrant = pageOffset >> 12;
    pageOffset &= 0xfff;
    chosen.skipped = respectQuadrant && chosen.quadrant !== roleQuadrant(role);
  }
  chosen.index = pageOffset >> 3;
}

/** 2.6.20: the formula of a page table, one doubling and one spte, for page directories too; in every quadrant (9.2). */
export const chooseAsPageTable: Choice = (chosen, offset, role) => {
  const wide = roleGlevels(role) !== 2;
  chosen.npte = 1;
  chosen.skipped = false;
  chosen.quadrant = wide ? 0 : offset >> 11;
  chosen.index = wide ? offset >> 3 : ((offset << 1) & 0xfff) >> 3;
};

/** The commit: only the quadrant that holds the entry. */
export const chooseByQuadrant: Choice = (chosen, offset, role) => choose(chosen, offset, role, true);

/** Its parent: the entry of this index in every quadrant. */
export const chooseAllQuadrants: Choice = (chosen, offset, role) => choose(chosen, offset, role, false);
