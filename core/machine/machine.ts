/**
 * The machine: memory, slots, the processor, the hypervisor or the bare bus, a serial port, the trace, and the loop
 * that runs them. A pure function of its image, its setup and its inputs; it has no clock.
 *
 * Between two calls of `run` it stands at a boundary: a unit retired, a delivery done, an exit handled or an input
 * applied, never inside one. Inputs are applied there, at once, and logged with the boundary they were applied at.
 */
import { IRQ_COM1 } from "../devices/board.ts";
import { COM1_PORT, COM1_PORTS, PortBus, SERIAL_VECTOR, SerialPort } from "../devices/index.ts";
import { firmware } from "../guests/index.ts";
import type { LoadedImage } from "../images/index.ts";
import {
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  KVM_UNIMPLEMENTED,
  Kvm,
  type KvmState,
  NESTED,
  NestedKvm,
  type NestedKvmState,
  POLICIES,
} from "../kvm/index.ts";
import { FRAME_SHADOW, type HostMemory } from "../memory/host-memory.ts";
import type { MemorySlots } from "../memory/slots.ts";
import { EV_POLICY, EV_SERIAL_OUT, EV_TRIPLE_FAULT, FLUSH_RESET_CONTEXT } from "../trace/events.ts";
import { Trace } from "../trace/trace.ts";
import { ATT_YIELD } from "../x86/attention.ts";
import { GuestBus } from "../x86/bus.ts";
import { Cpu } from "../x86/cpu.ts";
import {
  RUN_BREAK,
  RUN_BUDGET,
  RUN_EXIT,
  RUN_HALTED,
  RUN_RETIRED,
  RUN_SHUTDOWN,
  RUN_UNIMPLEMENTED,
  STEP_NORMAL,
} from "../x86/door.ts";
import { FLAG_IF } from "../x86/flags.ts";
import { CS, ES } from "../x86/isa/insn.ts";
import { LDTR } from "../x86/segment-cache.ts";
import { WATCH_WRITE } from "../x86/watchpoints.ts";
import { applyInput, refuseInput } from "./apply-input.ts";
import { leaveAsBooted } from "./as-booted.ts";
import { type AuditReport, AuditWatch } from "./audit-watch.ts";
import { startControls } from "./controls.ts";
import { type EditOutcome, writePhysical } from "./edits.ts";
import { type Input, type LoggedInput, type Stamp, sameStamp } from "./inputs.ts";
import { type Media, Pc } from "./pc.ts";
import {
  ANY_READ,
  CR0_WP,
  CR4_PSE,
  EFER_NXE,
  type GuestPaging,
  pagingMode,
  walkGuest,
} from "./peek/guest-walk.ts";
import {
  layOutMemory,
  type MachineSetup,
  NESTED_LEVELS,
  POLICY_NONE,
  type Stop,
  type StopReason,
} from "./setup.ts";
import type { Snapshot } from "./snapshot.ts";
import { warmUp } from "./warm-up.ts";

/** What an input did: an edit may be refused by the guest's own tables; everything else is done. */
export type InputOutcome = EditOutcome;

const PAUSED: Stop = { reason: "paused", detail: "" };
/** Boundaries without a retired unit in a row are few: a delivery counts as a unit after 64 of them. */
const REPLAY_STEPS = 10_000;

/** Policies by their number in the `policy` event: none first. */
export const POLICY_IDS: readonly string[] = POLICIES.map((policy) => policy.id);

/** A wish that the machine cannot fulfil, in words. Nothing was changed. */
export class MachineError extends Error {}

export class Machine {
  readonly memory: HostMemory;
  readonly slots: MemorySlots;
  readonly trace: Trace;
  readonly ports = new PortBus();
  readonly serial: SerialPort;
  readonly cpu: Cpu;
  /** The hypervisor with its shadow, or null: on the bare machine, and under nested paging. */
  kvm: Kvm | null = null;
  /** The hypervisor under nested paging, or null. */
  nested: NestedKvm | null = null;
  setup: MachineSetup;
  stop: Stop = { reason: "never-run", detail: "" };
  /** Exits handled since the machine was made. */
  exits = 0;
  /** Inputs applied since the machine was made, oldest first. */
  readonly log: LoggedInput[] = [];
  /** The audit, continuous or asked for, and what it found. */
  readonly watch = new AuditWatch(this);
  /** Event kinds that `run` stops at, or null. */
  stopAtEvents: ReadonlySet<number> | null = null;
  /** `run` also stops behind a delivery, so that a step into a handler ends before its first instruction. */
  stopAtDelivery = false;
  private eventsSeen = 0;
  /** External interrupts that somebody raised and the guest did not take yet. */
  private raised: number[] = [];
  /** The PC's board and ROM; null on the bare machine. */
  readonly pc: Pc | null;
  /** Units that a halted PC may jump over in one `run` before it comes back early: whoever paces it sets this. */
  patience = Number.POSITIVE_INFINITY;
  /** Units that the last `run` jumped over. */
  idled = 0;
  private readonly bareBus: GuestBus;
  /** True after a triple fault or a bug: nothing runs any more. */
  private dead = false;

  /** @param media disks, floppy and ROM of a PC; the bare machine has none */
  constructor(setup: MachineSetup, trace: Trace = new Trace(), media: Media = {}) {
    warmUp();
    const { memory, slots } = layOutMemory(setup);
    this.setup = setup;
    this.memory = memory;
    this.slots = slots;
    this.trace = trace;
    this.bareBus = new GuestBus(slots);
    this.cpu = new Cpu(memory, this.bareBus, trace, this.ports);
    this.cpu.unimplementedIsUd = setup.unimplemented === "ud";
    this.cpu.acknowledged = (vector) => {
      // An interrupt raised by hand is an edge: it is gone when it is taken. The serial port's is a level.
      if (this.raised[0] === vector) this.raised.shift();
      else this.pc?.board.acknowledge();
      this.updateLine();
    };
    this.serial = new SerialPort(
      () => {
        if (this.pc === null) this.updateLine();
        else this.pc.board.setIrq(IRQ_COM1, this.serial.interrupting);
      },
      (byte) => {
        if (trace.on) trace.emit(EV_SERIAL_OUT, byte);
      },
      setup.machine === "pc" ? "pc" : "direct",
    );
    this.ports.claim(COM1_PORT, COM1_PORTS, this.serial);
    this.pc =
      setup.machine === "pc" ? new Pc(this, media, media.rom ?? firmware(), () => this.updateLine()) : null;
  }

  /** A machine with an image in its memory and its registers, at the image's first instruction. */
  static boot(setup: MachineSetup, image: LoadedImage, trace?: Trace): Machine {
    const { disks, floppy, rom } = image;
    const machine = new Machine(setup, trace, { disks, floppy, rom });
    const { pc } = machine;
    pc?.placeRom();
    if (pc !== null && image.start !== "reset") leaveAsBooted(machine, pc);
    machine.load(image);
    machine.takeOver();
    return machine;
  }

  /** Retired units plus the jumps made while halted. */
  get time(): number {
    return this.cpu.time;
  }

  get instructions(): number {
    return this.cpu.retired;
  }

  /** The boundary at which the machine stands. */
  get stamp(): Stamp {
    const { cpu } = this;
    return {
      time: cpu.time,
      deliveries: cpu.deliveriesAt === cpu.retired ? cpu.deliveries : 0,
      exits: this.exits,
    };
  }

  /** True when it is halted with interrupts on: input would wake it. */
  get waiting(): boolean {
    return this.cpu.halted && (this.cpu.eflags & FLAG_IF) !== 0 && !this.dead;
  }

  /** True when it can never run on (triple fault, bug). */
  get over(): boolean {
    return this.dead;
  }

  private load(image: LoadedImage): void {
    for (const zero of image.zeros) this.zero(zero.gpa, zero.length);
    for (const write of image.writes) writePhysical(this, write.gpa, write.bytes);
    const { cpu } = this;
    if (image.start === "reset") {
      cpu.powerOn();
      return;
    }
    const { eax, ecx, edx, ebx, esp, ebp, esi, edi } = image.regs;
    [eax, ecx, edx, ebx, esp, ebp, esi, edi].forEach((value, i) => {
      cpu.regs[i] = value;
    });
    cpu.eip = image.entry | 0;
    cpu.gdtBase = image.gdt.base | 0;
    cpu.gdtLimit = image.gdt.limit;
    const { code, data } = image.gdt;
    if (code !== undefined) cpu.segSelector[CS] = code;
    if (data !== undefined) for (let seg = ES; seg < LDTR; seg++) if (seg !== CS) cpu.segSelector[seg] = data;
    if (image.controls !== undefined) startControls(this, image.controls);
  }

  /** A fresh machine's memory is zero: only frames written before need it. */
  private zero(gpa: number, length: number): void {
    for (let at = gpa; at < gpa + length; ) {
      const end = Math.min(gpa + length, (Math.floor(at / 4096) + 1) * 4096);
      const hfn = this.slots.hfnOf(Math.floor(at / 4096));
      if (hfn >= 0 && this.memory.version[hfn] !== 0) writePhysical(this, at, new Uint8Array(end - at));
      at = end;
    }
  }

  // ---- running ----

  /**
   * Runs until `budget` units retired or something stops it; `stop` then says what. Never throws: a broken assertion
   * of ours stops the machine with the reason `bug`, its state kept.
   * @returns true when the budget is used up and nothing else happened
   */
  run(budget: number): boolean {
    if (this.dead) return false;
    this.stop = PAUSED;
    this.cpu.newEpoch();
    try {
      return this.loop(this.time + budget);
    } catch (error) {
      this.bug(error);
      return false;
    } finally {
      this.cpu.answer = null;
      this.cpu.answered = false;
    }
  }

  private loop(goal: number): boolean {
    const { cpu } = this;
    this.eventsSeen = this.trace.count;
    this.watch.prepare();
    const { deliveries, deliveriesAt } = cpu;
    // What an input broke stops the machine before anything runs.
    const broken = this.watch.take();
    if (broken !== null) return this.halt("finding", broken);
    // With nobody to look at each boundary, the guest goes on where its exit was answered.
    cpu.answer = this.watch.looks || this.stopAtEvents !== null ? null : this.answer;
    const board = this.pc?.board ?? null;
    this.idled = 0;
    while (cpu.time < goal) {
      let limit = goal;
      if (board !== null) {
        cpu.resume();
        if (board.due <= cpu.time) board.advance(cpu.time);
        limit = Math.min(goal, board.due);
      }
      const stepwise = this.watch.stepwise || this.stopAtEvents !== null || this.stopAtDelivery;
      if (stepwise && this.atBreakpoint()) return this.halt("breakpoint", hex(cpu.eip));
      if (stepwise) this.watch.begin(cpu.eip >>> 0);
      const code = stepwise ? cpu.step(STEP_NORMAL) : cpu.run(limit - cpu.time);
      const disposition = code !== RUN_EXIT ? code : cpu.answered ? this.disposition : this.handleExit();
      cpu.answered = false;
      this.watch.behindBoundary(code === RUN_EXIT);
      if (disposition === RUN_HALTED) {
        if (this.canWake()) continue;
        if (this.pc?.resetWanted !== true) {
          if (!this.jump(goal)) return this.standStill();
          if (this.idled >= this.patience) return true;
          continue;
        }
      }
      if (disposition === RUN_SHUTDOWN && !this.tripleFault()) {
        this.dead = true;
        return this.halt("triple-fault", `at ${hex(cpu.eip)}`);
      }
      if (this.pc !== null && !this.heedBoard(this.pc)) return false;
      if (disposition === RUN_UNIMPLEMENTED) return this.halt("unimplemented", this.describeUnimplemented());
      if (disposition === RUN_BREAK) return this.halt("breakpoint", hex(cpu.eip));
      const finding = this.watch.take();
      if (finding !== null) return this.halt("finding", finding);
      if (cpu.watchpoints !== null && this.touchedWatched()) return false;
      if (this.sawEvent()) return this.halt("event", "");
      if (this.stopAtDelivery && (deliveries !== cpu.deliveries || deliveriesAt !== cpu.deliveriesAt))
        return this.halt("step", "at the first instruction of a handler");
      if (code === RUN_BUDGET && cpu.time < limit && !stepwise)
        throw new Error("the processor came back early");
    }
    // The budget's last unit may have been a HLT: that is how it stopped, under every policy.
    if (!cpu.halted || this.canWake() || (board !== null && this.waiting && board.due < Infinity))
      return true;
    return this.standStill();
  }

  /** A halted PC: time jumps to what a device does next, or to `goal`. False: no device will ever wake it. */
  private jump(goal: number): boolean {
    const { cpu, pc } = this;
    if (pc === null || !this.waiting || pc.board.due === Infinity) return false;
    const units = Math.min(goal, pc.board.due) - cpu.time;
    if (units > 0) {
      cpu.jumps += units;
      this.idled += units;
    }
    return true;
  }

  /** What the board asks for between two instructions. False: the machine stops. */
  private heedBoard(pc: Pc): boolean {
    if (pc.resetWanted) this.resetProcessor();
    if (pc.a20Moved) pc.moveA20();
    if (pc.exitCode < 0) return true;
    const code = pc.exitCode;
    pc.exitCode = -1;
    return this.halt("debug-exit", `the guest wrote ${code} to port 0xf4`);
  }

  /** A shutdown is an event, and the end unless the setup says that it resets. True: the machine goes on. */
  private tripleFault(): boolean {
    const resets = this.setup.tripleFault === "reset";
    if (this.trace.on) this.trace.emit(EV_TRIPLE_FAULT, this.cpu.linearIp, resets ? 1 : 0);
    if (resets) this.resetProcessor();
    return resets;
  }

  /** Resets the processor: it goes on in real mode at FFFFFFF0. Memory stays. A unit of time passes. */
  resetProcessor(): void {
    this.pc?.reset();
    this.cpu.powerOn();
    this.cpu.jumps++;
    this.kvm?.guestReset();
  }

  /** Halted, and nothing that is there could wake it. */
  private standStill(): false {
    return this.halt(
      "hlt",
      this.waiting ? "halted with interrupts on: it waits for input" : "halted with interrupts off",
    );
  }

  /** What `handleExit` said to an exit that was answered within a run. */
  private disposition = RUN_RETIRED;
  /** Cpu.answer. */
  private readonly answer = (): boolean => {
    this.disposition = this.handleExit();
    // A device may have asked for the boundary.
    return this.disposition === RUN_RETIRED && !this.watch.stops && (this.cpu.attention & ATT_YIELD) === 0;
  };

  /** Lets the hypervisor handle the exit. Answers RUN_RETIRED (go on) or another RUN_ reason. */
  private handleExit(): number {
    this.exits++;
    const kvm = this.nested ?? this.hypervisor();
    this.watch.begin(this.cpu.eip >>> 0);
    switch (kvm.handleExit()) {
      case KVM_HALTED:
        return RUN_HALTED;
      case KVM_SHUTDOWN:
        return RUN_SHUTDOWN;
      case KVM_UNIMPLEMENTED:
        return RUN_UNIMPLEMENTED;
      case KVM_FINDING:
        this.watch.note(kvm.finding ?? "the hypervisor reports a finding without a name");
        return RUN_RETIRED;
      default:
        return RUN_RETIRED;
    }
  }

  /** The hypervisor. @throws when there is none: an exit on the bare machine is a bug */
  hypervisor(): Kvm {
    if (this.kvm === null) throw new Error(`an exit (${this.cpu.exit.reason}) without a hypervisor`);
    return this.kvm;
  }

  /** A halted processor that an interrupt on the line would wake. */
  private canWake(): boolean {
    return this.waiting && this.cpu.interruptLine >= 0;
  }

  /** `run` itself stops at breakpoints; unit by unit the machine does. */
  private atBreakpoint(): boolean {
    const { cpu } = this;
    if (!cpu.breakpoints.includes(cpu.linearIp)) return false;
    if (cpu.brokeAtEip === cpu.eip && cpu.brokeAtRetired === cpu.retired) return false;
    cpu.brokeAtEip = cpu.eip;
    cpu.brokeAtRetired = cpu.retired;
    return true;
  }

  /** The accesses of the boundary in hand met a watchpoint: the machine stops behind it. */
  private touchedWatched(): boolean {
    const hit = this.cpu.watchpoints?.take(this.cpu) ?? null;
    if (hit === null) return false;
    this.halt("watchpoint", `a ${hit.access === WATCH_WRITE ? "write to" : "read of"} ${hex(hit.address)}`);
    return true;
  }

  private sawEvent(): boolean {
    const kinds = this.stopAtEvents;
    if (kinds === null) return false;
    for (; this.eventsSeen < this.trace.count; this.eventsSeen++) {
      if (kinds.has(this.trace.kindAt(this.eventsSeen))) {
        this.eventsSeen = this.trace.count;
        return true;
      }
    }
    return false;
  }

  private halt(reason: StopReason, detail: string): false {
    this.stop = { reason, detail };
    return false;
  }

  private bug(error: unknown): void {
    this.dead = true;
    const what = error instanceof Error ? error.message : String(error);
    this.stop = { reason: "bug", detail: `${what} (at ${hex(this.cpu.traceEip)}, time ${this.cpu.time})` };
  }

  private describeUnimplemented(): string {
    const { cpu } = this;
    const bytes: string[] = [];
    for (let i = 0; i < 15; i++) {
      const gpa = this.translate((cpu.linearIp + i) >>> 0);
      const hfn = gpa < 0 ? -1 : this.slots.hfnOf(Math.floor(gpa / 4096));
      if (hfn < 0) break;
      bytes.push(this.memory.bytes[hfn * 4096 + (gpa % 4096)]!.toString(16).padStart(2, "0"));
    }
    return `${cpu.unimplemented} at ${hex(cpu.eip)}, bytes ${bytes.join(" ")}`;
  }

  /** Audits the whole machine now: what is wrong at this boundary. On the bare machine there is nothing to judge. */
  audit(): AuditReport {
    return this.watch.audit();
  }

  // ---- input ----

  /**
   * Something from outside reaches the machine, at this boundary: it is checked, logged and applied.
   * @throws MachineError with a sentence when it makes no sense; nothing was changed then
   */
  input(input: Input): InputOutcome {
    const refusal = refuseInput(this, input);
    if (refusal !== null) throw new MachineError(refusal);
    this.log.push({ at: this.stamp, input });
    this.cpu.newEpoch();
    this.watch.prepare();
    this.watch.begin(-1);
    try {
      const outcome = applyInput(this, input);
      this.watch.behindBoundary(true);
      return outcome;
    } catch (error) {
      if (!(error instanceof MachineError)) this.bug(error);
      throw error;
    } finally {
      // Watchpoints are for the guest's own accesses.
      this.cpu.watchpoints?.take(this.cpu);
    }
  }

  /** An interrupt raised by hand waits on the line until the guest takes it. */
  raise(vector: number): void {
    this.raised.push(vector);
    this.updateLine();
  }

  /** The level of the interrupt line: interrupts raised by hand first, then the PC's controllers or the serial port's. */
  private updateLine(): void {
    const first = this.raised[0];
    // While the PC's board is being made there is none yet, and nothing to ask for.
    const pc: Pc | null | undefined = this.pc;
    if (first !== undefined) this.cpu.interruptLine = first;
    else if (pc) this.cpu.interruptLine = pc.board.vector;
    else this.cpu.interruptLine = this.serial.interrupting && pc === null ? SERIAL_VECTOR : -1;
  }

  /** Changes the audit's mode and what a finding does; neither touches the machine's state. */
  setAudit(mode: MachineSetup["audit"], findings: MachineSetup["findings"]): void {
    this.setup = { ...this.setup, audit: mode, findings };
    this.watch.prepare();
  }

  // ---- policies ----

  /** Hands the processor to the hypervisor, if the setup names one. */
  private takeOver(): void {
    if (this.setup.policy === POLICY_NONE) return;
    if (this.setup.policy === NESTED) {
      this.nested = this.makeNested();
      this.nested.start();
      return;
    }
    this.kvm = new Kvm(this.memory, this.slots, this.cpu, this.trace, {
      policy: this.setup.policy,
      tlb: this.setup.tlb,
      hazards: this.setup.hazards,
      tuning: this.setup.tuning,
    });
    this.kvm.start();
  }

  private makeNested(): NestedKvm {
    const { tlb, nestedLevels, walkCache } = this.setup;
    return new NestedKvm(this.memory, this.slots, this.cpu, this.trace, {
      tlb,
      levels: nestedLevels ?? NESTED_LEVELS,
      walkCache: walkCache ?? 0,
    });
  }

  /** Puts another policy (or none) in charge; called by the input of that name. */
  changePolicy(policy: string): void {
    const before = this.setup.policy;
    this.setup = { ...this.setup, policy };
    if (policy === before) return;
    if (this.kvm !== null && policy !== POLICY_NONE && policy !== NESTED) {
      this.kvm.setPolicy(policy);
      return;
    }
    if (this.trace.on) this.trace.emit(EV_POLICY, POLICY_IDS.indexOf(before), POLICY_IDS.indexOf(policy));
    if (before !== POLICY_NONE) this.leaveHypervisor();
    this.takeOver();
  }

  /** The bare machine again: the processor walks the guest's own tables, with the PDPTEs that were loaded. */
  private leaveHypervisor(): void {
    const { cpu } = this;
    const { pdptes } = this.guestPaging();
    this.kvm?.stop();
    this.kvm = null;
    this.nested?.stop();
    this.nested = null;
    cpu.bus = this.bareBus;
    cpu.applyControls();
    cpu.paging.pdptes.set(pdptes);
    cpu.paging.flush(FLUSH_RESET_CONTEXT, false);
  }

  // ---- looking: peeks that change nothing ----

  /** What the guest's paging depends on. */
  guestPaging(): GuestPaging {
    const { cpu } = this;
    return {
      mode: pagingMode(cpu.cr0, cpu.cr4),
      cr3: cpu.cr3 >>> 0,
      wp: (cpu.cr0 & CR0_WP) !== 0,
      pse: (cpu.cr4 & CR4_PSE) !== 0,
      nxe: (cpu.efer & EFER_NXE) !== 0,
      pdptes: (this.kvm === null ? cpu.paging.pdptes : this.kvm.mmu.pdptes).slice(),
    };
  }

  /** Guest-physical address behind a linear one, or -1 where nothing is mapped. */
  translate(gva: number): number {
    return walkGuest(this, this.guestPaging(), gva, ANY_READ).gpa;
  }

  /** Every counter, in the order of COUNTERS; null on the bare machine. */
  counts(): Float64Array | null {
    return this.kvm?.mmu.count ?? this.nested?.counts ?? null;
  }

  /** True for a frame that holds a shadow page or pae_root. */
  isShadowFrame(hfn: number): boolean {
    return this.kvm !== null && (this.memory.flags[hfn]! & FRAME_SHADOW) !== 0;
  }

  // ---- snapshots and replay ----

  /** What a snapshot keeps beside memory, processor, hypervisor and devices. */
  saveRest() {
    return {
      raised: this.raised.slice(),
      exits: this.exits,
      // Why it stands still is the observer's, unless it is the end.
      stop: this.dead ? this.stop : PAUSED,
      over: this.dead,
      findings: this.watch.findings.list.slice(),
    };
  }

  /** Everything of a snapshot but the memory and its dirty log, which are there already. */
  loadRest(snapshot: Snapshot): void {
    // The hypervisor first: the processor finds the frames behind its TLB entries on the bus that it is put on.
    if (snapshot.kvm !== null && this.setup.policy === NESTED) {
      this.nested = this.makeNested();
      this.nested.load(snapshot.kvm as unknown as NestedKvmState);
    } else if (snapshot.kvm !== null) {
      this.kvm = new Kvm(this.memory, this.slots, this.cpu, this.trace, {
        policy: this.setup.policy,
        tlb: this.setup.tlb,
        hazards: this.setup.hazards,
        tuning: this.setup.tuning,
      });
      this.kvm.load(snapshot.kvm as unknown as KvmState);
    }
    this.cpu.load(snapshot.cpu);
    this.raised = snapshot.raised.slice();
    this.exits = snapshot.exits;
    this.stop = snapshot.stop;
    this.dead = snapshot.over;
    this.watch.findings.load(snapshot.findings);
    this.serial.load(snapshot.serial);
    if (snapshot.pc !== null && snapshot.pc !== undefined) this.pc?.load(snapshot.pc);
  }

  /**
   * Runs to the boundary of a stamp. @throws Error when the machine does not come by it: another machine, or a log
   * that does not belong to this snapshot
   */
  advanceTo(stamp: Stamp): void {
    while (this.time < stamp.time) {
      const before = this.stamp;
      this.run(stamp.time - this.time);
      if (this.dead || sameStamp(before, this.stamp)) break;
    }
    // Deliveries and exits that retire nothing lie between the unit and the boundary.
    for (let steps = 0; this.time === stamp.time && !sameStamp(this.stamp, stamp); steps++) {
      if (steps > REPLAY_STEPS || this.dead) break;
      this.stepBoundary();
    }
    if (!sameStamp(this.stamp, stamp)) {
      throw new Error(`the replay stands at time ${this.time} and does not come by ${stamp.time}`);
    }
  }

  /** One boundary further: a unit, a delivery or an exit. */
  private stepBoundary(): void {
    try {
      const board = this.pc?.board;
      this.cpu.resume();
      if (board !== undefined && board.due <= this.cpu.time) board.advance(this.cpu.time);
      this.watch.prepare();
      this.watch.begin(this.cpu.eip >>> 0);
      const code = this.cpu.step(STEP_NORMAL);
      if (code === RUN_EXIT) this.handleExit();
      this.watch.behindBoundary(code === RUN_EXIT);
      if (this.pc !== null) this.heedBoard(this.pc);
    } catch (error) {
      this.bug(error);
    }
  }
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
