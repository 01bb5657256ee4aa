/**
 * Hazards that the property test's generator does not reach: what each does as it was, and that the guard acts.
 * (The others: test/property/hazards.test.ts, test/unit/kvm/cpu.test.ts.)
 */
import { describe, expect, it } from "vitest";
import { getPage } from "../../../core/kvm/shadow/page.ts";
import { rmapOf } from "../../../core/kvm/shadow/rmap.ts";
import { EXIT_CR_WRITE } from "../../../core/x86/door.ts";
import { A, D, Lab, P, PS, U, W } from "./double.ts";

const FULL = P | W | U | A | D;
const LINK = P | W | U;
type Options = ConstructorParameters<typeof Lab>[0];

function twoLevel(options: Options = {}): Lab {
  const lab = new Lab(options);
  lab.poke(0x1000, 0x2000 | LINK);
  for (let i = 0; i < 16; i++) lab.poke(0x2000 + i * 4, ((0x50 + i) << 12) | FULL);
  return lab;
}

/** MOV to CRn as an exit. True: done; false: #GP(0) was injected. */
function movCr(lab: Lab, cr: number, value: number): boolean {
  lab.cpu.pendingVector = -1;
  Object.assign(lab.cpu.exit, { reason: EXIT_CR_WRITE, cr, value: value | 0 });
  lab.kvm.handleExit();
  return lab.cpu.pendingVector !== 13;
}

const guards = (lab: Lab, hazard: string): number => lab.kvm.counters[`guard_${hazard}`]!;

/** Runs the same story both ways. `story` answers what was observed. */
function both<T>(
  hazard: string,
  story: (lab: Lab) => T,
  guarded: T,
  asItWas: T,
  options: Options = {},
): void {
  for (const setting of ["guarded", "as-it-was"] as const) {
    const lab = twoLevel({ ...options, hazards: { [hazard]: setting } });
    expect([setting, story(lab)]).toEqual([setting, setting === "guarded" ? guarded : asItWas]);
    if (setting === "guarded") {
      expect(guards(lab, hazard)).toBeGreaterThan(0);
      expect(lab.violations()).toEqual([]);
      expect(lab.kvm.finding).toBe(null);
    } else {
      expect(guards(lab, hazard)).toBe(0);
    }
  }
}

describe("hazards", () => {
  it("pse36-gfn: a table above 4 GiB's shadow of its low number", () => {
    both(
      "pse36-gfn",
      (lab) => {
        // A 4 MiB page at 4 GiB; gfn 2 below is a shadowed table, the page above is not.
        lab.poke(0x1008, PS | FULL | (1 << 13));
        lab.pagingOn(0x1000, 0x10);
        lab.read(0);
        const done = lab.write(0x80_2000, 0xabcd);
        return [lab.peek(0x1_0000_2000), lab.peek(0x2000) === 0xabcd, done.exits];
      },
      [0xabcd, false, 1],
      // As it was the write is emulated, and goes to the wrong frame.
      [0, true, 1],
      { high: 16 },
    );
  });

  it("wp-change: a leaf of the WP=0 state stays writable when WP comes back", () => {
    both(
      "wp-change",
      (lab) => {
        lab.poke(0x2000, 0x50000 | P | U | A | D);
        lab.pagingOn(0x1000, 0, false);
        lab.write(0, 1);
        movCr(lab, 0, 0x8001_0011);
        return lab.write(0, 2).fault;
      },
      3,
      -1,
    );
  });

  it("pdpte-reload: CR4.PGE reloads the PDPTEs", () => {
    both(
      "pdpte-reload",
      (lab) => {
        lab.poke(0x8000, 0x9001);
        lab.poke(0x9000, 0xa000 | LINK);
        lab.poke(0xa000, 0x50000 | FULL);
        lab.poke(0xb000, 0xc000 | LINK);
        lab.poke(0xc000, 0x51000 | FULL);
        lab.poke(0x50000, 1);
        lab.poke(0x51000, 2);
        lab.pagingOn(0x8000, 0x20);
        const first = lab.read(0).value;
        lab.poke(0x8000, 0xb001);
        movCr(lab, 4, 0xa0);
        return [first, lab.read(0).value];
      },
      [1, 2],
      [1, 1],
    );
  });

  it("pdpte-reload: and refuses bad ones", () => {
    both(
      "pdpte-reload",
      (lab) => {
        lab.poke(0x8000, 0x9001);
        lab.pagingOn(0x8000, 0x20);
        lab.poke(0x8000, 0x9001 | 0x1e6);
        return movCr(lab, 0, 0xe001_0011);
      },
      false,
      true,
    );
  });

  it("cr0-reserved: reserved bits are ignored", () => {
    both(
      "cr0-reserved",
      (lab) => {
        lab.pagingOn(0x1000);
        return [movCr(lab, 0, 0x8001_0051), lab.cpu.cr0 & 0x40];
      },
      [true, 0],
      [false, 0],
    );
  });

  it("cr3-reserved: low bits are ignored", () => {
    both(
      "cr3-reserved",
      (lab) => {
        lab.pagingOn(0x1000);
        return movCr(lab, 3, 0x1003);
      },
      true,
      false,
    );
  });

  it("cr3-outside-memory: any CR3 can be loaded", () => {
    both(
      "cr3-outside-memory",
      (lab) => {
        lab.pagingOn(0x1000);
        return [movCr(lab, 3, 0x4000_0000), lab.cpu.cr3];
      },
      [true, 0x4000_0000],
      [false, 0x4000_0000],
    );
  });

  it("cr4-bad-pdptes: a refused CR4 is not installed", () => {
    both(
      "cr4-bad-pdptes",
      (lab) => {
        lab.pagingOn(0x1000);
        lab.poke(0x1000, 0x2000 | 0x1e7);
        return [movCr(lab, 4, 0x20), lab.cpu.cr4];
      },
      [false, 0],
      [false, 0x20],
    );
  });

  it("reset-without-reclaim: control register writes find pages", () => {
    const story = (lab: Lab): string | null => {
      lab.pagingOn(0x1000);
      for (let gfn = 0x300; lab.kvm.mmu.nFree > 2; gfn++) getPage(lab.kvm.mmu, gfn, 0x12, 0);
      movCr(lab, 0, 0x1_0011);
      return lab.kvm.finding;
    };
    both("reset-without-reclaim", story, null, "kvm_mmu_get_page found no free page (4.4, 4.9)");
  });

  it("nonpaging-table: paging off, a cached table is not written behind the shadow's back", () => {
    both(
      "nonpaging-table",
      (lab) => {
        lab.poke(0x50000, 1);
        lab.poke(0x51000, 2);
        lab.pagingOn(0x1000);
        lab.read(0);
        movCr(lab, 0, 0x1_0011);
        lab.write(0x2000, 0x51000 | FULL);
        movCr(lab, 0, 0x8001_0011);
        return lab.read(0).value;
      },
      2,
      1,
    );
  });

  it("update-without-topup: update_pte needs a descriptor", () => {
    both(
      "update-without-topup",
      (lab) => {
        lab.pagingOn(0x1000);
        lab.write(0, 1);
        lab.kvm.mmu.cachedDescs = 0;
        // A second writable mapping of the same frame.
        lab.kvm.emulatorWritePhys(0x2004, 4, 0x50000 | FULL);
        return [lab.kvm.finding, rmapOf(lab.kvm.mmu, lab.slots.hfnOf(0x50)).length];
      },
      [null, 2],
      ["the cache of rmap descriptors was empty (6.6)", 2],
      { policy: "C" },
    );
  });

  it("clear-no-flush: under svm a cleared spte stays in the TLB", () => {
    both(
      "clear-no-flush",
      (lab) => {
        lab.pagingOn(0x1000);
        lab.write(0, 1);
        lab.kvm.emulatorWritePhys(0x2000, 4, 0);
        // Without INVLPG the manual allows either; what it may not do is write a shadowed table unseen.
        lab.kvm.emulatorWritePhys(0x1004, 4, 0x50000 | LINK);
        lab.poke(0x50000, 0x51000 | FULL);
        lab.read(0x40_0000);
        return lab.write(0, 0x52000 | FULL).fault;
      },
      2,
      -1,
      { tlb: "svm" },
    );
  });

  it("invlpg-large-page: under svm the other pieces of a large page stay", () => {
    both(
      "invlpg-large-page",
      (lab) => {
        lab.poke(0x1004, PS | FULL);
        lab.pagingOn(0x1000, 0x10);
        lab.read(0x40_0000);
        lab.read(0x40_1000);
        lab.kvm.emulatorWritePhys(0x1004, 4, 0);
        lab.cpu.paging.invlpg(0x40_0000);
        return [lab.read(0x40_0000).fault, lab.read(0x40_1000).fault];
      },
      [0, 0],
      [0, -1],
      { tlb: "svm" },
    );
  });

  it("unlink-no-flush: under svm a zapped directory leaves translations", () => {
    both(
      "unlink-no-flush",
      (lab) => {
        lab.pagingOn(0x1000);
        lab.read(0);
        // A flood on the directory: its roots are emptied, the leaves below are orphans.
        for (let i = 0; i < 3; i++) lab.kvm.emulatorWritePhys(0x1ffc, 4, 0);
        return lab.cpu.paging.entries().length;
      },
      0,
      1,
      { tlb: "svm" },
    );
  });

  it("direct-ad-write: A set in one mode is an address bit in another", () => {
    both(
      "direct-ad-write",
      (lab) => {
        // gfn 2 as a PAE page table: entry 0 (words 0 and 1); as a two-level one, word 1 is PTE 1.
        lab.poke(0x8000, 0x9001);
        lab.poke(0x9000, 0x2000 | LINK);
        lab.poke(0x2000, 0x50000 | FULL);
        lab.poke(0x2004, 0);
        lab.pagingOn(0x8000, 0x20);
        lab.read(0);
        movCr(lab, 0, 0x1_0011);
        lab.kvm.emulatorWritePhys(0x2004, 4, 0x51000 | LINK);
        lab.poke(0x2004, 0x1 | P);
        lab.kvm.mmu.spteSet(
          lab.kvm.mmu.hpaOf(lab.page(2, 0x13)),
          (lab.slots.hfnOf(0x50) << 12) | P | U | A | 0x800,
          0,
          0,
        );
        movCr(lab, 4, 0);
        lab.cpu.cr3 = 0x1000;
        movCr(lab, 0, 0x8001_0011);
        lab.read(0x1000);
        return lab.spte(lab.page(2, 0x13), 0) & P;
      },
      0,
      1,
    );
  });
});
