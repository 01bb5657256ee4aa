/**
 * Plays many cases on one pair of machines, audited at every operation: what property tests and soak are made of.
 */
import { IncrementalAudit } from "../../core/kvm/audit/index.ts";
import { C } from "../../core/kvm/counters.ts";
import { type Case, caseOf, type Mode, type Op, putWords, registersOf } from "./cases.ts";
import { History } from "./history.ts";
import { apply, applyWithHistory, auditNow, type How, inert, make, UNSYNC } from "./shadow.ts";
import type { TwoMachines } from "./two-machines.ts";

/** What cases came across: accesses that a past translation explains, operations with tables out of sync, pages reclaimed. */
export type Seen = {
  past: number;
  unsync: number;
  recycled: number;
};

/**
 * One pair of machines for many cases: what `play` and `playWithHistory` do, without making machines anew, with the audit
 * at every operation (the incremental one) and the audit of everything behind some cases. After a failure: a new one.
 */
export class Player {
  readonly m: TwoMachines;
  private readonly history: History | null;
  /** Null: nothing looks behind an operation but the guest. */
  private readonly audit: IncrementalAudit | null = null;
  private readonly never: boolean;
  private readonly mode: Mode;
  private played = 0;
  readonly seen: Seen = { past: 0, unsync: 0, recycled: 0 };

  constructor(mode: Mode, policy: string, how: How) {
    this.mode = mode;
    this.m = make(mode, policy, caseOf(mode, {}, []), how);
    this.m.quick = true;
    this.history = how.tlb === "svm" || UNSYNC.includes(policy) ? new History(this.m) : null;
    this.never = how.audit === "never";
    if (this.never || how.audit === "seldom") return;
    const audit = new IncrementalAudit(this.m.kvm.mmu, this.m.cpu.paging.tlb);
    this.m.cpu.watched = (host, size) => audit.touched.host(host, size);
    this.audit = audit;
  }

  /** @throws in words when something differs */
  play(c: Case): void {
    const { m, mode, history } = this;
    if (this.audit !== null) this.forget(this.audit);
    m.again((store) => putWords(mode, c, store), registersOf(mode));
    history?.begin();
    this.look("the start");
    for (const op of c.ops) {
      m.beginOperation();
      if (history === null) apply(mode, m, op, false);
      else applyWithHistory(mode, m, history, op);
      this.look(op);
    }
    const difference = m.whole();
    if (difference !== null) throw new Error(`a store that no frame's version told of: ${difference}`);
    if (!this.never && ++this.played % WHOLE_EVERY === 0) auditNow(m, c.ops.at(-1)!);
    inert(m);
    this.seen.past += history?.pastUsed ?? 0;
    this.seen.unsync += m.unsyncSeen;
    this.seen.recycled += m.kvm.mmu.count[C.mmu_recycled]!;
  }

  /** Tells the audit of all that is about to be thrown away. */
  private forget({ touched }: IncrementalAudit): void {
    const { mmu } = this.m.kvm;
    touched.lists();
    touched.roots = true;
    for (let hfn = 0; hfn < mmu.rmap.length; hfn++) if (mmu.rmap[hfn] !== 0) touched.rmap(hfn);
    for (let page = mmu.activeHead; page >= 0; page = mmu.listNext[page]!) {
      touched.header(page);
      touched.parentsOf(page);
      touched.unsyncMarks(page);
      touched.bucket(mmu.gfn[page]! % mmu.poolSize);
      const ptr = mmu.hpaOf(page);
      for (let i = 0; i < 4096; i += 8) if (mmu.spteLow(ptr + i) !== 0) touched.spte(ptr + i);
    }
  }

  private look(after: Op | string): void {
    const first = this.audit?.look()[0];
    if (first !== undefined)
      throw new Error(`after ${JSON.stringify(after)}: ${first.invariant}: ${first.message}`);
  }
}

/** Cases between two audits of everything. */
const WHOLE_EVERY = 32;

/** Plays cases on one pair of machines, and on a new one after a failure, as shrinking asks for. */
export function playerOf(
  mode: Mode,
  policy: string,
  how: How,
): ((c: Case) => void) & { readonly seen: Seen } {
  let player = new Player(mode, policy, how);
  const { seen } = player;
  const playCase = (c: Case): void => {
    try {
      player.play(c);
    } catch (error) {
      player = new Player(mode, policy, how);
      throw error;
    }
  };
  return Object.assign(playCase, { seen });
}
