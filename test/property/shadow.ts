/**
 * Plays the cases of the differential property tests on two machines and judges every operation: the shadow must give
 * what the bare machine without a TLB gives (`exact`), or what a TLB may give (history.ts).
 */
import { IncrementalAudit } from "../../core/kvm/audit/index.ts";
import { C, GUARD_COUNTERS } from "../../core/kvm/counters.ts";
import { HAZARDS } from "../../core/kvm/index.ts";
import {
  accessOf,
  type Case,
  caseOf,
  DIRECTORIES,
  encode,
  inOnePage,
  type Mode,
  type Op,
  pages,
  putWords,
  registersOf,
  rootOf,
  tablesOf,
  windowAccess,
  wordsOf,
} from "./cases.ts";
import { History } from "./history.ts";
import { TwoMachines } from "./two-machines.ts";

/** How a case is played, beside its policy. */
export interface How {
  readonly tlb?: "vmx" | "svm";
  readonly hazards?: Readonly<Record<string, "guarded" | "as-it-was">>;
  /** Shadow pages instead of the policy's own number. */
  readonly pool?: number | undefined;
  /** The shadow is not told of INVLPG. */
  readonly deafToInvlpg?: boolean;
  /** Operations between two audits of everything; 0: never. */
  readonly auditEvery?: number;
}

export function make(mode: Mode, policy: string, c: Case, how: How = {}): TwoMachines {
  const m = new TwoMachines({
    policy,
    tlb: how.tlb ?? "vmx",
    pool: how.pool,
    words: wordsOf(mode, c),
    hazards: how.hazards ?? {},
    registers: registersOf(mode),
  });
  m.deafToInvlpg = how.deafToInvlpg ?? false;
  return m;
}

/** Two machines side by side, under whatever policy. */
export type Machines = Pick<
  TwoMachines,
  "edit" | "onBare" | "onKvm" | "cr3" | "cr0" | "cr4" | "efer" | "invlpg" | "difference"
> & {
  readonly bare: { readonly cr0: number; readonly cr4: number; readonly efer: number };
  readonly kvm: {
    readonly finding: string | null;
    audit(): { readonly violations: readonly { readonly invariant: string; readonly message: string }[] };
  };
};

/** Runs one operation on both, judged by what a TLB allows (history.ts); throws in words when it is not allowed. */
export function applyWithHistory(mode: Mode, m: TwoMachines, history: History, op: Op): void {
  if (op.op === "access" || op.op === "store") {
    const a = op.op === "store" ? windowAccess(mode, op) : inOnePage(mode, op);
    const wrong = history.judge(a, m.onBare(a), m.onKvm(a));
    if (wrong !== null) throw new Error(`access ${JSON.stringify(a)}: ${wrong}`);
    m.lookForUnsync();
  } else {
    const done = apply(mode, m, op, false);
    if (op.op === "invlpg") history.flushPage(pages(mode)[op.page]!);
    // A register that #GP kept as it was flushes nothing.
    if (done && (op.op === "cr3" || op.op === "pse" || op.op === "pg" || op.op === "pae")) history.flushAll();
  }
  history.commit();
  if (m.kvm.finding !== null) throw new Error(`after ${JSON.stringify(op)}: ${m.kvm.finding}`);
}

/** The whole audit costs much more than an operation. */
const AUDIT_EVERY = 16;

/** What cases came across: accesses that a past translation explains, operations with tables out of sync, pages reclaimed. */
export type Seen = {
  past: number;
  unsync: number;
  recycled: number;
};

/** Plays a case under a policy whose translations may be stale; the audit looks every few operations. */
export function playWithHistory(mode: Mode, policy: string, c: Case, how: How = {}): TwoMachines {
  const m = make(mode, policy, c, how);
  const history = new History(m);
  const every = how.auditEvery ?? AUDIT_EVERY;
  c.ops.forEach((op, i) => {
    m.beginOperation();
    applyWithHistory(mode, m, history, op);
    if (every > 0 && (i % every === every - 1 || i === c.ops.length - 1)) auditNow(m, op);
  });
  inert(m);
  return m;
}

/**
 * Runs one operation on both; throws in words when they differ or the audit finds something. False: a write of a control
 * register raised #GP, on both.
 */
export function apply(mode: Mode, m: Machines, op: Op, auditToo: boolean): boolean {
  let done = true;
  switch (op.op) {
    case "edit": {
      const [low, high] = encode(mode, op.entry);
      const gpa = tablesOf(mode, true)[op.table]! * 4096 + op.index * (mode === "pae" ? 8 : 4);
      if (mode === "pae" && op.upper === true && !op.wide) m.edit(gpa + 4, 4, high, 0);
      else m.edit(gpa, mode === "pae" && op.wide ? 8 : 4, low, high);
      break;
    }
    case "bytes": {
      const [low, high] = encode(mode, op.entry);
      m.edit(tablesOf(mode, true)[op.table]! * 4096 + op.at, op.size, low, high);
      break;
    }
    case "pdpte":
      m.edit(0x7000 + op.slot * 8, 8, (DIRECTORIES.pae[op.directory]! << 12) | op.bits, 0);
      break;
    case "store":
    case "access": {
      const a = op.op === "store" ? windowAccess(mode, op) : accessOf(mode, op);
      const bare = m.onBare(a);
      const kvm = m.onKvm(a);
      if (
        bare.fault !== kvm.fault ||
        bare.cr2 !== kvm.cr2 ||
        bare.low !== kvm.low ||
        bare.high !== kvm.high
      ) {
        throw new Error(
          `access ${JSON.stringify(a)}: bare ${JSON.stringify(bare)}, under KVM ${JSON.stringify(kvm)}`,
        );
      }
      break;
    }
    case "cr3":
      done = same(op.op, m.cr3(rootOf(mode, op.root)));
      break;
    case "invlpg":
      m.invlpg(pages(mode)[op.page]! | 0);
      break;
    case "wp":
      done = same(op.op, m.cr0(m.bare.cr0 ^ 0x1_0000));
      break;
    case "cd":
      done = same(op.op, m.cr0(m.bare.cr0 ^ 0x4000_0000));
      break;
    case "pse":
      done = same(op.op, m.cr4(m.bare.cr4 ^ 0x10));
      break;
    case "pg":
      done = same(op.op, m.cr0(m.bare.cr0 ^ (1 << 31)));
      break;
    case "pae":
      done = same(op.op, m.cr4(m.bare.cr4 ^ 0x20));
      break;
    case "nxe":
      m.efer(m.bare.efer ^ 0x800);
      break;
  }
  const difference = m.difference();
  if (difference !== null) throw new Error(`after ${JSON.stringify(op)}: ${difference}`);
  if (m.kvm.finding !== null) throw new Error(`after ${JSON.stringify(op)}: ${m.kvm.finding}`);
  if (auditToo) auditNow(m, op);
  return done;
}

function auditNow(m: Pick<Machines, "kvm">, op: Op): void {
  const [first] = m.kvm.audit().violations;
  if (first !== undefined)
    throw new Error(`after ${JSON.stringify(op)}: ${first.invariant}: ${first.message}`);
}

function same(what: string, [bare, kvm]: [boolean, boolean]): boolean {
  if (bare !== kvm)
    throw new Error(`${what}: bare ${bare ? "done" : "#GP"}, under KVM ${kvm ? "done" : "#GP"}`);
  return bare;
}

/** A policy that does not have a hazard has no use for its guard, which must not have acted (hazards.ts). */
function inert(m: TwoMachines): void {
  const { mmu } = m.kvm;
  for (let i = 0; i < HAZARDS.length; i++) {
    if (mmu.count[GUARD_COUNTERS + i] === 0 || HAZARDS[i]!.policies.includes(m.kvm.policy)) continue;
    throw new Error(`the guard of ${HAZARDS[i]!.id} acted under ${m.kvm.policy}, which has no such hazard`);
  }
}

/** Plays a case under a policy that keeps the shadow in step: each answer is the bare machine's. */
export function play(mode: Mode, policy: string, c: Case, how: How = {}): TwoMachines {
  const m = make(mode, policy, c, how);
  // A run under D or A0 must be caught at once; the others are audited every few operations.
  const often = policy === "D" || policy === "A0" || how.hazards !== undefined;
  const every = how.auditEvery ?? (often ? 1 : AUDIT_EVERY);
  c.ops.forEach((op, i) => {
    m.beginOperation();
    const look = every > 0 && (i % every === every - 1 || i === c.ops.length - 1);
    apply(mode, m, op, look);
  });
  inert(m);
  return m;
}

/** Policies that keep every table write-protected: under vmx nothing stale is ever seen. */
export const EXACT: readonly string[] = ["A0", "A", "P", "B", "C", "D", "E1"];
/** Policies whose leaf tables go out of sync. */
export const UNSYNC: readonly string[] = ["E2", "E3", "F"];

/**
 * One pair of machines for many cases: what `play` and `playWithHistory` do, without making machines anew, with the audit
 * at every operation (the incremental one) and the audit of everything behind some cases. After a failure: a new one.
 */
export class Player {
  readonly m: TwoMachines;
  private readonly history: History | null;
  /** Null: what the guest sees alone is judged. */
  private readonly audit: IncrementalAudit | null = null;
  private readonly mode: Mode;
  private played = 0;
  readonly seen: Seen = { past: 0, unsync: 0, recycled: 0 };

  constructor(mode: Mode, policy: string, how: How) {
    this.mode = mode;
    this.m = make(mode, policy, caseOf(mode, {}, []), how);
    this.m.quick = true;
    this.history = how.tlb === "svm" || UNSYNC.includes(policy) ? new History(this.m) : null;
    if (how.auditEvery === 0) return;
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
    if (this.audit !== null && ++this.played % WHOLE_EVERY === 0) auditNow(m, c.ops.at(-1)!);
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
