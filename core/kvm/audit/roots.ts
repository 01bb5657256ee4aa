/** I7, roots: root_count of a page is the number of root slots that point at it. docs/kvm-shadow-mmu.md 4.10, 8. */
import { INVALID_ROOT, PAE_ROOT_HPA, PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { hex, nameOf, type Sink } from "./violation.ts";

/** Low word of a slot of pae_root; 0 when there are no roots. */
export function rootSlot(mmu: Mmu, slot: number): number {
  return mmu.rootHpa === INVALID_ROOT ? 0 : mmu.spteLow(PAE_ROOT_HPA + slot * 8);
}

/** How many slots of pae_root point at `page`. */
export function slotsAt(mmu: Mmu, page: number): number {
  const entry = mmu.hpaOf(page) | PT_P;
  let n = 0;
  for (let slot = 0; slot < 4; slot++) {
    const low = rootSlot(mmu, slot);
    if (((low & ~0xfff) | (low & PT_P)) === entry) n++;
  }
  return n;
}

/** I7 of one slot: present, it points at an active shadow page. */
export function checkSlot(mmu: Mmu, sink: Sink, slot: number): void {
  const low = rootSlot(mmu, slot);
  if ((low & PT_P) === 0) return;
  const page = mmu.pageOf(low & ~0xfff);
  if (page < 0 || page >= mmu.poolSize || mmu.active[page] !== 1)
    sink.say("I7", `root slot ${slot} points at ${hex(low & ~0xfff)}, no active shadow page`);
}

/** I7 of one active page. */
export function checkRootCount(mmu: Mmu, sink: Sink, page: number): void {
  const slots = slotsAt(mmu, page);
  if (slots === mmu.rootCount[page]) return;
  sink.say("I7", `${nameOf(mmu, page)} has root_count ${mmu.rootCount[page]}, ${slots} slots point at it`, {
    page: mmu.hpaOf(page),
  });
}
