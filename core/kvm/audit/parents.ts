/**
 * I4, parents: a present non-leaf spte points at an active shadow page one level lower, which knows it as a parent; and
 * conversely. I8, child quadrant: below a two-level guest's directory the child of spte j has quadrant j & 1.
 * docs/kvm-shadow-mmu.md 3.3, 4.6, 8.
 */
import { PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { parentsOf } from "../shadow/parents.ts";
import { roleGlevels, roleLevel, roleQuadrant } from "../shadow/role.ts";
import { childOf, countParent, holderOf } from "./reach.ts";
import { hex, nameOf, placeOf, type Sink } from "./violation.ts";

/** I4 and I8 of spte `index` of an active page above level 1. */
export function checkLink(mmu: Mmu, sink: Sink, page: number, index: number): void {
  const ptr = mmu.hpaOf(page) + index * 8;
  const low = mmu.spteLow(ptr);
  if ((low & PT_P) === 0) return;
  const child = mmu.pageOf(low & ~0xfff);
  if (child < 0 || child >= mmu.poolSize || mmu.active[child] !== 1) {
    sink.say(
      "I4",
      `spte ${index} of ${nameOf(mmu, page)} points at ${hex(low & ~0xfff)}, no active shadow page`,
      placeOf(ptr),
    );
    return;
  }
  const role = mmu.role[page]!;
  const childRole = mmu.role[child]!;
  if (roleLevel(childRole) !== roleLevel(role) - 1) {
    sink.say(
      "I4",
      `spte ${index} of ${nameOf(mmu, page)} points at a page of level ${roleLevel(childRole)}`,
      placeOf(ptr),
    );
  }
  if (countParent(mmu, child, ptr) === 0)
    sink.say("I4", `${nameOf(mmu, child)} does not know its parent spte ${hex(ptr)}`, placeOf(ptr));
  if (roleLevel(role) === 2 && roleGlevels(role) <= 2 && roleQuadrant(childRole) !== (index & 1)) {
    sink.say(
      "I8",
      `spte ${index} of ${nameOf(mmu, page)} points at quadrant ${roleQuadrant(childRole)}`,
      placeOf(ptr),
    );
  }
}

/** I4 of an active page's list of parents: each points at it, and is named once. */
export function checkParents(mmu: Mmu, sink: Sink, page: number): void {
  const list = parentsOf(mmu, page);
  list.forEach((ptr, i) => {
    if (list.indexOf(ptr) !== i)
      sink.say("I4", `${nameOf(mmu, page)} names parent spte ${hex(ptr)} twice`, placeOf(ptr));
    if (!pointsAt(mmu, ptr, page)) {
      sink.say(
        "I4",
        `${nameOf(mmu, page)} names parent spte ${hex(ptr)}, which does not point at it`,
        placeOf(ptr),
      );
    }
  });
}

/** True when the spte at `ptr` is a present non-leaf one of an active page and names `page`. */
export function pointsAt(mmu: Mmu, ptr: number, page: number): boolean {
  if (holderOf(mmu, ptr, 2) < 0) return false;
  const low = mmu.spteLow(ptr);
  return (low & PT_P) !== 0 && mmu.pageOf(low & ~0xfff) === page && childOf(mmu, low, 1) === page;
}
