/**
 * Views: what is on somebody's screen, and what the lab says of it. A client opens a view with a request and gets its
 * data at once and then whenever it changed (page versions and counters tell). Views peek: they never set A or D, fault or fill.
 * 32-bit values are unsigned numbers; 64-bit entries are pairs of words in a Uint32Array, low first.
 */
import * as v from "valibot";
import { PHYSICAL_LIMIT, Space } from "./commands.ts";
import { u32, whole } from "./config.ts";
import type { ExperimentResultView, ExperimentView } from "./experiments.ts";
import { type DevicesView, PC_VIEWS, type ScreenView } from "./pc.ts";
import { type CompareView, type ScenarioView, STORY_VIEWS } from "./stories.ts";

const AccessKind = v.picklist(["read", "write", "fetch"], "access must be read, write or fetch");

export const ViewRequest = v.variant(
  "kind",
  [
    v.strictObject({
      kind: v.literal("memory"),
      space: Space,
      address: whole(0, PHYSICAL_LIMIT - 1, "address"),
      length: whole(1, 65536, "length"),
    }),
    v.strictObject({ kind: v.literal("cpu") }),
    v.strictObject({
      kind: v.literal("disassembly"),
      /** Linear address, or null: around EIP. */
      address: v.nullable(u32("address")),
      count: whole(1, 200, "count"),
      /** Lines wanted in front of `address`, which is where an instruction begins; for reading upwards. */
      before: v.optional(whole(0, 200, "before")),
    }),
    v.strictObject({ kind: v.literal("shadowPages") }),
    v.strictObject({ kind: v.literal("shadowPage"), hpa: u32("hpa") }),
    /**
     * One guest table beside all its shadow pages. `gfn` null: follow the table about to be written (while the machine
     * stands still), else the last pte_write, else the page directory.
     */
    v.strictObject({
      kind: v.literal("table"),
      gfn: v.nullable(whole(0, 0xff_ffff, "gfn")),
      level: v.nullable(whole(1, 3, "level")),
    }),
    v.strictObject({ kind: v.literal("walk"), gva: u32("gva"), access: AccessKind, user: v.boolean() }),
    /** The guest's tables as a list (directory entries, then what they map), for the Address space pane. */
    v.strictObject({ kind: v.literal("addressSpace") }),
    v.strictObject({
      kind: v.literal("events"),
      /** Newest kept; `kinds` empty: all. */
      kinds: v.array(v.string()),
      most: whole(1, 5000, "most"),
      /** Show a window that ends before this sequence number (scrolling back), or null: the newest. */
      before: v.nullable(whole(0, Number.MAX_SAFE_INTEGER, "before")),
    }),
    v.strictObject({ kind: v.literal("counters") }),
    v.strictObject({ kind: v.literal("console") }),
    v.strictObject({ kind: v.literal("audit") }),
    /** The experiment that runs, or how the last one ended. */
    v.strictObject({ kind: v.literal("experiment") }),
    /** The last experiment's result. */
    v.strictObject({ kind: v.literal("experimentResult") }),
    ...PC_VIEWS,
    ...STORY_VIEWS,
  ],
  (issue) => `unknown view ${issue.received}`,
);
export type ViewRequest = v.InferOutput<typeof ViewRequest>;
export type ViewKind = ViewRequest["kind"];

/** What a guest-physical or host page is, for colouring. Index into PAGE_ROLES. */
export const PAGE_ROLES = [
  "memory",
  "page directory",
  "page table",
  "page-directory-pointer table",
  "shadow page",
  "pae_root",
  "hypervisor",
  "no memory",
  "not mapped",
] as const;
export const ROLE_MEMORY = 0;
export const ROLE_PD = 1;
export const ROLE_PT = 2;
export const ROLE_PDPT = 3;
export const ROLE_SHADOW = 4;
export const ROLE_PAE_ROOT = 5;
export const ROLE_HYPERVISOR = 6;
export const ROLE_NO_MEMORY = 7;
export const ROLE_NOT_MAPPED = 8;

export interface MemoryView {
  readonly kind: "memory";
  readonly space: Space;
  readonly address: number;
  readonly bytes: Uint8Array;
  /** One value a byte: 0 not readable here (no memory, not mapped), 1 readable, 2 changed since the push before. */
  readonly state: Uint8Array;
  /** One row a 4 KiB page the range touches. */
  readonly pages: readonly MemoryPageInfo[];
}

export interface MemoryPageInfo {
  /** Address of the page in the view's space. */
  readonly address: number;
  /** Index into PAGE_ROLES. */
  readonly role: number;
  /** Guest-physical page, or -1; host-physical page, or -1. */
  readonly gpa: number;
  readonly hpa: number;
  /** Entry size of the table in this page (4 or 8), 0 when it is no table. */
  readonly entrySize: number;
  /** Level of the table (1 … 3), 0 when it is no table. */
  readonly level: number;
  /** True when a shadow page write-protects it. */
  readonly writeProtected: boolean;
}

export interface SegmentInfo {
  readonly name: string;
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly attributes: number;
}

/** One of ST(0) to ST(7) as it is encoded: sign and exponent (16 bits), the significand's halves, unsigned. */
export interface FpuRegister {
  readonly se: number;
  readonly hi: number;
  readonly lo: number;
  /** Of the tag word: 0 valid, 1 zero, 2 special, 3 empty. */
  readonly tag: number;
}

/** The x87 unit (SDM vol. 1, 8.1). */
export interface FpuInfo {
  readonly control: number;
  readonly status: number;
  readonly stack: readonly FpuRegister[];
  /** The last instruction that was no control instruction: where it stood, its opcode (11 bits), its memory operand. */
  readonly ip: number;
  readonly cs: number;
  readonly opcode: number;
  readonly dp: number;
  readonly ds: number;
}

export interface CpuView {
  readonly kind: "cpu";
  /** eax ecx edx ebx esp ebp esi edi. */
  readonly regs: readonly number[];
  readonly eip: number;
  readonly eflags: number;
  readonly cpl: number;
  readonly segments: readonly SegmentInfo[];
  readonly gdtr: { readonly base: number; readonly limit: number };
  readonly idtr: { readonly base: number; readonly limit: number };
  readonly cr0: number;
  readonly cr2: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly fpu: FpuInfo;
  /** Guest paging: "off", "2-level", "PAE". */
  readonly paging: string;
  /** What the hardware's paging unit holds (the hypervisor's values, or the guest's own when bare). */
  readonly hardware: { readonly mode: string; readonly cr3: number; readonly tlbEntries: number };
  readonly pdptrs: readonly { readonly low: number; readonly high: number }[];
  /** Bit i: regs[i] changed since the push before; bit 8: eip, 9: eflags, 10: cr0, 11: cr2, 12: cr3, 13: cr4. */
  readonly changed: number;
}

export interface DisassemblyLine {
  readonly address: number;
  readonly bytes: string;
  readonly text: string;
  /** Nearest symbol at this address, when one begins here. */
  readonly symbol: string | null;
  readonly current: boolean;
  readonly breakpoint: boolean;
  /** Linear addresses that operands or branches name: a click goes there. */
  readonly target: number | null;
}

export interface DisassemblyView {
  readonly kind: "disassembly";
  readonly lines: readonly DisassemblyLine[];
}

export interface ShadowPageInfo {
  readonly hpa: number;
  readonly gfn: number;
  /** The lab's own role word: key of the page, the same for all policies. */
  readonly role: number;
  /** The role word as the policy's version has it, and its fields in words. */
  readonly word: number;
  readonly fields: string;
  readonly level: number;
  readonly quadrant: number;
  readonly glevels: number;
  readonly metaphysical: boolean;
  readonly hugepageAccess: number;
  /** Rights in the key of every page, as the tracepoints write them ("wu-"); "" in 2006 and 2007. */
  readonly access: string;
  /** Out of sync with its guest table. */
  readonly unsync: boolean;
  readonly rootCount: number;
  /** hpa of each parent spte, ascending. */
  readonly parents: readonly number[];
  readonly present: number;
  readonly writable: number;
}

export interface ShadowPagesView {
  readonly kind: "shadowPages";
  readonly pages: readonly ShadowPageInfo[];
  readonly free: number;
  readonly total: number;
  readonly paeRoot: readonly { readonly low: number; readonly high: number }[];
}

export interface ShadowPageView {
  readonly kind: "shadowPage";
  readonly info: ShadowPageInfo | null;
  /** 512 sptes, 1024 words, low first. */
  readonly sptes: Uint32Array;
  /** One value an spte: 1 changed since the push before. */
  readonly changed: Uint8Array;
  /** Indices of sptes that an open audit violation names. */
  readonly bad: readonly number[];
}

/** The last pte_write to the table's gfn: what it touched and what it skipped. */
export interface LastWrite {
  /** Running number of the pte_writes of this machine, from 1. */
  readonly seq: number;
  readonly time: number;
  readonly offset: number;
  readonly bytes: number;
  readonly low: number;
  readonly high: number;
  readonly flooded: boolean;
  readonly count: number;
  readonly pages: readonly {
    readonly hpa: number;
    readonly role: number;
    /** Index into PTE_WRITE_VERDICT. */
    readonly verdict: number;
    readonly quadrant: number;
    readonly index: number;
    readonly npte: number;
  }[];
}

/**
 * The store that the instruction at EIP is about to make into the table, while the machine stands still: what the
 * present policy would do with each shadow page. Foretold by looking alone.
 */
export interface UpcomingWrite {
  /** Linear address of the instruction, and the instruction itself. */
  readonly eip: number;
  readonly text: string;
  readonly offset: number;
  readonly bytes: number;
  /** The value about to be stored, or null when it is not known before the instruction runs. */
  readonly value: { readonly low: number; readonly high: number } | null;
  readonly flooded: boolean;
  readonly count: number;
  /** As in LastWrite, by quadrant; empty when the table has no shadow page. */
  readonly pages: LastWrite["pages"];
}

export interface TableView {
  readonly kind: "table";
  /**
   * False in a push that tells of entries and sptes alone: while the machine writes without a pause, what is said of the
   * table (lastWrite, frames, upcoming) is renewed some ten times a second only.
   */
  readonly words: boolean;
  readonly gfn: number;
  /** 1 page table, 2 page directory, 3 PDPT. */
  readonly level: number;
  readonly entrySize: 4 | 8;
  /** Entries of the guest table: entrySize 4: 1024 words; 8: 1024 words in pairs. Empty when there is no memory. */
  readonly entries: Uint32Array;
  /** One value a guest entry: 1 changed since the push before. */
  readonly changed: Uint8Array;
  /** Guest-virtual base that entry 0 maps in the current address space, or null when the table is not linked. */
  readonly gvaBase: number | null;
  readonly shadows: readonly {
    readonly info: ShadowPageInfo;
    readonly sptes: Uint32Array;
    readonly changed: Uint8Array;
    readonly bad: readonly number[];
  }[];
  readonly lastWrite: LastWrite | null;
  /** Null while the machine runs, and when the next instruction does not store into this table. */
  readonly upcoming: UpcomingWrite | null;
  /** Host frames that the shadow leaves map, with their rmap length: [hfn, gfn, rmap count]. At most 64, nearest the last write. */
  readonly frames: readonly {
    readonly hfn: number;
    readonly gfn: number;
    readonly rmap: number;
    readonly spte: number;
  }[];
  /** Guest tables of the current address space, for choosing another: gfn, level, label. */
  readonly tables: readonly { readonly gfn: number; readonly level: number; readonly label: string }[];
}

export interface WalkStep {
  /** "guest", "shadow" or "tlb". */
  readonly side: "guest" | "shadow" | "tlb";
  /** e.g. "PDE 32", "spte 72 (level 1)". */
  readonly label: string;
  readonly level: number;
  readonly index: number;
  /** Where the entry lies (gpa for guest, hpa for shadow). */
  readonly address: number;
  readonly entrySize: 4 | 8;
  readonly low: number;
  readonly high: number;
  /** Name of the bit that decides (e.g. "P", "W", "U", "NX"), when this step ends the walk in a fault. */
  readonly decides: string | null;
  readonly note: string;
}

/** Guest steps down, host levels across. */
export interface NestedWalkInfo {
  /** Host levels: 3 or 4. */
  readonly levels: number;
  /** Entries of each page-walk cache; 0: none. */
  readonly walkCache: number;
  readonly rows: readonly {
    /** "PDE 32", "PTE 72", "page". */
    readonly label: string;
    readonly gpa: number;
    /** Host entries, top down. `cached`: a walk cache spares reading it. */
    readonly host: readonly {
      readonly level: number;
      readonly index: number;
      readonly hpa: number;
      readonly low: number;
      readonly high: number;
      readonly present: boolean;
      readonly cached: boolean;
    }[];
    /** -1: a nested fault. */
    readonly hpa: number;
    readonly references: number;
    /** The walk cache knows what the guest's entry says: nothing of the row is read. */
    readonly spared: boolean;
  }[];
  readonly references: number;
  /** (g + 1)(h + 1) - 1. */
  readonly formula: number;
  readonly text: string;
}

export interface WalkView {
  readonly kind: "walk";
  readonly gva: number;
  readonly steps: readonly WalkStep[];
  readonly guest: {
    readonly ok: boolean;
    readonly gpa: number;
    readonly error: number;
    readonly text: string;
  };
  /** Null under `none` and nested paging. */
  readonly shadow: { readonly ok: boolean; readonly hpa: number; readonly text: string } | null;
  /** The walk in two dimensions; null but under nested paging. */
  readonly nested: NestedWalkInfo | null;
  readonly tlb: { readonly hit: boolean; readonly text: string };
}

export interface AddressSpaceView {
  readonly kind: "addressSpace";
  readonly cr3: number;
  readonly mode: string;
  readonly rows: readonly {
    readonly level: number;
    readonly index: number;
    readonly gva: number;
    readonly length: number;
    readonly gfn: number;
    readonly low: number;
    readonly high: number;
    readonly what: "table" | "large page" | "page";
    readonly present: number;
  }[];
}

export interface EventsView {
  readonly kind: "events";
  readonly total: number;
  readonly oldest: number;
  /** Oldest first; `words` as in the ring, to be shown with EVENT_KINDS. */
  readonly events: readonly {
    readonly seq: number;
    readonly kind: number;
    readonly time: number;
    readonly eip: number;
    readonly words: readonly number[];
  }[];
}

export interface CountersView {
  readonly kind: "counters";
  readonly rows: readonly {
    readonly name: string;
    readonly value: number;
    readonly help: string;
    readonly group: "vcpu" | "mmu" | "quadrant" | "guards" | "nested";
  }[];
}

export interface ConsoleView {
  readonly kind: "console";
  /** The last 64 KiB the guest wrote to its serial port, one character U+0000 … U+00FF a byte. */
  readonly text: string;
  readonly total: number;
}

export interface AuditView {
  readonly kind: "audit";
  readonly mode: string;
  readonly checkedAt: number;
  readonly report: import("./commands.ts").AuditReport | null;
}

export type ViewData =
  | MemoryView
  | CpuView
  | DisassemblyView
  | ShadowPagesView
  | ShadowPageView
  | TableView
  | WalkView
  | AddressSpaceView
  | EventsView
  | CountersView
  | ConsoleView
  | AuditView
  | ScreenView
  | DevicesView
  | ExperimentView
  | ExperimentResultView
  | ScenarioView
  | CompareView;
