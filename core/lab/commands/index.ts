/**
 * The commands by name: one function each. What a command cannot do it refuses with a sentence and changes nothing.
 */

import type { Lab } from "../lab.ts";
import type { Command, CommandName } from "../protocol/index.ts";
import { audit, describe, exportTrace, find, report } from "./ask.ts";
import {
  deliverFault,
  edit,
  keys,
  serialInput,
  setAudit,
  setHazard,
  setNested,
  setPolicy,
  setTlb,
  setTrace,
  setUnimplemented,
} from "./change.ts";
import { cancelExperiment, startExperiment } from "./experiment.ts";
import { loadGuest, openImage, openMachine, reset, saveDisk, saveMachine } from "./load.ts";
import { breakpoint, pause, run, runTo, runToEvent, step } from "./run.ts";
import {
  closeScenario,
  compare,
  listScenarios,
  openScenario,
  scenarioReset,
  scenarioStep,
  stopComparing,
  takeCompared,
} from "./stories.ts";

/** A command's function. @throws LabError or MachineError with a sentence */
type Carry<K extends CommandName> = (lab: Lab, command: Extract<Command, { name: K }>) => unknown;

const COMMANDS: { readonly [K in CommandName]: Carry<K> } = {
  describe,
  run,
  pause,
  step,
  runTo,
  runToEvent,
  breakpoint,
  reset,
  loadGuest,
  openImage,
  setPolicy,
  setHazard,
  setNested,
  setTlb,
  setUnimplemented,
  setAudit,
  setTrace,
  exportTrace,
  audit,
  edit,
  deliverFault,
  serialInput,
  keys,
  saveDisk,
  saveMachine,
  openMachine,
  find,
  report,
  startExperiment,
  cancelExperiment,
  listScenarios,
  openScenario,
  scenarioStep,
  scenarioReset,
  closeScenario,
  compare,
  stopComparing,
  takeCompared,
};

export function runCommand(lab: Lab, command: Command): unknown {
  const carry = COMMANDS[command.name] as Carry<CommandName>;
  return carry(lab, command);
}
