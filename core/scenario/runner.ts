/**
 * Carries a scenario out, step by step, and holds its predictions against the machine. Whoever runs it gives it slices,
 * so that a long run stops nobody's window.
 */
import { type InputOutcome, type Machine, MachineError } from "../machine/machine.ts";
import { type MemoryImage, saveMemory } from "../machine/memory-image.ts";
import type { HazardSetting, TlbKind } from "../machine/setup.ts";
import { EVENT_KINDS } from "../trace/events.ts";
import { decode } from "../x86/isa/decode.ts";
import { mnemonic } from "../x86/isa/disasm.ts";
import { checkSteps, resolver } from "./check.ts";
import type { Refutation, Step, StepOf } from "./document.ts";
import { ScenarioError } from "./error.ts";
import { type Evidence, type Judged, judge, matches, peekBytes } from "./judge.ts";
import type { Scenario } from "./parse.ts";
import { asciiBytes, type MachineOptions, ownPolicy, prepareMachine } from "./setup.ts";
import { changedWords, diffShadow, type ShadowImage, takeShadow } from "./shadow.ts";
import { type Address, type Count, hex, toBytes, toNumber, toWords } from "./values.ts";

/** Units that a run may take to reach its end when it does not say. */
export const RUN_MOST = 20_000_000;
/** Words and sptes that a comparison names at most. */
const CHANGES_MOST = 4096;
const LONGEST_INSTRUCTION = 15;

export interface RunnerOptions extends MachineOptions {
  /** Policy whose predictions count; the one that the machine runs under when absent. */
  readonly as?: string | undefined;
  /** Breakpoints (EIPs) to be put back behind a run that needed its own. */
  readonly breakpoints?: (() => Iterable<number>) | undefined;
}

export interface JudgedPrediction extends Judged {
  readonly source: string;
}

export interface StepResult {
  readonly step: number;
  readonly predictions: readonly JudgedPrediction[];
  readonly failed: number;
  /** What the step met, in a few words; "" for nothing worth saying. */
  readonly outcome: string;
}

interface Kept {
  readonly memory: MemoryImage;
  readonly shadow: ShadowImage;
}

/** A step under way. */
interface Begun {
  readonly before: Float64Array;
  readonly since: number;
  readonly findings: number;
  /** Time at which a run gives up. */
  readonly goal: number;
  /** Events of the wanted kind looked at so far, and how many matched. */
  seen: number;
  matched: number;
}

export class ScenarioRunner {
  readonly scenario: Scenario;
  readonly machine: Machine;
  readonly symbols: ReadonlyMap<string, number>;
  /** Policy that the predictions are read for. */
  readonly as: string;
  /** Index of the next step. */
  at = 0;
  readonly results: StepResult[] = [];
  private readonly resolve: (address: Address) => number;
  private readonly snapshots = new Map<string, Kept>();
  private readonly options: RunnerOptions;
  private begun: Begun | null = null;

  /** @throws ScenarioError with what is wrong and where */
  constructor(scenario: Scenario, options: RunnerOptions = {}) {
    this.scenario = scenario;
    this.options = options;
    const { machine, symbols } = prepareMachine(scenario, options);
    this.machine = machine;
    this.symbols = symbols;
    this.as = options.as ?? options.policy ?? ownPolicy(scenario);
    this.resolve = resolver(symbols);
    checkSteps(scenario, this.resolve);
  }

  get done(): boolean {
    return this.at >= this.scenario.document.steps.length;
  }

  /** Predictions that failed so far. */
  get failed(): number {
    return this.results.reduce((sum, { failed }) => sum + failed, 0);
  }

  /**
   * Carries on with the present step, for at most `budget` units. True: the step is done, and its result the last one.
   * @throws ScenarioError when the step cannot be carried out
   */
  advance(budget: number): boolean {
    if (this.done) return true;
    const step = this.scenario.document.steps[this.at]!;
    try {
      this.begun ??= this.begin(step);
      const outcome = step.do === "run" ? this.runSome(step, this.begun, budget) : this.carry(step);
      if (outcome === null) return false;
      this.finish(step, this.begun, outcome);
      return true;
    } catch (error) {
      if (error instanceof ScenarioError || error instanceof MachineError) {
        throw new ScenarioError(`${this.scenario.where(["steps", this.at])}: ${error.message}`);
      }
      throw error;
    }
  }

  /** Runs to the end. */
  runAll(): void {
    while (!this.done) this.advance(RUN_MOST);
  }

  private begin(step: Step): Begun {
    const { machine } = this;
    const most = step.do !== "run" ? 0 : step.most === undefined ? RUN_MOST : toNumber(step.most);
    if (step.do === "run" && "address" in step.until) {
      // Where it stands already counts as passed.
      machine.cpu.brokeAtEip = machine.cpu.eip;
      machine.cpu.brokeAtRetired = machine.cpu.retired;
    }
    const counted = step.do === "run" && "count" in step.until ? toNumber(step.until.count) : most;
    return {
      before: machine.counts()?.slice() ?? new Float64Array(256),
      since: machine.trace.count,
      findings: machine.watch.findings.total,
      goal: machine.time + counted,
      seen: machine.trace.count,
      matched: 0,
    };
  }

  // ---- steps that are done at once ----

  private carry(step: Exclude<Step, { do: "run" }>): Outcome {
    const { machine } = this;
    switch (step.do) {
      case "note":
        return NOTHING;
      case "access":
        return this.access(step);
      case "write":
        return this.write(step);
      case "control": {
        const value = toNumber(step.value) >>> 0;
        return told(machine.input({ kind: "control", register: step.register, value }));
      }
      case "invlpg":
        return told(machine.input({ kind: "invlpg", gva: this.resolve(step.gva) }));
      case "policy":
        machine.input({ kind: "policy", policy: step.policy });
        return NOTHING;
      case "hazard":
        machine.input({ kind: "hazard", hazard: step.hazard, setting: step.setting });
        return NOTHING;
      case "serial":
        machine.input({ kind: "serial", bytes: asciiBytes(step.input) });
        return NOTHING;
      case "snapshot":
        this.snapshots.set(step.name, { memory: saveMemory(machine.memory), shadow: takeShadow(machine) });
        return NOTHING;
      case "compare": {
        const kept = this.snapshots.get(step.with)!;
        const memory = changedWords(kept.memory, machine, CHANGES_MOST);
        const shadow = diffShadow(kept.shadow, takeShadow(machine), CHANGES_MOST);
        return { text: "", input: null, changes: { memory, shadow } };
      }
    }
  }

  private access(step: StepOf<"access">): Outcome {
    const { machine } = this;
    const kind = step.access ?? "read";
    const size = step.width ?? (kind === "fetch" ? 1 : 4);
    const user = (step.cpl ?? 0) === 3;
    const outcome = this.repeated(step, this.resolve(step.gva), (gva, low, high) =>
      kind === "write"
        ? machine.input({
            kind: "edit",
            space: "gva",
            as: user ? "guest3" : "guest0",
            address: gva,
            size,
            low,
            high,
          })
        : machine.input({ kind: "access", access: kind, gva, size, user }),
    );
    if (step.deliver === true && !outcome.ok && (outcome.fault.vector ?? 14) === 14) {
      machine.input({ kind: "fault", gva: outcome.fault.gva, error: outcome.fault.error });
    }
    return told(outcome);
  }

  private write(step: StepOf<"write">): Outcome {
    const { machine } = this;
    if (step.bytes !== undefined) {
      if (step.as !== "device")
        throw new ScenarioError('"bytes" are written as a device; else give "value" and "width"');
      return told(machine.input({ kind: "dma", gpa: this.resolve(step.at), bytes: toBytes(step.bytes) }));
    }
    const size = step.width ?? 4;
    return told(
      this.repeated(step, this.resolve(step.at), (address, low, high) =>
        machine.input({ kind: "edit", space: step.space, as: step.as, address, size, low, high }),
      ),
    );
  }

  /** Once, or as often as the step says, up to the first fault. */
  private repeated(
    {
      repeat,
      value,
    }: {
      repeat?: { times: Count; by?: Count | undefined; valueBy?: Count | undefined } | undefined;
      value?: Count | undefined;
    },
    address: number,
    store: (address: number, low: number, high: number) => InputOutcome,
  ): InputOutcome {
    const times = repeat === undefined ? 1 : toNumber(repeat.times);
    const by = repeat?.by === undefined ? 0 : toNumber(repeat.by);
    const valueBy = repeat?.valueBy === undefined ? 0 : toNumber(repeat.valueBy);
    const first = toWords(value ?? 0);
    let outcome: InputOutcome = { ok: true, exits: 0, written: 0 };
    for (let i = 0; i < times && outcome.ok; i++) {
      const low = first.low + i * valueBy;
      outcome = store(address + i * by, low >>> 0, (first.high + Math.floor(low / 2 ** 32)) >>> 0);
    }
    return outcome;
  }

  // ---- runs ----

  /**
   * What the run stops at, and nothing else: a person's breakpoints are no end of a step. At each slice, because
   * whoever paused between two may have moved the machine by other means.
   */
  private arm(until: StepOf<"run">["until"]): void {
    const { machine } = this;
    machine.cpu.setBreakpoints("address" in until ? [this.resolve(until.address)] : []);
    if ("event" in until)
      machine.stopAtEvents = new Set([EVENT_KINDS.findIndex(({ name }) => name === until.event)]);
  }

  /** Runs for at most `budget` units; null while there is more to do. */
  private runSome(step: StepOf<"run">, begun: Begun, budget: number): Outcome | null {
    const { machine } = this;
    const { until } = step;
    const left = begun.goal - machine.time;
    this.arm(until);
    if ("instruction" in until) return this.runToInstruction(until.instruction, begun, budget);
    const whole = left > 0 && machine.run(Math.min(left, budget));
    if (whole && machine.time < begun.goal) return null;
    if (whole || left <= 0) {
      if ("count" in until) {
        machine.stop = { reason: "step", detail: "" };
        return NOTHING;
      }
      machine.stop = { reason: "max-instructions", detail: `after ${begun.goal} units` };
      return missed(untilText(until), "the limit of units came first");
    }
    const { detail, reason } = machine.stop;
    if ("event" in until && reason === "event") return this.sawEvent(until, begun);
    const reached = "address" in until ? reason === "breakpoint" : "halt" in until ? reason === "hlt" : false;
    return reached ? NOTHING : missed(untilText(until), detail === "" ? reason : `${reason}: ${detail}`);
  }

  private sawEvent(until: Extract<StepOf<"run">["until"], { event: string }>, begun: Begun): Outcome | null {
    const { machine } = this;
    const kinds = machine.stopAtEvents ?? new Set<number>();
    for (const event of machine.trace.query(begun.seen, Number.POSITIVE_INFINITY, kinds)) {
      if (matches(event, until.where, this.resolve)) begun.matched++;
    }
    begun.seen = machine.trace.count;
    return begun.matched >= (until.times === undefined ? 1 : toNumber(until.times)) ? NOTHING : null;
  }

  private runToInstruction(name: string, begun: Begun, budget: number): Outcome | null {
    const { machine } = this;
    for (let i = 0; i < budget; i++) {
      if (machine.time >= begun.goal) {
        machine.stop = { reason: "max-instructions", detail: "" };
        return missed(`the instruction ${name}`, "the limit of units came first");
      }
      if (!machine.run(1)) return missed(`the instruction ${name}`, machine.stop.reason);
      if (this.nextInstruction() === name) {
        machine.stop = { reason: "breakpoint", detail: name };
        return NOTHING;
      }
    }
    return null;
  }

  private nextInstruction(): string {
    const { cpu } = this.machine;
    for (let length = LONGEST_INSTRUCTION; length > 0; length--) {
      const bytes = peekBytes(this.machine, "gva", cpu.linearIp >>> 0, length);
      if (bytes === null) continue;
      const insn = decode(bytes, 0, length, cpu.csBig);
      return insn === null ? "" : mnemonic(insn);
    }
    return "";
  }

  // ---- the end of a step ----

  private finish(step: Step, begun: Begun, outcome: Outcome): void {
    const { machine } = this;
    // A finding of this step is told by it, and stops no later run.
    machine.watch.take();
    if (step.do === "run") {
      machine.stopAtEvents = null;
      machine.cpu.setBreakpoints(this.options.breakpoints?.() ?? []);
    }
    const evidence: Evidence = {
      machine,
      resolve: this.resolve,
      outcome: outcome.input,
      before: begun.before,
      since: begun.since,
      findings: machine.watch.findings.list
        .slice(begun.findings)
        .filter(({ invariant }) => invariant === "finding")
        .map(({ message }) => message),
      changes: outcome.changes ?? null,
    };
    const predictions: JudgedPrediction[] = [];
    const { document } = this.scenario;
    const general = step.source ?? document.source ?? "";
    if (outcome.missed !== undefined) predictions.push({ ...outcome.missed, source: general });
    for (const wanted of step.predict ?? []) {
      if (wanted.under !== undefined && !wanted.under.includes(this.as)) continue;
      predictions.push({ ...judge(wanted, evidence), source: wanted.source ?? general });
    }
    const failed = predictions.filter(({ ok }) => !ok).length;
    this.results.push({ step: this.at, predictions, failed, outcome: outcome.text });
    this.at++;
    this.begun = null;
  }
}

interface Outcome {
  readonly text: string;
  readonly input: InputOutcome | null;
  readonly changes?: Evidence["changes"];
  /** A run that did not come where it should. */
  readonly missed?: Judged;
}

const NOTHING: Outcome = { text: "", input: null };

function told(input: InputOutcome): Outcome {
  const text = input.ok ? "" : input.fault.text;
  return { text, input };
}

const missed = (goal: string, found: string): Outcome => ({
  text: found,
  input: null,
  missed: { about: "the run", predicted: `reaches ${goal}`, found, ok: false },
});

function untilText(until: StepOf<"run">["until"]): string {
  if ("address" in until) return typeof until.address === "number" ? hex(until.address) : until.address;
  if ("event" in until) return `the event ${until.event}`;
  if ("instruction" in until) return `the instruction ${until.instruction}`;
  return "halt" in until ? "a halt" : "its count";
}

/** What a refutation changes, as options of a run. */
export function refuted(scenario: Scenario, change: Refutation): RunnerOptions {
  const hazards: Record<string, HazardSetting> = {};
  for (const [id, setting] of Object.entries(change.hazards ?? {}))
    if (setting !== undefined) hazards[id] = setting;
  const { nestedLevels, policy, walkCache } = change;
  const tlb: TlbKind | undefined = change.tlb;
  return { policy, hazards, tlb, nestedLevels, walkCache, as: change.as ?? ownPolicy(scenario) };
}
