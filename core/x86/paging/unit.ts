/**
 * The paging unit: its registers as silicon has them, the TLB, and the walk that fills it.
 * Bare, its registers follow CR0, CR3, CR4 and EFER; under a hypervisor they are the hypervisor's.
 */

import type { HostMemory } from "../../memory/host-memory.ts";
import { EV_INVLPG, EV_TLB_FLUSH, FLUSH_MOV_CR3 } from "../../trace/events.ts";
import type { Trace } from "../../trace/trace.ts";
import {
  ACCESS_FETCH,
  ACCESS_PRESENT,
  ACCESS_USER,
  ACCESS_WRITE,
  PAGING_32,
  PAGING_OFF,
  PAGING_PAE,
  type PagingUnit,
  type PhysicalBus,
  type TlbEntry,
} from "../door.ts";
import {
  PDE_PS,
  PDPTE_RESERVED_HIGH,
  PDPTE_RESERVED_LOW,
  PTE_A,
  PTE_D,
  PTE_P,
  PTE_U,
  PTE_W,
} from "./entries.ts";
import { NESTED_OK, Nested, type NestedState } from "./nested.ts";
import { TLB_D, TLB_G, TLB_NX, TLB_U, TLB_W, Tlb, type TlbState } from "./tlb.ts";
import { type WalkContext, Walker } from "./walk.ts";

export interface PagingState {
  mode: number;
  cr3: number;
  wp: boolean;
  nxe: boolean;
  pse: boolean;
  pge: boolean;
  pdptes: Uint32Array;
  tlb: TlbState;
  /** Only while nested paging is on. */
  nested?: NestedState;
}

/** Answers of a plain walk. */
const NOT_PLAIN = 0;
const GRANTED = 1;
const REFUSED = 2;

export class Paging implements PagingUnit, WalkContext {
  mode = PAGING_OFF;
  cr3 = 0;
  wp = false;
  nxe = false;
  pse = false;
  pge = false;
  readonly pdptes = new Uint32Array(8);
  readonly tlb: Tlb;
  readonly memory: HostMemory;
  bus: PhysicalBus;
  readonly nested: Nested;
  private readonly trace: Trace;
  private readonly walker: Walker;
  /** Told before the walk stores into a frame (page version, decoded code). */
  private readonly beforeStore: (hpa: number) => void;
  /** Error code of the last failed `lookup`. */
  error = 0;

  constructor(memory: HostMemory, bus: PhysicalBus, trace: Trace, beforeStore: (hpa: number) => void) {
    this.memory = memory;
    this.bus = bus;
    this.trace = trace;
    this.beforeStore = beforeStore;
    this.tlb = new Tlb(memory);
    this.walker = new Walker(this);
    this.nested = new Nested(this);
  }

  stored(hpa: number): void {
    this.beforeStore(hpa);
  }

  configure(mode: number, cr3: number, wp: boolean, nxe: boolean, pse: boolean, pge: boolean): void {
    this.mode = mode;
    this.cr3 = cr3;
    this.wp = wp;
    this.nxe = nxe;
    this.pse = pse;
    this.pge = pge;
    this.tlb.dropDerived();
  }

  loadPdptes(cr3: number): boolean {
    const hfn = this.nested.on ? this.nested.frameOfPdpt(cr3 >>> 12) : this.bus.frameOf(cr3 >>> 12);
    if (this.nested.failed) return false;
    const at = hfn < 0 ? -1 : ((hfn << 12) | (cr3 & 0xfe0)) >> 2;
    const u32 = this.memory.u32;
    for (let i = 0; i < 4; i++) {
      const low = at < 0 ? -1 : u32[at + i * 2]!;
      const high = at < 0 ? -1 : u32[at + i * 2 + 1]!;
      if ((low & PTE_P) !== 0 && ((low & PDPTE_RESERVED_LOW) !== 0 || (high & PDPTE_RESERVED_HIGH) !== 0)) {
        return false;
      }
    }
    for (let i = 0; i < 8; i++) this.pdptes[i] = at < 0 ? 0xffff_ffff : u32[at + i]!;
    return true;
  }

  flush(why: number, keepGlobal: boolean): void {
    if (this.trace.on) this.trace.emit(EV_TLB_FLUSH, why);
    this.tlb.flush(keepGlobal);
    this.nested.flushGuest();
  }

  /** MOV CR3's flush: global entries stay when CR4.PGE is set (SDM vol. 3, 4.10.4.1). */
  flushForCr3(): void {
    this.flush(FLUSH_MOV_CR3, this.pge);
  }

  invlpg(la: number): void {
    if (this.trace.on) this.trace.emit(EV_INVLPG, la);
    this.tlb.invlpg(la);
    this.nested.flushGuest();
  }

  entries(): TlbEntry[] {
    return this.tlb.entries();
  }

  /**
   * Walks that TLB misses began, and table entries that these read, since the processor was made; nested walks count for
   * themselves. For those who look: no state, and in no snapshot.
   */
  walks = 0;
  references = 0;

  /**
   * Index of a TLB entry that permits the access, walking when there is none; -1: a page fault, code in `error`
   * (or a nested fault: `nested.failed`).
   * An entry that is too narrow, or lacks D for a write, is walked again and the walk decides.
   */
  lookup(la: number, access: number): number {
    const i = (access & ACCESS_FETCH) !== 0 ? Tlb.fetchIndex(la) : Tlb.dataIndex(la);
    if (this.tlb.tags[i] === ((la & ~0xfff) | 1) && this.permits(this.tlb.flags[i]!, access)) return i;
    return this.fill(i, la, access);
  }

  private permits(flags: number, access: number): boolean {
    if ((access & ACCESS_USER) !== 0 && (flags & TLB_U) === 0) return false;
    if ((access & ACCESS_WRITE) !== 0) {
      if ((flags & TLB_D) === 0) return false;
      if ((flags & TLB_W) === 0 && (this.wp || (access & ACCESS_USER) !== 0)) return false;
    }
    return (access & ACCESS_FETCH) === 0 || (flags & TLB_NX) === 0 || !this.nxe;
  }

  private fill(i: number, la: number, access: number): number {
    if (this.nested.on) return this.fillNested(i, la, access);
    const mode = this.mode;
    const plain =
      mode === PAGING_PAE
        ? this.plainPae(i, la, access)
        : mode === PAGING_32
          ? this.plain32(i, la, access)
          : NOT_PLAIN;
    if (plain !== NOT_PLAIN) {
      this.walks++;
      this.references += 2;
      if (plain === GRANTED) return i;
      this.tlb.dropPage(la);
      return -1;
    }
    const walker = this.walker;
    const found =
      mode === PAGING_OFF
        ? walker.walkOff(la)
        : mode === PAGING_32
          ? walker.walk32(la, access)
          : walker.walkPae(la, access);
    this.walks++;
    this.references += walker.references;
    if (!found) {
      this.error = walker.error;
      this.tlb.dropPage(la);
      return -1;
    }
    this.tlb.set(i, la, walker.pfn, this.bus.frameOf(walker.pfn), walker.flags);
    return i;
  }

  /**
   * The walk as it nearly always is: both entries are there, neither is large, A (and D) need not be set. It then changes
   * nothing but the TLB. NOT_PLAIN: the walker is to see.
   */
  private plain32(i: number, la: number, access: number): number {
    const { bus } = this;
    const { i32 } = this.memory;
    const directory = bus.frameOf(this.cr3 >>> 12);
    if (directory < 0) return NOT_PLAIN;
    const pde = i32[(directory << 10) + (la >>> 22)]!;
    if ((pde & (PTE_P | PTE_A)) !== (PTE_P | PTE_A) || (pde & PDE_PS) !== 0) return NOT_PLAIN;
    const table = bus.frameOf(pde >>> 12);
    if (table < 0) return NOT_PLAIN;
    return this.plainLeaf(i, la, access, pde, i32[(table << 10) + ((la >>> 12) & 1023)]!);
  }

  /** As plain32, in PAE tables below 4 GiB whose entries have nothing in their upper halves. */
  private plainPae(i: number, la: number, access: number): number {
    const { bus, pdptes } = this;
    const { i32 } = this.memory;
    const slot = (la >>> 30) * 2;
    const pdpte = pdptes[slot]!;
    if ((pdpte & PTE_P) === 0 || pdptes[slot + 1] !== 0) return NOT_PLAIN;
    const directory = bus.frameOf(pdpte >>> 12);
    if (directory < 0) return NOT_PLAIN;
    const above = (directory << 10) + ((la >>> 21) & 511) * 2;
    const pde = i32[above]!;
    if ((pde & (PTE_P | PTE_A)) !== (PTE_P | PTE_A) || (pde & PDE_PS) !== 0) return NOT_PLAIN;
    if (i32[above + 1] !== 0) return NOT_PLAIN;
    const table = bus.frameOf(pde >>> 12);
    if (table < 0) return NOT_PLAIN;
    const at = (table << 10) + ((la >>> 12) & 511) * 2;
    if (i32[at + 1] !== 0) return NOT_PLAIN;
    return this.plainLeaf(i, la, access, pde, i32[at]!);
  }

  private plainLeaf(i: number, la: number, access: number, pde: number, pte: number): number {
    const reported =
      this.nxe && this.mode === PAGING_PAE
        ? ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH
        : ACCESS_WRITE | ACCESS_USER;
    if ((pte & PTE_P) === 0) {
      this.error = access & reported;
      return REFUSED;
    }
    const rights = pde & pte;
    const user = (access & ACCESS_USER) !== 0;
    const write = (access & ACCESS_WRITE) !== 0;
    if ((user && (rights & PTE_U) === 0) || (write && (rights & PTE_W) === 0 && (user || this.wp))) {
      this.error = (access & reported) | ACCESS_PRESENT;
      return REFUSED;
    }
    const marks = write ? PTE_A | PTE_D : PTE_A;
    if ((pte & marks) !== marks) return NOT_PLAIN;
    // P, W, U, A, D, G of an entry are bits 0, 1, 2, 5, 6, 8; TLB_W, TLB_U, TLB_G, TLB_D are 1, 2, 8, 16.
    const flags =
      ((rights >>> 1) & (TLB_W | TLB_U)) | ((pte >>> 2) & TLB_D) | (this.pge ? (pte >>> 5) & TLB_G : 0);
    const pfn = pte >>> 12;
    this.tlb.set(i, la, pfn, this.bus.frameOf(pfn), flags);
    return GRANTED;
  }

  /** As `fill`, in two dimensions. -1 is a page fault of the guest's, or a nested fault: then `nested.failed`. */
  private fillNested(i: number, la: number, access: number): number {
    const { nested } = this;
    if (nested.walk(la, access) !== NESTED_OK) {
      this.error = nested.walker.error;
      this.tlb.dropPage(la);
      return -1;
    }
    this.tlb.set(i, la, nested.walker.pfn, nested.hfn, nested.walker.flags);
    return i;
  }

  save(): PagingState {
    return {
      ...(this.nested.on ? { nested: this.nested.save() } : {}),
      mode: this.mode,
      cr3: this.cr3,
      wp: this.wp,
      nxe: this.nxe,
      pse: this.pse,
      pge: this.pge,
      pdptes: this.pdptes.slice(),
      tlb: this.tlb.save(),
    };
  }

  load(state: PagingState): void {
    this.configure(state.mode, state.cr3, state.wp, state.nxe, state.pse, state.pge);
    this.pdptes.set(state.pdptes);
    if (state.nested !== undefined) this.nested.load(state.nested);
    else this.nested.off();
    const { nested } = this;
    this.tlb.load(state.tlb, (pfn) => (nested.on ? nested.peek(pfn) : this.bus.frameOf(pfn)));
  }
}
