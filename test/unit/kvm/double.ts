/**
 * A test double of the processor: registers and a small hardware paging unit that walks the shadow as silicon does
 * (PAE, WP, NX, A and D), so that tests can drive single accesses through exits. It has no instructions.
 */

import { type HazardSetting, Kvm } from "../../../core/kvm/index.ts";
import { HostMemory, HYPERVISOR_FRAMES } from "../../../core/memory/host-memory.ts";
import { MemorySlots } from "../../../core/memory/slots.ts";
import { Trace } from "../../../core/trace/trace.ts";
import {
  ACCESS_FETCH,
  ACCESS_PRESENT,
  ACCESS_USER,
  ACCESS_WRITE,
  type EmulatorPort,
  EXIT_NONE,
  EXIT_PF,
  type ExitInfo,
  type PagingUnit,
  type PhysicalBus,
  type Processor,
  RUN_FAULTED,
  RUN_RETIRED,
  type TlbEntry,
  VECTORING_NONE,
} from "../../../core/x86/door.ts";

class DoublePaging implements PagingUnit {
  mode = 0;
  cr3 = 0;
  wp = false;
  nxe = false;
  pse = false;
  pge = false;
  readonly pdptes = new Uint32Array(8);
  readonly tlb = new Map<number, TlbEntry>();
  flushes: number[] = [];
  private readonly memory: HostMemory;

  constructor(memory: HostMemory) {
    this.memory = memory;
  }

  configure(mode: number, cr3: number, wp: boolean, nxe: boolean, pse: boolean, pge: boolean): void {
    Object.assign(this, { mode, cr3, wp, nxe, pse, pge });
  }

  loadPdptes(cr3: number): boolean {
    for (let i = 0; i < 8; i++) this.pdptes[i] = this.memory.u32[(cr3 >> 2) + i]!;
    return true;
  }

  flush(why: number, _keepGlobal: boolean): void {
    this.flushes.push(why);
    this.tlb.clear();
  }

  invlpg(la: number): void {
    this.tlb.delete(la >>> 12);
  }

  entries(): TlbEntry[] {
    return [...this.tlb.values()];
  }

  /** Host byte address, or minus the error code minus 1. */
  translate(la: number, access: number): number {
    const hit = this.tlb.get(la >>> 12);
    if (hit !== undefined && this.permits(hit, access) && (hit.dirty || (access & ACCESS_WRITE) === 0)) {
      return hit.pfn * 4096 + (la & 0xfff);
    }
    const { i32 } = this.memory;
    const kind = access & (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH);
    const pdpte = this.pdptes[(la >>> 30) * 2]!;
    const pde = (pdpte & 1) === 0 ? 0 : i32[((pdpte & ~0xfff) + ((la >>> 21) & 511) * 8) >> 2]!;
    if ((pde & 1) === 0) return this.miss(la, kind);
    const at = ((pde & ~0xfff) + ((la >>> 12) & 511) * 8) >> 2;
    const pte = i32[at]!;
    if ((pte & 1) === 0) return this.miss(la, kind);
    const entry = {
      la: la & ~0xfff,
      size: 4096,
      pfn: pte >>> 12,
      write: (pte & pde & 2) !== 0,
      user: (pte & pde & 4) !== 0,
      nx: i32[at + 1]! < 0,
      dirty: (pte & 0x40) !== 0 || (access & ACCESS_WRITE) !== 0,
    };
    if (!this.permits(entry, access)) return this.miss(la, kind | ACCESS_PRESENT);
    i32[at] = pte | 0x20 | ((access & ACCESS_WRITE) !== 0 ? 0x40 : 0);
    this.tlb.set(la >>> 12, entry);
    return entry.pfn * 4096 + (la & 0xfff);
  }

  private miss(la: number, error: number): number {
    this.tlb.delete(la >>> 12);
    return -1 - error;
  }

  private permits(e: TlbEntry, access: number): boolean {
    if ((access & ACCESS_USER) !== 0 && !e.user) return false;
    if ((access & ACCESS_WRITE) !== 0 && !e.write) return false;
    return (access & ACCESS_FETCH) === 0 || !e.nx;
  }
}

export interface Access {
  readonly la: number;
  readonly access: number;
  readonly size: number;
  readonly value?: number;
  readonly valueHigh?: number;
}

export interface Outcome {
  /** Error code of the guest's own fault, or -1. */
  readonly fault: number;
  readonly value: number;
  readonly exits: number;
}

export class Double implements Processor {
  readonly regs = new Int32Array(9);
  eip = 0;
  eflags = 2;
  cr0 = 0x11;
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  efer = 0;
  cpl = 0;
  retired = 0;
  readonly paging: DoublePaging;
  readonly trace: Trace;
  bus: PhysicalBus = { frameOf: (pfn) => pfn };
  intercepts = 0;
  emulator: EmulatorPort | null = null;
  readonly emulatedOpcode = -1;
  readonly mmio = null;
  faulted = false;
  pendingVector = -1;
  pendingType = 0;
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
  /** What `step` emulates. */
  current: Access | null = null;
  read = 0;
  raised = -1;
  private readonly memory: HostMemory;

  constructor(memory: HostMemory, trace: Trace) {
    this.memory = memory;
    this.trace = trace;
    this.paging = new DoublePaging(memory);
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

  inject(vector: number, type: number, error: number): void {
    this.pendingVector = vector;
    this.pendingType = type;
    this.pendingError = error;
  }

  cancelInjection(): void {
    this.pendingVector = -1;
  }

  complete(): void {
    this.eip = this.exit.nextEip;
    this.retired++;
  }

  run(): number {
    throw new Error("the double has no instructions");
  }

  step(): number {
    const a = this.current!;
    const port = this.emulator!;
    this.faulted = false;
    if ((a.access & ACCESS_WRITE) !== 0) port.write(a.la, a.size, a.value ?? 0, a.valueHigh ?? 0, a.access);
    else this.read = port.read(a.la, a.size, a.access);
    if (this.faulted) return RUN_FAULTED;
    this.retired++;
    return RUN_RETIRED;
  }

  /** One access of at most 8 bytes within a page, as an instruction makes it: restarted until it retires or faults. */
  access(kvm: Kvm, a: Access): Outcome {
    this.current = a;
    for (let exits = 0; exits < 200; exits++) {
      const at = this.paging.translate(a.la, a.access);
      if (at >= 0) {
        const { view } = this.memory;
        if ((a.access & ACCESS_WRITE) !== 0) {
          if (a.size === 1) view.setUint8(at, a.value ?? 0);
          else if (a.size === 2) view.setUint16(at, a.value ?? 0, true);
          else view.setInt32(at, a.value ?? 0, true);
          if (a.size === 8) view.setInt32(at + 4, a.valueHigh ?? 0, true);
          this.memory.touch(at >>> 12);
        } else {
          this.read = a.size === 1 ? view.getUint8(at) : view.getInt32(at, true);
        }
        this.retired++;
        return { fault: -1, value: this.read, exits };
      }
      this.exit.reason = EXIT_PF;
      this.exit.gva = a.la;
      this.exit.error = -1 - at;
      const before = this.retired;
      this.raised = -1;
      kvm.handleExit();
      if (kvm.finding !== null) throw new Error(kvm.finding);
      if (this.retired !== before) return { fault: -1, value: this.read, exits: exits + 1 };
      if (this.raised >= 0) return { fault: this.raised, value: 0, exits: exits + 1 };
      if (this.pendingVector === 14) {
        this.pendingVector = -1;
        return { fault: this.pendingError, value: 0, exits: exits + 1 };
      }
    }
    throw new Error(`no progress at ${(a.la >>> 0).toString(16)}`);
  }
}

export const P = 1;
export const W = 2;
export const U = 4;
export const A = 0x20;
export const D = 0x40;
export const PS = 0x80;

/** A small guest machine under a hypervisor. */
export class Lab {
  readonly memory: HostMemory;
  readonly slots: MemorySlots;
  readonly trace = new Trace(1 << 12);
  readonly cpu: Double;
  readonly kvm: Kvm;

  constructor(
    options: {
      policy?: string;
      tlb?: "vmx" | "svm";
      hazards?: Record<string, HazardSetting>;
      pages?: number;
      high?: number;
    } = {},
  ) {
    const pages = options.pages ?? 1024;
    const high = options.high ?? 0;
    this.memory = new HostMemory(HYPERVISOR_FRAMES + pages + high);
    const slots = [{ gfn: 0, pages, hfn: HYPERVISOR_FRAMES }];
    if (high > 0) slots.push({ gfn: 0x10_0000, pages: high, hfn: HYPERVISOR_FRAMES + pages });
    this.slots = new MemorySlots(slots);
    this.cpu = new Double(this.memory, this.trace);
    this.kvm = new Kvm(this.memory, this.slots, this.cpu, this.trace, {
      policy: options.policy ?? "B",
      tlb: options.tlb ?? "vmx",
      hazards: options.hazards ?? {},
    });
  }

  /** Word of guest-physical memory, without anybody being told. */
  peek(gpa: number): number {
    return this.memory.u32[this.at(gpa) >> 2]!;
  }

  poke(gpa: number, value: number): void {
    this.memory.u32[this.at(gpa) >> 2] = value;
    // Whoever stores into guest memory tells the audit at every boundary, when there is one.
    this.kvm.mmu.touched?.host(this.at(gpa), 4);
  }

  at(gpa: number): number {
    return this.slots.hfnOf(Math.floor(gpa / 4096)) * 4096 + (gpa % 4096);
  }

  /** Two-level paging with the directory at cr3. */
  pagingOn(cr3: number, cr4 = 0, wp = true): void {
    this.cpu.cr0 = 0x8000_0011 | (wp ? 0x1_0000 : 0) | 0;
    this.cpu.cr3 = cr3;
    this.cpu.cr4 = cr4;
    this.kvm.start();
  }

  read(la: number, user = false): Outcome {
    return this.cpu.access(this.kvm, { la: la | 0, access: user ? ACCESS_USER : 0, size: 4 });
  }

  write(la: number, value: number, user = false, size = 4, high = 0): Outcome {
    const access = ACCESS_WRITE | (user ? ACCESS_USER : 0);
    return this.cpu.access(this.kvm, { la: la | 0, access, size, value, valueHigh: high });
  }

  fetch(la: number, user = false): Outcome {
    const access = ACCESS_FETCH | (user ? ACCESS_USER : 0);
    return this.cpu.access(this.kvm, { la: la | 0, access, size: 4 });
  }

  /** Names of invariants that the audit finds violated. */
  violations(): string[] {
    return [...new Set(this.kvm.audit().violations.map((v) => v.invariant))];
  }

  /** The page with this key, as pool index. */
  page(gfn: number, role: number): number {
    const { mmu } = this.kvm;
    for (let page = 0; page < mmu.poolSize; page++) {
      if (mmu.active[page] === 1 && mmu.gfn[page] === gfn && mmu.role[page] === role) return page;
    }
    return -1;
  }

  /** Low and high word of spte `index` of a page. */
  spte(page: number, index: number): number {
    return this.kvm.mmu.spteLow(this.kvm.mmu.hpaOf(page) + index * 8);
  }
}
