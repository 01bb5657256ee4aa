/**
 * What audits found: each violation once, with the moment at which it was first seen.
 */

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  readonly page?: number;
  readonly index?: number;
  readonly gva?: number;
}

export interface DatedViolation extends Violation {
  /** Time (retired units) at which it was first seen. */
  readonly time: number;
  /** EIP of the next instruction at that boundary, unsigned. */
  readonly eip: number;
  /** "; after …": the last events before it, oldest first; "" without a trace. */
  readonly after: string;
}

/** Beyond this many, further violations are counted and not kept. */
const KEPT = 1000;

export class FindingLog {
  readonly list: DatedViolation[] = [];
  /** All that were seen, those not kept included. */
  total = 0;
  private readonly known = new Set<string>();

  /** Adds those that are new, and returns them. */
  add(
    violations: readonly Violation[],
    at: { readonly time: number; readonly eip: number; readonly after: string },
  ): readonly DatedViolation[] {
    const fresh: DatedViolation[] = [];
    for (const violation of violations) {
      const key = `${violation.invariant} ${violation.message}`;
      if (this.known.has(key)) continue;
      this.total++;
      if (this.list.length >= KEPT) continue;
      this.known.add(key);
      const dated = { ...violation, ...at };
      fresh.push(dated);
      this.list.push(dated);
    }
    return fresh;
  }

  /** Violations that were added before, with the moment at which each was first seen. */
  dated(violations: readonly Violation[]): readonly DatedViolation[] {
    const first = new Map(this.list.map((known) => [`${known.invariant} ${known.message}`, known]));
    return violations.flatMap((v) => first.get(`${v.invariant} ${v.message}`) ?? []);
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
      this.known.add(`${violation.invariant} ${violation.message}`);
    }
    this.total = list.length;
  }
}
