/**
 * The task file of an ATA channel: the registers that both devices hear, the addresses that they spell (LBA28 or CHS) and
 * what a device leaves in them. Source: ATA/ATAPI-5 (T13/1321D): registers 7, signatures 9.1.
 */

export const ERR = 0x01;
export const DRQ = 0x08;
export const DSC = 0x10;
export const DF = 0x20;
export const DRDY = 0x40;
export const BSY = 0x80;
export const ABRT = 0x04;
const IDNF = 0x10;
const DEVICE_1 = 0x10;
const DEVICE_LBA = 0x40;
/** The geometry that CHS addresses are counted in, and that IDENTIFY DEVICE names. */
export const HEADS = 16;
export const SECTORS_A_TRACK = 63;

export class AtaTaskFile {
  features = 0;
  error = 1;
  count = 1;
  sector = 1;
  cylinderLow = 0;
  cylinderHigh = 0;
  device = 0;
  status = DRDY | DSC;

  /** The number of the device that commands go to: 0 or 1. */
  get selected(): 0 | 1 {
    return (this.device & DEVICE_1) === 0 ? 0 : 1;
  }

  /** Registers after a reset or a diagnostic: an ATA device that passed. */
  signature(): void {
    this.error = 1;
    this.count = 1;
    this.sector = 1;
    this.cylinderLow = 0;
    this.cylinderHigh = 0;
    this.device = 0;
  }

  /** Register 1 to 6 as it reads. */
  read(offset: number): number {
    switch (offset) {
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
      default:
        return this.device | 0xa0;
    }
  }

  /** Register 1 to 6 is written; the first is another one when written than when read. */
  write(offset: number, value: number): void {
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
      default:
        this.device = value & 0x5f;
    }
  }

  /** Sectors that the command is for: 1 to 256. */
  get sectors(): number {
    return this.count === 0 ? 256 : this.count;
  }

  /**
   * @param size the disk's sectors
   * @param count sectors that the command is for
   * @returns number of the command's first sector; -1 when the disk does not have all of them (`error` says so)
   */
  address(size: number, count: number): number {
    const lba = this.spelled();
    if (lba >= 0 && lba + count <= size) return lba;
    this.error = IDNF;
    return -1;
  }

  /** The sector that the registers name, or -1: there is no such sector on a track. */
  private spelled(): number {
    const { device, sector } = this;
    if ((device & DEVICE_LBA) !== 0)
      return ((device & 15) << 24) | (this.cylinderHigh << 16) | (this.cylinderLow << 8) | sector;
    if (sector === 0 || sector > SECTORS_A_TRACK) return -1;
    const cylinder = (this.cylinderHigh << 8) | this.cylinderLow;
    return (cylinder * HEADS + (device & 15)) * SECTORS_A_TRACK + sector - 1;
  }

  /** Puts the number of the sector that was moved last, and how many are left, into the registers. */
  report(last: number, left: number): void {
    this.count = left & 0xff;
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

  /** The eight registers in the order of `load`. */
  save(): Uint8Array {
    const { features, error, count, sector, cylinderLow, cylinderHigh, device, status } = this;
    return Uint8Array.of(features, error, count, sector, cylinderLow, cylinderHigh, device, status);
  }

  load(registers: Uint8Array): void {
    this.features = registers[0]!;
    this.error = registers[1]!;
    this.count = registers[2]!;
    this.sector = registers[3]!;
    this.cylinderLow = registers[4]!;
    this.cylinderHigh = registers[5]!;
    this.device = registers[6]!;
    this.status = registers[7]!;
  }
}
