/**
 * The floppy drive of the PC: an image behind two ports of Quadrant's own, because there is no floppy controller. The
 * firmware serves it as drive 00h of INT 13h (core/guests/firmware/floppy.inc); docs/firmware.md tells the protocol.
 * The ports lie beside, not on, those of qemu's configuration device (510 to 51b), so that the same firmware runs there.
 */
import { Disk, type DiskState, SECTOR } from "./disk.ts";
import type { PortDevice } from "./port-bus.ts";

/** First port: written, a command; read, the status. The second: parameters and data, a byte at a time. */
export const FLOPPY_PORT = 0x520;
export const FLOPPY_PORTS = 2;

/** Commands. Each begins anew whatever was going on. */
const IDENTIFY = 0;
const READ = 1;
const WRITE = 2;

/** Status: there is an image; the last command named a sector that is not there (or was no command). */
const STATUS_IMAGE = 0x01;
const STATUS_ERROR = 0x02;

/** What is awaited at the data port: nothing, the number of a sector (3 bytes), or sectors. */
const IDLE = 0;
const NUMBER = 1;
const DATA = 2;

export interface FloppyGeometry {
  /** As CMOS and INT 13h AH=08h number drives: 1 360 KiB, 2 1.2 MiB, 3 720 KiB, 4 1.44 MiB, 5 2.88 MiB. */
  readonly type: number;
  readonly cylinders: number;
  readonly heads: number;
  /** Sectors a track. */
  readonly sectors: number;
}

const FORMATS: readonly FloppyGeometry[] = [
  { type: 1, cylinders: 40, heads: 1, sectors: 8 },
  { type: 1, cylinders: 40, heads: 1, sectors: 9 },
  { type: 1, cylinders: 40, heads: 2, sectors: 8 },
  { type: 1, cylinders: 40, heads: 2, sectors: 9 },
  { type: 3, cylinders: 80, heads: 2, sectors: 9 },
  { type: 2, cylinders: 80, heads: 2, sectors: 15 },
  { type: 4, cylinders: 80, heads: 2, sectors: 18 },
  { type: 4, cylinders: 80, heads: 2, sectors: 21 },
  { type: 4, cylinders: 82, heads: 2, sectors: 21 },
  { type: 5, cylinders: 80, heads: 2, sectors: 36 },
];
const DEFAULT_FORMAT = FORMATS[6]!;

const sectorsOf = (format: FloppyGeometry): number => format.cylinders * format.heads * format.sectors;

/**
 * The format of an image of `bytes` bytes: the one that has exactly that length; for another length 1.44 MiB, or 2.88 MiB
 * where that is too small. Null: longer than any floppy, or empty.
 */
export function floppyGeometry(bytes: number): FloppyGeometry | null {
  if (bytes <= 0) return null;
  const exact = FORMATS.find((format) => sectorsOf(format) * SECTOR === bytes);
  if (exact !== undefined) return exact;
  if (bytes <= sectorsOf(DEFAULT_FORMAT) * SECTOR) return DEFAULT_FORMAT;
  return FORMATS.find((format) => sectorsOf(format) * SECTOR >= bytes) ?? null;
}

export interface FloppyState {
  readonly disk: DiskState;
  readonly command: number;
  readonly phase: number;
  readonly error: boolean;
  /** Number of the sector that is moved or being named. */
  readonly lba: number;
  /** Next byte of the number or of the buffer. */
  readonly at: number;
  readonly buffer: Uint8Array;
}

/** What the drive is at, without its bytes. */
export type FloppyAt = Omit<FloppyState, "disk" | "buffer">;

export class FloppyPort implements PortDevice {
  /** Null: no image. Its length is that of its format: what the file has not is zeros. */
  readonly disk: Disk | null;
  readonly geometry: FloppyGeometry | null;
  private command = IDENTIFY;
  private phase = IDLE;
  private error = false;
  private lba = 0;
  private at = 0;
  private readonly buffer = new Uint8Array(SECTOR);

  /**
   * @param image the file's bytes, which are never changed; null or empty: there is no floppy
   * @throws RangeError when it is longer than 2.88 MiB, the largest floppy
   */
  constructor(image: Uint8Array | null) {
    this.geometry = image === null || image.length === 0 ? null : floppyGeometry(image.length);
    if (image === null || image.length === 0) {
      this.disk = null;
      return;
    }
    if (this.geometry === null)
      throw new RangeError(`a floppy image of ${image.length} bytes: the largest floppy has 2949120`);
    const whole = new Uint8Array(sectorsOf(this.geometry) * SECTOR);
    whole.set(image);
    this.disk = new Disk(whole);
  }

  readPort(offset: number): number {
    if (offset === 0) return (this.disk !== null ? STATUS_IMAGE : 0) | (this.error ? STATUS_ERROR : 0);
    if (this.phase !== DATA || this.command === WRITE) return 0xff;
    const byte = this.buffer[this.at++]!;
    if (this.at === SECTOR) this.nextSector();
    return byte;
  }

  writePort(offset: number, value: number): void {
    if (offset === 0) this.begin(value);
    else if (this.phase === NUMBER) this.number(value);
    else if (this.phase === DATA && this.command === WRITE) {
      this.buffer[this.at++] = value;
      if (this.at === SECTOR) {
        this.disk?.write(this.lba, this.buffer, 0);
        this.nextSector();
      }
    }
  }

  private begin(command: number): void {
    this.command = command;
    this.at = 0;
    this.lba = 0;
    this.error = false;
    this.phase = IDLE;
    if (command === IDENTIFY) this.identify();
    else if ((command === READ || command === WRITE) && this.disk !== null) this.phase = NUMBER;
    else this.error = true;
  }

  /** "QFD1", type, cylinders, heads, sectors a track (bytes), sectors in all (32 bits, low byte first), zeros. */
  private identify(): void {
    const { buffer, geometry } = this;
    buffer.fill(0);
    buffer.set([0x51, 0x46, 0x44, 0x31]);
    if (geometry !== null && this.disk !== null) {
      const { sectors } = this.disk;
      buffer.set([geometry.type, geometry.cylinders, geometry.heads, geometry.sectors], 4);
      buffer.set([sectors & 0xff, (sectors >> 8) & 0xff, sectors >> 16, 0], 8);
    }
    this.phase = DATA;
  }

  /** One of the three bytes of a sector's number, the lowest first. */
  private number(value: number): void {
    this.lba |= value << (8 * this.at++);
    if (this.at === 3) this.openSector();
  }

  /** After a sector comes the one behind it, without another command. */
  private nextSector(): void {
    if (this.command === IDENTIFY) {
      this.phase = IDLE;
      return;
    }
    this.lba++;
    this.openSector();
  }

  private openSector(): void {
    const { disk } = this;
    this.at = 0;
    if (disk === null || this.lba >= disk.sectors) {
      this.error = true;
      this.phase = IDLE;
      return;
    }
    this.phase = DATA;
    if (this.command === READ) disk.read(this.lba, this.buffer, 0);
  }

  /** For the window. */
  get place(): FloppyAt {
    const { command, phase, error, lba, at } = this;
    return { command, phase, error, lba, at };
  }

  save(): FloppyState {
    const { command, phase, error, lba, at } = this;
    const disk = this.disk?.save() ?? { sectors: new Float64Array(0), bytes: new Uint8Array(0) };
    return { disk, command, phase, error, lba, at, buffer: this.buffer.slice() };
  }

  load(state: FloppyState): void {
    this.disk?.load(state.disk);
    this.command = state.command;
    this.phase = state.phase;
    this.error = state.error;
    this.lba = state.lba;
    this.at = state.at;
    this.buffer.set(state.buffer);
  }
}
