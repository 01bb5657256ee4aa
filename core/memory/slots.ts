/**
 * Memory slots: which guest frame numbers (gfn = gpa >> 12) have memory, and in which host frames.
 * A gfn fits 24 bits (MAXPHYADDR 36). Source: docs/kvm-shadow-mmu.md 2.6, 4.1 (KVM_MEMORY_SLOTS 4).
 */

export interface MemorySlot {
  readonly gfn: number;
  readonly pages: number;
  readonly hfn: number;
}

/** KVM_MEMORY_SLOTS of the reference. */
export const MEMORY_SLOTS = 4;

/** Address bit 20 as a bit of a frame number, and the frame at 4 GiB. */
const A20_BIT = 0x100;
const A20_END = 0x10_0000;

export class MemorySlots {
  /** Level of the A20 gate. While it is closed, bit 20 of every physical address below 4 GiB is 0 on the bus. */
  a20 = true;
  readonly slots: readonly MemorySlot[];
  /** One bit a page and slot: set when the page was marked dirty (mark_page_dirty). */
  readonly dirty: readonly Uint8Array[];
  /** First gfn, first gfn behind, and hfn - gfn of each slot; -1, -1, 0 for one that is not there. */
  private readonly gfn0: number;
  private readonly end0: number;
  private readonly delta0: number;
  private readonly gfn1: number;
  private readonly end1: number;
  private readonly delta1: number;
  /** The dirty log of the first slot. */
  private readonly dirty0: Uint8Array;
  private readonly gfn2: number;
  private readonly end2: number;
  private readonly delta2: number;
  private readonly gfn3: number;
  private readonly end3: number;
  private readonly delta3: number;

  /** @param slots one to four; ascending, not overlapping, also in the host's frames */
  constructor(slots: readonly MemorySlot[]) {
    if (slots.length < 1 || slots.length > MEMORY_SLOTS)
      throw new RangeError(`one to ${MEMORY_SLOTS} memory slots are possible`);
    this.slots = slots;
    this.dirty = slots.map((s) => new Uint8Array((s.pages + 7) >> 3));
    this.dirty0 = this.dirty[0]!;
    const part = (i: number): readonly [number, number, number] => {
      const slot = slots[i];
      return slot === undefined ? [-1, -1, 0] : [slot.gfn, slot.gfn + slot.pages, slot.hfn - slot.gfn];
    };
    [this.gfn0, this.end0, this.delta0] = part(0);
    [this.gfn1, this.end1, this.delta1] = part(1);
    [this.gfn2, this.end2, this.delta2] = part(2);
    [this.gfn3, this.end3, this.delta3] = part(3);
  }

  /** Host frame of a guest frame, or -1 where there is no memory. */
  hfnOf(pfn: number): number {
    const gfn = this.a20 || pfn >= A20_END ? pfn : pfn & ~A20_BIT;
    if (gfn >= this.gfn0 && gfn < this.end0) return gfn + this.delta0;
    if (gfn >= this.gfn1 && gfn < this.end1) return gfn + this.delta1;
    if (gfn >= this.gfn2 && gfn < this.end2) return gfn + this.delta2;
    if (gfn >= this.gfn3 && gfn < this.end3) return gfn + this.delta3;
    return -1;
  }

  /** Guest frame that a host frame backs, or -1 (a hypervisor's frame). */
  gfnOf(hfn: number): number {
    const a = hfn - this.delta0;
    if (a >= this.gfn0 && a < this.end0) return a;
    const b = hfn - this.delta1;
    if (b >= this.gfn1 && b < this.end1) return b;
    const c = hfn - this.delta2;
    if (c >= this.gfn2 && c < this.end2) return c;
    const d = hfn - this.delta3;
    if (d >= this.gfn3 && d < this.end3) return d;
    return -1;
  }

  /** Index of the slot that holds a gfn, or -1. */
  slotOf(pfn: number): number {
    const gfn = this.a20 || pfn >= A20_END ? pfn : pfn & ~A20_BIT;
    if (gfn >= this.gfn0 && gfn < this.end0) return 0;
    if (gfn >= this.gfn1 && gfn < this.end1) return 1;
    if (gfn >= this.gfn2 && gfn < this.end2) return 2;
    if (gfn >= this.gfn3 && gfn < this.end3) return 3;
    return -1;
  }

  /** KVM's mark_page_dirty: sets the page's bit in its slot's dirty log. Nothing happens without a slot. */
  markDirty(pfn: number): void {
    // The page whose bytes change, wherever the closed gate leads.
    const gfn = this.a20 || pfn >= A20_END ? pfn : pfn & ~A20_BIT;
    if (gfn >= this.gfn0 && gfn < this.end0) {
      const page = gfn - this.gfn0;
      this.dirty0[page >> 3]! |= 1 << (page & 7);
      return;
    }
    const slot = this.slotOf(gfn);
    if (slot < 0) return;
    const page = gfn - this.slots[slot]!.gfn;
    this.dirty[slot]![page >> 3]! |= 1 << (page & 7);
  }
}
