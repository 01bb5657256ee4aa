/** Time-stamp counter over all 64 bits, single steps over software interrupts, and the TLB's book-keeping. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HostMemory } from "../../../core/memory/host-memory.ts";
import { cpuidLeaf, FEATURE_PAT } from "../../../core/x86/cpuid.ts";
import { RUN_HALTED } from "../../../core/x86/door.ts";
import {
  DTLB_ENTRIES,
  FAST_EMPTY,
  TLB_D,
  TLB_ENTRIES,
  TLB_G,
  TLB_U,
  TLB_W,
  Tlb,
} from "../../../core/x86/paging/tlb.ts";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x100000;

function boot(code: readonly number[]): TestMachine {
  const m = new TestMachine();
  m.bytes(CODE, code);
  m.cpu.eip = CODE;
  m.cpu.regs[4] = 0x7c00;
  return m;
}

describe("time-stamp counter", () => {
  it("reads back what was written, whatever its upper half", () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        fc.nat(0xffff_ffff),
        fc.integer({ min: 0, max: 50 }),
        (low, high, n) => {
          // wrmsr; n * nop; rdtsc; hlt
          const m = boot([0x0f, 0x30, ...Array<number>(n).fill(0x90), 0x0f, 0x31, 0xf4]);
          m.cpu.regs[1] = 0x10;
          m.cpu.regs[0] = low;
          m.cpu.regs[2] = high;
          expect(m.cpu.run(1000)).toBe(RUN_HALTED);
          const read = (BigInt(m.cpu.regs[2]! >>> 0) << 32n) | BigInt(m.cpu.regs[0]! >>> 0);
          const written = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
          // WRMSR itself and the NOPs have retired since.
          expect(read).toBe((written + BigInt(n + 1)) & 0xffff_ffff_ffff_ffffn);
        },
      ),
      {
        examples: [
          [0xffff_ffff, 0xffff_ffff, 3],
          [0, 0x8000_0000, 0],
          [0xffff_fff0, 0x0020_0000, 40],
        ],
      },
    );
  });
});

describe("IA32_PAT", () => {
  it("is offered, reads back, and refuses what is no memory type", () => {
    const m = boot([
      0x0f, 0x32, 0x89, 0xc6, 0xb8, 6, 5, 4, 1, 0xba, 0, 7, 6, 0, 0x0f, 0x30, 0x0f, 0x32, 0xf4,
    ]);
    m.cpu.regs[1] = 0x277;
    expect(m.cpu.run(100)).toBe(RUN_HALTED);
    expect([m.cpu.regs[6], m.cpu.regs[0], m.cpu.regs[2]]).toEqual([0x0007_0406, 0x0104_0506, 0x0006_0700]);
    expect(cpuidLeaf(1)[3] & FEATURE_PAT).toBe(FEATURE_PAT);
    const bad = boot([0x0f, 0x30, 0xf4]);
    bad.cpu.regs[1] = 0x277;
    bad.cpu.regs[0] = 2;
    expect(bad.cpu.run(100)).not.toBe(RUN_HALTED); // #GP without an IDT
  });
});

describe("single step", () => {
  /** Handlers at 0x3000 + 16 * vector count their vector in the byte at 0x6000 + vector and return. */
  function withHandlers(code: readonly number[]): TestMachine {
    const m = boot(code);
    m.set32(0x808, 0x0000ffff);
    m.set32(0x80c, 0x00cf9a00);
    m.set32(0x810, 0x0000ffff);
    m.set32(0x814, 0x00cf9200);
    m.cpu.gdtBase = 0x800;
    m.cpu.gdtLimit = 0x17;
    m.cpu.idtBase = 0x2000;
    for (const vector of [1, 3, 0x30]) {
      const at = 0x3000 + vector * 16;
      m.set32(0x2000 + vector * 8, 0x00080000 | at);
      m.set32(0x2004 + vector * 8, 0x8e00);
      m.bytes(at, [0xfe, 0x05, vector, 0x60, 0, 0, 0xcf]); // inc byte [0x6000 + vector]; iret
    }
    m.cpu.eflags = 0x102;
    return m;
  }
  const counts = (m: TestMachine): number[] =>
    [1, 3, 0x30].map((vector) => m.memory.bytes[m.base + 0x6000 + vector]!);

  it("is not trapped by a software interrupt, which clears TF", () => {
    const m = withHandlers([0xcd, 0x30, 0xcc, 0x9d, 0xf4]); // int 0x30; int3; popf (a TF of 0); hlt
    m.set32(0x7c00, 2);
    expect(m.cpu.run(100)).toBe(RUN_HALTED);
    // One trap, of POPF, which TF was set for at its start. IRET's own TF was 0 in the handlers.
    expect(counts(m)).toEqual([1, 1, 1]);
  });

  it("traps an INTO that is not taken", () => {
    const m = withHandlers([0xce, 0x9d, 0xf4]);
    m.set32(0x7c00, 2);
    expect(m.cpu.run(100)).toBe(RUN_HALTED);
    expect(counts(m)).toEqual([2, 0, 0]);
  });
});

describe("alignment check", () => {
  /** Runs code at CPL 3 with CR0.AM and EFLAGS.AC; handlers count #AC and return behind the instruction. */
  function run(
    code: readonly number[],
    eflags: number,
    cr0: number,
    cpl = 3,
  ): { faults: number; m: TestMachine } {
    const m = boot([...code, 0xcd, 0x30]);
    for (const [i, high] of [0, 0x00cf9b00, 0x00cf9300, 0x00cffb00, 0x00cff300].entries()) {
      m.set32(0x800 + i * 8, 0xffff);
      m.set32(0x804 + i * 8, high);
    }
    m.cpu.gdtBase = 0x800;
    m.cpu.gdtLimit = 0x27;
    m.cpu.idtBase = 0x2000;
    const code16 = cpl === 3 ? 0x1b : 0x08;
    for (const vector of [17, 0x30]) {
      m.set32(0x2000 + vector * 8, (code16 << 16) | (0x3000 + vector * 16));
      m.set32(0x2004 + vector * 8, 0xee00);
    }
    // #AC: inc dword [0x6000]; jmp to the end's int 0x30. int 0x30: a loop.
    m.bytes(0x3000 + 17 * 16, [0xff, 0x05, 0, 0x60, 0, 0, 0xcd, 0x30]);
    m.bytes(0x3000 + 0x30 * 16, [0xeb, 0xfe]);
    m.cpu.setCpl(cpl);
    m.cpu.segSelector[1] = code16;
    m.cpu.cr0 = 0x11 | cr0;
    m.cpu.eflags = 2 | eflags;
    m.cpu.run(200);
    return { faults: m.get32(0x6000), m };
  }
  const AM = 0x4_0000;
  const AC = 0x4_0000;
  const rows: readonly [string, readonly number[], number][] = [
    ["mov eax,[0x7001]", [0xa1, 1, 0x70, 0, 0], 1],
    ["mov eax,[0x7002]", [0xa1, 2, 0x70, 0, 0], 1],
    ["mov eax,[0x7004]", [0xa1, 4, 0x70, 0, 0], 0],
    ["mov ax,[0x7002]", [0x66, 0xa1, 2, 0x70, 0, 0], 0],
    ["mov ax,[0x7003]", [0x66, 0xa1, 3, 0x70, 0, 0], 1],
    ["mov al,[0x7003]", [0xa0, 3, 0x70, 0, 0], 0],
    ["mov [0x7001],eax", [0xa3, 1, 0x70, 0, 0], 1],
    ["add [0x7006],eax", [0x01, 0x05, 6, 0x70, 0, 0], 1],
    ["cmpxchg8b [0x7004]", [0x0f, 0xc7, 0x0d, 4, 0x70, 0, 0], 1],
    ["cmpxchg8b [0x7008]", [0x0f, 0xc7, 0x0d, 8, 0x70, 0, 0], 0],
    ["push eax on 0x7c02", [0xbc, 2, 0x7c, 0, 0, 0x50, 0xbc, 0, 0x7c, 0, 0], 1],
    ["enter 2,0", [0xc8, 2, 0, 0, 0xbc, 0, 0x7c, 0, 0], 0],
  ];

  it.each(rows)("%s", (_, code, expected) => {
    expect(run(code, AC, AM).faults).toBe(expected);
    expect(run(code, 0, AM).faults).toBe(0);
    expect(run(code, AC, 0).faults).toBe(0);
    expect(run(code, AC, AM, 0).faults).toBe(0);
  });

  it("changes nothing when it faults", () => {
    const { m } = run([0xb8, 0x78, 0x56, 0x34, 0x12, 0xa3, 2, 0x70, 0, 0], AC, AM);
    expect([m.get32(0x7000), m.get32(0x7004)]).toEqual([0, 0]);
  });
});

describe("TLB", () => {
  const page = fc.nat(0xf_ffff);
  const op = fc.oneof(
    { arbitrary: fc.record({ op: fc.constant("set" as const), page, flags: fc.nat(0x7f) }), weight: 8 },
    { arbitrary: fc.record({ op: fc.constant("invlpg" as const), page }), weight: 3 },
    { arbitrary: fc.record({ op: fc.constant("flush" as const), keepGlobal: fc.boolean() }), weight: 1 },
    { arbitrary: fc.record({ op: fc.constant("derived" as const) }), weight: 1 },
    { arbitrary: fc.record({ op: fc.constant("reload" as const) }), weight: 1 },
  );

  const fast = [
    (t: Tlb) => t.readSupervisor,
    (t: Tlb) => t.readUser,
    (t: Tlb) => t.writeSupervisor,
    (t: Tlb) => t.writeUser,
  ];

  it("flushes what it holds and nothing is left behind", () => {
    const memory = new HostMemory(16);
    memory.touch(3);
    fc.assert(
      fc.property(fc.array(op, { maxLength: 120 }), (ops) => {
        const tlb = new Tlb(memory);
        const model = new Map<number, { la: number; flags: number }>();
        for (const o of ops) {
          if (o.op === "set") {
            const la = (o.page << 12) | 0;
            const i = (o.flags & 4) !== 0 ? Tlb.fetchIndex(la) : Tlb.dataIndex(la);
            tlb.set(i, la, 3, 3, o.flags);
            if ((o.flags & 4) === 0) tlb.derive(i, true);
            model.set(i, { la, flags: o.flags });
          } else if (o.op === "invlpg") {
            const la = (o.page << 12) | 0;
            tlb.invlpg(la);
            for (const [i, e] of model) {
              const same =
                e.la === la ||
                ((e.flags & 32) !== 0 && e.la >>> 21 === la >>> 21) ||
                ((e.flags & 64) !== 0 && (e.flags & 32) === 0 && e.la >>> 22 === la >>> 22) ||
                ((e.flags & 96) === 96 && e.la >>> 22 === la >>> 22);
              if (same) model.delete(i);
            }
          } else if (o.op === "flush") {
            tlb.flush(o.keepGlobal);
            for (const [i, e] of model) if (!o.keepGlobal || (e.flags & TLB_G) === 0) model.delete(i);
          } else if (o.op === "derived") {
            tlb.dropDerived();
          } else tlb.load(tlb.save(), () => 3);
          // One assertion a step: a thousand of them would take the test's time.
          const wrong: number[] = [];
          for (let i = 0; i < TLB_ENTRIES; i++) {
            const e = model.get(i);
            if (tlb.tags[i] !== (e === undefined ? 0 : e.la | 1)) wrong.push(i);
            if (e !== undefined || i >= DTLB_ENTRIES) continue;
            if (fast.some((words) => words(tlb)[i * 2] !== FAST_EMPTY)) wrong.push(i);
          }
          expect(wrong).toEqual([]);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("derives nothing wider than the entry", () => {
    const memory = new HostMemory(16);
    memory.touch(3);
    const tlb = new Tlb(memory);
    for (let flags = 0; flags < 32; flags++) {
      tlb.set(5, 0x5000, 3, 3, flags);
      tlb.derive(5, true);
      const u = (flags & TLB_U) !== 0;
      const w = (flags & (TLB_W | TLB_D)) === (TLB_W | TLB_D);
      const held = [tlb.readSupervisor, tlb.readUser, tlb.writeSupervisor, tlb.writeUser].map(
        (f) => f[10] === 0x5000,
      );
      expect(held).toEqual([true, u, w, u && w]);
    }
  });
});
