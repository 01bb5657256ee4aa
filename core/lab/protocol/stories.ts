/**
 * Scenarios and comparisons as a window sees them: commands, views and their data. A story replaces the machine on the
 * screen; a comparison runs two machines of its own beside it.
 */
import * as v from "valibot";
import { HazardSetting, u32, whole } from "./config.ts";

const text = (what: string, most: number) =>
  v.pipe(v.string(`${what} must be text`), v.maxLength(most, `${what} has more than ${most} characters`));
const policy = text("policy", 40);
const Hazards = v.record(v.string(), HazardSetting);

export const STORY_COMMANDS = [
  /** The built-in scenarios; answers ScenarioListing[]. */
  v.strictObject({ name: v.literal("listScenarios") }),
  /** Sets up the machine of a built-in scenario (`id`) or of a file's text; under another policy when one is named. */
  v.strictObject({
    name: v.literal("openScenario"),
    id: v.optional(text("id", 200)),
    text: v.optional(text("the scenario", 8 << 20)),
    policy: v.optional(policy),
  }),
  /** Carries out the next step, or all that are left. */
  v.strictObject({ name: v.literal("scenarioStep"), all: v.optional(v.boolean(), false) }),
  /** Before the first step again, perhaps under another policy. */
  v.strictObject({ name: v.literal("scenarioReset"), policy: v.optional(policy) }),
  v.strictObject({ name: v.literal("closeScenario") }),
  /** Runs two machines a pair in lock-step, one pair after the other, each to its first difference. */
  v.strictObject({
    name: v.literal("compare"),
    pairs: v.pipe(
      v.array(v.tuple([policy, policy], "a pair is two policies"), "pairs is a list of two policies each"),
      v.minLength(1, "name at least one pair of policies"),
      v.maxLength(6, "at most six pairs are compared"),
    ),
    until: v.picklist(["guest", "shadow"], "until is guest or shadow"),
    /** From the image's first instruction (or the scenario's first step) with the same inputs, or from here. */
    from: v.picklist(["start", "here"], "from is start or here"),
    /** True: A and D bits of page-table entries count as well. */
    accessedDirty: v.optional(v.boolean(), false),
    /** Hazards of the first and of the second machine of each pair that differ from `guarded`; absent: the machine's. */
    hazards: v.optional(v.tuple([Hazards, Hazards], "hazards are two objects, one for each machine")),
  }),
  v.strictObject({ name: v.literal("stopComparing") }),
  /** Puts one of the two machines of a comparison in the place of the machine on the screen. */
  v.strictObject({
    name: v.literal("takeCompared"),
    pair: whole(0, 5, "pair"),
    side: v.picklist([0, 1], "side is 0 or 1"),
  }),
] as const;

export const STORY_VIEWS = [
  v.strictObject({ kind: v.literal("scenario") }),
  v.strictObject({
    kind: v.literal("compare"),
    pair: whole(0, 5, "pair"),
    /** Shadow page to show from both, or null: the one with the first differing entry. */
    page: v.nullable(v.strictObject({ gfn: whole(0, 0xff_ffff, "gfn"), role: u32("role") })),
    /** Events around these, a sequence number a side, or null: around the difference. */
    around: v.nullable(
      v.tuple([whole(0, Number.MAX_SAFE_INTEGER, "around"), whole(0, Number.MAX_SAFE_INTEGER, "around")]),
    ),
  }),
] as const;

export interface ScenarioListing {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly policies: readonly string[];
}

export interface PredictionView {
  readonly about: string;
  readonly predicted: string;
  readonly found: string;
  readonly ok: boolean;
  readonly source: string;
}

export interface ScenarioStepView {
  readonly title: string;
  readonly does: string;
  /** Markdown. */
  readonly text: string;
  /** Null before the step was carried out. */
  readonly predictions: readonly PredictionView[] | null;
  readonly outcome: string;
}

export interface ScenarioView {
  readonly kind: "scenario";
  readonly open: {
    readonly id: string | null;
    readonly title: string;
    readonly text: string;
    readonly policies: readonly string[];
    readonly policy: string;
    /** Index of the next step. */
    readonly at: number;
    readonly playing: boolean;
    /** True when the machine was moved or edited between steps: what comes is no longer what was predicted. */
    readonly moved: boolean;
    /** A step that could not be carried out, or "". */
    readonly error: string;
    readonly judged: number;
    readonly failed: number;
    readonly steps: readonly ScenarioStepView[];
  } | null;
}

export interface ComparedEntry {
  readonly gfn: number;
  readonly role: number;
  readonly index: number;
  readonly about: string;
  readonly first: string;
  readonly second: string;
  /** Sequence number, moment and text of the last event of each side that changed it. */
  readonly causes: readonly ({
    readonly seq: number;
    readonly time: number;
    readonly eip: number;
    readonly text: string;
  } | null)[];
}

export interface ComparedPair {
  readonly policies: readonly [string, string];
  readonly state: "waiting" | "running" | "difference" | "both stopped" | "limit" | "refused";
  readonly time: number;
  /** What the two part in, since when, and why; null while there is nothing. */
  readonly difference: {
    readonly kind: "registers" | "memory" | "answer" | "shadow";
    readonly what: readonly string[];
    readonly since: string;
    readonly why: readonly string[];
    readonly eip: number;
    readonly entries: readonly ComparedEntry[];
  } | null;
  readonly error: string;
}

/** What the two machines of a pair are called: by their policies, when these differ. */
export const sideNames = ([first, second]: readonly [string, string]): [string, string] =>
  first === second ? [`${first} (first)`, `${second} (second)`] : [first, second];

export interface ComparedPage {
  readonly gfn: number;
  readonly role: number;
  readonly level: number;
  readonly quadrant: number;
  readonly metaphysical: boolean;
  /** Entries that differ; 512 when one side has no such page. */
  readonly differing: number;
  /** -1 both have it, 0 only the first, 1 only the second. */
  readonly only: number;
}

export interface ComparedEvent {
  readonly seq: number;
  readonly time: number;
  readonly eip: number;
  readonly text: string;
  /** The first event that the other side has not. */
  readonly apart: boolean;
}

export interface CompareView {
  readonly kind: "compare";
  readonly title: string;
  readonly until: "guest" | "shadow";
  readonly pairs: readonly ComparedPair[];
  /** Of the pair asked for. */
  readonly pages: readonly ComparedPage[];
  /** Entries of the shown page that are present on a side or differ: index, both texts. */
  readonly page: {
    readonly gfn: number;
    readonly role: number;
    readonly rows: readonly {
      readonly index: number;
      readonly first: string;
      readonly second: string;
      readonly differs: boolean;
    }[];
  } | null;
  readonly events: readonly [readonly ComparedEvent[], readonly ComparedEvent[]];
}
