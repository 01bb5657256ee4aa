/**
 * A serial port like the 16550 (ports 0x3f8 … 0x3ff for COM1), without time: a byte written is sent at once, and
 * a byte that somebody typed waits on the wire until the guest reads the one before it.
 *
 * There is no interrupt controller on the bare machine: the port's interrupt (IER bit 0, received data available)
 * is wired straight to the processor as a level, with the vector SERIAL_VECTOR. Register layout: National
 * Semiconductor PC16550D data sheet, table II.
 */
import type { PortDevice } from "./port-bus.ts";

export const COM1_PORT = 0x3f8;
export const COM1_PORTS = 8;
/** The vector that IRQ 4 usually gets (0x20 + 4). */
export const SERIAL_VECTOR = 0x24;

/** Bytes of output that are kept, the newest; `total` counts all of them. */
export const SERIAL_KEEP = 1 << 24;
/** Bytes of input that may wait; what comes on top is lost, as on an overrun line. */
export const SERIAL_INPUT_LIMIT = 1 << 20;

const IER_DATA = 0x01;
const IER_EMPTY = 0x02;
const LCR_DLAB = 0x80;
const MCR_LOOP = 0x10;
const LSR_DATA = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_EMPTY = 0x60; // THR empty and transmitter empty: always, a byte leaves at once

export interface SerialState {
  readonly registers: Uint8Array;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly total: number;
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
   */
  constructor(
    private readonly line: (level: boolean) => void,
    private readonly sent: (byte: number) => void,
  ) {}

  /** Whether an empty transmitter interrupts, too: on a PC it does; the bare machine's port is polled for that. */
  interruptsEmpty = false;

  /** True while the port asks for an interrupt. */
  get interrupting(): boolean {
    return this.hasData || (this.interruptsEmpty && (this.ier & IER_EMPTY) !== 0 && this.emptyPending !== 0);
  }

  private get hasData(): boolean {
    return (this.ier & IER_DATA) !== 0 && this.inputEnd > this.inputHead;
  }

  /** Bytes that wait to be read by the guest. */
  get waiting(): number {
    return this.inputEnd - this.inputHead;
  }

  /** Bytes arrive on the line. Returns how many were taken. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    for (const byte of bytes) if (this.receiveByte(byte)) taken++;
    this.line(this.interrupting);
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

  readPort(offset: number): number {
    switch (offset) {
      case 0:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divisorLow : this.readData();
      case 1:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divisorHigh : this.ier;
      case 2:
        return this.readIdentification();
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5: {
        const status = LSR_EMPTY | this.overrun | (this.inputEnd > this.inputHead ? LSR_DATA : 0);
        this.overrun = 0;
        return status;
      }
      case 6:
        // Loop-back connects RTS, DTR, OUT1, OUT2 to CTS, DSR, RI, DCD; else a peer that is always there.
        return (this.mcr & MCR_LOOP) === 0
          ? 0xb0
          : ((this.mcr & 2) << 3) | ((this.mcr & 1) << 5) | ((this.mcr & 0x0c) << 4);
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
          if ((value & ~this.ier & IER_EMPTY) !== 0) this.emptyPending = 1;
          this.ier = value & 0x0f;
        }
        break;
      case 2:
        this.fcr = value & 0xc9;
        if ((value & 2) !== 0) this.inputHead = this.inputEnd = 0;
        break;
      case 3:
        this.lcr = value;
        break;
      case 4:
        this.mcr = value & 0x1f;
        break;
      case 7:
        this.scratch = value;
        break;
      default: // LSR and MSR are read-only
        return;
    }
    this.line(this.interrupting);
  }

  save(): SerialState {
    return {
      registers: Uint8Array.of(
        this.ier,
        this.fcr,
        this.lcr,
        this.mcr,
        this.scratch,
        this.divisorLow,
        this.divisorHigh,
        this.overrun,
        this.emptyPending,
      ),
      input: this.inputBytes.slice(this.inputHead, this.inputEnd),
      output: this.output(),
      total: this.total,
    };
  }

  load(state: SerialState): void {
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
    this.inputBytes = state.input.slice();
    this.inputHead = 0;
    this.inputEnd = state.input.length;
    this.outputBytes = state.output.slice();
    this.outputLength = state.output.length;
    this.total = state.total;
    this.line(this.interrupting);
  }

  private readData(): number {
    if (this.inputHead === this.inputEnd) return 0;
    const byte = this.inputBytes[this.inputHead++]!;
    if (this.inputHead === this.inputEnd) this.inputHead = this.inputEnd = 0;
    this.line(this.interrupting);
    return byte;
  }

  private readIdentification(): number {
    const fifo = (this.fcr & 1) !== 0 ? 0xc0 : 0;
    if (this.hasData) return fifo | 0x04;
    if ((this.ier & IER_EMPTY) !== 0 && this.emptyPending !== 0) {
      this.emptyPending = 0; // reading the identification answers this source
      this.line(this.interrupting);
      return fifo | 0x02;
    }
    return fifo | 0x01;
  }

  private send(byte: number): void {
    // The register is full for a moment: the interrupt goes away and comes anew, an edge for the controller.
    if (this.interruptsEmpty && this.emptyPending !== 0) {
      this.emptyPending = 0;
      this.line(this.interrupting);
    }
    this.emptyPending = 1;
    if ((this.mcr & MCR_LOOP) !== 0) {
      this.receiveByte(byte);
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
    if (this.inputEnd - this.inputHead >= SERIAL_INPUT_LIMIT) {
      this.overrun = LSR_OVERRUN;
      return false;
    }
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
}
