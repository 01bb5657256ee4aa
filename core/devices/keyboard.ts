/**
 * The keyboard controller 8042 (ports 0x60 and 0x64) with a PS/2 keyboard behind it: scan codes of set 2 turned into set 1,
 * the gate of A20, and the pulse that resets the processor. IRQ 1; IRQ 12 for the auxiliary port, on which no mouse hangs: what
 * is sent there is answered by the controller, for the device that did not.
 * Source: IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device controller; keyboard 101/102.
 */
import type { PortDevice } from "./port-bus.ts";

export const KEYBOARD_DATA_PORT = 0x60;
export const KEYBOARD_COMMAND_PORT = 0x64;

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUXILIARY = 0x20; // the output buffer's byte is the auxiliary port's
const STATUS_TIMEOUT = 0x40; // and stands for a device that did not answer

const COMMAND_IRQ1 = 0x01;
const COMMAND_IRQ12 = 0x02;
const COMMAND_SYSTEM = 0x04;
const COMMAND_DISABLE = 0x10;
const COMMAND_DISABLE_AUX = 0x20;
const COMMAND_TRANSLATE = 0x40;

const OUTPUT_NOT_RESET = 0x01;
const OUTPUT_A20 = 0x02;

/** What the controller says in the place of a device that does not answer: send again. */
const RESEND = 0xfe;

/** Bytes that wait behind the output buffer: what the keyboard itself keeps (16 key strokes and an overrun code). */
const QUEUE = 64;
/** Room behind them for answers to commands; a guest that commands and never reads loses the rest. */
const ANSWERS = 16;

export interface KeyboardState {
  readonly queue: readonly number[];
  /** The output buffer's byte, or -1. */
  readonly output: number;
  /** It is the auxiliary port's; it stands for a device that did not answer. */
  readonly auxiliary: boolean;
  readonly timeout: boolean;
  /** Answers of that kind that wait behind it. */
  readonly unanswered: number;
  readonly last: number;
  readonly command: number;
  readonly outputPort: number;
  /** Controller command that waits for its byte, or 0; the same for the keyboard. */
  readonly pending: number;
  readonly keyboardPending: number;
  readonly commandLast: boolean;
  readonly scanning: boolean;
  readonly leds: number;
  readonly scanSet: number;
  readonly memory: Uint8Array;
}

/**
 * Set 2 to set 1, as the controller translates (IBM, table "Scan Code Translation"): the byte of set 1 by that of set 2.
 * What is not in it passes unchanged.
 */
const SET_1 = new Uint8Array(256).map((_, i) => i);
const TRANSLATION =
  "ff 43 41 3f 3d 3b 3c 58 64 44 42 40 3e 0f 29 59 65 38 2a 70 1d 10 02 5a 66 71 2c 1f 1e 11 03 5b " +
  "67 2e 2d 20 12 05 04 5c 68 39 2f 21 14 13 06 5d 69 31 30 23 22 15 07 5e 6a 72 32 24 16 08 09 5f " +
  "6b 33 25 17 18 0b 0a 60 6c 34 35 26 27 19 0c 61 6d 73 28 74 1a 0d 62 6e 3a 36 1c 1b 75 2b 63 76 " +
  "55 56 77 78 79 7a 0e 7b 7c 4f 7d 4b 47 7e 7f 6f 52 53 50 4c 4d 48 01 45 57 4e 51 4a 37 49 46 54";
for (const [i, byte] of TRANSLATION.split(" ").entries()) SET_1[i] = Number.parseInt(byte, 16);
SET_1[0x83] = 0x41; // F7
SET_1[0x84] = 0x54; // SysRq

/** Set 2 by set 1, for those who type in scan codes of set 1 (a key's number on the PC). */
const SET_2 = new Uint8Array(128);
for (let i = 0x83; i >= 1; i--) if (SET_1[i]! < 128) SET_2[SET_1[i]!] = i;

export class Keyboard {
  private queue: number[] = [];
  private output = -1;
  private auxiliary = false;
  private timeout = false;
  private unanswered = 0;
  private last = 0;
  private command = COMMAND_IRQ1 | COMMAND_SYSTEM | COMMAND_TRANSLATE | COMMAND_DISABLE_AUX;
  private outputPort = OUTPUT_NOT_RESET | OUTPUT_A20;
  private pending = 0;
  private keyboardPending = 0;
  private commandLast = false;
  private scanning = true;
  private leds = 0;
  private scanSet = 2;
  private readonly memory = new Uint8Array(32);
  readonly data: PortDevice;
  readonly control: PortDevice;

  /**
   * @param irq1 called with the level of the interrupt output
   * @param a20 called with the level of the A20 gate whenever it is written
   * @param reset called when the processor is to be reset
   * @param irq12 called with the level of the auxiliary port's interrupt output
   */
  constructor(
    private readonly irq1: (level: boolean) => void,
    private readonly a20: (open: boolean) => void,
    private readonly reset: () => void,
    private readonly irq12: (level: boolean) => void,
  ) {
    this.data = { readPort: () => this.readData(), writePort: (_o, value) => this.writeData(value) };
    this.control = { readPort: () => this.status(), writePort: (_o, value) => this.writeCommand(value) };
  }

  private status(): number {
    return (
      (this.output >= 0 ? STATUS_OUTPUT_FULL : 0) |
      (this.output >= 0 && this.auxiliary ? STATUS_AUXILIARY : 0) |
      (this.output >= 0 && this.timeout ? STATUS_TIMEOUT : 0) |
      ((this.command & COMMAND_SYSTEM) !== 0 ? STATUS_SYSTEM : 0) |
      (this.commandLast ? STATUS_COMMAND : 0) |
      STATUS_UNLOCKED
    );
  }

  /** A key went down or up: its scan code in set 1 (bit 7: up), with 0xe0 before it for the grey keys. Bytes 0 to 255. */
  key(scanCodes: readonly number[]): void {
    if (!this.scanning) return;
    const bytes: number[] = [];
    for (const code of scanCodes) {
      if (code === 0xe0 || code === 0xe1) bytes.push(code);
      else if (this.scanSet === 1) bytes.push(code);
      else {
        if ((code & 0x80) !== 0) bytes.push(0xf0);
        bytes.push(SET_2[code & 0x7f]!);
      }
    }
    if (this.queue.length + bytes.length > QUEUE) return; // the keyboard's own buffer is full: the key is lost
    this.send(...bytes);
  }

  /** Bytes that the processor has not read: the output buffer's and those behind it. */
  get waiting(): number {
    return this.queue.length + (this.output >= 0 ? 1 : 0);
  }

  private send(...bytes: number[]): void {
    if (this.queue.length + bytes.length > QUEUE + ANSWERS) return;
    this.queue.push(...bytes);
    this.fill();
  }

  /** Moves the next byte into the output buffer, when that is empty and the keyboard's clock is not held. */
  private fill(): void {
    if (this.output < 0 && this.unanswered > 0) {
      this.unanswered--;
      this.put(RESEND, true, true);
    }
    while (this.output < 0 && this.queue.length > 0 && (this.command & COMMAND_DISABLE) === 0) {
      const byte = this.queue.shift()!;
      if ((this.command & COMMAND_TRANSLATE) === 0) this.put(byte);
      else if (byte === 0xf0 && this.queue.length > 0) this.put(SET_1[this.queue.shift()!]! | 0x80);
      else this.put(SET_1[byte]!);
    }
  }

  private put(byte: number, auxiliary = false, timeout = false): void {
    this.output = byte;
    this.auxiliary = auxiliary;
    this.timeout = timeout;
    this.interrupt();
  }

  private interrupt(): void {
    const full = this.output >= 0;
    this.irq1(full && !this.auxiliary && (this.command & COMMAND_IRQ1) !== 0);
    this.irq12(full && this.auxiliary && (this.command & COMMAND_IRQ12) !== 0);
  }

  private readData(): number {
    if (this.output < 0) return this.last;
    this.last = this.output;
    this.output = -1;
    this.interrupt();
    this.fill();
    return this.last;
  }

  private writeCommand(value: number): void {
    this.commandLast = true;
    this.pending = 0;
    if (value >= 0x20 && value <= 0x3f) {
      this.put(value === 0x20 ? this.command : this.memory[value - 0x20]!);
      return;
    }
    if (value >= 0x60 && value <= 0x7f) {
      this.pending = value;
      return;
    }
    if (value >= 0xf0) {
      // Pulses the output port's bits that are 0; bit 0 is the processor's reset.
      if ((value & 1) === 0) this.reset();
      return;
    }
    switch (value) {
      case 0xa7:
        this.command |= COMMAND_DISABLE_AUX;
        return;
      case 0xa8:
        this.command &= ~COMMAND_DISABLE_AUX;
        return;
      case 0xa9: // test of the auxiliary interface: nothing holds its lines
        this.put(0);
        return;
      case 0xaa:
        this.command |= COMMAND_SYSTEM;
        this.put(0x55);
        return;
      case 0xab:
        this.put(0);
        return;
      case 0xad:
        this.command |= COMMAND_DISABLE;
        return;
      case 0xae:
        this.command &= ~COMMAND_DISABLE;
        this.fill();
        return;
      case 0xc0:
        this.put(0xa0); // not locked, colour display
        return;
      case 0xd0:
        this.put((this.outputPort & ~0x30) | (this.output < 0 ? 0 : this.auxiliary ? 0x20 : 0x10));
        return;
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        this.pending = value;
        return;
      case 0xdd: // the A20 gate, as HP's controller has it
      case 0xdf:
        this.writeOutputPort((this.outputPort & ~OUTPUT_A20) | (value === 0xdf ? OUTPUT_A20 : 0));
        return;
      case 0xe0:
        this.put(0);
        return;
      default:
    }
  }

  private writeOutputPort(value: number): void {
    this.outputPort = value;
    this.a20((value & OUTPUT_A20) !== 0);
    if ((value & OUTPUT_NOT_RESET) === 0) this.reset();
  }

  private writeData(value: number): void {
    this.commandLast = false;
    const { pending } = this;
    this.pending = 0;
    if (pending >= 0x60 && pending <= 0x7f) {
      if (pending === 0x60) {
        this.command = value;
        this.interrupt();
        this.fill();
      } else this.memory[pending - 0x60] = value;
      return;
    }
    switch (pending) {
      case 0xd1:
        this.writeOutputPort(value);
        return;
      case 0xd2: // as if the keyboard had sent it
        this.put(value);
        return;
      case 0xd3: // as if the auxiliary device had sent it
        this.put(value, true);
        return;
      case 0xd4: // to the auxiliary device: nothing is there that answers
        if (this.unanswered < QUEUE) this.unanswered++;
        this.fill();
        return;
      default:
        this.toKeyboard(value);
    }
  }

  /** A byte for the keyboard itself. Writing to it lets its clock run again. */
  private toKeyboard(value: number): void {
    this.command &= ~COMMAND_DISABLE;
    const { keyboardPending } = this;
    this.keyboardPending = 0;
    if (keyboardPending !== 0 && value < 0x80) {
      switch (keyboardPending) {
        case 0xed:
          this.leds = value & 7;
          break;
        case 0xf0:
          if (value === 0) {
            this.send(0xfa, this.scanSet);
            return;
          }
          if (value <= 2) this.scanSet = value;
          break;
        default: // 0xf3, the typematic rate: keys are typed by people
      }
      this.send(0xfa);
      return;
    }
    switch (value) {
      case 0xed:
      case 0xf0:
      case 0xf3:
        this.keyboardPending = value;
        this.send(0xfa);
        return;
      case 0xee:
        this.send(0xee);
        return;
      case 0xf2:
        this.send(0xfa, 0xab, 0x83);
        return;
      case 0xf4:
        this.scanning = true;
        this.send(0xfa);
        return;
      case 0xf5:
        this.scanning = false;
        this.send(0xfa);
        return;
      case 0xf6:
        this.scanning = true;
        this.scanSet = 2;
        this.send(0xfa);
        return;
      case 0xfe:
        this.send(this.last);
        return;
      case 0xff:
        this.scanning = true;
        this.scanSet = 2;
        this.leds = 0;
        this.queue = [];
        this.send(0xfa, 0xaa);
        return;
      default:
        this.send(0xfe);
    }
  }

  save(): KeyboardState {
    const { output, last, command, outputPort, pending, keyboardPending, commandLast } = this;
    const { scanning, leds, scanSet, auxiliary, timeout, unanswered } = this;
    return {
      queue: this.queue.slice(),
      output,
      auxiliary,
      timeout,
      unanswered,
      last,
      command,
      outputPort,
      pending,
      keyboardPending,
      commandLast,
      scanning,
      leds,
      scanSet,
      memory: this.memory.slice(),
    };
  }

  load(state: KeyboardState): void {
    const { queue, memory, ...rest } = state;
    Object.assign(this, rest);
    this.queue = queue.slice();
    this.memory.set(memory);
    this.interrupt();
  }
}
