/**
 * Two machines in lock-step: from one snapshot, with the same inputs, under two policies or hazards, to the first
 * boundary at which the guest sees a difference, or the shadows hold different things. Two machines under nested paging
 * are held against each other by their host tables: what each guest frame is mapped to.
 *
 * Every policy shares one timeline, so equal times are comparable. A chunk is run at full speed; when the hypervisors
 * did exactly the same in it, nothing can differ. Else the chunk is run once more from its start, unit by unit.
 */

import { NESTED } from "../kvm/index.ts";
import type { Input } from "../machine/inputs.ts";
import type { InputOutcome } from "../machine/machine.ts";
import { type Machine, MachineError } from "../machine/machine.ts";
import { type HazardSetting, type MachineSetup, POLICY_NONE, type TlbKind } from "../machine/setup.ts";
import { restoreSnapshot, type Snapshot, takeSnapshot } from "../machine/snapshot.ts";
import { EV_GET_PAGE, EV_NESTED_FAULT, EV_SPTE_CLEAR, EV_SPTE_SET, EV_ZAP_PAGE } from "../trace/events.ts";
import { EVENT_WORDS, Trace } from "../trace/trace.ts";
import { ScenarioError } from "./error.ts";
import { type Differing, differingMemory, differingRegisters, registersDiffer } from "./guest-state.ts";
import { diffShadow, type ShadowDifference, takeShadow } from "./shadow.ts";
import { hex64 } from "./values.ts";

/** What one of the two machines is to differ in. */
export interface Contender {
  readonly policy: string;
  readonly hazards?: Readonly<Record<string, HazardSetting>> | undefined;
  readonly tlb?: TlbKind | undefined;
  /** Under nested paging: levels of the host tables, entries of each page-walk cache; the snapshot's when absent. */
  readonly nestedLevels?: 3 | 4 | undefined;
  readonly walkCache?: number | undefined;
}

/** An input at a time, as both machines get it. */
export interface ScriptEntry {
  readonly time: number;
  readonly input: Input;
  /** What it is, for people: the step of a scenario. */
  readonly label: string;
}

export interface LockStepOptions {
  readonly until: "guest" | "shadow";
  /** True: A and D bits of page-table entries count. */
  readonly accessedDirty?: boolean | undefined;
  /** Time at which to give up. */
  readonly goal?: number | undefined;
  readonly script?: readonly ScriptEntry[] | undefined;
}

export interface Difference {
  readonly kind: "registers" | "memory" | "answer" | "shadow";
  readonly differing: readonly Differing[];
  readonly shadow: ShadowDifference;
  /** Boundary behind which it shows: time, and EIP of the unit that made it (unsigned). */
  readonly time: number;
  readonly eip: number;
  /** The input that made it, or "". */
  readonly label: string;
  /** Sequence number of the first event of that unit, in each trace. */
  readonly since: readonly [number, number];
}

export type LockStepEnd = "difference" | "both stopped" | "limit";

interface Checkpoint {
  readonly snapshots: readonly [Snapshot, Snapshot];
  readonly counts: readonly [number, number];
  readonly script: number;
}

const TRACE_EVENTS = 1 << 18;
const CAREFUL = 4096;
const QUIET_MOST = 1 << 20;
const NAMED = 64;
const SHADOW_EVENTS = new Set([EV_SPTE_SET, EV_SPTE_CLEAR, EV_GET_PAGE, EV_ZAP_PAGE, EV_NESTED_FAULT]);

/** A machine of the snapshot's under other rules, with no shadow from before. */
export function contend(snapshot: Snapshot, contender: Contender): Machine {
  const { hazards, nestedLevels, policy, tlb, walkCache } = contender;
  const setup: MachineSetup = { ...snapshot.setup, audit: "off", findings: "mark" };
  const machine = restoreSnapshot({ ...snapshot, setup }, new Trace(TRACE_EVENTS));
  machine.inCharge.change("none");
  machine.setup = {
    ...machine.setup,
    tlb: tlb ?? setup.tlb,
    hazards: hazards ?? setup.hazards,
    nestedLevels: nestedLevels ?? setup.nestedLevels,
    walkCache: walkCache ?? setup.walkCache,
  };
  machine.inCharge.change(policy);
  // What happened before both begin is nobody's difference.
  machine.trace.clear();
  machine.log.length = 0;
  return machine;
}

export class LockStep {
  first: Machine;
  second: Machine;
  difference: Difference | null = null;
  end: LockStepEnd | null = null;
  private readonly options: LockStepOptions;
  private readonly script: readonly ScriptEntry[];
  private next = 0;
  private checkpoint: Checkpoint;
  private chunk = CAREFUL;
  /** Units of the chunk before it that are to be run carefully. */
  private careful = 0;

  /** @throws ScenarioError when the two cannot be compared as asked */
  constructor(snapshot: Snapshot, first: Contender, second: Contender, options: LockStepOptions) {
    if (options.until === "shadow") checkComparable(first.policy, second.policy);
    this.options = options;
    this.script = options.script ?? [];
    this.first = contend(snapshot, first);
    this.second = contend(snapshot, second);
    this.checkpoint = this.keep();
  }

  get time(): number {
    return this.first.time;
  }

  /** Goes on for about `budget` units. True: it is over, see `end` and `difference`. */
  advance(budget: number): boolean {
    const until = this.time + budget;
    while (this.end === null && this.time < until) {
      const entry = this.script[this.next];
      if (entry !== undefined && (entry.time <= this.time || this.stuck)) this.apply(entry);
      else if (this.stuck) this.end = "both stopped";
      else
        this.run(
          Math.min(entry?.time ?? Number.POSITIVE_INFINITY, this.options.goal ?? Number.POSITIVE_INFINITY),
        );
    }
    return this.end !== null;
  }

  /** One unit of both, for people who step; the next input when one is due. */
  step(): boolean {
    if (this.end !== null) return true;
    const entry = this.script[this.next];
    if (entry !== undefined && (entry.time <= this.time || this.stuck)) this.apply(entry);
    else if (this.stuck) this.end = "both stopped";
    else this.unitByUnit(1);
    return this.end !== null;
  }

  /** Both stand still for good, or until an input. */
  private get stuck(): boolean {
    return this.first.cpu.halted && this.second.cpu.halted && !canGoOn(this.first)
      ? true
      : this.first.over && this.second.over;
  }

  private run(goal: number): void {
    if (this.time >= goal) {
      this.end = "limit";
      return;
    }
    const before = this.time;
    this.runOn(goal);
    // Neither halted nor over, and no further: an instruction that is missing here, or a bug.
    if (this.end === null && this.time === before && this.careful === 0) this.end = "both stopped";
  }

  private runOn(goal: number): void {
    const left = goal - this.time;
    if (this.careful > 0) {
      const units = Math.min(this.careful, left, CAREFUL);
      this.careful -= units;
      this.unitByUnit(units);
      return;
    }
    const units = Math.min(this.chunk, left);
    runFor(this.first, units);
    runFor(this.second, units);
    if (this.sameEvents() && !this.differs()) {
      this.chunk = Math.min(this.chunk * 2, QUIET_MOST);
      this.checkpoint = this.keep();
      return;
    }
    this.rewind();
    this.chunk = CAREFUL;
    this.careful = units;
  }

  /** At most CAREFUL units, each compared. */
  private unitByUnit(units: number): void {
    const marks: [number, number] = [this.first.memory.epoch, this.second.memory.epoch];
    const start = this.time;
    for (let i = 0; i < units && this.end === null; i++) {
      const { count } = this.first.trace;
      const other = this.second.trace.count;
      const eip = this.first.cpu.eip >>> 0;
      runFor(this.first, 1);
      runFor(this.second, 1);
      if (registersDiffer(this.first, this.second)) this.found("registers", [], eip, "", [count, other]);
      else if (this.options.until === "shadow" && this.shadowMoved(count, other)) {
        const shadow = this.shadowNow();
        if (hasShadow(shadow)) this.found("shadow", [], eip, "", [count, other], shadow);
      }
      if (this.stuck) break;
    }
    if (this.end !== null) return;
    const differing = this.memoryNow(marks);
    if (differing.length === 0) {
      this.checkpoint = this.keep();
      return;
    }
    const ran = this.time - start;
    if (ran <= 1) {
      const { counts } = this.checkpoint;
      this.found("memory", differing, this.eipBefore, "", counts);
      return;
    }
    // A store differs somewhere in these units: half of them again.
    this.rewind();
    this.unitByUnit(ran >> 1);
  }

  /** EIP at the checkpoint: of the one unit run since. */
  private get eipBefore(): number {
    return (this.checkpoint.snapshots[0].cpu.fields.eip ?? 0) >>> 0;
  }

  private apply(entry: ScriptEntry): void {
    const marks: [number, number] = [this.first.memory.epoch, this.second.memory.epoch];
    const counts: [number, number] = [this.first.trace.count, this.second.trace.count];
    const eip = this.first.cpu.eip >>> 0;
    this.next++;
    const one = answer(this.first, entry.input);
    const other = answer(this.second, entry.input);
    const { label } = entry;
    if (one !== other) {
      this.found("answer", [{ what: "the answer", first: one, second: other, gpa: -1 }], eip, label, counts);
      return;
    }
    if (registersDiffer(this.first, this.second)) {
      this.found("registers", [], eip, label, counts);
      return;
    }
    const memory = this.memoryNow(marks);
    if (memory.length > 0) {
      this.found("memory", memory, eip, label, counts);
      return;
    }
    if (this.options.until === "shadow") {
      const shadow = this.shadowNow();
      if (hasShadow(shadow)) {
        this.found("shadow", [], eip, label, counts, shadow);
        return;
      }
    }
    this.checkpoint = this.keep();
  }

  private found(
    kind: Difference["kind"],
    differing: readonly Differing[],
    eip: number,
    label: string,
    since: readonly [number, number],
    shadow: ShadowDifference = this.shadowNow(),
  ): void {
    const told = kind === "registers" ? differingRegisters(this.first, this.second) : differing;
    this.difference = { kind, differing: told, shadow, time: this.first.time, eip, label, since };
    this.end = "difference";
  }

  // ---- what is held against each other ----

  private differs(): boolean {
    if (registersDiffer(this.first, this.second)) return true;
    if (this.memoryNow(this.checkpointMarks).length > 0) return true;
    return this.options.until === "shadow" && hasShadow(this.shadowNow());
  }

  private checkpointMarks: [number, number] = [0, 0];

  private memoryNow(since: readonly [number, number]): Differing[] {
    return differingMemory(this.first, this.second, since, this.options.accessedDirty ?? false, NAMED);
  }

  private shadowNow(): ShadowDifference {
    return diffShadow(takeShadow(this.first), takeShadow(this.second), NAMED * 16);
  }

  private shadowMoved(first: number, second: number): boolean {
    return movedSince(this.first.trace, first) || movedSince(this.second.trace, second);
  }

  /** True when both hypervisors did the same since the checkpoint, event by event. */
  private sameEvents(): boolean {
    const [from, other] = this.checkpoint.counts;
    const a = this.first.trace;
    const b = this.second.trace;
    const count = a.count - from;
    if (count !== b.count - other || count > a.capacity) return false;
    for (let i = 0; i < count; i++) {
      const x = ((from + i) % a.capacity) * EVENT_WORDS;
      const y = ((other + i) % b.capacity) * EVENT_WORDS;
      for (let word = 0; word < EVENT_WORDS; word++) if (a.ring[x + word] !== b.ring[y + word]) return false;
    }
    return true;
  }

  // ---- going back ----

  private keep(): Checkpoint {
    this.checkpointMarks = [this.first.memory.epoch, this.second.memory.epoch];
    return {
      snapshots: [takeSnapshot(this.first), takeSnapshot(this.second)],
      counts: [this.first.trace.count, this.second.trace.count],
      script: this.next,
    };
  }

  private rewind(): void {
    const { counts, script, snapshots } = this.checkpoint;
    this.first = again(snapshots[0], this.first.trace, counts[0]);
    this.second = again(snapshots[1], this.second.trace, counts[1]);
    this.next = script;
    this.checkpointMarks = [this.first.memory.epoch, this.second.memory.epoch];
  }
}

function again(snapshot: Snapshot, trace: Trace, count: number): Machine {
  const machine = restoreSnapshot(snapshot, trace);
  trace.count = count;
  machine.cpu.newEpoch();
  return machine;
}

/** So many units; findings of the simulated KVM do not stop it. */
function runFor(machine: Machine, units: number): void {
  const goal = machine.time + units;
  while (machine.time < goal) {
    const before = machine.time;
    if (machine.run(goal - before)) return;
    if (machine.stop.reason !== "finding" || machine.time === before) return;
  }
}

const canGoOn = (machine: Machine): boolean => machine.waiting && machine.cpu.interruptLine >= 0;

/** What an input was answered with, as far as the guest could tell. */
function answer(machine: Machine, input: Input): string {
  try {
    const outcome: InputOutcome = machine.input(input);
    if (!outcome.ok) return outcome.fault.text;
    return outcome.value === undefined ? "done" : `reads ${hex64(outcome.value)}`;
  } catch (error) {
    if (error instanceof MachineError) return error.message;
    throw error;
  }
}

function movedSince(trace: Trace, since: number): boolean {
  for (let seq = Math.max(since, trace.oldest); seq < trace.count; seq++) {
    if (SHADOW_EVENTS.has(trace.kindAt(seq))) return true;
  }
  return false;
}

export const hasShadow = ({ host, onlyFirst, onlySecond, sptes }: ShadowDifference): boolean =>
  onlyFirst.length > 0 || onlySecond.length > 0 || sptes.length > 0 || host.length > 0;

/**
 * What the hypervisor holds is comparable between two shadows, and between two sets of host tables: a shadow leads from
 * linear addresses, host tables from guest-physical ones. @throws ScenarioError
 */
function checkComparable(first: string, second: string): void {
  for (const policy of [first, second])
    if (policy === POLICY_NONE)
      throw new ScenarioError(
        "policy none has no shadow and no host tables: compare what the guest sees (until guest)",
      );
  if ((first === NESTED) === (second === NESTED)) return;
  throw new ScenarioError(
    `nested paging has host tables (guest-physical to host) and ${first === NESTED ? second : first} a shadow (linear to host): nothing in them stands for the same; compare what the guest sees (until guest)`,
  );
}
