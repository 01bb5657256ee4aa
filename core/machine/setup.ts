/**
 * What a machine is made of, and how it can come to stand still. The lab's protocol has a schema of the same shape;
 * these are the plain types that the floors below the lab need.
 */
import type { Tuning } from "../kvm/index.ts";
import { HostMemory, HYPERVISOR_FRAMES, PAGE_SIZE } from "../memory/host-memory.ts";
import { MemorySlots } from "../memory/slots.ts";

export type HazardSetting = "guarded" | "as-it-was";
export type TlbKind = "vmx" | "svm";
/** When to audit: behind every boundary (what was touched, or everything), when asked and at the end, or never. */
export type AuditMode = "every" | "full" | "end" | "off";

export interface MachineSetup {
  /** Bytes of memory from guest-physical 0. */
  readonly memory: number;
  /** Bytes of memory from guest-physical 4 GiB; 0 for none. */
  readonly memoryHigh: number;
  /** "none" or the id of a policy. */
  readonly policy: string;
  readonly tlb: TlbKind;
  /** Hazards that differ from `guarded`. */
  readonly hazards: Readonly<Record<string, HazardSetting>>;
  readonly audit: AuditMode;
  readonly findings: "mark" | "stop";
  readonly unimplemented: "stop" | "ud";
  /** Changed numbers of the policy, for experiments. */
  readonly tuning?: Tuning | undefined;
  /** Levels of the host tables under nested paging; 4 when not said. */
  readonly nestedLevels?: 3 | 4 | undefined;
  /** Entries of each page-walk cache under nested paging; 0, none, when not said. */
  readonly walkCache?: number | undefined;
  /** What a triple fault does: stops the machine (when absent), or resets the processor as a PC's chipset does. */
  readonly tripleFault?: "stop" | "reset" | undefined;
}

export const POLICY_NONE = "none";
export const NESTED_LEVELS = 4;
/** Most entries that a page-walk cache may have. */
export const WALK_CACHE_MOST = 64;

export type StopReason =
  | "never-run"
  | "paused"
  | "step"
  | "breakpoint"
  | "watchpoint"
  | "event"
  | "hlt"
  | "max-instructions"
  | "triple-fault"
  | "unimplemented"
  | "finding"
  | "bug";

export interface Stop {
  readonly reason: StopReason;
  readonly detail: string;
}

/** First guest frame of the memory above 4 GiB. */
export const HIGH_GFN = 0x10_0000;

/** The host memory and slots for a setup: the hypervisor's frames first, then memory from 0, then that from 4 GiB. */
export function layOutMemory(setup: MachineSetup): { memory: HostMemory; slots: MemorySlots } {
  const low = Math.ceil(setup.memory / PAGE_SIZE);
  const high = Math.ceil(setup.memoryHigh / PAGE_SIZE);
  const slots = [{ gfn: 0, pages: low, hfn: HYPERVISOR_FRAMES }];
  if (high > 0) slots.push({ gfn: HIGH_GFN, pages: high, hfn: HYPERVISOR_FRAMES + low });
  return { memory: new HostMemory(HYPERVISOR_FRAMES + low + high), slots: new MemorySlots(slots) };
}
