/**
 * `quadrant experiment`: runs one of the experiments and writes its table and pictures: CSV, JSON and SVG.
 */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { chartOption, PRINT_COLOURS } from "../../core/experiment/chart.ts";
import {
  COST_ROWS,
  COST_TABLES,
  type CostTable,
  EXPERIMENTS,
  type ExperimentResult,
  experimentById,
  shownColumns,
  toCsv,
} from "../../core/experiment/index.ts";
import { parseCostTable } from "../../core/lab/protocol/index.ts";
import type { CliIo } from "./io.ts";

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const EXIT_RAN = 0;
const EXIT_REFUSED = 2;

export const EXPERIMENT_HELP = `Options of experiment:

  --out DIR                        write NAME.csv, NAME.json and a picture (SVG) for each chart there
  --costs FILE                     cycles an event for another processor (JSON, see docs/experiments.md)
`;

const SIZE = { width: 1000, height: 520 };

/** Carries out `quadrant experiment …`. Answers the exit code. @param words those behind `experiment` */
export function experimentCommand(words: readonly string[], io: CliIo): number {
  try {
    const { name, out, costs } = parse(words);
    if (name === null) {
      print(io, listing());
      return EXIT_RAN;
    }
    const experiment = experimentById(name);
    if (experiment === undefined) {
      const ids = EXPERIMENTS.map((one) => one.id).join(", ");
      throw new Error(`there is no experiment "${name}"; there are ${ids}`);
    }
    const tables = costs === null ? COST_TABLES : [...COST_TABLES, readCosts(costs, io)];
    if (out !== null) io.makeFolder(out);
    const work = experiment.run(tables);
    let last = "";
    for (;;) {
      const step = work.next();
      if (step.done === true) {
        print(io, table(step.value));
        if (out !== null) write(step.value, out, io);
        return EXIT_RAN;
      }
      const { done, total, what } = step.value;
      if (what !== last) io.err(`quadrant: ${done + 1} of ${total}: ${what}`);
      last = what;
    }
  } catch (error) {
    io.err(`quadrant: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_REFUSED;
  }
}

function parse(words: readonly string[]): { name: string | null; out: string | null; costs: string | null } {
  let name: string | null = null;
  const options: Record<string, string | null> = { "--out": null, "--costs": null };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("-")) {
      if (name !== null) throw new Error(`one experiment at a time: "${name}" and then "${word}"`);
      name = word;
      continue;
    }
    const equals = word.indexOf("=");
    const option = equals < 0 ? word : word.slice(0, equals);
    if (!(option in options))
      throw new Error(`experiment has no option ${option}; it takes --out and --costs`);
    const value = equals < 0 ? words[++i] : word.slice(equals + 1);
    if (value === undefined || value === "") throw new Error(`${option} needs a value behind it`);
    options[option] = value;
  }
  return { name, out: options["--out"]!, costs: options["--costs"]! };
}

function readCosts(path: string, io: CliIo): CostTable {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(io.readFile(path)));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`${path} is not JSON: ${error.message}`);
    throw error;
  }
  const checked = parseCostTable(value);
  if (!checked.ok) throw new Error(`${path}: ${checked.error}`);
  const { table } = checked;
  if (COST_TABLES.some((one) => one.id === table.id))
    throw new Error(`${path}: the id ${table.id} is taken by a built-in table`);
  return table;
}

const print = (io: CliIo, text: string): void => io.out(new TextEncoder().encode(text));

function listing(): string {
  const row = (id: string, title: string, help: string) =>
    `  ${id.padEnd(24)}${title}\n${" ".repeat(26)}${help}\n`;
  return [
    "Experiments (quadrant experiment NAME --out DIR):\n",
    ...EXPERIMENTS.map((one) => row(one.id, one.title, one.help)),
    "\nCost tables, cycles:\n",
    ...COST_TABLES.map((one) => {
      const costs = COST_ROWS.map((r) => `${r.id} ${one.cycles[r.id] ?? "not known"}`).join(", ");
      return row(one.id, one.title, costs);
    }),
  ].join("");
}

/** The result as a text table, notes below it. */
function table(result: ExperimentResult): string {
  const columns = shownColumns(result);
  const cells = result.rows.map((row) => columns.map((c) => show(row[c.id] ?? null)));
  const heads = columns.map((c) => c.title);
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((row) => row[i]!.length)));
  const numeric = columns.map((c) => result.rows.some((row) => typeof row[c.id] === "number"));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [
    result.title,
    "",
    line(heads),
    ...cells.map(line),
    "",
    ...result.notes.map((note) => `* ${note}`),
    "",
  ].join("\n");
}

const show = (value: number | string | null): string =>
  value === null ? "" : typeof value === "number" ? String(Math.round(value * 1000) / 1000) : value;

function write(result: ExperimentResult, folder: string, io: CliIo): void {
  const text = (name: string, content: string) => {
    io.writeFile(`${folder}/${name}`, new TextEncoder().encode(content));
    io.err(`quadrant: ${folder}/${name} is written`);
  };
  text(`${result.experiment}.csv`, toCsv(result));
  text(`${result.experiment}.json`, `${JSON.stringify(result, null, 2)}\n`);
  for (const chart of result.charts) {
    const drawing = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
    drawing.setOption(chartOption(result, chart, PRINT_COLOURS));
    text(`${result.experiment}-${chart.id}.svg`, drawing.renderToSVGString());
    drawing.dispose();
  }
}
