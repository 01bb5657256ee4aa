/**
 * What audits found: each violation once, with the moment at which it was first seen and what broke it.
 */
import type { Violation } from "../kvm/index.ts";
import { BY_OUTSIDE, BY_UNKNOWN, type Cause } from "./cause.ts";

export interface Moment extends Cause {
  /** Time (retired units) at which it was first seen. */
  readonly time: number;
  /** EIP of the next instruction at that boundary, unsigned. */
  readonly eip: number;
}

export interface DatedViolation extends Violation, Moment {}

/** Beyond this many, further violations are counted and not kept. */
const KEPT = 1000;

export class FindingLog {
  readonly list: DatedViolation[] = [];
  /** All that were seen, those not kept included. */
  total = 0;
  private readonly known = new Set<string>();

  /** Adds those that are new, and returns them. `at` is asked for those alone. */
  add(violations: readonly Violation[], at: (violation: Violation) => Moment): readonly DatedViolation[] {
    const fresh: DatedViolation[] = [];
    for (const violation of violations) {
      const key = keyOf(violation);
      if (this.known.has(key)) continue;
      this.total++;
      if (this.list.length >= KEPT) continue;
      this.known.add(key);
      const dated = { ...violation, ...at(violation) };
      fresh.push(dated);
      this.list.push(dated);
    }
    return fresh;
  }

  /** Violations that were added before, with the moment at which each was first seen. */
  dated(violations: readonly Violation[]): readonly DatedViolation[] {
    const first = new Map(this.list.map((known) => [keyOf(known), known]));
    return violations.flatMap((v) => first.get(keyOf(v)) ?? []);
  }

  clear(): void {
    this.list.length = 0;
    this.total = 0;
    this.known.clear();
  }

  load(list: readonly DatedViolation[]): void {
    this.clear();
    for (const violation of list) {
      this.list.push(violation);
      this.known.add(keyOf(violation));
    }
    this.total = list.length;
  }
}

const keyOf = (violation: Violation): string => `${violation.invariant} ${violation.message}`;

/** A violation in one line: the invariant, the entry, the instruction and the event that broke it, where they are known. */
export function violationLine(violation: DatedViolation): string {
  const { invariant, message, by, event, eventName, eip, time } = violation;
  const told = event < 0 ? "" : `, event ${event} ${eventName}`;
  const next = `0x${eip.toString(16)}`;
  const who =
    by === BY_UNKNOWN
      ? `found at ${next}`
      : by === BY_OUTSIDE
        ? `from outside, before ${next}`
        : `broken at 0x${by.toString(16)}`;
  return `${invariant}: ${message}; ${who}, time ${time}${told}`;
}
