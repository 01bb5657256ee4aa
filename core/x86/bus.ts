/**
 * Physical address spaces that a processor can be put on: the host's own frames (under a hypervisor), and a guest's
 * memory through its slots (the bare machine). And a port space without devices.
 */
import type { HostMemory } from "../memory/host-memory.ts";
import type { MemorySlots } from "../memory/slots.ts";
import type { IoBus, PhysicalBus } from "./door.ts";

/** pfn = hfn: what a processor under a hypervisor sees. */
export class HostBus implements PhysicalBus {
  private readonly frames: number;

  constructor(memory: HostMemory) {
    this.frames = memory.frames;
  }

  frameOf(pfn: number): number {
    return pfn >= 0 && pfn < this.frames ? pfn : -1;
  }
}

/** pfn = gfn: what the bare machine sees. */
export class GuestBus implements PhysicalBus {
  private readonly slots: MemorySlots;

  constructor(slots: MemorySlots) {
    this.slots = slots;
  }

  frameOf(pfn: number): number {
    return this.slots.hfnOf(pfn);
  }
}

/** A port space in which nothing answers. */
export const NO_IO: IoBus = {
  in: (_port, size) => (size === 1 ? 0xff : size === 2 ? 0xffff : -1),
  out: () => {},
};
