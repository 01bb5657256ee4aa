/**
 * What one leaf spte must be: I9, quadrant soundness (what its guest entry says: the same frame; W, U and NX never
 * wider than that entry and those above its parents allow); I10, shadow rights; I11, dirty; I12, the MMIO mark.
 * A piece of a large page is judged against its parents' directory entries, an orphaned one not at all.
 * docs/kvm-shadow-mmu.md 2.6, 2.7, 8.
 */
import {
  CR0_WP,
  PT_D,
  PT_P,
  PT_PS,
  PT_SHADOW_IO_MARK,
  PT_SHADOW_USER,
  PT_SHADOW_WRITABLE,
  PT_U,
  PT_W,
} from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { spteFrame } from "../shadow/rmap.ts";
import { ROLE_WP, roleGlevels, roleMetaphysical, roleQuadrant } from "../shadow/role.ts";
import { frame64 } from "../shadow/walk.ts";
import type { Above } from "./above.ts";
import { type GuestEntry, guestEntry } from "./reach.ts";
import { hex, nameOf, placeOf, type Sink } from "./violation.ts";

const gpte: GuestEntry = { low: 0, high: 0 };

/** gfn that piece `number` of the large page of a directory entry maps. */
export function pieceGfn(glevels: number, low: number, high: number, number: number): number {
  if (glevels === 2) {
    return ((low & 0xffc0_0000) >>> 12) + ((low >> 13) & 15) * 0x10_0000 + (number & 1023);
  }
  return frame64(low & 0xffe0_0000, high) + (number & 511);
}

/** Checks spte `index` of an active level-1 page; `above` is loaded for the page. */
export function checkLeaf(mmu: Mmu, sink: Sink, above: Above, index: number): void {
  const page = above.page;
  const ptr = mmu.hpaOf(page) + index * 8;
  const low = mmu.spteLow(ptr);
  if ((low & PT_P) === 0) return;
  if ((low & PT_SHADOW_IO_MARK) !== 0)
    sink.say("I12", `${what(mmu, ptr)} is present with the MMIO mark`, placeOf(ptr));
  const role = mmu.role[page]!;
  const glevels = roleGlevels(role);
  // Leaves of the mode without paging are plain 7.
  if (glevels === 0) return;
  const writable = (low & PT_W) !== 0;
  // The CR0.WP=0 state (2.7).
  const { roles, shadowBits } = mmu.policy;
  const trick = writable && (low & (shadowBits ? PT_U | PT_SHADOW_WRITABLE : PT_U)) === 0;
  if (shadowBits && writable && (low & PT_SHADOW_WRITABLE) === 0 && !trick)
    sink.say("I10", `${what(mmu, ptr)} has W without bit 10`, placeOf(ptr));
  if (shadowBits && (low & PT_U) !== 0 && (low & PT_SHADOW_USER) === 0)
    sink.say("I10", `${what(mmu, ptr)} has U without bit 11`, placeOf(ptr));
  // Where CR0.WP is part of the key, the page's own counts.
  const wp = (roles.key & ROLE_WP) === 0 ? mmu.cpu.cr0 & CR0_WP : role & ROLE_WP;
  const excused = trick && wp === 0;
  if (!roleMetaphysical(role)) {
    if (mmu.unsync[page] === 1) return;
    guestEntry(mmu, page, index, gpte);
    const gfn = glevels === 2 ? gpte.low >>> 12 : frame64(gpte.low, gpte.high);
    judge(mmu, sink, ptr, gpte.low, gpte.high, gfn, above.rights, above.nx, excused);
    return;
  }
  for (let i = 0; i < above.count; i++) {
    const pdeLow = above.lows[i]!;
    const pdeHigh = above.highs[i]!;
    if ((pdeLow & (PT_P | PT_PS)) === PT_P) {
      sink.say(
        "I9",
        `${what(mmu, ptr)} is a piece of a large page, its guest entry ${hex(pdeLow)} is a table`,
        placeOf(ptr),
      );
      continue;
    }
    const gfn = pieceGfn(glevels, pdeLow, pdeHigh, roleQuadrant(role) * 512 + index);
    judge(mmu, sink, ptr, pdeLow, pdeHigh, gfn, -1, false, excused);
  }
}

const what = (mmu: Mmu, ptr: number): string =>
  `spte ${(ptr & 0xfff) >> 3} of ${nameOf(mmu, mmu.pageOf(ptr & ~0xfff))}`;

/** I9 and I11 of one leaf against one guest entry, which maps it to `gfn`. */
function judge(
  mmu: Mmu,
  sink: Sink,
  ptr: number,
  entryLow: number,
  entryHigh: number,
  gfn: number,
  rights: number,
  nx: boolean,
  excused: boolean,
): void {
  const low = mmu.spteLow(ptr);
  const hfn = mmu.slots.hfnOf(gfn);
  const allowed = entryLow & rights;
  // All is well, said at once: the message is made when something is not.
  if (
    (entryLow & PT_P) !== 0 &&
    hfn === spteFrame(low) &&
    (low & ~allowed & (PT_W | PT_U)) === 0 &&
    ((low & PT_W) === 0 || (entryLow & PT_D) !== 0) &&
    !((entryHigh < 0 || nx) && mmu.spteHigh(ptr) >= 0)
  ) {
    return;
  }
  const spte = what(mmu, ptr);
  const where = placeOf(ptr);
  const entry = entryHigh === 0 ? hex(entryLow) : `${hex(entryHigh)}:${hex(entryLow)}`;
  if ((entryLow & PT_P) === 0) {
    sink.say("I9", `${spte} is present, its guest entry ${entry} is not`, where);
    return;
  }
  if (hfn !== spteFrame(low)) {
    sink.say(
      "I9",
      `${spte} maps frame ${hex(spteFrame(low))}, its guest entry ${entry} frame ${hfn < 0 ? "none" : hex(hfn)}`,
      where,
    );
  }
  if ((low & PT_W) !== 0 && (allowed & PT_W) === 0 && !excused)
    sink.say("I9", `${spte} is writable, the guest's entries (${entry}) are not`, where);
  if ((low & PT_U) !== 0 && (allowed & PT_U) === 0)
    sink.say("I9", `${spte} is the user's, the guest's entries (${entry}) are not`, where);
  if ((entryHigh < 0 || nx) && mmu.spteHigh(ptr) >= 0)
    sink.say("I9", `${spte} may be executed, the guest's entries (${entry}) forbid it`, where);
  if ((low & PT_W) !== 0 && (entryLow & PT_D) === 0)
    sink.say("I11", `${spte} is writable, its guest entry ${entry} is clean`, where);
}
