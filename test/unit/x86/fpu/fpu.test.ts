/**
 * x87 around its arithmetic: reset, #NM, exceptions that wait (#MF, FERR# and IGNNE#), the environment in real mode,
 * faults within an operand, CPUID, snapshots.
 */
import { describe, expect, it } from "vitest";
import { cpuidLeaf } from "../../../../core/x86/cpuid.ts";
import { RUN_BUDGET, RUN_FAULTED, RUN_HALTED, RUN_RETIRED, STEP_NORMAL } from "../../../../core/x86/door.ts";
import { NM, PF, UD } from "../../../../core/x86/exceptions.ts";
import { FCS, FDP, FDS, FIP, FOP } from "../../../../core/x86/fpu/state.ts";
import { TestMachine } from "../test-machine.ts";

const MF = 16;
const GP = 13;

/** GDT at 0x1000, IDT at 0x2000, every gate to 0x3000 + 16 * vector: HLT. Code at 0x5000, NE set. */
function withTables(): TestMachine {
  const m = new TestMachine();
  m.set32(0x1008, 0xffff);
  m.set32(0x100c, 0xcf9b00);
  m.set32(0x1010, 0xffff);
  m.set32(0x1014, 0xcf9300);
  for (let v = 0; v < 256; v++) {
    m.set32(0x2000 + v * 8, 0x80000 | (0x3000 + v * 16));
    m.set32(0x2004 + v * 8, 0x8e00);
    m.bytes(0x3000 + v * 16, [0xf4]);
  }
  m.cpu.gdtBase = 0x1000;
  m.cpu.gdtLimit = 0x17;
  m.cpu.idtBase = 0x2000;
  m.cpu.idtLimit = 0x7ff;
  m.cpu.regs[4] = 0x8000;
  m.cpu.eip = 0x5000;
  m.cpu.cr0 |= 0x20;
  return m;
}

/** Runs code from 0x5000 until a HLT: the vector of the exception that ended it, or -1. */
function vectorOf(m: TestMachine, code: readonly number[]): number {
  m.bytes(0x5000, [...code, 0xf4]);
  m.cpu.codeChanged((m.base + 0x5000) >>> 12);
  m.cpu.eip = 0x5000;
  m.cpu.halted = false;
  expect(m.cpu.run(1000)).toBe(RUN_HALTED);
  const at = m.cpu.eip - 1;
  return at >= 0x3000 && at < 0x4000 ? (at - 0x3000) / 16 : -1;
}

const FNINIT = [0xdb, 0xe3];
const FLD1 = [0xd9, 0xe8];
const FLDZ = [0xd9, 0xee];
const FWAIT = [0x9b];
const FNCLEX = [0xdb, 0xe2];
/** fld1; fldz; fdivp: 1 / 0 */
const DIVIDE = [...FLD1, ...FLDZ, 0xde, 0xf9];
/** or byte [m], x; and so on are not needed: fldcw from 0x6000 */
const FLDCW = [0xd9, 0x2d, 0, 0x60, 0, 0];
/** The environment at 0x7000. */
const FNSTENV = [0xd9, 0x35, 0, 0x70, 0, 0];

describe("x87 at reset", () => {
  it("has control word 0040, eight registers of +0 that are not empty, and is on", () => {
    const m = withTables();
    expect(vectorOf(m, FNSTENV)).toBe(-1);
    // FNSTENV masks all exceptions, behind what it stores.
    expect([m.get32(0x7000), m.get32(0x7004), m.get32(0x7008)]).toEqual([
      0xffff_0040, 0xffff_0000, 0xffff_5555,
    ]);
    expect(m.cpu.fpu.cw).toBe(0x7f);
  });

  it("is another state than FNINIT's", () => {
    const m = withTables();
    vectorOf(m, [...FNINIT, ...FNSTENV]);
    expect([m.get32(0x7000), m.get32(0x7004), m.get32(0x7008)]).toEqual([
      0xffff_037f, 0xffff_0000, 0xffff_ffff,
    ]);
  });

  it("CPUID offers x87 and FXSAVE, and neither MMX nor SSE, whose instructions raise #UD", () => {
    const features = cpuidLeaf(1)[3];
    expect([features & 1, (features >>> 23) & 1, (features >>> 24) & 1, (features >>> 25) & 7]).toEqual([
      1, 0, 1, 0,
    ]);
    const m = withTables();
    for (const code of [
      [0x0f, 0x77], // emms
      [0x0f, 0x58, 0xc1], // addps
      [0x0f, 0xae, 0x15, 0, 0x70, 0, 0], // ldmxcsr
      [0xdb, 0x0d, 0, 0x70, 0, 0], // fisttp, SSE3's
    ]) {
      expect(vectorOf(m, code)).toBe(UD);
    }
  });
});

describe("#NM (SDM vol. 3, table 2-2)", () => {
  const CASES: readonly (readonly [string, number, number, number])[] = [
    // CR0 bits, a floating-point instruction, FWAIT
    ["none", 0, -1, -1],
    ["MP", 2, -1, -1],
    ["EM", 4, NM, -1],
    ["EM MP", 6, NM, -1],
    ["TS", 8, NM, -1],
    ["TS MP", 10, NM, NM],
    ["TS EM", 12, NM, -1],
    ["TS EM MP", 14, NM, NM],
  ];
  it.each(CASES)("with %s", (_name, bits, floating, wait) => {
    const m = withTables();
    m.cpu.cr0 |= bits;
    m.set32(0x6000, 0x37f);
    for (const code of [FNINIT, FLD1, FNSTENV, FLDCW, [0xdf, 0xe0]]) expect(vectorOf(m, code)).toBe(floating);
    expect(vectorOf(m, FWAIT)).toBe(wait);
    // FXSAVE: #UD under EM, else #NM under TS
    expect(vectorOf(m, [0x0f, 0xae, 0x05, 0, 0x70, 0, 0])).toBe(
      (bits & 4) !== 0 ? UD : (bits & 8) !== 0 ? NM : -1,
    );
  });
});

describe("an exception that is not masked", () => {
  it("waits for the next instruction that waits: #MF there, and control instructions pass", () => {
    const m = withTables();
    m.set32(0x6000, 0x037b); // ZM clear
    m.cpu.fpu.init();
    m.bytes(0x5000, [...FLDCW, ...DIVIDE, 0x90, 0xdf, 0xe0, ...FLD1]);
    const ends = [6, 8, 10, 12, 13, 15]; // fldcw fld1 fldz fdivp nop fnstsw
    for (const end of ends) {
      expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
      expect(m.cpu.eip).toBe(0x5000 + end);
    }
    expect(m.cpu.regs[0]! & 0xffff).toBe(0xb084); // B, ES, ZE, TOP 6: neither stored nor popped
    expect(m.cpu.fpu.full).toBe(0xc0);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect(m.cpu.eip).toBe(0x3000 + 16 * MF);
    expect(m.get32(m.cpu.regs[4]!)).toBe(0x500f); // a fault: the FLD1 that was not run
    expect(m.cpu.fpu.last[FIP]).toBe(0x500a); // the FDIVP that caused it
    expect(m.cpu.fpu.last[FOP]).toBe(0x6f9);
  });

  it("is reported by FWAIT, and FNCLEX forgets it", () => {
    const m = withTables();
    m.set32(0x6000, 0x037b);
    expect(vectorOf(m, [...FNINIT, ...FLDCW, ...DIVIDE, ...FWAIT])).toBe(MF);
    expect(vectorOf(m, [...FNCLEX, ...FNINIT, ...FLDCW, ...DIVIDE, ...FNCLEX, ...FWAIT, ...FLD1])).toBe(-1);
  });

  it("begins when FLDCW unmasks a flag that is set", () => {
    const m = withTables();
    m.set32(0x6000, 0x037b);
    expect(vectorOf(m, [...FNINIT, ...DIVIDE, ...FLDCW, 0xdf, 0xe0, ...FLD1])).toBe(MF);
    expect(m.cpu.regs[0]! & 0x8084).toBe(0x8084);
  });
});

describe("the old way, CR0.NE = 0 (SDM vol. 1, 8.7.2)", () => {
  /** FERR# wired to vector 0x75 as the PC has it; port 0xF0 asserts IGNNE#. */
  function pc(): { m: TestMachine; levels: boolean[] } {
    const m = withTables();
    const levels: boolean[] = [];
    m.cpu.cr0 &= ~0x20;
    m.cpu.ferr = (asserted) => {
      levels.push(asserted);
      if (asserted) m.cpu.interruptLine = 0x75;
    };
    m.cpu.acknowledged = () => {
      m.cpu.interruptLine = -1;
    };
    m.set32(0x6000, 0x037b);
    return { m, levels };
  }

  it("asserts FERR# when the exception comes, and the interrupt's handler can clear it", () => {
    const { m, levels } = pc();
    m.bytes(0x3750, [...FNCLEX, 0xcf]); // fnclex; iretd
    expect(vectorOf(m, [...FNINIT, 0xfb, 0x90, ...FLDCW, ...DIVIDE, 0x90, ...FLD1])).toBe(-1);
    expect(levels).toEqual([true, false]);
    expect(m.cpu.fpu.sw & 0x84).toBe(0);
  });

  it("stands still before the next instruction that waits, with interrupts off", () => {
    const { m, levels } = pc();
    m.bytes(0x5000, [...FNINIT, ...FLDCW, ...DIVIDE, ...FLD1, 0xf4]);
    expect(m.cpu.run(1000)).toBe(RUN_HALTED);
    expect(m.cpu.eip).toBe(0x500e); // at the FLD1
    expect(levels).toEqual([true]);
    // The interrupt gets through later; the handler sets IGNNE# as port F0 does, and the instruction goes on.
    m.bytes(0x3750, [0x40, 0xcf]); // inc eax; iretd
    m.cpu.codeChanged((m.base + 0x3000) >>> 12);
    m.cpu.eflags |= 0x200;
    m.cpu.fpu.ignne = true;
    const full = m.cpu.fpu.full;
    expect(m.cpu.run(1000)).toBe(RUN_HALTED);
    expect(m.cpu.eip).toBe(0x5011); // behind the HLT
    expect(m.cpu.regs[0]).toBe(1);
    expect(m.cpu.fpu.full).not.toBe(full);
  });

  it("tells nobody under CR0.NE", () => {
    const { m, levels } = pc();
    m.cpu.cr0 |= 0x20;
    expect(vectorOf(m, [...FNINIT, ...FLDCW, ...DIVIDE])).toBe(-1);
    expect(levels).toEqual([]);
  });
});

describe("the environment in real-address format (SDM vol. 1, figures 8-10 and 8-12)", () => {
  function stored(code: readonly number[]): TestMachine {
    const m = withTables();
    m.cpu.cr0 &= ~1;
    m.cpu.fpu.init();
    m.cpu.fpu.last.set([0x4321, 0x5678, 0x1fe, 0x8765, 0x9abc]);
    m.bytes(0x5000, code);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    return m;
  }
  it("32 bits: pointers are linear, in two parts", () => {
    const m = stored(FNSTENV);
    // 0x56780 + 0x4321 = 0x5aaa1, 0x9abc0 + 0x8765 = 0xa3325
    expect([12, 16, 20, 24].map((at) => m.get32(0x7000 + at))).toEqual([
      0xffff_aaa1, 0x0000_51fe, 0xffff_3325, 0x0000_a000,
    ]);
  });
  it("16 bits: twenty bits of them", () => {
    const m = stored([0x66, ...FNSTENV]);
    expect([6, 10].map((at) => m.get32(0x7000 + at))).toEqual([0x51fe_aaa1, 0xa000_3325]);
  });
  it("loads as linear addresses again", () => {
    const m = stored(FNSTENV);
    m.cpu.fpu.last.fill(0);
    m.bytes(0x5100, [0xd9, 0x25, 0, 0x70, 0, 0]); // fldenv
    m.cpu.eip = 0x5100;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    const { last } = m.cpu.fpu;
    expect([FIP, FCS, FOP, FDP, FDS].map((i) => last[i])).toEqual([0x5aaa1, 0, 0x1fe, 0xa3325, 0]);
  });
});

describe("an operand on two pages, the second not there", () => {
  const MEMORY_FORMS: readonly (readonly [string, readonly number[], number])[] = [
    ["fst m64", [0xdd, 0x15], 8],
    ["fstp m80", [0xdb, 0x3d], 10],
    ["fistp m64", [0xdf, 0x3d], 8],
    ["fbstp", [0xdf, 0x35], 10],
    ["fld m80", [0xdb, 0x2d], 10],
    ["fadd m64", [0xdc, 0x05], 8],
    ["fnstenv", [0xd9, 0x35], 28],
    ["fnsave", [0xdd, 0x35], 108],
    ["frstor", [0xdd, 0x25], 108],
    ["fxsave", [0x0f, 0xae, 0x05], 160],
    ["fxrstor", [0x0f, 0xae, 0x0d], 160],
  ];
  it.each(MEMORY_FORMS)("%s faults at the second page and has changed nothing", (name, code, size) => {
    const m = withTables();
    m.identity();
    vectorOf(m, [...FNINIT, ...FLD1, 0xd9, 0xeb, 0xd9, 0xea]);
    const before = m.cpu.fpu.save();
    m.set32(0x201000 + 11 * 4, 0); // page 0xb000
    m.cpu.paging.flush(1, false);
    const at = 0xb000 - (name.startsWith("fx") ? 0x90 : size / 2);
    for (let i = at & ~3; i < 0xb000; i += 4) m.set32(i, 0xa5a5_a5a5);
    expect(vectorOf(m, [...code, at & 0xff, at >>> 8, 0, 0])).toBe(PF);
    expect(m.cpu.cr2).toBe(0xb000);
    expect(m.cpu.fpu.save()).toEqual(before);
    for (let i = at & ~3; i < 0xb000; i += 4) expect(m.get32(i)).toBe(0xa5a5_a5a5);
  });
});

describe("FXSAVE and FXRSTOR", () => {
  it("want 16-byte alignment", () => {
    expect(vectorOf(withTables(), [0x0f, 0xae, 0x05, 8, 0x70, 0, 0])).toBe(GP);
  });

  it("carry everything over, leave what is reserved, and do not initialise", () => {
    const m = withTables();
    for (let i = 0; i < 512; i += 4) m.set32(0x7000 + i, 0x1111_1111);
    vectorOf(m, [...FNINIT, ...FLD1, 0xd9, 0xeb]);
    const saved = m.cpu.fpu.save();
    vectorOf(m, [0x0f, 0xae, 0x05, 0, 0x70, 0, 0]);
    expect(m.cpu.fpu.save()).toEqual(saved);
    expect(m.get32(0x7000 + 24)).toBe(0x1111_1111); // MXCSR, which it has not
    expect(m.get32(0x7000 + 160)).toBe(0x1111_1111);
    expect(m.get32(0x7004)).toBe(0x1eb_00c0); // FLDPI, two registers
    m.cpu.fpu.reset();
    vectorOf(m, [0x0f, 0xae, 0x0d, 0, 0x70, 0, 0]);
    expect(m.cpu.fpu.save()).toEqual(saved);
  });
});

describe("a snapshot", () => {
  it("holds the unit, an exception that waits included", () => {
    const first = withTables();
    first.set32(0x6000, 0x0360); // invalid, denormal … masked not at all
    first.bytes(0x5000, [...FNINIT, ...FLDCW, ...FLD1, 0xd9, 0xfa, ...FLDZ, 0xde, 0xf9, ...FLD1, 0xf4]);
    expect(first.cpu.run(6)).toBe(RUN_BUDGET);
    const second = withTables();
    second.memory.bytes.set(first.memory.bytes);
    second.cpu.load(first.cpu.save());
    for (const m of [first, second]) {
      expect(m.cpu.run(100)).toBe(RUN_HALTED);
      expect(m.cpu.eip).toBe(0x3000 + 16 * MF + 1);
    }
    expect(second.cpu.save()).toEqual(first.cpu.save());
  });
});
