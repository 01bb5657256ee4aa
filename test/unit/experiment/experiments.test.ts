/** Experiments: what the loads make the machine do, worked out by hand from the rules; costs; files. */
import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { chartFacts, chartOption, PRINT_COLOURS } from "../../../core/experiment/chart.ts";
import { allCycles, COST_TABLES, exitCycles } from "../../../core/experiment/cost.ts";
import {
  EXPERIMENTS,
  type ExperimentResult,
  experimentById,
  type Progress,
  toCsv,
} from "../../../core/experiment/index.ts";
import { aRound, type Load, measure, type Program, program } from "../../../core/experiment/load.ts";
import type { Measured } from "../../../core/experiment/meter.ts";

function finish<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

function count(load: Load, policy: string): Measured {
  const measured = finish(measure(load, policy));
  if (measured === null) throw new Error("the processor cannot run it");
  return measured;
}

const ROUNDS = 32;
const one = (name: Program, policy: string): Measured => {
  const load = program(name, ROUNDS);
  return aRound(count(load, policy), load, count(program("empty", ROUNDS), policy));
};

describe("what one round does", () => {
  it.each([
    ["call/ret", 2],
    ["in", 1],
  ] as const)("%s is %d instructions, and no delivery", (name, instructions) => {
    const bare = one(name, "none");
    expect(bare.instructions).toBe(instructions);
    expect(bare.deliveries).toBe(0);
    expect(bare.allExits).toBe(0);
  });

  it("a division by zero is delivered once; no hypervisor of this era intercepts it", () => {
    expect(Math.round(one("divzero", "none").deliveries)).toBe(1);
    expect(Math.round(one("divzero", "B").deliveries)).toBe(1);
    expect(one("divzero", "B").allExits).toBe(0);
  });

  it("IN exits once under a hypervisor", () => {
    expect(one("in", "B").exits).toEqual({ io: 1 });
  });

  it("a page fault of the guest's own takes one exit and one injection", () => {
    const faults = one("pgfault", "B");
    expect(faults.exits).toEqual({ "#PF": 1 });
    expect(faults.injected).toBe(1);
    expect(faults.deliveries).toBe(1);
    expect(one("pgfault", "none").deliveries).toBe(1);
  });

  it("a PTE written and used: one exit for the trapped write, one for the refill; C saves refills until the flood", () => {
    const b = one("ptemod and use", "B");
    expect(b.exits).toEqual({ "#PF": 2 });
    expect(b.emulated).toBe(1);
    expect(b.counters.refills).toBe(1);
    // Under C the refill of an updated entry needs no fault, so nothing ends the run of writes: every third one floods.
    const c = one("ptemod and use", "C");
    expect(c.allExits).toBeLessThan(2);
    expect(c.counters.mmu_flooded).toBeGreaterThan(0.3);
  });

  it("pages beside a working set: P pays one refill more for each, the partner that it cleared without need", () => {
    const load = program("window", 4);
    const [p, b] = [count(load, "P"), count(load, "B")];
    expect(b.counters.refills).toBe(64 * 4);
    expect(p.counters.refills).toBe(2 * 64 * 4);
    expect(p.allExits - b.allExits).toBe(64 * 4);
    expect(p.instructions).toBe(b.instructions);
    expect(b.counters.quadrant_skipped).toBe(2 * 64 * 4);
  });

  it("SYSENTER is either there or said to be absent", () => {
    const measured = finish(measure(program("sysenter", ROUNDS), "none"));
    if (measured !== null) expect(measured.instructions).toBeGreaterThan(3 * ROUNDS);
    else expect(finish(measure(program("syscall", ROUNDS), "none"))).not.toBeNull();
  });
});

describe("the cost model", () => {
  const p4 = COST_TABLES[0]!;
  const core2 = COST_TABLES[1]!;

  it("an injected page fault on a Pentium 4: exit, entry, 11 VMREADs and 5 VMWRITEs", () => {
    expect(exitCycles(one("pgfault", "B"), p4)).toBe(1931 + 2409 + 11 * 178 + 5 * 171);
  });

  it("an emulated write: 20 VMREADs and 6 VMWRITEs; a refill: 10 and 3", () => {
    const emulated = 1931 + 2409 + 20 * 178 + 6 * 171;
    const refill = 1931 + 2409 + 10 * 178 + 3 * 171;
    expect(exitCycles(one("ptemod and use", "B"), p4)).toBe(emulated + refill);
  });

  it("IN goes to userspace and back: 15 VMREADs and 12 VMWRITEs", () => {
    expect(exitCycles(one("in", "B"), p4)).toBe(1931 + 2409 + 15 * 178 + 12 * 171);
  });

  it("what is not known is not reckoned", () => {
    expect(core2.cycles.exception).toBeNull();
    expect(allCycles(one("divzero", "none"), core2)).toBeNull();
    expect(allCycles(one("call/ret", "none"), core2)).toBe(2);
    expect(
      exitCycles(one("pgfault", "B"), { ...core2, cycles: { ...core2.cycles, vm_exit: null } }),
    ).toBeNull();
  });
});

describe("every experiment", () => {
  test.each(EXPERIMENTS.map((e) => [e.id, e] as const))(
    "%s: a whole table, progress that ends, charts of its own columns",
    (_id, experiment) => {
      const work = experiment.run(COST_TABLES);
      let last: Progress = { done: 0, total: 1, what: "" };
      let result: ExperimentResult;
      for (;;) {
        const step = work.next();
        if (step.done === true) {
          result = step.value;
          break;
        }
        expect(step.value.done).toBeGreaterThanOrEqual(last.done);
        expect(step.value.done).toBeLessThan(step.value.total);
        last = step.value;
      }
      const ids = result.columns.map((c) => c.id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(result.rows.length).toBeGreaterThan(5);
      for (const row of result.rows) for (const id of Object.keys(row)) expect(ids).toContain(id);
      for (const chart of result.charts) {
        for (const id of [chart.x, ...chart.y, ...(chart.by === null ? [] : [chart.by])])
          expect(ids).toContain(id);
        const { series } = chartOption(result, chart, PRINT_COLOURS);
        expect(series.length).toBeGreaterThan(0);
        for (const { data } of series) expect(data.some((value) => value !== null)).toBe(true);
        const facts = chartFacts(result, chart);
        // A series of zeros is in the table, and not in a logarithmic picture.
        for (const { name } of series) expect(facts.names).toContain(name);
        if (!chart.log) expect(series.length).toBe(facts.names.length);
        expect(facts.rows.some(({ values }) => values.some((value) => value !== null))).toBe(true);
      }
      const lines = toCsv(result).split("\r\n");
      expect(lines[0]).toBe(ids.join(","));
      expect(lines.length).toBe(result.rows.length + 2);
    },
    180_000,
  );

  it("are found by name", () => {
    expect(experimentById("quadrant")?.id).toBe("quadrant");
    expect(experimentById("nothing")).toBeUndefined();
  });

  it("can be given up half way: nothing is left behind, and it starts anew", () => {
    const experiment = EXPERIMENTS[0]!;
    const work = experiment.run(COST_TABLES);
    work.next();
    work.return(undefined as never);
    expect(experiment.run(COST_TABLES).next().done).toBe(false);
  });
});

it("CSV quotes commas, quotes and line ends", () => {
  const csv = toCsv({
    experiment: "x",
    title: "",
    columns: [
      { id: "a", title: "", unit: "" },
      { id: "b", title: "", unit: "" },
    ],
    rows: [{ a: 'say "x", y', b: null }, { a: 1.5 }],
    charts: [],
    notes: [],
  });
  expect(csv).toBe('a,b\r\n"say ""x"", y",\r\n1.5,\r\n');
});

describe("a chart's facts as a table", () => {
  const chart = { id: "c", title: "", kind: "bars", log: true, xTitle: "program", yTitle: "" } as const;
  const result: ExperimentResult = {
    experiment: "x",
    title: "",
    columns: [
      { id: "program", title: "Program", unit: "" },
      { id: "policy", title: "Policy", unit: "" },
      { id: "exits", title: "Exits", unit: "a round" },
      { id: "cycles", title: "Cycles", unit: "cycles" },
    ],
    rows: [
      { program: "in", policy: "none", exits: 0, cycles: 1 },
      { program: "in", policy: "B", exits: 1, cycles: 6805 },
      { program: "pgfault", policy: "B", exits: 1, cycles: null },
    ],
    charts: [],
    notes: [],
  };

  it("a column for each value of `by`; what was not measured is null, a zero stays a zero", () => {
    expect(chartFacts(result, { ...chart, x: "program", by: "policy", y: ["exits"] })).toEqual({
      head: "program",
      names: ["none", "B"],
      unit: "a round",
      rows: [
        { place: "in", values: [0, 1] },
        { place: "pgfault", values: [null, 1] },
      ],
    });
  });

  it("a column for each of `y`, rows with numbers in all of them", () => {
    expect(chartFacts(result, { ...chart, x: "program", by: null, y: ["exits", "cycles"] }).rows).toEqual([
      { place: "in, none", values: [0, 1] },
      { place: "in, B", values: [1, 6805] },
    ]);
  });
});

it("published cycles are held against the processor that they were measured on, and no other's", () => {
  const nanobench = experimentById("nanobench")!;
  const [p4, core2] = COST_TABLES;
  // In whichever place its table stands: five figures on the bare machine (ptemod's twice), five under B.
  const { rows } = finish(nanobench.run([core2!, p4!]));
  const held = rows.filter((row) => typeof row.deviation === "number");
  expect(held.length).toBe(10);
  for (const row of held) {
    const published = row.published as number;
    const predicted = row["cycles_p4-672"] as number;
    expect(row.deviation).toBe(Math.round((100 * (predicted - published)) / published));
  }
  // docs/experiments.md shows them as they come out.
  const doc = readFileSync(new URL("../../../docs/experiments.md", import.meta.url), "utf8");
  const told = doc.split("\n").filter((line) => / \| (none|B) \| .* % \|$/.test(line));
  expect(told).toEqual(
    held.map(
      (row) =>
        `| ${row.program} | ${row.policy} | ${Math.round(row["cycles_p4-672"] as number)} | ${row.published} | ${row.deviation} % |`,
    ),
  );
}, 180_000);
