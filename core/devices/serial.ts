/**
 * A 16550A serial port without time, FIFOs, modem lines and all interrupts included: a byte written is sent at once and
 * kept for the host; bytes that arrive wait on the wire until the receiver has room, so nothing pasted is lost.
 * Source: National Semiconductor PC16550D data sheet, tables II and III and sections 8.1 to 8.9.
 *
 * A PC wires the interrupt to its controllers. (The first PCs' adapters let it through with MCR's OUT2 only; here, as in
 * qemu, it always comes through: there are kernels that never set OUT2, and the others mask by IER as well.) The bare machine has no controller: there the interrupt for
 * received data (IER bit 0) alone goes straight to the processor as a level, with the vector SERIAL_VECTOR.
 */
import type { PortDevice } from "./port-bus.ts";

export const COM1_PORT = 0x3f8;
export const COM1_PORTS = 8;
export const COM2_PORT = 0x2f8;
/** The vector that IRQ 4 usually gets (0x20 + 4). */
export const SERIAL_VECTOR = 0x24;

/** Bytes of output that are kept, the newest; `total` counts all of them. */
export const SERIAL_KEEP = 1 << 24;
/** Bytes of input that may wait; what comes on top is lost, as on an overrun line. */
export const SERIAL_INPUT_LIMIT = 1 << 20;

const IER_DATA = 0x01;
const IER_EMPTY = 0x02;
const IER_LINE = 0x04;
const IER_MODEM = 0x08;
const FCR_ENABLE = 0x01;
const FCR_CLEAR = 0x02;
const LCR_DLAB = 0x80;
const MCR_LOOP = 0x10;
const LSR_DATA = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_EMPTY = 0x60; // THR empty and transmitter empty: always, a byte leaves at once
const TRIGGER = [1, 4, 8, 14];
const FIFO = 16;
/** CTS, DSR, DCD: a peer that is always there. */
const PEER = 0xb0;
const RI = 0x40;
const TERI = 0x04;
/** Interrupt identification: none. */
const NONE = 0x01;

export interface SerialState {
  /** IER, FCR, LCR, MCR, scratch, divisor, overrun, transmitter's interrupt; in newer files MSR's two halves. */
  readonly registers: Uint8Array;
  /** What the guest has not read: the receiver's FIFO first, then the wire. */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly total: number;
}

/** How files of the first PC machines keep their COM2. */
interface ComTwoState {
  readonly registers: Uint8Array;
  readonly fifo: readonly number[];
  readonly wire: Uint8Array;
}

export class SerialPort implements PortDevice {
  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private scratch = 0;
  private divisorLow = 1;
  private divisorHigh = 0;
  private overrun = 0;
  private emptyPending = 0;
  private modemDelta = 0;
  private modem = PEER;
  /** The receiver's FIFO and, behind it, the wire: it takes in what it has room for at once. */
  private inputBytes = new Uint8Array(64);
  private inputHead = 0;
  private inputEnd = 0;
  private outputBytes = new Uint8Array(4096);
  private outputLength = 0;
  /** Bytes the guest sent since it was reset. */
  total = 0;

  /**
   * @param line called with the level of the interrupt line whenever it may have changed
   * @param sent called with each byte the guest sends
   * @param wiring "pc": every interrupt; "direct": that of received data alone
   */
  constructor(
    private readonly line: (level: boolean) => void,
    private readonly sent: (byte: number) => void,
    private readonly wiring: "pc" | "direct" = "direct",
  ) {}

  /** True while the port asks for an interrupt. */
  get interrupting(): boolean {
    if (this.wiring === "direct") return (this.ier & IER_DATA) !== 0 && this.waiting > 0;
    return this.cause !== NONE;
  }

  /** Bytes that wait to be read by the guest. */
  get waiting(): number {
    return this.inputEnd - this.inputHead;
  }

  /** Bytes arrive on the line. Returns how many were taken. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    for (const byte of bytes) if (this.receiveByte(byte)) taken++;
    this.update();
    return taken;
  }

  /** What the guest sent: the newest SERIAL_KEEP bytes of it. */
  output(): Uint8Array {
    return this.outputBytes.slice(0, this.outputLength);
  }

  /** The newest `most` bytes the guest sent. */
  tail(most: number): Uint8Array {
    return this.outputBytes.slice(Math.max(0, this.outputLength - most), this.outputLength);
  }

  /** The chip's master reset (table III): what was sent stays known, and what is on the wire comes in behind. */
  reset(): void {
    this.inputHead += Math.min(this.depth, this.waiting);
    this.ier = this.fcr = this.lcr = this.mcr = 0;
    this.overrun = this.emptyPending = this.modemDelta = 0;
    this.modem = this.modemLines;
    this.update();
  }

  // ---- registers ----

  readPort(offset: number): number {
    switch (offset) {
      case 0:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divisorLow : this.readData();
      case 1:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divisorHigh : this.ier;
      case 2: {
        const { cause } = this;
        if (cause === 0x02) this.emptyPending = 0; // reading the identification answers this source
        this.update();
        return cause | ((this.fcr & FCR_ENABLE) !== 0 ? 0xc0 : 0);
      }
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5: {
        const status = LSR_EMPTY | this.overrun | (this.waiting > 0 ? LSR_DATA : 0);
        this.overrun = 0;
        this.update();
        return status;
      }
      case 6: {
        const status = this.modem | this.modemDelta;
        this.modemDelta = 0;
        this.update();
        return status;
      }
      default:
        return this.scratch;
    }
  }

  writePort(offset: number, value: number): void {
    switch (offset) {
      case 0:
        if ((this.lcr & LCR_DLAB) !== 0) this.divisorLow = value;
        else this.send(value);
        break;
      case 1:
        if ((this.lcr & LCR_DLAB) !== 0) this.divisorHigh = value;
        else {
          // Enabling the transmitter's interrupt while it is empty raises it.
          if ((value & ~this.ier & IER_EMPTY) !== 0) this.emptyPending = 1;
          this.ier = value & 0x0f;
        }
        break;
      case 2:
        // Turning the FIFOs on or off clears them; what is on the wire comes in behind.
        if (((value ^ this.fcr) & FCR_ENABLE) !== 0 || (value & FCR_CLEAR) !== 0)
          this.inputHead += Math.min(this.depth, this.waiting);
        this.fcr = (value & FCR_ENABLE) !== 0 ? value & 0xc9 : 0;
        break;
      case 3:
        this.lcr = value;
        break;
      case 4:
        this.mcr = value & 0x1f;
        this.setModem();
        break;
      case 7:
        this.scratch = value;
        break;
      default: // LSR and MSR are read-only
        return;
    }
    this.update();
  }

  /** Bytes that the receiver holds at most. */
  private get depth(): number {
    return (this.fcr & FCR_ENABLE) !== 0 ? FIFO : 1;
  }

  /** The interrupt of the highest priority, as the identification register names it. */
  private get cause(): number {
    if ((this.ier & IER_LINE) !== 0 && this.overrun !== 0) return 0x06;
    if ((this.ier & IER_DATA) !== 0 && this.waiting > 0) {
      const enough = (this.fcr & FCR_ENABLE) === 0 || this.waiting >= TRIGGER[this.fcr >> 6]!;
      // Less than the trigger level and nothing more on the wire: the character timeout has passed.
      return enough ? 0x04 : 0x0c;
    }
    if ((this.ier & IER_EMPTY) !== 0 && this.emptyPending !== 0) return 0x02;
    if ((this.ier & IER_MODEM) !== 0 && this.modemDelta !== 0) return 0x00;
    return NONE;
  }

  private update(): void {
    this.line(this.interrupting);
  }

  private readData(): number {
    if (this.waiting === 0) return 0;
    const byte = this.inputBytes[this.inputHead++]!;
    this.update();
    return byte;
  }

  /** In loop-back RTS, DTR, OUT1 and OUT2 are CTS, DSR, RI and DCD. */
  private get modemLines(): number {
    const { mcr } = this;
    if ((mcr & MCR_LOOP) === 0) return PEER;
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 0x0c) << 4);
  }

  private setModem(): void {
    const now = this.modemLines;
    this.modemDelta |= ((now ^ this.modem) & PEER) >> 4;
    if ((this.modem & RI) !== 0 && (now & RI) === 0) this.modemDelta |= TERI;
    this.modem = now;
  }

  private send(byte: number): void {
    // The register is full for a moment, so that the interrupt goes away and comes anew: an edge for a controller.
    this.emptyPending = 0;
    this.update();
    this.emptyPending = 1;
    if ((this.mcr & MCR_LOOP) !== 0) {
      if (this.waiting >= this.depth) this.overrun = LSR_OVERRUN;
      else this.receiveByte(byte);
      return;
    }
    if (this.outputLength === this.outputBytes.length) this.growOutput();
    this.outputBytes[this.outputLength++] = byte;
    this.total++;
    this.sent(byte);
  }

  private growOutput(): void {
    if (this.outputLength >= SERIAL_KEEP) {
      this.outputBytes.copyWithin(0, SERIAL_KEEP >> 2, this.outputLength);
      this.outputLength -= SERIAL_KEEP >> 2;
      return;
    }
    const wider = new Uint8Array(Math.min(SERIAL_KEEP, Math.max(4096, this.outputBytes.length * 2)));
    wider.set(this.outputBytes);
    this.outputBytes = wider;
  }

  private receiveByte(byte: number): boolean {
    if (this.waiting >= SERIAL_INPUT_LIMIT) {
      this.overrun = LSR_OVERRUN;
      return false;
    }
    if (this.inputHead === this.inputEnd) this.inputHead = this.inputEnd = 0;
    if (this.inputEnd === this.inputBytes.length) {
      const waiting = this.inputBytes.subarray(this.inputHead, this.inputEnd);
      const wider = new Uint8Array(Math.max(64, waiting.length * 2));
      wider.set(waiting);
      this.inputBytes = wider;
      this.inputEnd = waiting.length;
      this.inputHead = 0;
    }
    this.inputBytes[this.inputEnd++] = byte;
    return true;
  }

  // ---- snapshots ----

  save(): SerialState {
    const { ier, fcr, lcr, mcr, scratch, divisorLow, divisorHigh, overrun, emptyPending } = this;
    const first = [ier, fcr, lcr, mcr, scratch, divisorLow, divisorHigh, overrun, emptyPending];
    return {
      registers: Uint8Array.of(...first, this.modemDelta, this.modem),
      input: this.inputBytes.slice(this.inputHead, this.inputEnd),
      output: this.output(),
      total: this.total,
    };
  }

  load(state: SerialState | ComTwoState): void {
    const r = state.registers;
    this.ier = r[0]!;
    this.fcr = r[1]!;
    this.lcr = r[2]!;
    this.mcr = r[3]!;
    this.scratch = r[4]!;
    this.divisorLow = r[5]!;
    this.divisorHigh = r[6]!;
    this.overrun = r[7]!;
    this.emptyPending = r[8]!;
    this.modemDelta = r[9] ?? 0;
    this.modem = r[10] ?? this.modemLines;
    this.inputBytes = "fifo" in state ? Uint8Array.from([...state.fifo, ...state.wire]) : state.input.slice();
    this.inputHead = 0;
    this.inputEnd = this.inputBytes.length;
    this.outputBytes = "output" in state ? state.output.slice() : new Uint8Array(0);
    this.outputLength = this.outputBytes.length;
    this.total = "total" in state ? state.total : 0;
    this.update();
  }
}
