/** Experiments: what the lab can count by itself, from the loads to a table, a picture and the files that hold them. */
import type { Experiment } from "./result.ts";
import { nanobench } from "./runs/nanobench.ts";
import { nested } from "./runs/nested.ts";
import { quadrant } from "./runs/quadrant.ts";
import { cache, flood, pool } from "./runs/sweeps.ts";

export { COST_ROWS, COST_TABLES, type CostId, type CostRow, type CostTable } from "./cost.ts";
export type { Chart, Column, Experiment, ExperimentResult, Progress, Row, Value } from "./result.ts";
export { shownColumns, toCsv } from "./result.ts";

export const EXPERIMENTS: readonly Experiment[] = [nanobench, quadrant, flood, pool, cache, nested];

export const experimentById = (id: string): Experiment | undefined => EXPERIMENTS.find((e) => e.id === id);
