/** One planted corruption an invariant: no check of the audit is vacuous, and the incremental audit says the same. */
import { describe, expect, it } from "vitest";
import { IncrementalAudit, type Touched } from "../../../core/kvm/audit/index.ts";
import { COUNTERS } from "../../../core/kvm/counters.ts";
import { HAZARDS, INVARIANTS } from "../../../core/kvm/index.ts";
import { rmapAdd } from "../../../core/kvm/shadow/rmap.ts";
import { A, D, Lab, P, U, W } from "./double.ts";

const FULL = P | W | U | A | D;

/** PDE 0 -> table gfn 2 (both halves), PDE 1 -> table gfn 3; leaves present and writable. */
function guest(): Lab {
  const lab = new Lab();
  lab.poke(0x1000, 0x2000 | P | W | U);
  lab.poke(0x1004, 0x3000 | P | W | U);
  lab.poke(0x2000, 0x50000 | FULL);
  lab.poke(0x2004, 0x51000 | P | U | A | D);
  lab.poke(0x2008, 0x52000 | P | W | A | D);
  lab.poke(0x2000 + 512 * 4, 0x53000 | FULL);
  lab.poke(0x3000, 0x54000 | FULL);
  lab.pagingOn(0x1000);
  lab.write(0, 1);
  lab.read(0x1000);
  lab.write(0x2000, 1);
  lab.write(0x200000, 1);
  lab.write(0x400000, 1);
  return lab;
}

/** Violated invariants after `plant`. */
function violatedBy(
  plant: (lab: Lab, at: (role: number, index: number) => number, touched: Touched) => void,
): string[] {
  const lab = guest();
  expect(lab.violations()).toEqual([]);
  const { mmu } = lab.kvm;
  const incremental = new IncrementalAudit(mmu, null);
  expect(incremental.look()).toEqual([]);
  plant(
    lab,
    (role, index) => mmu.hpaOf(lab.page(role >> 24 || 2, role & 0xffffff)) + index * 8,
    incremental.touched,
  );
  const whole = lab.kvm.audit().violations;
  expect(incremental.look()).toEqual(whole);
  // What is still wrong is found again, though nothing was touched.
  expect(incremental.look()).toEqual(whole);
  const memory = lab.memory.bytes.slice();
  const found = lab.violations();
  expect(Buffer.compare(lab.memory.bytes, memory)).toBe(0);
  return found;
}

const poke = (lab: Lab, ptr: number, low: number, high = 0): void => lab.kvm.mmu.spteSet(ptr, low, high, 12);

describe("the audit catches", () => {
  it("I1: a writable spte in no rmap", () => {
    const found = violatedBy((lab, at, touched) => {
      const hfn = lab.slots.hfnOf(0x50);
      expect(lab.kvm.mmu.rmap[hfn]).toBe(at(0x12, 0));
      lab.kvm.mmu.rmap[hfn] = 0;
      touched.rmap(hfn);
    });
    expect(found).toEqual(["I1"]);
  });

  it("I1: an rmap entry of a read-only spte", () => {
    const found = violatedBy((lab, at, touched) => {
      lab.kvm.mmu.rmap[lab.slots.hfnOf(0x51)] = at(0x12, 1);
      touched.rmap(lab.slots.hfnOf(0x51));
    });
    expect(found).toEqual(["I1"]);
  });

  it("I2: a writable mapping of a table", () => {
    const found = violatedBy((lab, at) => {
      lab.poke(0x200c, 0x3000 | FULL);
      poke(lab, at(0x12, 3), (lab.slots.hfnOf(3) << 12) | FULL | 0xc00);
      rmapAdd(lab.kvm.mmu, at(0x12, 3));
    });
    expect(found).toEqual(["I2"]);
  });

  it("I3: a leaf that maps another frame than the guest says", () => {
    // The directory names another table now: the leaf still is what its own table says.
    const found = violatedBy((lab) => lab.poke(0x1004, 0x4000 | P | W | U | A));
    expect(found).toContain("I3");
    expect(found).not.toContain("I9");
  });

  it("I4: a link without the parent pointer", () => {
    const found = violatedBy((lab, _at, touched) => {
      lab.kvm.mmu.parent[lab.page(3, 0x12)] = 0;
      touched.parentsOf(lab.page(3, 0x12));
    });
    expect(found).toEqual(["I4"]);
  });

  it("I4: a parent pointer without the link", () => {
    const found = violatedBy((lab, _at, touched) => {
      const directory = lab.kvm.mmu.hpaOf(lab.page(1, 0x22));
      lab.kvm.mmu.parent[lab.page(3, 0x12)] = directory + 7 * 8;
      touched.parentsOf(lab.page(3, 0x12));
    });
    expect(found).toContain("I4");
  });

  it("I5: a page in the wrong bucket", () => {
    const found = violatedBy((lab, _at, touched) => {
      const { mmu } = lab.kvm;
      touched.bucket(3);
      touched.bucket(9);
      mmu.hashHead[9] = mmu.hashHead[3]!;
      mmu.hashHead[3] = -1;
    });
    expect(found).toEqual(["I5"]);
  });

  it("I6: a wrong count of free pages, and rubbish in a free one", () => {
    expect(
      violatedBy((lab, _at, touched) => {
        lab.kvm.mmu.nFree--;
        touched.lists();
      }),
    ).toEqual(["I6"]);
    expect(violatedBy((lab) => poke(lab, lab.kvm.mmu.hpaOf(lab.kvm.mmu.freeHead), 2))).toEqual(["I6"]);
  });

  it("I7: a wrong root_count", () => {
    const found = violatedBy((lab, _at, touched) => {
      lab.kvm.mmu.rootCount[lab.page(1, 0x122)] = 2;
      touched.header(lab.page(1, 0x122));
    });
    expect(found).toEqual(["I7"]);
  });

  it("I8: a child of the wrong quadrant", () => {
    const found = violatedBy((lab, _at, touched) => {
      const { mmu } = lab.kvm;
      const directory = mmu.hpaOf(lab.page(1, 0x22));
      const child = lab.page(2, 0x112);
      poke(lab, directory + 8, 0);
      poke(lab, directory + 16 * 8, mmu.hpaOf(child) | 0x27);
      mmu.parent[child] = directory + 16 * 8;
      touched.parentsOf(child);
    });
    expect(found).toContain("I8");
  });

  it("I9: another frame, wider rights, an entry that is not present", () => {
    const frame = (lab: Lab): number => lab.slots.hfnOf(0x51) << 12;
    expect(
      violatedBy((lab, at) => poke(lab, at(0x12, 1), frame(lab) + 0x8000 + (P | U | A | D | 0x800))),
    ).toContain("I9");
    expect(violatedBy((lab, at) => poke(lab, at(0x12, 1), frame(lab) | P | U | A | D | 0x800))).toEqual([]);
    const user = violatedBy((lab, at) => {
      poke(lab, at(0x12, 2), (lab.slots.hfnOf(0x52) << 12) | FULL | 0xc00);
    });
    expect(user).toEqual(["I9"]);
    expect(violatedBy((lab) => lab.poke(0x2000 + 512 * 4, 0))).toEqual(["I9", "I3"]);
    // The entry above its parent forbids writing.
    expect(violatedBy((lab) => lab.poke(0x1004, 0x3000 | P | U | A))).toEqual(["I9"]);
  });

  it("I9: a piece of a large page whose entry has become a table", () => {
    const lab = new Lab({ pages: 2048 });
    lab.poke(0x1000, 0xe7); // 4 MiB from 0
    lab.pagingOn(0x1000, 0x10);
    lab.read(0x50000);
    const incremental = new IncrementalAudit(lab.kvm.mmu, null);
    expect(incremental.look()).toEqual([]);
    expect(lab.violations()).toEqual([]);
    lab.poke(0x1000, 0x67);
    lab.poke(0x50 * 4, 0x50067); // the table at gfn 0 gives the same frame: I3 has nothing to say
    expect(lab.violations()).toEqual(["I9"]);
    expect(incremental.look()).toEqual(lab.kvm.audit().violations);
  });

  it("I10: U without bit 11, W without bit 10", () => {
    const found = violatedBy((lab, at) => poke(lab, at(0x12, 1), (lab.slots.hfnOf(0x51) << 12) | P | U | A));
    expect(found).toEqual(["I10"]);
    const write = violatedBy((lab, at) => {
      poke(lab, at(0x12, 0), (lab.slots.hfnOf(0x50) << 12) | P | W | U | A | 0x800);
    });
    expect(write).toEqual(["I10"]);
  });

  it("I11: a writable spte of a clean entry", () => {
    expect(violatedBy((lab) => lab.poke(0x2000, 0x50000 | P | W | U | A))).toEqual(["I11"]);
  });

  it("I12: a present spte with the MMIO mark", () => {
    const found = violatedBy((lab, at) => {
      const low = lab.kvm.mmu.spteLow(at(0x12, 1));
      poke(lab, at(0x12, 1), low | 0x200);
    });
    expect(found).toEqual(["I12"]);
  });

  it("T1: a TLB entry that the shadow does not have", () => {
    const found = violatedBy((lab, _at, touched) => {
      touched.lists();
      lab.read(0);
      lab.cpu.paging.tlb.set(0x99, {
        la: 0x99000,
        size: 4096,
        pfn: 4096,
        write: true,
        user: true,
        nx: false,
        dirty: true,
      });
    });
    expect(found).toEqual(["T1"]);
  });
});

describe("tables", () => {
  it("have unique names and help", () => {
    for (const list of [HAZARDS, INVARIANTS]) {
      expect(new Set(list.map((row) => row.id)).size).toBe(list.length);
      expect(list.every((row) => row.title !== "" && row.help !== "")).toBe(true);
    }
    expect(new Set(COUNTERS.map((row) => row.name)).size).toBe(COUNTERS.length);
    expect(COUNTERS.filter((row) => row.group === "guards").length).toBe(HAZARDS.length);
  });
});
