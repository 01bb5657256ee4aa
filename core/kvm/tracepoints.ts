/**
 * The tracepoints of KVM's system `kvmmmu` in 2.6.32, in 3.1 and today, and the trace as text in each version's format.
 * docs/kvm-shadow-mmu.md 10.3. Time is written as ftrace does, one unit of the machine a microsecond.
 */
import {
  EV_CHECK_MMIO_SPTE,
  EV_GET_PAGE,
  EV_HANDLE_MMIO_PAGE_FAULT,
  EV_MARK_MMIO_SPTE,
  EV_PAGETABLE_WALK,
  EV_PAGING_ELEMENT,
  EV_SET_ACCESSED,
  EV_SET_DIRTY,
  EV_SET_SPTE,
  EV_SPTE_REQUESTED,
  EV_SYNC_PAGE,
  EV_UNSYNC_PAGE,
  EV_WALKER_ERROR,
  EV_ZAP_ALL_FAST,
  EV_ZAP_PAGE,
} from "../trace/events.ts";
import type { Trace, TraceEvent } from "../trace/trace.ts";
import {
  accessLetters,
  ROLE_INVALID,
  ROLE_NXE,
  ROLE_PGE,
  roleAccess,
  roleGlevels,
  roleLevel,
  roleMetaphysical,
  roleQuadrant,
} from "./shadow/role.ts";

export const TRACE_FORMATS = ["2.6.32", "3.1", "modern"] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface Tracepoint {
  readonly name: string;
  readonly formats: readonly TraceFormat[];
  /** Kind of the lab's event (EV_…), or -1: it cannot happen here. */
  readonly kind: number;
  /** Why it cannot happen. */
  readonly why: string;
}

const ALL = TRACE_FORMATS;
const SINCE_31: readonly TraceFormat[] = ["3.1", "modern"];
const TODAY: readonly TraceFormat[] = ["modern"];
const point = (name: string, formats: readonly TraceFormat[], kind: number): Tracepoint => ({
  name,
  formats,
  kind,
  why: "",
});
const never = (name: string, formats: readonly TraceFormat[], why: string): Tracepoint => ({
  name,
  formats,
  kind: -1,
  why,
});

/** Every tracepoint of 10.3. */
export const TRACEPOINTS: readonly Tracepoint[] = [
  point("kvm_mmu_pagetable_walk", ALL, EV_PAGETABLE_WALK),
  point("kvm_mmu_paging_element", ALL, EV_PAGING_ELEMENT),
  point("kvm_mmu_set_accessed_bit", ALL, EV_SET_ACCESSED),
  point("kvm_mmu_set_dirty_bit", ALL, EV_SET_DIRTY),
  point("kvm_mmu_walker_error", ALL, EV_WALKER_ERROR),
  point("kvm_mmu_get_page", ALL, EV_GET_PAGE),
  point("kvm_mmu_sync_page", ALL, EV_SYNC_PAGE),
  point("kvm_mmu_unsync_page", ALL, EV_UNSYNC_PAGE),
  point("kvm_mmu_zap_page", ["2.6.32"], EV_ZAP_PAGE),
  point("kvm_mmu_prepare_zap_page", SINCE_31, EV_ZAP_PAGE),
  never("kvm_mmu_delay_free_pages", ["3.1"], "one processor: no reader has to be waited for"),
  point("mark_mmio_spte", SINCE_31, EV_MARK_MMIO_SPTE),
  point("handle_mmio_page_fault", SINCE_31, EV_HANDLE_MMIO_PAGE_FAULT),
  never("kvm_mmu_audit", ["3.1"], "the kernel's own audit is off by default; the lab's leaves no trace"),
  never("fast_page_fault", TODAY, "answers write protection for dirty logging, which is off"),
  point("kvm_mmu_zap_all_fast", TODAY, EV_ZAP_ALL_FAST),
  point("check_mmio_spte", TODAY, EV_CHECK_MMIO_SPTE),
  point("kvm_mmu_set_spte", TODAY, EV_SET_SPTE),
  point("kvm_mmu_spte_requested", TODAY, EV_SPTE_REQUESTED),
  never("kvm_tdp_mmu_spte_changed", TODAY, "two-dimensional paging has no shadow pages"),
  never("kvm_mmu_split_huge_page", TODAY, "host memory is in 4 KiB pages: there are no large sptes"),
];

const ERROR_BITS: readonly (readonly [bit: number, letter: string])[] = [
  [1, "P"],
  [2, "W"],
  [4, "U"],
  [8, "RSVD"],
  [16, "F"],
];

const hex = (value: number): string => value.toString(16);
const hex64 = (low: number, high: number): string =>
  high === 0 ? hex(low) : hex(high) + hex(low).padStart(8, "0");
const pferr = (code: number): string =>
  `pferr ${hex(code)} ${ERROR_BITS.filter(([bit]) => (code & bit) !== 0)
    .map(([, letter]) => letter)
    .join("|")}`;

/** A shadow page. Rights that are not part of the key (2006, 2007) are dashes. */
function page(
  format: TraceFormat,
  gfn: number,
  role: number,
  roots: number,
  unsync: number,
  gen: number,
): string {
  const has = (bit: number): string => ((role & bit) === 0 ? "!" : "");
  const direct = roleMetaphysical(role) ? " direct" : "";
  const invalid = (role & ROLE_INVALID) !== 0 ? " invalid" : "";
  const rights = `${direct} ${accessLetters(roleAccess(role))}${invalid}`;
  const tail = `root ${roots} ${unsync === 0 ? "sync" : "unsync"}`;
  const [level, q] = [roleLevel(role), roleQuadrant(role)];
  if (format === "2.6.32") {
    return `sp gfn ${hex(gfn)} ${level}/${roleGlevels(role)} q${q}${rights} ${has(ROLE_PGE)}pge ${has(ROLE_NXE)}nxe ${tail}`;
  }
  if (format === "3.1") {
    const pae = roleGlevels(role) >= 3 ? " pae" : "";
    return `sp gfn ${hex(gfn)} ${level}${pae} q${q}${rights} ${has(ROLE_NXE)}nxe ${tail}`;
  }
  const size = roleGlevels(role) === 2 ? 4 : 8;
  return `sp gen ${gen} gfn ${hex(gfn)} l${level} ${size}-byte q${q}${rights} ${has(ROLE_NXE)}nxe ad ${tail}`;
}

const pointer = (hpa: number): string => hex(hpa).padStart(16, "0");

function payload(format: TraceFormat, { kind, words: w }: TraceEvent, gen: number): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = w;
  switch (kind) {
    case EV_PAGETABLE_WALK:
      return `addr ${hex(a)} ${pferr(b)}`;
    case EV_PAGING_ELEMENT:
      return `pte ${hex64(a, b)} level ${c}`;
    case EV_SET_ACCESSED:
    case EV_SET_DIRTY:
      return `gpa ${hex64(a, b)}`;
    case EV_WALKER_ERROR:
      return pferr(a);
    case EV_GET_PAGE:
      return `${page(format, b, c, e, f, gen)} ${d === 1 ? "new" : "existing"}`;
    case EV_ZAP_PAGE:
      return page(format, b, c, e, f, gen);
    case EV_SYNC_PAGE:
    case EV_UNSYNC_PAGE:
      return page(format, b, c, d, e, gen);
    case EV_MARK_MMIO_SPTE:
      return `sptep:${pointer(a)} gfn ${hex(b)} access ${hex(c)}${format === "modern" ? " gen 0" : ""}`;
    case EV_HANDLE_MMIO_PAGE_FAULT:
      return `addr:${hex(a)} gfn ${hex(b)} access ${hex(c)}`;
    case EV_ZAP_ALL_FAST:
      return `kvm-mmu-valid-gen ${a} used_pages ${hex(b)}`;
    case EV_CHECK_MMIO_SPTE:
      return `spte ${hex64(a, b)} kvm_gen ${hex(c)} spte-gen ${hex(d)} valid ${c === d ? 1 : 0}`;
    case EV_SET_SPTE: {
      const rights = `r${(b & 2) !== 0 ? "w" : "-"}${c >>> 31 === 0 ? "x" : "-"}${(b & 4) !== 0 ? "u" : "-"}`;
      return `gfn ${hex(a)} spte ${hex64(b, c)} (${rights}) level ${d} at ${hex(e)}`;
    }
    default:
      return `gfn ${hex(a)} pfn ${hex(b)} level ${c}`;
  }
}

/** Turns a trace into text, part after part, so that a long run loses nothing. */
export class TraceExport {
  readonly format: TraceFormat;
  private readonly names = new Map<number, string>();
  private next = 0;
  private generation = 0;

  constructor(format: TraceFormat) {
    this.format = format;
    for (const { name, formats, kind } of TRACEPOINTS) {
      if (kind >= 0 && formats.includes(format)) this.names.set(kind, name);
    }
  }

  /** The lines above the first event, as the file `trace` begins. */
  header(): string {
    return [
      "# tracer: nop",
      "#",
      "#           TASK-PID    CPU#    TIMESTAMP  FUNCTION",
      "#              | |       |          |         |",
      "",
    ].join("\n");
  }

  /** The events since the last call, a line each. */
  lines(trace: Trace): string {
    const text: string[] = [];
    if (trace.oldest > this.next) text.push(`# ${trace.oldest - this.next} events were lost here\n`);
    for (let seq = Math.max(this.next, trace.oldest); seq < trace.count; seq++) {
      const name = this.names.get(trace.kindAt(seq));
      if (name === undefined) continue;
      const event = trace.at(seq)!;
      if (event.kind === EV_ZAP_ALL_FAST) this.generation = event.words[0]! ^ 1;
      const micro = String(event.time % 1_000_000).padStart(6, "0");
      const seconds = String(Math.floor(event.time / 1_000_000)).padStart(5);
      const task = this.format === "modern" ? "quadrant-1       [000] ..... " : "quadrant-1     [000] ";
      text.push(
        `        ${task}${seconds}.${micro}: ${name}: ${payload(this.format, event, this.generation)}\n`,
      );
    }
    this.next = trace.count;
    return text.join("");
  }
}
