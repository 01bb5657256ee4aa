/**
 * I13, unsync: only leaf tables are out of sync, each parent spte of such a page is marked, and an upper page's count of
 * marked children is right. docs/kvm-shadow-mmu.md 9.3.
 */
import { type Mmu, UNSYNC_WORDS } from "../mmu.ts";
import { parentsOf } from "../shadow/parents.ts";
import { roleLevel, roleMetaphysical } from "../shadow/role.ts";
import { hex, nameOf, type Sink } from "./violation.ts";

/** I13 of one active page. */
export function checkUnsync(mmu: Mmu, sink: Sink, page: number): void {
  const where = { page: mmu.hpaOf(page) };
  if (mmu.unsync[page] === 1) {
    const role = mmu.role[page]!;
    if (mmu.policy.unsync === null)
      sink.say("I13", `${nameOf(mmu, page)} is out of sync, which the policy does not know`, where);
    if (roleLevel(role) !== 1 || roleMetaphysical(role))
      sink.say("I13", `${nameOf(mmu, page)} is out of sync, but shadows no leaf table`, where);
    for (const ptr of parentsOf(mmu, page)) {
      if (isMarked(mmu, ptr)) continue;
      sink.say(
        "I13",
        `${nameOf(mmu, page)} is out of sync, its parent spte ${hex(ptr)} is not marked`,
        where,
      );
    }
  }
  let marks = 0;
  for (let word = 0; word < UNSYNC_WORDS; word++) {
    for (let bits = mmu.unsyncBits[page * UNSYNC_WORDS + word]!; bits !== 0; bits &= bits - 1) marks++;
  }
  if (marks === mmu.unsyncChildren[page]) return;
  sink.say(
    "I13",
    `${nameOf(mmu, page)} counts ${mmu.unsyncChildren[page]} unsync children, ${marks} are marked`,
    where,
  );
}

/** The parent spte at `ptr` is marked as one with a child that is out of sync. */
function isMarked(mmu: Mmu, ptr: number): boolean {
  const above = mmu.pageOf(ptr & ~0xfff);
  const index = (ptr & 0xfff) >> 3;
  return (mmu.unsyncBits[above * UNSYNC_WORDS + (index >> 5)]! & (1 << (index & 31))) !== 0;
}
