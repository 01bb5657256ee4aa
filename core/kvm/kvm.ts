/**
 * The hypervisor as the machine sees it: takes the processor over, handles its exits, answers questions about the
 * shadow. docs/kvm-shadow-mmu.md is the specification of everything below.
 */
import { FRAME_SHADOW, type HostMemory } from "../memory/host-memory.ts";
import type { MemorySlots } from "../memory/slots.ts";
import { EV_HAZARD_SWITCH, EV_POLICY } from "../trace/events.ts";
import type { Trace } from "../trace/trace.ts";
import type { PhysicalBus, Processor } from "../x86/door.ts";
import { audit, type Violation } from "./audit/checks.ts";
import { COUNTERS } from "./counters.ts";
import { Emulator, emulatorWritePhys } from "./exits/emulator.ts";
import { ExitHandler } from "./exits/handle.ts";
import { interceptsOf, type TlbKind } from "./exits/table.ts";
import { MAX_MMU_PAGES, PAE_ROOT_FRAME, POOL_FRAME } from "./layout.ts";
import { Mmu } from "./mmu.ts";
import { HAZARDS, type HazardSetting } from "./policy/hazards.ts";
import { POLICIES, policyById } from "./policy/policies.ts";
import { describePages, type ShadowPage } from "./report.ts";
import { initPool } from "./shadow/pool.ts";
import { emptyAll, enterGuest, loadPdptrs, resetContext, zapAll } from "./shadow/roots.ts";
import { WALK_MANUAL, WALK_PEEK, walkGuest } from "./shadow/walk.ts";
import { Walker } from "./shadow/walker.ts";
import { type KvmState, loadMmu, saveMmu } from "./state.ts";

export interface KvmOptions {
  /** A policy's id, not `none`. */
  readonly policy: string;
  readonly tlb: TlbKind;
  /** Hazards that differ from `guarded`. */
  readonly hazards: Readonly<Record<string, HazardSetting>>;
}

/** A walk of the guest's tables as a peek shows it. */
export interface GuestWalk {
  readonly ok: boolean;
  /** Page-fault error code when not ok. */
  readonly error: number;
  /** Guest-physical address when ok. */
  readonly gpa: number;
  readonly level: number;
  /** Tables read, top down: level, gfn, byte offset of the entry, entry. */
  readonly low: number;
  readonly high: number;
}

export class Kvm {
  readonly mmu: Mmu;
  readonly emulator: Emulator;
  readonly exits: ExitHandler;
  private readonly bus: PhysicalBus;
  private readonly peek = new Walker();

  /** @throws RangeError for an unknown policy or hazard */
  constructor(memory: HostMemory, slots: MemorySlots, cpu: Processor, trace: Trace, options: KvmOptions) {
    const policy = policyById(options.policy);
    if (policy === undefined) throw new RangeError(unknownPolicy(options.policy));
    this.mmu = new Mmu(memory, slots, cpu, trace, policy);
    this.mmu.svm = options.tlb === "svm";
    for (const [id, setting] of Object.entries(options.hazards)) {
      this.mmu.guarded[hazardIndex(id)] = setting === "guarded" ? 1 : 0;
    }
    this.emulator = new Emulator(this.mmu);
    this.exits = new ExitHandler(this.mmu, this.emulator);
    this.bus = { frameOf: (pfn) => (pfn >= 0 && pfn < memory.frames ? pfn : -1) };
    initPool(this.mmu);
  }

  /** Takes the processor over: bus, intercepts, paging unit, roots. Its guest-visible registers stay. */
  start(): void {
    const { mmu } = this;
    this.attach();
    mmu.rootLevel = mmu.guestRootLevel();
    if (mmu.rootLevel === 3) {
      const bare = mmu.cpu.paging;
      // The PDPTE registers that the bare processor holds are the guest's, whatever memory says now (2.8).
      if (bare.mode === 2) mmu.pdptes.set(bare.pdptes);
      else loadPdptrs(mmu, mmu.cpu.cr3);
    }
    resetContext(mmu);
  }

  /** Connects the processor after a load: as `start`, but the paging unit's registers come with the processor's state. */
  attach(): void {
    const { cpu } = this.mmu;
    cpu.bus = this.bus;
    cpu.intercepts = interceptsOf(this.tlb, this.mmu.policy.invlpg !== null);
    cpu.emulator = this.emulator;
  }

  /** Gives the hypervisor's frames back: all zero, no longer shadow. The machine then makes the processor bare. */
  stop(): void {
    const { memory } = this.mmu;
    for (let page = 0; page <= MAX_MMU_PAGES; page++) {
      const frame = page === MAX_MMU_PAGES ? PAE_ROOT_FRAME : POOL_FRAME + page;
      memory.flags[frame]! &= ~FRAME_SHADOW;
      if (memory.version[frame] === 0) continue;
      memory.i32.fill(0, frame << 10, (frame + 1) << 10);
      memory.touch(frame);
    }
    this.mmu.cpu.intercepts = 0;
    this.mmu.cpu.emulator = null;
  }

  /** The guest's processor was reset: shadow pages made under its old CR0.WP and EFER.NXE go, the context begins anew. */
  guestReset(): void {
    zapAll(this.mmu);
  }

  /** Handles the exit in the processor's record. Answers a KVM_… disposition. */
  handleExit(): number {
    return this.exits.handle();
  }

  /** What the last finding was, or null. */
  get finding(): string | null {
    return this.mmu.finding;
  }

  get policy(): string {
    return this.mmu.policy.id;
  }

  get tlb(): TlbKind {
    return this.mmu.svm ? "svm" : "vmx";
  }

  /** Settings of all hazards. */
  get hazards(): Record<string, HazardSetting> {
    const settings: Record<string, HazardSetting> = {};
    HAZARDS.forEach((hazard, i) => {
      settings[hazard.id] = this.mmu.guarded[i] === 1 ? "guarded" : "as-it-was";
    });
    return settings;
  }

  /** Something from outside changed the machine's state: an exit. Call before changing it. */
  outsideExit(): void {
    this.exits.outside();
  }

  /** Changes the policy of a live machine: all shadow pages are zapped. @throws RangeError for an unknown one */
  setPolicy(id: string): void {
    const policy = policyById(id);
    if (policy === undefined) throw new RangeError(unknownPolicy(id));
    const { mmu } = this;
    if (mmu.trace.on)
      mmu.trace.emit(EV_POLICY, POLICIES.indexOf(mmu.policy) + 1, POLICIES.indexOf(policy) + 1);
    emptyAll(mmu);
    mmu.policy = policy;
    initPool(mmu);
    mmu.cpu.intercepts = interceptsOf(this.tlb, policy.invlpg !== null);
    resetContext(mmu);
  }

  /**
   * Switches one hazard. Turning a guard on zaps all shadow pages: what was made without it may already be wrong.
   * @throws RangeError for an unknown hazard
   */
  setHazard(id: string, setting: HazardSetting): void {
    const { mmu } = this;
    const index = hazardIndex(id);
    const guarded = setting === "guarded" ? 1 : 0;
    if (mmu.guarded[index] === guarded) return;
    mmu.guarded[index] = guarded;
    if (mmu.trace.on) mmu.trace.emit(EV_HAZARD_SWITCH, index, guarded === 1 ? 0 : 1);
    if (guarded === 1) zapAll(mmu);
  }

  /** Switches between vmx and svm; the TLB starts empty. */
  setTlb(kind: TlbKind): void {
    const { mmu } = this;
    mmu.svm = kind === "svm";
    mmu.cpu.intercepts = interceptsOf(kind, mmu.policy.invlpg !== null);
    resetContext(mmu);
  }

  /** Every counter by name. */
  get counters(): Record<string, number> {
    const values: Record<string, number> = {};
    COUNTERS.forEach((row, i) => {
      values[row.name] = this.mmu.count[i]!;
    });
    return values;
  }

  /** Checks all invariants, without side effects. */
  audit(): { checked: string[]; violations: Violation[] } {
    return audit(this.mmu);
  }

  /** Active shadow pages by gfn, then role word. */
  shadowPages(): ShadowPage[] {
    return describePages(this.mmu);
  }

  /** hpa that CR3 names, or -1 (INVALID_PAGE). */
  get rootHpa(): number {
    return this.mmu.rootHpa;
  }

  /** Walks the guest's tables without side effects, as the manual says. `access`: ACCESS_WRITE | USER | FETCH. */
  walkGuest(gva: number, access = 0): GuestWalk {
    const w = this.peek;
    const ok = walkGuest(this.mmu, w, gva | 0, access, WALK_PEEK | WALK_MANUAL);
    return {
      ok,
      error: w.error,
      gpa: ok ? w.frame * 4096 + (gva & 0xfff) : 0,
      level: w.level,
      low: w.low >>> 0,
      high: w.high >>> 0,
    };
  }

  /**
   * Writes 1 to 8 bytes of guest-physical memory as the emulator: the policy hears of it. A
   * write over a page boundary is two. False: some of it has no memory, and nothing is stored there.
   */
  emulatorWritePhys(gpa: number, size: number, low: number, high = 0): boolean {
    const { mmu } = this;
    let stored = true;
    const offset = gpa % 4096;
    const gfn = Math.floor(gpa / 4096);
    if (offset + size <= 4096) {
      stored = emulatorWritePhys(mmu, gfn, offset, size, low, high);
      enterGuest(mmu);
      return stored;
    }
    for (let i = 0; i < size; i++) {
      const at = gpa + i;
      const byte = (i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4))) & 0xff;
      if (!emulatorWritePhys(mmu, Math.floor(at / 4096), at % 4096, 1, byte, 0)) stored = false;
    }
    enterGuest(mmu);
    return stored;
  }

  save(): KvmState {
    return saveMmu(this.mmu, this.hazards);
  }

  /** Loads a saved state; host memory and the processor's state are loaded by the machine. Then `attach`. */
  load(state: KvmState): void {
    const policy = policyById(state.policy);
    if (policy === undefined) throw new RangeError(unknownPolicy(state.policy));
    this.mmu.policy = policy;
    this.mmu.poolSize = policy.pool;
    this.mmu.svm = state.tlb === "svm";
    this.mmu.guarded.fill(1);
    for (const [id, setting] of Object.entries(state.hazards)) {
      this.mmu.guarded[hazardIndex(id)] = setting === "guarded" ? 1 : 0;
    }
    loadMmu(this.mmu, state);
    this.attach();
  }
}

function unknownPolicy(id: string): string {
  return `unknown policy ${id}: ${POLICIES.map((p) => p.id).join(", ")} are possible under a hypervisor`;
}

function hazardIndex(id: string): number {
  const index = HAZARDS.findIndex((h) => h.id === id);
  if (index < 0) throw new RangeError(`unknown hazard ${id}: the list is in the help`);
  return index;
}
