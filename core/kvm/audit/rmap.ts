/**
 * I1, rmap: the sptes in all rmaps are exactly the present and writable sptes of active level-1 shadow pages, each in
 * the rmap of its own frame. I2, write protection: the rmap of a frame that holds a shadowed table is empty.
 * docs/kvm-shadow-mmu.md 4.7, 8 (audit_rmap and audit_write_protection of mmu@fce).
 */
import { PT_P, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { rmapFirst, rmapOf, spteFrame } from "../shadow/rmap.ts";
import { roleMetaphysical } from "../shadow/role.ts";
import { holderOf } from "./reach.ts";
import { hex, nameOf, placeOf, type Sink } from "./violation.ts";

const RMAPPED = PT_P | PT_W;

/** I1 of one frame: each spte that its rmap names is a leaf, present and writable, maps it, and is named once. */
export function checkRmap(mmu: Mmu, sink: Sink, hfn: number): void {
  if (mmu.rmap[hfn] === 0) return;
  const list = rmapOf(mmu, hfn);
  list.forEach((ptr, i) => {
    const where = placeOf(ptr);
    if (list.indexOf(ptr) !== i)
      sink.say("I1", `spte ${hex(ptr)} is in the rmap of frame ${hex(hfn)} twice`, where);
    if (holderOf(mmu, ptr, 1) < 0) {
      sink.say(
        "I1",
        `rmap of frame ${hex(hfn)} names ${hex(ptr)}, which is no leaf of an active shadow page`,
        where,
      );
      return;
    }
    const low = mmu.spteLow(ptr);
    if ((low & RMAPPED) !== RMAPPED) {
      sink.say(
        "I1",
        `spte ${hex(ptr)} is in the rmap of frame ${hex(hfn)} but not present and writable`,
        where,
      );
    } else if (spteFrame(low) !== hfn) {
      sink.say(
        "I1",
        `spte ${hex(ptr)} is in the rmap of frame ${hex(hfn)} but maps ${hex(spteFrame(low))}`,
        where,
      );
    }
  });
}

/** I1 of one leaf: present and writable, it is in the rmap of the frame that it maps. */
export function checkMapped(mmu: Mmu, sink: Sink, page: number, index: number): void {
  const ptr = mmu.hpaOf(page) + index * 8;
  const low = mmu.spteLow(ptr);
  if ((low & RMAPPED) !== RMAPPED) return;
  const frame = spteFrame(low);
  if (frame < mmu.rmap.length && mmu.rmap[frame] !== 0 && rmapOf(mmu, frame).includes(ptr)) return;
  sink.say(
    "I1",
    `writable spte ${index} of ${nameOf(mmu, page)} is not in the rmap of its frame`,
    placeOf(ptr),
  );
}

/** True when `page` must be write-protected: it shadows a table of the guest's, and is not out of sync (9.3). */
export const isTable = (mmu: Mmu, page: number): boolean =>
  !roleMetaphysical(mmu.role[page]!) && mmu.unsync[page] !== 1;

/** I2 of one active shadow page. */
export function checkWriteProtection(mmu: Mmu, sink: Sink, page: number): void {
  if (!isTable(mmu, page)) return;
  const hfn = mmu.slots.hfnOf(mmu.gfn[page]!);
  if (hfn < 0 || mmu.rmap[hfn] === 0) return;
  const ptr = rmapFirst(mmu, hfn);
  sink.say("I2", `the table of ${nameOf(mmu, page)} is mapped writable by spte ${hex(ptr)}`, placeOf(ptr));
}
