/**
 * What a step may predict: the shape of each kind. How it is judged stands in judge.ts. Every prediction may name its
 * source (manual or section) and the policies that it holds under.
 */
import * as v from "valibot";
import { COUNTERS, INVARIANTS, POLICIES } from "../kvm/index.ts";
import { EVENT_KINDS } from "../trace/events.ts";
import { oneOf, strict } from "./strict.ts";
import { Address, Count, HexBytes, Value } from "./values.ts";

const text = (what: string) => v.string(`${what} is text`);
const flag = (what: string) => v.optional(v.boolean(`${what} is true or false`));

export const PolicyId = v.picklist(
  POLICIES.map((policy) => policy.id),
  `a policy is one of ${POLICIES.map((policy) => policy.id).join(", ")}`,
);

const common = {
  /** Where it follows from: a section of docs/kvm-shadow-mmu.md ("6.4"), or of the manual ("SDM vol. 3, 4.7"). */
  source: v.optional(text("source")),
  /** Policies under which it is predicted; absent: under all. */
  under: v.optional(v.array(PolicyId, "under is a list of policies")),
};

/** A shadow page by its key (docs/kvm-shadow-mmu.md 3). */
export const PageKey = strict("a shadow page", {
  gfn: Count("gfn"),
  /** 1 page table, 2 page directory. Default 1. */
  level: v.optional(v.picklist([1, 2, 3, 4], "level is 1, 2, 3 or 4")),
  quadrant: v.optional(v.picklist([0, 1, 2, 3], "quadrant is 0, 1, 2 or 3")),
  /** True for a page that shadows no table: a large page split, or paging off. */
  metaphysical: flag("metaphysical"),
  /** The whole role word in place of the three above. */
  role: v.optional(Count("role")),
});
export type PageKey = v.InferOutput<typeof PageKey>;

/** A guest entry: where it lies, or what it translates in the present address space. */
export const EntryPlace = v.union(
  [
    strict("an entry", { gpa: Address("gpa"), size: v.optional(v.picklist([4, 8], "size is 4 or 8")) }),
    strict("an entry", { pte: Address("pte") }),
    strict("an entry", { pde: Address("pde") }),
  ],
  'an entry is { "gpa": … } with its "size" (4, or 8), or { "pte": gva } or { "pde": gva }',
);

const COUNTER_NAMES = COUNTERS.map((row) => row.name);
const EVENT_NAMES = EVENT_KINDS.slice(1).map((kind) => kind.name);
export const EventName = v.picklist(EVENT_NAMES, `an event is one of ${EVENT_NAMES.join(", ")}`);

/** Fields of an event: numbers, or the words that the field's table names. */
export const EventFields = v.record(
  v.string(),
  v.union(
    [v.pipe(v.number(), v.integer()), v.string(), v.boolean()],
    "a field of an event is a number, a word, or true or false",
  ),
  "where names fields of the event",
);

export const Prediction = oneOf("a prediction", "what", [
  /** What an access or a write met: nothing, or a fault of the guest's own. */
  strict("the prediction", {
    what: v.literal("fault"),
    is: v.union(
      [
        v.literal("none"),
        strict("a fault", {
          /** 14 (#PF) when absent. */
          vector: v.optional(Count("vector")),
          error: Count("error"),
          gva: v.optional(Address("gva")),
        }),
      ],
      'a fault is "none" or { "error": … }',
    ),
    ...common,
  }),
  /** What an access read. */
  strict("the prediction", { what: v.literal("value"), is: Value("is"), ...common }),
  /** An entry of a guest table; with `mask` only those bits. */
  strict("the prediction", {
    what: v.literal("entry"),
    entry: EntryPlace,
    is: Value("is"),
    mask: v.optional(Value("mask")),
    ...common,
  }),
  /** An entry of a shadow page, by the page's key and an index, or by the gva that it translates now. */
  strict("the prediction", {
    what: v.literal("spte"),
    page: v.optional(PageKey),
    index: v.optional(Count("index")),
    gva: v.optional(Address("gva")),
    level: v.optional(v.picklist([1, 2], "level is 1 or 2")),
    present: flag("present"),
    /** Guest-physical page that a leaf maps. */
    maps: v.optional(Address("maps")),
    /** The shadow page that it links to. */
    links: v.optional(PageKey),
    writable: flag("writable"),
    user: flag("user"),
    global: flag("global"),
    nx: flag("nx"),
    /** Bit 9: the frame has no memory. */
    mmio: flag("mmio"),
    /** Bits 10 and 11: what the guest allows. */
    guestWritable: flag("guestWritable"),
    guestUser: flag("guestUser"),
    ...common,
  }),
  /** A shadow page itself. */
  strict("the prediction", {
    what: v.literal("page"),
    page: PageKey,
    exists: flag("exists"),
    present: v.optional(Count("present")),
    writable: v.optional(Count("writable")),
    roots: v.optional(Count("roots")),
    parents: v.optional(Count("parents")),
    unsync: flag("unsync"),
    ...common,
  }),
  /** How many shadow pages there are; with a gfn, of that gfn (those that shadow it as a table). */
  strict("the prediction", {
    what: v.literal("pages"),
    gfn: v.optional(Count("gfn")),
    is: v.optional(Count("is")),
    atMost: v.optional(Count("atMost")),
    atLeast: v.optional(Count("atLeast")),
    ...common,
  }),
  /** How a counter moved during the step (`total`: its value). */
  strict("the prediction", {
    what: v.literal("counter"),
    name: v.picklist(COUNTER_NAMES, `a counter is one of ${COUNTER_NAMES.join(", ")}`),
    by: v.optional(Count("by")),
    total: v.optional(Count("total")),
    atLeast: v.optional(Count("atLeast")),
    ...common,
  }),
  /** Events of the step that match: at least one, or `times`. */
  strict("the prediction", {
    what: v.literal("event"),
    name: EventName,
    where: v.optional(EventFields),
    times: v.optional(Count("times")),
    ...common,
  }),
  /** The order of events of the step, others between them. */
  strict("the prediction", {
    what: v.literal("order"),
    events: v.array(EventName, "events is a list of event names"),
    ...common,
  }),
  strict("the prediction", {
    what: v.literal("memory"),
    space: v.picklist(["gva", "gpa", "hpa"], "space is gva, gpa or hpa"),
    at: Address("at"),
    bytes: v.optional(HexBytes),
    text: v.optional(text("text")),
    word: v.optional(Value("word")),
    ...common,
  }),
  strict("the prediction", {
    what: v.literal("register"),
    name: v.picklist(
      [
        "eax",
        "ecx",
        "edx",
        "ebx",
        "esp",
        "ebp",
        "esi",
        "edi",
        "eip",
        "cr0",
        "cr2",
        "cr3",
        "cr4",
        "efer",
        "cpl",
      ],
      "a register is eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, cr0, cr2, cr3, cr4, efer or cpl",
    ),
    is: Address("is"),
    ...common,
  }),
  /** Which invariants the audit finds violated now. */
  strict("the prediction", {
    what: v.literal("audit"),
    violated: v.array(
      v.picklist(
        INVARIANTS.map((row) => row.id),
        `an invariant is one of ${INVARIANTS.map((row) => row.id).join(", ")}`,
      ),
      "violated is a list of invariants; empty: a clean audit",
    ),
    ...common,
  }),
  /** Assertions of the simulated KVM that the step met; "" for none. */
  strict("the prediction", { what: v.literal("finding"), contains: text("contains"), ...common }),
  /** Behind `compare`: exactly these guest words and sptes changed since the snapshot. */
  strict("the prediction", {
    what: v.literal("changed"),
    memory: v.optional(v.array(Address("memory"), "memory is a list of addresses of 4-byte words")),
    sptes: v.optional(
      v.array(
        strict("a changed spte", { page: PageKey, index: Count("index") }),
        "sptes is a list of { page, index }",
      ),
    ),
    ...common,
  }),
  /** Whether the processor's TLB holds a translation of the page, and to where. */
  strict("the prediction", {
    what: v.literal("tlb"),
    gva: Address("gva"),
    holds: v.boolean("holds is true or false"),
    ...common,
  }),
  strict("the prediction", {
    what: v.literal("serial"),
    contains: v.optional(text("contains")),
    lacks: v.optional(text("lacks")),
    ...common,
  }),
  /** Why a run stopped. */
  strict("the prediction", { what: v.literal("stop"), is: text("is"), ...common }),
]);
export type Prediction = v.InferOutput<typeof Prediction>;
export type PredictionOf<W extends Prediction["what"]> = Extract<Prediction, { what: W }>;
