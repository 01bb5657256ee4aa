/**
 * The port space of the PC: which device answers which of the 65536 I/O ports.
 * A port nobody claims reads all ones and swallows writes, as an idle ISA bus does.
 */
import type { IoBus } from "../x86/door.ts";

/** A device with byte-wide registers. `offset` counts from the first port it claimed. */
export interface PortDevice {
  /** Reads one byte, 0 … 255. Reading may have side effects. */
  readPort(offset: number): number;
  /** Writes one byte, 0 … 255. */
  writePort(offset: number, value: number): void;
  /**
   * An access of 2 or 4 bytes at once, where a register is wider than a byte. Undefined (or false): it is none of
   * those, and is done byte by byte.
   */
  readWide?(offset: number, size: number): number | undefined;
  writeWide?(offset: number, size: number, value: number): boolean;
}

interface Claim {
  readonly first: number;
  readonly device: PortDevice;
  /** Called behind each access: what the device does next by itself may have changed. */
  readonly accessed: (() => void) | null;
}

export class PortBus implements IoBus {
  /** 0: nobody; n: claims[n - 1]. */
  private readonly owner = new Uint8Array(65536);
  private readonly claims: Claim[] = [];

  /** @throws RangeError when a port is already taken or outside 0 … 65535: a mistake in the composition. */
  claim(first: number, count: number, device: PortDevice, accessed: (() => void) | null = null): void {
    if (first < 0 || first + count > 65536) throw new RangeError("ports go from 0 to 65535");
    for (let port = first; port < first + count; port++) {
      if (this.owner[port] !== 0) throw new RangeError(`port ${port.toString(16)} is taken`);
    }
    this.claims.push({ first, device, accessed });
    this.owner.fill(this.claims.length, first, first + count);
  }

  /** Reads 1, 2 or 4 bytes; wider reads are done byte by byte, lowest port first, unless the device knows better. */
  in(port: number, size: number): number {
    if (size > 1) {
      const claim = this.at(port);
      const wide = claim?.device.readWide?.(port - claim.first, size);
      if (claim !== null && wide !== undefined) {
        claim.accessed?.();
        return wide;
      }
    }
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readByte((port + i) & 0xffff) << (8 * i);
    return value;
  }

  /** Writes 1, 2 or 4 bytes, lowest port first, unless the device knows better. */
  out(port: number, size: number, value: number): void {
    if (size > 1) {
      const claim = this.at(port);
      if (claim?.device.writeWide?.(port - claim.first, size, value) === true) {
        claim.accessed?.();
        return;
      }
    }
    for (let i = 0; i < size; i++) this.writeByte((port + i) & 0xffff, (value >>> (8 * i)) & 0xff);
  }

  private at(port: number): Claim | null {
    const owner = this.owner[port]!;
    return owner === 0 ? null : this.claims[owner - 1]!;
  }

  private readByte(port: number): number {
    const claim = this.at(port);
    if (claim === null) return 0xff;
    const value = claim.device.readPort(port - claim.first) & 0xff;
    claim.accessed?.();
    return value;
  }

  private writeByte(port: number, value: number): void {
    const claim = this.at(port);
    if (claim === null) return;
    claim.device.writePort(port - claim.first, value);
    claim.accessed?.();
  }
}
