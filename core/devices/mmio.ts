/**
 * Devices that answer at physical addresses. An address that neither memory nor a device claims reads all ones and
 * swallows writes.
 */
import type { MmioBus } from "../x86/door.ts";

/** A device with 32-bit registers. `offset` counts from the first address it claimed, aligned to 4. */
export interface MmioDevice {
  /** 32 bits, signed or not. */
  readRegister(offset: number): number;
  writeRegister(offset: number, value: number): void;
}

interface Claim {
  readonly first: number;
  readonly end: number;
  readonly device: MmioDevice;
}

export class MmioMap implements MmioBus {
  private readonly claims: Claim[] = [];

  /** @param first physical address, a multiple of 4 KiB; @param length bytes */
  claim(first: number, length: number, device: MmioDevice): void {
    if (this.claims.some((c) => first < c.end && first + length > c.first))
      throw new RangeError(`address ${first.toString(16)} is taken`);
    this.claims.push({ first, end: first + length, device });
  }

  /**
   * Reads 1, 2 or 4 bytes at a physical address. The registers are 32 bits wide; narrower reads get their part. An access
   * over the end of a register gets the first one's bytes, then all ones (SDM vol. 3, 10.4.1, asks for aligned ones).
   */
  readMmio(address: number, size: number): number {
    for (const { first, end, device } of this.claims) {
      if (address < first || address >= end) continue;
      const offset = address - first;
      const shift = (offset & 3) * 8;
      const value = shift === 0 ? device.readRegister(offset) : device.readRegister(offset & ~3) >>> shift;
      return size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value | 0;
    }
    return size === 1 ? 0xff : size === 2 ? 0xffff : -1;
  }

  /** Writes 1, 2 or 4 bytes. Only aligned writes of 32 bits reach a register; others are dropped. */
  writeMmio(address: number, size: number, value: number): void {
    for (const { first, end, device } of this.claims) {
      if (address < first || address >= end) continue;
      if (size === 4 && (address & 3) === 0) device.writeRegister(address - first, value);
      return;
    }
  }
}
