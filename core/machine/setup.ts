/**
 * What a machine is made of, and how it can come to stand still. The lab's protocol has a schema of the same shape;
 * these are the plain types that the floors below the lab need.
 */
import type { MachineKind } from "../images/index.ts";
import { POLICIES, type Tuning } from "../kvm/index.ts";
import { HostMemory, HYPERVISOR_FRAMES, PAGE_SIZE } from "../memory/host-memory.ts";
import { MemorySlots } from "../memory/slots.ts";

export type HazardSetting = "guarded" | "as-it-was";
export type TlbKind = "vmx" | "svm";
/** When to audit: behind every boundary (what was touched, or everything), when asked and at the end, or never. */
export type AuditMode = "every" | "full" | "end" | "off";

export interface MachineSetup {
  /** Absent: bare. */
  readonly machine?: MachineKind | undefined;
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
/** Policies by their number in the `policy` event: none first. */
export const POLICY_IDS: readonly string[] = POLICIES.map((policy) => policy.id);
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
  | "debug-exit"
  | "finding"
  | "bug";

export interface Stop {
  readonly reason: StopReason;
  readonly detail: string;
}

/** First guest frame of the memory above 4 GiB. */
export const HIGH_GFN = 0x10_0000;

/** A `pc` has no memory from here ... */
export const PC_HOLE_GFN = 0xa0;
/** ... to here, where the 32 KiB of the display adapter's text begin. Behind them lies the memory from C0000. */
export const PC_TEXT_GFN = 0xb8;
/** Bytes of the ROM at the top of 4 GiB: the largest that there may be. */
export const PC_ROM_MOST = 256 * 1024;
/** Least and most bytes of a `pc`'s memory from 0: the ROM and the APICs lie at the top of 4 GiB. */
export const PC_MEMORY_LEAST = 2 * 2 ** 20;
export const PC_MEMORY_MOST = 0xfec0_0000;

/**
 * The host memory and slots for a setup: the hypervisor's frames first, then the slots one behind the other. A `pc` uses
 * all four that KVM had: below the hole, from the text memory on, the ROM, and the memory above 4 GiB.
 */
export function layOutMemory(setup: MachineSetup): { memory: HostMemory; slots: MemorySlots } {
  const low = Math.ceil(setup.memory / PAGE_SIZE);
  const high = Math.ceil(setup.memoryHigh / PAGE_SIZE);
  const rom = PC_ROM_MOST / PAGE_SIZE;
  const ranges: (readonly [gfn: number, pages: number])[] =
    setup.machine === "pc"
      ? [
          [0, PC_HOLE_GFN],
          [PC_TEXT_GFN, low - PC_TEXT_GFN],
          [HIGH_GFN - rom, rom],
        ]
      : [[0, low]];
  if (high > 0) ranges.push([HIGH_GFN, high]);
  let hfn = HYPERVISOR_FRAMES;
  const slots = ranges.map(([gfn, pages]) => {
    const slot = { gfn, pages, hfn };
    hfn += pages;
    return slot;
  });
  return { memory: new HostMemory(hfn), slots: new MemorySlots(slots) };
}
