/**
 * Experiments as clients see them: cost tables with their schema, what is pushed while one runs and when it is done, and
 * the pure functions that make a chart's options, its facts as a table, and a CSV file of a result.
 */
import * as v from "valibot";
import type { CostTable } from "../../experiment/cost.ts";
import type { ExperimentResult, Progress } from "../../experiment/result.ts";

export type { ChartColours, ChartFacts } from "../../experiment/chart.ts";
export { chartFacts, chartOption, PRINT_COLOURS } from "../../experiment/chart.ts";
export type { CostId, CostRow, CostTable } from "../../experiment/cost.ts";
export type { Chart, Column, ExperimentResult, Progress, Row, Value } from "../../experiment/result.ts";
export { shownColumns, toCsv } from "../../experiment/result.ts";

/** Costs beyond this many cycles are a slip of the hand: a second and more of the processors of the day. */
const CYCLES_MOST = 1e10;
export const COST_TABLES_MOST = 8;

const NUMBER = "a cost is a number of cycles, or null where it is not known";
const Cycles = v.nullable(
  v.pipe(
    v.number(NUMBER),
    v.finite(NUMBER),
    v.minValue(0, "a cost is no less than 0 cycles"),
    v.maxValue(CYCLES_MOST, `a cost is at most ${CYCLES_MOST} cycles`),
  ),
);

/** A cost table from outside: a file of the command line, a person's own in the window. */
export const CostTableSchema = v.strictObject({
  id: v.pipe(v.string("id must be text"), v.regex(/^[a-z0-9-]{1,32}$/, "id takes 1 to 32 of a-z, 0-9 and -")),
  title: v.pipe(
    v.string("title must be text"),
    v.minLength(1, "a cost table needs a title"),
    v.maxLength(80, "a cost table's title is at most 80 characters long"),
  ),
  cycles: v.strictObject({
    instruction: Cycles,
    exception: Cycles,
    vm_exit: Cycles,
    vm_entry: Cycles,
    vmcs_read: Cycles,
    vmcs_write: Cycles,
  }),
});

/** The tables of one run: at least one, no id twice. */
export const CostTables = v.pipe(
  v.array(CostTableSchema, "costs is a list of cost tables"),
  v.minLength(1, "an experiment needs at least one cost table"),
  v.maxLength(COST_TABLES_MOST, `an experiment takes at most ${COST_TABLES_MOST} cost tables`),
  v.check(
    (tables) => new Set(tables.map((one) => one.id)).size === tables.length,
    "two cost tables have the same id",
  ),
);

/** The sentence that says what is wrong with a cost table, or the table. */
export function parseCostTable(
  value: unknown,
): { ok: true; table: CostTable } | { ok: false; error: string } {
  const result = v.safeParse(CostTableSchema, value);
  if (result.success) return { ok: true, table: result.output };
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  return { ok: false, error: path === null ? issue.message : `${path}: ${issue.message}` };
}

/** The experiment of the lab: the one that runs, or how the last one ended. The result itself is a view of its own. */
export interface ExperimentView {
  readonly kind: "experiment";
  /** "idle": none has been started yet. */
  readonly state: "idle" | "running" | "done" | "cancelled" | "failed";
  /** Counts the experiments started here. */
  readonly run: number;
  /** Id and title of the experiment, "" while idle. */
  readonly experiment: string;
  readonly title: string;
  readonly progress: Progress;
  /** Why it failed, or "". */
  readonly error: string;
}

/** The last result there is; one that was cancelled or failed leaves it alone. */
export interface ExperimentResultView {
  readonly kind: "experimentResult";
  /** Which run's it is (`ExperimentView.run`); 0: there is none yet. */
  readonly run: number;
  readonly result: ExperimentResult | null;
}
