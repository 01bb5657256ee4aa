/**
 * An ATA channel with up to two disks: PIO data transfers, interrupts, LBA28 and CHS addresses. Ports 0x1f0 to 0x1f7 and
 * 0x3f6, IRQ 14 for the first channel of the PC. No DMA, no packet commands.
 * Source: ATA/ATAPI-5 (T13/1321D): registers 7, commands 8, protocols 9.
 */
import type { Clock, Timed } from "./clock.ts";
import { type Disk, SECTOR } from "./disk.ts";
import type { PortDevice } from "./port-bus.ts";

export const ATA_PORT = 0x1f0;
export const ATA_CONTROL_PORT = 0x3f6;

const ERR = 0x01;
const DRQ = 0x08;
const DSC = 0x10;
const DF = 0x20;
const DRDY = 0x40;
const BSY = 0x80;
const ABRT = 0x04;
const IDNF = 0x10;
const CONTROL_NIEN = 0x02;
const CONTROL_SRST = 0x04;
const DEVICE_1 = 0x10;
const DEVICE_LBA = 0x40;
/** Units from a command, or from a block that was taken, until the device answers: 20 us. */
const DELAY = 2000;
const MOST_MULTIPLE = 16;
const HEADS = 16;
const SECTORS_A_TRACK = 63;

/** What a device is doing between its busy times. */
const IDLE = 0;
const DATA_IN = 1;
const DATA_OUT = 2;

export interface AtaState {
  readonly registers: Uint8Array;
  readonly control: number;
  readonly phase: number;
  readonly command: number;
  readonly buffer: Uint8Array;
  readonly at: number;
  readonly length: number;
  readonly left: number;
  readonly lba: number;
  readonly due: number;
  readonly irq: boolean;
  readonly multiple: readonly number[];
}

export class AtaChannel implements PortDevice, Timed {
  // Task file. Both devices hear every write; the selected one answers.
  private features = 0;
  private error = 1;
  private count = 1;
  private sector = 1;
  private cylinderLow = 0;
  private cylinderHigh = 0;
  private device = 0;
  private status = DRDY | DSC;
  private control = 0;
  private command = 0;
  private phase = IDLE;
  private readonly buffer = new Uint8Array(SECTOR * MOST_MULTIPLE);
  private at = 0;
  private length = 0;
  /** Sectors of the command that were not moved yet, and the next one's number. */
  private left = 0;
  private lba = 0;
  /** When BSY goes, in units; Infinity: not busy. */
  private due = Infinity;
  private irq = false;
  private readonly multiple = [0, 0];
  /** Port 0x3f6: alternate status, device control. */
  readonly controlPort: PortDevice;

  /**
   * @param disks device 0 and 1; null where there is none
   * @param line called with the level of the interrupt output
   */
  constructor(
    private readonly clock: Clock,
    readonly disks: readonly [Disk | null, Disk | null],
    private readonly line: (level: boolean) => void,
  ) {
    this.controlPort = {
      readPort: () => this.statusNow(),
      writePort: (_offset, value) => this.writeControl(value),
    };
  }

  private get disk(): Disk | null {
    return this.disks[(this.device & DEVICE_1) >> 4]!;
  }

  private get selected(): number {
    return (this.device & DEVICE_1) >> 4;
  }

  private statusNow(): number {
    // A device that is not there: device 0 answers for it with 0 when it is there itself (ATA/ATAPI-5, 9.16.1).
    if (this.disk === null) return this.empty ? 0xff : 0;
    return this.status;
  }

  // ---- ports ----

  /** No device drives the bus of an empty channel, nor takes what is written (a driver tells by that). */
  private get empty(): boolean {
    return this.disks[0] === null && this.disks[1] === null;
  }

  readPort(offset: number): number {
    if (this.empty) return 0xff;
    switch (offset) {
      case 0:
        return this.readData();
      case 1:
        return this.error;
      case 2:
        return this.count;
      case 3:
        return this.sector;
      case 4:
        return this.cylinderLow;
      case 5:
        return this.cylinderHigh;
      case 6:
        return this.device | 0xa0;
      default: {
        const status = this.statusNow();
        this.setIrq(false);
        return status;
      }
    }
  }

  /** The data register alone is wider than a byte. */
  readWide(offset: number, size: number): number | undefined {
    if (offset !== 0) return undefined;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readData() << (8 * i);
    return value;
  }

  writeWide(offset: number, size: number, value: number): boolean {
    if (offset !== 0) return false;
    for (let i = 0; i < size; i++) this.writeData((value >>> (8 * i)) & 0xff);
    return true;
  }

  writePort(offset: number, value: number): void {
    if (offset === 0) {
      this.writeData(value);
      return;
    }
    if ((this.status & BSY) !== 0) return;
    switch (offset) {
      case 1:
        this.features = value;
        return;
      case 2:
        this.count = value;
        return;
      case 3:
        this.sector = value;
        return;
      case 4:
        this.cylinderLow = value;
        return;
      case 5:
        this.cylinderHigh = value;
        return;
      case 6:
        this.device = value & 0x5f;
        return;
      default:
        this.setIrq(false);
        if (this.disk !== null) this.start(value);
    }
  }

  private writeControl(value: number): void {
    const before = this.control;
    this.control = value;
    if ((value & CONTROL_SRST) !== 0) {
      this.status = BSY;
      this.due = Infinity;
      this.phase = IDLE;
      this.setIrq(false);
    } else if ((before & CONTROL_SRST) !== 0) {
      this.signature();
      this.status = DRDY | DSC;
    }
    this.setIrq(this.irq);
  }

  /** Registers after a reset or a diagnostic: an ATA device that passed. */
  private signature(): void {
    this.error = 1;
    this.count = 1;
    this.sector = 1;
    this.cylinderLow = 0;
    this.cylinderHigh = 0;
    this.device = 0;
  }

  private setIrq(on: boolean): void {
    this.irq = on;
    this.line(on && (this.control & CONTROL_NIEN) === 0);
  }

  // ---- data ----

  /** The data register is 16 bits wide; a wider or narrower access moves its bytes in order. */
  private readData(): number {
    if (this.phase !== DATA_IN || (this.status & DRQ) === 0) return 0xff;
    const byte = this.buffer[this.at++]!;
    if (this.at === this.length) {
      this.status &= ~DRQ;
      if (this.left > 0) this.busy();
      else this.phase = IDLE;
    }
    return byte;
  }

  private writeData(value: number): void {
    if (this.phase !== DATA_OUT || (this.status & DRQ) === 0) return;
    this.buffer[this.at++] = value;
    if (this.at === this.length) {
      this.status &= ~DRQ;
      this.busy();
    }
  }

  // ---- commands ----

  private busy(): void {
    this.status = (this.status & ~(DRQ | ERR | DF)) | BSY;
    this.due = this.clock.time + DELAY;
  }

  private start(command: number): void {
    this.command = command;
    this.error = 0;
    this.phase = IDLE;
    switch (command) {
      case 0x30: // WRITE SECTOR(S)
      case 0x31:
      case 0xc5: // WRITE MULTIPLE
        if (!this.address()) {
          this.busy();
          return;
        }
        if (command === 0xc5 && this.multiple[this.selected] === 0) {
          this.error = ABRT;
          this.busy();
          return;
        }
        // The first block is asked for without an interrupt (9.6).
        this.phase = DATA_OUT;
        this.status = DRDY | DSC | DRQ;
        this.at = 0;
        this.length = this.block() * SECTOR;
        return;
      default:
        this.busy();
    }
  }

  /** Sectors of the next block of the command in hand. */
  private block(): number {
    const most = this.command === 0xc4 || this.command === 0xc5 ? this.multiple[this.selected]! : 1;
    return Math.min(most, this.left);
  }

  /** Takes address and count out of the registers. False: the disk has no such sectors (`error` says so). */
  private address(): boolean {
    const { disk } = this;
    if (disk === null) return false;
    this.left = this.count === 0 ? 256 : this.count;
    if ((this.device & DEVICE_LBA) !== 0) {
      this.lba =
        ((this.device & 15) << 24) | (this.cylinderHigh << 16) | (this.cylinderLow << 8) | this.sector;
    } else {
      const cylinder = (this.cylinderHigh << 8) | this.cylinderLow;
      const head = this.device & 15;
      if (this.sector === 0 || this.sector > SECTORS_A_TRACK) {
        this.error = IDNF;
        return false;
      }
      this.lba = (cylinder * HEADS + head) * SECTORS_A_TRACK + this.sector - 1;
    }
    if (this.lba + this.left > disk.sectors) {
      this.error = IDNF;
      return false;
    }
    return true;
  }

  /** Puts the number of the sector that was moved last, and how many are left, into the registers. */
  private report(): void {
    this.count = this.left & 0xff;
    const last = this.lba - 1;
    if ((this.device & DEVICE_LBA) !== 0) {
      this.sector = last & 0xff;
      this.cylinderLow = (last >> 8) & 0xff;
      this.cylinderHigh = (last >> 16) & 0xff;
      this.device = (this.device & 0xf0) | ((last >> 24) & 15);
    } else {
      const track = Math.floor(last / SECTORS_A_TRACK);
      this.sector = (last % SECTORS_A_TRACK) + 1;
      this.device = (this.device & 0xf0) | (track % HEADS);
      const cylinder = Math.floor(track / HEADS);
      this.cylinderLow = cylinder & 0xff;
      this.cylinderHigh = (cylinder >> 8) & 0xff;
    }
  }

  next(): number {
    return this.due;
  }

  advance(now: number): void {
    if (now < this.due) return;
    this.due = Infinity;
    this.status = DRDY | DSC;
    this.answer();
    if (this.error !== 0 && this.command !== 0x90) this.status |= ERR;
    this.setIrq(true);
  }

  /** The device has thought: the next block, the end of the command, or a refusal in `error`. */
  private answer(): void {
    const { disk } = this;
    if (disk === null || this.error !== 0) return;
    switch (this.command) {
      case 0x20: // READ SECTOR(S)
      case 0x21:
      case 0xc4: // READ MULTIPLE
        this.readBlock(disk);
        return;
      case 0x30:
      case 0x31:
      case 0xc5:
        this.writeBlock(disk);
        return;
      case 0x40: // READ VERIFY SECTOR(S)
      case 0x41:
        if (this.address()) {
          this.lba += this.left;
          this.left = 0;
          this.report();
        }
        return;
      case 0x90: // EXECUTE DEVICE DIAGNOSTIC
        this.signature();
        return;
      case 0x91: // INITIALIZE DEVICE PARAMETERS: the geometry that IDENTIFY names, and no other
        if ((this.device & 15) !== HEADS - 1 || this.count !== SECTORS_A_TRACK) this.error = ABRT;
        return;
      case 0xc6: // SET MULTIPLE MODE
        if (this.count > MOST_MULTIPLE || (this.count & (this.count - 1)) !== 0) this.error = ABRT;
        else this.multiple[this.selected] = this.count;
        return;
      case 0xec:
        this.identify(disk);
        return;
      case 0xef: // SET FEATURES: transfer modes of PIO, caches
        if (![0x02, 0x03, 0x82, 0xaa, 0x55, 0x66, 0xcc].includes(this.features)) this.error = ABRT;
        else if (this.features === 0x03 && this.count >> 3 > 1) this.error = ABRT;
        return;
      case 0xe0: // STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE, SLEEP
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe6:
      case 0xe7: // FLUSH CACHE
        return;
      case 0xe5: // CHECK POWER MODE: active
        this.count = 0xff;
        return;
      case 0x70: // SEEK
        if (!this.address()) return;
        return;
      default:
        if ((this.command & 0xf0) !== 0x10) this.error = ABRT; // RECALIBRATE is 0x10 to 0x1f
    }
  }

  private readBlock(disk: Disk): void {
    if (this.phase === IDLE) {
      if (!this.address()) return;
      if (this.command === 0xc4 && this.multiple[this.selected] === 0) {
        this.error = ABRT;
        return;
      }
    }
    const block = this.block();
    for (let i = 0; i < block; i++) disk.read(this.lba + i, this.buffer, i * SECTOR);
    this.lba += block;
    this.left -= block;
    this.report();
    this.phase = DATA_IN;
    this.at = 0;
    this.length = block * SECTOR;
    this.status |= DRQ;
  }

  private writeBlock(disk: Disk): void {
    const block = this.length / SECTOR;
    for (let i = 0; i < block; i++) disk.write(this.lba + i, this.buffer, i * SECTOR);
    this.lba += block;
    this.left -= block;
    this.report();
    if (this.left === 0) {
      this.phase = IDLE;
      return;
    }
    this.at = 0;
    this.length = this.block() * SECTOR;
    this.status |= DRQ;
  }

  /** IDENTIFY DEVICE (8.12), the words that a driver reads. */
  private identify(disk: Disk): void {
    const words = new Uint16Array(256);
    const total = Math.min(disk.sectors, 0x0fff_ffff);
    const cylinders = Math.min(16_383, Math.floor(total / (HEADS * SECTORS_A_TRACK)));
    const text = (from: number, length: number, value: string): void => {
      for (let i = 0; i < length; i++) {
        const pair = value.padEnd(length * 2).slice(i * 2, i * 2 + 2);
        words[from + i] = (pair.charCodeAt(0) << 8) | pair.charCodeAt(1);
      }
    };
    words[0] = 0x0040; // fixed device
    words[1] = cylinders;
    words[3] = HEADS;
    words[6] = SECTORS_A_TRACK;
    text(10, 10, `QUADRANT000${this.selected + 1}`);
    text(23, 4, "1.0");
    text(27, 20, "QUADRANT DISK");
    words[47] = 0x8000 | MOST_MULTIPLE;
    words[49] = 0x0200; // LBA
    words[50] = 0x4000;
    words[51] = 0x0200;
    words[53] = 0x0003;
    words[54] = cylinders;
    words[55] = HEADS;
    words[56] = SECTORS_A_TRACK;
    const chs = cylinders * HEADS * SECTORS_A_TRACK;
    words[57] = chs & 0xffff;
    words[58] = chs >>> 16;
    const multiple = this.multiple[this.selected]!;
    words[59] = multiple === 0 ? 0 : 0x0100 | multiple;
    words[60] = total & 0xffff;
    words[61] = total >>> 16;
    words[64] = 0x0003; // PIO modes 3 and 4
    words[67] = 120;
    words[68] = 120;
    words[80] = 0x003e; // ATA-1 to ATA-5
    words[82] = 0x4000; // NOP and nothing of the optional sets
    words[83] = 0x4000;
    words[84] = 0x4000;
    words[85] = 0x4000;
    words[87] = 0x4000;
    for (let i = 0; i < 256; i++) {
      this.buffer[i * 2] = words[i]! & 0xff;
      this.buffer[i * 2 + 1] = words[i]! >> 8;
    }
    this.phase = DATA_IN;
    this.at = 0;
    this.length = SECTOR;
    this.left = 0;
    this.status |= DRQ;
  }

  save(): AtaState {
    const r = [this.features, this.error, this.count, this.sector, this.cylinderLow, this.cylinderHigh];
    return {
      registers: Uint8Array.of(...r, this.device, this.status),
      control: this.control,
      phase: this.phase,
      command: this.command,
      buffer: this.buffer.slice(0, this.length),
      at: this.at,
      length: this.length,
      left: this.left,
      lba: this.lba,
      due: this.due,
      irq: this.irq,
      multiple: this.multiple.slice(),
    };
  }

  load(state: AtaState): void {
    const r = state.registers;
    this.features = r[0]!;
    this.error = r[1]!;
    this.count = r[2]!;
    this.sector = r[3]!;
    this.cylinderLow = r[4]!;
    this.cylinderHigh = r[5]!;
    this.device = r[6]!;
    this.status = r[7]!;
    this.control = state.control;
    this.phase = state.phase;
    this.command = state.command;
    this.buffer.fill(0);
    this.buffer.set(state.buffer);
    this.at = state.at;
    this.length = state.length;
    this.left = state.left;
    this.lba = state.lba;
    this.due = state.due;
    this.multiple[0] = state.multiple[0]!;
    this.multiple[1] = state.multiple[1]!;
    this.setIrq(state.irq);
  }
}
