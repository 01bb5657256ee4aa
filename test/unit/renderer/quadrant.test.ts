// The link formulas of the panes against the worked examples of docs/kvm-shadow-mmu.md 3.4 and the vectors of 6.5,
// and against each other for every entry and every spte.
import { describe, expect, it } from "vitest";
import {
  entrySpan,
  guestEntryAddress,
  guestOf,
  quadrantsOf,
  shadowOf,
  shadowsOfEntry,
  spteOffset,
  spteSpan,
} from "../../../renderer/panes/table/quadrant.ts";

describe("quadrant formulas", () => {
  // gva, guest PDE, guest PTE, level-2 (quadrant, index), level-1 (quadrant, index): the table of 3.4
  const examples: [number, number, number, [number, number], [number, number]][] = [
    [0x00000000, 0, 0, [0, 0], [0, 0]],
    [0x00200000, 0, 512, [0, 1], [1, 0]],
    [0x003ff000, 0, 1023, [0, 1], [1, 511]],
    [0x08048000, 32, 72, [0, 64], [0, 72]],
    [0x40000000, 256, 0, [1, 0], [0, 0]],
    [0x7fe00000, 511, 512, [1, 511], [1, 0]],
    [0x80000000, 512, 0, [2, 0], [0, 0]],
    [0xc0000000, 768, 0, [3, 0], [0, 0]],
    [0xc0200000, 768, 512, [3, 1], [1, 0]],
    [0xffc00000, 1023, 0, [3, 510], [0, 0]],
    [0xffffe000, 1023, 1022, [3, 511], [1, 510]],
  ];
  it.each(examples)("agrees with 3.4 for gva %i", (gva, pde, pte, [q2, i2], [q1, i1]) => {
    expect(shadowOf(pte, 1, 4)).toEqual({ quadrant: q1, index: i1, count: 1 });
    const dir = shadowOf(pde, 2, 4);
    expect(dir.quadrant).toBe(q2);
    expect([dir.index, dir.index + 1]).toContain(i2);
    expect(guestOf(i2, 2, q2, 4)).toBe(pde);
    expect(guestOf(i1, 1, q1, 4)).toBe(pte);
    // The gva's own bits: an spte's place in its table's range is where the gva falls.
    expect(spteOffset(i2, 2, q2)).toBe(gva - (gva % 0x200000));
    expect(spteOffset(i1, 1, q1)).toBe((gva % 0x400000) - (gva % 4096));
  });

  it("is a bijection between entries and sptes, for both sizes and levels", () => {
    for (const size of [4, 8] as const) {
      for (const level of [1, 2]) {
        const seen = new Set<number>();
        for (let i = 0; i < 4096 / size; i++) {
          const place = shadowOf(i, level, size);
          for (let k = 0; k < place.count; k++) {
            seen.add(place.quadrant * 512 + place.index + k);
            expect(guestOf(place.index + k, level, place.quadrant, size)).toBe(i);
          }
        }
        expect(seen.size).toBe(quadrantsOf(level, size) * 512);
      }
    }
  });

  it("spans what the entries map", () => {
    expect(entrySpan(1, 4)).toBe(4096);
    expect(entrySpan(2, 4)).toBe(4 << 20);
    expect(entrySpan(2, 8)).toBe(2 << 20);
    expect(entrySpan(3, 8)).toBe(1 << 30);
    expect(spteSpan(2)).toBe(2 << 20);
  });

  it("finds exactly the pages of the entry's quadrant, and the entry of an spte", () => {
    const page = (gfn: number, level: number, quadrant: number, glevels = 2, metaphysical = false) => ({
      gfn,
      level,
      quadrant,
      glevels,
      metaphysical,
    });
    // Vector 21 and 36: self-mapped page, and a PAE page table of the same gfn.
    const pages = [
      ...[0, 1, 2, 3].map((q) => page(1, 2, q)),
      page(1, 1, 0),
      page(1, 1, 1),
      page(1, 1, 0, 3),
      page(1, 1, 1, 2, true),
      page(2, 1, 1),
    ];
    const found = shadowsOfEntry(pages, 1, 0xc00 / 4, 4);
    expect(found.map((f) => [f.page.level, f.page.quadrant, f.place.index, f.place.count])).toEqual([
      [2, 3, 0, 2],
      [1, 1, 256, 1],
    ]);
    expect(shadowsOfEntry(pages, 1, 257, 8).map((f) => f.place.index)).toEqual([257]);
    expect(guestEntryAddress(page(0x1234, 1, 1), 72)).toBe(0x1234920);
    expect(guestEntryAddress(page(1, 2, 0), 65)).toBe(0x1080);
    expect(guestEntryAddress(page(0x1234, 1, 0, 3), 257)).toBe(0x1234808);
    expect(guestEntryAddress(page(0x400, 1, 1, 2, true), 5)).toBeNull();
  });
});
