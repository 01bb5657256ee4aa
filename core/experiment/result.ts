/**
 * What an experiment answers: one table of named columns, the notes that belong beside it, and which columns its
 * pictures show. Numbers are counts or cycles; a text or null stands where there is none, and why is in a note.
 */
import type { CostTable } from "./cost.ts";

export interface Column {
  readonly id: string;
  readonly title: string;
  /** "" for counts and texts. */
  readonly unit: "" | "cycles" | "%" | "a round" | "references";
}

export type Value = number | string | null;
export type Row = Readonly<Record<string, Value>>;

/** A picture of some columns; rows where a series has no number leave a gap. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly kind: "bars" | "lines";
  /** Column whose values name the groups of bars, or are the places on the x axis. */
  readonly x: string;
  /** One series for each value of this column (say: a policy), or null: one for each column of `y`. */
  readonly by: string | null;
  readonly y: readonly string[];
  /** Logarithmic y axis: for figures that lie decades apart. */
  readonly log: boolean;
  readonly xTitle: string;
  readonly yTitle: string;
}

export interface ExperimentResult {
  readonly experiment: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly charts: readonly Chart[];
  /** How it was measured, sources, and what is not claimed. */
  readonly notes: readonly string[];
}

/** How far a running experiment is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

export interface Experiment {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  /** Yields every few milliseconds; whoever runs it may stop asking, and nothing is left behind. */
  run(costs: readonly CostTable[]): Generator<Progress, ExperimentResult>;
}

/** RFC 4180: a comma, quotes where needed, CR LF; the columns' ids are the header. */
export function toCsv(result: ExperimentResult): string {
  const cell = (value: Value | undefined): string => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [result.columns.map((c) => cell(c.id)).join(",")];
  for (const row of result.rows) lines.push(result.columns.map((c) => cell(row[c.id])).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

/** The columns that have something to show: with one cost table, say, what only another gives is left out. */
export const shownColumns = (result: ExperimentResult): Column[] =>
  result.columns.filter((column) => result.rows.some((row) => (row[column.id] ?? null) !== null));
