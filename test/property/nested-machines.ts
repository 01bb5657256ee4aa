/**
 * The same accesses and edits on two machines, bare without a TLB and under nested paging: the counterpart of
 * two-machines.ts. Under nested paging the processor's paging unit follows the guest's own registers, so both sides
 * do the same; what one side does more is to answer nested faults.
 */
import { NestedKvm } from "../../core/kvm/index.ts";
import { HostMemory, HYPERVISOR_FRAMES } from "../../core/memory/host-memory.ts";
import { MemorySlots } from "../../core/memory/slots.ts";
import { nestedFault } from "../../core/x86/access.ts";
import type { Cpu } from "../../core/x86/cpu.ts";
import { type PhysicalBus, RUN_RETIRED } from "../../core/x86/door.ts";
import {
  type Access,
  AccessCpu,
  type Answer,
  differenceIn,
  FRAMES,
  Frames,
  HIGH_GFN,
  HIGH_PAGES,
  LOW_PAGES,
  type Registers,
  storeBytes,
} from "./two-machines.ts";

const ACCESS_WRITE = 2;
const mask = (size: number): number => (size === 1 ? 0xff : size === 2 ? 0xffff : -1);

/** A processor whose one instruction is an access, or a write of a control register. */
class OneInstruction extends AccessCpu {
  /** Does the write; false: #GP, or a nested fault. Null: the instruction is the access in hand. */
  control: (() => boolean) | null = null;
  done = false;

  override step(): number {
    if (this.control === null) return super.step();
    this.done = this.control();
    this.retired++;
    return RUN_RETIRED;
  }

  override attempt(): number {
    const answer = super.attempt();
    if (answer !== 0 && this.paging.nested.failed) this.recordNested(this.exit.gva);
    return answer;
  }

  /** The exit's record, as the processor fills it. */
  recordNested(la: number): void {
    nestedFault(this as unknown as Cpu, la);
    this.faulted = false;
  }

  /** The paging unit follows the control registers. */
  configure(): void {
    const mode = this.cr0 >= 0 ? 0 : (this.cr4 & 0x20) !== 0 ? 2 : 1;
    const wp = (this.cr0 & 0x1_0000) !== 0;
    this.paging.configure(mode, this.cr3, wp, (this.efer & 0x800) !== 0, (this.cr4 & 0x10) !== 0, false);
  }
}

export class NestedMachines {
  readonly bare: OneInstruction;
  readonly cpu: OneInstruction;
  readonly hypervisor: NestedKvm;
  readonly slots: MemorySlots;
  private readonly memory: HostMemory;
  private readonly bareMemory: HostMemory;
  private readonly bareBus: PhysicalBus;
  private readonly kvmFrames: Frames;
  private readonly bareFrames: Frames;
  private stored = false;

  constructor(options: {
    levels: 3 | 4;
    walkCache: number;
    tlb: "vmx" | "svm";
    words: ReadonlyMap<number, number>;
    registers: Registers;
  }) {
    this.memory = new HostMemory(HYPERVISOR_FRAMES + FRAMES);
    this.bareMemory = new HostMemory(FRAMES);
    const base = HYPERVISOR_FRAMES << 10;
    this.kvmFrames = new Frames(this.memory.i32.subarray(base, base + FRAMES * 1024));
    this.bareFrames = new Frames(this.bareMemory.i32);
    const at = (hfn: number): MemorySlots =>
      new MemorySlots([
        { gfn: 0, pages: LOW_PAGES, hfn },
        { gfn: HIGH_GFN, pages: HIGH_PAGES, hfn: hfn + LOW_PAGES },
      ]);
    this.slots = at(HYPERVISOR_FRAMES);
    for (const [gpa, value] of options.words) this.put(gpa, value);
    const busOf = (slots: MemorySlots): PhysicalBus => ({ frameOf: (pfn) => slots.hfnOf(pfn) });
    this.bareBus = busOf(this.slots);
    this.bare = new OneInstruction(this.bareMemory, busOf(at(0)));
    this.cpu = new OneInstruction(this.memory, this.bareBus);
    this.begin(options.registers);
    this.hypervisor = new NestedKvm(this.memory, this.slots, this.cpu, this.cpu.trace, options);
    this.hypervisor.start();
  }

  /** A word of a case's tables. */
  private put(gpa: number, value: number): void {
    const frame = gpa >>> 12;
    this.memory.i32[(HYPERVISOR_FRAMES << 10) + (gpa >> 2)] = value;
    this.memory.touch(HYPERVISOR_FRAMES + frame);
    this.bareMemory.i32[gpa >> 2] = value;
    this.bareMemory.touch(frame);
  }

  private begin(registers: Registers): void {
    for (const cpu of [this.bare, this.cpu]) {
      cpu.renew(registers);
      cpu.configure();
      if (cpu.paging.mode === 2) cpu.paging.loadPdptes(registers.cr3);
    }
    this.stored = false;
  }

  /** The machines as new ones, with other words: the counterpart of TwoMachines.again. */
  again(words: (store: (gpa: number, value: number) => void) => void, registers: Registers): void {
    this.hypervisor.stop();
    this.cpu.bus = this.bareBus;
    for (const memory of [this.memory, this.bareMemory]) {
      for (let hfn = 0; hfn < memory.frames; hfn++) {
        if (memory.version[hfn] === 0) continue;
        memory.i32.fill(0, hfn << 10, (hfn + 1) << 10);
        memory.version[hfn] = 0;
      }
      memory.epoch = 1;
    }
    words((gpa, value) => this.put(gpa, value));
    this.begin(registers);
    this.hypervisor.start();
  }

  /** What `apply` of shadow.ts asks of a shadow: here the host tables are judged. */
  get kvm(): { finding: string | null; audit(): { violations: { invariant: string; message: string }[] } } {
    return { finding: this.hypervisor.finding, audit: () => ({ violations: this.violations() }) };
  }

  /** Every host translation is that of the slots. */
  private violations(): { invariant: string; message: string }[] {
    const found: { invariant: string; message: string }[] = [];
    const { nested } = this.cpu.paging;
    for (const { gfn, pages } of this.slots.slots) {
      for (let n = gfn - (gfn > 0 ? 1 : 0); n <= gfn + pages; n++) {
        const hfn = nested.peek(n);
        if (hfn >= 0 && hfn !== this.slots.hfnOf(n)) {
          found.push({ invariant: "host tables", message: `gfn ${n} names frame ${hfn}` });
        }
      }
    }
    return found;
  }

  onBare(a: Access): Answer {
    const { bare } = this;
    bare.current = a;
    bare.paging.flush(0, false);
    if (bare.attempt() !== 0) return { fault: bare.exit.error, cr2: bare.exit.gva, low: 0, high: 0 };
    return { fault: -1, cr2: 0, ...this.value(bare, a) };
  }

  onKvm(a: Access): Answer {
    const { cpu, hypervisor } = this;
    cpu.current = a;
    cpu.raised = -1;
    // No store into a table exits, so nothing but the guest's own INVLPG drops translations: it does so behind every
    // store (which may have hit a table, SDM vol. 3, 4.10.4.2), and on svm here always.
    if (hypervisor.svm || this.stored) cpu.paging.flush(0, false);
    this.stored = (a.access & ACCESS_WRITE) !== 0;
    const before = cpu.retired;
    for (let tries = 0; tries < 60; tries++) {
      if (cpu.attempt() === 0) return { fault: -1, cr2: 0, ...this.value(cpu, a) };
      if (!cpu.paging.nested.failed) return { fault: cpu.exit.error, cr2: cpu.exit.gva, low: 0, high: 0 };
      hypervisor.handleExit();
      if (cpu.retired !== before) return { fault: -1, cr2: 0, ...this.value(cpu, a) };
      if (cpu.raised >= 0) return { fault: cpu.raised, cr2: cpu.cr2, low: 0, high: 0 };
    }
    throw new Error(`no progress at ${(a.la >>> 0).toString(16)}`);
  }

  private value(cpu: AccessCpu, a: Access): { low: number; high: number } {
    if ((a.access & ACCESS_WRITE) !== 0) return { low: 0, high: 0 };
    return { low: cpu.low & mask(a.size), high: a.size === 8 ? cpu.high : 0 };
  }

  /** A plain store on both sides: no table is protected. What the TLB keeps is dropped, as the guest has to ask for. */
  edit(gpa: number, size: number, low: number, high: number): void {
    storeBytes(this.bareMemory, gpa, size, low, high);
    for (let i = 0; i < size; i++) {
      const hfn = this.slots.hfnOf(Math.floor((gpa + i) / 4096));
      if (hfn < 0) continue;
      this.memory.bytes[hfn * 4096 + ((gpa + i) % 4096)] = (i < 4 ? low : high) >>> (8 * (i & 3));
      this.memory.touch(hfn);
    }
    this.hypervisor.outsideExit();
  }

  cr3(value: number): [bare: boolean, nested: boolean] {
    return this.both((cpu) => {
      if (cpu.paging.mode === 2 && !cpu.paging.loadPdptes(value)) return false;
      cpu.cr3 = value;
      return true;
    });
  }

  cr0(value: number): [bare: boolean, nested: boolean] {
    return this.both((cpu) => {
      const pae = value < 0 && (cpu.cr4 & 0x20) !== 0;
      const reload = pae && ((cpu.cr0 ^ value) & 0xe000_0000) !== 0;
      if (reload && !cpu.paging.loadPdptes(cpu.cr3)) return false;
      cpu.cr0 = value;
      return true;
    });
  }

  cr4(value: number): [bare: boolean, nested: boolean] {
    return this.both((cpu) => {
      const reload = cpu.cr0 < 0 && (value & 0x20) !== 0 && ((cpu.cr4 ^ value) & 0xb0) !== 0;
      if (reload && !cpu.paging.loadPdptes(cpu.cr3)) return false;
      cpu.cr4 = value;
      return true;
    });
  }

  efer(value: number): void {
    this.both((cpu) => {
      cpu.efer = value;
      return true;
    });
  }

  /** The same instruction on both; what the processors keep of translations goes, as the manual says it does. */
  private both(write: (cpu: OneInstruction) => boolean): [bare: boolean, nested: boolean] {
    return [this.control(this.bare, write), this.control(this.cpu, write)];
  }

  private control(cpu: OneInstruction, write: (cpu: OneInstruction) => boolean): boolean {
    const finish = (done: boolean): boolean => {
      cpu.configure();
      cpu.paging.flush(0, false);
      return done;
    };
    for (let tries = 0; tries < 10; tries++) {
      if (write(cpu)) return finish(true);
      if (!cpu.paging.nested.failed) return finish(false);
      cpu.recordNested(0);
      const before = cpu.retired;
      cpu.control = () => write(cpu);
      this.hypervisor.handleExit();
      cpu.control = null;
      if (cpu.retired !== before) return finish(cpu.done);
    }
    throw new Error("a write of a control register makes no progress");
  }

  invlpg(la: number): void {
    this.cpu.paging.invlpg(la);
  }

  /** Only the frames that were written in the operation in hand are compared after it; `whole` compares all. */
  quick = false;

  /** An operation begins: the frames that change from now on are its. */
  beginOperation(): void {
    this.memory.epoch++;
    this.bareMemory.epoch++;
  }

  /** First guest word that differs, in words; null when equal. */
  difference(): string | null {
    const { memory, bareMemory, quick } = this;
    for (let n = 0; n < FRAMES; n++) {
      const fresh =
        memory.version[HYPERVISOR_FRAMES + n] === memory.epoch || bareMemory.version[n] === bareMemory.epoch;
      if (quick && !fresh) continue;
      const found = this.differenceOf(n);
      if (found !== null) return found;
    }
    return null;
  }

  /** As `difference`, of all memory in any case. */
  whole(): string | null {
    for (let n = 0; n < FRAMES; n++) {
      const found = this.differenceOf(n);
      if (found !== null) return found;
    }
    return null;
  }

  private differenceOf(n: number): string | null {
    const i = differenceIn(this.bareFrames, this.kvmFrames, n);
    if (i < 0) return null;
    const [bare, nested] = [this.bareFrames.words[i]!, this.kvmFrames.words[i]!];
    return `word ${i & 1023} of frame ${i >> 10}: bare ${bare}, under nested paging ${nested}`;
  }
}
