/**
 * The loads that experiments run: the programs of the nanobench guest, and stages of the built-in kernels. A load boots a
 * machine, runs it to the measured part's first address, counts to its last one, and answers what happened between.
 */
import { findGuest, type GuestSymbol } from "../guests/index.ts";
import { openImage } from "../images/index.ts";
import { Machine } from "../machine/machine.ts";
import type { MachineSetup } from "../machine/setup.ts";
import { Trace } from "../trace/trace.ts";
import { METER_EVENTS, type Measured, Meter, runTo } from "./meter.ts";

/** The programs of the nanobench guest, in the order of its table. */
export const PROGRAMS = [
  "empty",
  "call/ret",
  "in",
  "divzero",
  "pgfault",
  "syscall",
  "sysenter",
  "ptemod",
  "ptemod and use",
  "page-table fill",
  "demand paging",
  "forkwait",
  "context switch",
  "walks",
  "window",
] as const;
export type Program = (typeof PROGRAMS)[number];

export interface Load {
  readonly guest: string;
  /** Symbols at which the measured part begins and ends. */
  readonly from: string;
  readonly to: string;
  /** Words to store before the guest starts, by symbol. */
  readonly words: Readonly<Record<string, number>>;
  /** What counts are divided by: rounds of the measured part. */
  readonly rounds: number;
}

/** What differs from machine to machine in an experiment. */
export type Choice = Partial<Omit<MachineSetup, "memory" | "memoryHigh">>;

/** What a program of the nanobench guest can be told. */
export interface Words {
  /** Pages it uses, 1 to 1024. */
  readonly pages: number;
  /** Address spaces it goes round, 1 to 32. */
  readonly spaces: number;
  /** 1: pages come in pairs of the same index in both halves of their table. */
  readonly paired: number;
}

/** @param rounds how often the program goes round in the measured part */
export function program(name: Program, rounds: number, wish: Partial<Words> = {}): Load {
  const words = { pages: 64, spaces: 4, paired: 0, ...wish };
  return {
    guest: "nanobench",
    from: "begin",
    to: "end",
    words: { wanted: PROGRAMS.indexOf(name), rounds, ...words },
    rounds,
  };
}

/** A part of a built-in kernel between two of its labels. */
export function stage(guest: string, from: string, to: string): Load {
  return { guest, from, to, words: {}, rounds: 1 };
}

const SETUP: Omit<MachineSetup, "memory" | "memoryHigh" | "policy"> = {
  tlb: "vmx",
  hazards: {},
  audit: "off",
  findings: "stop",
  unimplemented: "stop",
};

const addressOf = (symbols: readonly GuestSymbol[], name: string): number => {
  const symbol = symbols.find((s) => s.name === name);
  if (symbol === undefined) throw new Error(`the guest has no label ${name}`);
  return symbol.address;
};

/** The label at which a program ends that this processor cannot run. */
const ABSENT = "absent";

/**
 * Runs one load under one policy. Yields the units done so far now and then. null: the processor lacks what it needs.
 * @throws Error with a sentence when the guest does not come to the measured part's end
 */
export function* measure(
  load: Load,
  policy: string,
  choice: Choice = {},
): Generator<number, Measured | null> {
  const guest = findGuest(load.guest);
  if (guest === null) throw new Error(`there is no guest ${load.guest}`);
  const { memory, memoryHigh, symbols } = guest;
  const opened = openImage(guest.bytes, guest.kind, { memory, memoryHigh });
  if (!opened.ok) throw new Error(opened.error);
  const { image } = opened;
  const words = Object.entries(load.words).map(([name, value]) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    return { gpa: addressOf(symbols, name), bytes };
  });
  const setup: MachineSetup = { ...SETUP, ...choice, policy, memory, memoryHigh };
  const trace = new Trace(METER_EVENTS);
  trace.on = false;
  const machine = Machine.boot(setup, { ...image, writes: [...image.writes, ...words] }, trace);
  const absent = symbols.find((s) => s.name === ABSENT)?.address;
  const from = addressOf(symbols, load.from);
  const at = yield* runTo(machine, absent === undefined ? [from] : [from, absent], null);
  if (at !== from) return null;
  trace.on = true;
  const meter = new Meter(machine);
  yield* runTo(machine, [addressOf(symbols, load.to)], meter);
  return meter.result();
}

/** What one round did: the counts of `measured` over the load's rounds, less those of an empty loop of as many rounds. */
export function aRound(measured: Measured, load: Load, empty: Measured | null): Measured {
  const per = (n: number, less = 0): number => (n - less) / load.rounds;
  const exits: Record<string, number> = {};
  for (const [name, n] of Object.entries(measured.exits)) exits[name] = per(n);
  const counters: Record<string, number> = {};
  for (const [name, n] of Object.entries(measured.counters)) counters[name] = per(n);
  return {
    instructions: per(measured.instructions, empty?.instructions),
    deliveries: per(measured.deliveries),
    exits,
    allExits: per(measured.allExits),
    emulated: per(measured.emulated),
    injected: per(measured.injected),
    counters,
  };
}
