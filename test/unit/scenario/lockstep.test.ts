/** Two machines in lock-step: where they part, since when and why; and that equal machines never do. */
import { describe, expect, it } from "vitest";
import { findGuest } from "../../../core/guests/index.ts";
import { takeSnapshot } from "../../../core/machine/snapshot.ts";
import { diffHostTables, hostLeafText, takeHostTables } from "../../../core/scenario/host-tables.ts";
import {
  type Contender,
  explain,
  findScenario,
  LockStep,
  type LockStepOptions,
  scriptOf,
} from "../../../core/scenario/index.ts";
import { bootFlat, bootGuest } from "../machine/boot.ts";

const QUADRANT = takeSnapshot(bootGuest("quadrant", { policy: "none", audit: "off" }));
const FIRST_WRITE = findGuest("quadrant")!.symbols.find(({ name }) => name === "first_write")!.address;

function run(first: Contender, second: Contender, options: LockStepOptions, snapshot = QUADRANT): LockStep {
  const lockStep = new LockStep(snapshot, first, second, options);
  for (let i = 0; i < 10_000 && !lockStep.advance(100_000); i++);
  expect(lockStep.end).not.toBeNull();
  return lockStep;
}

describe("the quadrant guest", () => {
  it("sees no difference between P and B, and none between B and the bare machine", () => {
    for (const policy of ["P", "none"]) {
      const { difference, end, first } = run({ policy }, { policy: "B" }, { until: "guest" });
      expect([policy, difference, end]).toEqual([policy, null, "both stopped"]);
      expect(String.fromCharCode(...first.serial.output())).toContain("end: 0 wrong");
    }
  });

  it("6.4: the shadows under P and B part at the write of PTE 584, in entry 72 of quadrant 0", () => {
    const lockStep = run({ policy: "P" }, { policy: "B" }, { until: "shadow" });
    const { difference } = lockStep;
    expect(difference).toMatchObject({ kind: "shadow", eip: FIRST_WRITE });
    expect(difference!.shadow.sptes.map(({ index, key }) => [key.gfn, key.quadrant, index])).toEqual([
      [0x1234, 0, 72],
    ]);
    const told = explain(lockStep, ["P", "B"]);
    expect(told.entries[0]).toMatchObject({
      first: "empty",
      second: expect.stringContaining("maps gpa 0x5670000"),
    });
    expect(told.entries[0]!.causes[0]!.eip).toBe(FIRST_WRITE);
    expect(told.why.join(" ")).toContain("touched under P, skipped: wrong quadrant under B");
    expect(told.instruction).toMatch(/^mov \[0x1234920\],eax$/);
  });

  it("6.4: under D the guest reads another frame's bytes than under B, long after the write that caused it", () => {
    const lockStep = run({ policy: "B" }, { policy: "D" }, { until: "guest" });
    expect(lockStep.difference).toMatchObject({ kind: "registers" });
    const told = explain(lockStep, ["B", "D"]);
    const [entry] = told.entries;
    expect([entry!.key.gfn, entry!.key.quadrant, entry!.index]).toEqual([0x1234, 0, 72]);
    expect(entry!.second).toContain("maps gpa 0x5678000");
    expect(entry!.causes[1]!.eip).toBe(FIRST_WRITE);
    expect(entry!.causes[1]!.time).toBeLessThan(lockStep.difference!.time);
  });

  it("beside the bare machine the audit names the entry", () => {
    const told = explain(run({ policy: "none" }, { policy: "D" }, { until: "guest" }), ["none", "D"]);
    expect(told.entries[0]).toMatchObject({
      index: 72,
      first: expect.stringContaining("entry 72: 0x5670067"),
    });
  });

  it("refuses to compare a shadow with none, or with host tables", () => {
    const refused = (first: string, second: string) => () =>
      new LockStep(QUADRANT, { policy: first }, { policy: second }, { until: "shadow" });
    expect(refused("none", "B")).toThrow(/policy none has no shadow and no host tables/);
    expect(refused("nested", "none")).toThrow(/policy none has no shadow and no host tables/);
    expect(refused("nested", "B")).toThrow(/nested paging has host tables .* and B a shadow/);
    expect(refused("D", "nested")).toThrow(/and D a shadow/);
  });

  it("step by step gives what running gives", () => {
    const fast = run({ policy: "P" }, { policy: "B" }, { until: "shadow" });
    const slow = new LockStep(QUADRANT, { policy: "P" }, { policy: "B" }, { until: "shadow" });
    slow.advance(fast.difference!.time - 20);
    for (let i = 0; i < 100 && !slow.step(); i++);
    expect(slow.difference).toMatchObject({ time: fast.difference!.time, eip: FIRST_WRITE });
  });
});

describe("nested paging", () => {
  const story = scriptOf(findScenario("nested-walk-cache")!.scenario);
  const both = (first: Partial<Contender>, second: Partial<Contender>, until: "guest" | "shadow") =>
    run(
      { policy: "nested", ...first },
      { policy: "nested", ...second },
      { until, script: story.entries, goal: story.goal + 1 },
      story.snapshot,
    );

  it("host tables of 3 and of 4 levels map the same frames, all along a kernel's run", () => {
    const lockStep = run(
      { policy: "nested", nestedLevels: 3 },
      { policy: "nested", nestedLevels: 4 },
      { until: "shadow" },
    );
    expect([lockStep.end, lockStep.difference]).toEqual(["both stopped", null]);
    const [three, four] = [takeHostTables(lockStep.first), takeHostTables(lockStep.second)];
    expect(lockStep.first.nested!.tables.levels).toBe(3);
    // pf_fixed counts the pages that were mapped; none is ever unmapped.
    expect(three.size).toBe(lockStep.first.nested!.counters.pf_fixed);
    expect([...three.keys()]).toEqual([...four.keys()]);
    for (const [gfn, { low }] of three) expect(low >>> 12).toBe(lockStep.first.slots.hfnOf(gfn));
  });

  it("a walk cache leads to another frame: the guest reads other bytes, and other pages are mapped", () => {
    const guest = both({ walkCache: 4 }, { walkCache: 0 }, "guest");
    expect(guest.difference).toMatchObject({
      kind: "answer",
      label: expect.stringContaining("The neighbour, through the old table"),
    });
    expect(explain(guest, ["a", "b"]).why[0]).toContain("page-walk cache");
    const tables = both({ walkCache: 4 }, { walkCache: 4 }, "shadow");
    expect(tables.difference).toBeNull();
  });

  it("what the host tables differ in is said by guest-physical address, with the nested fault behind it", () => {
    // The same inputs but for the guest's answer, which is let go by: only the tables are looked at here.
    const [one, other] = [
      both({ walkCache: 4 }, { walkCache: 0 }, "guest").first,
      both({ walkCache: 4 }, { walkCache: 0 }, "guest").second,
    ];
    const changes = diffHostTables(takeHostTables(one), takeHostTables(other), 8);
    expect(changes.map(({ after, before, gfn }) => [gfn, before !== null, after !== null])).toEqual([
      [0x235, false, true],
      [0x501, true, false],
      [0x601, false, true],
    ]);
    expect(hostLeafText(changes[1]!.before)).toBe("maps host 0x1501000, W U");
    expect(hostLeafText(changes[1]!.after)).toBe("not mapped");
  });

  it("stops where one maps what the other does not, and says which walk it was", () => {
    // The second machine's page lies in another frame, with the same bytes: the guest cannot tell.
    const script = story.entries.filter(({ label }) => label.startsWith("step 3:"));
    const lockStep = new LockStep(
      story.snapshot,
      { policy: "nested" },
      { policy: "nested" },
      { until: "shadow", script, goal: story.goal + 1 },
    );
    lockStep.second.input({ kind: "dma", gpa: 0x50_2000, bytes: Uint8Array.from([0x61, 0x2d, 0x31, 0x21]) });
    lockStep.second.input({ kind: "dma", gpa: 0x23_4004, bytes: Uint8Array.from([0x67, 0x20, 0x50, 0]) });
    while (!lockStep.advance(1000));
    expect(lockStep.difference?.kind).toBe("shadow");
    const told = explain(lockStep, ["a", "b"]);
    expect(told.what).toEqual([
      "gpa 0x501000: maps host 0x1501000, W U under a, not mapped under b",
      "gpa 0x502000: not mapped under a, maps host 0x1502000, W U under b",
    ]);
    expect(told.why[0]).toMatch(
      /^Under a gpa 0x501000 was mapped .*nested_fault: gva 0x8001000, gpa 0x501000,/,
    );
    expect(told.why[1]).toMatch(/^Under b gpa 0x501000 was not met by any walk/);
  });
});

describe("scenarios", () => {
  it("the commit under P and D parts where the left half is read", () => {
    const { entries, goal, snapshot } = scriptOf(findScenario("seed-page-table")!.scenario);
    const lockStep = run(
      { policy: "P" },
      { policy: "D" },
      { until: "guest", script: entries, goal: goal + 1 },
      snapshot,
    );
    expect(lockStep.difference).toMatchObject({ kind: "answer", label: expect.stringContaining("step 9") });
  });

  it("hazards: a write above 4 GiB lands elsewhere as it was", () => {
    const { entries, goal, snapshot } = scriptOf(findScenario("pse-36")!.scenario);
    const hazards = { "pse36-gfn": "as-it-was" } as const;
    const lockStep = run(
      { policy: "B", hazards: {} },
      { policy: "B", hazards },
      { until: "guest", script: entries, goal: goal + 1 },
      snapshot,
    );
    expect(lockStep.difference).toMatchObject({ kind: "memory" });
    expect(lockStep.difference!.differing.map(({ gpa }) => gpa)).toEqual([0x2000, 0x1_0000_2000]);
  });
});

it("a program that never halts ends at its limit; one that cannot go on stops", () => {
  const loop = takeSnapshot(bootFlat([0xeb, 0xfe], { policy: "none" }));
  const forever = run({ policy: "P" }, { policy: "B" }, { until: "guest", goal: 300_000 }, loop);
  expect([forever.end, forever.time]).toEqual(["limit", 300_000]);
  const halted = takeSnapshot(bootFlat([0xf4], { policy: "none" }));
  expect(run({ policy: "P" }, { policy: "B" }, { until: "shadow" }, halted).end).toBe("both stopped");
});
