/** Scenarios and comparisons through the lab's door: opened, stepped, judged; run in lock-step, shown, taken over. */
import { beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../../../core/lab/index.ts";
import type {
  Command,
  CompareView,
  ScenarioListing,
  ScenarioView,
  ViewRequest,
} from "../../../core/lab/protocol/index.ts";

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 16 });
});

const fail = (_view: number, error: string): never => {
  throw new Error(error);
};
function look<V>(request: ViewRequest): V {
  lab.openView(99, request);
  const data = lab.collectViews(fail).find(({ view }) => view === 99)?.data;
  lab.closeView(99);
  return data as V;
}
const story = () => look<ScenarioView>({ kind: "scenario" }).open!;
const compared = (page: { gfn: number; role: number } | null = null) =>
  look<CompareView>({ kind: "compare", pair: 0, page, around: null });
function finish(): void {
  for (let i = 0; i < 100_000 && lab.running; i++) lab.slice(100_000);
  expect(lab.running).toBe(false);
}
const open = (command: Partial<Extract<Command, { name: "openScenario" }>>) =>
  lab.command({ name: "openScenario", ...command });

describe("scenarios", () => {
  test("the library has its commit first, and at least twenty", () => {
    const list = lab.command({ name: "listScenarios" }) as ScenarioListing[];
    expect(list[0]).toMatchObject({ id: "seed-page-table", policies: ["P", "B", "C", "D"] });
    expect(list.length).toBeGreaterThanOrEqual(20);
  });

  test("step by step: each prediction with what was found; the machine on the screen is the scenario's", () => {
    open({ id: "seed-page-table", policy: "B" });
    expect(story()).toMatchObject({ at: 0, judged: 0, moved: false, policy: "B" });
    lab.command({ name: "scenarioStep", all: false });
    const [first] = story().steps;
    expect(first!.predictions!.map(({ ok }) => ok)).toEqual([true, true, true, true]);
    expect(first!.predictions![0]).toMatchObject({ about: "shadow pages", predicted: "4", found: "4" });
    expect(lab.machine.kvm?.shadowPages().length).toBe(4);
    lab.command({ name: "scenarioStep", all: true });
    finish();
    expect(story()).toMatchObject({ at: 11, failed: 0 });
    expect(() => lab.command({ name: "scenarioStep", all: false })).toThrow(/at its end/);
  });

  test("under another policy, and reset", () => {
    open({ id: "story-of-the-commit" });
    lab.command({ name: "scenarioReset", policy: "D" });
    lab.command({ name: "scenarioStep", all: true });
    finish();
    expect(story()).toMatchObject({ policy: "D", failed: 0, at: 5 });
    lab.command({ name: "reset" });
    expect(story()).toMatchObject({ policy: "D", at: 0, judged: 0 });
  });

  test("a machine moved by hand is said to be, and its predictions may fail", () => {
    open({ id: "seed-page-table", policy: "B" });
    lab.command({ name: "setPolicy", policy: "D" });
    expect(story().moved).toBe(true);
    lab.command({ name: "scenarioStep", all: true });
    finish();
    expect(story().failed).toBeGreaterThan(0);
  });

  test("a person's breakpoints end no step, and a step that was paused goes on to its own end", () => {
    open({ id: "story-of-the-commit", policy: "B" });
    const print = 0x10004b;
    lab.command({ name: "breakpoint", address: print, on: true });
    lab.command({ name: "scenarioStep", all: true });
    finish();
    expect(story()).toMatchObject({ failed: 0, at: 5 });
    expect(lab.machine.cpu.breakpoints).toEqual([print]);

    // Paused within its first step (2000 units of some 49 000), moved by hand as far as the breakpoint, and gone on with.
    lab.command({ name: "reset" });
    lab.story.step(true);
    lab.slice(2000);
    lab.command({ name: "pause" });
    expect(lab.running).toBe(false);
    expect(lab.machine.time).toBe(2000);
    lab.command({ name: "run" });
    finish();
    expect(lab.machine.stop.reason).toBe("breakpoint");
    expect(lab.machine.cpu.eip).toBe(print);
    lab.command({ name: "scenarioStep", all: true });
    finish();
    expect(story()).toMatchObject({ at: 5, failed: 0 });
  });

  test("a bug that a step meets stops the scenario and the machine, and the lab lives on", () => {
    open({ id: "seed-page-table", policy: "B" });
    lab.machine.input = () => {
      throw new Error("an assertion of ours");
    };
    lab.command({ name: "scenarioStep", all: true });
    finish();
    expect(story()).toMatchObject({
      playing: false,
      error: "this is a bug of Quadrant: an assertion of ours",
    });
    expect(lab.slice(1000)).toBe(0);
  });

  test("a bad file is refused with its lines and the present machine stays", () => {
    const { machine } = lab;
    expect(() => open({ text: '{ "scenario": 1 }' })).toThrow(/line 1, column 1: a scenario needs "title"/);
    expect(() => open({ id: "luck" })).toThrow(/there is no scenario "luck"/);
    expect(lab.machine).toBe(machine);
    expect(look<ScenarioView>({ kind: "scenario" }).open).toBeNull();
  });

  test("loading a guest closes the scenario", () => {
    open({ id: "aliases" });
    lab.command({ name: "loadGuest", guest: "quadrant" });
    expect(look<ScenarioView>({ kind: "scenario" }).open).toBeNull();
  });
});

describe("comparisons", () => {
  test("P against B and B against D, from the guest's first instruction", () => {
    const { machine } = lab;
    lab.command({
      name: "compare",
      pairs: [
        ["P", "B"],
        ["B", "D"],
      ],
      until: "shadow",
      from: "start",
      accessedDirty: false,
    });
    finish();
    const view = compared();
    expect(view.pairs.map(({ state }) => state)).toEqual(["difference", "difference"]);
    expect(view.pairs[0]!.difference!.entries.map(({ gfn, index }) => [gfn, index])).toEqual([[0x1234, 72]]);
    expect(view.pairs[1]!.difference!.entries.map(({ gfn, index }) => [gfn, index])).toEqual([
      [0x1234, 72],
      [0x1234, 72],
    ]);
    expect(view.page).toMatchObject({ gfn: 0x1234, role: 0x12 });
    expect(view.page!.rows.find(({ index }) => index === 72)).toMatchObject({
      first: "empty",
      differs: true,
    });
    expect(view.pages.filter(({ differing }) => differing > 0)).toHaveLength(1);
    expect(view.events[0].some(({ apart }) => apart)).toBe(true);
    expect(lab.machine).toBe(machine);
  });

  test("a machine of the comparison can take the place of the one on the screen, with its events", () => {
    lab.command({
      name: "compare",
      pairs: [["B", "D"]],
      until: "guest",
      from: "start",
      accessedDirty: false,
    });
    finish();
    const [pair] = compared().pairs;
    const cause = pair!.difference!.entries[0]!.causes[1]!;
    lab.command({ name: "takeCompared", pair: 0, side: 1 });
    expect(lab.machine.kvm?.policy).toBe("D");
    // What the status says of its shadow was looked at, not assumed.
    expect(lab.collectStatus(true, 0)?.audit.violations).toBeGreaterThan(0);
    expect(lab.machine.audit().violations.map(({ invariant }) => invariant)).toContain("I9");
    expect(lab.sharedTrace.at(cause.seq)?.time).toBe(cause.time);
    lab.command({ name: "step", count: 1 });
    expect(lab.machine.over).toBe(false);
  });

  test("a scenario is compared from its first step, with its inputs", () => {
    open({ id: "seed-page-table", policy: "B" });
    lab.command({
      name: "compare",
      pairs: [["B", "D"]],
      until: "guest",
      from: "start",
      accessedDirty: false,
    });
    finish();
    expect(compared().pairs[0]!.difference).toMatchObject({
      kind: "answer",
      since: expect.stringContaining("The left half again"),
    });
  });

  test("the same policy twice, a hazard as it was on one side alone", () => {
    open({ id: "pse-36", policy: "B" });
    const compare = (first: "guarded" | "as-it-was", second: "guarded" | "as-it-was", hazard = "pse36-gfn") =>
      lab.command({
        name: "compare",
        pairs: [["B", "B"]],
        until: "shadow",
        from: "start",
        accessedDirty: false,
        hazards: [{ [hazard]: first }, { [hazard]: second }],
      });
    compare("guarded", "guarded");
    finish();
    expect(compared().pairs[0]!.difference).toBeNull();
    compare("guarded", "as-it-was");
    finish();
    expect(compared().pairs[0]!.difference?.kind).toBe("memory");
    expect(() => compare("guarded", "guarded", "luck")).toThrow(/there is no hazard "luck"/);
  });

  test("an A bit that only one walk sets counts when asked for", () => {
    // The guest takes A from an entry and forgets INVLPG: the TLB of the bare machine asks nobody, and under vmx each
    // step's exit empties it (SDM vol. 3, 4.8 leaves both open).
    const text = JSON.stringify({
      scenario: 1,
      title: "A taken away",
      policies: ["none"],
      machine: {
        paging: {
          mode: "2-level",
          root: "0x1000",
          map: [
            { gva: "0x08000000", gpa: "0x500000", table: "0x234000" },
            { gva: "0x40010000", gpa: "0x234000" },
          ],
        },
      },
      steps: [
        { do: "access", gva: "0x08000000", cpl: 3 },
        { do: "access", gva: "0x40010000", access: "write", value: "0x500047" },
        { do: "access", gva: "0x08000000", cpl: 3, title: "Once more" },
      ],
    });
    const compare = (accessedDirty: boolean) => {
      open({ text });
      lab.command({ name: "compare", pairs: [["none", "B"]], until: "guest", from: "start", accessedDirty });
      finish();
      return compared().pairs[0]!.difference;
    };
    expect(compare(false)).toBeNull();
    expect(compare(true)).toMatchObject({
      kind: "memory",
      what: ["memory at gpa 0x234000: 0x500047 under none, 0x500067 under B"],
      since: expect.stringContaining("Once more"),
    });
  });

  test("what cannot be compared says so", () => {
    lab.command({
      name: "compare",
      pairs: [["none", "B"]],
      until: "shadow",
      from: "here",
      accessedDirty: false,
    });
    finish();
    expect(compared().pairs[0]).toMatchObject({
      state: "refused",
      error: expect.stringMatching(/has no shadow/),
    });
    expect(() => lab.command({ name: "takeCompared", pair: 0, side: 0 })).toThrow(/no such comparison/);
  });
});
