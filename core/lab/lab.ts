/**
 * The one door to the machine: commands go in, views come out. It knows no ports and no clock; a host gives it slices
 * and asks it what changed.
 */

import * as v from "valibot";
import { UNITS_PER_SECOND } from "../devices/clock.ts";
import { Machine } from "../machine/machine.ts";
import type { MachineSetup } from "../machine/setup.ts";
import { EVENT_KINDS } from "../trace/events.ts";
import { Trace } from "../trace/trace.ts";
import type { Watchpoint } from "../x86/watchpoints.ts";
import { runCommand } from "./commands/index.ts";
import { Comparison } from "./comparison.ts";
import { LabContext } from "./context.ts";
import { LabError } from "./error.ts";
import {
  type Command,
  type CommandName,
  DEFAULT_CONFIG,
  type DebuggerStatus,
  MachineConfig,
  type Status,
  type ViewData,
  type ViewRequest,
} from "./protocol/index.ts";
import { checkSetup, guestSource, openSource, type Source } from "./source.ts";
import { Story } from "./story.ts";
import { Symbols } from "./symbols.ts";
import { openView, type View } from "./views/index.ts";
import { latin1 } from "./views/small.ts";

export interface LabOptions {
  /** Built-in guest to start with. */
  readonly guest?: string;
  /** What to start with in place of a guest. */
  readonly source?: Source;
  readonly config?: Partial<MachineSetup>;
  /** Events that the trace holds; a power of two. */
  readonly traceCapacity?: number;
}

/** A halted PC's time that one slice may jump over: 4 ms. */
const IDLE_UNITS = UNITS_PER_SECOND / 250;
/** Bytes of serial output in which the last line is looked for. */
const LINE_MOST = 160;
/** Units within which a guest has to reach the place where it pauses at its start. */
const PAUSE_WITHIN = 50_000_000;
/** Commands that make the machine go, or put another in its place: the debugger's while one is attached. */
const MOVING: ReadonlySet<CommandName> = new Set<CommandName>([
  "run",
  "step",
  "runTo",
  "runToEvent",
  "reset",
  "loadGuest",
  "openImage",
  "openMachine",
  "openScenario",
  "scenarioStep",
  "scenarioReset",
  "takeCompared",
]);

export class Lab {
  readonly context: LabContext;
  readonly story = new Story(this);
  readonly comparison = new Comparison(this);
  source: Source;
  /** Time at which `step` is done, or null. */
  goal: number | null = null;
  /** Time at which the machine stops for good. */
  limit = Number.POSITIVE_INFINITY;
  /** Linear address of a `runTo`, or null. */
  runTo: number | null = null;
  /** The fault that the last refused edit showed, while the machine has not moved. */
  shownFault: { readonly gva: number; readonly error: number; readonly time: number } | null = null;
  /** The door for debuggers while it is open, and who stands in it; or null. */
  debugger: DebuggerStatus | null = null;
  /** What the debugger wants to be stopped at; `applyBreakpoints` follows. */
  readonly debugPoints: { breakpoints: Iterable<number>; watchpoints: readonly Watchpoint[] } = {
    breakpoints: [],
    watchpoints: [],
  };
  /**
   * Milliseconds that a halted PC jumped over in the last slice: a host that waits as long runs the guest's clock no
   * faster than a wall's, and spends no processor time on a guest that has nothing to do.
   */
  rest = 0;
  private readonly trace: Trace;
  private readonly views = new Map<number, { readonly view: View; turned: number }>();
  /** How many times the views were collected. */
  private looks = 0;
  private lastStatus = "";
  private line: { serial: object | null; total: number; text: string } = { serial: null, total: 0, text: "" };
  private lastState = "";
  private machines = 1;

  constructor(options: LabOptions = {}) {
    this.trace = new Trace(options.traceCapacity ?? 1 << 20);
    const { source, ...memory } =
      options.source === undefined
        ? guestSource(options.guest ?? "quadrant")
        : { source: options.source, memory: DEFAULT_CONFIG.memory, memoryHigh: DEFAULT_CONFIG.memoryHigh };
    const setup = { ...DEFAULT_CONFIG, ...memory, ...options.config };
    checkSetup(setup);
    this.source = source;
    this.context = new LabContext(Machine.boot(setup, openSource(source, setup), this.trace));
    this.context.stories = this;
    this.begin();
  }

  get machine(): Machine {
    return this.context.machine;
  }

  /** True while the machine, the scenario or a comparison wants slices. */
  get running(): boolean {
    return this.context.running || this.story.playing || this.comparison.running;
  }

  set running(running: boolean) {
    this.context.running = running;
  }

  // ---- what a host calls ----

  get time(): number {
    return this.machine.time;
  }

  /** Carries a command out. @throws LabError or MachineError with a sentence; nothing was changed then */
  command(command: Command): unknown {
    if (this.debugger !== null && this.debugger.state !== "listening" && MOVING.has(command.name)) {
      throw new LabError(
        `gdb is attached on port ${this.debugger.port} and moves the machine: go on there, or detach it`,
      );
    }
    this.context.newTick();
    try {
      return runCommand(this, command);
    } finally {
      this.context.newTick();
    }
  }

  /** Runs at most `budget` units, of the machine or of a comparison. Returns how many retired. */
  slice(budget: number): number {
    if (!this.running) return 0;
    this.context.newTick();
    const { machine } = this;
    const before = machine.time;
    this.rest = 0;
    if (!this.context.running) {
      if (!this.story.playing) return this.comparison.slice(budget);
      this.story.slice(budget);
      return this.machine.time - before;
    }
    const left = Math.min((this.goal ?? this.limit) - before, this.limit - before);
    machine.patience = IDLE_UNITS;
    const whole = machine.run(Math.min(budget, left), Math.min(IDLE_UNITS, left));
    machine.patience = Number.POSITIVE_INFINITY;
    this.rest = (machine.idled / UNITS_PER_SECOND) * 1000;
    if (whole && machine.time >= this.limit) {
      machine.stop = { reason: "max-instructions", detail: `after ${this.limit} units` };
      this.stopped();
    } else if (!whole) this.stopped();
    else if (this.goal !== null && machine.time >= this.goal) {
      machine.stop = { reason: "step", detail: "" };
      this.stopped();
    }
    return machine.time - before - machine.idled;
  }

  /** True while an experiment wants to be stepped. */
  get experimenting(): boolean {
    return this.context.experiments.running;
  }

  /** Takes the experiment a few milliseconds further. Returns true when there is news of it. Never throws. */
  stepExperiment(): boolean {
    return this.context.experiments.step();
  }

  /** @throws LabError when the request cannot be answered */
  openView(id: number, request: ViewRequest): void {
    this.views.set(id, { view: openView(this.context, request), turned: -1 });
  }

  closeView(id: number): void {
    this.views.delete(id);
  }

  closeAllViews(): void {
    this.views.clear();
  }

  /** How many views are open that take turns while the machine runs. */
  get calmViews(): number {
    let count = 0;
    for (const { view } of this.views.values()) if (view.calm !== undefined) count++;
    return count;
  }

  /**
   * Data of the views that changed since they were last asked. Of the calm ones `most` have their turn, those first
   * that had none for longest, and each that never had one.
   */
  collectViews(
    failed: (view: number, error: string) => void,
    most = Number.POSITIVE_INFINITY,
  ): { view: number; data: ViewData }[] {
    this.context.newTick();
    const look = this.looks++;
    const turns = [...this.views.values()]
      .filter(({ view, turned }) => view.calm !== undefined && turned >= 0)
      .sort((a, b) => a.turned - b.turned);
    const waiting = new Set(turns.slice(Math.min(most, turns.length)));
    const news: { view: number; data: ViewData }[] = [];
    for (const [id, open] of this.views) {
      const turn = !waiting.has(open);
      if (!turn && open.view.calm === "whole") continue;
      if (turn) open.turned = look;
      try {
        const data = open.view.collect(turn);
        if (data !== null) news.push({ view: id, data });
      } catch (error) {
        this.views.delete(id);
        failed(id, error instanceof Error ? error.message : String(error));
      }
    }
    // What is stored from now on is newer than what was looked at.
    this.machine.cpu.newEpoch();
    return news;
  }

  /**
   * The status when it changed (or `force`). Without `figures` a change of what only counts up (time, EIP, counters,
   * speed) does not count as one.
   */
  collectStatus(force: boolean, mips: number, figures = true): Status | null {
    const status = this.status(mips);
    const { running, state, stop, title, config, audit, traceOn } = status;
    const { machine, experiment, debugger: gdb } = status;
    const now = JSON.stringify([
      running,
      state,
      stop,
      machine,
      title,
      config,
      audit,
      traceOn,
      experiment,
      gdb,
    ]);
    if (!force && !figures && now === this.lastState) return null;
    const text = JSON.stringify(status);
    if (!force && text === this.lastStatus) return null;
    this.lastState = now;
    this.lastStatus = text;
    return status;
  }

  // ---- what commands call ----

  /** Starts or goes on. */
  start(goal: number | null): void {
    if (this.machine.over) {
      throw new LabError(`the machine is over (${this.machine.stop.reason}): reset it first`);
    }
    this.shownFault = null;
    this.story.pause();
    this.goal = goal;
    this.running = true;
  }

  /** Stands still because a person said so. */
  pause(): void {
    this.story.pause();
    if (!this.context.running) return;
    this.machine.stop = { reason: "paused", detail: "" };
    this.stopped();
  }

  /** The machine stands still: temporary wishes end, and the audit that belongs to the end is made. */
  stopped(): void {
    this.running = false;
    this.goal = null;
    this.machine.stopAtEvents = null;
    if (this.runTo !== null) {
      this.runTo = null;
      this.applyBreakpoints();
    }
    // A debugger's single steps are no ends: hundreds may make one line of a source.
    if (this.machine.setup.audit !== "off" && !this.machine.stopAtDelivery) this.audit();
  }

  /** Audits the whole machine. */
  audit(): void {
    this.context.lastAudit = this.machine.audit();
  }

  applyBreakpoints(): void {
    const all = new Set(this.context.breakpoints);
    if (this.runTo !== null) all.add(this.runTo);
    for (const address of this.debugPoints.breakpoints) all.add(address);
    this.machine.cpu.setBreakpoints(all);
    this.machine.cpu.setWatchpoints(this.debugPoints.watchpoints);
  }

  /** Input came: a machine that waits for it goes on, unless a debugger holds it. */
  wake(): void {
    if (this.debugger?.state === "stopped") return;
    if (!this.context.running && this.waiting) this.running = true;
  }

  /** Starts a source in place of the present machine. @throws LabError; the present machine is kept then */
  load(source: Source, setup: MachineSetup): void {
    const checked = v.safeParse(MachineConfig, setup);
    if (!checked.success) throw new LabError(checked.issues[0].message);
    checkSetup(setup);
    const image = openSource(source, setup);
    let machine: Machine;
    try {
      machine = Machine.boot(setup, image, this.trace);
    } catch (error) {
      this.trace.clock = this.machine.cpu;
      if (error instanceof RangeError) {
        throw new LabError(
          `there is not enough memory on this computer for a guest of ${setup.memory} bytes`,
        );
      }
      throw error;
    }
    this.trace.clear();
    this.source = source;
    this.adopt(machine);
    this.begin();
  }

  /** The same again, from its beginning. */
  restart(): void {
    if (this.story.runner !== null) this.story.reset(undefined);
    else this.load(this.source, this.machine.setup);
  }

  /** Puts a machine in the place of the present one. */
  adopt(machine: Machine): void {
    this.story.leave();
    this.running = false;
    this.goal = null;
    this.runTo = null;
    this.shownFault = null;
    this.context.replace(machine);
    this.machines++;
    this.context.symbols = new Symbols(this.symbolsOf(machine.setup));
    this.applyBreakpoints();
  }

  /** The trace that every machine of this lab records into. */
  get sharedTrace(): Trace {
    return this.trace;
  }

  private symbolsOf(setup: MachineSetup): Source["symbols"] {
    return this.source.symbols.length > 0 ? this.source.symbols : openSource(this.source, setup).symbols;
  }

  /** Runs to the place where a guest wants to be looked at first. */
  private begin(): void {
    this.context.symbols = new Symbols(this.symbolsOf(this.machine.setup));
    const { pauseAt } = this.source;
    const address = pauseAt === null ? null : this.context.symbols.find(pauseAt);
    if (address === null) return;
    const { machine } = this;
    machine.cpu.setBreakpoints([address]);
    machine.run(PAUSE_WITHIN);
    if (machine.stop.reason === "breakpoint") machine.stop = { reason: "paused", detail: `at ${pauseAt}` };
    this.applyBreakpoints();
  }

  // ---- status ----

  /** Halted with interrupts on and told to run: it waits for input. */
  private get waiting(): boolean {
    return this.machine.waiting && this.machine.stop.reason === "hlt";
  }

  /** The last line that the guest wrote and that is not empty; kept while nothing is written. */
  private lastLine(): string {
    const { serial } = this.machine;
    if (this.line.serial !== serial || this.line.total !== serial.total) {
      const lines = latin1(serial.tail(LINE_MOST)).split(/[\r\n]+/);
      const text = lines.findLast((line) => line.trim() !== "") ?? "";
      this.line = { serial, total: serial.total, text: text.trim() };
    }
    return this.line.text;
  }

  private status(mips: number): Status {
    const { context, machine, source } = this;
    const { cpu } = machine;
    const { title, progress } = context.experiments.view();
    const violations = context.auditReport()?.violations ?? [];
    const first = violations[0];
    const still = machine.over || machine.stop.reason === "hlt" ? "stopped" : "paused";
    return {
      running: this.context.running || this.story.playing,
      state: this.context.running || this.story.playing ? "running" : this.waiting ? "waiting" : still,
      stop: machine.stop,
      time: machine.time,
      instructions: machine.instructions,
      eip: cpu.eip >>> 0,
      cpl: cpu.cpl,
      where: context.symbols.where(cpu.linearIp >>> 0),
      machine: this.machines,
      title: source.title,
      guest: source.guest,
      introduction: source.introduction,
      config: machine.setup,
      mips: Math.round(mips * 10) / 10,
      audit: {
        mode: machine.setup.audit,
        violations: violations.length,
        first: first === undefined ? "" : `${first.invariant}: ${first.message}`,
      },
      traceOn: this.trace.on,
      debugger: this.debugger,
      pc:
        machine.pc === null
          ? null
          : {
              post: machine.pc.board.post.value,
              written: machine.pc.board.disks.map((disk) => disk?.written ?? null),
              floppyWritten: machine.pc.board.floppy.disk?.written ?? null,
            },
      experiment: this.experimenting ? { title, done: progress.done, total: progress.total } : null,
      console: { total: machine.serial.total, lastLine: this.lastLine() },
      counters: {
        exits: context.counter("exits"),
        pf_fixed: context.counter("pf_fixed"),
        pf_guest: context.counter("pf_guest"),
        mmu_pte_write: context.counter("mmu_pte_write"),
        quadrant_skipped: context.counter("quadrant_skipped"),
      },
    };
  }
}

/** Names of all event kinds but the one that is never recorded. */
export const EVENT_NAMES = EVENT_KINDS.slice(1).map((kind) => kind.name);
