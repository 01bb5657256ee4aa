/**
 * What a machine is made of, as a document: sizes, guest, policy, hazards, TLB. Validated at every border
 * (command line, IPC, saved machines). One schema each; the TypeScript types come from the schemas.
 */
import * as v from "valibot";
import type { CostRow, CostTable } from "../../experiment/cost.ts";

export const MIB = 1 << 20;

/** A whole number in a range, refused in words. */
export const whole = (least: number, most: number, what: string) =>
  v.pipe(
    v.number(`${what} must be a number`),
    v.integer(`${what} must be a whole number`),
    v.minValue(least, `${what} must be at least ${least}`),
    v.maxValue(most, `${what} must be at most ${most}`),
  );

/** A size of memory in bytes, in whole pages, between two sizes in MiB. */
const memorySize = (least: number, most: number, what: string) =>
  v.pipe(
    v.number(`${what} must be a number of bytes`),
    v.integer(`${what} must be a whole number of bytes`),
    v.minValue(least * MIB, `${what} must be at least ${least} MiB`),
    v.maxValue(most * MIB, `${what} must be at most ${most} MiB`),
    v.multipleOf(4096, `${what} must be a multiple of 4096 bytes`),
  );

export const u32 = (what: string) => whole(0, 0xffff_ffff, what);

/** Guest sources that the lab can start. `image` bytes come with the command that opens them. */
export const ImageKind = v.picklist(
  ["auto", "flat", "elf", "multiboot", "linux", "boot-sector", "disk", "rom"],
  "image kind must be auto, flat, elf, multiboot, linux, boot-sector, disk or rom",
);
export type ImageKind = v.InferOutput<typeof ImageKind>;

/** bare: memory from 0 without a hole and a serial port; pc: the devices, the hole at A0000-FFFFF, the ROM. */
export const MachineKind = v.picklist(["bare", "pc"], "machine must be bare or pc");
export type MachineKind = v.InferOutput<typeof MachineKind>;

export const HazardSetting = v.picklist(["guarded", "as-it-was"], "a hazard is guarded or as-it-was");
export type HazardSetting = v.InferOutput<typeof HazardSetting>;

export const TlbKind = v.picklist(["vmx", "svm"], "tlb must be vmx or svm");
export type TlbKind = v.InferOutput<typeof TlbKind>;

export const AuditMode = v.picklist(["every", "full", "end", "off"], "audit must be every, full, end or off");
export type AuditMode = v.InferOutput<typeof AuditMode>;

/** What a finding does: mark it and go on, or stop the machine. */
export const FindingMode = v.picklist(["mark", "stop"], "findings are marked (mark) or stopped at (stop)");
export type FindingMode = v.InferOutput<typeof FindingMode>;

/** An instruction the manual defines and we do not have: stop the machine, or deliver #UD to the guest. */
export const Unimplemented = v.picklist(["stop", "ud"], "unimplemented must be stop or ud");
export type Unimplemented = v.InferOutput<typeof Unimplemented>;

/** Levels of the host tables under nested paging. */
export const NestedLevels = v.picklist([3, 4], "nested paging has 3 or 4 host levels");
export type NestedLevels = v.InferOutput<typeof NestedLevels>;

/** Entries of each page-walk cache under nested paging; 0: none. */
export const WALK_CACHE_MOST = 64;
export const WalkCacheSize = whole(0, WALK_CACHE_MOST, "the page-walk cache");
/** A triple fault: the machine is over, or its processor is reset, as a PC's chipset does. */
export const TripleFault = v.picklist(["stop", "reset"], "tripleFault must be stop or reset");
export type TripleFault = v.InferOutput<typeof TripleFault>;

export const MachineConfig = v.strictObject({
  /** Bytes of memory from guest-physical 0; a multiple of 4 KiB, 4 MiB … (2 GiB less the hypervisor's 16 MiB). */
  memory: memorySize(4, 2032, "memory"),
  /** Bytes of memory from guest-physical 4 GiB; 0 for none. Both together at most 2032 MiB. */
  memoryHigh: memorySize(0, 2032, "memory from 4 GiB"),
  /** Absent: bare. */
  machine: v.optional(MachineKind),
  /** A policy's id: none, A0, A, P, B, C, D, E1, E2, E3, F or nested (the list is in `Description.policies`). */
  policy: v.string("policy must be a name"),
  tlb: TlbKind,
  /** Hazards that differ from `guarded`. */
  hazards: v.record(v.string(), HazardSetting),
  audit: AuditMode,
  findings: FindingMode,
  unimplemented: Unimplemented,
  /** Nested paging: 4 when not said. */
  nestedLevels: v.optional(NestedLevels),
  /** Nested paging: 0 when not said. */
  walkCache: v.optional(WalkCacheSize),
  /** Absent: stop. */
  tripleFault: v.optional(TripleFault),
});
export type MachineConfig = v.InferOutput<typeof MachineConfig>;

export const DEFAULT_CONFIG: MachineConfig = {
  memory: 64 * MIB,
  memoryHigh: 0,
  policy: "B",
  tlb: "vmx",
  hazards: {},
  audit: "end",
  findings: "mark",
  unimplemented: "stop",
};

/** What the lab can offer: lists for menus, the command line and help. Pure data. */
export interface Description {
  readonly guests: readonly { id: string; title: string; help: string; memory: number; memoryHigh: number }[];
  readonly policies: readonly {
    id: string;
    title: string;
    era: string;
    /** The commit it is named after, or "". */
    commit: string;
    /** What it changes against the policy before it. */
    changes: string;
    source: string;
    help: string;
  }[];
  readonly hazards: readonly { id: string; title: string; source: string; help: string }[];
  readonly experiments: readonly { id: string; title: string; help: string }[];
  /** The cost model's rows with their sources, and the built-in tables. */
  readonly costRows: readonly CostRow[];
  readonly costTables: readonly CostTable[];
}
