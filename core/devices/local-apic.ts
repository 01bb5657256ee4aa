/**
 * The local APIC of the one processor (P6 family), at FEE00000: interrupts by vector and priority, its timer, the local
 * inputs LINT0 (the 8259 pair, as ExtINT) and LINT1 (NMI), and interrupts that it sends itself.
 * Source: SDM vol. 3, chapter 10 (10.4 to 10.8; 10.5.4 for the timer).
 */
import { type Clock, type Timed, UNITS_PER_SECOND } from "./clock.ts";
import type { MmioDevice } from "./mmio.ts";

export const LOCAL_APIC_ADDRESS = 0xfee0_0000;
/** The timer's input, before its divider: the bus clock, as fast as the processor. */
export const APIC_BUS_HERTZ = UNITS_PER_SECOND;

const VERSION = 0x0004_0014; // the P6's five local vectors (10.4.8: their number less 1), version 0x14
const LVT_MASKED = 1 << 16;
const LVT_PERIODIC = 1 << 17;
const SVR_ENABLED = 0x100;
const DELIVERY = 0x700;
const FIXED = 0x000;
const DELIVER_NMI = 0x400;
const DELIVER_EXTINT = 0x700;

const R_ID = 0x20;
const R_VERSION = 0x30;
const R_TPR = 0x80;
const R_APR = 0x90;
const R_PPR = 0xa0;
const R_EOI = 0xb0;
const R_LDR = 0xd0;
const R_DFR = 0xe0;
const R_SVR = 0xf0;
const R_ISR = 0x100;
const R_TMR = 0x180;
const R_IRR = 0x200;
const R_ESR = 0x280;
const R_ICR_LOW = 0x300;
const R_ICR_HIGH = 0x310;
const R_LVT_TIMER = 0x320;
const R_LVT_PERFORMANCE = 0x340;
const R_LVT_LINT0 = 0x350;
const R_LVT_LINT1 = 0x360;
const R_LVT_ERROR = 0x370;
const R_TIMER_INITIAL = 0x380;
const R_TIMER_CURRENT = 0x390;
const R_TIMER_DIVIDE = 0x3e0;

const ESR_SEND_ILLEGAL = 0x20;
const ESR_RECEIVE_ILLEGAL = 0x40;
const ESR_REGISTER = 0x80;

export interface LocalApicState {
  readonly registers: Int32Array;
  readonly irr: Int32Array;
  readonly isr: Int32Array;
  readonly tmr: Int32Array;
  readonly esrNext: number;
  readonly timerStart: number;
  readonly timerDue: number;
  readonly lint0: boolean;
}

/** Local vector table entries, by register. */
const LVT = [R_LVT_TIMER, R_LVT_PERFORMANCE, R_LVT_LINT0, R_LVT_LINT1, R_LVT_ERROR] as const;

export class LocalApic implements MmioDevice, Timed {
  /** Plain registers, by offset / 16. */
  private readonly registers = new Int32Array(0x40);
  private readonly irr = new Int32Array(8);
  private readonly isr = new Int32Array(8);
  private readonly tmr = new Int32Array(8);
  private esrNext = 0;
  /** Time at which the timer was loaded, and at which it reaches 0 (Infinity: it does not run). */
  private timerStart = 0;
  private timerDue = Infinity;
  private lint0 = false;

  /**
   * @param changed called whenever what the processor should be asked for may have changed
   * @param nmi called when an NMI arrives
   * @param endOfInterrupt called with the vector of a level-triggered interrupt that was ended
   */
  constructor(
    private readonly clock: Clock,
    private readonly changed: () => void,
    private readonly nmi: () => void,
    private readonly endOfInterrupt: (vector: number) => void,
  ) {
    this.reset();
  }

  /** State after a reset (SDM vol. 3, 10.4.7.1). */
  reset(): void {
    this.registers.fill(0);
    this.irr.fill(0);
    this.isr.fill(0);
    this.tmr.fill(0);
    this.esrNext = 0;
    this.timerDue = Infinity;
    this.set(R_DFR, -1);
    this.set(R_SVR, 0xff);
    for (const entry of LVT) this.set(entry, LVT_MASKED);
    this.changed();
  }

  private get(register: number): number {
    return this.registers[register >> 4]!;
  }

  private set(register: number, value: number): void {
    this.registers[register >> 4] = value;
  }

  get id(): number {
    return (this.get(R_ID) >>> 24) & 15;
  }

  private get enabled(): boolean {
    return (this.get(R_SVR) & SVR_ENABLED) !== 0;
  }

  // ---- what the processor sees ----

  private static highest(bits: Int32Array): number {
    for (let i = 7; i >= 0; i--) if (bits[i] !== 0) return i * 32 + 31 - Math.clz32(bits[i]!);
    return -1;
  }

  /** Processor priority (10.8.3.1): the higher class of the task's priority and of what is in service. */
  private get processorPriority(): number {
    const task = this.get(R_TPR) & 0xff;
    const serving = Math.max(0, LocalApic.highest(this.isr));
    return task >> 4 >= serving >> 4 ? task : serving & 0xf0;
  }

  /** The vector that waits and may be delivered now, or -1. */
  get requested(): number {
    if (!this.enabled) return -1;
    const vector = LocalApic.highest(this.irr);
    return vector >= 0 && vector >> 4 > this.processorPriority >> 4 ? vector : -1;
  }

  /** The processor takes `requested`. */
  acknowledge(): number {
    const vector = this.requested;
    if (vector < 0) return this.get(R_SVR) & 0xff; // spurious: not in service, no EOI (10.9)
    this.irr[vector >> 5]! &= ~(1 << (vector & 31));
    this.isr[vector >> 5]! |= 1 << (vector & 31);
    this.changed();
    return vector;
  }

  /**
   * True while the 8259 pair's output reaches the processor: through LINT0 as ExtINT, or straight where the APIC is
   * disabled (10.4.7.2: then LINT0 is INTR).
   */
  get passesExtint(): boolean {
    if (!this.globallyEnabled) return true;
    const entry = this.get(R_LVT_LINT0);
    // A software-disabled APIC forces its local vectors masked; LINT0 in virtual wire mode stays as it was programmed.
    return (entry & LVT_MASKED) === 0 && (entry & DELIVERY) === DELIVER_EXTINT;
  }

  /** IA32_APIC_BASE's bit 11. */
  globallyEnabled = true;

  /**
   * Level of LINT0, where the 8259 pair hangs. Matters here when it is programmed as a fixed interrupt, or as NMI (which a
   * watchdog makes of the timer); ExtINT is `passesExtint`.
   */
  setLint0(level: boolean): void {
    const rising = level && !this.lint0;
    this.lint0 = level;
    const entry = this.get(R_LVT_LINT0);
    if (rising && (entry & LVT_MASKED) === 0) this.deliver(entry & DELIVERY, entry & 0xff, false);
  }

  // ---- messages ----

  /**
   * An interrupt arrives on the bus. @param mode delivery mode, bits 10 to 8 of an ICR or a redirection entry
   * @returns whether it waits in IRR now (fixed and lowest priority alone do)
   */
  deliver(mode: number, vector: number, level: boolean): boolean {
    if (mode === DELIVER_NMI) this.nmi();
    else if (mode === FIXED || mode === 0x100) return this.accept(vector, level);
    return false;
  }

  /** True when a message of this destination is for us (10.6.2). */
  accepts(destination: number, logical: boolean): boolean {
    if (!logical) return destination === 0xff || (destination & 15) === this.id;
    const mine = (this.get(R_LDR) >>> 24) & 0xff;
    if (this.get(R_DFR) >>> 28 === 15) return (mine & destination) !== 0;
    // Cluster model: four bits of cluster, four of members.
    return (mine >> 4 === destination >> 4 || destination >> 4 === 15) && (mine & destination & 15) !== 0;
  }

  private accept(vector: number, level: boolean): boolean {
    if (!this.enabled) return false;
    if (vector < 16) {
      this.fail(ESR_RECEIVE_ILLEGAL);
      return false;
    }
    const bit = 1 << (vector & 31);
    this.irr[vector >> 5]! |= bit;
    if (level) this.tmr[vector >> 5]! |= bit;
    else this.tmr[vector >> 5]! &= ~bit;
    this.changed();
    return true;
  }

  private fail(bit: number): void {
    this.esrNext |= bit;
    const entry = this.get(R_LVT_ERROR);
    if ((entry & LVT_MASKED) === 0 && (entry & 0xff) >= 16) this.accept(entry & 0xff, false);
  }

  // ---- registers ----

  readRegister(offset: number): number {
    // Registers lie 16 bytes apart; what is between them is not defined and reads 0 here.
    if ((offset & 15) !== 0) return 0;
    if (offset >= R_ISR && offset < R_ISR + 0x80) return this.isr[(offset - R_ISR) >> 4]!;
    if (offset >= R_TMR && offset < R_TMR + 0x80) return this.tmr[(offset - R_TMR) >> 4]!;
    if (offset >= R_IRR && offset < R_IRR + 0x80) return this.irr[(offset - R_IRR) >> 4]!;
    switch (offset) {
      case R_VERSION:
        return VERSION;
      case R_PPR:
      case R_APR:
        return this.processorPriority;
      case R_EOI:
        return 0;
      case R_TIMER_CURRENT:
        return this.timerCount();
      case R_LVT_LINT0:
      case R_LVT_LINT1:
      case R_ID:
      case R_TPR:
      case R_LDR:
      case R_DFR:
      case R_SVR:
      case R_ESR:
      case R_ICR_LOW:
      case R_ICR_HIGH:
      case R_LVT_TIMER:
      case R_LVT_PERFORMANCE:
      case R_LVT_ERROR:
      case R_TIMER_INITIAL:
      case R_TIMER_DIVIDE:
        return this.get(offset);
      default:
        this.fail(ESR_REGISTER);
        return 0;
    }
  }

  writeRegister(offset: number, value: number): void {
    if ((offset & 15) !== 0) return;
    switch (offset) {
      case R_ID:
        this.set(R_ID, value & 0x0f00_0000);
        return;
      case R_TPR:
        this.set(R_TPR, value & 0xff);
        break;
      case R_EOI:
        this.eoi();
        break;
      case R_LDR:
        this.set(R_LDR, value & 0xff00_0000);
        return;
      case R_DFR:
        this.set(R_DFR, value | 0x0fff_ffff);
        return;
      case R_SVR:
        // Bits 3 to 0 are wired to 1, bit 9 is the focus processor check (10.9).
        this.set(R_SVR, (value & 0x3f0) | 0x0f);
        if ((value & SVR_ENABLED) === 0)
          for (const entry of LVT) this.set(entry, this.get(entry) | LVT_MASKED);
        break;
      case R_ESR:
        this.set(R_ESR, this.esrNext);
        this.esrNext = 0;
        return;
      case R_ICR_LOW:
        this.set(R_ICR_LOW, value & 0x000c_cfff);
        this.send(value);
        break;
      case R_ICR_HIGH:
        this.set(R_ICR_HIGH, value & 0xff00_0000);
        return;
      case R_TIMER_INITIAL:
        this.set(R_TIMER_INITIAL, value);
        this.timerStart = this.clock.time;
        this.schedule();
        return;
      case R_TIMER_DIVIDE:
        this.rescale(value & 11);
        return;
      case R_LVT_TIMER:
      case R_LVT_PERFORMANCE:
      case R_LVT_LINT0:
      case R_LVT_LINT1:
      case R_LVT_ERROR:
        // A software-disabled APIC keeps its local vectors masked (10.4.7.2).
        this.set(offset, (value & 0x0003_a7ff) | (this.enabled ? 0 : LVT_MASKED));
        if (offset === R_LVT_TIMER) this.schedule();
        break;
      case R_TIMER_CURRENT:
      case R_VERSION:
      case R_PPR:
        return; // read-only
      default:
        if (offset < R_ISR || offset >= R_ESR) this.fail(ESR_REGISTER);
        return;
    }
    this.changed();
  }

  private eoi(): void {
    const vector = LocalApic.highest(this.isr);
    if (vector < 0) return;
    const bit = 1 << (vector & 31);
    this.isr[vector >> 5]! &= ~bit;
    if ((this.tmr[vector >> 5]! & bit) !== 0) {
      this.tmr[vector >> 5]! &= ~bit;
      this.endOfInterrupt(vector);
    }
  }

  /** Interprocessor interrupt: there is one processor, so only what reaches ourselves matters. */
  private send(command: number): void {
    const mode = command & DELIVERY;
    const vector = command & 0xff;
    const shorthand = (command >> 18) & 3;
    const destination = this.get(R_ICR_HIGH) >>> 24;
    const reachesUs =
      shorthand === 1 ||
      shorthand === 2 ||
      (shorthand === 0 && this.accepts(destination, (command & 0x800) !== 0));
    if ((mode === FIXED || mode === 0x100) && vector < 16) {
      this.fail(ESR_SEND_ILLEGAL);
      return;
    }
    // INIT and start-up messages to ourselves are not taken (10.6.1 forbids them in the shorthand "self").
    if (reachesUs) this.deliver(mode, vector, false);
  }

  // ---- the timer (10.5.4) ----

  /** Bus clocks a count. */
  private get divider(): number {
    const d = this.get(R_TIMER_DIVIDE);
    const code = ((d & 8) >> 1) | (d & 3);
    return code === 7 ? 1 : 2 << code;
  }

  private get initial(): number {
    return this.get(R_TIMER_INITIAL) >>> 0;
  }

  private get periodic(): boolean {
    return (this.get(R_LVT_TIMER) & LVT_PERIODIC) !== 0;
  }

  private timerCount(): number {
    if (this.initial === 0) return 0;
    const counted = Math.floor((this.clock.time - this.timerStart) / this.divider);
    if (this.periodic) return (this.initial - (counted % this.initial)) | 0;
    return counted >= this.initial ? 0 : (this.initial - counted) | 0;
  }

  /** Works out when the timer is due next. */
  private schedule(): void {
    this.timerDue = Infinity;
    if (this.initial === 0) return;
    const period = this.initial * this.divider;
    const elapsed = this.clock.time - this.timerStart;
    if (this.periodic) this.timerDue = this.timerStart + (Math.floor(elapsed / period) + 1) * period;
    else if (elapsed < period) this.timerDue = this.timerStart + period;
  }

  /** Another divider: the count stands where it is and goes on at the new pace. */
  private rescale(code: number): void {
    const left = this.timerCount() >>> 0;
    this.set(R_TIMER_DIVIDE, code);
    this.timerStart = this.clock.time - (this.initial - left) * this.divider;
    this.schedule();
  }

  next(): number {
    return (this.get(R_LVT_TIMER) & LVT_MASKED) === 0 ? this.timerDue : Infinity;
  }

  advance(now: number): void {
    if (now < this.timerDue) return;
    const entry = this.get(R_LVT_TIMER);
    if ((entry & LVT_MASKED) === 0) {
      if ((entry & 0xff) < 16) this.fail(ESR_RECEIVE_ILLEGAL);
      else this.accept(entry & 0xff, false);
    }
    this.schedule();
  }

  save(): LocalApicState {
    const { esrNext, timerStart, timerDue, lint0 } = this;
    return {
      registers: this.registers.slice(),
      irr: this.irr.slice(),
      isr: this.isr.slice(),
      tmr: this.tmr.slice(),
      esrNext,
      timerStart,
      timerDue,
      lint0,
    };
  }

  load(state: LocalApicState): void {
    this.registers.set(state.registers);
    this.irr.set(state.irr);
    this.isr.set(state.isr);
    this.tmr.set(state.tmr);
    this.esrNext = state.esrNext;
    this.timerStart = state.timerStart;
    this.timerDue = state.timerDue;
    this.lint0 = state.lint0;
    this.changed();
  }
}
