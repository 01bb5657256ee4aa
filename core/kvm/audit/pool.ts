/**
 * I6, pool: free and active pages together are 256, the lists say so too, and free pages are empty.
 * docs/kvm-shadow-mmu.md 4.1, 4.2, 8.
 */
import { FRAME_SHADOW } from "../../memory/host-memory.ts";
import { POOL_FRAME } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { hex, nameOf, type Sink } from "./violation.ts";

/** I6 of the lists and counts. */
export function checkPool(mmu: Mmu, sink: Sink): void {
  let active = 0;
  for (let page = 0; page < mmu.poolSize; page++) active += mmu.active[page]!;
  if (mmu.nFree + active !== mmu.poolSize)
    sink.say("I6", `${mmu.nFree} free and ${active} active pages are not ${mmu.poolSize}`);
  const listed = lengthOf(mmu, mmu.freeHead);
  if (listed !== mmu.nFree) sink.say("I6", `${listed} pages are on the free list, n_free says ${mmu.nFree}`);
  const onActive = lengthOf(mmu, mmu.activeHead);
  if (onActive !== active) sink.say("I6", `${onActive} pages are on the active list, ${active} are active`);
}

function lengthOf(mmu: Mmu, head: number): number {
  const next = mmu.listNext;
  let n = 0;
  for (let page = head; page >= 0 && n <= mmu.poolSize; page = next[page]!) n++;
  return n;
}

/** I6 of one page: an active one is marked as the hypervisor's, a free one is empty. */
export function checkPooled(mmu: Mmu, sink: Sink, page: number): void {
  if (mmu.active[page] === 1) {
    if ((mmu.memory.flags[POOL_FRAME + page]! & FRAME_SHADOW) === 0)
      sink.say("I6", `${nameOf(mmu, page)} is not marked as a shadow frame`, { page: mmu.hpaOf(page) });
    return;
  }
  const i32 = mmu.memory.i32;
  const at = (POOL_FRAME + page) << 10;
  for (let i = 0; i < 1024; i++) {
    if (i32[at + i] === 0) continue;
    sink.say("I6", `free page ${hex(mmu.hpaOf(page))} is not empty`, {
      page: mmu.hpaOf(page),
      index: i >> 1,
    });
    return;
  }
}
