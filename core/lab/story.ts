/**
 * The scenario on the screen: its runner drives the lab's machine, step by step or through to the end, in slices.
 */
import {
  findScenario,
  library,
  mistakeText,
  ownPolicy,
  parseScenario,
  type Scenario,
  ScenarioError,
  ScenarioRunner,
} from "../scenario/index.ts";
import { LabError } from "./error.ts";
import type { Lab } from "./lab.ts";
import type { ScenarioListing, ScenarioView } from "./protocol/index.ts";

/** HLT: what a machine without an image would begin with. */
const HLT = Uint8Array.of(0xf4);
/** Mistakes of a file that are told at once; the command line tells them all. */
const MISTAKES_TOLD = 4;

export class Story {
  runner: ScenarioRunner | null = null;
  /** How many steps are still to be carried out; 0: nothing is under way. */
  private left = 0;
  private error = "";
  /** Where the machine stood behind the last step: units, exits, inputs. */
  private stood = "";

  constructor(private readonly lab: Lab) {}

  get playing(): boolean {
    return this.left > 0;
  }

  static list(): ScenarioListing[] {
    return library().map(({ id, scenario, summary, title }) => ({
      id,
      title,
      summary,
      policies: scenario.document.policies ?? [ownPolicy(scenario)],
    }));
  }

  /** @throws LabError with the first mistakes and their lines; the machine on the screen is kept then */
  open(id: string | undefined, text: string | undefined, policy: string | undefined): void {
    this.begin(find(id, text), policy);
  }

  /** @throws LabError when there is no scenario */
  reset(policy: string | undefined): void {
    const { scenario, as } = this.need();
    this.begin(scenario, policy ?? as);
  }

  /** @throws LabError when there is none */
  step(all: boolean): void {
    const { done } = this.need();
    if (done) throw new LabError("the scenario is at its end: reset it to begin again");
    this.lab.context.running = false;
    this.lab.goal = null;
    this.left = all ? Number.POSITIVE_INFINITY : 1;
  }

  /** Carries on with the step under way. */
  slice(budget: number): void {
    const { runner } = this;
    if (runner === null || this.left === 0) return;
    try {
      if (!runner.advance(budget)) return;
      this.left = runner.done ? 0 : this.left - 1;
    } catch (error) {
      this.left = 0;
      const message = error instanceof Error ? error.message : String(error);
      // A bug of ours: the machine has stopped at it and kept its state, and so does the lab.
      this.error = error instanceof ScenarioError ? message : `this is a bug of Quadrant: ${message}`;
    }
    this.stood = this.standing();
  }

  /** Stops behind the step under way. */
  pause(): void {
    this.left = 0;
  }

  /** Another machine took the place of the scenario's. */
  leave(): void {
    this.runner = null;
    this.left = 0;
    this.error = "";
  }

  view(): ScenarioView {
    const { runner } = this;
    if (runner === null) return { kind: "scenario", open: null };
    const { document } = runner.scenario;
    const predictions = runner.results.flatMap((result) => result.predictions);
    return {
      kind: "scenario",
      open: {
        id: document.id ?? null,
        title: document.title,
        text: document.text ?? "",
        policies: document.policies ?? [ownPolicy(runner.scenario)],
        policy: runner.as,
        at: runner.at,
        playing: this.playing,
        moved: !this.playing && this.standing() !== this.stood,
        error: this.error,
        judged: predictions.length,
        failed: predictions.filter(({ ok }) => !ok).length,
        steps: document.steps.map((step, i) => ({
          title: step.title ?? "",
          does: step.do,
          text: step.text ?? "",
          predictions: runner.results[i]?.predictions ?? null,
          outcome: runner.results[i]?.outcome ?? "",
        })),
      },
    };
  }

  private need(): ScenarioRunner {
    if (this.runner === null) throw new LabError("no scenario is open");
    return this.runner;
  }

  private begin(scenario: Scenario, policy: string | undefined): void {
    const { lab } = this;
    const old = lab.machine;
    const trace = lab.sharedTrace;
    let runner: ScenarioRunner;
    try {
      runner = new ScenarioRunner(scenario, {
        policy,
        as: policy ?? ownPolicy(scenario),
        trace,
        breakpoints: () => lab.context.breakpoints,
        audit: old.setup.audit,
      });
    } catch (error) {
      trace.clock = old.cpu;
      if (error instanceof ScenarioError) throw new LabError(error.message);
      throw error;
    }
    lab.source = {
      title: scenario.document.title,
      guest: null,
      bytes: HLT,
      kind: "flat",
      address: null,
      symbols: [...runner.symbols].map(([name, address]) => ({ name, address })),
      pauseAt: null,
      introduction: [],
    };
    trace.clear();
    runner.machine.stop = { reason: "paused", detail: "" };
    lab.adopt(runner.machine);
    this.error = "";
    this.runner = runner;
    this.stood = this.standing();
  }

  private standing(): string {
    const { log, stamp } = this.lab.machine;
    return `${stamp.time} ${stamp.exits} ${log.length}`;
  }
}

/** @throws LabError */
function find(id: string | undefined, text: string | undefined): Scenario {
  if (text !== undefined) {
    const parsed = parseScenario(text);
    if (parsed.ok) return parsed.scenario;
    const told = parsed.mistakes.slice(0, MISTAKES_TOLD).map(mistakeText);
    const more = parsed.mistakes.length - told.length;
    throw new LabError([...told, ...(more > 0 ? [`and ${more} more`] : [])].join("\n"));
  }
  const known = id === undefined ? undefined : findScenario(id);
  if (known !== undefined) return known.scenario;
  throw new LabError(
    `there is no scenario "${id ?? ""}"; there are ${library()
      .map((entry) => entry.id)
      .join(", ")}`,
  );
}
