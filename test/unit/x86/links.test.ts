/**
 * What the run loop remembers from block to block, and of the stack's page: that it outlives a flush of the TLB, and not
 * what it depends on.
 */
import { describe, expect, it } from "vitest";
import { STEP_NORMAL } from "../../../core/x86/door.ts";
import { CS } from "../../../core/x86/isa/insn.ts";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x5000;
const TABLE = 0x20_1000;
/** Frame that other code lies in. */
const OTHER = 0x40;

describe("a link from block to block", () => {
  /** At 5000: INC EBX; DEC ECX; JNZ 5000; HLT. In the other frame INC EDX instead. */
  function loop(): TestMachine {
    const m = new TestMachine();
    m.identity();
    m.bytes(CODE, [0x43, 0x49, 0x75, 0xfc, 0xf4]);
    m.bytes(OTHER << 12, [0x42, 0x49, 0x75, 0xfc, 0xf4]);
    m.cpu.eip = CODE;
    m.cpu.regs[1] = 1000;
    m.cpu.run(30);
    return m;
  }

  it("goes on behind a flush", () => {
    const m = loop();
    for (let i = 0; i < 5; i++) {
      m.cpu.paging.flush(1, false);
      m.cpu.run(30);
    }
    expect([m.cpu.regs[3], m.cpu.regs[2], m.cpu.retired]).toEqual([60, 0, 180]);
  });

  it("leads nowhere when the page lies in another frame, and holds again when it is back", () => {
    const m = loop();
    const { cpu } = m;
    const put = (frame: number): void => {
      m.set32(TABLE + 5 * 4, (frame << 12) | 7);
      cpu.paging.flush(1, false);
    };
    put(OTHER);
    cpu.run(30);
    expect([cpu.regs[3], cpu.regs[2]]).toEqual([10, 10]);
    put(5);
    cpu.run(30);
    expect([cpu.regs[3], cpu.regs[2]]).toEqual([20, 10]);
  });

  it("holds for one base of CS", () => {
    const m = new TestMachine();
    const { cpu } = m;
    // JMP EAX; at 5100 INC EBX, at 5200 INC EDX, each with a jump back to 5000.
    m.bytes(CODE, [0xff, 0xe0]);
    m.bytes(CODE + 0x100, [0x43, 0xe9, 0xfa, 0xfe, 0xff, 0xff]);
    m.bytes(CODE + 0x200, [0x42, 0xe9, 0xfa, 0xfd, 0xff, 0xff]);
    const at = (base: number): void => {
      cpu.segBase[CS] = base;
      cpu.segmentsChanged();
      cpu.eip = CODE - base;
      cpu.regs[0] = 0x5100;
      cpu.run(30);
    };
    at(0);
    expect([cpu.regs[3], cpu.regs[2]]).toEqual([10, 0]);
    at(0x100);
    expect([cpu.regs[3], cpu.regs[2]]).toEqual([10, 10]);
    at(0);
    expect([cpu.regs[3], cpu.regs[2]]).toEqual([20, 10]);
  });
});

describe("the stack's page", () => {
  /** Pushes and pops over the border of two pages that lie in frames far apart, in a loop. */
  function borders(rights: number): TestMachine {
    const m = new TestMachine();
    m.identity();
    m.set32(TABLE + 8 * 4, (0x60 << 12) | 7);
    m.set32(TABLE + 9 * 4, (0x50 << 12) | rights);
    // PUSH EAX; PUSH EBX; INC EAX; POP EDX; PUSH 12345678; POP ESI; POP EDI; DEC ECX; JNZ 5000; HLT
    m.bytes(CODE, [0x50, 0x53, 0x40, 0x5a, 0x68, 0x78, 0x56, 0x34, 0x12, 0x5e, 0x5f, 0x49, 0x75, 0xf2, 0xf4]);
    const { regs } = m.cpu;
    m.cpu.eip = CODE;
    regs[1] = 20;
    regs[3] = 0x0bad_cafe;
    regs[4] = 0x9004;
    return m;
  }
  const state = (m: TestMachine): unknown => [
    [...m.cpu.regs.subarray(0, 8)],
    m.cpu.eip,
    m.cpu.retired,
    [0x5_0000, 0x6_0ffc].map((gpa) => m.get32(gpa)),
  ];

  for (const [what, rights] of [
    ["both writable", 7],
    ["the upper one read-only (CR0.WP: a fault, which nobody can deliver)", 5],
  ] as const) {
    it(`changes over a border as the handlers say: ${what}`, () => {
      const run = borders(rights);
      run.cpu.run(170);
      const stepped = borders(rights);
      for (let i = 0; i < 170 && stepped.cpu.retired < run.cpu.retired; i++) stepped.cpu.step(STEP_NORMAL);
      expect(state(run)).toEqual(state(stepped));
      expect(run.cpu.retired > 0).toBe(rights === 7);
    });
  }
});
