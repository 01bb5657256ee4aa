/**
 * What an exit for a page fault nearly always is, in one piece: a leaf spte that was cleared is filled, or a mere store
 * into a shadowed table is emulated. The same steps as the way through fault.ts, fetch.ts and the emulator takes
 * (docs/kvm-shadow-mmu.md 5.1 to 5.6, 7.2), for the policies of 2007, while nobody traces or audits; first it is made sure
 * that each of them comes to nothing but what is done here, then it is done. A property test holds both ways together.
 */
import { FRAME_CODE } from "../../memory/host-memory.ts";
import { FLUSH_EXIT, SPTE_FETCH } from "../../trace/events.ts";
import { ACCESS_PRESENT, ACCESS_USER, ACCESS_WRITE, VECTORING_NONE } from "../../x86/door.ts";
import { C } from "../counters.ts";
import {
  CR0_WP,
  KVM_MIN_FREE_MMU_PAGES,
  PAE_ROOT_HPA,
  PT_A,
  PT_D,
  PT_P,
  PT_PS,
  PT_SHADOW_IO_MARK,
  PT_SHADOW_WRITABLE,
  PT_U,
  PT_W,
} from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { referencePageFault } from "../shadow/fault.ts";
import { setPteCommon } from "../shadow/leaf.ts";
import { lookupPage } from "../shadow/page.ts";
import { topupCaches } from "../shadow/parents.ts";

/** Bits of a guest entry that a plain walk wants to be P and A alone. */
const UPPER = PT_P | PT_A | PT_PS;

/**
 * The whole of an exit for a page fault: its counters and its flush with it, not what `enterGuest` does.
 * True: the fault in the processor's record has been answered. False: it is another kind, and nothing was done.
 */
export function plainPageFault(mmu: Mmu): boolean {
  const { cpu, slots } = mmu;
  const { exit } = cpu;
  const { i32 } = mmu.memory;
  if (mmu.trace.on || mmu.touched !== null || mmu.policy.pageFault !== referencePageFault) return false;
  if (mmu.rootLevel !== 2 || mmu.nFree < KVM_MIN_FREE_MMU_PAGES || exit.vectoringType !== VECTORING_NONE)
    return false;
  const ip = cpu.linearIp;
  if (mmu.stuckRetired === cpu.retired && mmu.stuckIp === ip) return false;
  // The guest's tables allow the access and have their marks.
  const { error, gva } = exit;
  const directory = slots.hfnOf(cpu.cr3 >>> 12) << 10;
  if (directory < 0) return false;
  const pde = i32[directory + (gva >>> 22)]!;
  if ((pde & UPPER) !== (PT_P | PT_A)) return false;
  const table = pde >>> 12;
  const tableFrame = slots.hfnOf(table);
  if (tableFrame < 0) return false;
  const pte = i32[(tableFrame << 10) + ((gva >>> 12) & 1023)]!;
  if ((pte & (PT_P | PT_A)) !== (PT_P | PT_A)) return false;
  const rights = pde & pte;
  const user = (error & ACCESS_USER) !== 0;
  if (user && (rights & PT_U) === 0) return false;
  const frame = pte >>> 12;
  const hfn = slots.hfnOf(frame);
  if (hfn < 0) return false;
  // The shadow has a page table for the address.
  const root = i32[(PAE_ROOT_HPA >> 2) + (gva >>> 30) * 2]!;
  if ((root & PT_P) === 0) return false;
  const link = i32[((root & ~0xfff) >> 2) + ((gva >>> 21) & 511) * 2]!;
  if ((link & PT_P) === 0) return false;
  const ptr = (link & ~0xfff) + ((gva >>> 12) & 511) * 8;
  const spte = i32[ptr >> 2]!;
  if ((error & ACCESS_WRITE) === 0) {
    // It lacks the leaf.
    if ((spte & (PT_P | PT_SHADOW_IO_MARK)) !== 0 || (error & ACCESS_PRESENT) !== 0) return false;
    begun(mmu, ip);
    topupCaches(mmu);
    mmu.count[C.refills]!++;
    const page = mmu.pageOf(link & ~0xfff);
    setPteCommon(mmu, page, ptr, pte, 0, pde & (PT_W | PT_U), false, frame, frame, SPTE_FETCH);
    if (mmu.policy.flood.resets) mmu.lastPtWriteCount = 0;
    mmu.count[C.pf_fixed]!++;
    return true;
  }
  // It has the leaf, read-only although the guest allows the store, because a table lies there; and it is but a store.
  if (
    exit.storeFrom < 0 ||
    user ||
    (spte & (PT_P | PT_W | PT_SHADOW_WRITABLE)) !== (PT_P | PT_SHADOW_WRITABLE)
  )
    return false;
  if ((pte & PT_D) === 0 || ((rights & PT_W) === 0 && (cpu.cr0 & CR0_WP) !== 0)) return false;
  const codePde = i32[directory + (ip >>> 22)]!;
  if ((codePde & UPPER) !== (PT_P | PT_A)) return false;
  const codeTable = slots.hfnOf(codePde >>> 12);
  if (codeTable < 0) return false;
  const codePte = i32[(codeTable << 10) + ((ip >>> 12) & 1023)]!;
  if ((codePte & (PT_P | PT_A)) !== (PT_P | PT_A) || slots.hfnOf(codePte >>> 12) !== exit.storeFrom)
    return false;
  if (mmu.policy.writes !== "before" || lookupPage(mmu, frame) < 0) return false;
  begun(mmu, ip);
  topupCaches(mmu);
  slots.markDirty(table);
  mmu.count[C.pf_fixed]!++;
  // emulator_write_phys (7.2) of an aligned word.
  const { value } = exit;
  slots.markDirty(frame);
  mmu.policy.pteWrite(mmu, frame, gva & 0xfff, 4, value, 0, true);
  const { memory } = mmu;
  memory.touch(hfn);
  if ((memory.flags[hfn]! & FRAME_CODE) !== 0) cpu.codeChanged(hfn);
  i32[(hfn << 10) | ((gva & 0xfff) >> 2)] = value;
  cpu.complete();
  mmu.stuckRetired = -1;
  return true;
}

/** The exit is counted and flushes; the count of exits for one unretired instruction begins anew, with one. */
function begun(mmu: Mmu, ip: number): void {
  mmu.count[C.exits]!++;
  mmu.count[C.light_exits]!++;
  if (!mmu.svm) mmu.cpu.paging.flush(FLUSH_EXIT, false);
  mmu.stuckRetired = mmu.cpu.retired;
  mmu.stuckIp = ip;
  mmu.stuckCount = 0;
  mmu.zappedCount = 0;
  mmu.mustEmulate = -1;
}
