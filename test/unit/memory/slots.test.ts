/** Memory slots while the A20 gate is closed: every question about a frame is about the one that the bus leads to. */
import { describe, expect, it } from "vitest";
import { MemorySlots } from "../../../core/memory/slots.ts";

describe("the A20 gate", () => {
  it("leads accesses, the dirty log and the slot's number to the same frame", () => {
    const slots = new MemorySlots([
      { gfn: 0, pages: 0xa0, hfn: 10 },
      { gfn: 0xb8, pages: 0x200, hfn: 170 },
    ]);
    expect([slots.hfnOf(0x101), slots.slotOf(0x101)]).toEqual([170 + 0x101 - 0xb8, 1]);
    slots.a20 = false;
    expect([slots.hfnOf(0x101), slots.slotOf(0x101)]).toEqual([11, 0]);
    slots.markDirty(0x101);
    expect(slots.dirty[0]![0]).toBe(2);
    expect(slots.dirty[1]!.every((byte) => byte === 0)).toBe(true);
    slots.markDirty(0x1a5); // A5 is in the hole
    expect(slots.slotOf(0x1a5)).toBe(-1);
    // Above 4 GiB there is no gate.
    slots.a20 = true;
    const high = new MemorySlots([{ gfn: 0x10_0000, pages: 0x200, hfn: 10 }]);
    high.a20 = false;
    expect(high.hfnOf(0x10_0100)).toBe(0x10a);
    high.markDirty(0x10_0100);
    expect(high.dirty[0]![0x20]).toBe(1);
  });
});
