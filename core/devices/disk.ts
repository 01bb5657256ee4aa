/**
 * A disk of 512-byte sectors: an image that is never changed, and over it the sectors that the guest has written. The
 * overlay is the machine's state and goes into snapshots; the image is an input, known by its length and checksum.
 */

export const SECTOR = 512;

/** Overlay of a disk: sector numbers and their bytes, in ascending order. */
export interface DiskState {
  readonly sectors: Float64Array;
  readonly bytes: Uint8Array;
}

export class Disk {
  readonly sectors: number;
  private readonly overlay = new Map<number, Uint8Array>();

  /** @param image the file's bytes; a last sector that is not whole is filled up with zeros */
  constructor(private readonly image: Uint8Array) {
    this.sectors = Math.ceil(image.length / SECTOR);
  }

  /** Copies one sector to `into` at `at`. @param lba below `sectors` */
  read(lba: number, into: Uint8Array, at: number): void {
    const own = this.overlay.get(lba);
    if (own !== undefined) {
      into.set(own, at);
      return;
    }
    const begin = lba * SECTOR;
    const bytes = this.image.subarray(begin, begin + SECTOR);
    into.set(bytes, at);
    if (bytes.length < SECTOR) into.fill(0, at + bytes.length, at + SECTOR);
  }

  write(lba: number, from: Uint8Array, at: number): void {
    this.overlay.set(lba, from.slice(at, at + SECTOR));
  }

  /** Sectors that the guest has written. */
  get written(): number {
    return this.overlay.size;
  }

  /** The image with what was written over it, for a user who wants to keep it. */
  merged(): Uint8Array {
    const bytes = new Uint8Array(this.sectors * SECTOR);
    bytes.set(this.image);
    for (const [lba, sector] of this.overlay) bytes.set(sector, lba * SECTOR);
    return bytes;
  }

  save(): DiskState {
    const order = [...this.overlay.keys()].sort((a, b) => a - b);
    const bytes = new Uint8Array(order.length * SECTOR);
    order.forEach((lba, i) => {
      bytes.set(this.overlay.get(lba)!, i * SECTOR);
    });
    return { sectors: Float64Array.from(order), bytes };
  }

  /** @throws RangeError when the state is another disk's, or a damaged one; nothing was changed then */
  load(state: DiskState): void {
    const known = (lba: number): boolean => Number.isInteger(lba) && lba >= 0 && lba < this.sectors;
    if (state.bytes.length !== state.sectors.length * SECTOR || !state.sectors.every(known))
      throw new RangeError(`sectors were written that a disk of ${this.sectors} sectors does not have`);
    this.overlay.clear();
    state.sectors.forEach((lba, i) => {
      this.overlay.set(lba, state.bytes.slice(i * SECTOR, (i + 1) * SECTOR));
    });
  }
}
