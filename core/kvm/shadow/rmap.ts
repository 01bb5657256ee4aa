/**
 * The reverse map: for each frame of guest memory the present and writable leaf sptes that map it.
 * docs/kvm-shadow-mmu.md 4.7.
 */
import {
  EV_RMAP_WRITE_PROTECT,
  FLUSH_RMAP_WRITE_PROTECT,
  SPTE_RMAP_WRITE_PROTECT,
} from "../../trace/events.ts";
import { C } from "../counters.ts";
import { KVM_NR_MEM_OBJS, PT_P, PT_W, RMAP_EXT } from "../layout.ts";
import { DESC_WORDS, FINDING_HAZARD, type Mmu } from "../mmu.ts";
import { H_UPDATE_WITHOUT_TOPUP, H_WP_TRICK } from "../policy/hazards.ts";
import { topupCaches } from "./parents.ts";

const MORE = RMAP_EXT;
const RMAPPED = PT_P | PT_W;

function allocDesc(mmu: Mmu): number {
  if (mmu.cachedDescs === 0) {
    // Filled at the entry of a page fault only (4.3): update_pte can get here without (6.6).
    if (mmu.guarded[H_UPDATE_WITHOUT_TOPUP]) {
      mmu.guard(H_UPDATE_WITHOUT_TOPUP, 0, 0);
      topupCaches(mmu);
      mmu.cachedDescs--;
    } else {
      mmu.found(
        FINDING_HAZARD + H_UPDATE_WITHOUT_TOPUP,
        0,
        0,
        "the cache of rmap descriptors was empty (6.6)",
      );
    }
  } else {
    mmu.cachedDescs--;
  }
  let desc = mmu.descFree;
  if (desc !== 0) mmu.descFree = mmu.descs[desc * DESC_WORDS + MORE]!;
  else {
    desc = mmu.descTop++;
    mmu.growDescs(mmu.descTop);
  }
  mmu.descs.fill(0, desc * DESC_WORDS, (desc + 1) * DESC_WORDS);
  return desc;
}

function freeDesc(mmu: Mmu, desc: number): void {
  if (mmu.cachedDescs < KVM_NR_MEM_OBJS) mmu.cachedDescs++;
  mmu.descs[desc * DESC_WORDS + MORE] = mmu.descFree;
  mmu.descFree = desc;
}

/** Host frame that a leaf spte maps. */
export const spteFrame = (low: number): number => low >>> 12;

/** rmap_add: nothing unless the spte has P and W. */
export function rmapAdd(mmu: Mmu, ptr: number): void {
  const low = mmu.spteLow(ptr);
  if ((low & RMAPPED) !== RMAPPED) return;
  addTo(mmu, spteFrame(low), ptr);
  if (mmu.policy.modern) noteSize(mmu, spteFrame(low));
}

/** max_mmu_rmap_size (10.2). */
function noteSize(mmu: Mmu, frame: number): void {
  const head = mmu.rmap[frame]!;
  let size = (head & 1) === 0 ? 1 : 0;
  for (let desc = head & 1 ? head >> 1 : 0; desc !== 0; desc = mmu.descs[desc * DESC_WORDS + MORE]!) {
    for (let i = 0; i < RMAP_EXT; i++) if (mmu.descs[desc * DESC_WORDS + i] !== 0) size++;
  }
  if (size > mmu.count[C.max_mmu_rmap_size]!) mmu.count[C.max_mmu_rmap_size] = size;
}

function addTo(mmu: Mmu, frame: number, ptr: number): void {
  if (mmu.touched !== null) mmu.touched.rmap(frame);
  const head = mmu.rmap[frame]!;
  if (head === 0) {
    mmu.rmap[frame] = ptr;
    return;
  }
  if ((head & 1) === 0) {
    const desc = allocDesc(mmu);
    mmu.descs[desc * DESC_WORDS] = head;
    mmu.descs[desc * DESC_WORDS + 1] = ptr;
    mmu.rmap[frame] = desc * 2 + 1;
    return;
  }
  let descs = mmu.descs;
  let desc = head >> 1;
  while (descs[desc * DESC_WORDS + RMAP_EXT - 1] !== 0 && descs[desc * DESC_WORDS + MORE] !== 0) {
    desc = descs[desc * DESC_WORDS + MORE]!;
  }
  if (descs[desc * DESC_WORDS + RMAP_EXT - 1] !== 0) {
    const next = allocDesc(mmu);
    descs = mmu.descs;
    descs[desc * DESC_WORDS + MORE] = next;
    desc = next;
  }
  let slot = desc * DESC_WORDS;
  while (descs[slot] !== 0) slot++;
  descs[slot] = ptr;
}

/** rmap_remove: nothing unless the spte has P and W; absent is the reference's BUG: a finding. */
export function rmapRemove(mmu: Mmu, ptr: number): void {
  const low = mmu.spteLow(ptr);
  if ((low & RMAPPED) !== RMAPPED) return;
  const frame = spteFrame(low);
  if (mmu.touched !== null) mmu.touched.rmap(frame);
  const head = mmu.rmap[frame]!;
  const descs = mmu.descs;
  if ((head & 1) === 0) {
    if (head === ptr) mmu.rmap[frame] = 0;
    else absent(mmu, ptr, frame);
    return;
  }
  let previous = 0;
  for (let desc = head >> 1; desc !== 0; desc = descs[desc * DESC_WORDS + MORE]!) {
    const at = desc * DESC_WORDS;
    for (let i = 0; i < RMAP_EXT && descs[at + i] !== 0; i++) {
      if (descs[at + i] === ptr) {
        removeSlot(mmu, frame, desc, i, previous);
        return;
      }
    }
    previous = desc;
  }
  absent(mmu, ptr, frame);
}

/** rmap_desc_remove_entry: the last used slot moves into the hole; an empty descriptor is unlinked and freed. */
function removeSlot(mmu: Mmu, frame: number, desc: number, slot: number, previous: number): void {
  const descs = mmu.descs;
  const at = desc * DESC_WORDS;
  let last = RMAP_EXT - 1;
  while (last > slot && descs[at + last] === 0) last--;
  descs[at + slot] = descs[at + last]!;
  descs[at + last] = 0;
  if (last !== 0) return;
  const more = descs[at + MORE]!;
  if (previous === 0) mmu.rmap[frame] = more === 0 ? 0 : more * 2 + 1;
  else descs[previous * DESC_WORDS + MORE] = more;
  freeDesc(mmu, desc);
}

function absent(mmu: Mmu, ptr: number, frame: number): void {
  mmu.found(
    0,
    ptr & ~0xfff,
    frame,
    `spte ${ptr.toString(16)} is not in the rmap of frame ${frame.toString(16)}`,
  );
}

/** The first spte of a frame's rmap, or 0. */
export function rmapFirst(mmu: Mmu, frame: number): number {
  const head = mmu.rmap[frame]!;
  return (head & 1) === 0 ? head : mmu.descs[(head >> 1) * DESC_WORDS]!;
}

/** All sptes of a frame's rmap, in order. For audits and reports: allocates. */
export function rmapOf(mmu: Mmu, frame: number): number[] {
  const head = mmu.rmap[frame]!;
  if (head === 0) return [];
  if ((head & 1) === 0) return [head];
  const found: number[] = [];
  for (let desc = head >> 1; desc !== 0; desc = mmu.descs[desc * DESC_WORDS + MORE]!) {
    for (let i = 0; i < RMAP_EXT; i++) {
      const ptr = mmu.descs[desc * DESC_WORDS + i]!;
      if (ptr !== 0) found.push(ptr);
    }
  }
  return found;
}

/** Takes an spte out of a frame's rmap by force, after the reference's assertion has failed (then a finding was made). */
function rmapForget(mmu: Mmu, frame: number, ptr: number): void {
  if (mmu.touched !== null) mmu.touched.rmap(frame);
  const head = mmu.rmap[frame]!;
  if ((head & 1) === 0) {
    mmu.rmap[frame] = 0;
    return;
  }
  const desc = head >> 1;
  for (let i = 0; i < RMAP_EXT; i++) {
    if (mmu.descs[desc * DESC_WORDS + i] === ptr) {
      removeSlot(mmu, frame, desc, i, 0);
      return;
    }
  }
}

/**
 * rmap_write_protect: takes W from every writable mapping of the frame of `gfn`. Without memory: nothing. Answers how
 * many lost it.
 */
export function rmapWriteProtect(mmu: Mmu, gfn: number): number {
  const frame = mmu.slots.hfnOf(gfn);
  if (frame < 0) return 0;
  let sptes = 0;
  for (let ptr = rmapFirst(mmu, frame); ptr !== 0; ptr = rmapFirst(mmu, frame)) {
    const low = mmu.spteLow(ptr);
    if ((low & RMAPPED) !== RMAPPED || spteFrame(low) !== frame) {
      mmu.found(
        FINDING_HAZARD + H_WP_TRICK,
        ptr & ~0xfff,
        frame,
        `rmap_write_protect met an spte that is not a writable mapping of its frame (2.7): spte ${ptr.toString(16)}`,
      );
      rmapForget(mmu, frame, ptr);
      continue;
    }
    rmapRemove(mmu, ptr);
    // The reference flushes before it clears W (4.7).
    mmu.cpu.paging.flush(FLUSH_RMAP_WRITE_PROTECT, false);
    mmu.spteSet(ptr, low & ~PT_W, mmu.spteHigh(ptr), SPTE_RMAP_WRITE_PROTECT);
    sptes++;
  }
  if (sptes > 0 && mmu.trace.on) mmu.trace.emit(EV_RMAP_WRITE_PROTECT, gfn, sptes);
  return sptes;
}
