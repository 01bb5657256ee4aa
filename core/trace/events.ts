/**
 * The event kinds of the machine, as data: one row a kind, with its fields in the order they are recorded.
 * The ring, the filters, the lab's views and the window all read this one table.
 *
 * An event is 12 words of 32 bits: kind, time low, time high, eip, then up to eight fields.
 * A 64-bit field takes two words (low, high); its name stands once in the table with width 2.
 */

/** How a field's value is shown and what a click on it goes to. */
export type FieldFormat =
  | "dec"
  | "hex32"
  | "hex64"
  | "gva"
  | "gpa"
  | "hpa"
  | "gfn"
  | "role"
  | "spte"
  | "index"
  | "bool"
  | { readonly names: readonly string[] };

export interface EventField {
  readonly name: string;
  /** Words of 32 bits: 1, or 2 for a 64-bit value stored low word first. */
  readonly width: 1 | 2;
  readonly format: FieldFormat;
}

/** Groups are what the Events pane filters by. */
export type EventGroup =
  | "exit"
  | "fault"
  | "walk"
  | "sp"
  | "spte"
  | "write"
  | "tlb"
  | "cr"
  | "outside"
  | "hazard";

export interface EventKind {
  readonly id: number;
  readonly name: string;
  readonly group: EventGroup;
  readonly help: string;
  readonly fields: readonly EventField[];
}

const f1 = (name: string, format: FieldFormat): EventField => ({ name, width: 1, format });
const f2 = (name: string, format: FieldFormat): EventField => ({ name, width: 2, format });

/** Why a whole shadow page was zapped. Index = the value recorded in `zap_page`. */
export const ZAP_WHY = [
  "misaligned",
  "flooded",
  "recycled",
  "unprotect",
  "user-write",
  "zap-all",
  "guard",
  "sync",
  "root",
] as const;
export const ZAP_MISALIGNED = 0;
export const ZAP_FLOODED = 1;
export const ZAP_RECYCLED = 2;
export const ZAP_UNPROTECT = 3;
export const ZAP_USER_WRITE = 4;
export const ZAP_ALL = 5;
export const ZAP_GUARD = 6;
/** Out of sync, of another mode or with nothing left; or below an upper page that is zapped. */
export const ZAP_SYNC = 7;
/** An invalid root lost its last use. */
export const ZAP_ROOT = 8;

/** Why an spte changed. Index = the value recorded in `spte_set` and `spte_clear`. */
export const SPTE_WHY = [
  "fetch",
  "link",
  "pte_write",
  "update_pte",
  "fix_write_pf",
  "fix_read_pf",
  "rmap_write_protect",
  "zap_page",
  "unlink_children",
  "nonpaging",
  "cpu-accessed-dirty",
  "guard",
  "raw-edit",
  "sync",
  "invlpg",
] as const;
export const SPTE_FETCH = 0;
export const SPTE_LINK = 1;
export const SPTE_PTE_WRITE = 2;
export const SPTE_UPDATE_PTE = 3;
export const SPTE_FIX_WRITE_PF = 4;
export const SPTE_FIX_READ_PF = 5;
export const SPTE_RMAP_WRITE_PROTECT = 6;
export const SPTE_ZAP_PAGE = 7;
export const SPTE_UNLINK_CHILDREN = 8;
export const SPTE_NONPAGING = 9;
export const SPTE_CPU_AD = 10;
export const SPTE_GUARD = 11;
export const SPTE_RAW_EDIT = 12;
export const SPTE_SYNC = 13;
export const SPTE_INVLPG = 14;

/** What `pte_write` did with one shadow page of the written gfn. Index = `verdict` of `pte_write_page`. */
export const PTE_WRITE_VERDICT = [
  "touched",
  "skipped: wrong quadrant",
  "zapped: misaligned",
  "zapped: flooded",
  "out of sync: not told",
] as const;
export const VERDICT_TOUCHED = 0;
export const VERDICT_SKIPPED = 1;
export const VERDICT_MISALIGNED = 2;
export const VERDICT_FLOODED = 3;
/** Foretold only: the write does not reach pte_write (9.3). */
export const VERDICT_UNSYNC = 4;

/** Why the TLB was flushed. Index = `why` of `tlb_flush`. */
export const FLUSH_WHY = [
  "mov-cr3",
  "control-register",
  "exit (vmx)",
  "rmap_write_protect",
  "unlink_children",
  "set_pte_common",
  "reset_context",
  "zap-all",
  "remote",
  "guard",
  "local",
] as const;
export const FLUSH_MOV_CR3 = 0;
export const FLUSH_CR = 1;
export const FLUSH_EXIT = 2;
export const FLUSH_RMAP_WRITE_PROTECT = 3;
export const FLUSH_UNLINK_CHILDREN = 4;
export const FLUSH_SET_PTE_COMMON = 5;
export const FLUSH_RESET_CONTEXT = 6;
export const FLUSH_ZAP_ALL = 7;
export const FLUSH_REMOTE = 8;
export const FLUSH_GUARD = 9;
export const FLUSH_LOCAL = 10;

/** Who wrote, for `edit`. Index = `as`. */
export const EDIT_AS = ["guest CPL 0", "guest CPL 3", "emulator", "device (DMA)", "raw host"] as const;

/** The exit reasons of the door (`core/x86/door.ts`), by value. */
export const EXIT_NAMES = [
  "none",
  "#PF",
  "cr-write",
  "cr-read",
  "clts",
  "lmsw",
  "invlpg",
  "io",
  "hlt",
  "cpuid",
  "rdmsr",
  "wrmsr",
  "external-interrupt",
  "triple-fault",
  "outside",
  "nested-fault",
  "task-switch",
] as const;

/** A shadow page as the tracepoints of later versions show it. */
const SP: readonly EventField[] = [
  f1("hpa", "hpa"),
  f1("gfn", "gfn"),
  f1("role", "role"),
  f1("rootCount", "dec"),
  f1("unsync", "bool"),
];

const rows: readonly Omit<EventKind, "id">[] = [
  { name: "none", group: "exit", help: "Never recorded.", fields: [] },
  {
    name: "exit",
    group: "exit",
    help: "The processor left the guest for the hypervisor (one VM exit).",
    fields: [f1("reason", { names: EXIT_NAMES }), f1("qualification", "hex32"), f1("error", "hex32")],
  },
  {
    name: "exception",
    group: "fault",
    help: "An exception was delivered through the guest's IDT.",
    fields: [f1("vector", "dec"), f1("error", "hex32"), f1("cr2", "gva")],
  },
  {
    name: "interrupt",
    group: "fault",
    help: "An interrupt was delivered.",
    fields: [f1("vector", "dec"), f1("software", "bool")],
  },
  {
    name: "pf_guest",
    group: "fault",
    help: "The guest's own page fault: its tables forbid the access; #PF is injected.",
    fields: [f1("gva", "gva"), f1("error", "hex32"), f1("vector", "dec")],
  },
  {
    name: "pf_fixed",
    group: "fault",
    help: "A shadow fault that the hypervisor answered; the guest never sees it. write_pt: answered by emulating the write.",
    fields: [
      f1("gva", "gva"),
      f1("error", "hex32"),
      f1("gfn", "gfn"),
      f2("spte", "spte"),
      f1("write_pt", "bool"),
    ],
  },
  {
    name: "walk",
    group: "walk",
    help: "KVM walked the guest's tables. fault: error code plus 0x100 when the walk failed, else 0.",
    fields: [
      f1("gva", "gva"),
      f1("access", "hex32"),
      f1("fault", "hex32"),
      f1("level", "dec"),
      f1("gfn", "gfn"),
      f2("gpte", "hex64"),
    ],
  },
  {
    name: "set_accessed_bit",
    group: "walk",
    help: "KVM's walker set A in a guest entry.",
    fields: [f2("gpa", "gpa"), f1("level", "dec")],
  },
  {
    name: "set_dirty_bit",
    group: "walk",
    help: "KVM set D in a guest entry.",
    fields: [f2("gpa", "gpa"), f1("level", "dec")],
  },
  {
    name: "get_page",
    group: "sp",
    help: "kvm_mmu_get_page: a shadow page was looked up, and made when there was none.",
    fields: [
      f1("hpa", "hpa"),
      f1("gfn", "gfn"),
      f1("role", "role"),
      f1("result", { names: ["found", "new"] }),
      f1("rootCount", "dec"),
      f1("unsync", "bool"),
    ],
  },
  {
    name: "zap_page",
    group: "sp",
    help: "A whole shadow page was emptied (and freed, unless it is an active root).",
    fields: [
      f1("hpa", "hpa"),
      f1("gfn", "gfn"),
      f1("role", "role"),
      f1("why", { names: ZAP_WHY }),
      f1("rootCount", "dec"),
      f1("unsync", "bool"),
    ],
  },
  {
    name: "spte_set",
    group: "spte",
    help: "An spte got a new value.",
    fields: [
      f1("page", "hpa"),
      f1("index", "index"),
      f2("old", "spte"),
      f2("new", "spte"),
      f1("why", { names: SPTE_WHY }),
    ],
  },
  {
    name: "spte_clear",
    group: "spte",
    help: "An spte was set to 0.",
    fields: [f1("page", "hpa"), f1("index", "index"), f2("old", "spte"), f1("why", { names: SPTE_WHY })],
  },
  {
    name: "pte_write",
    group: "write",
    help: "kvm_mmu_pte_write: an emulated write reached the policy; count is the flood detector's.",
    fields: [
      f1("gfn", "gfn"),
      f1("offset", "hex32"),
      f1("bytes", "dec"),
      f2("value", "hex64"),
      f1("count", "dec"),
      f1("flooded", "bool"),
    ],
  },
  {
    name: "pte_write_page",
    group: "write",
    help: "What pte_write did with one shadow page of that gfn: the quadrant the write falls in, and the sptes.",
    fields: [
      f1("page", "hpa"),
      f1("role", "role"),
      f1("verdict", { names: PTE_WRITE_VERDICT }),
      f1("quadrant", "dec"),
      f1("index", "index"),
      f1("npte", "dec"),
    ],
  },
  {
    name: "rmap_write_protect",
    group: "spte",
    help: "Every writable mapping of a frame lost W.",
    fields: [f1("gfn", "gfn"), f1("sptes", "dec")],
  },
  {
    name: "tlb_flush",
    group: "tlb",
    help: "All translations were dropped from the TLB.",
    fields: [f1("why", { names: FLUSH_WHY })],
  },
  { name: "invlpg", group: "tlb", help: "INVLPG dropped one translation.", fields: [f1("gva", "gva")] },
  {
    name: "cr_write",
    group: "cr",
    help: "A control register was written.",
    fields: [f1("cr", "dec"), f1("old", "hex32"), f1("new", "hex32")],
  },
  {
    name: "wrmsr",
    group: "cr",
    help: "A model-specific register was written.",
    fields: [f1("msr", "hex32"), f2("value", "hex64")],
  },
  {
    name: "emulate",
    group: "exit",
    help: "The hypervisor ran one instruction of the guest on its emulator.",
    fields: [f1("gva", "gva"), f1("result", { names: ["done", "fault", "mmio", "unprotected", "failed"] })],
  },
  {
    name: "edit",
    group: "outside",
    help: "Somebody wrote memory from outside.",
    fields: [
      f1("space", { names: ["gva", "gpa", "hpa"] }),
      f1("as", { names: EDIT_AS }),
      f2("address", "hex64"),
      f1("bytes", "dec"),
      f2("value", "hex64"),
    ],
  },
  {
    name: "input",
    group: "outside",
    help: "Input arrived: a serial byte, an interrupt, a key, an access made by hand at an address, or a register that a debugger wrote.",
    fields: [
      f1("kind", { names: ["serial", "interrupt", "access", "key", "register"] }),
      f1("value", "hex32"),
    ],
  },
  {
    name: "policy",
    group: "outside",
    help: "The policy was changed; all shadow pages were zapped.",
    fields: [f1("from", "dec"), f1("to", "dec")],
  },
  {
    name: "hazard_switch",
    group: "outside",
    help: "A hazard was switched.",
    fields: [f1("hazard", "dec"), f1("setting", { names: ["guarded", "as-it-was"] })],
  },
  {
    name: "guard",
    group: "hazard",
    help: "A guard acted where the reference would have gone wrong.",
    fields: [f1("hazard", "dec"), f1("a", "hex32"), f1("b", "hex32")],
  },
  {
    name: "finding",
    group: "hazard",
    help: "An invariant of the simulated KVM was found violated.",
    fields: [f1("invariant", "dec"), f1("a", "hex32"), f1("b", "hex32")],
  },
  {
    name: "unprotect",
    group: "sp",
    help: "kvm_mmu_unprotect_page: shadows of a gfn were zapped to let a write through.",
    fields: [f1("gfn", "gfn"), f1("zapped", "dec")],
  },
  {
    name: "recycle",
    group: "sp",
    help: "The pool ran low; pages are reclaimed from the tail of the active list.",
    fields: [f1("free", "dec")],
  },
  {
    name: "serial_out",
    group: "outside",
    help: "The guest wrote a byte to its serial port.",
    fields: [f1("byte", "hex32")],
  },
  {
    name: "nested_fault",
    group: "fault",
    help: "Nested paging: the host tables had no translation of a guest-physical address; for says whose it is.",
    fields: [
      f1("gva", "gva"),
      f2("gpa", "gpa"),
      f1("error", "hex32"),
      f1("for", { names: ["page", "pte", "pde", "pdpt"] }),
      f1("answer", { names: ["mapped", "mmio"] }),
    ],
  },
  {
    name: "pagetable_walk",
    group: "walk",
    help: "KVM begins a walk of the guest's tables, for an access of these error code bits.",
    fields: [f1("gva", "gva"), f1("access", "hex32")],
  },
  {
    name: "paging_element",
    group: "walk",
    help: "The walk read one guest entry.",
    fields: [f2("gpte", "hex64"), f1("level", "dec")],
  },
  {
    name: "walker_error",
    group: "walk",
    help: "The walk ended in a fault of the guest's own.",
    fields: [f1("error", "hex32")],
  },
  {
    name: "sync_page",
    group: "sp",
    help: "A shadow page that was out of sync is read again from its guest table.",
    fields: SP,
  },
  {
    name: "unsync_page",
    group: "sp",
    help: "A leaf table's shadow page goes out of sync: the guest may write the table freely.",
    fields: SP,
  },
  {
    name: "mark_mmio_spte",
    group: "spte",
    help: "An spte remembers that its address has no memory.",
    fields: [f1("ptr", "hpa"), f1("gfn", "gfn"), f1("access", "hex32")],
  },
  {
    name: "check_mmio_spte",
    group: "spte",
    help: "The generation of such an spte was compared with the machine's.",
    fields: [f2("spte", "spte"), f1("kvm_gen", "dec"), f1("spte_gen", "dec")],
  },
  {
    name: "handle_mmio_page_fault",
    group: "fault",
    help: "A fault on an address without memory, known from its spte.",
    fields: [f1("gva", "gva"), f1("gfn", "gfn"), f1("access", "hex32")],
  },
  {
    name: "mmu_set_spte",
    group: "spte",
    help: "kvm_mmu_set_spte: a leaf was made or made anew.",
    fields: [f1("gfn", "gfn"), f2("spte", "spte"), f1("level", "dec"), f1("ptr", "hpa")],
  },
  {
    name: "spte_requested",
    group: "fault",
    help: "A fault asks for a leaf of this frame.",
    fields: [f1("gfn", "gfn"), f1("pfn", "hex32"), f1("level", "dec")],
  },
  {
    name: "zap_all_fast",
    group: "sp",
    help: "All shadow pages are zapped; the generation and how many pages were in use.",
    fields: [f1("generation", "dec"), f1("used", "dec")],
  },
  {
    name: "triple_fault",
    group: "fault",
    help: "An exception while #DF was being delivered: the processor shut down.",
    fields: [f1("at", "gva"), f1("then", { names: ["stopped", "reset"] })],
  },
  {
    name: "post",
    group: "outside",
    help: "The guest wrote a code to the POST port (0x80).",
    fields: [f1("code", "hex32")],
  },
  {
    name: "debug_out",
    group: "outside",
    help: "The guest wrote a byte to the debug console (port 0xe9).",
    fields: [f1("byte", "hex32")],
  },
  {
    name: "reset",
    group: "outside",
    help: "The guest reset the PC: through the keyboard controller, port 0x92 or 0xcf9, or by a triple fault.",
    fields: [f1("at", "gva")],
  },
  {
    name: "a20",
    group: "outside",
    help: "The A20 gate opened or closed.",
    fields: [f1("gate", { names: ["closed", "open"] })],
  },
];

/** All event kinds; the index is the id that a record carries. */
export const EVENT_KINDS: readonly EventKind[] = rows.map((row, id) => ({ ...row, id }));

const idOf = (name: string): number => {
  const kind = EVENT_KINDS.find((k) => k.name === name);
  if (kind === undefined) throw new Error(`no event kind named ${name}`);
  return kind.id;
};

export const EV_EXIT = idOf("exit");
export const EV_EXCEPTION = idOf("exception");
export const EV_INTERRUPT = idOf("interrupt");
export const EV_PF_GUEST = idOf("pf_guest");
export const EV_PF_FIXED = idOf("pf_fixed");
export const EV_WALK = idOf("walk");
export const EV_SET_ACCESSED = idOf("set_accessed_bit");
export const EV_SET_DIRTY = idOf("set_dirty_bit");
export const EV_GET_PAGE = idOf("get_page");
export const EV_ZAP_PAGE = idOf("zap_page");
export const EV_SPTE_SET = idOf("spte_set");
export const EV_SPTE_CLEAR = idOf("spte_clear");
export const EV_PTE_WRITE = idOf("pte_write");
export const EV_PTE_WRITE_PAGE = idOf("pte_write_page");
export const EV_RMAP_WRITE_PROTECT = idOf("rmap_write_protect");
export const EV_TLB_FLUSH = idOf("tlb_flush");
export const EV_INVLPG = idOf("invlpg");
export const EV_CR_WRITE = idOf("cr_write");
export const EV_WRMSR = idOf("wrmsr");
export const EV_EMULATE = idOf("emulate");
export const EV_EDIT = idOf("edit");
export const EV_INPUT = idOf("input");
export const EV_POLICY = idOf("policy");
export const EV_HAZARD_SWITCH = idOf("hazard_switch");
export const EV_GUARD = idOf("guard");
export const EV_FINDING = idOf("finding");
export const EV_UNPROTECT = idOf("unprotect");
export const EV_RECYCLE = idOf("recycle");
export const EV_SERIAL_OUT = idOf("serial_out");
export const EV_NESTED_FAULT = idOf("nested_fault");
export const EV_PAGETABLE_WALK = idOf("pagetable_walk");
export const EV_PAGING_ELEMENT = idOf("paging_element");
export const EV_WALKER_ERROR = idOf("walker_error");
export const EV_SYNC_PAGE = idOf("sync_page");
export const EV_UNSYNC_PAGE = idOf("unsync_page");
export const EV_MARK_MMIO_SPTE = idOf("mark_mmio_spte");
export const EV_CHECK_MMIO_SPTE = idOf("check_mmio_spte");
export const EV_HANDLE_MMIO_PAGE_FAULT = idOf("handle_mmio_page_fault");
export const EV_SET_SPTE = idOf("mmu_set_spte");
export const EV_SPTE_REQUESTED = idOf("spte_requested");
export const EV_ZAP_ALL_FAST = idOf("zap_all_fast");
export const EV_TRIPLE_FAULT = idOf("triple_fault");
export const EV_POST = idOf("post");
export const EV_DEBUG_OUT = idOf("debug_out");
export const EV_RESET = idOf("reset");
export const EV_A20 = idOf("a20");
