/**
 * The hypervisor under nested paging, on the whole machine: host tables made on demand, addresses without memory,
 * loads of PDPTEs, edits, the counters, the walk view and the report.
 */
import { describe, expect, it, test } from "vitest";
import { COUNTERS, NESTED_FRAME } from "../../../core/kvm/index.ts";
import { HostTables } from "../../../core/kvm/nested/host-tables.ts";
import { LabContext } from "../../../core/lab/context.ts";
import { Lab } from "../../../core/lab/index.ts";
import type { WalkView } from "../../../core/lab/protocol/index.ts";
import { makeReport } from "../../../core/lab/report.ts";
import { makeWalk } from "../../../core/lab/views/walk.ts";
import type { Machine } from "../../../core/machine/machine.ts";
import type { MachineSetup } from "../../../core/machine/setup.ts";
import { HostMemory, HYPERVISOR_FRAMES } from "../../../core/memory/host-memory.ts";
import { bootFlat, bootGuest } from "../machine/boot.ts";

const nested = (code: readonly number[], changes: Partial<MachineSetup> = {}): Machine =>
  bootFlat(code, { policy: "nested", ...changes });
const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const HLT = 0xf4;

/** Runs the same program on the bare machine and under nested paging; what the guest sees must be equal. */
function both(code: readonly number[]): Machine {
  const bare = bootFlat(code, { policy: "none" });
  bare.run(1000);
  const other = nested(code);
  other.run(1000);
  expect(other.stop).toEqual(bare.stop);
  for (const name of ["eip", "cr0", "cr2", "cr3", "cr4", "retired"] as const) {
    expect(other.cpu[name], name).toBe(bare.cpu[name]);
  }
  expect([...other.cpu.regs.subarray(0, 8)]).toEqual([...bare.cpu.regs.subarray(0, 8)]);
  return other;
}

describe("addresses without memory", () => {
  it("read all ones and lose what is written, on the emulator", () => {
    // mov ebx, [0x8000000]; mov [0x8000000], ebx; inc ebx; add [0x8000ffe], ebx; hlt
    const at = dword(0x0800_0000);
    const machine = both([
      ...[0x8b, 0x1d, ...at],
      ...[0x89, 0x1d, ...at],
      0x43,
      ...[0x01, 0x1d, ...dword(0x0800_0ffe)],
      HLT,
    ]);
    expect(machine.cpu.regs[3]).toBe(0);
    expect(machine.nested!.counters.mmio_exits).toBe(3);
  });

  it("a store over the end of memory stores the half that has memory", () => {
    // mov dword [0xfffffe], 0x44332211; hlt
    const machine = both([0xc7, 0x05, ...dword(0xff_fffe), ...dword(0x4433_2211), HLT]);
    const hfn = machine.slots.hfnOf(0xfff);
    expect([...machine.memory.bytes.subarray(hfn * 4096 + 0xffc, hfn * 4096 + 0x1000)]).toEqual([
      0, 0, 0x11, 0x22,
    ]);
  });

  it("code there is the invalid instruction ff ff", () => {
    // mov eax, 0x8000000; jmp eax
    both([0xb8, ...dword(0x0800_0000), 0xff, 0xe0]);
  });

  it("PDPTEs there are all ones, whose reserved bits refuse MOV CR3", () => {
    // A PDPT at 0x200000 with present directories; then CR4.PAE, CR3, CR0.PG with the directory mapping 2 MiB of 0.
    const code = [
      ...[0xc7, 0x05, ...dword(0x20_0000), ...dword(0x20_1001)], // PDPTE 0
      ...[0xc7, 0x05, ...dword(0x20_1000), ...dword(0x87)], // PDE 0: 2 MiB at 0
      ...[0xb8, ...dword(0x20), 0x0f, 0x22, 0xe0], // mov cr4, PAE
      ...[0xb8, ...dword(0x20_0000), 0x0f, 0x22, 0xd8], // mov cr3
      ...[0xb8, ...dword(0x8000_0011 | 0), 0x0f, 0x22, 0xc0], // mov cr0, PG
      ...[0xb8, ...dword(0x0800_0000), 0x0f, 0x22, 0xd8], // mov cr3 where nothing is: #GP, and no IDT: shutdown
      HLT,
    ];
    const machine = both(code);
    expect(machine.stop.reason).toBe("triple-fault");
    expect(machine.cpu.cr3).toBe(0x20_0000);
    const { nested_pdpt, nested_faults } = machine.nested!.counters;
    expect(nested_pdpt).toBe(4); // by MOV CR0; the one that was emulated read no host table to its end
    expect(nested_faults).toBeGreaterThan(0);
  });
});

describe("exits", () => {
  it("none for page faults, page tables, control registers and INVLPG", () => {
    const shadowed = bootGuest("nonpae-kernel", { policy: "B", tlb: "svm" });
    shadowed.run(10_000_000);
    const machine = bootGuest("nonpae-kernel", { policy: "nested", tlb: "svm" });
    machine.run(10_000_000);
    expect(machine.stop).toEqual(shadowed.stop);
    expect(machine.time).toBe(shadowed.time);
    const { exits, io_exits, halt_exits, irq_exits, pf_fixed, mmio_exits, light_exits } =
      machine.nested!.counters;
    expect(exits).toBeLessThan(shadowed.kvm!.counters.exits! - 1000);
    expect(pf_fixed).toBeGreaterThan(0);
    expect(light_exits).toBe(exits! - io_exits! - halt_exits! - mmio_exits!);
    expect(irq_exits).toBeGreaterThanOrEqual(0);
  });

  it("vmx drops linear translations at every exit, svm keeps them: more walks", () => {
    const walks = (["vmx", "svm"] as const).map((tlb) => {
      const machine = bootGuest("quadrant", { policy: "nested", tlb });
      machine.run(10_000_000);
      return machine.nested!.counters.nested_walks!;
    });
    expect(walks[0]).toBeGreaterThan(walks[1]! * 10);
  });

  it("walk caches spare references and change nothing else", () => {
    const ends = [0, 1, 16].map((walkCache) => {
      const machine = bootGuest("pae-kernel", { policy: "nested", walkCache, nestedLevels: 3 });
      machine.run(10_000_000);
      const { counters } = machine.nested!;
      return { time: machine.time, walks: counters.nested_walks, references: counters.nested_refs! };
    });
    expect(ends[1]!.time).toBe(ends[0]!.time);
    expect(ends[2]!.time).toBe(ends[0]!.time);
    expect(ends[2]!.walks).toBe(ends[0]!.walks);
    expect(ends[1]!.references).toBeLessThan(ends[0]!.references);
    expect(ends[2]!.references).toBeLessThan(ends[1]!.references);
    expect(ends[2]!.references).toBeLessThan(ends[0]!.references / 2);
  });

  it("the references counted are the sum of those by guest step and host level", () => {
    const machine = bootGuest("pae-kernel", { policy: "nested" });
    machine.run(200_000);
    const { counters } = machine.nested!;
    const parts = COUNTERS.filter(({ name }) => /^nested_(pdpt|pde|pte|page)(_h\d)?$/.test(name));
    expect(parts.length).toBe(19);
    expect(parts.reduce((sum, { name }) => sum + counters[name]!, 0)).toBe(counters.nested_refs);
    expect(counters.nested_refs).toBeGreaterThan(1000);
  });
});

describe("host tables", () => {
  it("three levels need one table less, and tables damaged by hand are made anew", () => {
    const machine = bootGuest("quadrant", { policy: "nested" });
    machine.run(60_000);
    const { tables } = machine.nested!.tables;
    for (const index of [0, 511]) {
      machine.input({
        kind: "edit",
        space: "hpa",
        as: "raw",
        address: NESTED_FRAME * 4096 + index * 8,
        size: 8,
        low: 0xffff_fffe,
        high: 0,
      });
    }
    machine.run(10_000_000);
    expect(machine.stop.reason).toBe("hlt");
    expect(machine.nested!.tables.tables).toBeGreaterThan(tables);
    const three = bootGuest("quadrant", { policy: "nested", nestedLevels: 3 });
    three.run(60_000);
    expect(three.nested!.tables.tables).toBe(tables - 1);
    expect(three.time).toBe(60_000);
  });

  it("begin anew when their frames are used up", () => {
    const memory = new HostMemory(HYPERVISOR_FRAMES + 1);
    const host = new HostTables(memory, 4);
    host.begin();
    let dropped = 0;
    // One page in every 2 MiB needs a table of its own.
    for (let region = 0; region < 5000; region++) if (!host.map(region * 512, HYPERVISOR_FRAMES)) dropped++;
    expect(dropped).toBe(2);
    expect(host.tables).toBeLessThanOrEqual(HYPERVISOR_FRAMES - NESTED_FRAME);
    host.clear();
    expect(memory.i32.subarray(NESTED_FRAME * 1024).every((word) => word === 0)).toBe(true);
  });

  it("leaving nested paging gives them back", () => {
    const machine = bootGuest("quadrant", { policy: "nested" });
    machine.run(60_000);
    machine.input({ kind: "policy", policy: "none" });
    const { memory } = machine;
    for (let frame = NESTED_FRAME; frame < HYPERVISOR_FRAMES; frame++) {
      expect(memory.i32.subarray(frame * 1024, (frame + 1) * 1024).some((word) => word !== 0)).toBe(false);
    }
    machine.run(10_000_000);
    expect(machine.stop.reason).toBe("hlt");
  });
});

test.each(["guest0", "guest3", "emulator"] as const)("edits %s are as on the bare machine", (as) => {
  for (const address of [0x08048000, 0x08048ffe, 0xdead_0000, 0x9000]) {
    const [bare, other] = ["none", "nested"].map((policy) => {
      const machine = bootGuest("quadrant", { policy });
      machine.run(60_000);
      return machine;
    });
    const edit = { kind: "edit", space: "gva", as, address, size: 4, low: 0x12345678, high: 0 } as const;
    const outcome = (machine: Machine): unknown => {
      try {
        const { ok, ...rest } = machine.input(edit);
        return ok ? ok : rest;
      } catch (error) {
        return String(error);
      }
    };
    expect(outcome(other!)).toEqual(outcome(bare!));
    const gpa = bare!.translate(address);
    expect(other!.translate(address)).toBe(gpa);
    const byte = (machine: Machine): number =>
      gpa < 0 ? -1 : machine.memory.bytes[machine.slots.hfnOf(Math.floor(gpa / 4096)) * 4096 + (gpa % 4096)]!;
    expect(byte(other!)).toBe(byte(bare!));
  }
});

describe("looking", () => {
  const walkOf = (machine: Machine, gva: number): WalkView =>
    makeWalk(new LabContext(machine), gva, { write: false, user: false, fetch: false });

  it("the walk view has a row for each guest step, and counts as the processor does", () => {
    for (const [nestedLevels, walkCache] of [
      [3, 0],
      [4, 0],
      [4, 16],
    ] as const) {
      const machine = bootGuest("quadrant", { policy: "nested", nestedLevels, walkCache });
      machine.run(60_000);
      const la = 0x0804_8000;
      machine.cpu.paging.tlb.flush(false);
      machine.cpu.paging.lookup(la, 0);
      machine.cpu.paging.tlb.flush(false);
      const shown = walkOf(machine, la).nested!;
      expect(shown.rows.map((row) => row.label)).toEqual(["PDE 32", "PTE 72", "page"]);
      expect(shown.rows.every((row) => row.host.length === nestedLevels)).toBe(true);
      expect(shown.formula).toBe(3 * (nestedLevels + 1) - 1);
      if (walkCache === 0) expect(shown.references).toBe(shown.formula);
      else expect(shown.references).toBe(2);
      const before = machine.nested!.counters.nested_refs!;
      const i = machine.cpu.paging.lookup(la, 0);
      expect(machine.nested!.counters.nested_refs! - before).toBe(shown.references);
      expect(shown.rows.at(-1)!.hpa).toBe(machine.cpu.paging.tlb.hfns[i]! * 4096);
      expect(shown.rows[0]!.hpa).toBe(machine.slots.hfnOf(machine.cpu.cr3 >>> 12) * 4096 + 32 * 4);
    }
  });

  it("says where the host tables have nothing yet, and of a guest's fault that it is the guest's", () => {
    const machine = bootGuest("quadrant", { policy: "nested" });
    machine.run(60_000);
    expect(walkOf(machine, 0xdead_0000).nested!.text).toMatch(/guest's own page fault/);
    machine.input({ kind: "nested", levels: 3, walkCache: 0 });
    const empty = walkOf(machine, 0x0804_8000);
    expect(empty.nested!.levels).toBe(3);
    expect(empty.nested!.rows).toHaveLength(1);
    expect(empty.nested!.rows[0]!.hpa).toBe(-1);
    expect(empty.nested!.text).toMatch(/nested fault/);
    expect(empty.shadow).toBeNull();
    const bare = bootGuest("quadrant", { policy: "none" });
    expect(walkOf(bare, 0).nested).toBeNull();
  });

  it("the report tells the host tables; without nested paging it has null", () => {
    const machine = bootGuest("quadrant", { policy: "nested", nestedLevels: 3, walkCache: 4 });
    machine.run(60_000);
    const report = makeReport(machine, true);
    expect(report.tlb).toBe("vmx");
    expect(report.nested).toEqual({
      levels: 3,
      walk_cache: 4,
      root_hpa: `0x${(NESTED_FRAME * 4096).toString(16)}`,
      tables: machine.nested!.tables.tables,
    });
    expect(report.counters.nested_walks).toBeGreaterThan(0);
    expect(report.audit.violations).toEqual([]);
    expect(makeReport(bootGuest("quadrant"), false).nested).toBeNull();
  });

  it("the lab's command changes levels and caches of a live machine", () => {
    const lab = new Lab({ traceCapacity: 1 << 10 });
    lab.command({ name: "loadGuest", guest: "quadrant", config: { policy: "nested" } });
    lab.command({ name: "setNested", levels: 3, walkCache: 8 });
    expect(lab.machine.nested!.tables.levels).toBe(3);
    expect(lab.machine.cpu.paging.nested.cacheSize).toBe(8);
    lab.command({ name: "setPolicy", policy: "B" });
    lab.command({ name: "setNested", levels: 4, walkCache: 0 });
    lab.command({ name: "setPolicy", policy: "nested" });
    expect(lab.machine.nested!.tables.levels).toBe(4);
  });
});
