/**
 * I3, mappings: every present leaf reached from the roots maps the frame that the guest's tables give for its address.
 * Only the frame: rights are I9's. The walk is without side effects and uses the cached PDPTEs.
 * docs/kvm-shadow-mmu.md 8 (audit_mappings of mmu@fce, whose walk sets A bits; this one does not).
 */
import { PT_P } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { spteFrame } from "../shadow/rmap.ts";
import { WALK_MANUAL, WALK_PEEK, walkGuest } from "../shadow/walk.ts";
import { Walker } from "../shadow/walker.ts";
import { childOf } from "./reach.ts";
import { rootSlot } from "./roots.ts";
import { hex, placeOf, type Sink } from "./violation.ts";

const walker = new Walker();

/** The level-1 page that root slot `slot` and link `j` lead to, or -1. */
export function pageUnder(mmu: Mmu, slot: number, j: number): number {
  const root = childOf(mmu, rootSlot(mmu, slot), 2);
  return root < 0 ? -1 : childOf(mmu, mmu.spteLow(mmu.hpaOf(root) + j * 8), 1);
}

/** I3 of leaf `i` of `page`, reached by root slot `slot` and link `j`. */
export function checkMapping(mmu: Mmu, sink: Sink, slot: number, j: number, page: number, i: number): void {
  const ptr = mmu.hpaOf(page) + i * 8;
  const low = mmu.spteLow(ptr);
  // Until it is synchronised, a page that is out of sync may be stale (9.3).
  if ((low & PT_P) === 0 || mmu.unsync[page] === 1) return;
  const gva = (slot << 30) | (j << 21) | (i << 12) | 0;
  const ok = walkGuest(mmu, walker, gva, 0, WALK_PEEK | WALK_MANUAL);
  const hfn = ok ? mmu.slots.hfnOf(walker.frame) : -1;
  if (ok && hfn === spteFrame(low)) return;
  const where = { ...placeOf(ptr), gva: gva >>> 0 };
  const mapped = `gva ${hex(gva)} is mapped to frame ${hex(spteFrame(low))}`;
  if (!ok) sink.say("I3", `${mapped}, but the guest does not map it`, where);
  else {
    sink.say(
      "I3",
      `${mapped}, but the guest maps it to gfn ${hex(walker.frame)} (frame ${hfn < 0 ? "none" : hex(hfn)})`,
      where,
    );
  }
}
