/**
 * What the eras beside B add, each fact with its section: when a write is told, what it flushes, floods by use, roots that
 * are zapped in use, reclaim, rights in the key, and the life of a table that is out of sync. docs/kvm-shadow-mmu.md 9, 11.
 */
import { describe, expect, it } from "vitest";
import { POLICIES } from "../../../core/kvm/index.ts";
import { mmuInvlpg } from "../../../core/kvm/shadow/invlpg.ts";
import { freeSomePages, zapPage } from "../../../core/kvm/shadow/page.ts";
import { EV_SYNC_PAGE, EV_UNSYNC_PAGE } from "../../../core/trace/events.ts";
import { EXIT_CR_WRITE, EXIT_INVLPG } from "../../../core/x86/door.ts";
import { A, D, Lab, P, PS, U, W } from "./double.ts";

const FULL = P | W | U | A | D;
const LINK = P | W | U;
/** A table's page through the window at 0x40000000 (PDE 256, table gfn 2): supervisor, writable. */
const WINDOW = 0x4000_0000;
const TABLE = 0x234;

/** CR3 = 0x1000; PDE 32 names the table at gfn 0x234; the window maps the directory (1) and the table (2). */
function guest(policy: string, options: ConstructorParameters<typeof Lab>[0] = {}): Lab {
  const lab = new Lab({ policy, pages: 2048, ...options });
  lab.poke(0x1000 + 32 * 4, (TABLE << 12) | LINK);
  lab.poke(0x1000 + 256 * 4, 0x2000 | LINK);
  lab.poke(0x2000 + 4, 0x1000 | P | W);
  lab.poke(0x2000 + 8, (TABLE << 12) | P | W);
  for (let i = 0; i < 1024; i++) lab.poke((TABLE << 12) + i * 4, ((0x300 + (i & 63)) << 12) | FULL);
  for (let i = 0; i < 64; i++) lab.poke((0x300 + i) << 12, 0x1000 + i);
  lab.pagingOn(0x1000);
  return lab;
}

/** Stores an entry of the table through the window. */
const storePte = (lab: Lab, i: number, value: number): number =>
  lab.write(WINDOW + 0x2000 + i * 4, value).exits;
const gva = (i: number): number => 0x0800_0000 + i * 0x1000;

function movCr3(lab: Lab, value: number): void {
  Object.assign(lab.cpu.exit, { reason: EXIT_CR_WRITE, cr: 3, value: value | 0 });
  lab.kvm.handleExit();
}

const LATER = ["E1", "E2", "E3", "F"];
const UNSYNC = ["E2", "E3", "F"];
const events = (lab: Lab, kind: number): number => lab.trace.query(0, 1 << 12, new Set([kind])).length;

describe("the table of policies", () => {
  it("says era, section, and what each changes", () => {
    expect(POLICIES.map((p) => p.id)).toEqual("none A0 A P B C D E1 E2 E3 F".split(" "));
    for (const row of POLICIES) {
      expect(row.title.length * row.era.length * row.changes.length * row.help.length).toBeGreaterThan(0);
      if (row.id !== "none") expect(row.source).toMatch(/^docs\/kvm-shadow-mmu\.md \d/);
    }
  });

  it("has the pool of the era (4.1, 9.1)", () => {
    for (const [policy, pages] of [
      ["A0", 256],
      ["B", 256],
      ["C", 256],
      ["E1", 1024],
      ["F", 1024],
    ] as const) {
      const { mmu } = new Lab({ policy }).kvm;
      expect([policy, mmu.nFree, mmu.poolSize]).toEqual([policy, pages, pages]);
    }
  });

  it("a change of policy changes the pool and keeps every invariant", () => {
    const lab = guest("B");
    for (const { id } of POLICIES.slice(1)) {
      lab.kvm.setPolicy(id);
      expect(lab.read(gva(3), true).value).toBe(0x1003);
      expect(lab.write(gva(600), 7, true).fault).toBe(-1);
      expect([id, lab.violations()]).toEqual([id, []]);
    }
  });
});

describe("6.1: when pte_write hears of a write", () => {
  for (const [policy, before] of [
    ["A0", true],
    ["B", true],
    ["E1", false],
    ["F", false],
  ] as const) {
    it(`${policy}: ${before ? "before" : "after"} the bytes change`, () => {
      const lab = guest(policy);
      const { mmu } = lab.kvm;
      const seen: number[] = [];
      const { pteWrite } = mmu.policy;
      mmu.policy = {
        ...mmu.policy,
        pteWrite: (...args) => {
          seen.push(lab.peek(0x1000 + 32 * 4));
          pteWrite(...args);
        },
      };
      lab.kvm.emulatorWritePhys(0x1000 + 32 * 4, 4, 0x5555_5000);
      expect(seen[0]! >>> 12).toBe(before ? TABLE : 0x55555);
    });
  }

  it("E1 reads a partial write's entry back whole, and makes the leaf from it", () => {
    const lab = new Lab({ policy: "E1", pages: 2048 });
    // A PAE guest: PDPT at gfn 8, directory 1, table 2.
    lab.poke(0x8000, 0x1000 | P);
    lab.poke(0x1000, 0x2000 | LINK);
    lab.poke(0x2000, 0x30_0000 | FULL);
    lab.cpu.cr0 = 0x8001_0011 | 0;
    lab.cpu.cr4 = 0x20;
    lab.cpu.cr3 = 0x8000;
    lab.kvm.start();
    lab.read(0);
    lab.kvm.emulatorWritePhys(0x2000, 4, 0x30_1000 | FULL);
    const leaf = lab.spte(lab.page(2, lab.kvm.shadowPages().find((p) => p.gfn === 2)!.role.word), 0);
    expect(leaf >>> 12).toBe(lab.slots.hfnOf(0x301));
    expect(lab.violations()).toEqual([]);
  });
});

describe("9.1: the flood detector", () => {
  it("E1 begins anew when the leaf that was updated last has been used", () => {
    for (const used of [false, true]) {
      const lab = guest("E1");
      for (let i = 0; i < 4; i++) lab.read(gva(i), true);
      for (let i = 0; i < 3; i++) {
        lab.kvm.emulatorWritePhys((TABLE << 12) + i * 4, 4, (0x310 << 12) | FULL);
        // The processor's A: no fault, the leaf is there.
        if (used) expect(lab.read(gva(i), true).exits).toBe(0);
      }
      expect(lab.kvm.counters.mmu_flooded).toBe(used ? 0 : 1);
    }
  });

  it("B does not look at that", () => {
    const lab = guest("C");
    for (let i = 0; i < 4; i++) lab.read(gva(i), true);
    for (let i = 0; i < 3; i++) {
      lab.kvm.emulatorWritePhys((TABLE << 12) + i * 4, 4, (0x310 << 12) | FULL);
      lab.read(gva(i), true);
    }
    expect(lab.kvm.counters.mmu_flooded).toBe(1);
  });

  it("F counts by shadow page, above leaf tables only; a walk through the page begins anew (11)", () => {
    const lab = guest("F");
    lab.read(gva(0), true);
    for (let i = 0; i < 6; i++) lab.kvm.emulatorWritePhys((TABLE << 12) + i * 4, 4, (0x310 << 12) | FULL);
    expect(lab.kvm.counters.mmu_flooded).toBe(0);
    const write = (i: number): boolean => lab.kvm.emulatorWritePhys(0x1000 + i * 4, 4, 0);
    write(700);
    write(701);
    lab.read(gva(1), true);
    // Each of the four directory pages was written twice; the walk went through quadrant 0's.
    write(702);
    expect(lab.kvm.counters.mmu_flooded).toBe(3);
  });

  it("F lets one byte at the start of an entry pass; B zaps (9.1)", () => {
    for (const [policy, flooded] of [
      ["B", 1],
      ["F", 0],
    ] as const) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      lab.kvm.emulatorWritePhys((TABLE << 12) + 72 * 4, 1, 0x67);
      expect([policy, lab.kvm.counters.mmu_flooded]).toEqual([policy, flooded]);
    }
  });
});

describe("9.1: half an entry of a PAE guest", () => {
  const pae = (policy: string): Lab => {
    const lab = new Lab({ policy, pages: 2048 });
    lab.poke(0x8000, 0x1000 | P);
    lab.poke(0x1000, 0x2000 | LINK);
    for (let i = 0; i < 8; i++) lab.poke(0x2000 + i * 8, ((0x300 + i) << 12) | FULL);
    lab.cpu.cr0 = 0x8001_0011 | 0;
    lab.cpu.cr4 = 0x20;
    lab.cpu.cr3 = 0x8000;
    lab.kvm.start();
    for (let i = 0; i < 8; i++) lab.read(i * 0x1000);
    return lab;
  };
  const left = (lab: Lab): number => lab.kvm.shadowPages().find((p) => p.gfn === 2)?.present ?? -1;

  it("E2 takes the upper half for one entry; 3.1 widens it to 8 bytes where it is, which is misaligned", () => {
    for (const [policy, flooded, present] of [
      ["E2", 0, 8],
      ["E3", 1, -1],
      ["F", 0, 7],
    ] as const) {
      const lab = pae(policy);
      lab.kvm.emulatorWritePhys(0x2000 + 3 * 8 + 4, 4, 0);
      expect([policy, lab.kvm.counters.mmu_flooded, left(lab)]).toEqual([policy, flooded, present]);
      expect(lab.violations()).toEqual([]);
    }
  });
});

describe("6.6, 9.1: flushes", () => {
  it("E1 asks all processors when a right goes, itself otherwise; B nobody", () => {
    for (const [policy, away, more] of [
      ["B", 0, 0],
      ["E1", 1, 0],
    ] as const) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      const flushes = (): number => lab.kvm.counters.remote_tlb_flush!;
      const before = flushes();
      lab.kvm.emulatorWritePhys(TABLE << 12, 4, 0);
      expect([policy, flushes() - before]).toEqual([policy, away]);
      const then = flushes();
      lab.kvm.emulatorWritePhys(TABLE << 12, 4, (0x300 << 12) | FULL);
      expect([policy, flushes() - then]).toEqual([policy, more]);
    }
  });

  it("F asks once for a directory entry of two sptes (11)", () => {
    for (const [policy, flushes] of [
      ["E1", 2],
      ["F", 1],
    ] as const) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      lab.read(gva(600), true);
      const before = lab.kvm.counters.remote_tlb_flush!;
      lab.kvm.emulatorWritePhys(0x1000 + 32 * 4, 4, 0);
      expect([policy, lab.kvm.counters.remote_tlb_flush! - before]).toEqual([policy, flushes]);
    }
  });

  it("F counts a zapped directory entry only when something was written (10.2)", () => {
    for (const [policy, zapped] of [
      ["E1", 2],
      ["F", 0],
    ] as const) {
      const lab = guest(policy);
      lab.kvm.emulatorWritePhys(0x1000 + 32 * 4, 4, 0);
      expect([policy, lab.kvm.counters.mmu_pde_zapped]).toEqual([policy, zapped]);
    }
  });
});

describe("a root that is zapped in use", () => {
  it("up to D it stays, empty; later it is invalid, and roots are made anew (4.8, 9.3, 11)", () => {
    for (const policy of ["B", ...LATER]) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      const made = lab.kvm.counters.mmu_cache_miss!;
      // A misaligned write into the directory zaps its four pages.
      lab.kvm.emulatorWritePhys(0x1000 + 0x402, 4, 0);
      const anew = lab.kvm.counters.mmu_cache_miss! - made;
      expect([policy, anew]).toEqual([policy, policy === "B" ? 0 : 4]);
      expect(lab.read(gva(0), true).value).toBe(0x1000);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("a user's write to the table of an active root is emulated, which cures the endless loop (5.5)", () => {
    for (const policy of LATER) {
      const lab = guest(policy, { hazards: { "user-write-root": "as-it-was" } });
      lab.poke((TABLE << 12) + 9 * 4, 0x1000 | FULL);
      expect(lab.write(gva(9) + 500 * 4, 0x1234_5000, true).fault).toBe(-1);
      expect([policy, lab.kvm.finding, lab.peek(0x1000 + 500 * 4)]).toEqual([policy, null, 0x1234_5000]);
    }
  });

  it("reclaim: up to E3 it takes the tail, roots too; F passes over them (4.9, 11)", () => {
    for (const policy of ["B", ...LATER]) {
      const lab = guest(policy);
      const { mmu } = lab.kvm;
      for (let i = 0; i < 8; i++) lab.read(gva(i * 100), true);
      const root = mmu.pageOf(mmu.spteLow(lab.kvm.rootHpa) & ~0xfff);
      // As if the pool were empty but for a few.
      mmu.nFree = 4;
      const kept = mmu.nFree;
      freeSomePages(mmu);
      const stays = mmu.active[root] === 1 && (mmu.role[root]! & (1 << 20)) === 0;
      expect([policy, stays, mmu.nFree > kept]).toEqual([policy, policy === "B" || policy === "F", true]);
    }
  });
});

describe("9.1: rights are in the key of every page", () => {
  it("one table below a kernel's and a user's directory entry: two pages, no guard", () => {
    for (const policy of LATER) {
      const lab = guest(policy);
      lab.poke(0x1000 + 33 * 4, (TABLE << 12) | P);
      expect(lab.write(gva(0), 1, true).fault).toBe(-1);
      expect(lab.write(gva(1024), 2, true).fault).toBe(P | W | U);
      lab.read(gva(1024));
      expect(lab.kvm.shadowPages().filter((p) => p.gfn === TABLE)).toHaveLength(2);
      expect(lab.kvm.counters["guard_inherited-rights"]).toBe(0);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("A0 has not even those of a large page: the hazard large-page-access", () => {
    for (const [setting, fault] of [
      ["guarded", P | W | U],
      ["as-it-was", -1],
    ] as const) {
      const lab = new Lab({ policy: "A0", pages: 4096, hazards: { "large-page-access": setting } });
      lab.poke(0x1000 + 4, 0x40_0000 | PS | FULL);
      lab.poke(0x1000 + 8, 0x40_0000 | PS | P | U | A | D);
      lab.pagingOn(0x1000, 0x10);
      expect(lab.write(0x40_0000, 1, true).fault).toBe(-1);
      expect(lab.read(0x80_0000, true).fault).toBe(-1);
      // As it was, the read-only page's leaf is the writable one's.
      expect(lab.write(0x80_0000, 2, true).fault).toBe(fault);
      expect(lab.kvm.counters["guard_large-page-access"]! > 0).toBe(setting === "guarded");
    }
  });

  it("2.6.26 and 2.6.32 lose a large entry's own rights: the hazard direct-access", () => {
    for (const policy of ["E1", "E2", "E3"]) {
      for (const setting of ["guarded", "as-it-was"] as const) {
        const lab = new Lab({ policy, pages: 4096, hazards: { "direct-access": setting } });
        lab.poke(0x1000 + 4, 0x40_0000 | PS | FULL);
        lab.poke(0x1000 + 8, 0x40_0000 | PS | P | U | A | D);
        lab.pagingOn(0x1000, 0x10);
        expect(lab.write(0x40_0000, 1, true).fault).toBe(-1);
        const pages = (): number => lab.kvm.shadowPages().filter((p) => p.gfn === 0x400).length;
        expect(lab.read(0x80_1000, true).fault).toBe(-1);
        const apart = setting === "guarded" || policy === "E3";
        expect([policy, setting, pages()]).toEqual([policy, setting, apart ? 2 : 1]);
        // The page written before is open to the read-only entry as well.
        expect(lab.write(0x80_0000, 2, true).fault).toBe(apart ? P | W | U : -1);
        if (apart) expect(lab.violations()).toEqual([]);
      }
    }
  });

  it("a kernel's write with CR0.WP=0 opens the page to the user: the hazard wp-write-user", () => {
    for (const policy of LATER) {
      for (const setting of ["guarded", "as-it-was"] as const) {
        const lab = new Lab({ policy, pages: 1024, hazards: { "wp-write-user": setting } });
        lab.poke(0x1000, 0x2000 | LINK);
        lab.poke(0x2000, 0x50000 | P | U | A | D);
        lab.pagingOn(0x1000, 0, false);
        expect(lab.write(0, 1).fault).toBe(-1);
        const harm = setting === "as-it-was" && (policy === "E1" || policy === "E2");
        expect([policy, setting, lab.write(0, 2, true).fault]).toEqual([policy, setting, harm ? -1 : 7]);
        expect(lab.kvm.counters["guard_wp-write-user"]! > 0).toBe(
          setting === "guarded" && (policy === "E1" || policy === "E2"),
        );
      }
    }
  });
});

describe("9.3: out of sync", () => {
  it("a leaf table shadowed under one role: two stores, one exit, nothing emulated", () => {
    for (const policy of UNSYNC) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      const before = lab.kvm.counters.mmu_pte_write!;
      expect(storePte(lab, 5, 0)).toBeGreaterThan(0);
      expect(storePte(lab, 6, 0)).toBe(0);
      expect(lab.kvm.counters.mmu_pte_write).toBe(before);
      expect(lab.kvm.counters.mmu_unsync).toBe(1);
      expect(events(lab, EV_UNSYNC_PAGE)).toBe(1);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("both quadrants shadowed: 2.6.32 keeps the table protected, 3.1 and today let all its pages go", () => {
    for (const [policy, unsync, emulated] of [
      ["E2", 0, 1],
      ["E3", 2, 0],
      ["F", 2, 0],
    ] as const) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      lab.read(gva(600), true);
      const before = lab.kvm.counters.mmu_pte_write!;
      storePte(lab, 5, 0);
      const told = lab.kvm.counters.mmu_pte_write! - before;
      expect([policy, lab.kvm.counters.mmu_unsync, told]).toEqual([policy, unsync, emulated]);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("a directory is never out of sync", () => {
    for (const policy of UNSYNC) {
      const lab = guest(policy);
      const before = lab.kvm.counters.mmu_pte_write!;
      lab.write(WINDOW + 0x1000 + 40 * 4, 0x5000 | LINK);
      expect([policy, lab.kvm.counters.mmu_pte_write! - before]).toEqual([policy, 1]);
      expect(lab.kvm.counters.mmu_unsync).toBe(0);
    }
  });

  it("stale until INVLPG of the address, which exits; another address stays stale", () => {
    for (const policy of UNSYNC) {
      const lab = guest(policy);
      for (const i of [0, 1]) lab.read(gva(i), true);
      for (const i of [0, 1]) storePte(lab, i, (0x330 << 12) | FULL);
      expect([0, 1].map((i) => lab.read(gva(i), true).value)).toEqual([0x1000, 0x1001]);
      Object.assign(lab.cpu.exit, { reason: EXIT_INVLPG, gva: gva(0) });
      expect((lab.cpu.intercepts >> EXIT_INVLPG) & 1).toBe(1);
      mmuInvlpg(lab.kvm.mmu, gva(0));
      expect([0, 1].map((i) => lab.read(gva(i), true).value)).toEqual([0x1030, 0x1001]);
      expect(lab.kvm.counters.invlpg).toBe(1);
      expect(lab.kvm.counters.mmu_unsync).toBe(1);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("a CR3 load brings what it reaches in step, write-protected again; then the audit judges it", () => {
    for (const policy of UNSYNC) {
      const lab = guest(policy);
      for (const i of [0, 1, 2]) lab.read(gva(i), true);
      storePte(lab, 0, (0x330 << 12) | FULL);
      storePte(lab, 1, 0);
      storePte(lab, 2, (0x302 << 12) | P | U | A | D);
      movCr3(lab, 0x1000);
      expect([policy, lab.kvm.counters.mmu_unsync, events(lab, EV_SYNC_PAGE)]).toEqual([policy, 0, 1]);
      expect(lab.violations()).toEqual([]);
      const page = lab.kvm.shadowPages().find((p) => p.gfn === TABLE)!;
      // Another frame and an empty entry are dropped; less right stays, as less right.
      expect([page.present, page.writable]).toEqual([1, 0]);
      expect(lab.read(gva(0), true).value).toBe(0x1030);
      expect(lab.read(gva(1), true).fault).toBe(U);
      expect(lab.write(gva(2), 1, true).fault).toBe(P | W | U);
    }
  });

  it("nothing left when it is synchronised: 2.6.32 zaps the page, 3.1 keeps it", () => {
    for (const [policy, pages] of [
      ["E2", 0],
      ["E3", 1],
      ["F", 1],
    ] as const) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      storePte(lab, 0, 0);
      movCr3(lab, 0x1000);
      const found = lab.kvm.shadowPages().filter((p) => p.gfn === TABLE);
      expect([policy, found.length]).toEqual([policy, pages]);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("the other quadrant is looked up: 2.6.32 synchronises first, 3.1 and today protect the table anew", () => {
    for (const [policy, unsync] of [
      ["E2", 0],
      ["E3", 1],
      ["F", 1],
    ] as const) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      storePte(lab, 0, (0x330 << 12) | FULL);
      lab.read(gva(600), true);
      expect([policy, lab.kvm.counters.mmu_unsync]).toEqual([policy, unsync]);
      expect(lab.violations()).toEqual([]);
    }
  });

  it("a page of another paging mode is zapped instead of synchronised (2.6.32)", () => {
    const lab = guest("E2");
    lab.read(gva(0), true);
    storePte(lab, 0, 0);
    expect(lab.kvm.counters.mmu_unsync).toBe(1);
    const { mmu } = lab.kvm;
    mmu.rootLevel = 3;
    mmu.policy.getPage(mmu, TABLE, 0x13, 0);
    expect(lab.kvm.counters.mmu_unsync).toBe(0);
    expect(lab.kvm.shadowPages().filter((p) => p.gfn === TABLE && p.role.glevels === 2)).toEqual([]);
  });

  it("zapping an upper page takes pages below it that are out of sync along", () => {
    for (const policy of UNSYNC) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      storePte(lab, 0, 0);
      const { mmu } = lab.kvm;
      zapPage(mmu, mmu.pageOf(mmu.spteLow(lab.kvm.rootHpa) & ~0xfff), 3);
      expect([policy, lab.kvm.counters.mmu_unsync]).toEqual([policy, 0]);
    }
  });

  it("save and load keep what is out of sync", () => {
    for (const policy of UNSYNC) {
      const lab = guest(policy);
      lab.read(gva(0), true);
      storePte(lab, 0, (0x330 << 12) | FULL);
      const saved = lab.kvm.save();
      movCr3(lab, 0x1000);
      expect(lab.kvm.counters.mmu_unsync).toBe(0);
      // Host memory is the machine's to restore; the marks are the hypervisor's.
      lab.kvm.load(saved);
      expect(lab.kvm.counters.mmu_unsync).toBe(1);
      expect([...lab.kvm.mmu.unsync].filter((mark) => mark === 1)).toHaveLength(1);
    }
  });
});

describe("10.2: today's counters", () => {
  it("pages_4k is what the shadow pages hold", () => {
    const lab = guest("F");
    for (let i = 0; i < 40; i++) lab.read(gva(i * 20), true);
    lab.kvm.emulatorWritePhys(0x1000 + 32 * 4, 4, 0);
    const leaves = lab.kvm.shadowPages().reduce((n, p) => n + (p.role.level === 1 ? p.present : 0), 0);
    expect(leaves).toBeGreaterThan(30);
    expect(lab.kvm.counters.pages_4k).toBe(leaves);
  });

  it("faults are taken, and answered by a fix, an emulation, or nothing to do; MMIO makes an spte", () => {
    const lab = guest("F");
    lab.poke((TABLE << 12) + 7 * 4, 0x7fff_f000 | FULL);
    lab.read(gva(0), true);
    lab.write(WINDOW + 0x1000 + 40 * 4, 0);
    lab.read(gva(7), true);
    const { pf_taken, pf_emulate, pf_mmio_spte_created, pf_guest } = lab.kvm.counters;
    expect(pf_mmio_spte_created).toBe(1);
    expect(pf_emulate).toBe(2);
    expect(pf_taken).toBeGreaterThan(pf_emulate! + pf_guest!);
    const again = lab.kvm.counters.pf_mmio_spte_created;
    lab.read(gva(7), true);
    expect(lab.kvm.counters.pf_mmio_spte_created).toBe(again);
    expect(guest("B").kvm.counters.pf_taken).toBe(0);
  });
});
