/**
 * Nested paging, the second dimension of the paging unit: every guest-physical address, of the guest's tables as of
 * its pages, is translated once more through host tables of 3 or 4 levels (AMD vol. 2, 15.25; SDM vol. 3, 28.3).
 *
 * The host tables have the processor's own formats, as AMD's have: 8-byte entries with P, W, U, A, D, PS and NX; every
 * nested access is a user's. An access to a guest table is a write (15.25.6; so is it with EPT's A and D flags, SDM
 * 28.3.3.2), a load of PDPTEs a read, an access to the page what the guest's is. A and D of the host entries are set as
 * the walk goes. Of the PDPTEs of a guest with PAE this unit keeps registers, loaded with CR3, as Intel's does.
 *
 * Of three levels the topmost table has PAE's PDPTEs: no rights and no A. Four of them reach 4 GiB, as far as PAE's
 * table; the bits of the address above index further entries of the same page, where a processor would give up.
 *
 * The first dimension is walk.ts, unchanged: it asks for the frame of a table and gets it from here. Every reference
 * to a table is counted by guest step and host level. Results are fields; nothing is allocated, nothing thrown.
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import {
  ACCESS_FETCH,
  ACCESS_PRESENT,
  ACCESS_RSVD,
  ACCESS_USER,
  ACCESS_WRITE,
  NESTED_COUNTS,
  NESTED_FAULTS,
  NESTED_GUEST_HITS,
  NESTED_HOST_HITS,
  NESTED_PAGE,
  NESTED_PDE,
  NESTED_PDPT,
  NESTED_WALKS,
  NESTED_WIDTH,
  type NestedUnit,
  PAGING_32,
  PAGING_OFF,
  type PhysicalBus,
} from "../door.ts";
import {
  PAE_RESERVED_HIGH,
  PDE_PAE_LARGE_RESERVED,
  PDE_PS,
  PDPTE_RESERVED_HIGH,
  PDPTE_RESERVED_LOW,
  PTE_A,
  PTE_D,
  PTE_NX_HIGH,
  PTE_P,
  PTE_U,
  PTE_W,
} from "./entries.ts";
import { TLB_D } from "./tlb.ts";
import { type WalkContext, Walker } from "./walk.ts";
import { WalkCache, type WalkCacheState } from "./walk-cache.ts";

/** Answers of `walk`. */
export const NESTED_OK = 0;
export const NESTED_GUEST_FAULT = 1;
export const NESTED_HOST_FAULT = 2;

export interface NestedState {
  levels: number;
  root: number;
  count: Float64Array;
  guest: WalkCacheState;
  host: WalkCacheState;
}

/** What the second dimension needs of the paging unit around it. */
export type NestedContext = Omit<WalkContext, "bus"> & { readonly mode: number };

export class Nested implements NestedUnit, WalkContext, PhysicalBus {
  on = false;
  levels = 4;
  root = 0;
  software: PhysicalBus | null = null;
  readonly count = new Float64Array(NESTED_COUNTS);
  faultStep = NESTED_PAGE;
  faultGfn = 0;
  faultError = 0;
  /** The walk, or the load of PDPTEs, met a nested fault. */
  failed = false;
  /** Of the last walk: the guest's side of it, and the host frame of the page. */
  readonly walker: Walker;
  hfn = -1;
  /** Linear directory index -> the guest's page table; gfn above its lowest 9 bits -> the lowest host table. */
  private guestCache = new WalkCache(0);
  private hostCache = new WalkCache(0);
  private readonly unit: NestedContext;
  private step = NESTED_PAGE;
  /** The leaf used last: it is writable and its D is set. */
  private leafDirty = false;

  constructor(unit: NestedContext) {
    this.unit = unit;
    this.walker = new Walker(this);
  }

  get cacheSize(): number {
    return this.guestCache.size;
  }

  configure(levels: number, root: number, cacheSize: number): void {
    this.on = true;
    this.levels = levels;
    this.root = root;
    this.guestCache = new WalkCache(cacheSize);
    this.hostCache = new WalkCache(cacheSize);
  }

  off(): void {
    this.on = false;
    this.failed = false;
    this.software = null;
    this.guestCache = new WalkCache(0);
    this.hostCache = new WalkCache(0);
  }

  flushHost(): void {
    this.hostCache.flush();
    this.guestCache.flush();
  }

  /** What INVLPG, MOV CR3 and every flush of the TLB do to entries of linear addresses (SDM vol. 3, 4.10.4.1). */
  flushGuest(): void {
    // Off, it has no entries; most flushes come then.
    if (this.on) this.guestCache.flush();
  }

  // ---- the first dimension's context ----

  get bus(): PhysicalBus {
    return this;
  }

  get memory(): HostMemory {
    return this.unit.memory;
  }

  get cr3(): number {
    return this.unit.cr3;
  }

  get pdptes(): Uint32Array {
    return this.unit.pdptes;
  }

  get wp(): boolean {
    return this.unit.wp;
  }

  get nxe(): boolean {
    return this.unit.nxe;
  }

  get pse(): boolean {
    return this.unit.pse;
  }

  get pge(): boolean {
    return this.unit.pge;
  }

  stored(hpa: number): void {
    this.unit.stored(hpa);
  }

  /** Host frame of a guest table that a walk is about to read an entry of; -1 behind a nested fault. */
  frameOf(gfn: number): number {
    if (this.failed) return -1;
    const hfn = this.translate(gfn, this.step, ACCESS_WRITE);
    if (hfn < 0) return -1;
    this.count[this.step * NESTED_WIDTH]!++;
    this.step--;
    return hfn;
  }

  /** Host frame of the PDPT, whose four entries are then loaded; -1 behind a nested fault. */
  frameOfPdpt(gfn: number): number {
    this.failed = false;
    if (this.software !== null) return this.software.frameOf(gfn);
    const hfn = this.translate(gfn, NESTED_PDPT, 0);
    if (hfn >= 0) this.count[NESTED_PDPT * NESTED_WIDTH]! += 4;
    return hfn;
  }

  // ---- the walk ----

  /** Translates `la` in both dimensions. NESTED_OK: `walker` has the guest's frame and TLB flags, `hfn` the host's. */
  walk(la: number, access: number): number {
    const { walker, unit } = this;
    const mode = unit.mode;
    this.failed = false;
    this.count[NESTED_WALKS]!++;
    let found: boolean;
    let directory = 0;
    let cached = false;
    if (mode === PAGING_OFF) found = walker.walkOff(la);
    else {
      directory = mode === PAGING_32 ? la >>> 22 : la >>> 21;
      cached = this.guestCache.size > 0 && this.guestCache.find(directory);
      if (cached) {
        this.count[NESTED_GUEST_HITS]!++;
        const { frame, rights } = this.guestCache;
        this.count[NESTED_WIDTH]!++; // the page table's entry is still read
        found =
          mode === PAGING_32
            ? walker.page32(la, access, rights, frame)
            : walker.pagePae(la, access, rights, frame);
      } else {
        this.step = NESTED_PDE;
        found = mode === PAGING_32 ? walker.walk32(la, access) : walker.walkPae(la, access);
      }
    }
    if (this.failed) return NESTED_HOST_FAULT;
    if (!found) {
      // A page fault drops what the caches hold for its address (SDM vol. 3, 4.10.4.1).
      this.guestCache.drop(directory);
      return NESTED_GUEST_FAULT;
    }
    if (!cached && mode !== PAGING_OFF && walker.tableHfn >= 0) {
      this.guestCache.put(directory, walker.tableHfn, walker.tableRights);
    }
    this.hfn = this.translate(walker.pfn, NESTED_PAGE, access & (ACCESS_WRITE | ACCESS_FETCH));
    if (this.hfn < 0) return NESTED_HOST_FAULT;
    // A store through the TLB needs no walk only when there is nothing left to set or to check in either dimension.
    if (!this.leafDirty) walker.flags &= ~TLB_D;
    return NESTED_OK;
  }

  /** Host frame behind a guest frame, setting A and D and counting; -1: a nested fault (`fault…`). */
  private translate(gfn: number, step: number, access: number): number {
    const { memory } = this.unit;
    const counts = step * NESTED_WIDTH;
    let level = this.levels;
    let table = this.root >>> 12;
    let rights = PTE_W | PTE_U;
    let nx = 0;
    if (this.hostCache.size > 0 && this.hostCache.find(gfn >>> 9)) {
      this.count[NESTED_HOST_HITS]!++;
      level = 1;
      table = this.hostCache.frame;
      rights = this.hostCache.rights & (PTE_W | PTE_U);
      nx = this.hostCache.rights & PTE_NX_HIGH;
    }
    for (; ; level--) {
      const at = table < memory.frames ? (table << 12) | (((gfn >>> (9 * (level - 1))) & 511) << 3) : -1;
      const low = at < 0 ? -1 : memory.i32[at >> 2]!;
      const high = at < 0 ? -1 : memory.i32[(at >> 2) + 1]!;
      this.count[counts + level]!++;
      if ((low & PTE_P) === 0) return this.fault(gfn, step, access);
      if (level === 3 && this.levels === 3) {
        if ((low & PDPTE_RESERVED_LOW) !== 0 || (high & PDPTE_RESERVED_HIGH) !== 0) {
          return this.fault(gfn, step, access | ACCESS_PRESENT | ACCESS_RSVD);
        }
        table = ((high & 0xf) << 20) | (low >>> 12);
        continue;
      }
      const large = level === 2 && (low & PDE_PS) !== 0;
      // PS is reserved above level 2: pages of 1 GiB are not offered.
      const reserved = large ? PDE_PAE_LARGE_RESERVED : level > 2 ? PDE_PS : 0;
      if ((low & reserved) !== 0 || (high & PAE_RESERVED_HIGH) !== 0) {
        return this.fault(gfn, step, access | ACCESS_PRESENT | ACCESS_RSVD);
      }
      rights &= low;
      nx |= high & PTE_NX_HIGH;
      if (!large && level > 1) {
        this.mark(at, low, PTE_A);
        table = ((high & 0xf) << 20) | (low >>> 12);
        if (level === 2) this.hostCache.put(gfn >>> 9, table, rights | nx);
        continue;
      }
      const write = (access & ACCESS_WRITE) !== 0;
      if (
        (rights & PTE_U) === 0 ||
        (write && (rights & PTE_W) === 0) ||
        ((access & ACCESS_FETCH) !== 0 && nx !== 0)
      ) {
        return this.fault(gfn, step, access | ACCESS_PRESENT);
      }
      const now = this.mark(at, low, write ? PTE_A | PTE_D : PTE_A);
      this.leafDirty = (now & PTE_D) !== 0 && (rights & PTE_W) !== 0;
      const frame = ((high & 0xf) << 20) | (low >>> 12);
      return large ? (frame & ~0x1ff) | (gfn & 0x1ff) : frame;
    }
  }

  private mark(at: number, entry: number, bits: number): number {
    const now = entry | bits;
    if (now !== entry && at >= 0) {
      this.unit.stored(at);
      this.unit.memory.i32[at >> 2] = now;
    }
    return now;
  }

  private fault(gfn: number, step: number, error: number): number {
    this.failed = true;
    this.count[NESTED_FAULTS]!++;
    this.faultStep = step;
    this.faultGfn = gfn;
    this.faultError = error | ACCESS_USER;
    this.hostCache.drop(gfn >>> 9);
    return -1;
  }

  /** Host frame of a guest frame as the tables say now, or -1. A peek: nothing is set, counted or cached. */
  peek(gfn: number): number {
    const { memory } = this.unit;
    let table = this.root >>> 12;
    for (let level = this.levels; ; level--) {
      if (table >= memory.frames) return -1;
      const at = ((table << 12) | (((gfn >>> (9 * (level - 1))) & 511) << 3)) >> 2;
      const low = memory.i32[at]!;
      if ((low & PTE_P) === 0) return -1;
      const frame = ((memory.i32[at + 1]! & 0xf) << 20) | (low >>> 12);
      if (level === 1) return frame;
      if (level === 2 && (low & PDE_PS) !== 0) return (frame & ~0x1ff) | (gfn & 0x1ff);
      table = frame;
    }
  }

  /** True when the guest's side of a walk of `la` would begin at the page table. A peek. */
  knowsDirectory(la: number): boolean {
    return this.guestCache.peek(this.unit.mode === PAGING_32 ? la >>> 22 : la >>> 21);
  }

  /** True when the host's side of a translation of `gfn` would begin at the lowest table. A peek. */
  knowsTable(gfn: number): boolean {
    return this.hostCache.peek(gfn >>> 9);
  }

  save(): NestedState {
    return {
      levels: this.levels,
      root: this.root,
      count: this.count.slice(),
      guest: this.guestCache.save(),
      host: this.hostCache.save(),
    };
  }

  load(state: NestedState): void {
    this.configure(state.levels, state.root, state.guest.keys.length);
    this.count.fill(0);
    this.count.set(state.count);
    this.guestCache.load(state.guest);
    this.hostCache.load(state.host);
  }
}
