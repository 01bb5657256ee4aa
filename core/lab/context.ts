/**
 * What views and commands ask of the machine on the screen: peeks alone, gathered once a tick where several views
 * ask the same. It outlives machines: a reset or another image puts a new one in its place.
 */
import { accessLetters, auditNames, COUNTERS, rmapOf, type ShadowPage } from "../kvm/index.ts";
import type { Machine } from "../machine/machine.ts";
import { type GuestTable, GuestTables } from "../machine/peek/guest-tables.ts";
import type { GuestPaging } from "../machine/peek/guest-walk.ts";
import { type HostMemory, HYPERVISOR_FRAMES, PAGE_SIZE } from "../memory/host-memory.ts";
import type { MemorySlots } from "../memory/slots.ts";
import { Experiments } from "./experiments.ts";
import {
  type AuditReport,
  type CompareView,
  type CountersView,
  type MemoryPageInfo,
  ROLE_HYPERVISOR,
  ROLE_MEMORY,
  ROLE_NO_MEMORY,
  ROLE_PAE_ROOT,
  ROLE_PD,
  ROLE_PDPT,
  ROLE_PT,
  ROLE_SHADOW,
  type ScenarioView,
  type ShadowPageInfo,
} from "./protocol/index.ts";
import { Symbols } from "./symbols.ts";

/** What the views of stories ask. */
export interface Stories {
  readonly story: { view(): ScenarioView };
  readonly comparison: {
    /** Changes whenever what the view shows may have changed. */
    readonly progress: string;
    view(
      pair: number,
      page: { readonly gfn: number; readonly role: number } | null,
      around: readonly [number, number] | null,
    ): CompareView;
  };
}

const ROLE_OF_LEVEL = [ROLE_MEMORY, ROLE_PT, ROLE_PD, ROLE_PDPT];

export class LabContext {
  machine: Machine;
  symbols = new Symbols([]);
  /** The experiment that runs beside the machine. */
  readonly experiments = new Experiments();
  /** Linear addresses of the breakpoints a person set. */
  readonly breakpoints = new Set<number>();
  /** The scenario on the screen and the comparisons beside it; the lab puts them there. */
  stories!: Stories;
  /** True while the machine runs: nothing is foretold then. */
  running = false;
  /** The report of the last audit of the whole machine, or null. */
  lastAudit: AuditReport | null = null;
  private tables = new GuestTables();
  private shadowCache: readonly ShadowPageInfo[] | null = null;
  private byGfn = new Map<number, ShadowPageInfo>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Another machine takes the place of this one. */
  replace(machine: Machine): void {
    this.machine = machine;
    this.tables = new GuestTables();
    this.lastAudit = null;
    this.newTick();
  }

  /** What was gathered for the views is gathered anew. Call when the machine may have moved. */
  newTick(): void {
    this.shadowCache = null;
  }

  get memory(): HostMemory {
    return this.machine.memory;
  }

  get slots(): MemorySlots {
    return this.machine.slots;
  }

  /** Memory and slots, for the peeking walks. */
  get where(): Machine {
    return this.machine;
  }

  get virtualised(): boolean {
    return this.machine.kvm !== null;
  }

  paging(): GuestPaging {
    return this.machine.guestPaging();
  }

  translate(gva: number): number {
    return this.machine.translate(gva);
  }

  /** Host-physical address of pae_root, or -1 when there are no roots (or no hypervisor). */
  rootHpa(): number {
    return this.machine.kvm?.rootHpa ?? -1;
  }

  paeRoot(): { low: number; high: number }[] {
    const root = this.rootHpa();
    return [0, 1, 2, 3].map((slot) =>
      root < 0
        ? { low: 0xffff_ffff, high: 0xffff_ffff }
        : {
            low: this.memory.u32[(root >>> 2) + slot * 2]!,
            high: this.memory.u32[(root >>> 2) + slot * 2 + 1]!,
          },
    );
  }

  guestTables(): readonly GuestTable[] {
    return this.tables.list(this.machine, this.paging());
  }

  // ---- shadow pages ----

  /** All active shadow pages, by gfn, then role word; the same list within a tick. */
  shadowPages(): readonly ShadowPageInfo[] {
    if (this.shadowCache !== null) return this.shadowCache;
    const pages = this.machine.kvm?.shadowPages() ?? [];
    const list = pages.map(describe);
    this.byGfn = new Map();
    for (const page of list)
      if (!page.metaphysical && !this.byGfn.has(page.gfn)) this.byGfn.set(page.gfn, page);
    this.shadowCache = list;
    return list;
  }

  /** A shadow page of this guest table, or undefined. */
  shadowOf(gfn: number): ShadowPageInfo | undefined {
    this.shadowPages();
    return this.byGfn.get(gfn);
  }

  pool(): { free: number; total: number } {
    const { kvm } = this.machine;
    return kvm === null ? { free: 0, total: 0 } : { free: kvm.mmu.nFree, total: kvm.mmu.poolSize };
  }

  rmapCount(hfn: number): number {
    const { kvm } = this.machine;
    return kvm === null ? 0 : rmapOf(kvm.mmu, hfn).length;
  }

  // ---- pages, for colours ----

  /** What a guest-physical page is. `address` is left to the caller. */
  guestPage(gfn: number): MemoryPageInfo {
    const hfn = this.slots.hfnOf(gfn);
    const gpa = gfn * PAGE_SIZE;
    const shadow = this.shadowOf(gfn);
    this.guestTables();
    const table = this.tables.at(gfn)[0];
    const level = table?.level ?? shadow?.level ?? 0;
    const entrySize = table?.entrySize ?? (shadow === undefined ? 0 : shadow.glevels > 2 ? 8 : 4);
    return {
      address: gpa,
      role: hfn < 0 ? ROLE_NO_MEMORY : ROLE_OF_LEVEL[level]!,
      gpa,
      hpa: hfn < 0 ? -1 : hfn * PAGE_SIZE,
      entrySize,
      level,
      writeProtected: shadow !== undefined,
    };
  }

  /** What a host-physical page is. */
  hostPage(address: number): MemoryPageInfo {
    const hfn = Math.floor(address / PAGE_SIZE);
    const none = { address, gpa: -1, hpa: address, entrySize: 0, level: 0, writeProtected: false };
    if (hfn >= this.memory.frames) return { ...none, hpa: -1, role: ROLE_NO_MEMORY };
    const gfn = this.slots.gfnOf(hfn);
    if (gfn >= 0) return { ...this.guestPage(gfn), address };
    if (hfn >= HYPERVISOR_FRAMES) return { ...none, role: ROLE_HYPERVISOR };
    if (this.rootHpa() === address) return { ...none, role: ROLE_PAE_ROOT, entrySize: 8, level: 3 };
    const page = this.shadowPages().find((p) => p.hpa === address);
    if (page === undefined) return { ...none, role: ROLE_HYPERVISOR };
    return { ...none, role: ROLE_SHADOW, entrySize: 8, level: page.level };
  }

  // ---- counters and the audit ----

  counters(): CountersView["rows"] {
    const values = this.machine.counts();
    return COUNTERS.map((row, i) => ({ ...row, value: values?.[i] ?? 0 }));
  }

  counter(name: string): number {
    const at = COUNTERS.findIndex((row) => row.name === name);
    return this.machine.counts()?.[at] ?? 0;
  }

  /**
   * What is known to be wrong, or null before anything was audited: all that the continuous audit ever found, else
   * what the last whole audit saw.
   */
  auditReport(): AuditReport | null {
    const { kvm, setup, watch } = this.machine;
    if (setup.audit === "every" || setup.audit === "full") {
      const checked = kvm === null ? [] : auditNames(setup.tlb === "svm");
      return { checked, violations: watch.findings.list };
    }
    return this.lastAudit;
  }

  /** Indices of sptes of a shadow page that a finding names. */
  badSptes(hpa: number): number[] {
    const found = new Set<number>();
    for (const v of this.auditReport()?.violations ?? []) {
      if (v.page === hpa && v.index !== undefined) found.add(v.index);
    }
    return [...found].sort((a, b) => a - b);
  }
}

function describe(page: ShadowPage): ShadowPageInfo {
  const { hpa, gfn, role, word, fields, unsync, rootCount, parents, present, writable } = page;
  return {
    hpa,
    gfn,
    role: role.word,
    word,
    fields: Object.entries(fields)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
    level: role.level,
    quadrant: role.quadrant,
    glevels: role.glevels,
    metaphysical: role.metaphysical,
    hugepageAccess: role.hugepageAccess,
    access: fields.access === undefined ? "" : accessLetters(fields.access),
    unsync,
    rootCount,
    parents,
    present,
    writable,
  };
}
