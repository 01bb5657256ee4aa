import { GUARD_COUNTERS } from "../../core/kvm/counters.ts";
import { HAZARDS } from "../../core/kvm/index.ts";
import {
  accessOf,
  type Case,
  DIRECTORIES,
  encode,
  inOnePage,
  type Mode,
  type Op,
  pages,
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
  /** Operations between two audits of everything; 0: never. (`play`, `playWithHistory`) */
  readonly auditEvery?: number;
  /**
   * Behind every operation, the incremental one; or only of everything, behind some cases; or never. An audited shadow does
   * not take its short ways (exits/plain-fault.ts), so that both are worth playing. (`Player`)
   */
  readonly audit?: "always" | "seldom" | "never";
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

export function auditNow(m: Pick<Machines, "kvm">, op: Op): void {
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
export function inert(m: TwoMachines): void {
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
