/**
 * An ATA channel with up to two disks: PIO data transfers, interrupts, LBA28 and CHS addresses. Ports 0x1f0 to 0x1f7 and
 * 0x3f6, IRQ 14 for the first channel of the PC. No DMA, no packet commands.
 * Source: ATA/ATAPI-5 (T13/1321D): commands 8, protocols 9.
 */
import { identifyDevice, MOST_MULTIPLE } from "./ata-identify.ts";
import { ABRT, AtaTaskFile, BSY, DF, DRDY, DRQ, DSC, ERR, HEADS, SECTORS_A_TRACK } from "./ata-task-file.ts";
import type { Clock, Timed } from "./clock.ts";
import { type Disk, SECTOR } from "./disk.ts";
import type { PortDevice } from "./port-bus.ts";

export const ATA_PORT = 0x1f0;
export const ATA_CONTROL_PORT = 0x3f6;

const CONTROL_NIEN = 0x02;
const CONTROL_SRST = 0x04;
/** Units from a command, or from a block that was taken, until the device answers: 20 us. */
const DELAY = 2000;

/** EXECUTE DEVICE DIAGNOSTIC: both devices carry it out, whichever is selected. */
const DIAGNOSTIC = 0x90;

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
  /** Device that the command is for; files of the first PCs have it not, and mean the selected one. */
  readonly active?: number;
}

export class AtaChannel implements PortDevice, Timed {
  /** Both devices hear every write; the selected one answers. */
  private readonly file = new AtaTaskFile();
  private control = 0;
  private command = 0;
  /** Device that the command was given to. It stays with it, whichever is selected meanwhile. */
  private active: 0 | 1 = 0;
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

  /** The selected device's, which answers at the ports. */
  private get disk(): Disk | null {
    return this.disks[this.file.selected]!;
  }

  private statusNow(): number {
    // A device that is not there: device 0 answers for it with 0 when it is there itself (ATA/ATAPI-5, 9.16.1).
    if (this.disk === null) return this.empty ? 0xff : 0;
    return this.file.status;
  }

  // ---- ports ----

  /** No device drives the bus of an empty channel, nor takes what is written (a driver tells by that). */
  private get empty(): boolean {
    return this.disks[0] === null && this.disks[1] === null;
  }

  readPort(offset: number): number {
    if (this.empty) return 0xff;
    if (offset === 0) return this.readData();
    if (offset < 7) return this.file.read(offset);
    const status = this.statusNow();
    this.setIrq(false);
    return status;
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
    if ((this.file.status & BSY) !== 0) return;
    if (offset < 7) {
      this.file.write(offset, value);
      return;
    }
    this.setIrq(false);
    if (this.disk !== null || (value === DIAGNOSTIC && !this.empty)) this.start(value);
  }

  private writeControl(value: number): void {
    const before = this.control;
    this.control = value;
    if ((value & CONTROL_SRST) !== 0) {
      this.file.status = BSY;
      this.due = Infinity;
      this.phase = IDLE;
      this.setIrq(false);
    } else if ((before & CONTROL_SRST) !== 0) {
      this.file.signature();
      this.file.status = DRDY | DSC;
    }
    this.setIrq(this.irq);
  }

  private setIrq(on: boolean): void {
    this.irq = on;
    this.line(on && (this.control & CONTROL_NIEN) === 0);
  }

  // ---- data ----

  /** The data register is 16 bits wide; a wider or narrower access moves its bytes in order. */
  private readData(): number {
    if (this.phase !== DATA_IN || (this.file.status & DRQ) === 0) return 0xff;
    const byte = this.buffer[this.at++]!;
    if (this.at === this.length) {
      this.file.status &= ~DRQ;
      if (this.left > 0) this.busy();
      else this.phase = IDLE;
    }
    return byte;
  }

  private writeData(value: number): void {
    if (this.phase !== DATA_OUT || (this.file.status & DRQ) === 0) return;
    this.buffer[this.at++] = value;
    if (this.at === this.length) {
      this.file.status &= ~DRQ;
      this.busy();
    }
  }

  // ---- commands ----

  private busy(): void {
    this.file.status = (this.file.status & ~(DRQ | ERR | DF)) | BSY;
    this.due = this.clock.time + DELAY;
  }

  private start(command: number): void {
    this.command = command;
    this.active = this.file.selected;
    this.file.error = 0;
    this.phase = IDLE;
    switch (command) {
      case 0x30: // WRITE SECTOR(S)
      case 0x31:
      case 0xc5: // WRITE MULTIPLE
        if (!this.address()) {
          this.busy();
          return;
        }
        if (command === 0xc5 && this.multiple[this.active] === 0) {
          this.file.error = ABRT;
          this.busy();
          return;
        }
        // The first block is asked for without an interrupt (9.6).
        this.phase = DATA_OUT;
        this.file.status = DRDY | DSC | DRQ;
        this.at = 0;
        this.length = this.block() * SECTOR;
        return;
      default:
        this.busy();
    }
  }

  /** Sectors of the next block of the command in hand. */
  private block(): number {
    const most = this.command === 0xc4 || this.command === 0xc5 ? this.multiple[this.active]! : 1;
    return Math.min(most, this.left);
  }

  /** Takes address and count out of the registers. False: the disk has no such sectors (`error` says so). */
  private address(): boolean {
    const { file } = this;
    const disk = this.disks[this.active]!;
    const lba = disk === null ? -1 : file.address(disk.sectors, file.sectors);
    if (lba < 0) return false;
    this.lba = lba;
    this.left = file.sectors;
    return true;
  }

  private report(): void {
    this.file.report(this.lba - 1, this.left);
  }

  next(): number {
    return this.due;
  }

  advance(now: number): void {
    if (now < this.due) return;
    this.due = Infinity;
    this.file.status = DRDY | DSC;
    this.answer();
    if (this.file.error !== 0 && this.command !== DIAGNOSTIC) this.file.status |= ERR;
    this.setIrq(true);
  }

  /** The device has thought: the next block, the end of the command, or a refusal in `error`. */
  private answer(): void {
    if (this.command === DIAGNOSTIC) {
      this.file.signature();
      return;
    }
    const disk = this.disks[this.active]!;
    if (disk === null || this.file.error !== 0) return;
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
      case 0x91: // INITIALIZE DEVICE PARAMETERS: the geometry that IDENTIFY names, and no other
        if ((this.file.device & 15) !== HEADS - 1 || this.file.count !== SECTORS_A_TRACK)
          this.file.error = ABRT;
        return;
      case 0xc6: // SET MULTIPLE MODE
        if (this.file.count > MOST_MULTIPLE || (this.file.count & (this.file.count - 1)) !== 0)
          this.file.error = ABRT;
        else this.multiple[this.active] = this.file.count;
        return;
      case 0xec:
        this.identify(disk);
        return;
      case 0xef: // SET FEATURES: transfer modes of PIO, caches
        if (![0x02, 0x03, 0x82, 0xaa, 0x55, 0x66, 0xcc].includes(this.file.features)) this.file.error = ABRT;
        else if (this.file.features === 0x03 && this.file.count >> 3 > 1) this.file.error = ABRT;
        return;
      case 0xe0: // STANDBY IMMEDIATE, IDLE IMMEDIATE, STANDBY, IDLE, SLEEP
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe6:
      case 0xe7: // FLUSH CACHE
        return;
      case 0xe5: // CHECK POWER MODE: active
        this.file.count = 0xff;
        return;
      case 0x70: // SEEK
        this.file.address(disk.sectors, 1);
        return;
      default:
        if ((this.command & 0xf0) !== 0x10) this.file.error = ABRT; // RECALIBRATE is 0x10 to 0x1f
    }
  }

  private readBlock(disk: Disk): void {
    if (this.phase === IDLE) {
      if (!this.address()) return;
      if (this.command === 0xc4 && this.multiple[this.active] === 0) {
        this.file.error = ABRT;
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
    this.file.status |= DRQ;
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
    this.file.status |= DRQ;
  }

  private identify(disk: Disk): void {
    const words = identifyDevice(disk.sectors, this.active, this.multiple[this.active]!);
    for (let i = 0; i < words.length; i++) {
      this.buffer[i * 2] = words[i]! & 0xff;
      this.buffer[i * 2 + 1] = words[i]! >> 8;
    }
    this.phase = DATA_IN;
    this.at = 0;
    this.length = SECTOR;
    this.left = 0;
    this.file.status |= DRQ;
  }

  save(): AtaState {
    return {
      registers: this.file.save(),
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
      active: this.active,
    };
  }

  load(state: AtaState): void {
    this.file.load(state.registers);
    this.control = state.control;
    this.phase = state.phase;
    this.active = (state.active ?? this.file.selected) === 0 ? 0 : 1;
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
