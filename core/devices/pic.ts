/**
 * The pair of 8259A interrupt controllers of the PC: the master at ports 0x20 and 0x21, the slave at 0xa0 and 0xa1 behind
 * input 2 of the master, and the two ELCR registers (0x4d0, 0x4d1) that make an input level-triggered.
 * Source: Intel 8259A data sheet (231468-003); the registers' meaning is told there under "Programming the 8259A".
 */
import type { PortDevice } from "./port-bus.ts";

export const PIC_MASTER_PORT = 0x20;
export const PIC_SLAVE_PORT = 0xa0;
export const ELCR_PORT = 0x4d0;
/** Input of the master that the slave's output is wired to. */
const CASCADE = 2;

const ICW1 = 0x10;
const ICW1_NEEDS_ICW4 = 0x01;
const ICW1_SINGLE = 0x02;
const ICW1_LEVEL = 0x08;
const ICW4_AUTO_EOI = 0x02;
const ICW4_NESTED = 0x10;
const OCW3 = 0x08;

/** Registers of one controller, for a snapshot and the window. */
export interface PicState {
  readonly irr: number;
  readonly isr: number;
  readonly imr: number;
  /** Levels of the eight inputs. */
  readonly lines: number;
  readonly elcr: number;
  readonly vectorBase: number;
  /** Input of the lowest priority. */
  readonly lowest: number;
  /** Initialisation word that is awaited: 0 none, 2, 3 or 4. */
  readonly awaits: number;
  readonly icw1: number;
  readonly icw4: number;
  readonly readIsr: boolean;
  readonly specialMask: boolean;
  readonly rotateOnAutoEoi: boolean;
  readonly poll: boolean;
}

/** One 8259A. Inputs are numbered 0 to 7. */
export class Pic implements PortDevice {
  private irr = 0;
  private isr = 0;
  private imr = 0;
  private lines = 0;
  private elcr = 0;
  private vectorBase = 0;
  private lowest = 7;
  private awaits = 0;
  private icw1 = 0;
  private icw4 = 0;
  private readIsr = false;
  private specialMask = false;
  private rotateOnAutoEoi = false;
  private poll = false;

  /**
   * @param changed called whenever what the controller asks for may have changed
   * @param elcrMask inputs that ELCR may make level-triggered
   * @param master true when the inputs of a slave hang on this one
   */
  constructor(
    private readonly changed: () => void,
    private readonly elcrMask: number,
    private readonly master: boolean,
  ) {}

  /** Sets the level of an input. An edge-triggered one remembers a rising edge until it is acknowledged. */
  setLine(input: number, level: boolean): void {
    const bit = 1 << input;
    if (level) {
      if ((this.lines & bit) === 0 || this.isLevel(bit)) this.irr |= bit;
      this.lines |= bit;
    } else {
      // An edge that goes away before it is acknowledged is gone (the input must stay until then).
      this.lines &= ~bit;
      this.irr &= ~bit;
    }
    this.changed();
  }

  private isLevel(bit: number): boolean {
    return (this.elcr & bit) !== 0 || (this.icw1 & ICW1_LEVEL) !== 0;
  }

  /** The input whose request is to be served next, or -1. */
  get requested(): number {
    const wanted = this.irr & ~this.imr;
    if (wanted === 0) return -1;
    const first = this.first(wanted);
    // In special mask mode, whatever is in service and masked holds nothing back.
    let serving = this.specialMask ? this.isr & ~this.imr : this.isr;
    // Specially nested: a further request of the slave passes while the slave is in service.
    if (this.master && (this.icw4 & ICW4_NESTED) !== 0 && first === CASCADE) serving &= ~(1 << CASCADE);
    if (serving !== 0 && this.rank(this.first(serving)) <= this.rank(first)) return -1;
    return first;
  }

  /** True while the controller's INT output is high. */
  get interrupting(): boolean {
    return this.awaits === 0 && this.requested >= 0;
  }

  /** What `acknowledge` would answer for `requested`, without a change: a vector of 8 bits. */
  get vector(): number {
    const input = this.requested;
    return this.vectorBase | (input < 0 ? 7 : input);
  }

  /** The processor's acknowledge cycle. @returns the input that is served now, or -1: spurious, vector 7 of the base */
  acknowledge(): number {
    const input = this.requested;
    if (input >= 0) {
      const bit = 1 << input;
      if (!this.isLevel(bit) || (this.lines & bit) === 0) this.irr &= ~bit;
      if ((this.icw4 & ICW4_AUTO_EOI) === 0) this.isr |= bit;
      else if (this.rotateOnAutoEoi) this.lowest = input;
    }
    this.changed();
    return input;
  }

  /** 0: as at the highest priority, 7: at the lowest. */
  private rank(input: number): number {
    return (input - this.lowest - 1) & 7;
  }

  /** The input of the highest priority among the bits, which are not all 0. */
  private first(bits: number): number {
    let best = -1;
    for (let input = 0; input < 8; input++) {
      if ((bits & (1 << input)) !== 0 && (best < 0 || this.rank(input) < this.rank(best))) best = input;
    }
    return best;
  }

  readPort(offset: number): number {
    if (this.poll) {
      this.poll = false;
      const input = this.acknowledge();
      return input < 0 ? 7 : 0x80 | input;
    }
    if (offset === 1) return this.imr;
    return this.readIsr ? this.isr : this.irr;
  }

  writePort(offset: number, value: number): void {
    if (offset === 0) this.writeCommand(value);
    else this.writeData(value);
    this.changed();
  }

  private writeCommand(value: number): void {
    if ((value & ICW1) !== 0) {
      this.icw1 = value;
      this.icw4 = 0;
      this.imr = 0;
      this.isr = 0;
      this.lowest = 7;
      this.specialMask = false;
      this.readIsr = false;
      this.rotateOnAutoEoi = false;
      this.poll = false;
      // The edge sense circuit is reset: an input must rise again. Levels still ask.
      this.irr = 0;
      for (let bit = 1; bit < 0x100; bit <<= 1) if (this.isLevel(bit)) this.irr |= this.lines & bit;
      this.awaits = 2;
      return;
    }
    if ((value & OCW3) !== 0) {
      if ((value & 0x40) !== 0) this.specialMask = (value & 0x20) !== 0;
      if ((value & 2) !== 0) this.readIsr = (value & 1) !== 0;
      this.poll = (value & 4) !== 0;
      return;
    }
    this.endOfInterrupt(value >>> 5, value & 7);
  }

  /** OCW2: R, SL and EOI in the bits of `command`. */
  private endOfInterrupt(command: number, level: number): void {
    switch (command) {
      case 0: // rotate in automatic EOI mode: clear
      case 4: // set
        this.rotateOnAutoEoi = command === 4;
        return;
      case 1: // non-specific EOI
      case 5: {
        // and rotate
        const serving = this.specialMask ? this.isr & ~this.imr : this.isr;
        if (serving === 0) return;
        const input = this.first(serving);
        this.served(input);
        if (command === 5) this.lowest = input;
        return;
      }
      case 3: // specific EOI
        this.served(level);
        return;
      case 7: // and rotate
        this.served(level);
        this.lowest = level;
        return;
      case 6: // set priority
        this.lowest = level;
        return;
      default: // 2: no operation
        return;
    }
  }

  private served(input: number): void {
    const bit = 1 << input;
    this.isr &= ~bit;
    if (this.isLevel(bit)) this.irr |= this.lines & bit;
  }

  private writeData(value: number): void {
    switch (this.awaits) {
      case 2:
        this.vectorBase = value & 0xf8;
        this.awaits = (this.icw1 & ICW1_SINGLE) === 0 ? 3 : (this.icw1 & ICW1_NEEDS_ICW4) !== 0 ? 4 : 0;
        return;
      case 3: // which input the slave hangs on: wired in the PC, so the word only has to be there
        this.awaits = (this.icw1 & ICW1_NEEDS_ICW4) !== 0 ? 4 : 0;
        return;
      case 4:
        this.icw4 = value;
        this.awaits = 0;
        return;
      default:
        this.imr = value;
    }
  }

  readElcr(): number {
    return this.elcr;
  }

  writeElcr(value: number): void {
    this.elcr = value & this.elcrMask;
    // What is high already asks by its level from now on.
    this.irr |= this.lines & this.elcr;
    this.changed();
  }

  save(): PicState {
    const { irr, isr, imr, lines, elcr, vectorBase, lowest, awaits, icw1, icw4, poll } = this;
    const { readIsr, specialMask, rotateOnAutoEoi } = this;
    return {
      irr,
      isr,
      imr,
      lines,
      elcr,
      vectorBase,
      lowest,
      awaits,
      icw1,
      icw4,
      readIsr,
      specialMask,
      rotateOnAutoEoi,
      poll,
    };
  }

  load(state: PicState): void {
    Object.assign(this, state);
    this.changed();
  }
}

/** Both controllers and their wiring. Inputs are the PC's IRQ numbers 0 to 15; 2 is the cascade and not for use. */
export class PicPair {
  readonly master: Pic;
  readonly slave: Pic;
  readonly elcr: PortDevice;
  private busy = false;

  /** @param output called with the level of the master's INT output whenever it may have changed */
  constructor(private readonly output: (level: boolean) => void) {
    this.master = new Pic(() => this.update(), 0xf8, true);
    this.slave = new Pic(() => this.update(), 0xde, false);
    this.elcr = {
      readPort: (offset) => (offset === 0 ? this.master : this.slave).readElcr(),
      writePort: (offset, value) => (offset === 0 ? this.master : this.slave).writeElcr(value),
    };
  }

  setIrq(irq: number, level: boolean): void {
    if (irq < 8) this.master.setLine(irq, level);
    else this.slave.setLine(irq - 8, level);
  }

  private update(): void {
    // The slave's output is an input of the master, whose own change comes back here.
    if (this.busy) return;
    this.busy = true;
    this.master.setLine(CASCADE, this.slave.interrupting);
    this.busy = false;
    this.output(this.master.interrupting);
  }

  get interrupting(): boolean {
    return this.master.interrupting;
  }

  /** The vector that an acknowledge cycle would give now. */
  get vector(): number {
    return this.master.requested === CASCADE ? this.slave.vector : this.master.vector;
  }

  /** The processor acknowledges: the vector of the request that is served now. */
  acknowledge(): number {
    const { vector } = this;
    if (this.master.acknowledge() === CASCADE) this.slave.acknowledge();
    return vector;
  }

  save(): { readonly master: PicState; readonly slave: PicState } {
    return { master: this.master.save(), slave: this.slave.save() };
  }

  load(state: { readonly master: PicState; readonly slave: PicState }): void {
    // The slave first: its output is a line of the master.
    this.slave.load(state.slave);
    this.master.load(state.master);
  }
}
