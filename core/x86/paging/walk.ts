/**
 * The processor's own walk, one function a paging mode, on the tables that CR3 names (SDM vol. 3, 4.3, 4.4, 4.6 to 4.8).
 * A is set in each upper entry as it is passed, also when a lower one then faults; the leaf's A and D are set only
 * when the access is allowed. Results are fields of the walker: nothing is allocated and nothing thrown.
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import {
  ACCESS_FETCH,
  ACCESS_PRESENT,
  ACCESS_RSVD,
  ACCESS_USER,
  ACCESS_WRITE,
  type PhysicalBus,
} from "../door.ts";
import {
  PAE_RESERVED_HIGH,
  PDE_PAE_LARGE_RESERVED,
  PDE_PS,
  PDE32_LARGE_HIGH_MASK,
  PDE32_LARGE_HIGH_SHIFT,
  PDE32_LARGE_RESERVED,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_NX_HIGH,
  PTE_P,
  PTE_U,
  PTE_W,
} from "./entries.ts";
import { TLB_2M, TLB_4M, TLB_D, TLB_G, TLB_NX, TLB_U, TLB_W } from "./tlb.ts";

const ACCESS_KIND = ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH;

/** What a walk needs to know of the machine around it. */
export interface WalkContext {
  readonly memory: HostMemory;
  readonly bus: PhysicalBus;
  readonly cr3: number;
  readonly pdptes: Uint32Array;
  readonly wp: boolean;
  readonly nxe: boolean;
  readonly pse: boolean;
  readonly pge: boolean;
  /** Called before the walk stores A or D into a host frame, at the word's byte address. */
  stored(hpa: number): void;
}

export class Walker {
  private readonly on: WalkContext;
  /** Physical frame number, when the walk succeeded. */
  pfn = 0;
  /** TLB_… of the translation. */
  flags = 0;
  /** Page-fault error code, when it did not (SDM vol. 3, 4.7). */
  error = 0;
  /** Host frame of the page table that the walk came through, or -1; W, U and NX (bit 31) of the entry above it. */
  tableHfn = -1;
  tableRights = 0;

  constructor(on: WalkContext) {
    this.on = on;
  }

  /** Paging off: the linear address is the physical one. */
  walkOff(la: number): boolean {
    this.tableHfn = -1;
    this.pfn = la >>> 12;
    this.flags = TLB_W | TLB_U | TLB_D;
    return true;
  }

  /** 32-bit paging (CR4.PAE = 0): 1024 entries of 4 bytes, 4 KiB and (CR4.PSE) 4 MiB pages. SDM vol. 3, 4.3. */
  walk32(la: number, access: number): boolean {
    const on = this.on;
    // I/D is reported only where execute-disable exists: not in this mode (SDM vol. 3, 4.7).
    const kind = access & (ACCESS_WRITE | ACCESS_USER);
    this.tableHfn = -1;
    const pdeAt = this.word(on.cr3 >>> 12, (la >>> 22) << 2);
    const pde = pdeAt < 0 ? -1 : on.memory.i32[pdeAt >> 2]!;
    if ((pde & PTE_P) === 0) return this.fault(kind);
    if ((pde & PDE_PS) !== 0 && on.pse) {
      if ((pde & PDE32_LARGE_RESERVED) !== 0) return this.fault(kind | ACCESS_PRESENT | ACCESS_RSVD);
      if (!this.allows(pde & (PTE_W | PTE_U), false, access)) return this.fault(kind | ACCESS_PRESENT);
      const dirty = this.markLeaf(pdeAt, pde, access);
      const high = (pde >>> PDE32_LARGE_HIGH_SHIFT) & PDE32_LARGE_HIGH_MASK;
      this.pfn = (high << 20) | ((pde >>> 12) & 0xffc00) | ((la >>> 12) & 0x3ff);
      return this.done(pde & (PTE_W | PTE_U), dirty, false, TLB_4M);
    }
    this.mark(pdeAt, pde, PTE_A);
    return this.page32(la, access, pde & (PTE_W | PTE_U), on.bus.frameOf(pde >>> 12));
  }

  /** The rest of `walk32`: the entry of the page table in host frame `hfn` (-1: no memory), below rights W and U. */
  page32(la: number, access: number, upper: number, hfn: number): boolean {
    const kind = access & (ACCESS_WRITE | ACCESS_USER);
    this.tableHfn = hfn;
    this.tableRights = upper;
    const pteAt = hfn < 0 ? -1 : (hfn << 12) | (((la >>> 12) & 0x3ff) << 2);
    const pte = pteAt < 0 ? -1 : this.on.memory.i32[pteAt >> 2]!;
    if ((pte & PTE_P) === 0) return this.fault(kind);
    const rights = upper & pte;
    if (!this.allows(rights, false, access)) return this.fault(kind | ACCESS_PRESENT);
    const dirty = this.markLeaf(pteAt, pte, access);
    this.pfn = pte >>> 12;
    return this.done(rights, dirty, false, 0);
  }

  /** PAE paging: PDPTE registers, then 512 entries of 8 bytes, 4 KiB and 2 MiB pages. SDM vol. 3, 4.4. */
  walkPae(la: number, access: number): boolean {
    const on = this.on;
    const kind = on.nxe ? access & ACCESS_KIND : access & (ACCESS_WRITE | ACCESS_USER);
    const reservedHigh = on.nxe ? PAE_RESERVED_HIGH : PAE_RESERVED_HIGH | PTE_NX_HIGH;
    this.tableHfn = -1;
    const slot = la >>> 30;
    const pdpte = on.pdptes[slot * 2]!;
    if ((pdpte & PTE_P) === 0) return this.fault(kind);
    const pdeAt = this.word(
      ((on.pdptes[slot * 2 + 1]! & 0xf) << 20) | (pdpte >>> 12),
      ((la >>> 21) & 0x1ff) << 3,
    );
    const pde = pdeAt < 0 ? -1 : on.memory.i32[pdeAt >> 2]!;
    const pdeHigh = pdeAt < 0 ? -1 : on.memory.i32[(pdeAt >> 2) + 1]!;
    if ((pde & PTE_P) === 0) return this.fault(kind);
    if ((pdeHigh & reservedHigh) !== 0) return this.fault(kind | ACCESS_PRESENT | ACCESS_RSVD);
    if ((pde & PDE_PS) !== 0) {
      if ((pde & PDE_PAE_LARGE_RESERVED) !== 0) return this.fault(kind | ACCESS_PRESENT | ACCESS_RSVD);
      const nx = pdeHigh < 0;
      if (!this.allows(pde & (PTE_W | PTE_U), nx, access)) return this.fault(kind | ACCESS_PRESENT);
      const dirty = this.markLeaf(pdeAt, pde, access);
      this.pfn = ((pdeHigh & 0xf) << 20) | ((pde >>> 12) & 0xffe00) | ((la >>> 12) & 0x1ff);
      return this.done(pde & (PTE_W | PTE_U), dirty, nx, TLB_2M);
    }
    this.mark(pdeAt, pde, PTE_A);
    const upper = (pde & (PTE_W | PTE_U)) | (pdeHigh & PTE_NX_HIGH);
    return this.pagePae(la, access, upper, on.bus.frameOf(((pdeHigh & 0xf) << 20) | (pde >>> 12)));
  }

  /** The rest of `walkPae`, as `page32`; bit 31 of `upper` is NX. */
  pagePae(la: number, access: number, upper: number, hfn: number): boolean {
    const on = this.on;
    const kind = on.nxe ? access & ACCESS_KIND : access & (ACCESS_WRITE | ACCESS_USER);
    const reservedHigh = on.nxe ? PAE_RESERVED_HIGH : PAE_RESERVED_HIGH | PTE_NX_HIGH;
    this.tableHfn = hfn;
    this.tableRights = upper;
    const pteAt = hfn < 0 ? -1 : (hfn << 12) | (((la >>> 12) & 0x1ff) << 3);
    const pte = pteAt < 0 ? -1 : on.memory.i32[pteAt >> 2]!;
    const pteHigh = pteAt < 0 ? -1 : on.memory.i32[(pteAt >> 2) + 1]!;
    if ((pte & PTE_P) === 0) return this.fault(kind);
    if ((pteHigh & reservedHigh) !== 0) return this.fault(kind | ACCESS_PRESENT | ACCESS_RSVD);
    const rights = upper & pte & (PTE_W | PTE_U);
    const nx = (upper | pteHigh) < 0;
    if (!this.allows(rights, nx, access)) return this.fault(kind | ACCESS_PRESENT);
    const dirty = this.markLeaf(pteAt, pte, access);
    this.pfn = ((pteHigh & 0xf) << 20) | (pte >>> 12);
    return this.done(rights, dirty, nx, 0);
  }

  /** SDM vol. 3, 4.6.1, without SMEP, SMAP and protection keys. */
  private allows(rights: number, nx: boolean, access: number): boolean {
    if ((access & ACCESS_FETCH) !== 0 && nx) return false;
    if ((access & ACCESS_USER) !== 0) {
      if ((rights & PTE_U) === 0) return false;
      return (access & ACCESS_WRITE) === 0 || (rights & PTE_W) !== 0;
    }
    return (access & ACCESS_WRITE) === 0 || (rights & PTE_W) !== 0 || !this.on.wp;
  }

  private fault(error: number): boolean {
    this.error = error;
    return false;
  }

  private done(leafRights: number, leaf: number, nx: boolean, size: number): boolean {
    this.flags =
      ((leafRights & PTE_W) !== 0 ? TLB_W : 0) |
      ((leafRights & PTE_U) !== 0 ? TLB_U : 0) |
      (nx ? TLB_NX : 0) |
      ((leaf & PTE_G) !== 0 && this.on.pge ? TLB_G : 0) |
      ((leaf & PTE_D) !== 0 ? TLB_D : 0) |
      size;
    return true;
  }

  /** Host byte address of an entry, or -1 where there is no memory (reads all ones, stores are dropped). */
  private word(pfn: number, offset: number): number {
    const hfn = this.on.bus.frameOf(pfn);
    return hfn < 0 ? -1 : (hfn << 12) | offset;
  }

  private markLeaf(at: number, entry: number, access: number): number {
    return this.mark(at, entry, (access & ACCESS_WRITE) !== 0 ? PTE_A | PTE_D : PTE_A);
  }

  /** Sets bits in the lower word of an entry; answers the word as it now is. */
  private mark(at: number, entry: number, bits: number): number {
    const now = entry | bits;
    if (now !== entry && at >= 0) {
      this.on.stored(at);
      this.on.memory.i32[at >> 2] = now;
    }
    return now;
  }
}
