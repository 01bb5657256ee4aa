/** T1, TLB: where exits flush it (vmx), every entry of the TLB equals a present spte. docs/kvm-shadow-mmu.md 1, 5.1. */
import { PT_P, PT_U, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { spteFrame } from "../shadow/rmap.ts";
import { childOf } from "./reach.ts";
import { rootSlot } from "./roots.ts";
import { hex, placeOf, type Sink } from "./violation.ts";

/** T1 of one entry: linear page `gva` goes to host frame `pfn` with these rights. */
export function checkTlbEntry(
  mmu: Mmu,
  sink: Sink,
  gva: number,
  pfn: number,
  write: boolean,
  user: boolean,
  nx: boolean,
): void {
  const root = childOf(mmu, rootSlot(mmu, gva >>> 30), 2);
  const child = root < 0 ? -1 : childOf(mmu, mmu.spteLow(mmu.hpaOf(root) + ((gva >>> 21) & 511) * 8), 1);
  const ptr = child < 0 ? 0 : mmu.hpaOf(child) + ((gva >>> 12) & 511) * 8;
  const low = child < 0 ? 0 : mmu.spteLow(ptr);
  if (
    (low & PT_P) !== 0 &&
    pfn === spteFrame(low) &&
    write === ((low & PT_W) !== 0) &&
    user === ((low & PT_U) !== 0) &&
    nx === mmu.spteHigh(ptr) < 0
  ) {
    return;
  }
  const where = { ...(child < 0 ? {} : placeOf(ptr)), gva: gva >>> 0 };
  if ((low & PT_P) === 0) sink.say("T1", `the TLB translates ${hex(gva)}, the shadow does not`, where);
  else {
    sink.say(
      "T1",
      `the TLB's entry for ${hex(gva)} (frame ${hex(pfn)}) differs from the spte ${hex(low)}`,
      where,
    );
  }
}
