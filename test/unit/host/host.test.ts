/** The host's loop against a lab that counts, with a clock and a scheduler that the test turns by hand. */
import { beforeEach, describe, expect, test } from "vitest";
import { COST_TABLES } from "../../../core/experiment/cost.ts";
import { Host, type HostedLab, PUSH_MS } from "../../../core/host/index.ts";
import type {
  Command,
  HostMessage,
  Status,
  ViewData,
  ViewRequest,
} from "../../../core/lab/protocol/index.ts";

class FakeLab implements HostedLab {
  running = false;
  time = 0;
  calmViews = 0;
  /** Steps that the experiment still takes; each costs a millisecond. */
  experiment = 0;
  stepsOfExperiment = 0;
  readonly calm: number[] = [];
  readonly figures: boolean[] = [];
  readonly slices: number[] = [];
  readonly commands: Command[] = [];
  readonly open = new Map<number, ViewRequest>();
  dirty = true;
  /** Units a millisecond; the fake clock is moved by slice(). */
  speed = 10_000;
  constructor(private readonly clock: { ms: number }) {}

  slice(budget: number): number {
    this.slices.push(budget);
    this.clock.ms += budget / this.speed;
    this.time += budget;
    this.dirty = true;
    return budget;
  }
  get experimenting(): boolean {
    return this.experiment > 0;
  }
  stepExperiment(): boolean {
    this.experiment--;
    this.stepsOfExperiment++;
    this.clock.ms += 1;
    const news = this.experiment % 10 === 0;
    this.dirty ||= news;
    return news;
  }
  command(command: Command): unknown {
    this.commands.push(command);
    if (command.name === "startExperiment") this.experiment = 100;
    if (command.name === "cancelExperiment") this.experiment = 0;
    if (command.name === "run") this.running = true;
    if (command.name === "pause") this.running = false;
    if (command.name === "reset") throw new Error("nothing to reset");
    if (command.name === "saveMachine") return new Uint8Array(4096);
    return { did: command.name };
  }
  openView(view: number, request: ViewRequest): void {
    if (request.kind === "audit") throw new Error("no audit here");
    this.open.set(view, request);
    this.dirty = true;
  }
  closeView(view: number): void {
    this.open.delete(view);
  }
  closeAllViews(): void {
    this.open.clear();
  }
  collectStatus(force: boolean, _mips: number, figures: boolean): Status | null {
    this.figures.push(figures);
    return force || (this.dirty && figures) ? ({ running: this.running } as unknown as Status) : null;
  }
  collectViews(_failed: unknown, most: number): { view: number; data: ViewData }[] {
    this.calm.push(most);
    if (!this.dirty) return [];
    this.dirty = false;
    return [...this.open.keys()].map((view) => ({ view, data: { kind: "console", text: "", total: 0 } }));
  }
}

let clock: { ms: number };
let lab: FakeLab;
let posted: { message: HostMessage; transfer: ArrayBuffer[] }[];
let queue: (() => void)[];
let timers: { at: number; run: () => void }[];
let port: { post(m: HostMessage, t: ArrayBuffer[]): void; onmessage: ((data: unknown) => void) | null };

beforeEach(() => {
  clock = { ms: 0 };
  lab = new FakeLab(clock);
  posted = [];
  queue = [];
  timers = [];
  port = { post: (message, transfer) => posted.push({ message, transfer }), onmessage: null };
  new Host(lab, {
    port,
    now: () => clock.ms,
    soon: (run) => queue.push(run),
    after: (ms, run) => timers.push({ at: clock.ms + ms, run }),
  }).start();
});

const send = (data: unknown) => port.onmessage!(data);
const turn = () => queue.shift()?.();
const pass = (ms: number) => {
  clock.ms += ms;
  const due = timers.filter((t) => t.at <= clock.ms);
  timers = timers.filter((t) => t.at > clock.ms);
  for (const t of due) t.run();
};
const pushes = () => posted.map((p) => p.message).filter((m) => m.type === "push");
const command = (id: number, name: string) => send({ type: "command", id, command: { name } });

describe("answers", () => {
  test("a command gets its value, an error its sentence", () => {
    command(1, "describe");
    command(2, "reset");
    expect(posted.map((p) => p.message).filter((m) => m.type === "reply")).toEqual([
      { type: "reply", id: 1, ok: true, value: { did: "describe" } },
      { type: "reply", id: 2, ok: false, error: "nothing to reset" },
    ]);
  });

  test("a malformed message is refused in words and reaches nobody", () => {
    for (const bad of [null, 7, "x", [], {}, { type: "nope" }, { type: "ack" }, { type: "view", view: -1 }]) {
      send(bad);
    }
    const refused = posted.map((p) => p.message).filter((m) => m.type === "refused");
    expect(refused.length).toBe(8);
    for (const message of refused)
      expect(message.type === "refused" && message.error.length).toBeGreaterThan(5);
    expect(lab.commands).toEqual([]);
  });

  test("a malformed command is answered under its id", () => {
    send({ type: "command", id: 9, command: { name: "step", count: 0 } });
    const last = posted.at(-1)!.message;
    expect(last).toMatchObject({ type: "reply", id: 9, ok: false });
    expect(last.type === "reply" && !last.ok && last.error).toContain("count must be at least 1");
  });

  test("a view that cannot be answered says so", () => {
    send({ type: "view", view: 3, request: { kind: "audit" } });
    expect(posted.at(-1)!.message).toEqual({ type: "viewError", view: 3, error: "no audit here" });
  });

  test("big bytes change owner", () => {
    command(4, "saveMachine");
    expect(posted.at(-1)!.transfer.length).toBe(1);
  });
});

describe("pushes", () => {
  test("the first status comes without asking; the next waits for the acknowledgement", () => {
    expect(pushes().length).toBe(1);
    send({ type: "view", view: 1, request: { kind: "console" } });
    pass(100);
    expect(pushes().length).toBe(1);
    send({ type: "ack", seq: 99 });
    pass(100);
    expect(pushes().length).toBe(1);
    send({ type: "ack", seq: 0 });
    expect(pushes().length).toBe(2);
    expect(pushes()[1]).toMatchObject({ seq: 1, views: [{ view: 1 }] });
  });

  test("at most 60 a second, however fast the acknowledgements", () => {
    send({ type: "view", view: 1, request: { kind: "console" } });
    send({ type: "ack", seq: 0 });
    command(1, "run");
    const start = clock.ms;
    while (clock.ms < start + 1000) {
      turn();
      const last = pushes().at(-1)!;
      if (last.type === "push") send({ type: "ack", seq: last.seq });
    }
    const count = pushes().length - 1;
    expect(count).toBeGreaterThan(40);
    expect(count).toBeLessThanOrEqual(Math.ceil(1000 / PUSH_MS) + 1);
  });

  test("nothing is pushed while nothing changes", () => {
    send({ type: "ack", seq: 0 });
    pass(1000);
    expect(pushes().length).toBe(1);
  });

  test("a push tells of the slices since the one before, and of no more than 64", () => {
    send({ type: "view", view: 1, request: { kind: "console" } });
    send({ type: "ack", seq: 0 });
    send({ type: "command", id: 1, command: { name: "run" } });
    const told: number[] = [];
    const ends: number[] = [];
    for (let turns = 0; turns < 200; turns++) {
      const before = pushes().length;
      turn();
      ends.push(lab.time, clock.ms);
      if (pushes().length > before) {
        const push = pushes().at(-1)!;
        expect(push.slices.length).toBeLessThanOrEqual(128);
        told.push(...push.slices);
        expect(ends.slice(ends.length - push.slices.length)).toEqual(push.slices);
        // Acknowledged for a while at once, then not for a hundred slices.
        if (turns < 60 || turns > 160) send({ type: "ack", seq: push.seq });
      }
    }
    expect(told.length).toBeGreaterThan(64);
  });

  test("calm views take turns while the machine runs, ten a second each, and come all when it stands", () => {
    lab.calmViews = 5;
    send({ type: "ack", seq: 0 });
    send({ type: "command", id: 1, command: { name: "run" } });
    lab.calm.length = 0;
    lab.figures.length = 0;
    const begun = clock.ms;
    while (clock.ms - begun < 1000) {
      const before = pushes().length;
      turn();
      if (pushes().length > before) send({ type: "ack", seq: pushes().at(-1)!.seq });
    }
    const asked = lab.calm.reduce((sum, most) => sum + most, 0);
    expect(Math.max(...lab.calm)).toBeLessThanOrEqual(2);
    expect(asked).toBeGreaterThan(40);
    expect(asked).toBeLessThanOrEqual(51);
    const figures = lab.figures.filter((wanted) => wanted).length;
    expect(figures).toBeGreaterThanOrEqual(8);
    expect(figures).toBeLessThanOrEqual(11);
    send({ type: "command", id: 2, command: { name: "pause" } });
    pass(PUSH_MS);
    turn();
    expect(lab.calm.at(-1)).toBe(Number.POSITIVE_INFINITY);
    expect(lab.figures.at(-1)).toBe(true);
  });

  test("a window that is late gets lighter pushes: a calm view has its turn in every fourth at most", () => {
    lab.calmViews = 8;
    send({ type: "view", view: 1, request: { kind: "console" } });
    send({ type: "ack", seq: 0 });
    command(1, "run");
    lab.calm.length = 0;
    lab.figures.length = 0;
    for (let slices = 1; lab.calm.length < 41; slices++) {
      turn();
      // Eighty milliseconds between a push and its acknowledgement.
      if (slices % 20 === 0) send({ type: "ack", seq: pushes().at(-1)!.seq });
    }
    expect(Math.max(...lab.calm.slice(1))).toBeLessThanOrEqual(2);
    expect(lab.calm.slice(1).reduce((sum, most) => sum + most, 0)).toBe(80);
    expect(lab.figures.slice(1).filter((wanted) => wanted).length).toBe(10);
  });

  test("hello begins anew: views closed, status again, whatever was acknowledged", () => {
    send({ type: "view", view: 1, request: { kind: "console" } });
    send({ type: "hello" });
    pass(20);
    expect(lab.open.size).toBe(0);
    expect(pushes().length).toBe(2);
    expect(pushes()[1]).toMatchObject({ status: { running: false } });
  });
});

describe("slices", () => {
  test("the budget finds about 4 ms, faster and slower", () => {
    send({ type: "ack", seq: 0 });
    command(1, "run");
    for (let i = 0; i < 40; i++) turn();
    expect(lab.slices.at(-1)! / lab.speed).toBeCloseTo(4, 0);
    lab.speed = 100;
    for (let i = 0; i < 10; i++) turn();
    expect(lab.slices.at(-1)! / lab.speed).toBeCloseTo(4, 0);
  });

  test("rests that this computer was too busy to keep short leave the budget as it was", () => {
    send({ type: "ack", seq: 0 });
    command(1, "run");
    for (let i = 0; i < 40; i++) turn();
    const budget = lab.slices.at(-1)!;
    lab.slice = (asked) => {
      lab.slices.push(asked);
      clock.ms += 20;
      lab.time += 400_000;
      return 0;
    };
    for (let i = 0; i < 10; i++) turn();
    expect(lab.slices.at(-1)! / budget).toBeCloseTo(1, 0);
  });

  test("a command is answered between two slices, and pause stops them", () => {
    command(1, "run");
    turn();
    turn();
    const before = lab.slices.length;
    command(2, "pause");
    expect(posted.some((p) => p.message.type === "reply" && p.message.id === 2)).toBe(true);
    while (queue.length > 0) turn();
    expect(lab.slices.length).toBe(before);
    command(3, "run");
    turn();
    expect(lab.slices.length).toBe(before + 1);
  });
});

describe("an experiment beside the machine", () => {
  const start = () =>
    send({
      type: "command",
      id: 1,
      command: { name: "startExperiment", experiment: "nanobench", costs: COST_TABLES },
    });

  test("it is stepped in slices, told of when there is news, and its end comes", () => {
    send({ type: "view", view: 1, request: { kind: "experiment" } });
    send({ type: "ack", seq: 0 });
    pass(100);
    send({ type: "ack", seq: 1 });
    start();
    const begun = pushes().length;
    while (queue.length > 0) {
      const steps = lab.stepsOfExperiment;
      turn();
      // Some four milliseconds, then messages are handed over.
      expect(lab.stepsOfExperiment - steps).toBeLessThanOrEqual(5);
      const last = pushes().at(-1)!;
      if (last.type === "push") send({ type: "ack", seq: last.seq });
    }
    pass(100);
    expect(lab.stepsOfExperiment).toBe(100);
    expect(lab.slices).toEqual([]);
    // A hundred milliseconds, news every ten of them.
    expect(pushes().length - begun).toBeGreaterThanOrEqual(5);
    expect(pushes().length - begun).toBeLessThanOrEqual(11);
    expect(lab.dirty).toBe(false);
  });

  test("it takes turns with a running machine, and cancelling it leaves the machine running", () => {
    start();
    command(2, "run");
    for (let i = 0; i < 10; i++) turn();
    expect(lab.slices.length).toBe(5);
    expect(lab.stepsOfExperiment).toBe(20);
    command(3, "cancelExperiment");
    for (let i = 0; i < 10; i++) turn();
    expect(lab.slices.length).toBe(15);
    expect(lab.stepsOfExperiment).toBe(20);
  });

  test("cost tables are checked at the door, in words", () => {
    const [p4] = COST_TABLES;
    const bad: [unknown, string][] = [
      [[], "at least one cost table"],
      [[p4, p4], "same id"],
      [
        [{ ...p4, cycles: { ...p4!.cycles, vm_exit: -1 } }],
        "costs.0.cycles.vm_exit: a cost is no less than 0",
      ],
      [[{ ...p4, cycles: { ...p4!.cycles, vm_exit: "12" } }], "a number of cycles, or null"],
      [[{ ...p4, id: "P 4" }], "id takes"],
      [[{ ...p4, title: "" }], "needs a title"],
    ];
    for (const [costs, words] of bad) {
      send({ type: "command", id: 7, command: { name: "startExperiment", experiment: "nanobench", costs } });
      const last = posted.at(-1)!.message;
      expect(last).toMatchObject({ type: "reply", id: 7, ok: false });
      expect(last.type === "reply" && !last.ok && last.error).toContain(words);
    }
    expect(lab.commands).toEqual([]);
  });
});
