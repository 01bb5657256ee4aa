/**
 * The ring that holds the machine's events, and the questions one can put to it.
 * Recording never allocates; with `on` false a call site costs one predictable branch: `if (trace.on) trace.emit(...)`.
 */
import { EVENT_KINDS } from "./events.ts";

/** Words of 32 bits an event takes: kind, time low, time high, eip, eight fields. */
export const EVENT_WORDS = 12;

/** Where a trace reads the moment from: retired units plus halted jumps, and the instruction's address. */
export interface TraceClock {
  /** Retired units so far (a whole number below 2^53). */
  readonly time: number;
  /** Linear-segment offset of the instruction being executed, 32 bits. */
  readonly traceEip: number;
}

/** One event, taken out of the ring. `fields` are raw 32-bit words in the order of the kind's table row. */
export interface TraceEvent {
  /** Running number since the machine was made, from 0. */
  readonly seq: number;
  readonly kind: number;
  readonly time: number;
  readonly eip: number;
  readonly words: readonly number[];
}

export class Trace {
  /** Call sites test this before they call `emit`. */
  on = true;
  /** Events recorded since the machine was made; the next event's sequence number. */
  count = 0;
  readonly capacity: number;
  readonly ring: Uint32Array;
  /** 1 for each kind that is not recorded. */
  private readonly dropped = new Uint8Array(EVENT_KINDS.length);
  clock: TraceClock = { time: 0, traceEip: 0 };

  /** @param capacity events the ring holds; a power of two, at least 2^20 in the lab */
  constructor(capacity = 1 << 20) {
    if ((capacity & (capacity - 1)) !== 0 || capacity < 1) {
      throw new RangeError(`trace capacity ${capacity} is not a power of two`);
    }
    this.capacity = capacity;
    this.ring = new Uint32Array(capacity * EVENT_WORDS);
  }

  /** Records only these kinds from now on; null: all of them. */
  keep(kinds: readonly number[] | null): void {
    this.dropped.fill(kinds === null ? 0 : 1);
    for (const kind of kinds ?? []) this.dropped[kind] = 0;
  }

  emit(kind: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0): void {
    if (this.dropped[kind] === 1) return;
    const at = (this.count & (this.capacity - 1)) * EVENT_WORDS;
    const ring = this.ring;
    const time = this.clock.time;
    ring[at] = kind;
    ring[at + 1] = time;
    ring[at + 2] = Math.floor(time / 4294967296);
    ring[at + 3] = this.clock.traceEip;
    ring[at + 4] = a;
    ring[at + 5] = b;
    ring[at + 6] = c;
    ring[at + 7] = d;
    ring[at + 8] = e;
    ring[at + 9] = f;
    ring[at + 10] = g;
    ring[at + 11] = h;
    this.count++;
  }

  /** The oldest sequence number still in the ring. */
  get oldest(): number {
    return Math.max(0, this.count - this.capacity);
  }

  /** The event numbered `seq`, or undefined when it has left the ring or has not happened. */
  at(seq: number): TraceEvent | undefined {
    if (seq < this.oldest || seq >= this.count) return undefined;
    const at = (seq % this.capacity) * EVENT_WORDS;
    const ring = this.ring;
    const kind = ring[at]!;
    let n = 0;
    for (const field of EVENT_KINDS[kind]!.fields) n += field.width;
    const words: number[] = [];
    for (let i = 0; i < n; i++) words.push(ring[at + 4 + i]!);
    return { seq, kind, time: ring[at + 1]! + ring[at + 2]! * 4294967296, eip: ring[at + 3]!, words };
  }

  /**
   * Events from `since` on whose kind is in `kinds` (all when undefined), oldest first, at most `most`,
   * the newest kept when there are more.
   */
  query(since: number, most: number, kinds?: ReadonlySet<number>): TraceEvent[] {
    const found: TraceEvent[] = [];
    const first = Math.max(since, this.oldest);
    for (let seq = this.count - 1; seq >= first && found.length < most; seq--) {
      const kind = this.ring[(seq % this.capacity) * EVENT_WORDS]!;
      if (kinds !== undefined && !kinds.has(kind)) continue;
      found.push(this.at(seq)!);
    }
    return found.reverse();
  }

  /** Kind of the event numbered `seq`, which must be in the ring; without taking it out. */
  kindAt(seq: number): number {
    return this.ring[(seq % this.capacity) * EVENT_WORDS]!;
  }

  clear(): void {
    this.count = 0;
  }
}

/** The value of a named field of an event; 64-bit fields come back as bigint, others as number. */
export function eventField(event: TraceEvent, name: string): number | bigint | undefined {
  let at = 0;
  for (const field of EVENT_KINDS[event.kind]!.fields) {
    if (field.name === name) {
      return field.width === 1
        ? event.words[at]!
        : (BigInt(event.words[at + 1]!) << 32n) | BigInt(event.words[at]!);
    }
    at += field.width;
  }
  return undefined;
}
