/**
 * The hypervisor under nested paging: no shadow, no write protection, no exit for a page fault or a control register.
 * It gives the processor host tables and fills them when a walk finds no translation (KVM's tdp_page_fault), and it
 * emulates accesses to addresses without memory. AMD vol. 2, 15.25; SDM vol. 3, 28.3; docs/nested-paging.md.
 */
import type { HostMemory } from "../../memory/host-memory.ts";
import type { MemorySlots } from "../../memory/slots.ts";
import { EV_EMULATE, EV_EXIT, EV_NESTED_FAULT, FLUSH_EXIT, FLUSH_RESET_CONTEXT } from "../../trace/events.ts";
import type { Trace } from "../../trace/trace.ts";
import {
  EXIT_CLTS,
  EXIT_CR_READ,
  EXIT_CR_WRITE,
  EXIT_EXTERNAL_INTERRUPT,
  EXIT_HLT,
  EXIT_INVLPG,
  EXIT_IO,
  EXIT_LMSW,
  EXIT_NESTED_FAULT,
  EXIT_OUTSIDE,
  EXIT_PF,
  EXIT_RDMSR,
  EXIT_TASK_SWITCH,
  EXIT_TRIPLE_FAULT,
  EXIT_WRMSR,
  type NestedUnit,
  type PhysicalBus,
  type Processor,
  RUN_RETIRED,
  STEP_EMULATE,
  STEP_NO_INTERCEPT,
  VECTORING_EXTERNAL,
} from "../../x86/door.ts";
import { C, COUNTERS, NESTED_FIRST } from "../counters.ts";
import {
  ANOTHER_EXIT,
  dispositionOf,
  KVM_CONTINUE,
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  KVM_UNIMPLEMENTED,
} from "../exits/disposition.ts";
import { interceptsOf, type TlbKind } from "../exits/table.ts";
import { NESTED_COUNTERS, nestedReferences } from "./counters.ts";
import { NestedEmulator } from "./emulator.ts";
import { HostTables } from "./host-tables.ts";

export interface NestedOptions {
  readonly tlb: TlbKind;
  /** Host levels: 3 or 4. */
  readonly levels: number;
  /** Entries of each page-walk cache; 0: none. */
  readonly walkCache: number;
}

export interface NestedKvmState {
  tlb: TlbKind;
  levels: number;
  walkCache: number;
  /** First table frame that was never used. */
  next: number;
  counters: Float64Array;
}

/** What needs no exit any more: the guest owns its control registers and its page faults. */
const FREE =
  (1 << EXIT_PF) |
  (1 << EXIT_CR_WRITE) |
  (1 << EXIT_CR_READ) |
  (1 << EXIT_CLTS) |
  (1 << EXIT_LMSW) |
  (1 << EXIT_INVLPG);

/** Nested faults in a row without a retired unit before the machine is told of a finding. */
const LOST = 64;

const EMULATE_DONE = 0;
const EMULATE_FAULT = 1;
const EMULATE_MMIO = 2;
const EMULATE_FAILED = 4;
/** `answer` of the `nested_fault` event. */
const ANSWER_MAPPED = 0;
const ANSWER_MMIO = 1;

export class NestedKvm {
  readonly emulator: NestedEmulator;
  finding: string | null = null;
  tables: HostTables;
  svm: boolean;
  walkCache: number;
  private readonly count = new Float64Array(COUNTERS.length);
  private readonly memory: HostMemory;
  private readonly slots: MemorySlots;
  private readonly cpu: Processor;
  private readonly trace: Trace;
  private readonly bus: PhysicalBus;
  private heavy = false;
  private stuckAt = -1;
  private stuck = 0;

  constructor(
    memory: HostMemory,
    slots: MemorySlots,
    cpu: Processor,
    trace: Trace,
    { tlb, levels, walkCache }: NestedOptions,
  ) {
    this.memory = memory;
    this.slots = slots;
    this.cpu = cpu;
    this.trace = trace;
    this.svm = tlb === "svm";
    this.walkCache = walkCache;
    this.tables = new HostTables(memory, levels);
    this.emulator = new NestedEmulator(memory, slots, cpu);
    this.bus = { frameOf: (pfn) => (pfn >= 0 && pfn < memory.frames ? pfn : -1) };
  }

  private get unit(): NestedUnit {
    const { nested } = this.cpu.paging;
    if (nested === undefined) throw new Error("this processor has no nested paging");
    return nested;
  }

  /** Takes the bare processor over: it keeps all its registers, its paging unit's included. */
  start(): void {
    this.tables.begin();
    this.attach();
    this.unit.configure(this.tables.levels, this.tables.root, this.walkCache);
    this.cpu.paging.flush(FLUSH_RESET_CONTEXT, false);
  }

  /** Connects the processor after a load: the paging unit's second dimension comes with the processor's state. */
  attach(): void {
    this.cpu.bus = this.bus;
    this.cpu.intercepts = interceptsOf(this.svm ? "svm" : "vmx") & ~FREE;
    this.cpu.emulator = this.emulator;
  }

  /** Gives the host tables back; the machine then puts the processor on its bare bus. */
  stop(): void {
    this.unit.off();
    this.tables.clear();
    this.cpu.intercepts = 0;
    this.cpu.emulator = null;
  }

  /** Other host tables, or walk caches of another size: both begin empty, and so does the TLB. */
  configure(levels: number, walkCache: number): void {
    this.walkCache = walkCache;
    this.tables.clear();
    this.tables = new HostTables(this.memory, levels);
    this.start();
  }

  setTlb(kind: TlbKind): void {
    this.svm = kind === "svm";
    this.attach();
    this.cpu.paging.flush(FLUSH_RESET_CONTEXT, false);
  }

  /** Every counter, in the order of COUNTERS. */
  get counts(): Float64Array {
    const { count } = this.unit;
    NESTED_COUNTERS.forEach((row, i) => {
      this.count[NESTED_FIRST + i] = row.at < 0 ? nestedReferences(count) : count[row.at]!;
    });
    return this.count;
  }

  /** Every counter by name. */
  get counters(): Record<string, number> {
    const { counts } = this;
    return Object.fromEntries(COUNTERS.map((row, i) => [row.name, counts[i]!]));
  }

  // ---- exits ----

  /** Handles the exit in the processor's record. Answers a KVM_… disposition. */
  handleExit(): number {
    this.finding = null;
    this.heavy = false;
    const answer = this.dispatch();
    if (!this.heavy && answer === KVM_CONTINUE) this.count[C.light_exits]!++;
    return this.finding !== null && answer !== KVM_SHUTDOWN ? KVM_FINDING : answer;
  }

  /** The exit of something from outside: counted, and under vmx the TLB is flushed. */
  outsideExit(): void {
    this.count[C.signal_exits]!++;
    this.leave(EXIT_OUTSIDE, 0, 0);
  }

  private leave(reason: number, qualification: number, error: number): void {
    this.count[C.exits]!++;
    if (this.trace.on) this.trace.emit(EV_EXIT, reason, qualification, error);
    // Without VPIDs an exit drops what is kept of linear addresses; translations of guest-physical ones stay.
    if (!this.svm) this.cpu.paging.flush(FLUSH_EXIT, false);
  }

  private dispatch(): number {
    const { cpu } = this;
    const { exit } = cpu;
    const qualification =
      exit.reason === EXIT_IO
        ? exit.port
        : exit.reason === EXIT_RDMSR || exit.reason === EXIT_WRMSR
          ? exit.msr
          : exit.gva;
    this.leave(exit.reason, qualification, exit.reason === EXIT_NESTED_FAULT ? exit.error : 0);
    switch (exit.reason) {
      case EXIT_NESTED_FAULT:
        return this.nestedFault();
      case EXIT_IO:
        this.heavy = true;
        this.count[C.io_exits]!++;
        return this.carryOut();
      case EXIT_HLT: {
        this.heavy = true;
        this.count[C.halt_exits]!++;
        const code = cpu.step(STEP_NO_INTERCEPT);
        return code === RUN_RETIRED ? KVM_HALTED : this.afterStep(code);
      }
      case EXIT_EXTERNAL_INTERRUPT:
        this.count[C.irq_exits]!++;
        cpu.inject(exit.value, VECTORING_EXTERNAL, -1); // acknowledged on exit
        return KVM_CONTINUE;
      case EXIT_TASK_SWITCH:
        // Unconditional under vmx. On the emulator nothing exits behind its commit point.
        this.heavy = true;
        return this.onEmulator(cpu.linearIp);
      case EXIT_TRIPLE_FAULT:
        this.heavy = true;
        return KVM_SHUTDOWN;
      default:
        return this.carryOut();
    }
  }

  /** Runs the intercepted instruction as the processor does, in the hypervisor's place. */
  private carryOut(): number {
    return this.afterStep(this.cpu.step(STEP_NO_INTERCEPT));
  }

  private afterStep(code: number): number {
    const disposition = dispositionOf(code);
    return disposition === ANOTHER_EXIT ? this.dispatch() : disposition;
  }

  private nestedFault(): number {
    const { cpu } = this;
    const { gva } = cpu.exit;
    if (this.stuckAt !== cpu.retired) this.stuck = 0;
    this.stuckAt = cpu.retired;
    if (this.resolve()) {
      if (++this.stuck < LOST) return KVM_CONTINUE;
      this.stuck = 0;
      this.finding = `the instruction at 0x${(cpu.linearIp >>> 0).toString(16)} does not retire: nested fault after nested fault`;
      return KVM_FINDING;
    }
    return this.emulate(gva);
  }

  /** The exit for a nested fault of a store that no instruction makes. As `resolve`. */
  answerFault(): boolean {
    const { exit } = this.cpu;
    this.leave(exit.reason, exit.gva, exit.error);
    return this.resolve();
  }

  /** Answers the nested fault in the record: true, mapped; false: there is no memory, the access is to be emulated. */
  private resolve(): boolean {
    const { exit } = this.cpu;
    const gfn = (exit.valueHigh << 20) | (exit.value >>> 12);
    const hfn = this.slots.hfnOf(gfn);
    if (this.trace.on) {
      const answer = hfn < 0 ? ANSWER_MMIO : ANSWER_MAPPED;
      const step = this.unit.faultStep;
      this.trace.emit(
        EV_NESTED_FAULT,
        exit.gva,
        exit.value & ~0xfff,
        exit.valueHigh,
        exit.error,
        step,
        answer,
      );
    }
    if (hfn < 0) return false;
    this.count[C.pf_fixed]!++;
    // KVM marks the page when it makes a writable translation: the processor's D would say more.
    this.slots.markDirty(gfn);
    if (!this.tables.map(gfn, hfn)) this.unit.flushHost();
    return true;
  }

  /** The access in hand has no memory: the instruction, or the delivery, is emulated. */
  private emulate(gva: number): number {
    this.heavy = true;
    this.count[C.mmio_exits]!++;
    return this.onEmulator(gva);
  }

  /** Runs the instruction, or the delivery, on the emulator. */
  private onEmulator(gva: number): number {
    const { cpu, emulator, unit } = this;
    emulator.begin();
    unit.software = emulator.bus;
    const code = cpu.step(STEP_EMULATE | STEP_NO_INTERCEPT);
    unit.software = null;
    if (emulator.faulted) this.count[C.pf_guest]!++;
    const answer = this.afterStep(code);
    if (this.trace.on) {
      const result = emulator.faulted ? EMULATE_FAULT : emulator.mmio ? EMULATE_MMIO : EMULATE_DONE;
      this.trace.emit(EV_EMULATE, gva, answer === KVM_UNIMPLEMENTED ? EMULATE_FAILED : result);
    }
    return answer;
  }

  // ---- snapshots ----

  save(): NestedKvmState {
    return {
      tlb: this.svm ? "svm" : "vmx",
      levels: this.tables.levels,
      walkCache: this.walkCache,
      next: this.tables.next,
      counters: this.count.slice(),
    };
  }

  /** Loads a saved state; host memory and the processor's state are loaded by the machine. Then `attach`. */
  load(state: NestedKvmState): void {
    this.svm = state.tlb === "svm";
    this.walkCache = state.walkCache;
    this.tables = new HostTables(this.memory, state.levels);
    this.tables.next = state.next;
    this.count.fill(0);
    this.count.set(state.counters);
    this.attach();
  }
}
