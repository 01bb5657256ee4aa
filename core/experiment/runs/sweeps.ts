/**
 * Sweeps: one number of a policy is turned, the same loads run, and what the machine did is counted. No era had these
 * values but the one that is named.
 */
import type { MachineSetup } from "../../machine/setup.ts";
import { type CostTable, exitCycles } from "../cost.ts";
import { type Load, measure, program } from "../load.ts";
import type { Measured } from "../meter.ts";
import type { Chart, Column, Experiment, ExperimentResult, Progress, Row } from "../result.ts";
import { quietly } from "./nanobench.ts";
import { NEVER, REFERENCE } from "./policies.ts";

type Tuning = NonNullable<MachineSetup["tuning"]>;

interface Setting {
  /** What the row shows of it. */
  readonly value: number | string;
  readonly tuning: Tuning;
}

interface Sweep {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  /** The number that is turned. */
  readonly x: Column;
  readonly settings: readonly Setting[];
  readonly loads: readonly { readonly name: string; readonly load: Load }[];
  /** What is shown of a run, beside exits and cycles. */
  readonly shown: readonly (Column & { readonly of: (m: Measured) => number })[];
  readonly chart: Omit<Chart, "x" | "by" | "id">;
  readonly notes: readonly string[];
}

function sweep(s: Sweep): Experiment {
  return {
    id: s.id,
    title: s.title,
    help: s.help,
    *run(tables: readonly CostTable[]): Generator<Progress, ExperimentResult> {
      const rows: Row[] = [];
      const total = s.loads.length * s.settings.length;
      for (const { name, load } of s.loads) {
        for (const { value, tuning } of s.settings) {
          const at = { done: rows.length, total, what: `${name}, ${s.x.title} ${value}` };
          const measured = yield* quietly(measure(load, REFERENCE, { tuning }), at);
          if (measured === null) throw new Error(`${name} cannot be run on this processor`);
          const row: Record<string, number | string | null> = { load: name, [s.x.id]: value };
          for (const column of s.shown) row[column.id] = column.of(measured);
          row.exits = measured.allExits;
          for (const table of tables) row[`cycles_${table.id}`] = exitCycles(measured, table);
          rows.push(row);
        }
      }
      return {
        experiment: s.id,
        title: s.title,
        columns: [
          { id: "load", title: "Load", unit: "" },
          s.x,
          ...s.shown.map(({ id, title, unit }) => ({ id, title, unit })),
          { id: "exits", title: "VM exits", unit: "" },
          ...tables.map((t) => ({
            id: `cycles_${t.id}`,
            title: `Cycles of exits, ${t.title}`,
            unit: "cycles" as const,
          })),
        ],
        rows,
        charts: [{ ...s.chart, id: s.chart.y[0]!, x: s.x.id, by: "load" }],
        notes: [
          `Policy ${REFERENCE}; only the one number is turned. Guest memory and instructions are the same in every row of a load.`,
          ...s.notes,
        ],
      };
    },
  };
}

const counter = (id: string, title: string) => ({
  id,
  title,
  unit: "" as const,
  of: (m: Measured) => m.counters[id] ?? 0,
});

export const flood = sweep({
  id: "flood",
  title: "The flood detector's threshold",
  help: "After how many writes in a row a table is no longer shadowed, from 2 to never: emulated writes against refills.",
  x: { id: "threshold", title: "threshold", unit: "" },
  settings: [
    ...[2, 3, 4, 6, 8, 16, 64].map((n) => ({ value: n, tuning: { floodThreshold: n } })),
    { value: "never", tuning: { floodThreshold: NEVER } },
  ],
  loads: [
    { name: "forkwait", load: program("forkwait", 4) },
    { name: "demand paging", load: program("demand paging", 4) },
    { name: "page-table fill", load: program("page-table fill", 2) },
    { name: "ptemod", load: program("ptemod", 64) },
  ],
  shown: [
    { id: "emulated", title: "Emulated writes", unit: "", of: (m) => m.emulated },
    counter("refills", "Refills"),
    counter("mmu_flooded", "Pages zapped as flooded"),
  ],
  chart: {
    title: "Emulated writes, by the threshold",
    kind: "lines",
    y: ["emulated"],
    log: true,
    xTitle: "writes in a row that zap",
    yTitle: "emulated writes",
  },
  notes: [
    "KVM's threshold is 3. With the detector off, ptemod traps each of its writes, as the hardware VMM of Adams and Agesen did.",
  ],
});

export const pool = sweep({
  id: "pool",
  title: "The size of the shadow pool",
  help: "Context switches among 16 address spaces with pools from 48 to 1024 shadow pages: what is recycled, and filled again.",
  x: { id: "pages", title: "pool pages", unit: "" },
  settings: [48, 64, 96, 128, 160, 192, 256, 512, 1024].map((n) => ({ value: n, tuning: { pool: n } })),
  loads: [
    { name: "16 spaces of 32 pages", load: program("context switch", 3, { spaces: 16, pages: 32 }) },
    { name: "8 spaces of 32 pages", load: program("context switch", 6, { spaces: 8, pages: 32 }) },
    { name: "forkwait", load: program("forkwait", 3) },
  ],
  shown: [counter("mmu_recycled", "Pages recycled"), counter("refills", "Refills")],
  chart: {
    title: "Shadow pages recycled, by the pool's size",
    kind: "lines",
    y: ["mmu_recycled"],
    log: false,
    xTitle: "shadow pages in the pool",
    yTitle: "pages recycled",
  },
  notes: ["KVM's pool was 256 pages at the commit and 1024 later in the same series (9.1)."],
});

export const cache = sweep({
  id: "cache",
  title: "The shadow kept or thrown away on CR3 loads",
  help: "Context switches with the shadow pages kept as a cache, as KVM does since 2.6.20, or thrown away, as before.",
  x: { id: "shadow", title: "shadow on MOV to CR3", unit: "" },
  settings: [
    { value: "kept", tuning: { dropsOnCr3: false } },
    { value: "thrown away", tuning: { dropsOnCr3: true } },
  ],
  loads: [1, 2, 4, 8, 16].map((spaces) => ({
    name: `${spaces} ${spaces === 1 ? "space" : "spaces"} of 32 pages`,
    load: program("context switch", Math.max(1, 32 / spaces), { spaces, pages: 32 }),
  })),
  shown: [counter("refills", "Refills"), counter("mmu_cache_miss", "Shadow pages made")],
  chart: {
    title: "Shadow entries filled in 32 context switches",
    kind: "bars",
    y: ["refills"],
    log: false,
    xTitle: "the shadow on MOV to CR3",
    yTitle: "refills",
  },
  notes: [
    "Every row makes 32 switches and reads the same pages behind each. What is thrown away here is the whole cache; the first KVM threw away what was not global.",
  ],
});
