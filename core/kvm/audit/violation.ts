/**
 * What an audit says: violations, and the sink that checks tell them to. A check reads one thing (an entry, a page, a
 * frame), has no side effects, and says what is wrong with it; the whole audit and the incremental one run the same.
 */
import type { Mmu } from "../mmu.ts";

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** hpa of the shadow page, and spte index. */
  readonly page?: number;
  readonly index?: number;
  readonly gva?: number;
}

export type Where = Omit<Violation, "invariant" | "message">;

/** Beyond this many, violations are counted and not kept. */
const MOST = 1000;

/** What is told first when one boundary breaks several: what follows from others comes last. */
const ORDER = ["I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I3", "T1"];
const RANK = new Map(ORDER.map((invariant, rank) => [invariant, rank]));

/** No violation: the usual answer, made once. */
export const NOTHING: readonly Violation[] = [];

export class Sink {
  /** All that was said; grows also when nothing more is kept. */
  total = 0;
  private readonly kept = new Map<string, Violation>();

  say(invariant: string, message: string, where: Where = {}): void {
    this.total++;
    const key = `${invariant} ${message}`;
    if (this.kept.size < MOST && !this.kept.has(key)) this.kept.set(key, { invariant, message, ...where });
  }

  clear(): void {
    if (this.total === 0) return;
    this.total = 0;
    this.kept.clear();
  }

  /** Each violation once, in an order that depends on nothing but themselves. */
  sorted(): readonly Violation[] {
    if (this.total === 0) return NOTHING;
    return [...this.kept.values()].sort(
      (a, b) =>
        RANK.get(a.invariant)! - RANK.get(b.invariant)! ||
        (a.page ?? -1) - (b.page ?? -1) ||
        (a.index ?? -1) - (b.index ?? -1) ||
        (a.message < b.message ? -1 : a.message > b.message ? 1 : 0),
    );
  }
}

export const hex = (value: number): string => `0x${(value < 0 ? value >>> 0 : value).toString(16)}`;

/** "shadow page 0x… (gfn …, role …)" */
export function nameOf(mmu: Mmu, page: number): string {
  return `shadow page ${hex(mmu.hpaOf(page))} (gfn ${hex(mmu.gfn[page]!)}, role ${hex(mmu.role[page]!)})`;
}

/** Shadow page and index of an spte's hpa. */
export const placeOf = (ptr: number): { page: number; index: number } => ({
  page: ptr & ~0xfff,
  index: (ptr & 0xfff) >> 3,
});
