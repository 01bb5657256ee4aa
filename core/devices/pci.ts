/**
 * PCI configuration space by mechanism 1 (ports 0xcf8 and 0xcfc to 0xcff): one bus with a host bridge, and nothing else on
 * it. Identified as the 440FX's bridge (8086:1237), which firmware and kernels of the day know.
 * Source: PCI Local Bus Specification 2.1, 3.7.4 and 6.1.
 */
import type { PortDevice } from "./port-bus.ts";

export const PCI_ADDRESS_PORT = 0xcf8;
export const PCI_DATA_PORT = 0xcfc;

const ENABLE = 0x8000_0000 | 0;

export interface PciState {
  readonly address: number;
  readonly bridge: Uint8Array;
}

/** Bytes of the bridge's header that a write changes: command, cache line, latency, and the bridge's own registers. */
const writable = (register: number): boolean =>
  register === 4 || register === 5 || register === 0x0d || register >= 0x50;

export class PciHost {
  private address = 0;
  private readonly bridge = new Uint8Array(256);
  readonly addressPort: PortDevice;
  readonly dataPort: PortDevice;

  constructor() {
    const { bridge } = this;
    bridge.set([0x86, 0x80, 0x37, 0x12], 0); // vendor 8086, device 1237
    bridge.set([0x06, 0x00, 0x80, 0x02], 4); // memory and bus master; fast back-to-back, medium select
    bridge[8] = 0x02; // revision
    bridge[0x0a] = 0x00; // host bridge
    bridge[0x0b] = 0x06; // bridge
    // The address register is there for accesses of 32 bits alone (3.7.4.1): its bytes are other ports' business.
    this.addressPort = {
      readPort: () => 0xff,
      writePort: () => {},
      readWide: (offset, size) => (offset === 0 && size === 4 ? this.address : undefined),
      writeWide: (offset, size, value) => {
        if (offset !== 0 || size !== 4) return false;
        this.address = value | 0;
        return true;
      },
    };
    this.dataPort = {
      readPort: (offset) => {
        const register = this.registerAt(offset);
        return register < 0 ? 0xff : bridge[register]!;
      },
      writePort: (offset, value) => {
        const register = this.registerAt(offset);
        if (register >= 0 && writable(register)) bridge[register] = value;
      },
    };
  }

  /** Register of the bridge that the address port names, or -1: nothing is there. */
  private registerAt(offset: number): number {
    const bus = (this.address >> 16) & 0xff;
    const device = (this.address >> 11) & 31;
    const part = (this.address >> 8) & 7;
    if ((this.address & ENABLE) === 0 || bus !== 0 || device !== 0 || part !== 0) return -1;
    return (this.address & 0xfc) | offset;
  }

  save(): PciState {
    return { address: this.address, bridge: this.bridge.slice() };
  }

  load(state: PciState): void {
    this.address = state.address;
    this.bridge.set(state.bridge);
  }
}
