/** The real pte_write against the vectors of 6.5 and the closed forms of 6.2. */
import { describe, expect, it } from "vitest";
import { emulatorWritePhys } from "../../../core/kvm/exits/emulator.ts";
import { getPage } from "../../../core/kvm/shadow/page.ts";
import { A, D, Lab, P, U, W } from "./double.ts";
import { type Vector, vectors } from "./vectors.ts";

const GFN = 0x40;
/** Not present and not 0: an spte that only a clear can change. */
const MARK = 0x200;

function plant(sps: readonly number[], policy = "B", roots = false): Lab {
  const lab = new Lab({ policy });
  // A page that an ordinary fault can be taken on, far from the table under test.
  const directory = roots ? GFN << 12 : 0x1000;
  lab.poke(directory + 4 * 4, 0x2000 | P | W | U);
  for (let i = 0; i < 1024; i++) lab.poke(0x2000 + i * 4, 0x100000 | P | W | U | A | D);
  lab.pagingOn(directory);
  const { mmu } = lab.kvm;
  for (const role of sps) {
    const page = lab.page(GFN, role) >= 0 ? lab.page(GFN, role) : getPage(mmu, GFN, role, 0);
    for (let i = 0; i < 512; i++) mmu.spteSet(mmu.hpaOf(page) + i * 8, MARK, 0, 0);
  }
  return lab;
}

/** Cleared indices by role; a page that is gone: "gone". */
function look(lab: Lab, sps: readonly number[]): Record<number, number[] | "gone"> {
  const found: Record<number, number[] | "gone"> = {};
  for (const role of sps) {
    const page = lab.page(GFN, role);
    if (page < 0) {
      found[role] = "gone";
      continue;
    }
    const cleared: number[] = [];
    for (let i = 0; i < 512; i++) if (lab.spte(page, i) !== MARK) cleared.push(i);
    found[role] = cleared;
  }
  return found;
}

function run(vector: Vector, policy = "B"): void {
  const lab = plant(vector.sps, policy, vector.roots);
  const expected: Record<number, number[] | "gone"> = {};
  for (const role of vector.sps) expected[role] = [];
  let gva = 0x01000000;
  for (const write of vector.writes) {
    if (write.faultBefore) {
      lab.read(gva, true);
      gva += 0x1000;
    }
    emulatorWritePhys(lab.kvm.mmu, write.elsewhere ? GFN + 1 : GFN, write.offset, write.bytes, 0, 0);
    for (const role of write.zaps) {
      // An active root is emptied, but stays (4.8).
      expected[role] = vector.roots ? Array.from({ length: 512 }, (_, i) => i) : "gone";
    }
    for (const [role, indices] of write.clears) {
      const now = expected[role];
      if (now !== "gone") now!.push(...indices);
    }
    expect(look(lab, vector.sps)).toEqual(expected);
    if (write.count !== null) expect(lab.kvm.mmu.lastPtWriteCount).toBe(write.count);
  }
}

describe("6.5: test vectors", () => {
  const rows = vectors("pte-write");
  it("has every row, long mode's four tables included", () => {
    const numbers = new Set(rows.map((v) => v.row));
    expect([...numbers]).toEqual(Array.from({ length: 41 }, (_, i) => i + 1));
    expect(rows.filter((v) => v.row === 35)).toHaveLength(4);
  });
  for (const vector of rows) it(`row ${vector.row}`, () => run(vector));
  // What the two policies that look at the quadrant and the reference's detectors have in common.
  for (const vector of rows) it(`row ${vector.row} under C`, () => run(vector, "C"));
});

describe("9.2: the eras before", () => {
  for (const vector of vectors("pte-write-a0")) it(`${vector.row}`, () => run(vector, "A0"));
  for (const vector of vectors("pte-write-a")) it(`${vector.row}`, () => run(vector, "A"));

  it("A0 clears one of the two right sptes of four directory entries only: 0, 511, 512 and 1023", () => {
    const PD = [0x22, 0x122, 0x222, 0x322];
    const right: number[] = [];
    const lab = plant(PD, "A0");
    const { mmu } = lab.kvm;
    for (let i = 0; i < 1024; i++) {
      for (const role of PD) {
        const page = lab.page(GFN, role);
        for (let k = 0; k < 512; k++) mmu.spteSet(mmu.hpaOf(page) + k * 8, MARK, 0, 0);
      }
      mmu.lastPtWriteCount = 0;
      emulatorWritePhys(mmu, GFN, i * 4, 4, 0, 0);
      const page = lab.page(GFN, 0x22 | ((i >> 8) << 8));
      const pair = [lab.spte(page, 2 * (i & 255)), lab.spte(page, 2 * (i & 255) + 1)];
      if (pair.some((spte) => spte === 0)) right.push(i);
    }
    expect(right).toEqual([0, 511, 512, 1023]);
  });
});

describe("6.2: closed forms, all 1024 entries", () => {
  const PT = [0x12, 0x112];
  const PD = [0x22, 0x122, 0x222, 0x322];

  it("page table: quadrant i >> 9, index i & 511", () => {
    const lab = plant(PT);
    for (let i = 0; i < 1024; i++) {
      lab.kvm.mmu.lastPtWriteCount = 0;
      emulatorWritePhys(lab.kvm.mmu, GFN, i * 4, 4, 0, 0);
      const page = lab.page(GFN, 0x12 | ((i >> 9) << 8));
      expect(lab.spte(page, i & 511)).toBe(0);
      const whole = look(lab, PT);
      expect(whole[0x12]!.length + whole[0x112]!.length).toBe(i + 1);
    }
  });

  it("page directory: quadrant i >> 8, indices 2 * (i & 255) and the next", () => {
    const lab = plant(PD);
    for (let i = 0; i < 1024; i++) {
      lab.kvm.mmu.lastPtWriteCount = 0;
      emulatorWritePhys(lab.kvm.mmu, GFN, i * 4, 4, 0, 0);
      const page = lab.page(GFN, 0x22 | ((i >> 8) << 8));
      expect([lab.spte(page, 2 * (i & 255)), lab.spte(page, 2 * (i & 255) + 1)]).toEqual([0, 0]);
      const whole = look(lab, PD);
      expect(Object.values(whole).reduce((n, list) => n + list.length, 0)).toBe(2 * (i + 1));
    }
  });

  it("8-byte entries: index offset / 8, whichever half is written", () => {
    const lab = plant([0x13, 0x23]);
    for (let i = 0; i < 1024; i++) {
      lab.kvm.mmu.lastPtWriteCount = 0;
      emulatorWritePhys(lab.kvm.mmu, GFN, i * 4, 4, 0, 0);
      const whole = look(lab, [0x13, 0x23]);
      expect(whole[0x13]!.length).toBe((i >> 1) + 1);
      expect(whole[0x23]).toEqual(whole[0x13]);
    }
  });

  it("the parent commit clears the same index in every quadrant", () => {
    for (const [i, pt, pd] of [
      [584, 72, 144],
      [3, 3, 6],
      [1023, 511, 510],
    ] as const) {
      const tables = plant(PT, "P");
      emulatorWritePhys(tables.kvm.mmu, GFN, i * 4, 4, 0, 0);
      expect(look(tables, PT)).toEqual({ 18: [pt], 274: [pt] });
      const directories = plant(PD, "P");
      emulatorWritePhys(directories.kvm.mmu, GFN, i * 4, 4, 0, 0);
      const both = [pd, pd + 1];
      expect(look(directories, PD)).toEqual(Object.fromEntries(PD.map((role) => [role, both])));
    }
  });
});

describe("9.2: counters of a directory write", () => {
  it("counts two per page touched, and the pages skipped", () => {
    const lab = plant([0x22, 0x122, 0x222, 0x322]);
    emulatorWritePhys(lab.kvm.mmu, GFN, 0x400, 4, 0, 0);
    const { mmu_pte_write, mmu_pde_zapped, quadrant_skipped, mmu_flooded } = lab.kvm.counters;
    expect([mmu_pte_write, mmu_pde_zapped, quadrant_skipped, mmu_flooded]).toEqual([1, 2, 3, 0]);
  });
});
