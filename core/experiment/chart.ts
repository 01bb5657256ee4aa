/**
 * A chart of a result as a plain options object for the drawing library (Apache ECharts), which the command line hands
 * to it unchanged, and the window with no more than what a pointer asks for: so that a picture in a file is the picture on
 * the screen. And the same facts as a table.
 */
import type { Chart, ExperimentResult, Value } from "./result.ts";

/** Colours of a drawing: text, lines, ground, and one a series. CSS colours. */
export interface ChartColours {
  readonly text: string;
  readonly line: string;
  readonly ground: string;
  readonly series: readonly string[];
}

/** Distinguishable without colour vision (Okabe and Ito's set, and two more), on white. */
export const PRINT_COLOURS: ChartColours = {
  text: "#1b1f24",
  line: "#d0d7de",
  ground: "#ffffff",
  series: [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7f7f7f",
    "#000000",
    "#6a3fb0",
    "#8a7a00",
  ],
};

const numberOf = (value: Value | undefined): number | null => (typeof value === "number" ? value : null);

/** The places on the x axis, in the order of the rows. */
function places(result: ExperimentResult, chart: Chart): string[] {
  const seen = new Set<string>();
  for (const row of result.rows) seen.add(placeOf(row, chart));
  return [...seen];
}

/** Without a column that splits the series, a row is named by its texts: say program and policy. */
function placeOf(row: ExperimentResult["rows"][number], chart: Chart): string {
  const name = String(row[chart.x] ?? "");
  return chart.by === null && typeof row.policy === "string" && chart.x !== "policy"
    ? `${name}, ${row.policy}`
    : name;
}

/** Rows that have at least one number to show. */
const shown = (result: ExperimentResult, chart: Chart): ExperimentResult => ({
  ...result,
  rows: result.rows.filter((row) => chart.y.every((id) => numberOf(row[id]) !== null)),
});

/** A logarithmic axis has no place for 0 and less. */
const onAxis = (value: number | null, chart: Chart): number | null =>
  value === null || (chart.log && value <= 0) ? null : value;

const titleOf = (result: ExperimentResult, id: string): string =>
  result.columns.find((c) => c.id === id)?.title ?? id;

/** The values of the column that splits the series, or the columns of `y`. */
function namesOf(result: ExperimentResult, chart: Chart): string[] {
  const { by } = chart;
  if (by === null) return chart.y.map((id) => titleOf(result, id));
  return [...new Set(result.rows.map((row) => String(row[by] ?? "")))];
}

/** What a chart shows, as a table: a row a place on the x axis, a column a series. */
export interface ChartFacts {
  /** Over the places. */
  readonly head: string;
  readonly names: readonly string[];
  /** Unit of all values, "" for counts. */
  readonly unit: string;
  readonly rows: readonly { readonly place: string; readonly values: readonly (number | null)[] }[];
}

/** The same facts as `chartOption` draws; a zero that has no place on a logarithmic axis stands here. */
export function chartFacts(given: ExperimentResult, chart: Chart): ChartFacts {
  const result = shown(given, chart);
  const { by } = chart;
  const names = namesOf(result, chart);
  const rows = places(result, chart).map((place) => ({
    place,
    values: names.map((name, i) => {
      const row = result.rows.find(
        (one) => placeOf(one, chart) === place && (by === null || String(one[by] ?? "") === name),
      );
      return row === undefined ? null : numberOf(row[(by === null ? chart.y[i] : chart.y[0])!]);
    }),
  }));
  const unit = given.columns.find((column) => column.id === chart.y[0])?.unit ?? "";
  return { head: chart.xTitle, names, unit, rows };
}

/**
 * The options object. A chart with a `by` column has one series for each value of it, else one for each column of `y`.
 */
export function chartOption(given: ExperimentResult, chart: Chart, colours: ChartColours) {
  const result = shown(given, chart);
  const x = places(result, chart);
  const { by } = chart;
  const names = namesOf(result, chart);
  const numeric = chart.kind === "lines" && result.rows.every((row) => typeof row[chart.x] === "number");
  const all = names.map((name, i) => {
    const column = by === null ? chart.y[i]! : chart.y[0]!;
    const mine = by === null ? result.rows : result.rows.filter((row) => String(row[by] ?? "") === name);
    const data = numeric
      ? mine.map((row) => [numberOf(row[chart.x]), onAxis(numberOf(row[column]), chart)])
      : x.map((place) => {
          const row = mine.find((one) => placeOf(one, chart) === place);
          return row === undefined ? null : onAxis(numberOf(row[column]), chart);
        });
    return {
      name,
      type: chart.kind === "bars" ? ("bar" as const) : ("line" as const),
      data,
      symbolSize: 7,
      barMaxWidth: 22,
    };
  });
  // A series of zeros has nothing to show on a logarithmic axis; the table says that they are zeros.
  const series = all.filter(({ data }) =>
    data.some((point) => (Array.isArray(point) ? point[1] : point) !== null),
  );
  const axis = {
    nameTextStyle: { color: colours.text },
    axisLabel: { color: colours.text },
    axisLine: { lineStyle: { color: colours.line } },
    splitLine: { lineStyle: { color: colours.line } },
  };
  return {
    animation: false,
    backgroundColor: colours.ground,
    color: [...colours.series],
    textStyle: { color: colours.text, fontFamily: "sans-serif" },
    title: { text: chart.title, left: 8, top: 4, textStyle: { color: colours.text, fontSize: 14 } },
    legend: { top: 30, left: 8, textStyle: { color: colours.text }, data: series.map(({ name }) => name) },
    grid: { left: 70, right: 24, top: 66, bottom: numeric ? 48 : 110 },
    xAxis: {
      ...axis,
      type: numeric ? ("value" as const) : ("category" as const),
      name: chart.xTitle,
      nameLocation: "middle" as const,
      nameGap: numeric ? 28 : 90,
      ...(numeric
        ? {}
        : {
            data: x,
            axisLabel: {
              ...axis.axisLabel,
              interval: 0,
              rotate: 35,
              width: 130,
              overflow: "break" as const,
              margin: 16,
            },
          }),
    },
    yAxis: {
      ...axis,
      type: chart.log ? ("log" as const) : ("value" as const),
      // A bar of one cycle is to be seen, too.
      ...(chart.log ? { min: 0.1, startValue: 0.1 } : {}),
      name: chart.yTitle,
      nameLocation: "middle" as const,
      nameGap: 52,
    },
    series,
  };
}
