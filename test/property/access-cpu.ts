/**
 * A processor for the property tests: its one instruction is an access. The paging unit is the real one.
 */
import { FRAME_WATCHED, type HostMemory } from "../../core/memory/host-memory.ts";
import { Trace } from "../../core/trace/trace.ts";
import {
  ACCESS_WRITE,
  type EmulatorPort,
  EXIT_NONE,
  EXIT_PF,
  type ExitInfo,
  type PhysicalBus,
  type Processor,
  RUN_FAULTED,
  RUN_RETIRED,
  VECTORING_NONE,
} from "../../core/x86/door.ts";
import { Paging } from "../../core/x86/paging/unit.ts";

export interface Access {
  readonly la: number;
  /** ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH */
  readonly access: number;
  /** 1, 2, 4 or 8. */
  readonly size: number;
  readonly low: number;
  readonly high: number;
}

export interface Answer {
  /** Error code of the fault, or -1. */
  readonly fault: number;
  /** Linear address that faulted. */
  readonly cr2: number;
  readonly low: number;
  readonly high: number;
}

/** A processor whose one instruction is the access in hand. */
export class AccessCpu implements Processor {
  readonly regs = new Int32Array(9);
  eip = 0x7000_0000;
  eflags = 2;
  cr0 = 0x11;
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  efer = 0;
  cpl = 0;
  retired = 0;
  readonly trace = new Trace(1 << 4);
  readonly paging: Paging;
  intercepts = 0;
  emulator: EmulatorPort | null = null;
  readonly emulatedOpcode = -1;
  readonly mmio = null;
  faulted = false;
  pendingVector = -1;
  pendingError = 0;
  interruptLine = -1;
  readonly exit: ExitInfo = {
    reason: EXIT_NONE,
    gva: 0,
    storeFrom: -1,
    error: 0,
    cr: 0,
    value: 0,
    valueHigh: 0,
    msr: 0,
    port: 0,
    size: 0,
    nextEip: 0,
    vectoringType: VECTORING_NONE,
    vectoringVector: 0,
    vectoringError: -1,
  };
  current: Access = { la: 0, access: 0, size: 4, low: 0, high: 0 };
  low = 0;
  high = 0;
  raised = -1;
  readonly memory: HostMemory;
  /** Told of stores into watched frames, as the processor does. */
  watched: ((host: number, size: number) => void) | null = null;

  constructor(memory: HostMemory, bus: PhysicalBus) {
    this.memory = memory;
    this.trace.on = false;
    // As the processor does: a frame whose entries the walk marks has changed.
    this.paging = new Paging(memory, bus, this.trace, (hpa) => memory.touch(hpa >>> 12));
  }

  get bus(): PhysicalBus {
    return this.paging.bus;
  }

  set bus(bus: PhysicalBus) {
    this.paging.bus = bus;
  }

  get linearIp(): number {
    return this.eip;
  }

  codeChanged(): void {}

  raisePageFault(la: number, error: number): void {
    this.faulted = true;
    this.raised = error;
    this.cr2 = la;
  }

  inject(vector: number, _type: number, error: number): void {
    this.pendingVector = vector;
    this.pendingError = error;
  }

  cancelInjection(): void {
    this.pendingVector = -1;
  }

  complete(): void {
    this.retired++;
  }

  run(): number {
    throw new Error("there are no instructions");
  }

  step(): number {
    const { la, access, size, low, high } = this.current;
    const port = this.emulator!;
    this.faulted = false;
    if ((access & ACCESS_WRITE) !== 0) port.write(la, size, low, high, access);
    else {
      this.low = port.read(la, size, access);
      this.high = port.high;
    }
    if (this.faulted) return RUN_FAULTED;
    this.retired++;
    return RUN_RETIRED;
  }

  /** Tries the access in hand on the paging unit. Answers 0, or 1 with a fault in `exit`. */
  attempt(): number {
    const { la, access, size, low, high } = this.current;
    const first = this.frameAt(la, access);
    if (first === FAULTED) return 1;
    const crosses = (la & 0xfff) + size > 4096;
    const second = crosses ? this.frameAt(((la & ~0xfff) + 4096) | 0, access) : first;
    if (second === FAULTED) return 1;
    const { bytes } = this.memory;
    this.low = 0;
    this.high = 0;
    for (let i = 0; i < size; i++) {
      const offset = (la & 0xfff) + i;
      const hfn = offset < 4096 ? first : second;
      const at = hfn * 4096 + (offset & 0xfff);
      if ((access & ACCESS_WRITE) !== 0) {
        if (hfn < 0) continue;
        bytes[at] = (i < 4 ? low : high) >>> (8 * (i & 3));
        this.memory.touch(hfn);
        if ((this.memory.flags[hfn]! & FRAME_WATCHED) !== 0) this.watched?.(at, 1);
      } else {
        const byte = (hfn < 0 ? 0xff : bytes[at]!) << (8 * (i & 3));
        if (i < 4) this.low |= byte;
        else this.high |= byte;
      }
    }
    this.retired++;
    return 0;
  }

  /** Host frame that the access to the page of `at` goes to, -1 where there is no memory, or FAULTED. */
  private frameAt(at: number, access: number): number {
    const i = this.paging.lookup(at, access);
    if (i >= 0) return this.paging.tlb.hfns[i]!;
    this.exit.reason = EXIT_PF;
    this.exit.gva = at;
    this.exit.error = this.paging.error;
    return FAULTED;
  }

  /** As a new one, with these registers and the paging unit off. */
  renew(registers: Registers): void {
    this.eip = 0x7000_0000;
    this.eflags = 2;
    this.cr2 = 0;
    this.cpl = 0;
    this.retired = 0;
    this.faulted = false;
    this.pendingVector = -1;
    this.raised = -1;
    Object.assign(this.exit, { reason: EXIT_NONE, gva: 0, error: 0 });
    const { cr0, cr3, cr4, efer } = registers;
    Object.assign(this, { cr0, cr3, cr4, efer });
    this.paging.configure(0, 0, false, false, false, false);
    this.paging.pdptes.fill(0);
    this.paging.flush(0, false);
  }
}

/** An answer of `frameAt`. */
const FAULTED = -2;

/** Control registers in which a case begins. */
export interface Registers {
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
}

/** What the processor read, as an answer. */
export function valueRead(cpu: AccessCpu, a: Access): { low: number; high: number } {
  if ((a.access & ACCESS_WRITE) !== 0) return { low: 0, high: 0 };
  const mask = a.size === 1 ? 0xff : a.size === 2 ? 0xffff : -1;
  return { low: cpu.low & mask, high: a.size === 8 ? cpu.high : 0 };
}
