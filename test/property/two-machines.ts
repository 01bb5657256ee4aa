/**
 * The same accesses and edits on two machines: bare without a TLB, and under a hypervisor. Both use the processor's
 * real paging unit; only instructions are missing, an access stands for one. What they answer and what guest memory
 * holds afterwards must be equal, exactly.
 */

import { eferChanged, setCr0, setCr3, setCr4 } from "../../core/kvm/exits/controls.ts";
import { type HazardSetting, Kvm } from "../../core/kvm/index.ts";
import { mmuInvlpg } from "../../core/kvm/shadow/invlpg.ts";
import { FRAME_WATCHED, HostMemory, HYPERVISOR_FRAMES } from "../../core/memory/host-memory.ts";
import { MemorySlots } from "../../core/memory/slots.ts";
import { Trace } from "../../core/trace/trace.ts";
import {
  ACCESS_WRITE,
  type EmulatorPort,
  EXIT_INVLPG,
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

/** Guest frames from 0, and from 4 GiB. */
export const LOW_PAGES = 32;
export const HIGH_PAGES = 8;
export const HIGH_GFN = 0x10_0000;

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
    storeFrom: -1,
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
    this.paging = new Paging(memory, bus, this.trace, () => {});
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
    const hosts: number[] = [];
    const pages = (la & 0xfff) + size > 4096 ? [la, ((la & ~0xfff) + 4096) | 0] : [la];
    for (const at of pages) {
      const i = this.paging.lookup(at, access);
      if (i < 0) {
        this.exit.reason = EXIT_PF;
        this.exit.gva = at;
        this.exit.error = this.paging.error;
        return 1;
      }
      hosts.push(this.paging.tlb.hfns[i]!);
    }
    const { bytes } = this.memory;
    const word = [0, 0];
    for (let i = 0; i < size; i++) {
      const offset = (la & 0xfff) + i;
      const hfn = offset < 4096 ? hosts[0]! : hosts[1]!;
      const at = hfn * 4096 + (offset & 0xfff);
      if ((access & ACCESS_WRITE) !== 0) {
        if (hfn >= 0) {
          bytes[at] = (i < 4 ? low : high) >>> (8 * (i & 3));
          this.memory.touch(hfn);
          if ((this.memory.flags[hfn]! & FRAME_WATCHED) !== 0) this.watched?.(at, 1);
        }
      } else word[i >> 2]! |= (hfn < 0 ? 0xff : bytes[at]!) << (8 * (i & 3));
    }
    if ((access & ACCESS_WRITE) === 0) {
      this.low = word[0]!;
      this.high = word[1]!;
    }
    this.retired++;
    return 0;
  }
}

const mask = (size: number): number => (size === 1 ? 0xff : size === 2 ? 0xffff : -1);

export class TwoMachines {
  readonly bare: AccessCpu;
  readonly cpu: AccessCpu;
  readonly kvm: Kvm;
  readonly slots: MemorySlots;
  private readonly memory: HostMemory;
  private readonly bareMemory: HostMemory;
  exits = 0;
  /** Told behind every exit. */
  boundary: ((what: string) => void) | null = null;
  /** Operations after which some shadow page was out of sync. */
  unsyncSeen = 0;
  /** The shadow is not told of INVLPG: a hypervisor that forgets the exit. */
  deafToInvlpg = false;

  constructor(options: {
    policy: string;
    tlb?: "vmx" | "svm";
    hazards?: Record<string, HazardSetting>;
    /** Guest words by gpa (from 0 only), the same on both machines. */
    words: ReadonlyMap<number, number>;
    cr0: number;
    cr3: number;
    cr4: number;
    efer: number;
    /** Shadow pages of the pool instead of the policy's own. */
    pool?: number | undefined;
  }) {
    const frames = LOW_PAGES + HIGH_PAGES;
    this.memory = new HostMemory(HYPERVISOR_FRAMES + frames);
    this.bareMemory = new HostMemory(frames);
    const at = (hfn: number): MemorySlots =>
      new MemorySlots([
        { gfn: 0, pages: LOW_PAGES, hfn },
        { gfn: HIGH_GFN, pages: HIGH_PAGES, hfn: hfn + LOW_PAGES },
      ]);
    this.slots = at(HYPERVISOR_FRAMES);
    const bareSlots = at(0);
    for (const [gpa, value] of options.words) {
      this.memory.i32[(HYPERVISOR_FRAMES << 10) + (gpa >> 2)] = value;
      this.bareMemory.i32[gpa >> 2] = value;
    }
    this.bare = new AccessCpu(this.bareMemory, { frameOf: (pfn) => bareSlots.hfnOf(pfn) });
    this.cpu = new AccessCpu(this.memory, { frameOf: () => -1 });
    for (const cpu of [this.bare, this.cpu]) {
      cpu.cr0 = options.cr0;
      cpu.cr3 = options.cr3;
      cpu.cr4 = options.cr4;
      cpu.efer = options.efer;
    }
    this.configureBare();
    this.loadBarePdptes();
    this.kvm = new Kvm(this.memory, this.slots, this.cpu, this.cpu.trace, {
      policy: options.policy,
      tlb: options.tlb ?? "vmx",
      hazards: options.hazards ?? {},
      tuning: options.pool === undefined ? undefined : { pool: options.pool },
    });
    this.kvm.start();
  }

  private get pae(): boolean {
    return (this.bare.cr4 & 0x20) !== 0 && this.bare.cr0 < 0;
  }

  private configureBare(): void {
    const { bare } = this;
    const mode = bare.cr0 >= 0 ? 0 : (bare.cr4 & 0x20) !== 0 ? 2 : 1;
    bare.paging.configure(
      mode,
      bare.cr3,
      (bare.cr0 & 0x1_0000) !== 0,
      (bare.efer & 0x800) !== 0,
      (bare.cr4 & 0x10) !== 0,
      false,
    );
  }

  private loadBarePdptes(): void {
    if (this.pae) this.bare.paging.loadPdptes(this.bare.cr3);
  }

  onBare(a: Access): Answer {
    const { bare } = this;
    bare.current = a;
    bare.paging.flush(0, false);
    if (bare.attempt() !== 0) return { fault: bare.exit.error, cr2: bare.exit.gva, low: 0, high: 0 };
    return { fault: -1, cr2: 0, ...this.value(bare, a) };
  }

  onKvm(a: Access): Answer {
    const { cpu, kvm } = this;
    cpu.current = a;
    const before = cpu.retired;
    cpu.raised = -1;
    cpu.pendingVector = -1;
    for (let tries = 0; tries < 300; tries++) {
      if (cpu.attempt() === 0) return { fault: -1, cr2: 0, ...this.value(cpu, a) };
      this.exits++;
      kvm.handleExit();
      this.boundary?.("an exit");
      if (kvm.finding !== null) throw new Error(`finding: ${kvm.finding}`);
      if (cpu.retired !== before) return { fault: -1, cr2: 0, ...this.value(cpu, a) };
      if (cpu.raised >= 0) return { fault: cpu.raised, cr2: cpu.cr2, low: 0, high: 0 };
      if (cpu.pendingVector === 14) return { fault: cpu.pendingError, cr2: cpu.cr2, low: 0, high: 0 };
    }
    throw new Error(`no progress at ${(a.la >>> 0).toString(16)}`);
  }

  private value(cpu: AccessCpu, a: Access): { low: number; high: number } {
    if ((a.access & ACCESS_WRITE) !== 0) return { low: 0, high: 0 };
    return { low: cpu.low & mask(a.size), high: a.size === 8 ? cpu.high : 0 };
  }

  /** The guest's kernel stores an entry: emulated under the hypervisor, a plain store on the bare machine. */
  edit(gpa: number, size: number, low: number, high: number): void {
    const hfn = gpa >= 2 ** 32 ? LOW_PAGES + Math.floor(gpa / 4096) - HIGH_GFN : Math.floor(gpa / 4096);
    const at = hfn * 4096 + (gpa % 4096);
    this.bareMemory.i32[at >> 2] = low;
    if (size === 8) this.bareMemory.i32[(at >> 2) + 1] = high;
    this.kvm.outsideExit();
    this.kvm.emulatorWritePhys(gpa, size, low, high);
  }

  /** Loads CR3 on both; answers both results (true: no #GP). */
  cr3(value: number): [bare: boolean, kvm: boolean] {
    const { bare } = this;
    const ok = !this.pae || bare.paging.loadPdptes(value);
    if (ok) {
      bare.cr3 = value;
      this.configureBare();
    }
    this.kvm.outsideExit();
    return [ok, setCr3(this.kvm.mmu, value)];
  }

  /** Writes CR0 on both; 0xe0000000 are the bits that load PDPTEs. */
  cr0(value: number): [bare: boolean, kvm: boolean] {
    const { bare } = this;
    const pae = value < 0 && (bare.cr4 & 0x20) !== 0;
    const reload = pae && ((bare.cr0 ^ value) & 0xe000_0000) !== 0;
    const ok = !reload || bare.paging.loadPdptes(bare.cr3);
    if (ok) {
      bare.cr0 = value;
      this.configureBare();
    }
    this.kvm.outsideExit();
    return [ok, setCr0(this.kvm.mmu, value)];
  }

  cr4(value: number): [bare: boolean, kvm: boolean] {
    const { bare } = this;
    const reload = bare.cr0 < 0 && (value & 0x20) !== 0 && ((bare.cr4 ^ value) & 0xb0) !== 0;
    const ok = !reload || bare.paging.loadPdptes(bare.cr3);
    if (ok) {
      bare.cr4 = value;
      this.configureBare();
    }
    this.kvm.outsideExit();
    return [ok, setCr4(this.kvm.mmu, value)];
  }

  efer(value: number): void {
    this.bare.efer = value;
    this.configureBare();
    this.kvm.outsideExit();
    const old = this.cpu.efer;
    this.cpu.efer = value;
    eferChanged(this.kvm.mmu, old);
  }

  /** INVLPG: where it exits, the shadow's part first. */
  invlpg(la: number): void {
    if ((this.cpu.intercepts & (1 << EXIT_INVLPG)) !== 0 && !this.deafToInvlpg) {
      this.kvm.outsideExit();
      mmuInvlpg(this.kvm.mmu, la);
    }
    this.cpu.paging.invlpg(la);
  }

  lookForUnsync(): void {
    if (this.kvm.counters.mmu_unsync! > 0) this.unsyncSeen++;
  }

  /** Words of guest memory, guest frames in a row: the bare machine's, and the one's under the hypervisor. */
  bareWords(): Int32Array {
    return this.bareMemory.i32.subarray(0, (LOW_PAGES + HIGH_PAGES) * 1024);
  }

  kvmWords(): Int32Array {
    const base = HYPERVISOR_FRAMES << 10;
    return this.memory.i32.subarray(base, base + (LOW_PAGES + HIGH_PAGES) * 1024);
  }

  /** Index in these of the word at a gfn and offset, or -1: no memory. */
  wordOf(gfn: number, offset: number): number {
    const hfn = this.slots.hfnOf(gfn);
    return hfn < 0 ? -1 : ((hfn - HYPERVISOR_FRAMES) << 10) + (offset >> 2);
  }

  /** First guest word that differs: its place (guest frames in a row) and both values; null when equal. */
  difference(): string | null {
    const words = (LOW_PAGES + HIGH_PAGES) * 1024;
    const base = HYPERVISOR_FRAMES << 10;
    const a = this.bareMemory.i32;
    const b = this.memory.i32;
    for (let i = 0; i < words; i++) {
      if (a[i] !== b[base + i]) {
        return `word ${i & 1023} of frame ${i >> 10}: bare ${(a[i]! >>> 0).toString(16)}, under KVM ${(b[base + i]! >>> 0).toString(16)}`;
      }
    }
    return null;
  }
}
