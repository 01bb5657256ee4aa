/** What the rooms above may use of scenarios. */
export type { Refutation, ScenarioDocument, Step } from "./document.ts";
export { ScenarioError } from "./error.ts";
export { eventText } from "./event-text.ts";
export { type DifferingEntry, type Explanation, explain } from "./explain.ts";
export { findScenario, type LibraryEntry, library } from "./library/index.ts";
export {
  type Contender,
  type Difference,
  LockStep,
  type LockStepEnd,
  type LockStepOptions,
  type ScriptEntry,
} from "./lockstep.ts";
export { type Mistake, mistakeText, type Parsed, parseScenario, type Scenario } from "./parse.ts";
export {
  type JudgedPrediction,
  RUN_MOST,
  type RunnerOptions,
  refuted,
  ScenarioRunner,
  type StepResult,
} from "./runner.ts";
export { type Script, scriptOf } from "./script.ts";
export { ownPolicy } from "./setup.ts";
