/**
 * What a soak tries a policy with: paging modes, kinds of cases, TLBs that survive exits or not, roomy pools and small
 * ones; under nested paging host levels and walk caches. Each is played on one pair of machines, case after case.
 */
import { POOL_LEAST } from "../../core/kvm/index.ts";
import { type Case, caseOf, type Mode, putWords, registersOf, wordsOf } from "../property/cases.ts";
import { KINDS, type Kind } from "../property/draw.ts";
import { NestedMachines } from "../property/nested-machines.ts";
import { Player } from "../property/player.ts";
import { apply } from "../property/shadow.ts";

/** Plays cases; throws in words at a difference, and is not used after it. */
export interface Table {
  play(c: Case): void;
  /** What the cases came across. */
  readonly seen: Readonly<Record<string, number>>;
}

export interface Task {
  /** What it is, in words and numbers. */
  readonly name: string;
  readonly mode: Mode;
  /** Parts of all operations. */
  readonly share: number;
  begin(): Table;
}

const MODES: readonly Mode[] = ["nonpae", "pae"];
/** Pages: more than these guests use, at less cost than an era's own pool for the audit of everything. */
const ROOMY = 128;

class NestedTable implements Table {
  private readonly mode: Mode;
  private readonly m: NestedMachines;
  readonly seen = { mmio: 0, walkCacheHits: 0 };

  constructor(mode: Mode, levels: 3 | 4, walkCache: number, tlb: "vmx" | "svm") {
    this.mode = mode;
    const words = wordsOf(mode, caseOf(mode, {}, []));
    this.m = new NestedMachines({ levels, walkCache, tlb, words, registers: registersOf(mode) });
    this.m.quick = true;
  }

  play(c: Case): void {
    const { m, mode, seen } = this;
    const before = m.hypervisor.counters;
    m.again((store) => putWords(mode, c, store), registersOf(mode));
    for (const op of c.ops) {
      m.beginOperation();
      apply(mode, m, op, false);
    }
    const difference = m.whole();
    if (difference !== null) throw new Error(`a store that no frame's version told of: ${difference}`);
    const [violation] = m.kvm.audit().violations;
    if (violation !== undefined) throw new Error(`${violation.invariant}: ${violation.message}`);
    const after = m.hypervisor.counters;
    const more = (name: string): number => Math.max(0, after[name]! - before[name]!);
    seen.mmio += more("mmio_exits");
    seen.walkCacheHits += more("walk_cache_guest") + more("walk_cache_host");
  }
}

function nestedTasks(): Task[] {
  const kinds = [
    [3, 0, "vmx"],
    [4, 0, "svm"],
    [3, 1, "svm"],
    [4, 16, "vmx"],
  ] as const;
  return MODES.flatMap((mode) =>
    kinds.map(([levels, walkCache, tlb]) => ({
      name: `${mode}, ${levels} host levels, walk caches of ${walkCache}, ${tlb}`,
      mode,
      share: 1,
      begin: () => new NestedTable(mode, levels, walkCache, tlb),
    })),
  );
}

/** The tasks of a policy; every one takes all kinds of cases in turn. */
export function tasksOf(policy: string): Task[] {
  if (policy === "nested") return nestedTasks();
  const tables = [
    { tlb: "vmx", pool: ROOMY, audit: "always", share: 4 },
    { tlb: "vmx", pool: ROOMY, audit: "seldom", share: 4 },
    { tlb: "vmx", pool: POOL_LEAST, audit: "always", share: 1 },
    { tlb: "vmx", pool: POOL_LEAST, audit: "seldom", share: 1 },
    { tlb: "svm", pool: ROOMY, audit: "always", share: 2 },
    { tlb: "svm", pool: ROOMY, audit: "seldom", share: 2 },
    { tlb: "svm", pool: POOL_LEAST, audit: "always", share: 1 },
  ] as const;
  const all = MODES.flatMap((mode) =>
    tables.map(({ tlb, pool, audit, share }) => ({
      name: `${mode}, ${tlb}, a pool of ${pool} pages, ${audit} audited`,
      mode,
      share,
      begin: (): Table => new Player(mode, policy, { tlb, pool, audit }),
    })),
  );
  // The audit sees a wrong spte before the guest does: here nobody looks but the guest.
  for (const mode of MODES.filter((m) => isWrong(policy, m))) {
    for (const tlb of ["vmx", "svm"] as const) {
      const begin = (): Table => new Player(mode, policy, { tlb, pool: ROOMY, audit: "never" });
      all.push({ name: `${mode}, ${tlb}, never audited`, mode, share: 2, begin });
    }
  }
  return all;
}

/**
 * The kinds of cases of a policy. Harsh ones switch CR4.PAE, so that a guest of the other mode becomes one of 4-byte
 * entries: under A0 and D they say nothing new of it.
 */
export const kindsOf = (policy: string, mode: Mode): readonly Kind[] =>
  isWrong(policy, "nonpae") && mode === "pae" ? KINDS.filter((kind) => kind.name !== "harsh") : KINDS;

/** Whether no guard may repair what the policy does to guests of this mode (docs/hazards.md). */
export const isWrong = (policy: string, mode: Mode): boolean =>
  (policy === "A0" || policy === "D") && mode === "nonpae";
