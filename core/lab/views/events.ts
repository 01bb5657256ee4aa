/**
 * The events view: the newest events of some kinds, or a window that ends before one of them.
 */
import { EVENT_KINDS } from "../../trace/events.ts";
import type { TraceEvent } from "../../trace/trace.ts";
import type { LabContext } from "../context.ts";
import { LabError } from "../error.ts";
import type { EventsView, ViewRequest } from "../protocol/index.ts";
import type { View } from "./view.ts";

type Request = Extract<ViewRequest, { kind: "events" }>;

/** The ids of event kinds by name; undefined for "all" (no names). @throws LabError on an unknown name */
export function kindsOf(names: readonly string[]): ReadonlySet<number> | undefined {
  if (names.length === 0) return undefined;
  return new Set(
    names.map((name) => {
      const kind = EVENT_KINDS.find((k) => k.name === name);
      if (kind === undefined) throw new LabError(`there is no event kind "${name}"`);
      return kind.id;
    }),
  );
}

export function openEvents(lab: LabContext, request: Request): View {
  const kinds = kindsOf(request.kinds);
  return request.before === null
    ? new Newest(lab, request.most, kinds)
    : new Window(lab, request.most, request.before, kinds);
}

function answer(lab: LabContext, events: readonly TraceEvent[]): EventsView {
  const { trace } = lab.machine;
  return { kind: "events", total: trace.count, oldest: trace.oldest, events };
}

/** Follows the end of the ring; only what is new since the last look is searched. */
class Newest implements View {
  readonly calm = "whole";
  private events: TraceEvent[] = [];
  private next = -1;
  private machine: object | null = null;

  constructor(
    private readonly lab: LabContext,
    private readonly most: number,
    private readonly kinds: ReadonlySet<number> | undefined,
  ) {}

  collect(): EventsView | null {
    const { trace } = this.lab.machine;
    if (this.machine !== this.lab.machine || trace.count < this.next) {
      this.machine = this.lab.machine;
      this.events = [];
      this.next = -1;
    }
    if (trace.count === this.next) return null;
    const first = this.next < 0;
    const fresh = trace.query(Math.max(0, this.next), this.most, this.kinds);
    this.next = trace.count;
    if (fresh.length === 0 && !first) return null;
    this.events = [...this.events, ...fresh].slice(-this.most);
    return answer(this.lab, this.events);
  }
}

/** A window into the past does not change; it loses rows when they leave the ring. */
class Window implements View {
  private oldest = -1;
  private machine: object | null = null;

  constructor(
    private readonly lab: LabContext,
    private readonly most: number,
    private readonly before: number,
    private readonly kinds: ReadonlySet<number> | undefined,
  ) {}

  collect(): EventsView | null {
    const { trace } = this.lab.machine;
    if (this.machine === this.lab.machine && trace.oldest === this.oldest) return null;
    this.machine = this.lab.machine;
    this.oldest = trace.oldest;
    const events: TraceEvent[] = [];
    for (
      let seq = Math.min(this.before, trace.count) - 1;
      seq >= trace.oldest && events.length < this.most;
      seq--
    ) {
      if (this.kinds !== undefined && !this.kinds.has(trace.kindAt(seq))) continue;
      events.push(trace.at(seq)!);
    }
    return answer(this.lab, events.reverse());
  }
}
