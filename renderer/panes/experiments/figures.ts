/** Figures as text and back: the cells of a result, the costs that a person types. */
import type { CostId, CostRow, CostTable, Value } from "../../../core/lab/protocol/index.ts";
import { decimal } from "../../format.ts";

/** A cell: numbers in groups, with at most three decimals; nothing where there is none. */
export function figure(value: Value | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  const thousandths = Math.round(Math.abs(value) * 1000);
  const fraction = String(thousandths % 1000)
    .padStart(3, "0")
    .replace(/0+$/, "");
  const sign = value < 0 && thousandths > 0 ? "\u2212" : "";
  return `${sign}${decimal(Math.floor(thousandths / 1000))}${fraction === "" ? "" : `.${fraction}`}`;
}

const CYCLES_MOST = 1e10;

/** Reads a cost that a person typed. An empty field: not known. Answers the cost, or the sentence that says what is wrong. */
export function readCost(text: string): number | null | string {
  const digits = text.replace(/[\s_\u202f]/g, "");
  if (digits === "") return null;
  if (!/^\d+(\.\d+)?$/.test(digits)) return "A cost is a number of cycles; empty where it is not known.";
  const value = Number(digits);
  return value <= CYCLES_MOST ? value : `A cost is at most ${decimal(CYCLES_MOST)} cycles.`;
}

export type CostTexts = Readonly<Record<CostId, string>>;

/** A table's costs as a person edits them. */
export function textsOf(table: CostTable, rows: readonly CostRow[]): CostTexts {
  const texts = {} as Record<CostId, string>;
  for (const { id } of rows) texts[id] = table.cycles[id] === null ? "" : String(table.cycles[id]);
  return texts;
}

/** A person's own table of what was typed, or null when something in it cannot be read. */
export function ownTable(texts: CostTexts, rows: readonly CostRow[]): CostTable | null {
  const cycles = {} as Record<CostId, number | null>;
  for (const { id } of rows) {
    const cost = readCost(texts[id]);
    if (typeof cost === "string") return null;
    cycles[id] = cost;
  }
  return { id: "own", title: "My costs", cycles };
}
