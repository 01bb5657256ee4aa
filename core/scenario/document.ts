/**
 * The scenario document: its schema, and the types that follow from it. docs/scenarios.md explains every key;
 * docs/scenario.schema.json is made from this file.
 */
import * as v from "valibot";
import { HAZARDS } from "../kvm/index.ts";
import { WALK_CACHE_MOST } from "../machine/setup.ts";
import { EventFields, EventName, PolicyId, Prediction } from "./predictions.ts";
import { oneOf, strict } from "./strict.ts";
import { Address, Base64, Count, Flags, HexBytes, Value } from "./values.ts";

const text = (what: string) => v.string(`${what} is text`);
const flag = (what: string) => v.optional(v.boolean(`${what} is true or false`));
const Kind = v.picklist(["auto", "flat", "elf", "multiboot"], "kind is auto, flat, elf or multiboot");

// ---- the machine ----

const Image = v.union(
  [
    /** A built-in guest. */
    strict("an image", { guest: text("guest") }),
    /** A file beside the scenario; the command line reads it, a window does not. */
    strict("an image", { file: text("file"), kind: v.optional(Kind), address: v.optional(Count("address")) }),
    strict("an image", { base64: Base64, kind: v.optional(Kind), address: v.optional(Count("address")) }),
    /** Machine code in hexadecimal, loaded flat. */
    strict("an image", { code: HexBytes, address: v.optional(Count("address")) }),
  ],
  'an image is { "guest": name }, { "file": path }, { "base64": text } or { "code": "90 f4", "address": … }',
);

const MemoryPiece = v.union(
  [
    strict("a piece of memory", { at: Count("at"), bytes: HexBytes }),
    strict("a piece of memory", { at: Count("at"), text: text("text") }),
    /** 4-byte words, little-endian. */
    strict("a piece of memory", { at: Count("at"), words: v.array(Count("a word"), "words is a list") }),
    /** `text` or a word over and over, `length` bytes. */
    strict("a piece of memory", {
      at: Count("at"),
      fill: v.union([v.string(), Count("fill")], "fill is text or a word"),
      length: Count("length"),
    }),
  ],
  'a piece of memory is { "at": gpa } with "bytes", "text", "words", or "fill" and "length"',
);

const Mapping = strict("a mapping", {
  gva: Count("gva"),
  gpa: Count("gpa"),
  /** 4K when absent; 4M without PAE, 2M with it. */
  size: v.optional(v.picklist(["4K", "2M", "4M"], "size is 4K, 2M or 4M")),
  /** Bits of the entry that maps the page (PS is set by itself). */
  flags: v.optional(Flags),
  /** Bits of the directory entry above; "P W U A" when absent. */
  directory: v.optional(Flags),
  /** Where the page table lies; the next free page of `tables` when absent. */
  table: v.optional(Count("table")),
  /** With PAE: where the page directory of this GiB lies. */
  directoryAt: v.optional(Count("directoryAt")),
  /** So many pages, `gvaBy` and `gpaBy` apart (the page's size when absent). */
  pages: v.optional(Count("pages")),
  gvaBy: v.optional(Count("gvaBy")),
  gpaBy: v.optional(Count("gpaBy")),
});
export type Mapping = v.InferOutput<typeof Mapping>;

const Paging = strict("paging", {
  mode: v.picklist(["2-level", "PAE"], "mode is 2-level or PAE"),
  /** CR3. */
  root: Count("root"),
  /** CR0.WP (true when absent), CR4.PSE (true), CR4.PGE (false), EFER.NXE (false). */
  wp: flag("wp"),
  pse: flag("pse"),
  pge: flag("pge"),
  nxe: flag("nxe"),
  /** False: the tables are built, and paging is off at first. */
  on: flag("on"),
  /** Where tables that no mapping places are made, page after page. */
  tables: v.optional(Count("tables")),
  map: v.optional(v.array(Mapping, "map is a list of mappings")),
  /** Raw entries, stored behind the mappings. */
  entries: v.optional(
    v.array(
      strict("a raw entry", {
        gpa: Count("gpa"),
        entry: Value("entry"),
        size: v.optional(v.picklist([4, 8], "size is 4 or 8")),
      }),
      "entries is a list of { gpa, entry }",
    ),
  ),
});
export type Paging = v.InferOutput<typeof Paging>;

const HazardId = v.picklist(
  HAZARDS.map((hazard) => hazard.id),
  `a hazard is one of ${HAZARDS.map((hazard) => hazard.id).join(", ")}`,
);
const HazardSetting = v.picklist(["guarded", "as-it-was"], "a hazard is guarded or as-it-was");
const Hazards = v.record(HazardId, HazardSetting, "hazards is an object of hazards and their settings");
const Tlb = v.picklist(["vmx", "svm"], "tlb is vmx or svm");
const NestedLevels = v.picklist([3, 4], "nestedLevels is 3 or 4");
const WalkCache = v.pipe(
  v.number("walkCache is a number of entries"),
  v.integer("walkCache is a whole number"),
  v.minValue(0, "walkCache is at least 0"),
  v.maxValue(WALK_CACHE_MOST, `walkCache is at most ${WALK_CACHE_MOST}`),
);

const Setup = strict("machine", {
  /** Bytes from guest-physical 0 (16 MiB, or what the guest asks for), and from 4 GiB (none). */
  memory: v.optional(Count("memory")),
  memoryHigh: v.optional(Count("memoryHigh")),
  image: v.optional(Image),
  contents: v.optional(v.array(MemoryPiece, "contents is a list of pieces of memory")),
  paging: v.optional(Paging),
  registers: v.optional(
    strict("registers", {
      eax: v.optional(Count("eax")),
      ecx: v.optional(Count("ecx")),
      edx: v.optional(Count("edx")),
      ebx: v.optional(Count("ebx")),
      esp: v.optional(Count("esp")),
      ebp: v.optional(Count("ebp")),
      esi: v.optional(Count("esi")),
      edi: v.optional(Count("edi")),
      eip: v.optional(Count("eip")),
      eflags: v.optional(Count("eflags")),
    }),
  ),
  /** Policy that it runs under unless asked for another; the first of `policies`, else B. */
  policy: v.optional(PolicyId),
  hazards: v.optional(Hazards),
  tlb: v.optional(Tlb),
  /** Under nested paging: levels of the host tables (4), entries of each page-walk cache (0: none). */
  nestedLevels: v.optional(NestedLevels),
  walkCache: v.optional(WalkCache),
});
export type Setup = v.InferOutput<typeof Setup>;

// ---- the steps ----

const step = {
  title: v.optional(text("title")),
  /** Markdown. */
  text: v.optional(text("text")),
  /** Where the step's predictions follow from, when they do not say themselves. */
  source: v.optional(text("source")),
  predict: v.optional(v.array(Prediction, "predict is a list of predictions")),
};

const Repeat = strict("repeat", {
  times: Count("times"),
  /** Added to the address, and to the value, each time. */
  by: v.optional(Count("by")),
  valueBy: v.optional(Count("valueBy")),
});

const Until = v.union(
  [
    strict("until", { count: Count("count") }),
    strict("until", { address: Address("address") }),
    strict("until", {
      event: EventName,
      where: v.optional(EventFields),
      times: v.optional(Count("times")),
    }),
    /** Before the next instruction of this name. */
    strict("until", { instruction: text("instruction") }),
    strict("until", { halt: v.literal(true, "halt is true") }),
  ],
  'until is one of { "count": units }, { "address": … }, { "event": name }, { "instruction": name }, { "halt": true }',
);
export type Until = v.InferOutput<typeof Until>;

const Cpl = v.optional(v.picklist([0, 3], "cpl is 0 or 3"));
const Width = v.optional(v.picklist([1, 2, 4, 8], "width is 1, 2, 4 or 8 bytes"));

export const Step = oneOf("a step", "do", [
  strict("the step", { do: v.literal("note"), ...step }),
  strict("the step", { do: v.literal("run"), until: Until, most: v.optional(Count("most")), ...step }),
  /** An access as an instruction of the guest would make it. */
  strict("the step", {
    do: v.literal("access"),
    gva: Address("gva"),
    access: v.optional(v.picklist(["read", "write", "fetch"], "access is read, write or fetch")),
    width: Width,
    cpl: Cpl,
    /** What a write stores. */
    value: v.optional(Value("value")),
    repeat: v.optional(Repeat),
    /** True: a fault of the guest's own is then delivered through its IDT. */
    deliver: flag("deliver"),
    ...step,
  }),
  /** A write from outside. */
  strict("the step", {
    do: v.literal("write"),
    space: v.picklist(["gva", "gpa", "hpa"], "space is gva, gpa or hpa"),
    at: Address("at"),
    as: v.picklist(
      ["guest0", "guest3", "emulator", "device", "raw"],
      "as is guest0, guest3, emulator (gva), emulator, device (gpa) or raw (hpa)",
    ),
    width: Width,
    value: v.optional(Value("value")),
    /** Bytes in place of a value: only as a device. */
    bytes: v.optional(HexBytes),
    repeat: v.optional(Repeat),
    ...step,
  }),
  strict("the step", {
    do: v.literal("control"),
    register: v.picklist(["cr0", "cr3", "cr4", "efer"], "register is cr0, cr3, cr4 or efer"),
    value: Count("value"),
    ...step,
  }),
  strict("the step", { do: v.literal("invlpg"), gva: Address("gva"), ...step }),
  strict("the step", { do: v.literal("policy"), policy: PolicyId, ...step }),
  strict("the step", { do: v.literal("hazard"), hazard: HazardId, setting: HazardSetting, ...step }),
  strict("the step", { do: v.literal("serial"), input: text("input"), ...step }),
  strict("the step", { do: v.literal("snapshot"), name: text("name"), ...step }),
  /** What changed since a snapshot: for predictions of `changed`. */
  strict("the step", { do: v.literal("compare"), with: text("with"), ...step }),
]);
export type Step = v.InferOutput<typeof Step>;
export type StepOf<D extends Step["do"]> = Extract<Step, { do: D }>;

/** A change under which a prediction fails: what shows that the predictions could have been wrong. */
const Refutation = strict("refutedBy", {
  policy: v.optional(PolicyId),
  hazards: v.optional(Hazards),
  tlb: v.optional(Tlb),
  nestedLevels: v.optional(NestedLevels),
  walkCache: v.optional(WalkCache),
  /** Whose predictions are held against it; the scenario's own policy when absent. */
  as: v.optional(PolicyId),
});
export type Refutation = v.InferOutput<typeof Refutation>;

export const ScenarioDocument = strict("a scenario", {
  $schema: v.optional(text("$schema")),
  scenario: v.literal(1, "scenario is 1: the version of the format"),
  id: v.optional(
    v.pipe(text("id"), v.regex(/^[a-z0-9][a-z0-9-]*$/, "id is lower-case words with - between them")),
  ),
  title: text("title"),
  /** One line, for lists. */
  summary: v.optional(text("summary")),
  /** Markdown. */
  text: v.optional(text("text")),
  /** What its predictions rest on, when neither they nor their steps say. */
  source: v.optional(text("source")),
  /** Policies that it is told under, side by side. */
  policies: v.optional(v.pipe(v.array(PolicyId, "policies is a list"), v.minLength(1, "policies is empty"))),
  refutedBy: v.optional(v.array(Refutation, "refutedBy is a list")),
  machine: v.optional(Setup, {}),
  steps: v.pipe(v.array(Step, "steps is a list"), v.minLength(1, "a scenario has at least one step")),
});
export type ScenarioDocument = v.InferOutput<typeof ScenarioDocument>;
