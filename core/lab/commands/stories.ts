/** Scenarios and comparisons: opened, stepped, started, stopped. What takes long goes on in slices. */
import type { Lab } from "../lab.ts";
import type { Command, ScenarioListing } from "../protocol/index.ts";
import { Story } from "../story.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

/** Units of a step that are done at once, so that the answer comes with its result. */
const AT_ONCE = 20_000;

export const listScenarios = (): ScenarioListing[] => Story.list();

export function openScenario(lab: Lab, command: Of<"openScenario">): void {
  lab.story.open(command.id, command.text, command.policy);
}

export function scenarioStep(lab: Lab, command: Of<"scenarioStep">): void {
  lab.pause();
  lab.story.step(command.all);
  lab.story.slice(AT_ONCE);
}

export function scenarioReset(lab: Lab, command: Of<"scenarioReset">): void {
  lab.story.reset(command.policy);
}

/** The machine stays as it is. */
export function closeScenario(lab: Lab): void {
  lab.story.leave();
}

export function compare(lab: Lab, command: Of<"compare">): void {
  lab.comparison.start(command);
}

export function stopComparing(lab: Lab): void {
  lab.comparison.stop();
}

export function takeCompared(lab: Lab, command: Of<"takeCompared">): void {
  lab.comparison.take(command.pair, command.side);
}
