/**
 * Blocks that go on through CALL, JMP and RET: what they hold, what drops them, and that none outlives its mapping.
 */
import { describe, expect, it } from "vitest";
import { RUN_BUDGET } from "../../../core/x86/door.ts";
import { fetchBlock } from "../../../core/x86/fetch.ts";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x5000;
const STACK = 0x8000;

/** CALL 5100; INC EAX; JMP 5200 … 5100: INC EBX; RET … 5200: INC ECX; JMP 6000 */
function program(): TestMachine {
  const m = new TestMachine();
  m.bytes(CODE, [0xe8, 0xfb, 0, 0, 0, 0x40, 0xe9, 0xf5, 0x01, 0, 0]);
  m.bytes(CODE + 0x100, [0x43, 0xc3]);
  m.bytes(CODE + 0x200, [0x41, 0xe9, 0xfa, 0x0d, 0, 0]);
  m.bytes(CODE + 0x1000, [0xf4]);
  m.cpu.eip = CODE;
  m.cpu.regs[4] = STACK;
  return m;
}
const names = (m: TestMachine): string[] => fetchBlock(m.cpu)!.insns.map((insn) => insn.row.name);

describe("a block", () => {
  it("goes on through CALL, RET and JMP within its page, and ends where it leaves it", () => {
    expect(names(program())).toEqual(["call", "inc", "ret", "inc", "jmp", "inc", "jmp"]);
  });

  it("ends at a RET that it holds no CALL for, and at a jump back into itself", () => {
    const m = program();
    m.cpu.eip = CODE + 0x100;
    expect(names(m)).toEqual(["inc", "ret"]);
    m.bytes(CODE + 0x300, [0x40, 0x41, 0xeb, 0xfc]);
    m.cpu.eip = CODE + 0x300;
    expect(names(m)).toEqual(["inc", "inc", "jmp"]);
  });

  it("is dropped by a store into any of its instructions, and by none into the holes between them", () => {
    const m = program();
    const { cpu } = m;
    const block = fetchBlock(cpu)!;
    const hfn = m.base / 4096 + 5;
    for (const at of [0x0b, 0x0f0, 0x102, 0x1ff, 0x206, 0xfff]) cpu.blocks.written(hfn, at, 1);
    expect(fetchBlock(cpu)).toBe(block);
    for (const at of [0x00, 0x04, 0x05, 0x06, 0x0a, 0x100, 0x101, 0x200, 0x205]) {
      const now = fetchBlock(cpu)!;
      cpu.blocks.written(hfn, at, 1);
      expect(fetchBlock(cpu)).not.toBe(now);
    }
    const now = fetchBlock(cpu)!;
    cpu.blocks.written(hfn, 0x1fe, 4);
    expect(fetchBlock(cpu)).not.toBe(now);
  });

  it("sees a CALL overwrite what it would have gone on with, when the stack is in its page", () => {
    const m = new TestMachine();
    // 5000: MOV ESP, 5108; CALL 5100 … 5100: INC EAX; INC EBX; four NOPs that the return address replaces
    m.bytes(CODE, [0xbc, 0x08, 0x51, 0, 0, 0xe8, 0xf6, 0, 0, 0]);
    m.bytes(CODE + 0x100, [0x40, 0x43, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90]);
    m.cpu.eip = CODE;
    m.cpu.run(4);
    // The return address 0000500a begins with OR DL, [EAX + 0].
    expect([m.cpu.regs[0], m.cpu.regs[3], m.cpu.eip]).toEqual([1, 1, CODE + 0x102]);
    m.cpu.run(2);
    expect(fetchBlock(m.cpu)!.insns[0]!.row.name).toBe("or");
  });

  it("raises a fault in its middle at the right EIP, with what ran before it retired", () => {
    const m = program();
    m.identity();
    const { cpu } = m;
    // 5100: MOV EAX, [0x3ff000], whose page is taken away
    m.bytes(CODE + 0x100, [0xa1, 0x00, 0xf0, 0x3f, 0x00, 0xc3]);
    m.set32(0x201000 + 0x3ff * 4, 0);
    // IDT at 0x7000: vector 14 to 0x7800
    cpu.idtBase = 0x7000;
    m.bytes(0x1000, [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0]);
    cpu.gdtBase = 0x1000;
    m.bytes(0x7000 + 14 * 8, [0x00, 0x78, 0x08, 0, 0, 0x8e, 0, 0]);
    m.bytes(0x7800, [0xeb, 0xfe]);
    expect(cpu.run(2)).toBe(RUN_BUDGET);
    // CALL retired, and one JMP in the handler; the stack has the error code, EIP, CS, EFLAGS and the return address.
    expect([cpu.eip, cpu.cr2, cpu.retired]).toEqual([0x7800, 0x3f_f000, 2]);
    expect([m.get32(STACK - 20), m.get32(STACK - 16), m.get32(STACK - 4)]).toEqual([
      0,
      CODE + 0x100,
      CODE + 5,
    ]);
  });

  it("is followed by what the page tables say now, not by what once came after it", () => {
    const m = new TestMachine();
    m.identity();
    const { cpu } = m;
    // 5000: CALL 6000; DEC ECX; JNZ 5000; JMP $ … 6000 on frame 6: INC EAX; RET, on frame 9: INC EBX; RET
    m.bytes(CODE, [0xe8, 0xfb, 0x0f, 0, 0, 0x49, 0x75, 0xf8, 0xeb, 0xfe]);
    m.bytes(0x6000, [0x40, 0xc3]);
    m.bytes(0x9000, [0x43, 0xc3]);
    cpu.eip = CODE;
    cpu.regs[1] = 100;
    cpu.regs[4] = STACK;
    cpu.run(5 * 10);
    expect([cpu.regs[0], cpu.regs[3], cpu.eip]).toEqual([10, 0, CODE]);
    m.set32(0x201000 + 6 * 4, 0x9007);
    // The TLB still has the old one.
    cpu.run(5 * 10);
    expect([cpu.regs[0], cpu.regs[3]]).toEqual([20, 0]);
    cpu.paging.invlpg(0x6000);
    cpu.run(5 * 10);
    expect([cpu.regs[0], cpu.regs[3]]).toEqual([20, 10]);
    // And a page that went away faults at the call's target.
    m.set32(0x201000 + 6 * 4, 0);
    cpu.paging.invlpg(0x6000);
    cpu.idtLimit = 0;
    cpu.run(5);
    expect([cpu.eip, cpu.cr2 >>> 0, cpu.regs[3]]).toEqual([0x6000, 0x6000, 10]);
  });

  it("tells a handler the time and the EIP of its instruction", () => {
    const m = program();
    m.cpu.write32(2, STACK - 4, 0); // so that the TLB knows the stack, and CALL needs no handler
    const times: number[] = [];
    const block = fetchBlock(m.cpu)!;
    for (const insn of block.insns.filter((i) => i.row.name === "inc")) {
      const exec = insn.exec;
      insn.hot = 0;
      insn.exec = (cpu, i) => {
        times.push(cpu.time, cpu.traceEip);
        return exec(cpu, i);
      };
    }
    m.cpu.run(block.count);
    expect(times).toEqual([1, CODE + 0x100, 3, CODE + 5, 5, CODE + 0x200]);
  });
});
