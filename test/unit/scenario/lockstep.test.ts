/** Two machines in lock-step: where they part, since when and why; and that equal machines never do. */
import { describe, expect, it } from "vitest";
import { findGuest } from "../../../core/guests/index.ts";
import { takeSnapshot } from "../../../core/machine/snapshot.ts";
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

  it("refuses to compare a shadow with none", () => {
    expect(() => new LockStep(QUADRANT, { policy: "none" }, { policy: "B" }, { until: "shadow" })).toThrow(
      /has no shadow/,
    );
  });

  it("step by step gives what running gives", () => {
    const fast = run({ policy: "P" }, { policy: "B" }, { until: "shadow" });
    const slow = new LockStep(QUADRANT, { policy: "P" }, { policy: "B" }, { until: "shadow" });
    slow.advance(fast.difference!.time - 20);
    for (let i = 0; i < 100 && !slow.step(); i++);
    expect(slow.difference).toMatchObject({ time: fast.difference!.time, eip: FIRST_WRITE });
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
