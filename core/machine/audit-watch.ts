/**
 * The audit of a machine: asked for, or behind every boundary; and the findings that the simulated KVM has of itself.
 */
import type { Kvm } from "../kvm/index.ts";
import type { Mmu } from "../kvm/mmu.ts";
import { roleMetaphysical } from "../kvm/shadow/role.ts";
import { EVENT_KINDS } from "../trace/events.ts";
import { type DatedViolation, FindingLog } from "./findings.ts";
import type { Machine } from "./machine.ts";

export interface AuditReport {
  /** Names of the invariants checked. */
  readonly checked: readonly string[];
  readonly violations: readonly DatedViolation[];
}

/** Events that a violation names before it. */
const EVENTS_TOLD = 6;

export class AuditWatch {
  /** All that was ever found, each with the moment at which it was first seen. */
  readonly findings = new FindingLog();
  /** Time of the last audit, or -1. */
  auditedAt = -1;
  private stopFor: string | null = null;

  constructor(private readonly machine: Machine) {}

  /** Audits the whole machine: what is wrong at this boundary. */
  audit(): AuditReport {
    const { kvm } = this.machine;
    this.auditedAt = this.machine.time;
    if (kvm === null) return { checked: [], violations: [] };
    const { checked, violations } = kvm.audit();
    this.findings.add(violations, this.moment());
    return { checked, violations: this.findings.dated(violations) };
  }

  /**
   * Behind each boundary: the continuous audit. An exit or an input may have changed anything; a unit of the guest's
   * own only what it stored, so it is judged when it stored into a shadow page or a shadowed table.
   */
  behindBoundary(outside: boolean): void {
    const { cpu, kvm, setup } = this.machine;
    if (setup.audit !== "every" || kvm === null) return;
    if (outside || this.storedIntoTable(kvm.mmu)) this.look(kvm);
    cpu.newEpoch();
  }

  /** The simulated KVM met an assertion of its own or an endless loop: the machine stops at it, and can go on. */
  note(message: string): void {
    this.findings.add([{ invariant: "finding", message }], this.moment());
    this.stopFor ??= message;
  }

  /** What to stop at, once; null for nothing. */
  take(): string | null {
    const found = this.stopFor;
    this.stopFor = null;
    return found;
  }

  private look(kvm: Kvm): void {
    this.auditedAt = this.machine.time;
    const { violations } = kvm.audit();
    if (violations.length === 0) return;
    const [first] = this.findings.add(violations, this.moment());
    if (first === undefined || this.machine.setup.findings !== "stop") return;
    const { invariant, message, eip, time, after } = first;
    this.stopFor ??= `${invariant}: ${message}; seen first at 0x${eip.toString(16)}, time ${time}${after}`;
  }

  /** True when a shadow page, or the guest table of one, was stored into in this epoch. Accessed bits count too. */
  private storedIntoTable(mmu: Mmu): boolean {
    const { active, gfn, role } = mmu;
    const { memory, slots } = this.machine;
    const { epoch, version } = memory;
    for (let page = 0; page < active.length; page++) {
      if (active[page] === 0) continue;
      if (version[mmu.hpaOf(page) >>> 12] === epoch) return true;
      if (roleMetaphysical(role[page]!)) continue;
      const hfn = slots.hfnOf(gfn[page]!);
      if (hfn >= 0 && version[hfn] === epoch) return true;
    }
    return false;
  }

  /** Where and after which events a violation is seen. */
  private moment(): { time: number; eip: number; after: string } {
    const { cpu, time, trace } = this.machine;
    const names: string[] = [];
    for (let seq = Math.max(trace.oldest, trace.count - EVENTS_TOLD); trace.on && seq < trace.count; seq++) {
      names.push(EVENT_KINDS[trace.kindAt(seq)]!.name);
    }
    const after = names.length === 0 ? "" : `; after ${names.join(", ")}`;
    return { time, eip: cpu.eip >>> 0, after };
  }
}
