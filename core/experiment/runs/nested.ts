/**
 * Shadow paging against nested paging: loads that fault much, where the shadow pays exits, and loads that walk much, where
 * two-dimensional walks pay references.
 */
import { type CostTable, exitCycles } from "../cost.ts";
import { type Choice, type Load, measure, program, stage } from "../load.ts";
import type { Experiment, ExperimentResult, Progress, Row } from "../result.ts";
import { quietly } from "./nanobench.ts";
import { NESTED, REFERENCE } from "./policies.ts";

const LOADS: readonly { readonly name: string; readonly load: Load }[] = [
  { name: "walks, 64 pages (2 guest levels)", load: program("walks", 8) },
  { name: "context switch, 4 spaces", load: program("context switch", 4) },
  { name: "demand paging", load: program("demand paging", 4) },
  { name: "forkwait", load: program("forkwait", 2) },
  { name: "page-table fill", load: program("page-table fill", 2) },
  { name: "pgfault", load: program("pgfault", 64) },
  { name: "PAE kernel: fork and demand paging", load: stage("pae-kernel", "stage_user", "stage_sweeps") },
];

const SIDES: readonly { readonly name: string; readonly policy: string; readonly choice: Choice }[] = [
  { name: "bare", policy: "none", choice: {} },
  { name: `shadow (${REFERENCE})`, policy: REFERENCE, choice: {} },
  { name: "nested, 3 levels", policy: NESTED, choice: { nestedLevels: 3, walkCache: 0 } },
  { name: "nested, 4 levels", policy: NESTED, choice: { nestedLevels: 4, walkCache: 0 } },
  { name: "nested, 4 levels, caches of 16", policy: NESTED, choice: { nestedLevels: 4, walkCache: 16 } },
];

export const nested: Experiment = {
  id: "nested",
  title: "Shadow paging against nested paging",
  help: "Exits, TLB misses and table references of the same loads on the bare machine, under the shadow of the commit, and under nested paging of 3 and 4 host levels, with page-walk caches and without.",
  *run(tables: readonly CostTable[]): Generator<Progress, ExperimentResult> {
    const rows: Row[] = [];
    const total = LOADS.length * SIDES.length;
    for (const { name, load } of LOADS) {
      for (const side of SIDES) {
        const at = { done: rows.length, total, what: `${name}, ${side.name}` };
        const m = yield* quietly(measure(load, side.policy, side.choice), at);
        if (m === null) throw new Error(`${name} cannot be run on this processor`);
        const row: Record<string, number | string | null> = {
          load: name,
          side: side.name,
          exits: m.allExits,
          walks: m.walks,
          references: m.references,
          a_walk: m.walks === 0 ? null : Math.round((100 * m.references) / m.walks) / 100,
        };
        for (const table of tables) row[`cycles_${table.id}`] = exitCycles(m, table);
        rows.push(row);
      }
    }
    const chart = (id: string, title: string, yTitle: string) => ({
      id,
      title,
      kind: "bars" as const,
      x: "load",
      by: "side",
      y: [id],
      log: true,
      xTitle: "load",
      yTitle,
    });
    return {
      experiment: "nested",
      title: this.title,
      columns: [
        { id: "load", title: "Load", unit: "" },
        { id: "side", title: "Paging", unit: "" },
        { id: "exits", title: "VM exits", unit: "" },
        { id: "walks", title: "TLB misses", unit: "" },
        { id: "references", title: "Table references", unit: "references" },
        { id: "a_walk", title: "References a walk", unit: "references" },
        ...tables.map((t) => ({
          id: `cycles_${t.id}`,
          title: `Cycles of exits, ${t.title}`,
          unit: "cycles" as const,
        })),
      ],
      rows,
      charts: [
        chart("exits", "VM exits", "exits"),
        chart("references", "Table references of the processor's walks", "references"),
      ],
      notes: [
        "A walk of g guest levels over h host levels reads (g + 1)(h + 1) - 1 entries: 11 for 2 over 3, 14 for 2 over 4, and the same for PAE with the PDPTEs in registers. The mean is lower where walks end early (a fault) or begin at a large page or at a cache, and counts the loads of PDPTEs. The well-known 24 is 4 over 4, which needs long mode: quoted, not measured.",
        "References are the processor's own. The shadow's hypervisor also walks the guest's tables, in software, at each of its exits; that is part of an exit.",
        "TLB misses differ: under vmx without VPIDs every exit flushes the TLB.",
      ],
    };
  },
};
