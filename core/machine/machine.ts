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
import type { Kvm, NestedKvm } from "../kvm/index.ts";
import { FRAME_SHADOW, type HostMemory } from "../memory/host-memory.ts";
import type { MemorySlots } from "../memory/slots.ts";
import { EV_SERIAL_OUT, EV_TRIPLE_FAULT } from "../trace/events.ts";
import { Trace } from "../trace/trace.ts";
import { GuestBus } from "../x86/bus.ts";
import { Cpu } from "../x86/cpu.ts";
import { FLAG_IF } from "../x86/flags.ts";
import { applyInput, refuseInput } from "./apply-input.ts";
import { leaveAsBooted } from "./as-booted.ts";
import { type AuditReport, AuditWatch } from "./audit-watch.ts";
import type { EditOutcome } from "./edits.ts";
import { InCharge } from "./in-charge.ts";
import { type Input, type LoggedInput, type Stamp, sameStamp } from "./inputs.ts";
import { hex, Loop } from "./loop.ts";
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
import { placeImage } from "./place.ts";
import { layOutMemory, type MachineSetup, type Stop, type StopReason } from "./setup.ts";
import type { Snapshot } from "./snapshot.ts";
import { warmUp } from "./warm-up.ts";

/** What an input did: an edit may be refused by the guest's own tables; everything else is done. */
export type InputOutcome = EditOutcome;

const PAUSED: Stop = { reason: "paused", detail: "" };
/** Boundaries without a retired unit in a row are few: a delivery counts as a unit after 64 of them. */
const REPLAY_STEPS = 10_000;

/** A wish that the machine cannot fulfil, in words. Nothing was changed. */
export class MachineError extends Error {}

export class Machine {
  readonly memory: HostMemory;
  readonly slots: MemorySlots;
  readonly trace: Trace;
  readonly ports = new PortBus();
  readonly serial: SerialPort;
  readonly cpu: Cpu;
  /** Who has the processor: a hypervisor, or nobody. */
  readonly inCharge: InCharge;
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
  /** External interrupts that somebody raised and the guest did not take yet. */
  private raised: number[] = [];
  /** The PC's board and ROM; null on the bare machine. */
  readonly pc: Pc | null;
  /** Units that a halted PC may jump over in one `run` before it comes back early: whoever paces it sets this. */
  patience = Number.POSITIVE_INFINITY;
  /** Units that the last `run` jumped over. */
  idled = 0;
  private readonly loop = new Loop(this);
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
    const bareBus = new GuestBus(slots);
    this.cpu = new Cpu(memory, bareBus, trace, this.ports);
    this.inCharge = new InCharge(this, bareBus);
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
    placeImage(machine, image);
    machine.inCharge.takeOver();
    return machine;
  }

  /** The hypervisor with its shadow, or null: on the bare machine, and under nested paging. */
  get kvm(): Kvm | null {
    return this.inCharge.kvm;
  }

  /** The hypervisor under nested paging, or null. */
  get nested(): NestedKvm | null {
    return this.inCharge.nested;
  }

  /** The hypervisor with its shadow. @throws when there is none */
  hypervisor(): Kvm {
    return this.inCharge.hypervisor();
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

  // ---- running ----

  /**
   * Runs until `budget` units retired or something stops it; `stop` then says what. Never throws: a broken assertion
   * of ours stops the machine with the reason `bug`, its state kept.
   * @param reach units that a halted PC's time may jump ahead from here, where that is more than `budget`: jumping is
   *   no work, and whoever asks for little work at once need not go through an idle second in little pieces
   * @returns true when the budget is used up and nothing else happened
   */
  run(budget: number, reach = budget): boolean {
    if (this.dead) return false;
    this.stop = PAUSED;
    this.cpu.newEpoch();
    try {
      return this.loop.run(this.time + budget, this.time + Math.max(budget, reach));
    } catch (error) {
      this.bug(error);
      return false;
    } finally {
      this.cpu.answer = null;
      this.cpu.answered = false;
    }
  }

  /** The machine is over, for good. */
  end(reason: StopReason, detail: string): false {
    this.dead = true;
    this.stop = { reason, detail };
    return false;
  }

  private bug(error: unknown): void {
    const what = error instanceof Error ? error.message : String(error);
    this.end("bug", `${what} (at ${hex(this.cpu.traceEip)}, time ${this.cpu.time})`);
  }

  /** A shutdown is an event, and the end unless the setup says that it resets. True: the machine goes on. */
  tripleFault(): boolean {
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
    this.inCharge.load(snapshot.kvm);
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
      try {
        this.loop.stepBoundary();
      } catch (error) {
        this.bug(error);
      }
    }
    if (!sameStamp(this.stamp, stamp)) {
      throw new Error(`the replay stands at time ${this.time} and does not come by ${stamp.time}`);
    }
  }
}
