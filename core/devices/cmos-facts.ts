/**
 * What the battery-backed memory says of this PC, for the firmware: sizes of memory, drives, the order of booting.
 * Registers 0x10 to 0x31: IBM PC/AT Technical Reference. 0x34, 0x35, 0x3d, 0x5b to 0x5d: as Bochs and qemu have them.
 */
import type { Disk } from "./disk.ts";
import type { Rtc } from "./rtc.ts";

export interface MemoryFacts {
  /** Bytes from 0, the hole included. */
  readonly low: number;
  /** Bytes from 4 GiB. */
  readonly high: number;
  /** There is a floppy image: it comes first in the order of booting. */
  readonly floppy: boolean;
}

const KIB = 1024;
const MIB = KIB * KIB;
const UNIT = 64 * KIB;
/** 3.5 inch, 1.44 MB, as drive A. */
const FLOPPY_1440 = 0x40;
/** "See the extended byte" for each of the two drives; the extended type is the user-defined 47. */
const DRIVE_EXTENDED = 15;
const USER_TYPE = 47;
const BOOT_FLOPPY_FIRST = 0x21;
const BOOT_DISK_FIRST = 0x02;

export class CmosFacts {
  constructor(private readonly rtc: Rtc) {}

  private set(register: number, value: number): void {
    this.rtc.writePort(0, register);
    this.rtc.writePort(1, value & 0xff);
  }

  private setWord(register: number, value: number): void {
    this.set(register, value);
    this.set(register + 1, value >> 8);
  }

  write(memory: MemoryFacts, disks: readonly (Disk | null)[]): void {
    const above = Math.max(0, memory.low - MIB);
    const extended = Math.min(0xffff, Math.floor(above / KIB));
    this.setWord(0x15, 640);
    this.setWord(0x17, extended);
    this.setWord(0x30, extended);
    this.setWord(0x34, Math.min(0xffff, Math.floor(Math.max(0, memory.low - 16 * MIB) / UNIT)));
    const high = Math.min(0xff_ffff, Math.floor(memory.high / UNIT));
    this.setWord(0x5b, high & 0xffff);
    this.set(0x5d, high >> 16);
    this.set(0x10, memory.floppy ? FLOPPY_1440 : 0);
    // Display by its own firmware, a numeric coprocessor, and the floppy.
    this.set(0x14, 0x06 | (memory.floppy ? 1 : 0));
    const [first, second] = disks.map((disk) => (disk === null ? 0 : DRIVE_EXTENDED));
    this.set(0x12, ((first ?? 0) << 4) | (second ?? 0));
    this.set(0x19, first === 0 ? 0 : USER_TYPE);
    this.set(0x1a, second === 0 ? 0 : USER_TYPE);
    this.set(0x3d, memory.floppy ? BOOT_FLOPPY_FIRST : BOOT_DISK_FIRST);
    let sum = 0;
    for (let register = 0x10; register <= 0x2d; register++) {
      this.rtc.writePort(0, register);
      sum += this.rtc.readPort(1);
    }
    this.set(0x2e, sum >> 8);
    this.set(0x2f, sum);
    this.rtc.writePort(0, 0);
  }
}
