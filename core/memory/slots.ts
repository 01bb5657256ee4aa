/**
 * Memory slots: which guest frame numbers (gfn = gpa >> 12) have memory, and in which host frames.
 * A gfn fits 24 bits (MAXPHYADDR 36). Source: docs/kvm-shadow-mmu.md 2.6, 4.1 (KVM_MEMORY_SLOTS 4).
 */

export interface MemorySlot {
  readonly gfn: number;
  readonly pages: number;
  readonly hfn: number;
}

export class MemorySlots {
  readonly slots: readonly MemorySlot[];
  /** One bit a page and slot: set when the page was marked dirty (mark_page_dirty). */
  readonly dirty: readonly Uint8Array[];
  private readonly gfn0: number;
  private readonly end0: number;
  private readonly delta0: number;
  private readonly gfn1: number;
  private readonly end1: number;
  private readonly delta1: number;
  private readonly dirty0: Uint8Array;
  private readonly dirty1: Uint8Array;

  /** @param slots at most two: memory from 0, and memory from 4 GiB. Ascending, not overlapping. */
  constructor(slots: readonly MemorySlot[]) {
    if (slots.length < 1 || slots.length > 2) throw new RangeError("one or two memory slots are possible");
    this.slots = slots;
    this.dirty = slots.map((s) => new Uint8Array((s.pages + 7) >> 3));
    this.dirty0 = this.dirty[0]!;
    this.dirty1 = this.dirty[1] ?? this.dirty0;
    const [a, b] = slots;
    this.gfn0 = a!.gfn;
    this.end0 = a!.gfn + a!.pages;
    this.delta0 = a!.hfn - a!.gfn;
    this.gfn1 = b?.gfn ?? -1;
    this.end1 = b === undefined ? -1 : b.gfn + b.pages;
    this.delta1 = b === undefined ? 0 : b.hfn - b.gfn;
  }

  /** Host frame of a guest frame, or -1 where there is no memory. */
  hfnOf(gfn: number): number {
    if (gfn >= this.gfn0 && gfn < this.end0) return gfn + this.delta0;
    if (gfn >= this.gfn1 && gfn < this.end1) return gfn + this.delta1;
    return -1;
  }

  /** Guest frame that a host frame backs, or -1 (a hypervisor's frame). */
  gfnOf(hfn: number): number {
    const a = hfn - this.delta0;
    if (a >= this.gfn0 && a < this.end0) return a;
    const b = hfn - this.delta1;
    if (b >= this.gfn1 && b < this.end1) return b;
    return -1;
  }

  /** Index of the slot that holds a gfn, or -1. */
  slotOf(gfn: number): number {
    if (gfn >= this.gfn0 && gfn < this.end0) return 0;
    if (gfn >= this.gfn1 && gfn < this.end1) return 1;
    return -1;
  }

  /** KVM's mark_page_dirty: sets the page's bit in its slot's dirty log. Nothing happens without a slot. */
  markDirty(gfn: number): void {
    if (gfn >= this.gfn0 && gfn < this.end0) {
      const page = gfn - this.gfn0;
      this.dirty0[page >> 3]! |= 1 << (page & 7);
    } else if (gfn >= this.gfn1 && gfn < this.end1) {
      const page = gfn - this.gfn1;
      this.dirty1[page >> 3]! |= 1 << (page & 7);
    }
  }
}
