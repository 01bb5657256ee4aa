/** rmap, parents, pool, reclaim, save and load: the structures of docs/kvm-shadow-mmu.md 4. */
import { describe, expect, it } from "vitest";
import { freeSomePages, getPage, zapPage } from "../../../core/kvm/shadow/page.ts";
import { addParent, parentsOf, removeParent } from "../../../core/kvm/shadow/parents.ts";
import { rmapAdd, rmapOf, rmapRemove } from "../../../core/kvm/shadow/rmap.ts";
import { decodeRole, quadrantOf, roleWord } from "../../../core/kvm/shadow/role.ts";
import { index32 } from "../../../core/x86/paging/entries.ts";
import { A, D, Lab, P, PS, U, W } from "./double.ts";
import { ADDRESSES, LAYOUTS, ROLES } from "./vectors.ts";

describe("3.4, 3.5: quadrants and role words", () => {
  it("follows the worked examples through a real fault", () => {
    for (const { gva: text, pde, pte, root: slot, level2, level1 } of ADDRESSES) {
      const gva = Number(text);
      const [q2, i2] = level2;
      const [q1, i1] = level1;
      expect([index32(gva, 2), index32(gva, 1)]).toEqual([pde, pte]);
      expect([quadrantOf(2, gva | 0, 2), quadrantOf(2, gva | 0, 1)]).toEqual([q2, q1]);
      const lab = new Lab();
      lab.poke(0x1000 + (gva >>> 22) * 4, 0x2000 | P | W | U);
      lab.poke(0x2000 + ((gva >>> 12) & 1023) * 4, 0x5000 | P | W | U | A | D);
      lab.pagingOn(0x1000);
      expect(lab.read(gva).fault).toBe(-1);
      const directory = lab.page(1, 0x22 | (q2 << 8));
      expect(lab.kvm.mmu.spteLow(0x1000 + slot * 8) & ~0xfff).toBe(lab.kvm.mmu.hpaOf(directory));
      const table = lab.page(2, 0x12 | (q1 << 8));
      expect(lab.spte(directory, i2) & ~0xfff).toBe(lab.kvm.mmu.hpaOf(table));
      expect(lab.spte(table, i1) & P).toBe(P);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("builds the role words of 3.5", () => {
    for (const { what, word, glevels, level, quadrant, metaphysical, access } of ROLES) {
      const built = roleWord(glevels, level, quadrant, metaphysical, access);
      expect(built, what).toBe(Number(word));
      expect(decodeRole(built)).toMatchObject({
        glevels,
        level,
        quadrant,
        metaphysical,
        hugepageAccess: access,
      });
    }
    expect(decodeRole(0x70112)).toEqual({
      word: 0x70112,
      glevels: 2,
      level: 1,
      quadrant: 1,
      metaphysical: true,
      hugepageAccess: 3,
    });
  });

  it("gives large pages and paging off the roles of 3.5", () => {
    const lab = new Lab({ pages: 4096 });
    lab.kvm.start();
    lab.read(0x0020_0000);
    lab.read(0x0001_0000);
    const roles = lab.kvm.shadowPages().map((p) => p.role.word);
    expect(roles).toEqual([0x10010, 0x10020, 0x10120, 0x10220, 0x10320, 0x10110]);
    lab.poke(0x1000 + 4, 0x40_0000 | PS | P | W | U | A | D);
    lab.poke(0x1000 + 8, 0x80_0000 | PS | P | W | A | D);
    lab.pagingOn(0x1000, 0x10);
    for (const gva of [0x40_0000, 0x60_0000, 0x80_0000, 0xa0_0000]) lab.read(gva);
    for (const role of [0x70012, 0x70112]) expect(lab.page(0x400, role)).toBeGreaterThanOrEqual(0);
    for (const role of [0x30012, 0x30112]) expect(lab.page(0x800, role)).toBeGreaterThanOrEqual(0);
    expect(lab.violations()).toEqual([]);
  });
});

describe("9.4: role words of each version", () => {
  for (const { policy, what, word, fields } of LAYOUTS) {
    it(`${policy}: ${what}`, () => {
      const lab = new Lab({ policy, pages: 4096 });
      lab.poke(0x1000 + 256 * 4, 0x2000 | P | W);
      lab.poke(0x2000 + 512 * 4, 0x5000 | P | W | A | D);
      lab.poke(0x1000 + 257 * 4, 0x40_0000 | PS | P | W | U | A | D);
      lab.pagingOn(0x1000, 0x10);
      expect(lab.read(0x4020_0000).fault).toBe(-1);
      expect(lab.read(0x4060_0000).fault).toBe(-1);
      const shown = lab.kvm.shadowPages().find((page) => page.word === Number(word));
      expect(
        shown,
        lab.kvm
          .shadowPages()
          .map((p) => p.word.toString(16))
          .join(" "),
      ).toBeDefined();
      const set = Object.entries(shown!.fields).filter(([, value]) => value !== 0);
      expect(Object.fromEntries(set)).toEqual(fields);
      expect(lab.violations()).toEqual([]);
    });
  }
});

describe("4.6: parents", () => {
  it("goes from one pointer to chains of five, newest chain first, and stays multimapped with one left", () => {
    const lab = new Lab();
    lab.pagingOn(0x1000);
    const { mmu } = lab.kvm;
    const page = getPage(mmu, 0x30, 0x12, 0);
    const ptr = (i: number): number => 0x180000 + i * 8;
    addParent(mmu, page, 0);
    expect(parentsOf(mmu, page)).toEqual([]);
    addParent(mmu, page, ptr(0));
    expect([mmu.multimapped[page], mmu.parent[page]]).toEqual([0, ptr(0)]);
    for (let i = 1; i < 7; i++) addParent(mmu, page, ptr(i));
    expect(parentsOf(mmu, page)).toEqual([5, 6, 0, 1, 2, 3, 4].map(ptr));
    removeParent(mmu, page, ptr(1));
    expect(parentsOf(mmu, page)).toEqual([5, 6, 0, 2, 3, 4].map(ptr));
    // The first chain with its last slot empty takes the next: the newest.
    addParent(mmu, page, ptr(7));
    expect(parentsOf(mmu, page)).toEqual([5, 6, 7, 0, 2, 3, 4].map(ptr));
    for (const i of [5, 6, 7, 0, 2, 3]) removeParent(mmu, page, ptr(i));
    expect([mmu.multimapped[page], parentsOf(mmu, page)]).toEqual([1, [ptr(4)]]);
    removeParent(mmu, page, ptr(4));
    expect([mmu.multimapped[page], mmu.parent[page]]).toEqual([0, 0]);
    expect(mmu.finding).toBe(null);
    removeParent(mmu, page, ptr(9));
    expect(mmu.finding).toMatch(/no parent spte/);
  });
});

describe("4.7: rmap", () => {
  it("goes from a pointer to descriptors of four; the last slot moves into the hole", () => {
    const lab = new Lab();
    lab.pagingOn(0x1000);
    const { mmu } = lab.kvm;
    const page = getPage(mmu, 0x30, 0x12, 0);
    const frame = lab.slots.hfnOf(0x50);
    const ptr = (i: number): number => mmu.hpaOf(page) + i * 8;
    const set = (i: number, bits: number): void => mmu.spteSet(ptr(i), (frame << 12) | bits, 0, 0);
    set(0, P | U);
    rmapAdd(mmu, ptr(0));
    expect(rmapOf(mmu, frame)).toEqual([]);
    for (let i = 1; i < 8; i++) {
      set(i, P | W);
      rmapAdd(mmu, ptr(i));
    }
    expect(rmapOf(mmu, frame)).toEqual([1, 2, 3, 4, 5, 6, 7].map(ptr));
    expect(mmu.rmap[frame]! & 1).toBe(1);
    rmapRemove(mmu, ptr(1));
    expect(rmapOf(mmu, frame)).toEqual([4, 2, 3, 5, 6, 7].map(ptr));
    for (const i of [4, 2, 3]) rmapRemove(mmu, ptr(i));
    expect(rmapOf(mmu, frame)).toEqual([5, 6, 7].map(ptr));
    for (const i of [5, 6]) rmapRemove(mmu, ptr(i));
    // Not converted back to a pointer.
    expect([rmapOf(mmu, frame), mmu.rmap[frame]! & 1]).toEqual([[ptr(7)], 1]);
    rmapRemove(mmu, ptr(7));
    expect(mmu.rmap[frame]).toBe(0);
    expect(mmu.finding).toBe(null);
    rmapRemove(mmu, ptr(7));
    expect(mmu.finding).toMatch(/not in the rmap/);
  });

  it("write-protects every mapping when the frame becomes a shadowed table", () => {
    const lab = new Lab();
    for (let i = 0; i < 6; i++) lab.poke(0x2000 + i * 4, 0x50000 | P | W | U | A | D);
    lab.poke(0x1000, 0x2000 | P | W | U);
    lab.poke(0x1004, 0x50000 | P | W | U);
    lab.pagingOn(0x1000);
    for (let i = 0; i < 6; i++) lab.write(i * 4096, 0);
    expect(rmapOf(lab.kvm.mmu, lab.slots.hfnOf(0x50)).length).toBe(6);
    expect(lab.read(0x40_0000).fault).toBe(0);
    lab.poke(0x50000, 0x60000 | P | W | U);
    expect(lab.read(0x40_0000).fault).toBe(-1);
    expect(rmapOf(lab.kvm.mmu, lab.slots.hfnOf(0x50))).toEqual([]);
    expect(lab.violations()).toEqual([]);
    expect(lab.write(0x2000, 0x60000 | P | W | U).exits).toBe(1);
    expect(lab.kvm.counters.mmu_pte_write).toBe(1);
  });
});

describe("4.2, 4.8, 4.9: pool and reclaim", () => {
  it("takes pages LIFO and reclaims FIFO, roots kept and moved to the head", () => {
    const lab = new Lab({ pages: 2048 });
    lab.pagingOn(0x1000);
    const { mmu } = lab.kvm;
    const first = getPage(mmu, 0x100, 0x12, 0);
    zapPage(mmu, first, 0);
    expect(getPage(mmu, 0x101, 0x12, 0)).toBe(first);
    zapPage(mmu, first, 0);
    for (let gfn = 0x100; mmu.nFree > 0; gfn++) getPage(mmu, gfn, 0x12, 0);
    expect(mmu.nFree).toBe(0);
    freeSomePages(mmu);
    expect(mmu.nFree).toBe(25);
    // The four roots are the oldest: zapped, kept. Then the 25 oldest tables went.
    expect([0x22, 0x122, 0x222, 0x322].every((role) => lab.page(1, role) >= 0)).toBe(true);
    for (let gfn = 0x100; gfn < 0x119; gfn++) expect(lab.page(gfn, 0x12)).toBe(-1);
    expect(lab.page(0x119, 0x12)).toBeGreaterThanOrEqual(0);
    expect(lab.kvm.counters.mmu_recycled).toBe(29);
    expect(mmu.activeHead).toBe(lab.page(1, 0x322));
    expect(lab.violations()).toEqual([]);
  });

  it("a guest with more tables than the pool holds goes on", () => {
    const lab = new Lab({ pages: 2048 });
    for (let i = 0; i < 300; i++) {
      lab.poke(0x1000 + i * 4, ((0x100 + i) << 12) | P | W | U);
      lab.poke(0x10_0000 + i * 4096, 0x60000 | P | W | U | A | D);
    }
    lab.pagingOn(0x1000);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 300; i++) expect(lab.write((i << 22) | 0, i).fault).toBe(-1);
      expect(lab.violations()).toEqual([]);
    }
    expect(lab.kvm.counters.mmu_recycled).toBeGreaterThan(100);
  });

  it("CR3 loads keep the cache: a second visit finds the tables", () => {
    const lab = new Lab();
    lab.poke(0x1000, 0x2000 | P | W | U);
    lab.poke(0x2000, 0x50000 | P | W | U | A | D);
    lab.pagingOn(0x1000);
    lab.read(0);
    const misses = lab.kvm.counters.mmu_cache_miss!;
    for (const cr3 of [0x3000, 0x1000]) {
      Object.assign(lab.cpu.exit, { reason: 2, cr: 3, value: cr3 });
      lab.kvm.handleExit();
    }
    expect(lab.kvm.counters.mmu_cache_miss).toBe(misses + 4);
    expect(lab.read(0).exits).toBe(0);
    expect(lab.kvm.counters.tlb_flush).toBe(2);
    expect(lab.violations()).toEqual([]);
  });
});

describe("state", () => {
  it("save and load continue as if nothing had happened", () => {
    const lab = new Lab({ policy: "C", pages: 1024 });
    lab.poke(0x1000, 0x2000 | P | W | U);
    for (let i = 0; i < 8; i++) lab.poke(0x2000 + i * 4, ((0x50 + (i & 1)) << 12) | P | W | U | A | D);
    lab.pagingOn(0x1000);
    for (let i = 0; i < 8; i++) lab.write(i * 4096, i);
    const saved = structuredClone(lab.kvm.save());
    const bytes = lab.memory.bytes.slice();
    const go = (): unknown => {
      lab.write(0x8000, 7);
      lab.kvm.emulatorWritePhys(0x2004, 4, 0x50067);
      lab.write(0x1000, 9);
      return { ...lab.kvm.save(), pages: lab.kvm.shadowPages() };
    };
    const first = go();
    lab.memory.bytes.set(bytes);
    lab.kvm.load(saved);
    lab.cpu.paging.loadPdptes(lab.kvm.rootHpa);
    lab.cpu.paging.flush(0, false);
    const second = go();
    // The clock of the double ran on; everything else is the same.
    expect(JSON.stringify(second).replace(/"numbers":\{.*?\}/, "")).toEqual(
      JSON.stringify(first).replace(/"numbers":\{.*?\}/, ""),
    );
    expect(lab.violations()).toEqual([]);
  });

  it("a change of policy zaps everything, as an event", () => {
    const lab = new Lab();
    lab.poke(0x1000, 0x2000 | P | W | U);
    lab.poke(0x2000, 0x50000 | P | W | U | A | D);
    lab.pagingOn(0x1000);
    lab.read(0);
    lab.kvm.setPolicy("C");
    expect(lab.kvm.shadowPages().map((p) => [p.role.word, p.present])).toEqual([
      [0x22, 0],
      [0x122, 0],
      [0x222, 0],
      [0x322, 0],
    ]);
    expect(() => lab.kvm.setPolicy("none")).toThrow(/unknown policy/);
    expect(lab.violations()).toEqual([]);
  });
});
