/**
 * Experiments: started and ended here, carried on by the host between the machine's slices. They run on machines of
 * their own.
 */
import type { Lab } from "../lab.ts";
import type { Command } from "../protocol/index.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

export function startExperiment(lab: Lab, command: Of<"startExperiment">): void {
  lab.context.experiments.start(command.experiment, command.costs);
}

export function cancelExperiment(lab: Lab): void {
  lab.context.experiments.cancel();
}
