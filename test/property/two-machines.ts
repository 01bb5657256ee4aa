/**
 * The same accesses and edits on two machines: bare without a TLB, and under a hypervisor. Both use the processor's
 * real paging unit; only instructions are missing, an access stands for one. What they answer and what guest memory
 * holds afterwards must be equal, exactly.
 */

import { Buffer } from "node:buffer";
import { C } from "../../core/kvm/counters.ts";
import { eferChanged, setCr0, setCr3, setCr4 } from "../../core/kvm/exits/controls.ts";
import { type HazardSetting, Kvm, type KvmState } from "../../core/kvm/index.ts";
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
export const FRAMES = LOW_PAGES + HIGH_PAGES;

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
  /** The hypervisor's state before it starts. */
  private readonly fresh: KvmState;
  /** Only the frames that were written in the operation in hand are compared after it; `whole` compares all. */
  quick = false;
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
    registers: Registers;
    /** Shadow pages of the pool instead of the policy's own. */
    pool?: number | undefined;
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
    const bareSlots = at(0);
    for (const [gpa, value] of options.words) this.put(gpa, value);
    this.bare = new AccessCpu(this.bareMemory, { frameOf: (pfn) => bareSlots.hfnOf(pfn) });
    this.cpu = new AccessCpu(this.memory, { frameOf: () => -1 });
    this.kvm = new Kvm(this.memory, this.slots, this.cpu, this.cpu.trace, {
      policy: options.policy,
      tlb: options.tlb ?? "vmx",
      hazards: options.hazards ?? {},
      tuning: options.pool === undefined ? undefined : { pool: options.pool },
    });
    this.fresh = this.kvm.save();
    this.begin(options.registers);
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
    this.bare.renew(registers);
    this.cpu.renew(registers);
    this.configureBare();
    this.loadBarePdptes();
    this.kvm.start();
  }

  /**
   * The machines as new ones, with other words: what a new pair of them would be, without the time that it takes to make
   * one. Only the frames that were written are emptied. A soak plays all its cases on one pair.
   */
  again(words: (store: (gpa: number, value: number) => void) => void, registers: Registers): void {
    for (const memory of [this.memory, this.bareMemory]) {
      for (let hfn = 0; hfn < memory.frames; hfn++) {
        if (memory.version[hfn] === 0) continue;
        memory.i32.fill(0, hfn << 10, (hfn + 1) << 10);
        memory.version[hfn] = 0;
      }
      memory.epoch = 1;
    }
    for (const dirty of this.slots.dirty) dirty.fill(0);
    words((gpa, value) => this.put(gpa, value));
    this.kvm.load(this.fresh);
    this.exits = 0;
    this.unsyncSeen = 0;
    this.begin(registers);
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

  /** The guest's kernel stores bytes: emulated under the hypervisor, a plain store on the bare machine. */
  edit(gpa: number, size: number, low: number, high: number): void {
    storeBytes(this.bareMemory, gpa, size, low, high);
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
    if (this.kvm.mmu.count[C.mmu_unsync]! > 0) this.unsyncSeen++;
  }

  /** An operation begins: the frames that change from now on are its. */
  beginOperation(): void {
    this.memory.epoch++;
    this.bareMemory.epoch++;
  }

  /**
   * Frames of guest memory (in a row) that may have changed in the operation in hand, on either machine: how many, and
   * which, in `written`.
   */
  writtenFrames(): number {
    const { memory, bareMemory, quick, written } = this;
    const [epoch, bareEpoch] = [memory.epoch, bareMemory.epoch];
    let count = 0;
    for (let n = 0; n < FRAMES; n++) {
      const fresh = memory.version[HYPERVISOR_FRAMES + n] === epoch || bareMemory.version[n] === bareEpoch;
      if (fresh || !quick) written[count++] = n;
    }
    return count;
  }

  readonly written = new Uint8Array(FRAMES);

  /** Words of guest memory, guest frames in a row: the bare machine's, and the one's under the hypervisor. */
  get bareWords(): Int32Array {
    return this.bareFrames.words;
  }

  get kvmWords(): Int32Array {
    return this.kvmFrames.words;
  }

  readonly bareFrames: Frames;
  readonly kvmFrames: Frames;

  /** Index in these of the word at a gfn and offset, or -1: no memory. */
  wordOf(gfn: number, offset: number): number {
    const hfn = this.slots.hfnOf(gfn);
    return hfn < 0 ? -1 : ((hfn - HYPERVISOR_FRAMES) << 10) + (offset >> 2);
  }

  /** First guest word that differs: its place (guest frames in a row) and both values; null when equal. */
  difference(): string | null {
    const count = this.writtenFrames();
    for (let k = 0; k < count; k++) {
      const found = differenceIn(this.bareFrames, this.kvmFrames, this.written[k]!);
      if (found >= 0) return this.wordText(found);
    }
    return null;
  }

  /** As `difference`, of all memory in any case. */
  whole(): string | null {
    for (let n = 0; n < FRAMES; n++) {
      const found = differenceIn(this.bareFrames, this.kvmFrames, n);
      if (found >= 0) return this.wordText(found);
    }
    return null;
  }

  private wordText(i: number): string {
    const [bare, kvm] = [this.bareWords[i]!, this.kvmWords[i]!].map((word) => (word >>> 0).toString(16));
    return `word ${i & 1023} of frame ${i >> 10}: bare ${bare}, under KVM ${kvm}`;
  }
}

/** Words of guest memory, and the bytes of each of its frames, to be compared at once. */
export class Frames {
  readonly words: Int32Array;
  readonly bytes: readonly Uint8Array[];

  /** @param words guest frames in a row */
  constructor(words: Int32Array) {
    this.words = words;
    const { buffer, byteOffset } = words;
    this.bytes = Array.from(
      { length: words.length >> 10 },
      (_, n) => new Uint8Array(buffer, byteOffset + n * 4096, 4096),
    );
  }
}

/** Index of the first word of frame `n` that differs, or -1. */
export function differenceIn(a: Frames, b: Frames, n: number): number {
  if (Buffer.compare(a.bytes[n]!, b.bytes[n]!) === 0) return -1;
  let i = n << 10;
  while (a.words[i] === b.words[i]) i++;
  return i;
}

/** Stores bytes at a gpa of a bare machine's memory, over a page's end too; what has no memory is dropped. */
export function storeBytes(memory: HostMemory, gpa: number, size: number, low: number, high: number): void {
  for (let i = 0; i < size; i++) {
    const gfn = Math.floor((gpa + i) / 4096);
    const hfn = gfn >= HIGH_GFN ? LOW_PAGES + gfn - HIGH_GFN : gfn < LOW_PAGES ? gfn : -1;
    if (hfn < 0) continue;
    memory.bytes[hfn * 4096 + ((gpa + i) % 4096)] = (i < 4 ? low : high) >>> (8 * (i & 3));
    memory.touch(hfn);
  }
}
