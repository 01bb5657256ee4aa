/** The experiment beside the lab's machine: start, progress, cancel, a second start, what it answers, and what it leaves alone. */
import { beforeEach, describe, expect, test } from "vitest";
import { COST_TABLES } from "../../../core/experiment/index.ts";
import { Experiments } from "../../../core/lab/experiments.ts";
import { Lab } from "../../../core/lab/index.ts";
import type {
  Command,
  Description,
  ExperimentResult,
  ExperimentView,
  ViewData,
} from "../../../core/lab/protocol/index.ts";

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 14 });
});

const command = (c: Command) => lab.command(c);
const start = (experiment = "quadrant") =>
  command({ name: "startExperiment", experiment, costs: [...COST_TABLES] });
const views = (): Map<number, ViewData> =>
  new Map(
    lab
      .collectViews((_view, error) => {
        throw new Error(error);
      })
      .map(({ view, data }) => [view, data]),
  );
const open = () => {
  lab.openView(1, { kind: "experiment" });
  lab.openView(2, { kind: "experimentResult" });
};

describe("what there is", () => {
  test("describe lists experiments, and cost tables with a source for each row", () => {
    const { experiments, costRows, costTables } = command({ name: "describe" }) as Description;
    expect(experiments.map((one) => one.id)).toEqual(expect.arrayContaining(["nanobench", "quadrant"]));
    for (const one of experiments) expect(one.help.length).toBeGreaterThan(20);
    expect(costTables.map((table) => table.id)).toEqual(["p4-672", "core2"]);
    for (const table of costTables)
      expect(Object.keys(table.cycles).sort()).toEqual(costRows.map((row) => row.id).sort());
    for (const row of costRows) expect(row.source.length).toBeGreaterThan(10);
  });
});

describe("a run", () => {
  test("is told of step by step", () => {
    open();
    expect(views().get(1)).toMatchObject({ state: "idle", run: 0 });
    start();
    expect(lab.experimenting).toBe(true);
    expect(lab.running).toBe(false);
    const seen: string[] = [];
    while (seen.length < 3) {
      if (!lab.stepExperiment()) continue;
      const data = views();
      const now = data.get(1) as ExperimentView;
      expect(now).toMatchObject({ kind: "experiment", state: "running", run: 1, experiment: "quadrant" });
      expect(now.progress).toMatchObject({ done: seen.length, total: 16 });
      expect(data.has(2)).toBe(false);
      expect(lab.collectStatus(true, 0)?.experiment).toMatchObject({ done: seen.length, total: 16 });
      seen.push(now.progress.what);
    }
    expect(seen.map((what) => what.slice(-8))).toEqual(["policy P", "policy B", "policy P"]);
  }, 60_000);

  test("leaves the lab's machine alone: not a byte of the saved machine differs", () => {
    const other = new Lab({ traceCapacity: 1 << 14 });
    start();
    for (const one of [lab, other]) {
      one.command({ name: "run" });
      for (let i = 0; i < 6; i++) {
        one.slice(2000);
        if (one === lab) for (let j = 0; j < 2; j++) one.stepExperiment();
      }
      one.command({ name: "pause" });
    }
    expect(lab.experimenting).toBe(true);
    expect(lab.time).toBe(other.time);
    expect(lab.sharedTrace.count).toBe(other.sharedTrace.count);
    const bytes = (one: Lab) => one.command({ name: "saveMachine" }) as Uint8Array;
    expect(Buffer.compare(bytes(lab), bytes(other))).toBe(0);
  });

  test("goes on when the machine is replaced", () => {
    start();
    lab.stepExperiment();
    command({ name: "reset" });
    expect(lab.experimenting).toBe(true);
    lab.stepExperiment();
    open();
    expect(views().get(1)).toMatchObject({ state: "running", error: "" });
  });
});

describe("refusals and endings", () => {
  test("a second start is refused in words and the first goes on", () => {
    start();
    expect(() => start("nanobench")).toThrow(/"The quadrant respected, or not" is running.*one at a time/);
    expect(lab.experimenting).toBe(true);
    open();
    expect(views().get(1)).toMatchObject({ run: 1, experiment: "quadrant" });
  });

  test("an unknown experiment is refused, and told which there are", () => {
    expect(() => start("nothing")).toThrow(/no experiment "nothing"; there are nanobench/);
    expect(lab.experimenting).toBe(false);
  });

  test("cancelling ends it at once; the next start begins anew", () => {
    open();
    start();
    for (let i = 0; i < 5; i++) lab.stepExperiment();
    command({ name: "cancelExperiment" });
    expect(lab.experimenting).toBe(false);
    expect(lab.stepExperiment()).toBe(false);
    const data = views();
    expect(data.get(1)).toMatchObject({ state: "cancelled", run: 1 });
    expect(data.get(2)).toMatchObject({ run: 0, result: null });
    expect(() => command({ name: "cancelExperiment" })).toThrow(/no experiment is running/);
    start();
    expect(views().get(1)).toMatchObject({ state: "running", run: 2, progress: { done: 0 } });
  });
});

describe("how it ends", () => {
  const result: ExperimentResult = {
    experiment: "short",
    title: "Short",
    columns: [{ id: "n", title: "n", unit: "" }],
    rows: [{ n: 1 }],
    charts: [],
    notes: [],
  };
  let tidied = 0;
  const experiments = () =>
    new Experiments([
      {
        id: "short",
        title: "Short",
        help: "",
        *run() {
          try {
            yield { done: 0, total: 2, what: "one" };
            yield { done: 1, total: 2, what: "two" };
            yield { done: 1, total: 2, what: "two" };
            return result;
          } finally {
            tidied++;
          }
        },
      },
      {
        id: "failing",
        title: "Failing",
        help: "",
        *run() {
          yield { done: 0, total: 1, what: "one" };
          throw new Error("the guest stopped before the measured part's end");
        },
      },
    ]);

  test("done: news where there is some, the result for good, also over what is cancelled or fails later", () => {
    const one = experiments();
    one.start("short", COST_TABLES);
    expect([one.step(), one.step(), one.step(), one.step(), one.step()]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(one.view()).toMatchObject({ state: "done", run: 1, progress: { done: 2, total: 2 } });
    expect(one.resultView()).toEqual({ kind: "experimentResult", run: 1, result });
    one.start("failing", COST_TABLES);
    one.step();
    expect(one.step()).toBe(true);
    expect(one.running).toBe(false);
    expect(one.view()).toMatchObject({
      state: "failed",
      run: 2,
      error: expect.stringContaining("before the measured"),
    });
    expect(one.resultView().run).toBe(1);
  });

  test("cancelled: what the experiment has to tidy up is tidied", () => {
    const one = experiments();
    one.start("short", COST_TABLES);
    one.step();
    const before = tidied;
    one.cancel();
    expect(tidied).toBe(before + 1);
    expect(one.step()).toBe(false);
    expect(one.view().state).toBe("cancelled");
  });
});
