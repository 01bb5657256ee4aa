/**
 * Comparisons beside the machine on the screen: pairs of machines in lock-step, one pair after the other, each to its
 * first difference; and what a window shows of them.
 */
import { HAZARDS } from "../kvm/index.ts";
import { Machine } from "../machine/machine.ts";
import { POLICY_NONE } from "../machine/setup.ts";
import { restoreSnapshot, type Snapshot, takeSnapshot } from "../machine/snapshot.ts";
import {
  type Explanation,
  eventText,
  explain,
  LockStep,
  ScenarioError,
  type ScriptEntry,
  scriptOf,
} from "../scenario/index.ts";
import {
  diffShadow,
  type PlainKey,
  type ShadowImage,
  type Spte,
  spteText,
  takeShadow,
} from "../scenario/shadow.ts";
import { EVENT_WORDS, Trace } from "../trace/trace.ts";
import { LabError } from "./error.ts";
import type { Lab } from "./lab.ts";
import {
  type Command,
  type ComparedEvent,
  type ComparedPage,
  type ComparedPair,
  type CompareView,
  sideNames,
} from "./protocol/index.ts";
import { openSource } from "./source.ts";

type Wanted = Extract<Command, { name: "compare" }>;

interface Pair {
  readonly policies: readonly [string, string];
  /** Null until its turn comes. */
  lockStep: LockStep | null;
  explanation: Explanation | null;
  error: string;
}

/** Inputs that a comparison makes itself. */
const OWN = new Set(["policy", "hazard", "tlb", "unimplemented"]);
const EVENTS_BEFORE = 4;
const EVENTS_BEHIND = 48;
const SPTES = 512;

export class Comparison {
  private pairs: Pair[] = [];
  private at = 0;
  private going = false;
  /** Comparisons begun so far. */
  private begun = 0;
  private wanted: Wanted | null = null;
  private snapshot: Snapshot | null = null;
  private script: readonly ScriptEntry[] = [];
  private goal: number | undefined;
  private title = "";

  constructor(private readonly lab: Lab) {}

  get running(): boolean {
    return this.going;
  }

  /** Changes whenever the view may have. */
  get progress(): string {
    const times = this.pairs.map(
      ({ error, lockStep }) => `${lockStep?.time ?? -1}${lockStep?.end ?? ""}${error}`,
    );
    return `${this.begun} ${this.going} ${times.join(" ")}`;
  }

  /** @throws LabError when the two cannot be compared from there */
  start(wanted: Wanted): void {
    const { lab } = this;
    for (const id of (wanted.hazards ?? []).flatMap((hazards) => Object.keys(hazards)))
      if (!HAZARDS.some((hazard) => hazard.id === id)) throw new LabError(`there is no hazard "${id}"`);
    this.stop();
    this.wanted = wanted;
    this.title = lab.source.title;
    this.goal = undefined;
    if (wanted.from === "here") {
      this.snapshot = takeSnapshot(lab.machine);
      this.script = [];
    } else this.fromStart();
    this.pairs = wanted.pairs.map((policies) => ({ policies, lockStep: null, explanation: null, error: "" }));
    this.at = 0;
    this.begun++;
    this.going = true;
  }

  stop(): void {
    this.going = false;
  }

  /** Takes the pair in hand at most `budget` units further. Returns how many it came. */
  slice(budget: number): number {
    const pair = this.pairs[this.at];
    if (!this.going || pair === undefined || this.wanted === null || this.snapshot === null) return 0;
    let came = 0;
    try {
      pair.lockStep ??= this.begin(pair.policies, this.wanted, this.snapshot);
      const before = pair.lockStep.time;
      const ended = pair.lockStep.advance(budget);
      came = Math.max(0, pair.lockStep.time - before); // a difference is looked for from where both were equal
      if (!ended) return came;
      if (pair.lockStep.difference !== null)
        pair.explanation = explain(pair.lockStep, sideNames(pair.policies));
    } catch (error) {
      pair.error = error instanceof Error ? error.message : String(error);
    }
    this.at++;
    this.going = this.at < this.pairs.length;
    return came;
  }

  /** Puts one of the machines in the place of the lab's. @throws LabError */
  take(pair: number, side: number): void {
    const lockStep = this.pairs[pair]?.lockStep;
    if (lockStep === null || lockStep === undefined) throw new LabError("there is no such comparison yet");
    const { lab } = this;
    const machine = side === 0 ? lockStep.first : lockStep.second;
    const { setup } = lab.machine;
    const snapshot = takeSnapshot(machine);
    const shared = lab.sharedTrace;
    const taken = restoreSnapshot(
      { ...snapshot, setup: { ...snapshot.setup, audit: setup.audit, findings: setup.findings } },
      shared,
    );
    copyEvents(machine.trace, shared);
    taken.stop = { reason: "paused", detail: `under ${machine.setup.policy}, where the comparison stands` };
    lab.adopt(taken);
  }

  view(
    pair: number,
    page: { gfn: number; role: number } | null,
    around: readonly [number, number] | null,
  ): CompareView {
    const { title } = this;
    const pairs = this.pairs.map((one, i) => this.describe(one, i));
    const lockStep = this.pairs[pair]?.lockStep ?? null;
    const base = { kind: "compare" as const, title, until: this.wanted?.until ?? "shadow", pairs };
    if (lockStep === null || this.going) return { ...base, pages: [], page: null, events: [[], []] };
    const shadows: [ShadowImage, ShadowImage] = [takeShadow(lockStep.first), takeShadow(lockStep.second)];
    const pages = pagesOf(shadows);
    const first = this.pairs[pair]?.explanation?.entries[0]?.key;
    const chosen = page ?? first ?? pages[0] ?? null;
    const since = around ??
      lockStep.difference?.since ?? [lockStep.first.trace.count, lockStep.second.trace.count];
    return {
      ...base,
      pages,
      page: chosen === null ? null : pageOf(lockStep, shadows, chosen),
      events: [
        eventsAround(lockStep.first.trace, since[0], lockStep.second.trace, since[1]),
        eventsAround(lockStep.second.trace, since[1], lockStep.first.trace, since[0]),
      ],
    };
  }

  private begin([a, b]: readonly [string, string], wanted: Wanted, snapshot: Snapshot): LockStep {
    const { accessedDirty, hazards, until } = wanted;
    const options = { until, accessedDirty, script: this.script, goal: this.goal };
    return new LockStep(
      snapshot,
      { policy: a, hazards: hazards?.[0] },
      { policy: b, hazards: hazards?.[1] },
      options,
    );
  }

  /** The present guest at its first instruction, or the present scenario before its first step, with the same inputs. */
  private fromStart(): void {
    const { lab } = this;
    const { runner } = lab.story;
    if (runner !== null) {
      try {
        const script = scriptOf(runner.scenario, { policy: runner.as });
        this.snapshot = script.snapshot;
        this.script = script.entries;
        this.goal = script.goal + 1;
        return;
      } catch (error) {
        if (error instanceof ScenarioError) throw new LabError(error.message);
        throw error;
      }
    }
    const setup = { ...lab.machine.setup, policy: POLICY_NONE, audit: "off" as const };
    const machine = Machine.boot(setup, openSource(lab.source, setup), new Trace(1 << 10));
    this.snapshot = takeSnapshot(machine);
    this.script = lab.machine.log
      .filter(({ input }) => !OWN.has(input.kind))
      .map(({ at, input }) => ({ time: at.time, input, label: `the input "${input.kind}"` }));
  }

  private describe({ error, explanation, lockStep, policies }: Pair, i: number): ComparedPair {
    const state =
      error !== ""
        ? "refused"
        : i > this.at || lockStep === null
          ? "waiting"
          : (lockStep.end ?? (this.going ? "running" : "waiting"));
    const difference =
      explanation === null || lockStep?.difference == null
        ? null
        : {
            kind: lockStep.difference.kind,
            what: explanation.what,
            since: explanation.since,
            why: explanation.why,
            eip: lockStep.difference.eip,
            entries: explanation.entries.map((entry) => ({
              gfn: entry.key.gfn,
              role: entry.key.role,
              index: entry.index,
              about: entry.about,
              first: entry.first,
              second: entry.second,
              causes: entry.causes,
            })),
          };
    return { policies, state, time: lockStep?.time ?? 0, difference, error };
  }
}

function pagesOf([first, second]: readonly [ShadowImage, ShadowImage]): ComparedPage[] {
  const { onlyFirst, onlySecond, sptes } = diffShadow(first, second);
  const counts = new Map<string, number>();
  const nameOf = ({ gfn, role }: { gfn: number; role: number }) => `${gfn}/${role}`;
  for (const { key } of sptes) counts.set(nameOf(key), (counts.get(nameOf(key)) ?? 0) + 1);
  const row = (key: PlainKey, differing: number, only: number): ComparedPage => ({ ...key, differing, only });
  const both = [...first.pages.values()].filter(({ key }) => second.pages.has(nameOf(key)));
  return [
    ...both.map(({ key }) => row(key, counts.get(nameOf(key)) ?? 0, -1)),
    ...onlyFirst.map((key) => row(key, SPTES, 0)),
    ...onlySecond.map((key) => row(key, SPTES, 1)),
  ].sort((a, b) => Number(b.differing > 0) - Number(a.differing > 0) || a.gfn - b.gfn || a.role - b.role);
}

function pageOf(
  lockStep: LockStep,
  [one, two]: readonly [ShadowImage, ShadowImage],
  { gfn, role }: { gfn: number; role: number },
): CompareView["page"] {
  const a = one.pages.get(`${gfn}/${role}`);
  const b = two.pages.get(`${gfn}/${role}`);
  const level = a?.key.level ?? b?.key.level;
  if (level === undefined) return null;
  const differing = new Set(
    diffShadow(one, two)
      .sptes.filter(({ key }) => key.gfn === gfn && key.role === role)
      .map(({ index }) => index),
  );
  const rows = [];
  for (let index = 0; index < SPTES; index++) {
    const spte = (words: Uint32Array | undefined): Spte | null =>
      words === undefined ? null : { low: words[index * 2]!, high: words[index * 2 + 1]!, level };
    const first = spte(a?.words);
    const second = spte(b?.words);
    const empty = (s: Spte | null) => s === null || (s.low === 0 && s.high === 0);
    if (empty(first) && empty(second)) continue;
    rows.push({
      index,
      first: first === null ? "no such page" : spteText(lockStep.first, first),
      second: second === null ? "no such page" : spteText(lockStep.second, second),
      differs: differing.has(index) || first === null || second === null,
    });
  }
  return { gfn, role, rows };
}

/** Some events before and behind a sequence number; the first that the other side does not have is marked. */
function eventsAround(trace: Trace, at: number, other: Trace, otherAt: number): ComparedEvent[] {
  const first = Math.max(trace.oldest, at - EVENTS_BEFORE);
  const found: ComparedEvent[] = [];
  let apart = -1;
  for (let seq = first; seq < Math.min(trace.count, at + EVENTS_BEHIND); seq++) {
    const event = trace.at(seq)!;
    const same = other.at(otherAt + seq - at);
    const text = eventText(event);
    if (apart < 0 && seq >= at && (same === undefined || eventText(same) !== text)) apart = seq;
    found.push({ seq, time: event.time, eip: event.eip, text, apart: seq === apart });
  }
  return found;
}

/** The events of one ring, newest kept, into another. */
function copyEvents(from: Trace, into: Trace): void {
  into.clear();
  const first = Math.max(from.oldest, from.count - into.capacity);
  for (let seq = first; seq < from.count; seq++) {
    const at = (seq % from.capacity) * EVENT_WORDS;
    into.ring.set(from.ring.subarray(at, at + EVENT_WORDS), (into.count % into.capacity) * EVENT_WORDS);
    into.count++;
  }
}
