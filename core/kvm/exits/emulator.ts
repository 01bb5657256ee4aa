/**
 * The emulator's accesses: walks of the guest's tables, and stores through emulator_write_phys, which tells the policy
 * before the bytes change. Guarded, an access is what the bare processor's would be: rights, A and D, error codes,
 * page crossing. docs/kvm-shadow-mmu.md 2.7, 5.8, 7.
 */
import { EV_PF_GUEST } from "../../trace/events.ts";
import {
  ACCESS_FETCH,
  ACCESS_PRESENT,
  ACCESS_USER,
  ACCESS_WRITE,
  type EmulatorPort,
} from "../../x86/door.ts";
import { C } from "../counters.ts";
import type { Mmu } from "../mmu.ts";
import {
  H_EMULATOR_ERROR_CODE,
  H_EMULATOR_PERMISSIONS,
  H_PAGE_CROSSING_WRITE,
  H_PSE36_GFN,
} from "../policy/hazards.ts";
import { loadPdptrs } from "../shadow/roots.ts";
import { WALK_SET_DIRTY, walkGuest } from "../shadow/walk.ts";
import { Walker } from "../shadow/walker.ts";

/** Stores 1 to 8 bytes of guest memory and stamps the page. Within one page; gfn has memory. */
function storeBytes(mmu: Mmu, gfn: number, offset: number, size: number, low: number, high: number): void {
  const hfn = mmu.slots.hfnOf(gfn);
  const at = hfn * 4096 + offset;
  const view = mmu.memory.view;
  // Decoded code is dropped first; the bytes change within.
  mmu.wrote(gfn, hfn);
  if (mmu.touched !== null) mmu.touched.store(hfn, offset, size);
  if (size === 4) view.setInt32(at, low, true);
  else {
    for (let i = 0; i < size; i++) view.setUint8(at + i, i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4)));
  }
}

/**
 * emulator_write_phys (7.2): dirty log, and pte_write before or after the bytes change. False: no memory there (an MMIO write).
 * @param offset with `size` within the page
 */
export function emulatorWritePhys(
  mmu: Mmu,
  gfn: number,
  offset: number,
  size: number,
  low: number,
  high: number,
): boolean {
  if (mmu.slots.hfnOf(gfn) < 0) return false;
  mmu.slots.markDirty(gfn);
  // Up to 2.6.24 the policy hears of the write before the bytes change, later when they have (6.1).
  const before = mmu.policy.writes === "before";
  if (before) mmu.policy.pteWrite(mmu, gfn, offset, size, low, high, true);
  storeBytes(mmu, gfn, offset, size, low, high);
  if (!before) mmu.policy.pteWrite(mmu, gfn, offset, size, low, high, true);
  return true;
}

/** kvm_write_guest (7.5): the bytes change without pte_write. */
export function writeBehind(
  mmu: Mmu,
  gfn: number,
  offset: number,
  size: number,
  low: number,
  high: number,
): void {
  if (mmu.slots.hfnOf(gfn) >= 0) storeBytes(mmu, gfn, offset, size, low, high);
}

export class Emulator implements EmulatorPort {
  high = 0;
  /** An access of the instruction met no memory. */
  mmio = false;
  /** Stores go behind the shadow's back (string input as it was, 7.5). */
  behind = false;
  /** A task switch loaded CR3: the roots are to follow. */
  newCr3 = false;
  /** Fault that an access raised, for the event of the emulation. */
  faulted = false;
  private readonly mmu: Mmu;
  private readonly w = new Walker();
  private readonly w2 = new Walker();
  /** gfn of the first and of the second page of an access. */
  private first = 0;
  private second = 0;

  constructor(mmu: Mmu) {
    this.mmu = mmu;
  }

  begin(): void {
    this.mmio = false;
    this.newCr3 = false;
    this.faulted = false;
  }

  check(la: number, size: number, access: number): boolean {
    return this.translate(la, size, access);
  }

  read(la: number, size: number, access: number): number {
    this.high = 0;
    if (!this.translate(la, size, access)) return 0;
    const offset = la & 0xfff;
    if (offset + size <= 4096) {
      const low = this.load(this.first, offset, Math.min(size, 4));
      if (size === 8) this.high = this.load(this.first, offset + 4, 4);
      return low;
    }
    let low = 0;
    let high = 0;
    for (let i = 0; i < size; i++) {
      const at = offset + i;
      const byte = at < 4096 ? this.load(this.first, at, 1) : this.load(this.second, at - 4096, 1);
      if (i < 4) low |= byte << (8 * i);
      else high |= byte << (8 * (i - 4));
    }
    this.high = high;
    return low;
  }

  write(la: number, size: number, low: number, high: number, access: number): void {
    if (!this.translate(la, size, access | ACCESS_WRITE)) return;
    const mmu = this.mmu;
    const offset = la & 0xfff;
    if (offset + size <= 4096) {
      this.store(this.first, offset, size, low, high);
      return;
    }
    if (!mmu.guarded[H_PAGE_CROSSING_WRITE]) {
      // Taken for MMIO: the bytes are lost (7.2).
      this.mmio = true;
      return;
    }
    mmu.guard(H_PAGE_CROSSING_WRITE, la, size);
    // Two stores, one a page: what each page's shadow hears of is the part that falls in it.
    const here = 4096 - offset;
    this.store(this.first, offset, here, low, high);
    const by = 8 * (here & 3);
    const upper = here >= 4 ? 0 : high;
    const lower = here >= 4 ? high : low;
    const next = by === 0 ? lower : (lower >>> by) | (upper << (32 - by));
    this.store(this.second, 0, size - here, next, by === 0 ? upper : upper >>> by);
  }

  /** The PDPTEs of a task's CR3; roots and processor follow when the instruction is done. */
  cr3Loaded(cr3: number): boolean {
    this.newCr3 = true;
    return this.mmu.rootLevel !== 3 || loadPdptrs(this.mmu, cr3);
  }

  private load(gfn: number, offset: number, size: number): number {
    const hfn = this.mmu.slots.hfnOf(gfn);
    if (hfn < 0) {
      this.mmio = true;
      const { mmio } = this.mmu.cpu;
      if (mmio !== null) return mmio.readMmio(gfn * 4096 + offset, size);
      return size === 1 ? 0xff : size === 2 ? 0xffff : -1;
    }
    const at = hfn * 4096 + offset;
    const view = this.mmu.memory.view;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getInt32(at, true);
  }

  private store(gfn: number, offset: number, size: number, low: number, high: number): void {
    if (this.behind) writeBehind(this.mmu, gfn, offset, size, low, high);
    else if (!emulatorWritePhys(this.mmu, gfn, offset, size, low, high))
      this.device(gfn, offset, size, low, high);
  }

  /** A store where there is no memory: a device's, in pieces of at most 4 bytes as the bare processor makes them. */
  private device(gfn: number, offset: number, size: number, low: number, high: number): void {
    this.mmio = true;
    const { mmio } = this.mmu.cpu;
    if (mmio === null) return;
    const address = gfn * 4096 + offset;
    if (size === 1 || size === 2 || size === 4) mmio.writeMmio(address, size, low);
    else if (size === 8) {
      mmio.writeMmio(address, 4, low);
      mmio.writeMmio(address + 4, 4, high);
    } else {
      // A part of an access that crosses pages goes byte by byte.
      for (let i = 0; i < size; i++)
        mmio.writeMmio(address + i, 1, ((i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4))) & 0xff) >>> 0);
    }
  }

  /** Finds the one or two frames of an access; false: a fault was raised. */
  private translate(la: number, size: number, access: number): boolean {
    if (!this.walk(this.w, la, access)) return false;
    this.first = this.frameOf(this.w);
    if ((la & 0xfff) + size <= 4096) return true;
    const next = ((la & ~0xfff) + 4096) | 0;
    const single = (access & ACCESS_WRITE) !== 0 && !this.mmu.guarded[H_PAGE_CROSSING_WRITE];
    if (single) return true;
    if (!this.walk(this.w2, next, access)) return false;
    this.second = this.frameOf(this.w2);
    return true;
  }

  private frameOf(w: Walker): number {
    if (w.frame === w.gfn) return w.gfn;
    if (!this.mmu.guarded[H_PSE36_GFN]) return w.gfn;
    this.mmu.guard(H_PSE36_GFN, w.frame, w.gfn);
    return w.frame;
  }

  private walk(w: Walker, la: number, access: number): boolean {
    const mmu = this.mmu;
    const asked = access & (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH);
    if (mmu.guarded[H_EMULATOR_PERMISSIONS]) {
      if (walkGuest(mmu, w, la, asked, WALK_SET_DIRTY)) {
        if (w.madeDirty) mmu.guard(H_EMULATOR_PERMISSIONS, la, asked);
        return true;
      }
      if ((w.error & ACCESS_PRESENT) !== 0) mmu.guard(H_EMULATOR_PERMISSIONS, la, w.error);
    } else if (walkGuest(mmu, w, la, 0, 0)) {
      // gva_to_gpa: presence only (2.7).
      return true;
    }
    let error = w.error;
    if (!mmu.guarded[H_EMULATOR_ERROR_CODE]) error = asked & ACCESS_WRITE;
    else if (error !== (asked & ACCESS_WRITE)) mmu.guard(H_EMULATOR_ERROR_CODE, la, error);
    mmu.count[C.pf_guest]!++;
    this.faulted = true;
    if (mmu.trace.on) mmu.trace.emit(EV_PF_GUEST, la, error, 14);
    mmu.cpu.raisePageFault(la, error);
    return false;
  }
}
