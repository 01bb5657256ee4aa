/**
 * Machine code under the hypervisor: the real processor, its deliveries and string input. Worked example 6.7; the
 * hazards of deliveries (5.1, 5.8) and of port input (7.5).
 */
import { describe, expect, it } from "vitest";
import {
  type HazardSetting,
  KVM_CONTINUE,
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  Kvm,
} from "../../../core/kvm/index.ts";
import { HostMemory, HYPERVISOR_FRAMES } from "../../../core/memory/host-memory.ts";
import { MemorySlots } from "../../../core/memory/slots.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { GuestBus } from "../../../core/x86/bus.ts";
import { Cpu } from "../../../core/x86/cpu.ts";
import { RUN_BUDGET, RUN_EXIT, RUN_HALTED } from "../../../core/x86/door.ts";

const FULL = 0x67;

/** GDT at 0x5000, IDT at 0x6000 (every gate to 0x7000 + 16 * vector, HLT there), code at 0x8000, stack below 0xa000. */
class Guest {
  readonly memory = new HostMemory(HYPERVISOR_FRAMES + 1024);
  readonly cpu: Cpu;
  readonly kvm: Kvm | null;

  constructor(policy: string, hazards: Record<string, HazardSetting> = {}) {
    const trace = new Trace(1 << 10);
    const slots = new MemorySlots([{ gfn: 0, pages: 1024, hfn: HYPERVISOR_FRAMES }]);
    this.cpu = new Cpu(this.memory, new GuestBus(slots), trace, { in: () => 0x0005_3067, out: () => {} });
    // Directory at 0x1000; PDE 0 -> 0x2000 (identity, first MiB), PDE 1 -> 0x3000 (window), PDE 2 -> 0x4000 (play).
    this.set32(0x1000, 0x2067);
    this.set32(0x1004, 0x3067);
    this.set32(0x1008, 0x4067);
    for (let i = 0; i < 256; i++) this.set32(0x2000 + i * 4, (i << 12) | FULL);
    this.set32(0x3000, 0x4067); // 0x400000: the play table
    this.set32(0x4000, 0x5_0067); // 0x800000
    this.set32(0x4004, 0x5_1067); // 0x801000
    this.set32(0x5008, 0xffff);
    this.set32(0x500c, 0xcf9b00);
    this.set32(0x5010, 0xffff);
    this.set32(0x5014, 0xcf9300);
    for (let v = 0; v < 256; v++) {
      this.set32(0x6000 + v * 8, 0x8_0000 | (0x7000 + v * 16));
      this.set32(0x6004 + v * 8, 0x8e00);
      this.bytes(0x7000 + v * 16, [0xf4]);
    }
    const { cpu } = this;
    cpu.gdtBase = 0x5000;
    cpu.gdtLimit = 0x17;
    cpu.idtBase = 0x6000;
    cpu.idtLimit = 0x7ff;
    cpu.regs[4] = 0xa000;
    cpu.eip = 0x8000;
    cpu.cr3 = 0x1000;
    cpu.cr0 = 0x8001_0011 | 0;
    cpu.applyControls();
    cpu.paging.flush(1, false);
    this.kvm =
      policy === "none" ? null : new Kvm(this.memory, slots, cpu, trace, { policy, tlb: "vmx", hazards });
    this.kvm?.start();
  }

  at(gpa: number): number {
    return HYPERVISOR_FRAMES * 4096 + gpa;
  }

  set32(gpa: number, value: number): void {
    this.memory.view.setUint32(this.at(gpa), value >>> 0, true);
  }

  get32(gpa: number): number {
    return this.memory.view.getUint32(this.at(gpa), true);
  }

  bytes(gpa: number, values: readonly number[]): void {
    this.memory.bytes.set(values, this.at(gpa));
  }

  /** Runs `budget` units at most; answers what stopped it: "budget", "halted", "finding", "shutdown". */
  run(budget: number): string {
    const end = this.cpu.retired + budget;
    for (let exits = 0; exits < 5000; exits++) {
      const code = this.cpu.run(end - this.cpu.retired);
      if (code === RUN_BUDGET) return "budget";
      if (code === RUN_HALTED) return "halted";
      if (code !== RUN_EXIT) return `run ${code}`;
      const answer = this.kvm!.handleExit();
      if (answer === KVM_FINDING) return "finding";
      if (answer === KVM_SHUTDOWN) return "shutdown";
      if (answer === KVM_HALTED) return "halted";
      expect(answer).toBe(KVM_CONTINUE);
    }
    return "endless";
  }

  guards(hazard: string): number {
    return this.kvm!.counters[`guard_${hazard}`]!;
  }
}

const le = (value: number): number[] => [0, 8, 16, 24].map((by) => (value >>> by) & 0xff);

describe("6.7: one demand fault", () => {
  /** Handler of #PF: stores a PTE through the window, drops the error code, returns. */
  function demand(policy: string): Guest {
    const g = new Guest(policy);
    const store = (index: number, pte: number): number[] => [
      0xc7,
      0x05,
      ...le(0x40_0000 + index * 4),
      ...le(pte),
    ];
    g.bytes(0x7000 + 14 * 16, [0xe9, ...le(0x9000 - (0x7000 + 14 * 16 + 5))]);
    // The first fault maps page 8, the second page 9: EBX counts up.
    g.bytes(0x9000, [
      0x83,
      0xfb,
      0x00, // cmp ebx, 0
      0x75,
      0x0d, // jne second
      ...store(8, 0x5_8067),
      0x43, // inc ebx
      0xeb,
      0x0a, // jmp out
      ...store(9, 0x5_9067),
      0x83,
      0xc4,
      0x04, // out: add esp, 4
      0xcf, // iretd
    ]);
    // Reads of pages 0, 8 (warms everything up) and 9; HLT.
    g.bytes(0x8000, [0xa1, ...le(0x80_0000), 0xa1, ...le(0x80_8000), 0xa1, ...le(0x80_9000), 0xf4]);
    g.set32(0x5_9000, 0x1234);
    return g;
  }

  function runTo(g: Guest, eip: number): void {
    for (let i = 0; g.cpu.eip !== eip; i++) {
      expect(i).toBeLessThan(100);
      expect(g.run(1)).toBe("budget");
    }
  }

  it("takes three exits under P and B, two under C", () => {
    for (const [policy, exits, fixed] of [
      ["P", 3, 2],
      ["B", 3, 2],
      ["C", 2, 1],
    ] as const) {
      const g = demand(policy);
      runTo(g, 0x800a);
      const before = g.kvm!.counters;
      runTo(g, 0x800f);
      const after = g.kvm!.counters;
      const delta = (name: string): number => after[name]! - before[name]!;
      expect([policy, delta("exits"), delta("pf_guest"), delta("pf_fixed")]).toEqual([
        policy,
        exits,
        1,
        fixed,
      ]);
      expect(g.cpu.regs[0]).toBe(0x1234);
      expect(g.kvm!.mmu.lastPtWriteCount).toBe(policy === "C" ? 1 : 0);
      expect(g.run(10)).toBe("halted");
      expect(g.kvm!.audit().violations).toEqual([]);
    }
  });

  it("ends in the same registers and memory as on the bare machine", () => {
    const bare = demand("none");
    expect(bare.run(100)).toBe("halted");
    const from = bare.at(0);
    for (const policy of ["P", "B", "C"]) {
      const g = demand(policy);
      expect(g.run(100)).toBe("halted");
      expect([...g.cpu.regs]).toEqual([...bare.cpu.regs]);
      expect([g.cpu.eip, g.cpu.retired, g.cpu.cr2]).toEqual([bare.cpu.eip, bare.cpu.retired, bare.cpu.cr2]);
      expect(Buffer.compare(g.memory.bytes.subarray(from), bare.memory.bytes.subarray(from))).toBe(0);
    }
  });
});

describe("deliveries and string input", () => {
  /** The stack in the play table (which 0x800000 has made shadowed), an interrupt pending, IF on, NOPs. */
  function delivery(hazards: Record<string, HazardSetting>): Guest {
    const g = new Guest("B", hazards);
    g.bytes(0x8000, [
      0xa1,
      ...le(0x80_0000),
      0xbc,
      ...le(0x40_0f00),
      0xfb,
      ...new Array(64).fill(0x90),
      0xf4,
    ]);
    g.cpu.interruptLine = 0x24;
    return g;
  }

  it("delivery-into-table: the frame is stored through the emulator", () => {
    const g = delivery({});
    expect(g.run(40)).toBe("halted");
    expect(g.cpu.eip).toBe(0x7000 + 0x24 * 16 + 1);
    expect(g.get32(0x4000 + 0xef4)).toBe(0x800c);
    expect(g.guards("delivery-into-table")).toBeGreaterThan(0);
    expect(g.kvm!.audit().violations).toEqual([]);
  });

  it("delivery-into-table as it was: the instruction is emulated instead, the interrupt waits", () => {
    const g = delivery({ "delivery-into-table": "as-it-was" });
    g.run(40);
    expect(g.get32(0x4000 + 0xef4)).toBe(0);
    expect(g.cpu.eip).toBeLessThan(0x8100);
  });

  for (const setting of ["guarded", "as-it-was"] as const) {
    it(`double-fault ${setting}: a handler that cannot be reached`, () => {
      const g = new Guest("B", { "double-fault": setting });
      // The IDT is unmapped: #PF, #DF, shutdown.
      g.set32(0x2000 + 6 * 4, 0);
      g.bytes(0x8000, [0xa1, ...le(0x80_5000), 0xf4]);
      expect(g.run(10)).toBe(setting === "guarded" ? "shutdown" : "finding");
      if (setting === "guarded") expect(g.guards("double-fault")).toBeGreaterThan(0);
    });

    it(`pio-string-input ${setting}: INS into a shadowed table`, () => {
      const g = new Guest("B", { "pio-string-input": setting });
      g.set32(0x5_0000, 1);
      g.set32(0x5_3000, 2);
      // Read 0x800000; INSD to its PTE (the port answers another frame's entry); read again.
      g.bytes(0x8000, [
        0xa1,
        ...le(0x80_0000),
        0xbf,
        ...le(0x40_0000),
        0x66,
        0xba,
        0x10,
        0x00,
        0x6d,
        0x0f,
        0x01,
        0x3d,
        ...le(0x80_0000),
        0xa1,
        ...le(0x80_0000),
        0xf4,
      ]);
      expect(g.run(20)).toBe("halted");
      expect(g.get32(0x4000)).toBe(0x5_3067);
      expect(g.cpu.regs[0]).toBe(setting === "guarded" ? 2 : 1);
      if (setting === "guarded") {
        expect(g.guards("pio-string-input")).toBe(1);
        expect(g.kvm!.audit().violations).toEqual([]);
      } else {
        expect(g.kvm!.audit().violations.map((v) => v.invariant)).toContain("I9");
      }
    });
  }

  it("MOV to CR3, CLTS, LMSW, CPUID and HLT exit and do what they do on the bare machine", () => {
    const results = ["none", "B"].map((policy) => {
      const g = new Guest(policy);
      g.bytes(0x8000, [
        0x0f,
        0x06, // clts
        0xb8,
        ...le(0x1000),
        0x0f,
        0x22,
        0xd8, // mov cr3, 0x1000
        0xb8,
        ...le(0x9),
        0x0f,
        0x01,
        0xf0, // lmsw ax
        0x0f,
        0x20,
        0xc3, // mov ebx, cr0
        0x31,
        0xc0,
        0x0f,
        0xa2, // cpuid 0
        0xe6,
        0x10, // out 0x10, al
        0xf4,
      ]);
      expect(g.run(20)).toBe("halted");
      return [[...g.cpu.regs], g.cpu.eip, g.cpu.retired, g.cpu.cr0];
    });
    expect(results[1]).toEqual(results[0]);
  });

  it("a refused opcode goes the way of 7.6: unprotect, and again", () => {
    const g = new Guest("B");
    g.kvm!.exits.refuses = [0xc7];
    g.bytes(0x8000, [0xa1, ...le(0x80_0000), 0xc7, 0x05, ...le(0x40_0004), ...le(0x5_2067), 0xf4]);
    expect(g.run(10)).toBe("halted");
    expect(g.get32(0x4004)).toBe(0x5_2067);
    expect(g.kvm!.counters.mmu_pte_write).toBe(0);
    expect(g.kvm!.audit().violations).toEqual([]);
  });
});
