/**
 * The accesses of an emulated instruction under nested paging: the hypervisor walks the guest's tables by itself, as
 * the processor would, through the memory slots instead of the host tables. An address without memory is MMIO: a device
 * answers, or it reads all ones and what is written there is lost.
 */
import { FRAME_CODE, type HostMemory } from "../../memory/host-memory.ts";
import type { MemorySlots } from "../../memory/slots.ts";
import {
  ACCESS_FETCH,
  ACCESS_USER,
  ACCESS_WRITE,
  type EmulatorPort,
  PAGING_32,
  PAGING_OFF,
  PAGING_PAE,
  type PhysicalBus,
  type Processor,
} from "../../x86/door.ts";
import { type WalkContext, Walker } from "../../x86/paging/walk.ts";

const KINDS = ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH;

export class NestedEmulator implements EmulatorPort, WalkContext {
  high = 0;
  /** An access of the instruction met no memory. */
  mmio = false;
  /** Fault that an access raised. */
  faulted = false;
  readonly memory: HostMemory;
  /** gfn -> host frame by the slots. */
  readonly bus: PhysicalBus;
  private readonly slots: MemorySlots;
  private readonly cpu: Processor;
  private readonly walker: Walker;
  /** Host frames (-1: no memory) of the first and of the second page of an access. */
  private first = -1;
  private second = -1;
  /** Their guest frames. */
  private firstGfn = 0;
  private secondGfn = 0;

  constructor(memory: HostMemory, slots: MemorySlots, cpu: Processor) {
    this.memory = memory;
    this.slots = slots;
    this.cpu = cpu;
    this.bus = { frameOf: (gfn) => slots.hfnOf(gfn) };
    this.walker = new Walker(this);
  }

  /** CR3 of a task switch that is emulated: the guest owns it and its PDPTE registers. False: reserved bits are set. */
  cr3Loaded(cr3: number): boolean {
    return this.cpu.paging.mode !== PAGING_PAE || this.cpu.paging.loadPdptes(cr3);
  }

  get cr3(): number {
    return this.cpu.paging.cr3;
  }

  get pdptes(): Uint32Array {
    return this.cpu.paging.pdptes;
  }

  get wp(): boolean {
    return this.cpu.paging.wp;
  }

  get nxe(): boolean {
    return this.cpu.paging.nxe;
  }

  get pse(): boolean {
    return this.cpu.paging.pse;
  }

  get pge(): boolean {
    return this.cpu.paging.pge;
  }

  stored(hpa: number): void {
    this.wrote(hpa >>> 12);
  }

  begin(): void {
    this.mmio = false;
    this.faulted = false;
  }

  check(la: number, size: number, access: number): boolean {
    return this.translate(la, size, access);
  }

  read(la: number, size: number, access: number): number {
    this.high = 0;
    if (!this.translate(la, size, access)) return 0;
    let low = 0;
    let high = 0;
    const { mmio } = this.cpu;
    if (this.first < 0 && mmio !== null && (la & 0xfff) + size <= 4096) {
      this.mmio = true;
      const address = this.firstGfn * 4096 + (la & 0xfff);
      if (size === 8) this.high = mmio.readMmio(address + 4, 4);
      return mmio.readMmio(address, size === 8 ? 4 : size);
    }
    for (let i = 0; i < size; i++) {
      const at = (la & 0xfff) + i;
      const hfn = at < 4096 ? this.first : this.second;
      const byte = hfn < 0 ? this.deviceByte(at) : this.memory.bytes[(hfn << 12) | (at & 0xfff)]!;
      if (i < 4) low |= byte << (8 * i);
      else high |= byte << (8 * (i - 4));
    }
    this.high = high;
    return low;
  }

  write(la: number, size: number, low: number, high: number, access: number): void {
    if (!this.translate(la, size, access | ACCESS_WRITE)) return;
    const { mmio } = this.cpu;
    if (this.first < 0 && mmio !== null && (la & 0xfff) + size <= 4096) {
      this.mmio = true;
      const address = this.firstGfn * 4096 + (la & 0xfff);
      mmio.writeMmio(address, size === 8 ? 4 : size, low);
      if (size === 8) mmio.writeMmio(address + 4, 4, high);
      return;
    }
    for (let i = 0; i < size; i++) {
      const at = (la & 0xfff) + i;
      const hfn = at < 4096 ? this.first : this.second;
      if (hfn < 0) {
        this.mmio = true;
        const gfn = at < 4096 ? this.firstGfn : this.secondGfn;
        mmio?.writeMmio(
          gfn * 4096 + (at & 0xfff),
          1,
          (i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4))) & 0xff,
        );
        continue;
      }
      if (i === 0 || at === 4096) this.wrote(hfn);
      this.memory.bytes[(hfn << 12) | (at & 0xfff)] = i < 4 ? low >>> (8 * i) : high >>> (8 * (i - 4));
    }
  }

  /** A byte of an access that crosses pages, in the page without memory. */
  private deviceByte(at: number): number {
    this.mmio = true;
    const gfn = at < 4096 ? this.firstGfn : this.secondGfn;
    return this.cpu.mmio === null ? 0xff : this.cpu.mmio.readMmio(gfn * 4096 + (at & 0xfff), 1);
  }

  /** Book-keeping before a store that does not go through the processor. */
  private wrote(hfn: number): void {
    this.memory.touch(hfn);
    this.slots.markDirty(this.slots.gfnOf(hfn));
    if ((this.memory.flags[hfn]! & FRAME_CODE) !== 0) this.cpu.codeChanged(hfn);
  }

  /** Finds the one or two frames of an access; false: a fault was raised. */
  private translate(la: number, size: number, access: number): boolean {
    if (!this.walk(la, access)) return false;
    this.firstGfn = this.walker.pfn;
    this.first = this.slots.hfnOf(this.walker.pfn);
    if ((la & 0xfff) + size <= 4096) return true;
    if (!this.walk(((la & ~0xfff) + 4096) | 0, access)) return false;
    this.secondGfn = this.walker.pfn;
    this.second = this.slots.hfnOf(this.walker.pfn);
    return true;
  }

  private walk(la: number, access: number): boolean {
    const { walker } = this;
    const { mode } = this.cpu.paging;
    const kind = access & KINDS;
    const found =
      mode === PAGING_OFF
        ? walker.walkOff(la)
        : mode === PAGING_32
          ? walker.walk32(la, kind)
          : walker.walkPae(la, kind);
    if (found) return true;
    this.faulted = true;
    this.cpu.raisePageFault(la, walker.error);
    return false;
  }
}
