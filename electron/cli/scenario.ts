/**
 * `quadrant scenario`: runs a scenario under its policies and says, prediction by prediction, what was foretold and
 * what was found.
 */
import { dirname, isAbsolute, join } from "node:path";
import { HAZARDS, POLICIES } from "../../core/kvm/index.ts";
import {
  findScenario,
  type JudgedPrediction,
  library,
  mistakeText,
  ownPolicy,
  parseScenario,
  RUN_MOST,
  type RunnerOptions,
  type Scenario,
  ScenarioError,
  ScenarioRunner,
} from "../../core/scenario/index.ts";
import { Refused } from "./arguments.ts";
import type { CliIo } from "./io.ts";
import { parseScenarioWords, type ScenarioArguments } from "./scenario-arguments.ts";

const TRUE = 0;
const FAILED = 1;
const REFUSED = 2;

/** @param words those behind `quadrant scenario` */
export function scenarioCommand(words: readonly string[], io: CliIo): number {
  let what = "";
  try {
    const wanted = parseScenarioWords(words);
    what = wanted.what;
    return run(wanted, io);
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof ScenarioError)) throw error;
    // A place in the file is told with the file.
    io.err(`quadrant: ${/^line \d/.test(error.message) ? `${what}: ` : ""}${error.message}`);
    return REFUSED;
  }
}

export interface Found {
  readonly scenario: Scenario;
  readonly readFile: ((path: string) => Uint8Array) | undefined;
}

/** A scenario of the library by name, else a file. @throws Refused */
export function findOrRead(what: string, io: CliIo): Found {
  const known = findScenario(what);
  if (known !== undefined) return { scenario: known.scenario, readFile: undefined };
  let bytes: Uint8Array;
  try {
    bytes = io.readFile(what);
  } catch (error) {
    const names = library().map(({ id }) => id);
    throw new Refused(
      `${error instanceof Error ? error.message : String(error)}; built-in scenarios are ${names.join(", ")}`,
    );
  }
  const parsed = parseScenario(new TextDecoder().decode(bytes));
  if (!parsed.ok) {
    throw new Refused(
      parsed.mistakes.map((mistake) => `${what}: ${mistakeText(mistake)}`).join("\nquadrant: "),
    );
  }
  const beside = dirname(what);
  return {
    scenario: parsed.scenario,
    readFile: (path) => io.readFile(isAbsolute(path) ? path : join(beside, path)),
  };
}

/** Settings of all hazards that the words ask for; undefined: the scenario's own. */
export function hazardsOf(wanted: ScenarioArguments["hazards"]): RunnerOptions["hazards"] {
  if (wanted === null) return undefined;
  const settings = Object.fromEntries(HAZARDS.map(({ id }) => [id, wanted.allHazards]));
  for (const id of Object.keys(wanted.hazards)) {
    if (!(id in settings)) throw new Refused(`there is no hazard "${id}"; quadrant list names them all`);
  }
  return { ...settings, ...wanted.hazards };
}

export function checkPolicy(id: string): void {
  if (POLICIES.some((policy) => policy.id === id)) return;
  throw new Refused(
    `there is no policy "${id}"; there are ${POLICIES.map((policy) => policy.id).join(", ")}`,
  );
}

function run(wanted: ScenarioArguments, io: CliIo): number {
  for (const id of [wanted.policy, wanted.as]) if (id !== null) checkPolicy(id);
  const { readFile, scenario } = findOrRead(wanted.what, io);
  const { policies, title } = scenario.document;
  const under = wanted.policy === null ? (policies ?? [ownPolicy(scenario)]) : [wanted.policy];
  const quiet = wanted.json === "-";
  const print = (line: string) => {
    if (!quiet) io.out(new TextEncoder().encode(`${line}\n`));
  };
  print(title);
  const runs = under.map((policy) => {
    const runner = new ScenarioRunner(scenario, {
      policy,
      as: wanted.as ?? policy,
      hazards: hazardsOf(wanted.hazards),
      tlb: wanted.tlb ?? undefined,
      readFile,
    });
    const as = runner.as === policy ? "" : `, held against the predictions of ${runner.as}`;
    print(`\nunder ${policy}${as}`);
    while (!runner.done) {
      if (runner.advance(RUN_MOST)) tell(runner, print);
    }
    return { policy, runner };
  });
  const total = runs.reduce((sum, { runner }) => sum + count(runner, () => true), 0);
  const failed = runs.reduce((sum, { runner }) => sum + runner.failed, 0);
  const line =
    failed === 0 ? `all ${total} predictions came true` : `${failed} of ${total} predictions failed`;
  if (wanted.json !== null) {
    const text = `${JSON.stringify(report(scenario, runs, failed), null, 2)}\n`;
    if (quiet) io.out(new TextEncoder().encode(text));
    else writeOrRefuse(io, wanted.json, text);
  }
  if (quiet && failed > 0) {
    for (const { policy, runner } of runs) {
      for (const { predictions, step } of runner.results) {
        for (const one of predictions.filter(({ ok }) => !ok))
          io.err(`quadrant: under ${policy}, step ${step + 1}: ${sentence(one)}`);
      }
    }
  }
  print("");
  io.err(`quadrant: ${line}`);
  return failed === 0 ? TRUE : FAILED;
}

export function writeOrRefuse(io: CliIo, path: string, text: string): void {
  try {
    io.writeFile(path, new TextEncoder().encode(text));
  } catch (error) {
    throw new Refused(error instanceof Error ? error.message : String(error));
  }
}

const count = (runner: ScenarioRunner, which: (one: JudgedPrediction) => boolean): number =>
  runner.results.reduce((sum, { predictions }) => sum + predictions.filter(which).length, 0);

function tell(runner: ScenarioRunner, print: (line: string) => void): void {
  const result = runner.results.at(-1)!;
  const step = runner.scenario.document.steps[result.step]!;
  const outcome = result.outcome === "" ? "" : ` (${result.outcome})`;
  print(`  ${result.step + 1}. ${step.title ?? step.do}${outcome}`);
  for (const one of result.predictions) print(`     ${one.ok ? "true  " : "FAILED"} ${sentence(one)}`);
}

const sentence = ({ about, found, ok, predicted, source }: JudgedPrediction): string =>
  ok
    ? `${about}: ${predicted} (${source})`
    : `${about}: predicted ${predicted}; found ${found}${source === "" ? "" : ` (${source})`}`;

function report(
  scenario: Scenario,
  runs: readonly { policy: string; runner: ScenarioRunner }[],
  failed: number,
) {
  const { id, steps, title } = scenario.document;
  return {
    version: 1,
    scenario: id ?? null,
    title,
    failed,
    runs: runs.map(({ policy, runner }) => ({
      policy,
      as: runner.as,
      tlb: runner.machine.setup.tlb,
      hazards: runner.machine.setup.hazards,
      failed: runner.failed,
      steps: runner.results.map((result) => ({
        step: result.step + 1,
        do: steps[result.step]!.do,
        title: steps[result.step]!.title ?? null,
        outcome: result.outcome,
        predictions: result.predictions,
      })),
    })),
  };
}
