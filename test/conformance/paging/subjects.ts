/**
 * Machines that a row of the access matrix is put on: one a policy, all with the same two tables in guest memory. An
 * access runs on the processor's own paging unit, and where it exits, the hypervisor answers.
 */
import { Kvm, NestedKvm } from "../../../core/kvm/index.ts";
import { PAE_ROOT_HPA } from "../../../core/kvm/layout.ts";
import { zapPage } from "../../../core/kvm/shadow/page.ts";
import { HostMemory, HYPERVISOR_FRAMES } from "../../../core/memory/host-memory.ts";
import { MemorySlots } from "../../../core/memory/slots.ts";
import { ZAP_ALL } from "../../../core/trace/events.ts";
import { nestedFault } from "../../../core/x86/access.ts";
import { GuestBus } from "../../../core/x86/bus.ts";
import type { Cpu } from "../../../core/x86/cpu.ts";
import { AccessCpu } from "../../property/access-cpu.ts";
import { DIRECTORY, HIGH, PAGE, PDPT, type Registers, type Row, TABLE } from "./rows.ts";

const LOW_PAGES = 24;
const HIGH_PAGES = 8;

export interface Answer {
  /** Error code, or -1. */
  fault: number;
  /** Linear address that faulted. */
  cr2: number;
  /** Guest frame that was reached, or -1. */
  gfn: number;
  pde: number;
  pte: number;
}

const ACCESS = { read: 0, write: 2, fetch: 16 } as const;

/** CR0 with PG and PE, CR4 and EFER for these control bits. */
export function registersOf(r: Registers): { cr0: number; cr3: number; cr4: number; efer: number } {
  return {
    cr0: 0x8000_0011 | (r.wp ? 0x1_0000 : 0),
    cr3: (r.pae ? PDPT : DIRECTORY) << 12,
    cr4: (r.pae ? 0x20 : 0) | (r.pse ? 0x10 : 0) | (r.pge ? 0x80 : 0),
    efer: r.nxe ? 0x800 : 0,
  };
}

/** The linear address: page 6 of what entry 3 (2-level) or 5 (PAE) of the directory maps. */
export const addressOf = (pae: boolean): number => ((pae ? 5 << 21 : 3 << 22) | (PAGE << 12)) >>> 0;

/**
 * Leaves a shadow as it is when it has just begun: its roots, empty. What one address brought goes page by page, as KVM
 * zaps them; beginning really anew makes lists of the whole pool and costs ten times as much. (matrix.test.ts compares.)
 */
function beginAnew(kvm: Kvm, la: number): void {
  const { mmu } = kvm;
  for (let page = mmu.activeHead; page >= 0; ) {
    const next = mmu.listNext[page]!;
    if (mmu.rootCount[page] === 0) zapPage(mmu, page, ZAP_ALL);
    page = next;
  }
  const root = mmu.spteLow(PAE_ROOT_HPA + (la >>> 30) * 8) & ~0xfff;
  if (mmu.reload !== 0 || mmu.spteLow(root + ((la >>> 21) & 511) * 8) !== 0) kvm.setPolicy(kvm.policy);
}

export class Subject {
  readonly answer: Answer = { fault: -1, cr2: 0, gfn: -1, pde: 0, pte: 0 };
  /** Why the last row went wrong beside its answer: a finding, or no progress. */
  trouble = "";
  private readonly memory = new HostMemory(HYPERVISOR_FRAMES + LOW_PAGES + HIGH_PAGES);
  private readonly slots = new MemorySlots([
    { gfn: 0, pages: LOW_PAGES, hfn: HYPERVISOR_FRAMES },
    { gfn: HIGH, pages: HIGH_PAGES, hfn: HYPERVISOR_FRAMES + LOW_PAGES },
  ]);
  private readonly cpu = new AccessCpu(this.memory, new GuestBus(this.slots));
  private readonly kvm: Kvm | null = null;
  private readonly nested: NestedKvm | null = null;
  private readonly pdeAt: number;
  private readonly pteAt: number;
  /** The address that is accessed. */
  readonly la: number;

  /** @param hazards those that are as it was; of a policy with a shadow */
  constructor(policy: string, registers: Registers, hazards: readonly string[] = []) {
    const { cpu, memory, slots } = this;
    const base = HYPERVISOR_FRAMES << 10;
    const { pae, wp, nxe, pse, pge } = registers;
    this.la = addressOf(pae) | 0;
    this.pdeAt = base + (DIRECTORY << 10) + (pae ? 10 : 3);
    this.pteAt = base + (TABLE << 10) + (pae ? 2 * PAGE : PAGE);
    memory.i32[base + (PDPT << 10)] = (DIRECTORY << 12) | 1;
    Object.assign(cpu, registersOf(registers));
    cpu.paging.configure(pae ? 2 : 1, cpu.cr3, wp, nxe, pse, pge);
    if (pae) cpu.paging.loadPdptes(cpu.cr3);
    if (policy === "nested") {
      this.nested = new NestedKvm(memory, slots, cpu, cpu.trace, {
        tlb: "vmx",
        levels: pse ? 3 : 4,
        walkCache: 0,
      });
      this.nested.start();
    } else if (policy !== "none") {
      const asItWas = Object.fromEntries(hazards.map((id) => [id, "as-it-was" as const]));
      this.kvm = new Kvm(memory, slots, cpu, cpu.trace, { policy, tlb: "vmx", hazards: asItWas });
      this.kvm.start();
    }
  }

  /**
   * Puts the row's entries into memory, with nothing known of them, and makes the access.
   * @param warm a supervisor's read of the same address comes first: whatever it leaves in shadow and TLB is there
   */
  run(row: Row, warm: boolean): Answer {
    const { answer, cpu, memory } = this;
    const { i32 } = memory;
    const wide = row.situation.pae;
    i32[this.pdeAt] = row.pde[0];
    i32[this.pteAt] = row.pte[0];
    if (wide) {
      i32[this.pdeAt + 1] = row.pde[1];
      i32[this.pteAt + 1] = row.pte[1];
    }
    // Not a write of the guest's that somebody hears of: the shadow begins anew.
    if (this.kvm !== null) beginAnew(this.kvm, this.la);
    cpu.paging.flush(0, false);
    if (warm) this.attempt(0);
    const access = ACCESS[row.situation.access] | (row.situation.userMode ? 4 : 0);
    this.attempt(access);
    answer.pde = i32[this.pdeAt]!;
    answer.pte = i32[this.pteAt]!;
    return answer;
  }

  /** The shadow pages that there are, as KVM describes them. */
  get shadowPages() {
    return this.kvm?.shadowPages();
  }

  private attempt(access: number): void {
    const { answer, cpu, kvm, nested } = this;
    const { paging } = cpu;
    this.trouble = "";
    cpu.current = { la: this.la, access, size: 1, low: 0, high: 0 };
    cpu.pendingVector = -1;
    cpu.cr2 = 0;
    answer.gfn = -1;
    answer.cr2 = 0;
    for (let tries = 0; tries < 20; tries++) {
      const i = paging.lookup(this.la, access);
      if (i >= 0) {
        answer.fault = -1;
        answer.gfn = this.slots.gfnOf(paging.tlb.hfns[i]!);
        cpu.retired++;
        return;
      }
      if (kvm !== null) {
        const { exit } = cpu;
        exit.reason = 1;
        exit.gva = this.la;
        exit.error = paging.error;
        kvm.handleExit();
        if (kvm.finding !== null) this.trouble = kvm.finding;
        if (cpu.pendingVector === 14) {
          answer.fault = cpu.pendingError;
          answer.cr2 = cpu.cr2;
          return;
        }
      } else if (nested !== null && paging.nested.failed) {
        nestedFault(cpu as unknown as Cpu, this.la);
        nested.handleExit();
      } else {
        answer.fault = paging.error;
        // Nobody stands between the fault and the guest: CR2 is the processor's own doing (test/unit/x86/blocks.test.ts).
        answer.cr2 = this.la;
        return;
      }
    }
    this.trouble = "no progress";
    answer.fault = -2;
  }
}
