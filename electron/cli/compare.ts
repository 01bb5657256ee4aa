/**
 * `quadrant compare`: two machines in lock-step under two policies or hazards, to the first difference, and why.
 */
import { GUESTS } from "../../core/guests/index.ts";
import type { MachineKind } from "../../core/images/index.ts";
import { NESTED } from "../../core/kvm/index.ts";
import { DEFAULT_CONFIG } from "../../core/lab/protocol/index.ts";
import {
  checkSetup,
  guestSource,
  kindOfSource,
  machineOfSource,
  memoryForKind,
  openSource,
  type Source,
} from "../../core/lab/source.ts";
import { Machine } from "../../core/machine/machine.ts";
import { type Snapshot, takeSnapshot } from "../../core/machine/snapshot.ts";
import {
  type Contender,
  explain,
  findScenario,
  LockStep,
  ScenarioError,
  type ScriptEntry,
  scriptOf,
} from "../../core/scenario/index.ts";
import { Trace } from "../../core/trace/trace.ts";
import { Refused } from "./arguments.ts";
import type { CliIo } from "./io.ts";
import { checkPolicy, findOrRead, hazardsOf, writeOrRefuse } from "./scenario.ts";
import { type CompareArguments, parseCompareWords } from "./scenario-arguments.ts";

const SAME = 0;
const DIFFERENT = 1;
const REFUSED = 2;
const SLICE = 4_000_000;
const SCENARIO_FILE = /\.(jsonc?|scenario)$/i;

interface Start {
  readonly snapshot: Snapshot;
  readonly script: readonly ScriptEntry[];
  readonly goal: number;
  readonly title: string;
}

/** @param words those behind `quadrant compare` */
export function compareCommand(words: readonly string[], io: CliIo): number {
  let what = "";
  try {
    const wanted = parseCompareWords(words);
    what = wanted.what;
    return run(wanted, io);
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof ScenarioError)) throw error;
    // A place in the file is told with the file.
    io.err(`quadrant: ${/^line \d/.test(error.message) ? `${what}: ` : ""}${error.message}`);
    return REFUSED;
  }
}

function run(wanted: CompareArguments, io: CliIo): number {
  const { policies, until } = wanted;
  for (const id of policies) checkPolicy(id);
  const start = startOf(wanted, io);
  const tlb = wanted.tlb ?? undefined;
  const { nestedLevels, walkCache } = wanted;
  const first: Contender = {
    policy: policies[0],
    hazards: hazardsOf(wanted.hazards),
    tlb,
    nestedLevels: nestedLevels?.[0],
    walkCache: walkCache?.[0],
  };
  const second: Contender = {
    policy: policies[1],
    hazards: hazardsOf(wanted.hazardsOfSecond ?? wanted.hazards),
    tlb,
    nestedLevels: nestedLevels?.[1],
    walkCache: walkCache?.[1],
  };
  const held = policies[0] === NESTED ? "host tables" : "shadows";
  const names = namesOf(policies, wanted.hazardsOfSecond !== null);
  const { accessedDirty } = wanted;
  const goal = Math.min(start.goal, wanted.maxInstructions);
  const lockStep = new LockStep(start.snapshot, first, second, {
    until,
    accessedDirty,
    goal,
    script: start.script,
  });
  while (!lockStep.advance(SLICE));
  const { difference, end } = lockStep;
  const explanation = difference === null ? null : explain(lockStep, names);
  const lines =
    explanation === null
      ? [
          `no difference in ${lockStep.time} units (${end}): ${until === "guest" ? "the guest sees the same" : `the ${held} hold the same`} under ${names[0]} and ${names[1]}`,
        ]
      : [
          `${difference?.kind === "shadow" ? `the ${held} differ` : "the guest sees a difference"} at ${explanation.since}`,
          ...explanation.what.map((line) => `  ${line}`),
          "why:",
          ...explanation.why.map((line) => `  ${line}`),
        ];
  const report = {
    version: 1,
    title: start.title,
    policies,
    until,
    end,
    time: lockStep.time,
    difference:
      explanation === null ? null : { kind: difference?.kind, eip: difference?.eip, ...explanation },
  };
  if (wanted.json !== null && wanted.json !== "-")
    writeOrRefuse(io, wanted.json, `${JSON.stringify(report, null, 2)}\n`);
  const out = wanted.json === "-" ? JSON.stringify(report, null, 2) : [start.title, ...lines].join("\n");
  io.out(new TextEncoder().encode(`${out}\n`));
  io.err(
    `quadrant: ${explanation === null ? "no difference" : `a difference at time ${lockStep.time}`} under ${names.join(" and ")}`,
  );
  return difference === null ? SAME : DIFFERENT;
}

/** How the two are called in what is said. */
function namesOf([a, b]: readonly [string, string], hazards: boolean): [string, string] {
  if (a !== b && !hazards) return [a, b];
  return hazards ? [`${a} (--hazards)`, `${b} (--hazards-b)`] : [`${a} (first)`, `${b} (second)`];
}

function startOf(wanted: CompareArguments, io: CliIo): Start {
  const { what } = wanted;
  const isGuest = GUESTS.some(({ id }) => id === what);
  if (!isGuest && (findScenario(what) !== undefined || SCENARIO_FILE.test(what))) {
    const { readFile, scenario } = findOrRead(what, io);
    const script = scriptOf(scenario, {
      policy: wanted.policies[0],
      hazards: hazardsOf(wanted.hazards),
      readFile,
    });
    return {
      snapshot: script.snapshot,
      script: script.entries,
      goal: script.goal + 1,
      title: scenario.document.title,
    };
  }
  const { machine: kind, memory, memoryHigh, source } = sourceOf(what, io);
  const setup = {
    ...DEFAULT_CONFIG,
    machine: kind,
    memory: wanted.memory ?? memory,
    memoryHigh: wanted.memoryHigh ?? memoryHigh,
    policy: "none",
    audit: "off" as const,
  };
  let machine: Machine;
  try {
    checkSetup(setup);
    machine = Machine.boot(setup, openSource(source, setup), new Trace(1 << 10));
  } catch (error) {
    throw new Refused(error instanceof Error ? error.message : String(error));
  }
  return { snapshot: takeSnapshot(machine), script: [], goal: Number.POSITIVE_INFINITY, title: source.title };
}

function sourceOf(
  what: string,
  io: CliIo,
): { source: Source; machine: MachineKind; memory: number; memoryHigh: number } {
  if (GUESTS.some(({ id }) => id === what)) return guestSource(what);
  try {
    const bytes = io.readFile(what);
    const source = {
      title: what,
      guest: null,
      bytes,
      kind: "auto",
      address: null,
      symbols: [],
      pauseAt: null,
      introduction: [],
    };
    return {
      source,
      machine: machineOfSource(source),
      memory: memoryForKind(kindOfSource(source)),
      memoryHigh: 0,
    };
  } catch (error) {
    throw new Refused(
      `${error instanceof Error ? error.message : String(error)}; built-in guests and scenarios are in quadrant list`,
    );
  }
}
