/** A scenario as a script for two machines: the inputs of its steps with their times, and where its runs end. */
import { type Snapshot, takeSnapshot } from "../machine/snapshot.ts";
import type { ScriptEntry } from "./lockstep.ts";
import type { Scenario } from "./parse.ts";
import { type RunnerOptions, ScenarioRunner } from "./runner.ts";

/** Switches that a comparison makes itself. */
const OWN = new Set(["policy", "hazard", "tlb"]);

export interface Script {
  /** The machine before the first step. */
  readonly snapshot: Snapshot;
  readonly entries: readonly ScriptEntry[];
  /** Time at which the last step was done. */
  readonly goal: number;
  readonly symbols: ReadonlyMap<string, number>;
}

/** Runs the scenario once, to learn its inputs. @throws ScenarioError */
export function scriptOf(scenario: Scenario, options: RunnerOptions = {}): Script {
  const runner = new ScenarioRunner(scenario, options);
  const { machine } = runner;
  const snapshot = takeSnapshot(machine);
  const entries: ScriptEntry[] = [];
  while (!runner.done) {
    const step = scenario.document.steps[runner.at]!;
    const label = `step ${runner.at + 1}${step.title === undefined ? ` (${step.do})` : `: ${step.title}`}`;
    const before = machine.log.length;
    while (!runner.advance(Number.MAX_SAFE_INTEGER));
    for (const { at, input } of machine.log.slice(before)) {
      if (!OWN.has(input.kind)) entries.push({ time: at.time, input, label });
    }
  }
  return { snapshot, entries, goal: machine.time, symbols: runner.symbols };
}
