/**
 * The words behind `quadrant scenario` and `quadrant compare`, as requests or refused in a sentence. Pure.
 */

import { NESTED } from "../../core/kvm/index.ts";
import { DEFAULT_CONFIG, TlbKind } from "../../core/lab/protocol/index.ts";
import {
  type HazardWord,
  nestedLevels,
  oneOf,
  parseHazards,
  parseNumber,
  Refused,
  size,
  suggestion,
  walkCacheEntries,
} from "./arguments.ts";

interface Hazards {
  readonly allHazards: HazardWord;
  readonly hazards: Readonly<Record<string, HazardWord>>;
}

export interface ScenarioArguments {
  /** A file, or a name of the library. */
  readonly what: string;
  readonly policy: string | null;
  readonly as: string | null;
  /** Null: the scenario's own. */
  readonly hazards: Hazards | null;
  readonly tlb: TlbKind | null;
  readonly json: string | null;
}

export interface CompareArguments {
  readonly what: string;
  readonly policies: readonly [string, string];
  readonly hazards: Hazards | null;
  readonly hazardsOfSecond: Hazards | null;
  readonly tlb: TlbKind | null;
  /** Under nested paging: host levels and entries of each page-walk cache, of both machines or of each. */
  readonly nestedLevels: readonly [3 | 4, 3 | 4] | null;
  readonly walkCache: readonly [number, number] | null;
  readonly memory: number | null;
  readonly memoryHigh: number | null;
  readonly maxInstructions: number;
  readonly until: "guest" | "shadow";
  readonly accessedDirty: boolean;
  readonly json: string | null;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Options<T> = Readonly<Record<string, (value: string, into: Mutable<T>) => void>>;

function hazardsOf(value: string): Hazards {
  const into: { allHazards: HazardWord; hazards: Record<string, HazardWord> } = {
    allHazards: "guarded",
    hazards: {},
  };
  parseHazards(value, into);
  return into;
}

const SCENARIO: Options<ScenarioArguments> = {
  "--policy": (value, into) => {
    into.policy = value;
  },
  "--as": (value, into) => {
    into.as = value;
  },
  "--hazards": (value, into) => {
    into.hazards = hazardsOf(value);
  },
  "--tlb": (value, into) => {
    into.tlb = oneOf("--tlb", value, TlbKind.options);
  },
  "--json": (value, into) => {
    into.json = value;
  },
};

const COMPARE: Options<CompareArguments> = {
  "--policies": (value, into) => {
    const [first = "", second = "", more] = value.split(",");
    if (first === "" || second === "" || more !== undefined)
      throw new Refused(`--policies takes two policies with a comma between, such as B,D, not "${value}"`);
    into.policies = [first, second];
  },
  "--hazards": (value, into) => {
    into.hazards = hazardsOf(value);
  },
  "--hazards-b": (value, into) => {
    into.hazardsOfSecond = hazardsOf(value);
  },
  "--tlb": (value, into) => {
    into.tlb = oneOf("--tlb", value, TlbKind.options);
  },
  "--nested-levels": (value, into) => {
    into.nestedLevels = oneOrTwo("--nested-levels", value, nestedLevels);
  },
  "--walk-cache": (value, into) => {
    into.walkCache = oneOrTwo("--walk-cache", value, walkCacheEntries);
  },
  "--memory": (value, into) => {
    into.memory = size("--memory", value);
  },
  "--memory-high": (value, into) => {
    into.memoryHigh = size("--memory-high", value);
  },
  "--max-instructions": (value, into) => {
    const count = parseNumber(value);
    if (count === null) throw new Refused(`--max-instructions takes a whole number, not "${value}"`);
    into.maxInstructions = count;
  },
  "--until": (value, into) => {
    into.until = oneOf("--until", value, ["guest", "shadow"]);
  },
  "--json": (value, into) => {
    into.json = value;
  },
};
const COMPARE_FLAGS: Readonly<Record<string, (into: Mutable<CompareArguments>) => void>> = {
  "--accessed-dirty": (into) => {
    into.accessedDirty = true;
  },
};

/** @throws Refused with a sentence */
export function parseScenarioWords(words: readonly string[]): ScenarioArguments {
  const into = { what: "", policy: null, as: null, hazards: null, tlb: null, json: null };
  return parse<ScenarioArguments>(words, into, SCENARIO, {}, "scenario: a file, or a name of quadrant list");
}

/** @throws Refused with a sentence */
export function parseCompareWords(words: readonly string[]): CompareArguments {
  const into: CompareArguments = {
    what: "",
    policies: ["", ""],
    hazards: null,
    hazardsOfSecond: null,
    tlb: null,
    nestedLevels: null,
    walkCache: null,
    memory: null,
    memoryHigh: null,
    maxInstructions: Number.MAX_SAFE_INTEGER,
    until: "guest",
    accessedDirty: false,
    json: null,
  };
  const what = "image or scenario to run: a file, or a name of quadrant list";
  const parsed = parse<CompareArguments>(words, into, COMPARE, COMPARE_FLAGS, what);
  if (parsed.policies[0] === "")
    throw new Refused(
      `say which two policies, for instance --policies ${DEFAULT_CONFIG.policy},D; the same twice with --hazards-b compares hazards`,
    );
  if ((parsed.nestedLevels !== null || parsed.walkCache !== null) && !parsed.policies.includes(NESTED))
    throw new Refused("--nested-levels and --walk-cache are of nested paging: name nested in --policies");
  return parsed;
}

/** One value for both machines, or two with a comma between, one each. */
function oneOrTwo<T>(name: string, value: string, parse: (word: string) => T): [T, T] {
  const [first = "", second = first, more] = value.split(",");
  if (more !== undefined)
    throw new Refused(`${name} takes one value, or two with a comma between, not "${value}"`);
  return [parse(first), parse(second)];
}

function parse<T extends { what: string }>(
  words: readonly string[],
  start: T,
  options: Options<T>,
  flags: Readonly<Record<string, (into: Mutable<T>) => void>>,
  what: string,
): T {
  const into: Mutable<T> = { ...start };
  const seen = new Set<string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("-") || word === "-") {
      if (into.what !== "") throw new Refused(`one at a time: "${into.what}" and then "${word}"`);
      into.what = word;
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    if (seen.has(name)) throw new Refused(`${name} is given twice`);
    seen.add(name);
    const flag = flags[name];
    if (flag !== undefined && equals < 0) {
      flag(into);
      continue;
    }
    const option = options[name];
    if (option === undefined) {
      const known = [...Object.keys(options), ...Object.keys(flags)];
      throw new Refused(`there is no option ${name}${suggestion(name, known)}`);
    }
    const value = equals < 0 ? words[++i] : word.slice(equals + 1);
    if (value === undefined || value === "") throw new Refused(`${name} needs a value behind it`);
    option(value, into);
  }
  if (into.what === "") throw new Refused(`say which ${what}`);
  return into;
}
