/**
 * The I/O APIC (82093AA) at FEC00000: 24 inputs, each with an entry that says which vector it becomes.
 * Source: Intel 82093AA data sheet (290566), 3.1 to 3.2.
 */
import type { LocalApic } from "./local-apic.ts";
import type { MmioDevice } from "./mmio.ts";

export const IO_APIC_ADDRESS = 0xfec0_0000;
export const IO_APIC_INPUTS = 24;
const ID = 1;

const MASKED = 1 << 16;
const LEVEL = 1 << 15;
const REMOTE_IRR = 1 << 14;
const LOGICAL = 1 << 11;
const WRITABLE = ~((1 << 12) | REMOTE_IRR) & 0x1ffff;

export interface IoApicState {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly lines: number;
  readonly select: number;
  readonly id: number;
}

export class IoApic implements MmioDevice {
  private readonly low = new Int32Array(IO_APIC_INPUTS).fill(MASKED);
  private readonly high = new Int32Array(IO_APIC_INPUTS);
  private lines = 0;
  private select = 0;
  private id = ID << 24;

  constructor(private readonly apic: LocalApic) {}

  /** True while the input's device asks. The polarity bit of the entry is kept and has no effect: it says what a wire would. */
  setLine(input: number, level: boolean): void {
    const bit = 1 << input;
    const rising = level && (this.lines & bit) === 0;
    this.lines = level ? this.lines | bit : this.lines & ~bit;
    const entry = this.low[input]!;
    if ((entry & MASKED) !== 0) return;
    if ((entry & LEVEL) !== 0) this.serveLevel(input);
    else if (rising) this.send(input);
  }

  /** A level-triggered input that asks and is not being served already. */
  private serveLevel(input: number): void {
    const entry = this.low[input]!;
    if ((this.lines & (1 << input)) === 0 || (entry & (MASKED | REMOTE_IRR)) !== 0) return;
    if (this.send(input)) this.low[input] = entry | REMOTE_IRR;
  }

  /** False: nobody is there to take it. */
  private send(input: number): boolean {
    const entry = this.low[input]!;
    const destination = this.high[input]! >>> 24;
    if (!this.apic.accepts(destination, (entry & LOGICAL) !== 0)) return false;
    return this.apic.deliver(entry & 0x700, entry & 0xff, (entry & LEVEL) !== 0);
  }

  /** The local APIC ended a level-triggered interrupt. */
  ended(vector: number): void {
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      const entry = this.low[input]!;
      if ((entry & REMOTE_IRR) === 0 || (entry & 0xff) !== vector) continue;
      this.low[input] = entry & ~REMOTE_IRR;
      this.serveLevel(input);
    }
  }

  readRegister(offset: number): number {
    if (offset === 0) return this.select;
    if (offset !== 0x10) return 0;
    const { select } = this;
    if (select === 0 || select === 2) return this.id;
    if (select === 1) return ((IO_APIC_INPUTS - 1) << 16) | 0x11;
    const input = (select - 0x10) >> 1;
    if (select < 0x10 || input >= IO_APIC_INPUTS) return 0;
    return (select & 1) === 0 ? this.low[input]! : this.high[input]!;
  }

  writeRegister(offset: number, value: number): void {
    if (offset === 0) {
      this.select = value & 0xff;
      return;
    }
    if (offset !== 0x10) return;
    const { select } = this;
    if (select === 0) {
      this.id = value & 0x0f00_0000;
      return;
    }
    const input = (select - 0x10) >> 1;
    if (select < 0x10 || input >= IO_APIC_INPUTS) return;
    if ((select & 1) !== 0) {
      this.high[input] = value & 0xff00_0000;
      if ((this.low[input]! & LEVEL) !== 0) this.serveLevel(input);
      return;
    }
    this.low[input] = (value & WRITABLE) | (this.low[input]! & REMOTE_IRR);
    if ((value & LEVEL) === 0) this.low[input]! &= ~REMOTE_IRR;
    else this.serveLevel(input);
  }

  save(): IoApicState {
    const { lines, select, id } = this;
    return { low: this.low.slice(), high: this.high.slice(), lines, select, id };
  }

  load(state: IoApicState): void {
    this.low.set(state.low);
    this.high.set(state.high);
    this.lines = state.lines;
    this.select = state.select;
    this.id = state.id;
  }
}
