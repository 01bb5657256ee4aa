/**
 * The audit of a machine: asked for, or behind every boundary; and the findings that the simulated KVM has of itself.
 * Behind every boundary it is incremental (`every`: what was touched, core/kvm/audit/incremental.ts), or of everything
 * (`full`: slow, the yardstick of the other).
 */
import { auditTlb, IncrementalAudit, Sink, type Violation } from "../kvm/audit/index.ts";
import type { Kvm } from "../kvm/index.ts";
import type { Mmu } from "../kvm/mmu.ts";
import type { Policy } from "../kvm/policy/policies.ts";
import { roleMetaphysical } from "../kvm/shadow/role.ts";
import { ATT_WATCHED } from "../x86/attention.ts";
import { type Boundary, BY_OUTSIDE, BY_UNKNOWN, causeOf } from "./cause.ts";
import { type DatedViolation, FindingLog, type Moment, violationLine } from "./findings.ts";
import type { Machine } from "./machine.ts";

export interface AuditReport {
  /** Names of the invariants checked. */
  readonly checked: readonly string[];
  readonly violations: readonly DatedViolation[];
}

export class AuditWatch {
  /** All that was ever found, each with the moment at which it was first seen. */
  readonly findings = new FindingLog();
  private asked = -1;
  private stopFor: string | null = null;
  /** The audit at every boundary, while there is one. */
  private incremental: IncrementalAudit | null = null;
  // The boundary in hand: its first event, and the instruction, or BY_OUTSIDE.
  private from = 0;
  private by = BY_OUTSIDE;
  private applying = false;
  private policy: Policy | null = null;

  constructor(private readonly machine: Machine) {}

  /** Time of the last audit, or -1. */
  get auditedAt(): number {
    return this.incremental === null ? this.asked : this.machine.time;
  }

  /** True while the machine must go unit by unit for the audit's sake. */
  get stepwise(): boolean {
    const { incremental, machine } = this;
    return incremental === null ? machine.setup.audit === "full" : incremental.mustStep;
  }

  /** True while every boundary is looked at. */
  get looks(): boolean {
    return this.incremental !== null || this.machine.setup.audit === "full";
  }

  /** True when there is something to stop at (`take`). */
  get stops(): boolean {
    return this.stopFor !== null;
  }

  /** Audits the whole machine: what is wrong at this boundary. */
  audit(): AuditReport {
    const { kvm } = this.machine;
    this.asked = this.machine.time;
    if (kvm === null) return { checked: [], violations: [] };
    const { checked, violations } = kvm.audit();
    this.findings.add(violations, this.found);
    return { checked, violations: this.findings.dated(violations) };
  }

  /** Before the machine runs or takes an input: watches, or does not, as the setup says. */
  prepare(moment = this.found): void {
    const { kvm, setup } = this.machine;
    const wanted = setup.audit === "every" && kvm !== null ? kvm.mmu : null;
    // Another policy has another pool, and begins anew.
    if (wanted !== (this.incremental?.mmu ?? null) || (wanted !== null && wanted.policy !== this.policy))
      this.watch(wanted, moment);
  }

  private watch(mmu: Mmu | null, moment: (violation: Violation) => Moment): void {
    const { cpu } = this.machine;
    this.incremental?.release();
    this.incremental = null;
    cpu.watched = null;
    cpu.attention &= ~ATT_WATCHED;
    if (mmu === null) return;
    const incremental = new IncrementalAudit(mmu, cpu.tlb);
    this.incremental = incremental;
    this.policy = mmu.policy;
    cpu.watched = (host, size) => {
      if (!incremental.touched.any && !this.applying) this.begin(cpu.traceEip >>> 0);
      incremental.touched.host(host, size);
    };
    // What is wrong already was not broken by what comes next.
    this.lookIncremental(incremental, moment);
  }

  /** Something that may change the shadow begins: `by` is the EIP of the instruction in hand, or BY_OUTSIDE. */
  begin(by: number): void {
    this.from = this.machine.trace.count;
    this.by = by;
    this.applying = by === BY_OUTSIDE;
  }

  /** Behind each boundary: the continuous audit. `outside`: an exit was handled or an input applied. */
  behindBoundary(outside: boolean): void {
    const { incremental, machine } = this;
    this.applying = false;
    if (incremental !== null) {
      machine.cpu.attention &= ~ATT_WATCHED;
      // An input may have changed the policy.
      if (outside) this.prepare(this.moment);
      if (incremental === this.incremental) this.lookIncremental(incremental);
    } else if (machine.setup.audit === "full" && machine.kvm !== null) this.lookFull(machine.kvm, outside);
  }

  /** The simulated KVM met an assertion of its own or an endless loop: the machine stops at it, and can go on. */
  note(message: string): void {
    this.findings.add([{ invariant: "finding", message }], this.moment);
    this.stopFor ??= message;
  }

  /** What to stop at, once; null for nothing. */
  take(): string | null {
    const found = this.stopFor;
    this.stopFor = null;
    return found;
  }

  private lookIncremental(incremental: IncrementalAudit, moment = this.moment): void {
    const violations = incremental.look();
    // A table that is shadowed from now on: translations that write to it are made anew, and seen.
    if (incremental.takeMoreWatched()) this.machine.cpu.tlb.dropDerivedWrites();
    if (violations.length > 0) this.tell(violations, moment);
  }

  /** A unit of the guest's own can break nothing unless it stored into a shadow page or a shadowed table; but T1. */
  private lookFull(kvm: Kvm, outside: boolean): void {
    this.asked = this.machine.time;
    let violations: readonly Violation[];
    if (outside || this.storedIntoTable(kvm.mmu)) violations = kvm.audit().violations;
    else {
      const sink = new Sink();
      auditTlb(kvm.mmu, sink);
      violations = sink.sorted();
    }
    this.tell(violations);
    this.machine.cpu.newEpoch();
  }

  private tell(violations: readonly Violation[], moment = this.moment): void {
    const [first] = this.findings.add(violations, moment);
    if (first === undefined || this.machine.setup.findings !== "stop") return;
    this.stopFor ??= violationLine(first);
  }

  /** True when a shadow page, pae_root, or the guest table of a page was stored into in this epoch. A and D count too. */
  private storedIntoTable(mmu: Mmu): boolean {
    const { active, gfn, role } = mmu;
    const { memory, slots } = this.machine;
    const { epoch, version } = memory;
    for (let page = 0; page < active.length; page++) {
      if (version[mmu.hpaOf(page) >>> 12] === epoch) return true;
      if (active[page] === 0 || roleMetaphysical(role[page]!)) continue;
      const hfn = slots.hfnOf(gfn[page]!);
      if (hfn >= 0 && version[hfn] === epoch) return true;
    }
    return false;
  }

  /** When a violation is first seen, and what broke it. */
  private readonly moment = (violation: Violation): Moment => this.dated(violation, this.from, this.by);

  /** When a violation was found that may be old. */
  private readonly found = (violation: Violation): Moment =>
    this.dated(violation, this.machine.trace.count, BY_UNKNOWN);

  private dated(violation: Violation, from: number, by: number): Moment {
    const { cpu, kvm, time, trace } = this.machine;
    const boundary: Boundary = { from, by };
    return { time, eip: cpu.eip >>> 0, ...causeOf(kvm?.mmu ?? null, trace, violation, boundary) };
  }
}
