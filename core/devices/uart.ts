/**
 * The 16550A UART of the PC with its FIFOs and all of its interrupts. Bytes that are sent leave at once; bytes that arrive
 * wait on the wire until the receiver has room, so nothing that a person pasted is lost.
 * Source: National Semiconductor PC16550D data sheet, sections 8.1 to 8.9.
 */
import type { PortDevice } from "./port-bus.ts";

export const COM2_PORT = 0x2f8;

const IER_DATA = 0x01;
const IER_EMPTY = 0x02;
const IER_LINE = 0x04;
const IER_MODEM = 0x08;
const LCR_DLAB = 0x80;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;
const LSR_DATA = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_EMPTY = 0x60;
const FCR_ENABLE = 0x01;
const TRIGGER = [1, 4, 8, 14];
const FIFO = 16;

/** Bytes of input that may wait on the wire. */
export const UART_INPUT_LIMIT = 1 << 20;

export interface UartState {
  readonly registers: Uint8Array;
  readonly fifo: readonly number[];
  readonly wire: Uint8Array;
}

export class Uart implements PortDevice {
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
  private modem = 0xb0;
  private fifo: number[] = [];
  private wire: number[] = [];

  /**
   * @param line called with the level of the interrupt output (through OUT2, as the PC wires it)
   * @param sent called with each byte that leaves
   */
  constructor(
    private readonly line: (level: boolean) => void,
    private readonly sent: (byte: number) => void,
  ) {}

  /** Bytes arrive. Returns how many were taken. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    for (const byte of bytes) {
      if (this.wire.length >= UART_INPUT_LIMIT) break;
      this.wire.push(byte);
      taken++;
    }
    this.fill();
    return taken;
  }

  /** Bytes that the guest has not read. */
  get waiting(): number {
    return this.fifo.length + this.wire.length;
  }

  private get depth(): number {
    return (this.fcr & FCR_ENABLE) !== 0 ? FIFO : 1;
  }

  /** Takes from the wire what there is room for. */
  private fill(): void {
    while (this.fifo.length < this.depth && this.wire.length > 0) this.fifo.push(this.wire.shift()!);
    this.update();
  }

  /** The interrupt of the highest priority, as the identification register names it; 1: none. */
  private get cause(): number {
    if ((this.ier & IER_LINE) !== 0 && this.overrun !== 0) return 0x06;
    if ((this.ier & IER_DATA) !== 0 && this.fifo.length > 0) {
      const enough = (this.fcr & FCR_ENABLE) === 0 || this.fifo.length >= TRIGGER[this.fcr >> 6]!;
      // Less than the trigger level and nothing more on the wire: the character timeout has passed.
      return enough ? 0x04 : 0x0c;
    }
    if ((this.ier & IER_EMPTY) !== 0 && this.emptyPending !== 0) return 0x02;
    if ((this.ier & IER_MODEM) !== 0 && this.modemDelta !== 0) return 0x00;
    return 0x01;
  }

  private update(): void {
    const wired = (this.mcr & MCR_OUT2) !== 0 && (this.mcr & MCR_LOOP) === 0;
    this.line(wired && this.cause !== 0x01);
  }

  readPort(offset: number): number {
    switch (offset) {
      case 0: {
        if ((this.lcr & LCR_DLAB) !== 0) return this.divisorLow;
        const byte = this.fifo.shift() ?? 0;
        this.fill();
        return byte;
      }
      case 1:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divisorHigh : this.ier;
      case 2: {
        const { cause } = this;
        if (cause === 0x02) this.emptyPending = 0; // reading it answers this cause
        this.update();
        return cause | ((this.fcr & FCR_ENABLE) !== 0 ? 0xc0 : 0);
      }
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5: {
        const status = LSR_EMPTY | this.overrun | (this.fifo.length > 0 ? LSR_DATA : 0);
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
        // Turning the FIFOs on or off clears them.
        if (((value ^ this.fcr) & FCR_ENABLE) !== 0 || (value & 2) !== 0) this.fifo = [];
        this.fcr = (value & FCR_ENABLE) !== 0 ? value & 0xc9 : 0;
        this.fill();
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

  /** In loop-back RTS, DTR, OUT1 and OUT2 are CTS, DSR, RI and DCD; else a peer that is always there. */
  private setModem(): void {
    const { mcr } = this;
    const now =
      (mcr & MCR_LOOP) === 0
        ? 0xb0
        : ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
    this.modemDelta |= ((now ^ this.modem) & 0xb0) >> 4;
    if ((this.modem & 0x40) !== 0 && (now & 0x40) === 0) this.modemDelta |= 4;
    this.modem = now;
  }

  private send(byte: number): void {
    // The register is full for a moment, so that the interrupt goes away and comes anew: an edge for the controller.
    this.emptyPending = 0;
    this.update();
    if ((this.mcr & MCR_LOOP) !== 0) {
      if (this.fifo.length >= this.depth) this.overrun = LSR_OVERRUN;
      else this.fifo.push(byte);
    } else this.sent(byte);
    this.emptyPending = 1;
  }

  save(): UartState {
    const { ier, fcr, lcr, mcr, scratch, divisorLow, divisorHigh, overrun, emptyPending } = this;
    const registers = Uint8Array.of(
      ier,
      fcr,
      lcr,
      mcr,
      scratch,
      divisorLow,
      divisorHigh,
      overrun,
      emptyPending,
      this.modemDelta,
      this.modem,
    );
    return { registers, fifo: this.fifo.slice(), wire: Uint8Array.from(this.wire) };
  }

  load(state: UartState): void {
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
    this.modemDelta = r[9]!;
    this.modem = r[10]!;
    this.fifo = state.fifo.slice();
    this.wire = [...state.wire];
    this.update();
  }
}
