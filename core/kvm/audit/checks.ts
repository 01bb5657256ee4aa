/**
 * The audit of the whole machine: every check on everything there is. It peeks, and never sets A or D; comparisons
 * ignore A and D of sptes. docs/kvm-shadow-mmu.md 8; the statements are in the files that the checks come from.
 */
import type { Mmu } from "../mmu.ts";
import { roleLevel } from "../shadow/role.ts";
import { Above } from "./above.ts";
import { checkBucket, checkHashed } from "./hash.ts";
import { checkLeaf } from "./leaf.ts";
import { checkMapping, pageUnder } from "./mappings.ts";
import { checkLink, checkParents } from "./parents.ts";
import { checkPool, checkPooled } from "./pool.ts";
import { checkMapped, checkRmap, checkWriteProtection } from "./rmap.ts";
import { checkRootCount, checkSlot } from "./roots.ts";
import { checkTlbEntry } from "./tlb.ts";
import { checkUnsync } from "./unsync.ts";
import { Sink, type Violation } from "./violation.ts";

/** Names of what `audit` checks. T1 only where the TLB is flushed at exits. */
export function auditNames(svm: boolean): string[] {
  const names = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13"];
  return svm ? names : [...names, "T1"];
}

/** Checks every invariant. No side effects. */
export function audit(mmu: Mmu): { checked: string[]; violations: readonly Violation[] } {
  const sink = new Sink();
  const above = new Above();
  for (let hfn = 0; hfn < mmu.rmap.length; hfn++) if (mmu.rmap[hfn] !== 0) checkRmap(mmu, sink, hfn);
  for (let bucket = 0; bucket < mmu.poolSize; bucket++) checkBucket(mmu, sink, bucket);
  checkPool(mmu, sink);
  for (let page = 0; page < mmu.poolSize; page++) {
    checkPooled(mmu, sink, page);
    if (mmu.active[page] !== 1) continue;
    checkWriteProtection(mmu, sink, page);
    checkParents(mmu, sink, page);
    checkHashed(mmu, sink, page);
    checkRootCount(mmu, sink, page);
    checkUnsync(mmu, sink, page);
    const leaves = roleLevel(mmu.role[page]!) === 1;
    if (leaves) above.load(mmu, page);
    for (let index = 0; index < 512; index++) {
      if (!leaves) checkLink(mmu, sink, page, index);
      else {
        checkMapped(mmu, sink, page, index);
        checkLeaf(mmu, sink, above, index);
      }
    }
  }
  for (let slot = 0; slot < 4; slot++) {
    checkSlot(mmu, sink, slot);
    for (let j = 0; j < 512; j++) {
      const page = pageUnder(mmu, slot, j);
      for (let i = 0; page >= 0 && i < 512; i++) checkMapping(mmu, sink, slot, j, page, i);
    }
  }
  auditTlb(mmu, sink);
  return { checked: auditNames(mmu.svm), violations: sink.sorted() };
}

/** T1 alone, of the whole TLB. */
export function auditTlb(mmu: Mmu, sink: Sink): void {
  if (mmu.svm) return;
  for (const { la, pfn, write, user, nx } of mmu.cpu.paging.entries())
    checkTlbEntry(mmu, sink, la, pfn, write, user, nx);
}
