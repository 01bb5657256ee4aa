/** What the rooms above may use of scenarios. */
export type { Refutation, ScenarioDocument, Step } from "./document.ts";
export { ScenarioError } from "./error.ts";
export { findScenario, type LibraryEntry, library } from "./library/index.ts";
export { type Mistake, mistakeText, type Parsed, parseScenario, type Scenario } from "./parse.ts";
export {
  type JudgedPrediction,
  RUN_MOST,
  type RunnerOptions,
  refuted,
  ScenarioRunner,
  type StepResult,
} from "./runner.ts";
export { ownPolicy } from "./setup.ts";
