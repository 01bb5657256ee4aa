/**
 * A processor with memory around it, for tests: programs at 0x100000, page tables on request, a port space that records.
 */
import { HostMemory } from "../../../core/memory/host-memory.ts";
import { MemorySlots } from "../../../core/memory/slots.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { GuestBus } from "../../../core/x86/bus.ts";
import { Cpu } from "../../../core/x86/cpu.ts";
import { PROGRAMS } from "./programs.ts";

export const PROGRAM_BASE = 0x100000;

export class TestMachine {
  readonly memory: HostMemory;
  readonly cpu: Cpu;
  readonly trace: Trace;
  readonly base: number;
  readonly ports: { port: number; size: number; value: number }[] = [];

  /** `pages` frames of guest memory from 0, behind `before` frames that are the host's. */
  constructor(pages = 1024, before = 16) {
    this.memory = new HostMemory(before + pages);
    this.base = before * 4096;
    this.trace = new Trace(1 << 12);
    const slots = new MemorySlots([{ gfn: 0, pages, hfn: before }]);
    this.cpu = new Cpu(this.memory, new GuestBus(slots), this.trace, {
      in: () => 0x5a,
      out: (port, size, value) => {
        this.ports.push({ port, size, value });
        if (port === 0x77) this.cpu.interruptLine = -1;
      },
    });
  }

  load(name: string): this {
    this.bytes(PROGRAM_BASE, [...Buffer.from(PROGRAMS[name]!, "base64")]);
    this.cpu.eip = PROGRAM_BASE;
    return this;
  }

  bytes(gpa: number, values: readonly number[]): void {
    this.memory.bytes.set(values, this.base + gpa);
  }

  get32(gpa: number): number {
    return this.memory.view.getUint32(this.base + gpa, true);
  }

  set32(gpa: number, value: number): void {
    this.memory.view.setUint32(this.base + gpa, value >>> 0, true);
  }

  /** The words that a program stored from 0x6000 on. */
  words(n: number): number[] {
    return Array.from({ length: n }, (_, i) => this.get32(0x6000 + i * 4));
  }

  /** 2-level paging on, everything identity-mapped and writable by users through tables from `at` on. */
  identity(at = 0x200000): void {
    const pages = this.memory.frames - this.base / 4096;
    for (let i = 0; i * 1024 < pages; i++) {
      this.set32(at + i * 4, (at + (i + 1) * 4096) | 7);
      for (let j = 0; j < 1024; j++) this.set32(at + (i + 1) * 4096 + j * 4, ((i * 1024 + j) << 12) | 7);
    }
    this.paging(at);
  }

  paging(cr3: number, cr0 = 0x8001_0011, cr4 = 0): void {
    const cpu = this.cpu;
    cpu.cr3 = cr3;
    cpu.cr0 = cr0 | 0;
    cpu.cr4 = cr4;
    cpu.applyControls();
    cpu.paging.flush(1, false);
  }
}
