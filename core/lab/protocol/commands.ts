/**
 * What a client may ask the lab to do. One schema a command; a command that changes the machine goes through its
 * input queue. Addresses above 32 bits (gpa up to 36 bits) are plain numbers; 64-bit values are two words.
 */
import * as v from "valibot";
import {
  AuditMode,
  FindingMode,
  HazardSetting,
  ImageKind,
  MachineConfig,
  NestedLevels,
  TlbKind,
  Unimplemented,
  u32,
  WalkCacheSize,
  whole,
} from "./config.ts";
import { CostTables } from "./experiments.ts";
import { PC_COMMANDS } from "./pc.ts";
import { STORY_COMMANDS } from "./stories.ts";
import { TRACE_FORMATS } from "./trace-formats.ts";

export const Space = v.picklist(["gva", "gpa", "hpa"], "space must be gva, gpa or hpa");
export type Space = v.InferOutput<typeof Space>;

/** As whom an edit writes: guest-virtual as guest0, guest3 or emulator; guest-physical as emulator or device; host-physical raw. */
export const EditAs = v.picklist(
  ["guest0", "guest3", "emulator", "device", "raw"],
  "an edit is written as guest0, guest3, emulator, device or raw",
);
export type EditAs = v.InferOutput<typeof EditAs>;

export const PHYSICAL_LIMIT = 2 ** 36;
const address = (what: string) => whole(0, PHYSICAL_LIMIT - 1, what);
const size = v.picklist([1, 2, 4, 8], "size must be 1, 2, 4 or 8 bytes");
const bytes = v.instance(Uint8Array, "expected bytes (Uint8Array)");

/**
 * A file that a person chose, by its number in the bridge: who carries the message to the lab puts its bytes there,
 * so that a disk of 2 GiB does not travel through the window.
 */
export const FileRef = v.strictObject({ file: whole(1, Number.MAX_SAFE_INTEGER, "file") });
export type FileRef = v.InferOutput<typeof FileRef>;
const FileBytes = v.union([bytes, FileRef], "expected a file: its bytes (Uint8Array), or its number");
export type FileBytes = v.InferOutput<typeof FileBytes>;

const DRIVES = 2;
const MODULES_MOST = 64;
const TEXT_MOST = 4096;
const text = (what: string) =>
  v.pipe(
    v.string(`${what} must be text`),
    v.maxLength(TEXT_MOST, `${what} has at most ${TEXT_MOST} characters`),
  );

/** What goes along with an image (core/images says which kind and which machine takes what). */
export const Media = v.strictObject({
  commandLine: v.optional(text("the command line")),
  initrd: v.optional(FileBytes),
  modules: v.optional(
    v.pipe(
      v.array(v.strictObject({ bytes: FileBytes, commandLine: text("a module's command line") })),
      v.maxLength(MODULES_MOST, `there are at most ${MODULES_MOST} modules`),
    ),
  ),
  disks: v.optional(v.pipe(v.array(FileBytes), v.maxLength(DRIVES, `there are at most ${DRIVES} disks`))),
  floppy: v.optional(FileBytes),
  rom: v.optional(FileBytes),
});
export type Media = v.InferOutput<typeof Media>;

export const Command = v.variant(
  "name",
  [
    v.strictObject({ name: v.literal("describe") }),
    v.strictObject({ name: v.literal("run") }),
    v.strictObject({ name: v.literal("pause") }),
    /** Retire `count` units, then pause. */
    v.strictObject({ name: v.literal("step"), count: whole(1, 1_000_000, "count") }),
    /** Run until EIP (linear address) is reached. */
    v.strictObject({ name: v.literal("runTo"), address: u32("address") }),
    /** Run until the next event of these kinds (names of core/trace/events.ts). */
    v.strictObject({
      name: v.literal("runToEvent"),
      kinds: v.pipe(v.array(v.string()), v.minLength(1, "name at least one event kind")),
    }),
    v.strictObject({ name: v.literal("breakpoint"), address: u32("address"), on: v.boolean() }),
    /** Start the current guest or image again, the configuration kept. */
    v.strictObject({ name: v.literal("reset") }),
    v.strictObject({
      name: v.literal("loadGuest"),
      guest: v.string(),
      config: v.optional(v.partial(MachineConfig)),
    }),
    v.strictObject({
      name: v.literal("openImage"),
      title: v.string(),
      bytes: FileBytes,
      kind: ImageKind,
      media: v.optional(Media),
      /** Load address of a flat image, below the memory's end. */
      address: v.optional(u32("address")),
      config: v.optional(v.partial(MachineConfig)),
    }),
    v.strictObject({ name: v.literal("setPolicy"), policy: v.string() }),
    v.strictObject({ name: v.literal("setHazard"), hazard: v.string(), setting: HazardSetting }),
    v.strictObject({ name: v.literal("setTlb"), tlb: TlbKind }),
    /** Host levels and page-walk caches of nested paging, from now on. */
    v.strictObject({ name: v.literal("setNested"), levels: NestedLevels, walkCache: WalkCacheSize }),
    /** What an instruction that the manual defines and we do not have does from now on: stop the machine, or #UD. */
    v.strictObject({ name: v.literal("setUnimplemented"), unimplemented: Unimplemented }),
    v.strictObject({ name: v.literal("setAudit"), audit: AuditMode, findings: v.optional(FindingMode) }),
    v.strictObject({ name: v.literal("setTrace"), on: v.boolean() }),
    /** The events still held, as KVM's tracepoints in the text format of a version; answers a TraceText. */
    v.strictObject({
      name: v.literal("exportTrace"),
      format: v.picklist(TRACE_FORMATS, `a trace's format is one of ${TRACE_FORMATS.join(", ")}`),
    }),
    /** Audit the whole machine now; answers an AuditReport. */
    v.strictObject({ name: v.literal("audit") }),
    /** Write one cell. Answers an EditResult. */
    v.strictObject({
      name: v.literal("edit"),
      space: Space,
      as: EditAs,
      address: address("address"),
      size,
      low: u32("low"),
      high: v.optional(u32("high"), 0),
    }),
    /** Deliver the page fault that the last refused edit as the guest showed. */
    v.strictObject({ name: v.literal("deliverFault") }),
    v.strictObject({ name: v.literal("serialInput"), bytes }),
    /** Saves everything; answers bytes (a snapshot). */
    v.strictObject({ name: v.literal("saveMachine") }),
    v.strictObject({ name: v.literal("openMachine"), bytes }),
    /** First address >= `from` (or <= when backwards) where the bytes occur; answers number or null. */
    v.strictObject({
      name: v.literal("find"),
      space: Space,
      from: address("from"),
      bytes,
      backwards: v.optional(v.boolean(), false),
    }),
    /** The run as `quadrant run --json` writes it; answers a RunReport. */
    v.strictObject({ name: v.literal("report") }),
    /** Starts an experiment (ids in `Description.experiments`) with these cost tables; refused while another runs. */
    v.strictObject({ name: v.literal("startExperiment"), experiment: v.string(), costs: CostTables }),
    v.strictObject({ name: v.literal("cancelExperiment") }),
    ...PC_COMMANDS,
    ...STORY_COMMANDS,
  ],
  (issue) => `unknown command ${issue.received}`,
);
export type Command = v.InferOutput<typeof Command>;
export type CommandName = Command["name"];

/** What an edit did. A fault of the guest's own writes nothing and can be delivered on request. */
export type EditResult =
  | { readonly ok: true; readonly exits: number; readonly written: number }
  | {
      readonly ok: false;
      readonly fault: { readonly gva: number; readonly error: number; readonly text: string };
    };

/** An exported trace. */
export interface TraceText {
  readonly text: string;
  /** Lines that tell an event; events that had left the ring before. */
  readonly lines: number;
  readonly lost: number;
}

export interface AuditReport {
  /** Names of the invariants checked, e.g. "I1". */
  readonly checked: readonly string[];
  readonly violations: readonly AuditViolation[];
}

export interface AuditViolation {
  readonly invariant: string;
  readonly message: string;
  /** Where to look: shadow page and spte index, when one is to blame. */
  readonly page?: number;
  readonly index?: number;
  readonly gva?: number;
  /** Time (retired units) at which the continuous audit first saw it. */
  readonly time?: number;
  /** EIP of the instruction that broke it, unsigned; -1: something from outside did; -2: found when asked, not known. */
  readonly by?: number;
  /** Number of the event that touched the entry, and its name; -1 and "" when none told of it. */
  readonly event?: number;
  readonly eventName?: string;
}
