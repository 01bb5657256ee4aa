/**
 * The continuous audit of a whole machine: what each planted violation is called, which entry, instruction and event it
 * names, where the machine stops, and that it goes at full speed otherwise. The plants are raw edits of host memory, DMA
 * into tables, hazards as they were, and the counterfactual.
 */
import { describe, expect, test } from "vitest";
import { BY_UNKNOWN } from "../../../core/machine/cause.ts";
import { violationLine } from "../../../core/machine/findings.ts";
import type { Input } from "../../../core/machine/inputs.ts";
import type { Machine } from "../../../core/machine/machine.ts";
import { FRAME_WATCHED } from "../../../core/memory/host-memory.ts";
import { EVENT_KINDS } from "../../../core/trace/events.ts";
import { bootGuest } from "./boot.ts";

const WARM = 51_000;
const PAE_ROOT = 0x1000;

/** A machine that is audited at every boundary and has shadow pages of tables and directories. */
function warm(): Machine {
  const machine = bootGuest("quadrant", { audit: "every", findings: "stop" });
  machine.run(WARM);
  expect(machine.stop.reason).toBe("paused");
  expect(machine.watch.findings.total).toBe(0);
  return machine;
}

/** The hpa of the first present spte of a page of this level that `wanted` likes. */
function spteOf(machine: Machine, level: number, wanted: (low: number) => boolean): number {
  for (const page of machine.kvm!.shadowPages()) {
    if (page.role.level !== level || page.role.metaphysical) continue;
    for (let i = 0; i < 512; i++) {
      const low = machine.memory.u32[(page.hpa + i * 8) >> 2]!;
      if ((low & 1) !== 0 && wanted(low)) return page.hpa + i * 8;
    }
  }
  throw new Error("no such spte");
}

/** Host-physical place of the guest entry behind a leaf of a 2-level guest's page table. */
function gpaBehind(machine: Machine, ptr: number): number {
  const page = machine.kvm!.shadowPages().find((p) => p.hpa === (ptr & ~0xfff))!;
  return page.gfn * 4096 + (512 * page.role.quadrant + ((ptr & 0xfff) >> 3)) * 4;
}

const raw = (address: number, low: number, size = 4): Input => ({
  kind: "edit",
  space: "hpa",
  as: "raw",
  address,
  size: size as 4,
  low: low >>> 0,
  high: 0,
});

const dma = (machine: Machine, gpa: number, change: (old: number) => number): Input => {
  const old = machine.memory.u32[(machine.slots.hfnOf(gpa >>> 12) * 4096 + (gpa & 0xfff)) >> 2]!;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, change(old) >>> 0, true);
  return { kind: "dma", gpa, bytes };
};

/** Applies an input that breaks `invariant`; answers the line that names it. */
function broken(machine: Machine, input: Input, invariant: string): string {
  const { time } = machine;
  machine.input(input);
  // It stops there, before another instruction runs.
  expect(machine.run(1000)).toBe(false);
  expect(machine.stop.reason).toBe("finding");
  expect(machine.time).toBe(time);
  const { list } = machine.watch.findings;
  const found = list.find((v) => v.invariant === invariant)!;
  expect(list.map((v) => v.invariant)).toContain(invariant);
  expect(found.by).toBe(-1);
  expect(found.time).toBe(time);
  expect(machine.trace.at(found.event)).toBeDefined();
  expect(machine.stop.detail).toBe(violationLine(list[0]!));
  // The audit of everything sees what was found, and nothing else.
  expect(machine.kvm!.audit().violations.map((v) => v.message)).toEqual(list.map((v) => v.message));
  return violationLine(found);
}

const writable = (low: number): boolean => (low & 2) !== 0;

describe("a planted violation is named with its entry and the event that broke it", () => {
  test("I1: a raw edit takes W from an spte that is in an rmap", () => {
    const machine = warm();
    const ptr = spteOf(machine, 1, writable);
    const low = machine.memory.u32[ptr >> 2]!;
    const line = broken(machine, raw(ptr, low & ~2), "I1");
    expect(line).toMatch(
      /^I1: spte 0x[0-9a-f]+ is in the rmap of frame .* not present and writable; from outside/,
    );
    expect(line).toMatch(/event \d+ spte_set \(raw-edit\)$/);
  });

  test("I3: DMA gives a directory entry another table", () => {
    const machine = warm();
    const link = spteOf(machine, 2, () => true);
    const { gfn, role } = machine.kvm!.shadowPages().find((p) => p.hpa === (link & ~0xfff))!;
    const entry = gfn * 4096 + (256 * role.quadrant + (((link & 0xfff) >> 3) >> 1)) * 4;
    const line = broken(
      machine,
      dma(machine, entry, () => 0x7f_0027),
      "I3",
    );
    expect(line).toMatch(/^I3: gva .*, event \d+ edit$/);
  });

  test("I4: a raw edit points a link at a free page", () => {
    const machine = warm();
    const link = spteOf(machine, 2, () => true);
    const free = machine.kvm!.mmu.hpaOf(machine.kvm!.mmu.freeHead);
    expect(broken(machine, raw(link, free | 0x27), "I4")).toMatch(
      /^I4: .*; from outside, .*spte_set \(raw-edit\)$/,
    );
  });

  test("I6: a raw edit leaves rubbish in a free page", () => {
    const machine = warm();
    const free = machine.kvm!.mmu.hpaOf(machine.kvm!.mmu.freeHead);
    const line = broken(machine, raw(free + 8 * 8, 2), "I6");
    expect(line).toMatch(/^I6: free page 0x[0-9a-f]+ is not empty; .*spte_set \(raw-edit\)$/);
  });

  test("I7: a raw edit gives two root slots one page", () => {
    const machine = warm();
    const first = machine.memory.u32[PAE_ROOT >> 2]!;
    expect(broken(machine, raw(PAE_ROOT + 8, first), "I7")).toMatch(
      /^I7: .* root_count 1, 2 slots point at it/,
    );
  });

  test("I8: a raw edit swaps the two halves of a page table", () => {
    const machine = warm();
    const link = spteOf(machine, 2, () => true) & ~8;
    const { u32 } = machine.memory;
    const [even, odd] = [u32[link >> 2]!, u32[(link + 8) >> 2]!];
    const child = odd === 0 ? even : odd;
    const line = broken(machine, raw(odd === 0 ? link + 8 : link, child), "I8");
    expect(line).toMatch(/^I8: spte \d+ of shadow page .* points at quadrant [01]/);
  });

  test("I9: a raw edit changes the frame of a leaf", () => {
    const machine = warm();
    const ptr = spteOf(machine, 1, (low) => !writable(low));
    const low = machine.memory.u32[ptr >> 2]!;
    expect(broken(machine, raw(ptr, low ^ 0x8000), "I9")).toMatch(
      /^I9: spte \d+ .* maps frame .*raw-edit\)$/,
    );
  });

  test("I10: a raw edit takes bit 10 from a writable leaf", () => {
    const machine = warm();
    const ptr = spteOf(machine, 1, (low) => writable(low) && (low & 4) !== 0);
    const low = machine.memory.u32[ptr >> 2]!;
    expect(broken(machine, raw(ptr, low & ~0x400), "I10")).toMatch(/has W without bit 10/);
  });

  test("I11: DMA clears D of the entry behind a writable leaf", () => {
    const machine = warm();
    const ptr = spteOf(machine, 1, writable);
    const line = broken(
      machine,
      dma(machine, gpaBehind(machine, ptr), (old) => old & ~0x40),
      "I11",
    );
    expect(line).toMatch(/^I11: spte \d+ .* is clean; from outside, .*, event \d+ edit$/);
  });

  test("I12: a raw edit marks a present leaf as MMIO", () => {
    const machine = warm();
    const ptr = spteOf(machine, 1, () => true);
    const low = machine.memory.u32[ptr >> 2]!;
    expect(broken(machine, raw(ptr, low | 0x200), "I12")).toMatch(/is present with the MMIO mark/);
  });

  test("T1: pae_root changed behind the processor's registers, and the guest runs on", () => {
    const machine = warm();
    machine.setAudit("every", "mark");
    // Slot 0 is emptied: the processor still has it in its PDPTE registers.
    machine.input(raw(PAE_ROOT, 0));
    const before = machine.watch.findings.total;
    const { time } = machine;
    machine.run(200);
    const found = machine.watch.findings.list.slice(before).find((v) => v.invariant === "T1")!;
    expect(found.message).toMatch(/the TLB translates 0x[0-9a-f]+, the shadow does not/);
    expect(found.by).toBeGreaterThan(0);
    expect(found.time).toBeGreaterThanOrEqual(time);
    expect(found.time).toBeLessThanOrEqual(time + 1);
  });
});

describe("a hazard or a policy that breaks an invariant", () => {
  test("I9 under D: the instruction that wrote the entry, and the spte_set of update_pte", () => {
    const machine = bootGuest("quadrant", { policy: "D", audit: "every", findings: "stop" });
    machine.run(10_000_000);
    const [first] = machine.watch.findings.list;
    expect(first!.invariant).toBe("I9");
    const event = machine.trace.at(first!.event)!;
    expect(EVENT_KINDS[event.kind]!.name).toBe("spte_set");
    expect(event.words[0]).toBe(first!.page);
    expect(event.words[1]).toBe(first!.index);
    expect(event.eip).toBe(first!.by);
    expect(machine.stop.detail).toMatch(
      /broken at 0x[0-9a-f]+, time \d+, event \d+ spte_set \(update_pte\)$/,
    );
  });

  test("the same violation at the same boundary as the audit of everything", () => {
    const [every, full] = (["every", "full"] as const).map((audit) => {
      const machine = bootGuest("quadrant", { policy: "D", audit, findings: "stop" });
      machine.run(10_000_000);
      return machine;
    });
    expect(every!.stop).toEqual(full!.stop);
    expect(every!.stop.reason).toBe("finding");
    expect(every!.watch.findings.list).toEqual(full!.watch.findings.list);
    expect(every!.time).toBe(full!.time);
  });

  test("an audit that is asked for knows when it looked, and blames nobody", () => {
    const machine = bootGuest("quadrant", { policy: "D", audit: "end" });
    machine.run(10_000_000);
    const { violations } = machine.audit();
    expect(violations.map(({ invariant, by, event }) => [invariant, by, event])).toEqual([
      ["I9", BY_UNKNOWN, -1],
      ["I3", BY_UNKNOWN, -1],
    ]);
    expect(violationLine(violations[0]!)).toMatch(/; found at 0x1002f7, time \d+$/);
    // Watched from here on: what is wrong already is old, and what the guest breaks next is its own.
    const late = bootGuest("quadrant", { policy: "D", audit: "end" });
    late.run(60_000);
    late.setAudit("every", "mark");
    const old = late.watch.findings.total;
    expect(late.watch.findings.list.map(({ by }) => by)).toEqual(Array(old).fill(BY_UNKNOWN));
    expect(old).toBeGreaterThan(0);
    late.audit();
    late.run(10_000_000);
    const news = late.watch.findings.list.slice(old);
    expect(news.length).toBeGreaterThan(0);
    for (const { by, eventName } of news) {
      expect(by).toBeGreaterThan(0);
      expect(eventName).toBe("spte_set (update_pte)");
    }
  });

  test("marked, the machine goes on, and the clean ones stay clean to their end", () => {
    const wrong = bootGuest("quadrant", { policy: "D", audit: "every", findings: "mark" });
    wrong.run(10_000_000);
    expect(wrong.stop.reason).toBe("hlt");
    expect(wrong.watch.findings.total).toBeGreaterThan(0);
    const right = bootGuest("quadrant", { policy: "C", audit: "every", findings: "stop" });
    right.run(10_000_000);
    expect(right.stop.reason).toBe("hlt");
    expect(right.watch.findings.total).toBe(0);
  });

  test("off, on and off again: nothing stays watched", () => {
    const machine = warm();
    const watched = (): number =>
      machine.memory.flags.filter((flags) => (flags & FRAME_WATCHED) !== 0).length;
    expect(watched()).toBeGreaterThan(257);
    machine.setAudit("end", "mark");
    expect(watched()).toBe(0);
    expect(machine.kvm!.mmu.touched).toBeNull();
    machine.setAudit("every", "mark");
    machine.input({ kind: "policy", policy: "none" });
    expect(watched()).toBe(0);
    machine.input({ kind: "policy", policy: "C" });
    machine.run(1000);
    expect(watched()).toBeGreaterThan(257);
  });
});
