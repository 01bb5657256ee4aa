/** I5, hash: each active page is in exactly its bucket, once; no two share gfn and role. docs/kvm-shadow-mmu.md 4.2, 8. */
import type { Mmu } from "../mmu.ts";
import { bucketOf } from "../shadow/pool.ts";
import { hex, nameOf, type Sink } from "./violation.ts";

/** I5 of one bucket: every page on its chain is active and belongs there, and the chain ends. */
export function checkBucket(mmu: Mmu, sink: Sink, bucket: number): void {
  let steps = 0;
  for (let page = mmu.hashHead[bucket]!; page >= 0 && steps <= mmu.poolSize; page = mmu.hashNext[page]!) {
    steps++;
    if (mmu.active[page] !== 1)
      sink.say("I5", `free page ${hex(mmu.hpaOf(page))} is in bucket ${bucket}`, { page: mmu.hpaOf(page) });
    else if (bucketOf(mmu, mmu.gfn[page]!) !== bucket)
      sink.say("I5", `${nameOf(mmu, page)} is in bucket ${bucket}`, { page: mmu.hpaOf(page) });
  }
  if (steps > mmu.poolSize) sink.say("I5", `bucket ${bucket} never ends`);
}

/** I5 of one active page: it is in its bucket once, and no other one there has its key. */
export function checkHashed(mmu: Mmu, sink: Sink, page: number): void {
  const where = { page: mmu.hpaOf(page) };
  let seen = 0;
  let steps = 0;
  for (
    let other = mmu.hashHead[bucketOf(mmu, mmu.gfn[page]!)]!;
    other >= 0 && steps <= mmu.poolSize;
    other = mmu.hashNext[other]!
  ) {
    steps++;
    if (other === page) seen++;
    else if (other < page && mmu.gfn[other] === mmu.gfn[page] && mmu.role[other] === mmu.role[page])
      sink.say("I5", `${nameOf(mmu, page)} shares gfn and role with ${hex(mmu.hpaOf(other))}`, where);
  }
  if (seen !== 1) sink.say("I5", `${nameOf(mmu, page)} is in its bucket ${seen} times`, where);
}
