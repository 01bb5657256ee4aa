/**
 * The processor: its registers, what is derived from them, and what reaches it from outside. Its accesses to memory are in
 * operand-access.ts, what handlers say in outcomes.ts; what instructions do stands in `isa/`, how they are run in run.ts,
 * what happens off the fast path in access.ts, segments.ts, delivery.ts, system.ts.
 *
 * It does not know that it may be virtualised: it walks the tables its paging unit names, and comes back with an exit
 * where `intercepts` asks for one. 32-bit quantities are signed integers.
 */

import { FRAME_SHADOW, FRAME_WATCHED, type HostMemory } from "../memory/host-memory.ts";
import type { Trace, TraceClock } from "../trace/trace.ts";
import {
  ATT_BREAK,
  ATT_DEBUG,
  ATT_HALTED,
  ATT_LINE,
  ATT_NMI,
  ATT_PENDING,
  ATT_SHADOW,
  ATT_STACK,
  ATT_WATCHED,
  ATT_YIELD,
  JUMP_ENTRIES,
} from "./attention.ts";
import { type Block, BlockCache } from "./blocks.ts";
import { NO_IO } from "./bus.ts";
import { DR6_BS } from "./debug.ts";
import {
  type EmulatorPort,
  EXIT_NONE,
  type ExitInfo,
  type IoBus,
  type MmioBus,
  type PhysicalBus,
  type Processor,
  VECTORING_NONE,
} from "./door.ts";
import { FLAG_RF, FLAG_TF, getEflags, REGS_LENGTH, REST, setEflags } from "./flags.ts";
import { segmentsChanged } from "./flat.ts";
import { Fpu } from "./fpu/state.ts";
import type { Insn } from "./isa/insn.ts";
import { PAT_RESET } from "./msr.ts";
import { Outcomes } from "./outcomes.ts";
import { FAST_EMPTY, FAST_WORDS, Tlb } from "./paging/tlb.ts";
import { Paging } from "./paging/unit.ts";
import { powerOn, reset } from "./reset.ts";
import { run, step } from "./run.ts";
import { SEGMENTS } from "./segment-cache.ts";
import { type CpuState, loadCpu, saveCpu } from "./state.ts";
import { applyControls } from "./system.ts";
import { type Watchpoint, Watchpoints } from "./watchpoints.ts";

/** The register that says where the local APIC is. */
export interface ApicBase {
  /** Bits 0 to 31 of IA32_APIC_BASE. */
  read(): number;
  /** Bits 0 to 31, reserved ones clear. */
  write(low: number): void;
}

const NOTHING_FAST = new Int32Array(FAST_WORDS).fill(FAST_EMPTY);

export class Cpu extends Outcomes implements Processor, TraceClock {
  /** eax ecx edx ebx esp ebp esi edi, the zero register, and the three words of EFLAGS (flags.ts). */
  readonly regs = new Int32Array(REGS_LENGTH);
  /** Within a handler: the address behind the instruction. */
  eip = 0;
  faulted = false;
  cr0 = 0x10; // ET
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  efer = 0;
  cpl = 0;

  /** Segment registers ES CS SS DS FS GS, then LDTR and TR. */
  readonly segSelector = new Int32Array(SEGMENTS);
  readonly segBase = new Int32Array(SEGMENTS);
  readonly segLimit = new Uint32Array(SEGMENTS);
  /** Access rights (segment-cache.ts). */
  readonly segAttr = new Int32Array(SEGMENTS);
  gdtBase = 0;
  gdtLimit = 0xffff;
  idtBase = 0;
  idtLimit = 0xffff;

  /** Derived: bit n when segment n is flat for reads, bit n + 8 for writes; FLAT_STACK and FLAT_CODE. */
  flat = 0;
  csBase = 0;
  csFlat = true;
  /** CS.D: 32-bit operands and addresses. */
  csBig = true;
  /** ESP bits in use: -1 or 0xffff (SS.B). */
  stackMask = -1;

  readonly fpu = new Fpu();
  /**
   * FERR#, for whoever wires it to IRQ 13: told the level when an x87 exception that is not masked begins or ends to
   * wait under CR0.NE = 0. The way back is IGNNE#, `fpu.ignne`.
   */
  ferr: ((asserted: boolean) => void) | null = null;

  // What the fast path needs, in reach.
  readonly memory: HostMemory;
  readonly bytes: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly paging: Paging;
  readonly tlb: Tlb;
  readonly blocks: BlockCache;
  readonly trace: Trace;
  io: IoBus;
  /** Devices at addresses without memory, or null: nothing answers there. */
  mmio: MmioBus | null = null;
  /** IA32_APIC_BASE, or null: no APIC, and CPUID says so. */
  apic: ApicBase | null = null;
  /** The derived arrays of the current privilege. */
  fastRead: Int32Array;
  fastWrite: Int32Array;

  /** Host byte address of a read-modify-write in flight, or -1: then `rmwLa` says where. */
  rmwHost = -1;
  rmwLa = 0;
  /** Upper half of the last 8-byte read. */
  high = 0;

  /** The descriptor read last (segments.ts), and the inner stack found last (delivery.ts). */
  descLow = 0;
  descHigh = 0;
  newSs = 0;
  newEsp = 0;

  // Faults and stops of the instruction in flight.
  excVector = 0;
  excError = -1;
  excAddress = 0;
  /** RUN_EXIT or RUN_UNIMPLEMENTED when `faulted` means that, else -1. */
  stopCode = -1;
  /** What stopped a RUN_UNIMPLEMENTED: name of the instruction or mechanism. */
  unimplemented = "";
  /** True: instructions that the manual defines and we do not have raise #UD instead of stopping. */
  unimplementedIsUd = false;
  /** The event under delivery, for exits. */
  vectoringType = VECTORING_NONE;
  vectoringVector = 0;
  vectoringError = -1;

  // Between instructions.
  attention = 0;
  pendingVector = -1;
  pendingType = 0;
  pendingError = -1;
  /** The last unit was an iteration of a REP instruction that goes on. */
  midRep = false;
  private line = -1;
  /** Told when an external interrupt is taken off the line: by the guest, or (acknowledged on exit) by the hypervisor. */
  acknowledged: ((vector: number) => void) | null = null;
  /** Told of each store of the processor's own into a watched frame: host byte address, bytes. Null: nobody watches. */
  watched: ((host: number, size: number) => void) | null = null;
  /** Deliveries since a unit last retired, and when that was: see delivery.ts. */
  deliveries = 0;
  deliveriesAt = -1;

  // Time.
  retired = 0;
  /** Time that passed while halted. `time` is retired units plus these jumps. */
  jumps = 0;
  /** TSC minus time, modulo 2^64: low and high half. */
  tscLow = 0;
  tscHigh = 0;
  // Debug registers (debug.ts).
  readonly dr = new Int32Array(8);
  /** DR7 enables a breakpoint on data. */
  watchingData = false;
  /** Bits of DR6 for the debug exception that waits, or that the instruction in hand will cause. */
  debugHits = 0;
  /** The #DB being delivered is a fault that is not an instruction breakpoint's: RF is pushed set. */
  debugFault = false;

  nmiWaits = false;
  /** From the delivery of an NMI to the next IRET. */
  nmiBlocked = false;

  sysenterCs = 0;
  sysenterEsp = 0;
  sysenterEip = 0;
  /** Low and high words of the two performance counters, and their event selects. */
  readonly counters = new Int32Array(6);

  /** IA32_PAT: kept, not used. */
  patLow = PAT_RESET;
  patHigh = PAT_RESET;

  // The instruction of a block being run, for whoever asks what time it is, and EIP of the block's first one.
  running: Insn | null = null;
  runningEip = 0;
  /** Changes with the base and the D of CS; below NEVER_NEAR (between.ts), so that it is never equal to a fetch epoch. */
  nearEpoch = -2;
  readonly jumpTags = new Int32Array(JUMP_ENTRIES * 2);
  readonly jumpBlocks: (Block | null)[] = new Array<Block | null>(JUMP_ENTRIES).fill(null);

  // Under a hypervisor.
  intercepts = 0;
  /** Within step(STEP_NO_INTERCEPT) and step(STEP_EMULATE): instructions do not exit. */
  unintercepted = false;
  emulating = false;
  emulator: EmulatorPort | null = null;
  emulatedOpcode = -1;
  /**
   * Answers an instruction's exit on the spot, without `run` coming back. False: it has been answered, and `run` comes back
   * all the same, with `answered` set. Null: each exit comes back.
   */
  answer: (() => boolean) | null = null;
  answered = false;
  readonly exit: ExitInfo = {
    reason: EXIT_NONE,
    gva: 0,
    error: 0,
    cr: 0,
    value: 0,
    valueHigh: 0,
    msr: 0,
    port: 0,
    size: 0,
    nextEip: 0,
    vectoringType: VECTORING_NONE,
    vectoringVector: 0,
    vectoringError: -1,
    storeFrom: -1,
  };

  /** Linear addresses that `run` stops before. Change through `setBreakpoints`. */
  breakpoints: readonly number[] = [];
  /** What somebody outside watches, or null. Change through `setWatchpoints`. */
  watchpoints: Watchpoints | null = null;
  brokeAtEip = 0;
  brokeAtRetired = -1;

  constructor(memory: HostMemory, bus: PhysicalBus, trace: Trace, io: IoBus = NO_IO) {
    super();
    this.memory = memory;
    this.bytes = memory.bytes;
    this.u16 = memory.u16;
    this.i32 = memory.i32;
    this.trace = trace;
    this.io = io;
    this.blocks = new BlockCache(memory, (hfn) => this.tlb.dropDerivedWritesTo(hfn));
    this.paging = new Paging(memory, bus, trace, (hpa) => this.beforeWalkStore(hpa));
    this.tlb = this.paging.tlb;
    this.fastRead = this.tlb.readSupervisor;
    this.fastWrite = this.tlb.writeSupervisor;
    trace.clock = this;
    this.reset();
  }

  /** Real mode at FFFF:FFF0, as behind the reset pin (reset.ts). */
  powerOn(): void {
    powerOn(this);
  }

  /** Flat 32-bit protected mode, everything else 0 (reset.ts). */
  reset(): void {
    reset(this);
  }

  // ---- registers and derived state ----

  get eflags(): number {
    return getEflags(this);
  }

  set eflags(value: number) {
    setEflags(this, value);
  }

  /** Selector of segment register `seg` (0-5; 6 LDTR, 7 TR). */
  selector(seg: number): number {
    return this.segSelector[seg]!;
  }

  setCpl(cpl: number): void {
    this.cpl = cpl;
    this.chooseFast();
    this.tlb.fetchEpoch++;
  }

  private chooseFast(): void {
    const tlb = this.tlb;
    const nothing = this.emulating || this.watchingData;
    this.fastRead = nothing ? NOTHING_FAST : this.cpl === 3 ? tlb.readUser : tlb.readSupervisor;
    this.fastWrite = nothing ? NOTHING_FAST : this.cpl === 3 ? tlb.writeUser : tlb.writeSupervisor;
  }

  setEmulating(on: boolean): void {
    this.emulating = on;
    if (on) {
      this.fastRead = NOTHING_FAST;
      this.fastWrite = NOTHING_FAST;
    } else {
      this.chooseFast();
    }
  }

  /** Derives what the fast paths test from the segment registers. Call after changing any. */
  segmentsChanged(): void {
    segmentsChanged(this);
  }

  get linearIp(): number {
    return (this.eip + this.csBase) | 0;
  }

  get bus(): PhysicalBus {
    return this.paging.bus;
  }

  set bus(bus: PhysicalBus) {
    this.paging.bus = bus;
  }

  /** Makes the paging unit follow CR0, CR3, CR4 and EFER, as on the bare machine. Reads no PDPTEs, flushes nothing. */
  applyControls(): void {
    applyControls(this);
  }

  // ---- time ----

  /** Retired units plus the jumps made while halted, also within a block. */
  get time(): number {
    const insn = this.running;
    return this.retired + this.jumps + (insn === null ? 0 : insn.count - 1);
  }

  /** EIP of the instruction being executed, or of the next one between two. */
  get traceEip(): number {
    const insn = this.running;
    return insn === null ? this.eip : (this.runningEip + insn.end - insn.length) | 0;
  }

  // ---- events from outside ----

  inject(vector: number, type: number, error: number): void {
    this.pendingVector = vector;
    this.pendingType = type;
    this.pendingError = error;
    this.attention |= ATT_PENDING;
  }

  cancelInjection(): void {
    this.pendingVector = -1;
    this.attention &= ~ATT_PENDING;
  }

  /** An edge on the NMI pin: delivered before the next instruction, or behind the IRET of the NMI being handled. */
  raiseNmi(): void {
    this.nmiWaits = true;
    this.noteNmi();
  }

  blockNmi(on: boolean): void {
    this.nmiBlocked = on;
    this.noteNmi();
  }

  noteNmi(): void {
    const now = this.nmiWaits && !this.nmiBlocked;
    this.attention = now ? this.attention | ATT_NMI : this.attention & ~ATT_NMI;
  }

  get interruptLine(): number {
    return this.line;
  }

  set interruptLine(vector: number) {
    this.line = vector;
    this.attention = vector >= 0 ? this.attention | ATT_LINE : this.attention & ~ATT_LINE;
  }

  get halted(): boolean {
    return (this.attention & ATT_HALTED) !== 0;
  }

  set halted(on: boolean) {
    this.attention = on ? this.attention | ATT_HALTED : this.attention & ~ATT_HALTED;
  }

  /** Linear addresses (CS base + EIP) that `run` stops before. */
  setBreakpoints(addresses: Iterable<number>): void {
    this.breakpoints = [...addresses].map((address) => address | 0);
    this.attention = this.breakpoints.length > 0 ? this.attention | ATT_BREAK : this.attention & ~ATT_BREAK;
  }

  /** Linear addresses that the machine stops behind an access to. */
  setWatchpoints(list: readonly Watchpoint[]): void {
    if (list.length === 0 && this.watchpoints === null) return;
    // What was hit and not told yet is gone, and with it the wish to come back for it.
    this.watchpoints?.take(this);
    this.watchpoints = list.length === 0 ? null : new Watchpoints(list);
    this.tlb.watchpoints = this.watchpoints;
    this.tlb.dropDerived();
  }

  complete(): void {
    this.eip = this.exit.nextEip;
    this.retired++;
    this.midRep = false;
    this.attention &= ~(ATT_SHADOW | ATT_STACK);
    if ((this.regs[REST]! & FLAG_TF) !== 0) {
      this.attention |= ATT_DEBUG;
      this.debugHits |= DR6_BS;
    }
    this.regs[REST]! &= ~FLAG_RF;
  }

  // ---- host memory changed by others ----

  codeChanged(hfn: number): void {
    this.blocks.dropFrame(hfn);
  }

  private beforeWalkStore(hpa: number): void {
    const hfn = hpa >>> 12;
    this.memory.touch(hfn);
    this.blocks.written(hfn, hpa & 0xffc, 4);
    // A and D of sptes interest nobody; a walk that goes astray into a guest's table does.
    if ((this.memory.flags[hfn]! & (FRAME_WATCHED | FRAME_SHADOW)) === FRAME_WATCHED)
      this.watchedStore(hpa, 4);
  }

  /** A store of the processor's own goes into a frame that is watched (FRAME_WATCHED): told before the bytes change. */
  watchedStore(host: number, size: number): void {
    if (this.watched === null) return;
    this.watched(host, size);
    this.stopBehind();
  }

  /** The run comes back at the boundary behind the instruction or delivery in flight: `run` answers RUN_RETIRED. */
  stopBehind(): void {
    this.attention |= ATT_WATCHED;
    this.leaveBlock();
  }

  /** Somebody outside wants the run to come back at the next boundary. Within a store of a block: see `leaveBlock`. */
  yield(): void {
    this.attention |= ATT_YIELD;
  }

  /** Whoever asked for the boundary has had it. */
  resume(): void {
    this.attention &= ~ATT_YIELD;
  }

  /** The block in flight ends behind its present instruction, so that the run loop looks up. */
  leaveBlock(): void {
    if (this.running === null) return;
    // As when code is stored into: the block that runs is dropped, and the run loop looks up behind the instruction.
    const la = (this.traceEip + this.csBase) | 0;
    const i = Tlb.fetchIndex(la);
    if (this.tlb.tags[i] === ((la & ~0xfff) | 1) && this.tlb.hfns[i]! >= 0)
      this.blocks.dropFrame(this.tlb.hfns[i]!);
    else this.blocks.clear();
  }

  /** Begins a new epoch of page versions: the next store into each page stamps it again. */
  newEpoch(): void {
    this.memory.epoch++;
    this.tlb.dropDerivedWrites();
  }

  // ---- running ----

  run(budget: number): number {
    return run(this, budget);
  }

  step(mode: number): number {
    return step(this, mode);
  }

  save(): CpuState {
    return saveCpu(this);
  }

  load(state: CpuState): void {
    loadCpu(this, state);
  }
}
