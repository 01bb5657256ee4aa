/**
 * The run as one JSON object: what `quadrant run --json` writes and the command `report` answers.
 * Its schema is docs/run-report.schema.json; later versions only add keys.
 */
import type { LoadedKind, MachineKind } from "../images/index.ts";
import { COUNTERS, HAZARDS } from "../kvm/index.ts";
import type { DatedViolation } from "../machine/findings.ts";
import type { Machine } from "../machine/machine.ts";
import type { StopReason } from "../machine/setup.ts";
import { latin1 } from "./views/small.ts";

export interface RunReport {
  readonly version: 1;
  readonly stop: { readonly reason: StopReason; readonly eip: number; readonly detail: string };
  readonly instructions: number;
  readonly policy: string;
  readonly tlb: "vmx" | "svm" | "bare";
  readonly hazards: Readonly<Record<string, "guarded" | "as-it-was">>;
  /** What was started: its kind, named or found out; null in a scenario. */
  readonly image: { readonly kind: LoadedKind } | null;
  readonly machine: {
    readonly kind: MachineKind;
    readonly memory: number;
    readonly slots: readonly { readonly gfn: number; readonly pages: number; readonly hfn: number }[];
  };
  readonly cpu: Readonly<Record<string, number>>;
  readonly fpu: ReportedFpu;
  readonly counters: Readonly<Record<string, number>>;
  readonly root_hpa: string;
  readonly pae_root: readonly string[];
  readonly shadowPages: readonly ReportedShadowPage[];
  readonly audit: {
    readonly checked: readonly string[];
    readonly violations: readonly ReportedViolation[];
  };
  readonly serial: string;
  /** Null but under nested paging. */
  readonly nested: {
    readonly levels: number;
    readonly walk_cache: number;
    readonly root_hpa: string;
    /** Host tables in use, the top one included. */
    readonly tables: number;
  } | null;
}

/** The x87 unit: `st` are ST(0) to ST(7) in 20 hexadecimal digits each, whether empty (see `tags`) or not. */
export interface ReportedFpu {
  readonly control: number;
  readonly status: number;
  readonly tags: number;
  readonly st: readonly string[];
}

export interface ReportedViolation {
  readonly invariant: string;
  readonly message: string;
  /** Shadow page, spte and linear address, where the violation has them. */
  readonly page?: string;
  readonly index?: number;
  readonly gva?: number;
  /**
   * Time at which it was first seen; EIP of the instruction that broke it, -1: something from outside did, -2: found by
   * an audit that was asked for, not known.
   */
  readonly time: number;
  readonly by: number;
  /** Name of the event that touched the entry; absent when none told of it. */
  readonly event?: string;
}

export interface ReportedShadowPage {
  readonly hpa: string;
  readonly gfn: number;
  readonly role: {
    readonly word: number;
    readonly glevels: number;
    readonly level: number;
    readonly quadrant: number;
    readonly metaphysical: boolean;
    readonly hugepage_access: number;
    /** The version whose role word it is, and its own fields. */
    readonly layout: string;
    readonly fields: Readonly<Record<string, number>>;
  };
  readonly unsync: boolean;
  readonly rootCount: number;
  readonly parents: readonly string[];
  readonly sptes: readonly (readonly [number, string])[];
}

const REGISTERS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];
const SPTES = 512;
const INVALID_PAGE = "0xffffffffffffffff";

/** Lower-case hexadecimal without leading zeros. */
const hex = (value: number): string => `0x${value.toString(16)}`;

/** A 64-bit value of two unsigned words. */
export function hex64(low: number, high: number): string {
  return high === 0 ? hex(low) : `${hex(high)}${low.toString(16).padStart(8, "0")}`;
}

/**
 * @param audited whether an audit is part of the report (`--audit off`: it is not, and nothing is checked)
 * @param kind of the image that was started; null: there was none of its own
 */
export function makeReport(machine: Machine, audited: boolean, kind: LoadedKind | null = null): RunReport {
  const { cpu, kvm, memory, setup, slots } = machine;
  const audit = audited ? machine.audit() : { checked: [], violations: [] };
  // The continuous audit has seen more than what is wrong at the end.
  const violations =
    setup.audit === "every" || setup.audit === "full" ? machine.watch.findings.list : audit.violations;
  const bare = kvm === null && machine.nested === null;
  const counts = machine.counts();
  const entry = (hpa: number): string => hex64(memory.u32[hpa >>> 2]!, memory.u32[(hpa >>> 2) + 1]!);
  const root = kvm?.rootHpa ?? -1;
  return {
    version: 1,
    stop: { reason: machine.stop.reason, eip: cpu.eip >>> 0, detail: machine.stop.detail },
    instructions: machine.instructions,
    policy: setup.policy,
    tlb: bare ? "bare" : setup.tlb,
    hazards: Object.fromEntries(HAZARDS.map((h) => [h.id, setup.hazards[h.id] ?? "guarded"])),
    image: kind === null ? null : { kind },
    machine: {
      kind: setup.machine ?? "bare",
      memory: setup.memory + setup.memoryHigh,
      slots: slots.slots.map(({ gfn, pages, hfn }) => ({ gfn, pages, hfn })),
    },
    cpu: reportCpu(machine),
    fpu: reportFpu(machine),
    counters: Object.fromEntries(COUNTERS.map((row, i) => [row.name, counts?.[i] ?? 0])),
    root_hpa: root < 0 ? INVALID_PAGE : hex(root),
    pae_root: [0, 1, 2, 3].map((slot) => (root < 0 ? INVALID_PAGE : entry(root + slot * 8))),
    shadowPages: reportShadowPages(machine, entry),
    audit: {
      checked: audit.checked,
      violations: violations.map(reportViolation),
    },
    serial: latin1(machine.serial.output()),
    nested:
      machine.nested === null
        ? null
        : {
            levels: machine.nested.tables.levels,
            walk_cache: machine.nested.walkCache,
            root_hpa: hex(machine.nested.tables.root),
            tables: machine.nested.tables.tables,
          },
  };
}

function reportViolation(violation: DatedViolation): ReportedViolation {
  const { invariant, message, page, index, gva, time, by, eventName } = violation;
  return {
    invariant,
    message,
    ...(page === undefined ? {} : { page: hex(page) }),
    ...(index === undefined ? {} : { index }),
    ...(gva === undefined ? {} : { gva }),
    time,
    by,
    ...(eventName === "" ? {} : { event: eventName }),
  };
}

function reportCpu(machine: Machine): Record<string, number> {
  const { cpu } = machine;
  const values: Record<string, number> = {};
  REGISTERS.forEach((name, i) => {
    values[name] = cpu.regs[i]! >>> 0;
  });
  values.eip = cpu.eip >>> 0;
  values.eflags = cpu.eflags >>> 0;
  SEGMENTS.forEach((name, i) => {
    values[name] = cpu.segSelector[i]! & 0xffff;
  });
  values.cpl = cpu.cpl;
  for (const name of ["cr0", "cr2", "cr3", "cr4", "efer"] as const) values[name] = cpu[name] >>> 0;
  return values;
}

function reportFpu(machine: Machine): ReportedFpu {
  const { fpu } = machine.cpu;
  const digits = (value: number, width: number): string => (value >>> 0).toString(16).padStart(width, "0");
  return {
    control: fpu.cw,
    status: fpu.status,
    tags: fpu.tagWord,
    st: Array.from({ length: 8 }, (_, i) => {
      const p = fpu.physical(i);
      return digits(fpu.se[p]!, 4) + digits(fpu.hi[p]!, 8) + digits(fpu.lo[p]!, 8);
    }),
  };
}

function reportShadowPages(machine: Machine, entry: (hpa: number) => string): ReportedShadowPage[] {
  const pages = machine.kvm?.shadowPages() ?? [];
  return pages.map((page) => {
    const sptes: [number, string][] = [];
    for (let i = 0; i < SPTES; i++) {
      const value = entry(page.hpa + i * 8);
      if (value !== "0x0") sptes.push([i, value]);
    }
    const { glevels, level, quadrant, metaphysical, hugepageAccess } = page.role;
    const { word, layout, fields, unsync } = page;
    return {
      hpa: hex(page.hpa),
      gfn: page.gfn,
      role: {
        word,
        glevels,
        level,
        quadrant,
        metaphysical,
        hugepage_access: hugepageAccess,
        layout,
        fields,
      },
      unsync,
      rootCount: page.rootCount,
      parents: page.parents.map(hex),
      sptes,
    };
  });
}
