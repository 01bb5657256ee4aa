/**
 * What a machine did between two boundaries: units, deliveries, exits by reason, and the hypervisor's counters, taken
 * from the machine's own trace and counters. Looking changes nothing.
 */
import type { Machine } from "../machine/machine.ts";
import { EV_EMULATE, EV_EXCEPTION, EV_EXIT, EV_INTERRUPT, EV_PF_GUEST, EXIT_NAMES } from "../trace/events.ts";
import { EVENT_WORDS } from "../trace/trace.ts";

/** What happened; all are counts. */
export interface Measured {
  /** Units retired: instructions, and iterations of REP. */
  instructions: number;
  /** Exceptions and interrupts delivered through the guest's IDT, software interrupts among them. */
  deliveries: number;
  /** VM exits by the names of `EXIT_NAMES`; those that did not happen are absent. */
  exits: Record<string, number>;
  /** Sum of `exits`. */
  allExits: number;
  /** Instructions that the hypervisor emulated. */
  emulated: number;
  /** Page faults that the hypervisor injected. */
  injected: number;
  /** The hypervisor's counters, by name; empty on the bare machine. */
  counters: Record<string, number>;
}

/** Units between two looks at the trace: with at most some 20 events a unit they fit into the ring. */
const SLICE = 10_000;
const RING = 1 << 19;
export const METER_EVENTS = RING;

/** Counts what happens from its making on. The machine's trace must be on and hold `METER_EVENTS` events or more. */
export class Meter {
  private readonly machine: Machine;
  private readonly before: Record<string, number>;
  private readonly retired: number;
  private readonly kinds = new Float64Array(256);
  private readonly exits = new Float64Array(EXIT_NAMES.length);
  private seen: number;

  constructor(machine: Machine) {
    this.machine = machine;
    this.before = (machine.kvm ?? machine.nested)?.counters ?? {};
    this.retired = machine.instructions;
    this.seen = machine.trace.count;
  }

  /** Counts the events since the last look. @throws Error when some have left the ring unseen (a bug of the caller) */
  look(): void {
    const { trace } = this.machine;
    if (this.seen < trace.oldest) throw new Error("events have left the ring before they were counted");
    for (; this.seen < trace.count; this.seen++) {
      const at = (this.seen & (trace.capacity - 1)) * EVENT_WORDS;
      const kind = trace.ring[at]!;
      this.kinds[kind]!++;
      if (kind === EV_EXIT) this.exits[trace.ring[at + 4]!]!++;
    }
  }

  /** What was counted until now. */
  result(): Measured {
    this.look();
    const { kvm, nested, instructions } = this.machine;
    const counters: Record<string, number> = {};
    for (const [name, value] of Object.entries((kvm ?? nested)?.counters ?? {}))
      counters[name] = value - (this.before[name] ?? 0);
    const exits: Record<string, number> = {};
    let allExits = 0;
    EXIT_NAMES.forEach((name, reason) => {
      const n = this.exits[reason]!;
      if (n > 0) exits[name] = n;
      allExits += n;
    });
    return {
      instructions: instructions - this.retired,
      deliveries: this.kinds[EV_EXCEPTION]! + this.kinds[EV_INTERRUPT]!,
      exits,
      allExits,
      emulated: this.kinds[EV_EMULATE]!,
      injected: this.kinds[EV_PF_GUEST]!,
      counters,
    };
  }
}

/**
 * Runs until one of the addresses is reached, in slices, counting as it goes. Yields the units done after each slice.
 * @throws Error with a sentence when the machine stops anywhere else, or goes on for more than `most` units
 */
export function* runTo(
  machine: Machine,
  addresses: readonly number[],
  meter: Meter | null,
  most = 200_000_000,
): Generator<number, number> {
  const { cpu } = machine;
  const began = machine.time;
  cpu.setBreakpoints(addresses.map((address) => address | 0));
  try {
    for (;;) {
      const whole = machine.run(SLICE);
      meter?.look();
      if (!whole) break;
      if (machine.time - began > most) throw new Error(`the guest did not come to its end in ${most} units`);
      yield machine.time - began;
    }
  } finally {
    cpu.setBreakpoints([]);
  }
  const { reason, detail } = machine.stop;
  if (reason !== "breakpoint")
    throw new Error(`the guest stopped before the measured part's end: ${reason}, ${detail}`);
  return cpu.eip >>> 0;
}
