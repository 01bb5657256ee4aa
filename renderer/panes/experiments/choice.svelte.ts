/**
 * What a person has chosen in the Experiments pane: the experiment, the cost tables, costs of one's own. It outlives the
 * pane, which the dock may close; and the actions that the menu and the palette offer.
 */
import type { CostTable } from "../../../core/lab/protocol/index.ts";
import { actions } from "../../actions.ts";
import { lab } from "../../lab.svelte.ts";
import { navigation } from "../../navigate.svelte.ts";
import { type CostTexts, ownTable, textsOf } from "./figures.ts";

const OWN = "own";

class Choice {
  #experiment = $state<string | null>(null);
  /** Ids of the built-in tables that are not wanted. */
  #left = $state.raw<readonly string[]>([]);
  ownWanted = $state(false);
  #own = $state.raw<CostTexts | null>(null);

  get experiment(): string {
    return this.#experiment ?? lab.description?.experiments[0]?.id ?? "";
  }
  set experiment(id: string) {
    this.#experiment = id;
  }

  /** One's own costs; they begin as a copy of the first built-in table. */
  get own(): CostTexts | null {
    const { description } = lab;
    const [first] = description?.costTables ?? [];
    if (this.#own !== null || description === null || first === undefined) return this.#own;
    return textsOf(first, description.costRows);
  }
  set own(texts: CostTexts | null) {
    this.#own = texts;
  }

  wanted(id: string): boolean {
    return id === OWN ? this.ownWanted : !this.#left.includes(id);
  }
  want(id: string, on: boolean): void {
    if (id === OWN) this.ownWanted = on;
    else this.#left = on ? this.#left.filter((one) => one !== id) : [...this.#left, id];
  }

  /** The tables to reckon with, or the sentence that says what is missing. */
  get costs(): readonly CostTable[] | string {
    const { description } = lab;
    if (description === null) return "Waiting for the lab.";
    const tables = description.costTables.filter((table) => this.wanted(table.id));
    if (this.ownWanted) {
      const own = this.own === null ? null : ownTable(this.own, description.costRows);
      if (own === null) return "One of your own costs is not a number.";
      tables.push(own);
    }
    return tables.length === 0 ? "Choose at least one processor to reckon with." : tables;
  }
}

export const choice = new Choice();

export async function runExperiment(): Promise<void> {
  const { costs, experiment } = choice;
  if (typeof costs === "string") return;
  await lab.try({
    name: "startExperiment",
    experiment,
    costs: costs.map(({ id, title, cycles }) => ({ id, title, cycles: { ...cycles } })),
  });
}

const there = () => lab.status !== null && lab.crash === null;
const running = () => there() && lab.status!.experiment !== null;

actions.register([
  {
    id: "experiment-run",
    title: "Run the experiment",
    group: "Machine",
    key: "",
    help: "The one chosen in the Experiments pane, beside the machine on the screen",
    separator: true,
    when: () => there() && !running() && typeof choice.costs !== "string",
    run: () => {
      navigation.showPane("experiments");
      return runExperiment();
    },
  },
  {
    id: "experiment-cancel",
    title: "Cancel the experiment",
    group: "Machine",
    key: "",
    when: running,
    run: () => void lab.try({ name: "cancelExperiment" }),
  },
]);
