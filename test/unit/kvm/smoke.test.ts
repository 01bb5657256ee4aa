/** A two-level guest under each policy: worked examples of docs/kvm-shadow-mmu.md 3.4, 3.5, 6.4, through real faults. */
import { describe, expect, it } from "vitest";
import { A, D, Lab, P, U, W } from "./double.ts";

const FLAGS = P | W | U | A | D;
const RWX = P | W | U;

/** CR3 = 0x1000; PDE 32 points to a table at gfn 0x234; page tables are mapped at 0x40000000 (PDE 256, table gfn 2). */
function guest(policy: string): Lab {
  const lab = new Lab({ policy, pages: 2048 });
  lab.poke(0x1000 + 32 * 4, 0x234000 | RWX);
  lab.poke(0x1000 + 256 * 4, 0x2000 | RWX);
  // Supervisor windows: the directory at 0x40001000, the table at 0x40002000.
  lab.poke(0x2000 + 1 * 4, 0x1000 | P | W);
  lab.poke(0x2000 + 2 * 4, 0x234000 | P | W);
  lab.poke(0x234000 + 72 * 4, 0x300000 | FLAGS);
  lab.poke(0x234000 + 584 * 4, 0x301000 | FLAGS);
  lab.poke(0x300000, 0x11111111);
  lab.poke(0x301000, 0x22222222);
  lab.poke(0x302000, 0x33333333);
  lab.pagingOn(0x1000);
  return lab;
}

describe("a two-level guest", () => {
  it("has all four quadrants of its directory as soon as CR3 is loaded", () => {
    const lab = guest("B");
    expect(lab.kvm.shadowPages().map((p) => [p.gfn, p.role.word])).toEqual([
      [1, 0x22],
      [1, 0x122],
      [1, 0x222],
      [1, 0x322],
    ]);
    expect(lab.violations()).toEqual([]);
  });

  it("maps both halves of a page table through two shadow pages", () => {
    const lab = guest("B");
    expect(lab.read(0x08048000, true).value).toBe(0x11111111);
    expect(lab.read(0x08248000, true).value).toBe(0x22222222);
    expect(lab.page(0x234, 0x12)).toBeGreaterThanOrEqual(0);
    expect(lab.page(0x234, 0x112)).toBeGreaterThanOrEqual(0);
    expect(lab.spte(lab.page(0x234, 0x12), 72) & P).toBe(P);
    expect(lab.spte(lab.page(0x234, 0x112), 72) & P).toBe(P);
    expect(lab.peek(0x1000 + 32 * 4) & A).toBe(A);
    expect(lab.violations()).toEqual([]);
  });

  for (const policy of ["P", "B", "C", "D"]) {
    it(`6.4 under ${policy}: writing PTE 584`, () => {
      const lab = guest(policy);
      lab.read(0x08048000, true);
      lab.read(0x08248000, true);
      const before = { ...lab.kvm.counters };
      const done = lab.write(0x40002000 + 584 * 4, 0x302000 | FLAGS);
      expect(done.fault).toBe(-1);
      expect(lab.peek(0x234000 + 584 * 4)).toBe(0x302000 | FLAGS);
      const q0 = lab.spte(lab.page(0x234, 0x12), 72);
      const q1 = lab.spte(lab.page(0x234, 0x112), 72);
      const skipped = lab.kvm.counters.quadrant_skipped! - before.quadrant_skipped!;
      const frame = (gfn: number): number => lab.slots.hfnOf(gfn);
      if (policy === "P") {
        expect([q0, q1, skipped]).toEqual([0, 0, 0]);
        expect(lab.violations()).toEqual([]);
      } else if (policy === "B") {
        expect([q0 >>> 12, q1, skipped]).toEqual([frame(0x300), 0, 1]);
        expect(lab.violations()).toEqual([]);
      } else if (policy === "C") {
        expect([q0 >>> 12, q1 >>> 12, skipped]).toEqual([frame(0x300), frame(0x302), 1]);
        expect(lab.violations()).toEqual([]);
      } else {
        expect([q0 >>> 12, q1 >>> 12]).toEqual([frame(0x302), frame(0x302)]);
        expect(lab.violations()).toEqual(["I9", "I3"]);
        // The damage of 6.4: a user's write to the other half lands in the wrong frame.
        lab.write(0x08048000, 0x5555, true);
        expect(lab.peek(0x302000)).toBe(0x5555);
        expect(lab.peek(0x300000)).toBe(0x11111111);
        return;
      }
      expect(lab.read(0x08048000, true).value).toBe(0x11111111);
      expect(lab.read(0x08248000, true).value).toBe(0x33333333);
      expect(lab.violations()).toEqual([]);
    });
  }
});
