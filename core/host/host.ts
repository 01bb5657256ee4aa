/**
 * The loop that every host runs: slices of an instruction budget of about 4 ms, messages between them, and pushes of
 * what changed, at most 60 a second and never before the one before was acknowledged. An experiment beside the machine
 * gets slices of its own, in turns with the machine's.
 * Clock, scheduling and port are handed in: in a Node worker, a Web Worker and a test the same code runs.
 */
import {
  type ClientMessage,
  type Command,
  type HostMessage,
  parseClientMessage,
  type Status,
  type ViewData,
  type ViewRequest,
} from "../lab/protocol/index.ts";
import { transferables } from "./transfer.ts";

/** What the host needs of a lab; `core/lab/lab.ts` is one. */
export interface HostedLab {
  /** True while the machine wants slices. */
  readonly running: boolean;
  /** The machine's time, in retired units and jumps. */
  readonly time: number;
  /** Runs at most `budget` units; returns how many retired. Never throws. */
  slice(budget: number): number;
  /** Milliseconds of the guest's time that the last slice jumped over because the guest had nothing to do. */
  readonly rest?: number;
  /** True while an experiment wants slices. */
  readonly experimenting: boolean;
  /** Takes the experiment a little further, some milliseconds at most. Returns true when there is news of it. Never throws. */
  stepExperiment(): boolean;
  /** Carries a command out. @throws with a sentence for the person who asked */
  command(command: Command): unknown;
  /** @throws with a sentence when the request cannot be answered */
  openView(view: number, request: ViewRequest): void;
  closeView(view: number): void;
  closeAllViews(): void;
  /** The status, when it changed since it was last collected (or `force`); figures that only count up if wanted. */
  collectStatus(force: boolean, mips: number, figures: boolean): Status | null;
  /** Open views that take turns while the machine runs. */
  readonly calmViews: number;
  /** Data of the views that changed since they were last asked; `most` of the calm ones have their turn. Errors are reported, not thrown. */
  collectViews(
    failed: (view: number, error: string) => void,
    most: number,
  ): { view: number; data: ViewData }[];
}

export interface HostPort {
  /** Sends a message; `transfer` are buffers that nobody here uses again. */
  post(message: HostMessage, transfer: ArrayBuffer[]): void;
  /** Set by the host: called with every message that arrives. */
  onmessage: ((data: unknown) => void) | null;
}

export interface HostTools {
  readonly port: HostPort;
  /** Milliseconds since the epoch, of a clock that never goes back and has fractions of a millisecond. */
  now(): number;
  /** Calls `run` after the messages that wait now were handed over (setImmediate, a message to oneself). */
  soon(run: () => void): void;
  /** Calls `run` after about `ms` milliseconds. */
  after(ms: number, run: () => void): void;
}

/** Somebody else who moves the lab's machine, a debugger: asked behind each slice and message. */
export interface Companion {
  /** What the machine did may concern it. */
  look(): void;
}

export const SLICE_MS = 4;
export const PUSH_MS = 1000 / 60;
/** A look may come this much early; the one after it is then due later by as much. */
const EARLY_MS = 2;
/** While the machine runs, each calm view has its turn, and the status's figures are told, this often at most … */
export const CALM_MS = 100;
/** … and not more often than at every so many pushes: a window that is late gets lighter pushes, not heavier ones. */
export const CALM_PUSHES = 4;
/** Shorter rests of a guest are not waited for. */
const REST_LEAST_MS = 1;
const MIPS_WINDOW_MS = 250;
/** Slices that a push tells of at most; a push that was not sent in time loses its oldest. */
const SLICES_TOLD = 64;
const BUDGET_FIRST = 20_000;
const BUDGET_LEAST = 1;
const BUDGET_MOST = 50_000_000;

export class Host {
  private budget = BUDGET_FIRST;
  private ticking = false;
  private seq = 0;
  /** Sequence number of the push that was not acknowledged yet, or -1. */
  private unacknowledged = -1;
  /** When the lab was last asked what changed, whether anything had or not. */
  private lastLook = Number.NEGATIVE_INFINITY;
  /** When the next look is due: looks that come a little early, because frames and clocks jitter, make none too many. */
  private due = Number.NEGATIVE_INFINITY;
  private pushPlanned = false;
  /** There is something to look at that no slice of the machine brought: a message, or news of the experiment. */
  private lookWanted = false;
  /** Whose turn it is when machine and experiment both want slices. */
  private experimentsTurn = false;
  private statusWanted = true;
  private mips = 0;
  private windowStart = 0;
  private windowUnits = 0;
  /** Calm views that are due, as a fraction: they take turns, so that no push is heavier than the others. */
  private calmDue = 0;
  private lastFigures = Number.NEGATIVE_INFINITY;
  private looksSinceFigures = 0;
  /** Where and when each slice since the last push ended: machine's time, host's clock, and so on. */
  private slices: number[] = [];

  constructor(
    private readonly lab: HostedLab,
    private readonly tools: HostTools,
    private readonly companion: Companion | null = null,
  ) {
    tools.port.onmessage = (data) => this.receive(data);
  }

  /** Begins: the first status is pushed, and the machine gets slices if it runs. */
  start(): void {
    this.wake();
    this.planPush();
  }

  /** Somebody did something to the lab that came by no message: slices and pushes follow. */
  touched(): void {
    this.wake();
    this.planPush();
  }

  private receive(data: unknown): void {
    const parsed = parseClientMessage(data);
    if (!parsed.ok) {
      const id = commandId(data);
      if (id === null) this.post({ type: "refused", error: parsed.error });
      else this.post({ type: "reply", id, ok: false, error: parsed.error });
      return;
    }
    this.handle(parsed.message);
    this.companion?.look();
    this.touched();
  }

  private handle(message: ClientMessage): void {
    switch (message.type) {
      case "command":
        try {
          const value = this.lab.command(message.command) ?? null;
          this.post({ type: "reply", id: message.id, ok: true, value });
        } catch (error) {
          this.post({ type: "reply", id: message.id, ok: false, error: sentence(error) });
        }
        return;
      case "view":
        try {
          this.lab.openView(message.view, message.request);
        } catch (error) {
          this.post({ type: "viewError", view: message.view, error: sentence(error) });
        }
        return;
      case "close":
        this.lab.closeView(message.view);
        return;
      case "ack":
        // An old acknowledgement (of a push before a hello) says nothing about the one on its way.
        if (message.seq === this.unacknowledged) this.unacknowledged = -1;
        return;
      case "hello":
        this.lab.closeAllViews();
        this.unacknowledged = -1;
        this.statusWanted = true;
        return;
    }
  }

  private get busy(): boolean {
    return this.lab.running || this.lab.experimenting;
  }

  /** Starts the chain of slices, unless it goes on already. */
  private wake(): void {
    if (this.ticking || !this.busy) return;
    this.ticking = true;
    this.beginMeasuring();
    this.tools.soon(() => this.tick());
  }

  private beginMeasuring(): void {
    this.mips = 0;
    this.windowStart = this.tools.now();
    this.windowUnits = 0;
  }

  /** One slice: the machine's or the experiment's, in turns when both want one. */
  private tick(): void {
    const { running, experimenting } = this.lab;
    if (!running) this.beginMeasuring();
    if (!running && !experimenting) {
      this.ticking = false;
      this.planPush();
      return;
    }
    if (experimenting && (!running || this.experimentsTurn)) this.experimentSlice();
    else {
      this.machineSlice();
      this.companion?.look();
    }
    this.experimentsTurn = !this.experimentsTurn;
    // While the machine stands still there is nothing new to see in it, and nobody is asked.
    if (running || this.lookWanted) this.planPush();
    // A guest that waits for its timer is given the time to: its clock goes no faster than ours.
    const rest = experimenting || !this.lab.running ? 0 : (this.lab.rest ?? 0);
    if (rest >= REST_LEAST_MS) this.tools.after(rest, () => this.tick());
    else this.tools.soon(() => this.tick());
  }

  private machineSlice(): void {
    const before = this.tools.now();
    const units = this.lab.slice(this.budget);
    const now = this.tools.now();
    this.slices.push(this.lab.time, now);
    if (this.slices.length > 2 * SLICES_TOLD) this.slices.splice(0, 2);
    this.adapt(now - before, units);
    this.measure(now, units);
  }

  private experimentSlice(): void {
    const before = this.tools.now();
    do {
      if (this.lab.stepExperiment()) this.lookWanted = true;
    } while (this.lab.experimenting && this.tools.now() - before < SLICE_MS);
  }

  /** Aims the next slice at SLICE_MS; halves at once when one took long, grows at most twofold. */
  private adapt(ms: number, units: number): void {
    // It stopped early, or rested: that says nothing about speed. (A rest that took long because this computer was busy
    // would make the next ones smaller, and nothing would make them greater again.)
    if (units === 0 || (units < this.budget && ms < SLICE_MS)) return;
    const factor = ms <= 0 ? 2 : Math.min(2, Math.max(0.1, SLICE_MS / ms));
    this.budget = Math.min(BUDGET_MOST, Math.max(BUDGET_LEAST, Math.floor(this.budget * factor)));
  }

  private measure(now: number, units: number): void {
    this.windowUnits += units;
    const span = now - this.windowStart;
    if (span < MIPS_WINDOW_MS) return;
    this.mips = this.windowUnits / span / 1000;
    this.windowStart = now;
    this.windowUnits = 0;
  }

  private planPush(): void {
    if (this.unacknowledged >= 0) return;
    const wait = this.due - this.tools.now();
    if (wait <= EARLY_MS) {
      this.push();
      return;
    }
    this.lookWanted = true;
    if (this.ticking || this.pushPlanned) return; // the next tick asks again, or the timer does
    this.pushPlanned = true;
    this.tools.after(wait, () => {
      this.pushPlanned = false;
      this.planPush();
    });
  }

  private push(): void {
    const { lab } = this;
    this.lookWanted = false;
    const now = this.tools.now();
    this.looksSinceFigures++;
    const rested = now - this.lastFigures >= CALM_MS && this.looksSinceFigures >= CALM_PUSHES;
    const figures = !lab.running || rested;
    const status = lab.collectStatus(this.statusWanted, lab.running ? this.mips : 0, figures);
    if (status !== null) {
      this.lastFigures = now;
      this.looksSinceFigures = 0;
    }
    const calm = lab.running ? this.calmNow(now) : Number.POSITIVE_INFINITY;
    const views = lab.collectViews((view, error) => this.post({ type: "viewError", view, error }), calm);
    this.lastLook = now;
    this.due = Math.max(this.due, now) + PUSH_MS;
    const { slices } = this;
    this.slices = [];
    if (status === null && views.length === 0) return;
    this.statusWanted = false;
    this.unacknowledged = this.seq;
    this.post({ type: "push", seq: this.seq++, status, views, slices });
  }

  /** How many calm views have their turn in this push. */
  private calmNow(now: number): number {
    const passed = Math.min(CALM_MS / CALM_PUSHES, now - this.lastLook);
    this.calmDue += (this.lab.calmViews * passed) / CALM_MS;
    const whole = Math.floor(this.calmDue);
    this.calmDue -= whole;
    return whole;
  }

  private post(message: HostMessage): void {
    this.tools.port.post(message, transferables(message));
  }
}

/** The id of a command that was malformed otherwise, so that the client who waits for it gets its answer. */
function commandId(data: unknown): number | null {
  if (typeof data !== "object" || data === null) return null;
  const { type, id } = data as { type?: unknown; id?: unknown };
  return type === "command" && typeof id === "number" && Number.isSafeInteger(id) && id >= 0 ? id : null;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
