/**
 * The paging unit: its registers as silicon has them, the TLB, and the walk that fills it.
 * Bare, its registers follow CR0, CR3, CR4 and EFER; under a hypervisor they are the hypervisor's.
 */

import type { HostMemory } from "../../memory/host-memory.ts";
import { EV_INVLPG, EV_TLB_FLUSH, FLUSH_MOV_CR3 } from "../../trace/events.ts";
import type { Trace } from "../../trace/trace.ts";
import {
  ACCESS_FETCH,
  ACCESS_USER,
  ACCESS_WRITE,
  PAGING_32,
  PAGING_OFF,
  type PagingUnit,
  type PhysicalBus,
  type TlbEntry,
} from "../door.ts";
import { PDPTE_RESERVED_HIGH, PDPTE_RESERVED_LOW, PTE_P } from "./entries.ts";
import { NESTED_OK, Nested, type NestedState } from "./nested.ts";
import { TLB_D, TLB_NX, TLB_U, TLB_W, Tlb, type TlbState } from "./tlb.ts";
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
    const walker = this.walker;
    const mode = this.mode;
    const found =
      mode === PAGING_OFF
        ? walker.walkOff(la)
        : mode === PAGING_32
          ? walker.walk32(la, access)
          : walker.walkPae(la, access);
    if (!found) {
      this.error = walker.error;
      this.tlb.dropPage(la);
      return -1;
    }
    this.tlb.set(i, la, walker.pfn, this.bus.frameOf(walker.pfn), walker.flags);
    return i;
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
