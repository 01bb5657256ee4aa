/**
 * What it costs to ignore the quadrant: the commit's "slight performance penalty" as a number. The same loads under the
 * commit's parent (P) and the commit (B): shadow entries refilled, exits, and cycles by the cost model.
 */
import { type CostTable, exitCycles } from "../cost.ts";
import { type Load, measure, program, stage } from "../load.ts";
import type { Experiment, ExperimentResult, Progress, Row } from "../result.ts";
import { quietly } from "./nanobench.ts";

const LOADS: readonly { readonly name: string; readonly load: Load }[] = [
  {
    name: "kernel: fork, copy on write and demand paging",
    load: stage("nonpae-kernel", "stage_user", "stage_sweeps"),
  },
  {
    name: "kernel: a page table filled, changed and emptied",
    load: stage("nonpae-kernel", "stage_sweeps", "stage_directory"),
  },
  { name: "quadrant guest, whole", load: stage("quadrant", "touch_both", "finish") },
  { name: "demand paging, 64 pages", load: program("demand paging", 8) },
  { name: "forkwait, 64 pages", load: program("forkwait", 4) },
  { name: "forkwait, 64 pages in pairs", load: program("forkwait", 4, { paired: 1 }) },
  { name: "pages that come and go beside a working set", load: program("window", 8) },
  { name: "page-table fill", load: program("page-table fill", 4) },
];

export const quadrant: Experiment = {
  id: "quadrant",
  title: "The quadrant respected, or not",
  help: "Refills and exits of the commit's parent (P) beside the commit (B), on fork, copy-on-write, demand paging and page-table loads: the penalty that the commit message calls slight, as a number.",
  *run(tables: readonly CostTable[]): Generator<Progress, ExperimentResult> {
    const rows: Row[] = [];
    let done = 0;
    for (const { name, load } of LOADS) {
      const [p, b] = [yield* once("P"), yield* once("B")];
      const row: Record<string, number | string | null> = { load: name };
      for (const [id, m] of [
        ["P", p],
        ["B", b],
      ] as const) {
        row[`refills_${id}`] = m.counters.refills ?? 0;
        row[`exits_${id}`] = m.allExits;
        for (const table of tables) row[`cycles_${id}_${table.id}`] = exitCycles(m, table);
      }
      row.refills_more = (row.refills_P as number) - (row.refills_B as number);
      row.exits_more_percent = b.allExits === 0 ? null : percent(p.allExits, b.allExits);
      row.skipped = b.counters.quadrant_skipped ?? 0;
      row.instructions = b.instructions;
      rows.push(row);

      function* once(policy: string) {
        const at = { done: done++, total: LOADS.length * 2, what: `${name}, policy ${policy}` };
        const measured = yield* quietly(measure(load, policy), at);
        if (measured === null) throw new Error(`${name} cannot be run on this processor`);
        return measured;
      }
    }
    const both = (id: string, title: string, unit: "" | "cycles") =>
      (["P", "B"] as const).map((policy) => ({
        id: id.replace("*", policy),
        title: `${title}, ${policy}`,
        unit,
      }));
    return {
      experiment: "quadrant",
      title: this.title,
      columns: [
        { id: "load", title: "Load", unit: "" },
        { id: "instructions", title: "Instructions", unit: "" },
        ...both("refills_*", "Refills", ""),
        { id: "refills_more", title: "Refills more under P", unit: "" },
        ...both("exits_*", "VM exits", ""),
        { id: "exits_more_percent", title: "Exits more under P", unit: "%" },
        { id: "skipped", title: "Pages skipped by the quadrant test", unit: "" },
        ...tables.flatMap((t) => both(`cycles_*_${t.id}`, `Cycles of exits, ${t.title}`, "cycles")),
      ],
      rows,
      charts: [
        {
          id: "refills",
          title: "Shadow entries refilled",
          kind: "bars",
          x: "load",
          by: null,
          y: ["refills_P", "refills_B"],
          log: false,
          xTitle: "load",
          yTitle: "refills",
        },
      ],
      notes: [
        "Both policies end in the same guest memory and print the same; only the work differs.",
        "The kernel's loads are the built-in kernel's own stages. The others are programs of the nanobench guest; in pairs means that every page in use has a partner of the same index in the other half of its table, where ignoring the quadrant costs the most that it can.",
        "Behind every third write to a table with no ordinary fault between, the flood detector zaps all of its shadow pages, in whichever quadrant: where that happens, the quadrant test saves nothing.",
        "A refill is an empty leaf shadow entry filled by a fault. P loses the entry of the same index in every quadrant; it costs a refill only where that entry was in use.",
      ],
    };
  },
};

const percent = (a: number, b: number): number => Math.round((1000 * (a - b)) / b) / 10;
