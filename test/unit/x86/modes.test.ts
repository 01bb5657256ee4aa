/**
 * Real mode, tasks and gates where qemu is no oracle (test/conformance/x86/modes.test.ts says why): what the manual says.
 */
import { describe, expect, it } from "vitest";
import {
  EXIT_TASK_SWITCH,
  RUN_EXIT,
  RUN_FAULTED,
  RUN_HALTED,
  RUN_RETIRED,
  RUN_SHUTDOWN,
  STEP_NORMAL,
} from "../../../core/x86/door.ts";
import { FLAG_AC, FLAG_NT, FLAG_RF, FLAG_VM } from "../../../core/x86/flags.ts";
import { TR } from "../../../core/x86/segment-cache.ts";
import { CR0_AM, CR0_PE } from "../../../core/x86/system.ts";
import { TestMachine } from "./test-machine.ts";

const GDT = 0x1000;
const IDT = 0x2000;
const CODE = 0x5000;

const descriptor = (m: TestMachine, selector: number, low: number, high: number): void => {
  m.set32(GDT + (selector & ~7), low);
  m.set32(GDT + (selector & ~7) + 4, high);
};
/** A segment or TSS: access byte, base below 16 MiB, limit below 1 MiB, flags nibble. */
const segment = (
  m: TestMachine,
  selector: number,
  base: number,
  limit: number,
  access: number,
  flags = 0,
): void =>
  descriptor(
    m,
    selector,
    (limit & 0xffff) | ((base & 0xffff) << 16),
    (base >>> 16) | (access << 8) | (limit & 0xf0000) | (flags << 20),
  );
const gate = (m: TestMachine, vector: number, selector: number, offset: number, access = 0x8e): void => {
  m.set32(IDT + vector * 8, (selector << 16) | (offset & 0xffff));
  m.set32(IDT + vector * 8 + 4, (offset & 0xffff_0000) | (access << 8));
};

/** Flat segments of levels 0 (08, 10) and 3 (1b, 23), 16-bit code (28) and stack (30), handlers that halt. */
function machine(code: readonly number[]): TestMachine {
  const m = new TestMachine();
  segment(m, 0x08, 0, 0xfffff, 0x9b, 0xc);
  segment(m, 0x10, 0, 0xfffff, 0x93, 0xc);
  segment(m, 0x18, 0, 0xfffff, 0xfb, 0xc);
  segment(m, 0x20, 0, 0xfffff, 0xf3, 0xc);
  segment(m, 0x28, 0, 0xffff, 0x9b, 0);
  segment(m, 0x30, 0, 0xffff, 0x93, 0);
  segment(m, 0x38, 0, 0xfffff, 0x9a, 0xc); // conforming later; accessed clear
  for (let v = 0; v < 32; v++) {
    gate(m, v, 0x08, 0x3000 + v * 16);
    m.bytes(0x3000 + v * 16, [0xf4]);
  }
  m.cpu.gdtBase = GDT;
  m.cpu.gdtLimit = 0xff;
  m.cpu.idtBase = IDT;
  m.cpu.idtLimit = 0x7ff;
  m.cpu.regs[4] = 0x8000;
  m.bytes(CODE, code);
  m.cpu.eip = CODE;
  return m;
}

/** A machine in real mode at CODE, segments 0, the vector table at 0. */
function real(code: readonly number[]): TestMachine {
  const m = new TestMachine();
  m.bytes(CODE, code);
  const { cpu } = m;
  cpu.powerOn();
  cpu.segSelector[1] = 0;
  cpu.segBase[1] = 0;
  cpu.segmentsChanged();
  cpu.eip = CODE;
  cpu.regs[4] = 0x8000;
  cpu.idtLimit = 0x3ff;
  for (let v = 0; v < 256; v++) {
    m.set32(v * 4, 0x3000 + (v & 31) * 16);
    m.bytes(0x3000 + (v & 31) * 16, [0xf4]);
  }
  return m;
}

const word = (m: TestMachine, at: number): number => m.get32(at) & 0xffff;

describe("reset", () => {
  it("is the manual's: real mode at FFFFFFF0, EDX the signature", () => {
    const m = new TestMachine();
    const { cpu } = m;
    cpu.regs.fill(7);
    cpu.retired = 5;
    cpu.powerOn();
    expect([...cpu.regs.slice(0, 8)]).toEqual([0, 0, 0x633, 0, 0, 0, 0, 0]);
    expect([cpu.eip, cpu.eflags, cpu.cr0 >>> 0, cpu.cr2, cpu.cr3, cpu.cr4]).toEqual([
      0xfff0, 2, 0x6000_0010, 0, 0, 0,
    ]);
    expect([cpu.segSelector[1], cpu.segBase[1]! >>> 0, cpu.segLimit[1]]).toEqual([
      0xf000, 0xffff_0000, 0xffff,
    ]);
    expect([cpu.segSelector[3], cpu.segBase[3], cpu.segLimit[3], cpu.segAttr[3]]).toEqual([
      0, 0, 0xffff, 0x93,
    ]);
    expect([cpu.idtBase, cpu.idtLimit, cpu.linearIp >>> 0, cpu.cpl, cpu.retired]).toEqual([
      0, 0xffff, 0xffff_fff0, 0, 5,
    ]);
    expect([cpu.dr[6]! >>> 0, cpu.dr[7]]).toEqual([0xffff_0ff0, 0x400]);
  });
});

describe("real mode", () => {
  it("pushes FLAGS, CS, IP, and no error code; clears IF, TF and AC", () => {
    const m = real([0x0f, 0x0b]); // ud2
    m.cpu.eflags = 0x4_0203;
    expect(m.cpu.run(10)).toBe(RUN_HALTED);
    expect([word(m, 0x7ffa), word(m, 0x7ffc), word(m, 0x7ffe)]).toEqual([CODE, 0, 0x0203]);
    expect(m.cpu.eflags & 0x4_0300).toBe(0);
  });

  it("raises #GP where an access, a fetch or a jump leaves 64 KiB, #SS on the stack", () => {
    const gp = real([0xbb, 0xff, 0xff, 0x8b, 0x07]); // mov bx,ffff; mov ax,[bx]
    expect(gp.cpu.run(10)).toBe(RUN_HALTED);
    expect([gp.cpu.eip, word(gp, 0x7ffa)]).toEqual([0x3000 + 13 * 16 + 1, CODE + 3]);
    const ss = real([0xbd, 0xff, 0xff, 0x8b, 0x46, 0x00]); // mov bp,ffff; mov ax,[bp]
    expect(ss.cpu.run(10)).toBe(RUN_HALTED);
    expect(ss.cpu.eip).toBe(0x3000 + 12 * 16 + 1);
    const far = real([0x66, 0xe9, 0, 0, 1, 0]); // jmp +10000h
    expect(far.cpu.run(10)).toBe(RUN_HALTED);
    expect(far.cpu.eip).toBe(0x3000 + 13 * 16 + 1);
    const end = real([0xe9, 0xfb, 0xaf]); // jmp fffeh
    end.bytes(0xfffe, [0xb8, 1, 2]); // mov ax,…: its last byte lies beyond
    expect(end.cpu.run(10)).toBe(RUN_HALTED);
    expect([end.cpu.eip, word(end, 0x7ffa)]).toEqual([0x3000 + 13 * 16 + 1, 0xfffe]);
  });

  it("shuts down when the vector table is too short for #DF as well", () => {
    const m = real([0x0f, 0x0b]);
    m.cpu.idtLimit = 3;
    expect(m.cpu.run(10)).toBe(RUN_SHUTDOWN);
  });

  it("leaves limits and attributes alone when it loads a segment, but makes CS writable", () => {
    const m = machine([
      ...[0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0], // cr0 &= ~PE
      ...[0x66, 0xea, 0, 0x51, 0x00, 0x00], // jmp 0:5100 (the segment is still 32-bit)
    ]);
    m.bytes(
      0x5100,
      [0x66, 0xb8, 0x00, 0x06, 0x8e, 0xd8, 0xa3, 0, 0, 0x20, 0, 0x2e, 0xa3, 0x04, 0x70, 0, 0, 0xf4],
    );
    expect(m.cpu.run(20)).toBe(RUN_HALTED);
    expect([m.cpu.segBase[3], m.cpu.segLimit[3]]).toEqual([0x6000, 0xffff_ffff]);
    expect([m.get32(0x20_6000) & 0xffff, m.get32(0x7004) & 0xffff]).toEqual([0x0600, 0x0600]);
    expect(m.cpu.cr0 & CR0_PE).toBe(0);
  });
});

describe("gates and stacks", () => {
  it("a call gate to conforming code keeps the level, and loads set the accessed bit", () => {
    const m = machine([0x6a, 0x23, 0x68, 0, 0x70, 0, 0, 0x6a, 0x1b, 0x68, 0, 0x51, 0, 0, 0xcb]); // retf to 1b:5100
    segment(m, 0x38, 0, 0xfffff, 0x9e, 0xc);
    descriptor(m, 0x40, 0x0038_5200, 0x0000_ec00);
    m.bytes(0x5100, [0x9a, 0, 0, 0, 0, 0x40, 0]);
    m.bytes(0x5200, [0x8c, 0xc8, 0xf4]); // mov eax,cs; hlt: #GP at level 3
    m.cpu.segAttr[7] = 0x8b;
    m.cpu.segBase[7] = 0x6000;
    m.cpu.segLimit[7] = 0x67;
    m.set32(0x6004, 0x8000);
    m.set32(0x6008, 0x10);
    expect(m.cpu.run(20)).toBe(RUN_HALTED);
    expect(m.cpu.regs[0]).toBe(0x3b);
    expect(m.get32(GDT + 0x38 + 4) & 0xff00).toBe(0x9f00);
  });

  it("a 16-bit interrupt gate has a 16-bit offset", () => {
    const m = machine([0xcd, 0x20]);
    gate(m, 0x20, 0x28, 0x0001_5300, 0x86);
    m.bytes(0x5300, [0xf4]);
    expect(m.cpu.run(5)).toBe(RUN_HALTED);
    expect(m.cpu.eip).toBe(0x5301);
    expect([word(m, 0x7ffa), word(m, 0x7ffc)]).toEqual([CODE + 2, 0x08]);
  });

  it("ENTER with a 32-bit operand on a 16-bit stack puts ESP with its upper half into EBP", () => {
    const m = machine([0xc8, 4, 0, 0, 0xf4]);
    m.cpu.segAttr[2] = 0x93;
    m.cpu.segLimit[2] = 0xffff;
    m.cpu.segmentsChanged();
    m.cpu.regs[4] = 0xabcd_0000 | 0;
    expect(m.cpu.run(5)).toBe(RUN_HALTED);
    expect([m.cpu.regs[5]! >>> 0, m.cpu.regs[4]! >>> 0]).toEqual([0xabcd_fffc, 0xabcd_fff8]);
  });

  it("faults push RF set, traps and software interrupts do not", () => {
    const fault = machine([0x0f, 0x0b]);
    fault.cpu.run(5);
    expect(fault.get32(0x7ffc) & FLAG_RF).toBe(FLAG_RF);
    const trap = machine([0xcc]);
    gate(trap, 3, 0x08, 0x3030, 0x8e);
    trap.cpu.run(5);
    expect(trap.get32(0x7ffc) & FLAG_RF).toBe(0);
  });
});

/** TSSs at 7100 (running, selector 48) and 7200 (selector 50). */
function tasks(code: readonly number[], access = 0x89): TestMachine {
  const m = machine(code);
  segment(m, 0x48, 0x7100, 0x67, 0x8b);
  segment(m, 0x50, 0x7200, 0x67, access);
  m.cpu.segSelector[7] = 0x48;
  m.cpu.segBase[7] = 0x7100;
  m.cpu.segLimit[7] = 0x67;
  m.cpu.segAttr[7] = 0x8b;
  const put = (offset: number, value: number): void => m.set32(0x7200 + offset, value);
  put(0x20, 0x5400);
  put(0x24, 2);
  put(0x28, 0x1111);
  put(0x38, 0x7800);
  for (const offset of [0x48, 0x50, 0x54, 0x58, 0x5c]) put(offset, 0x10);
  put(0x4c, 0x08);
  m.bytes(0x5400, [0xf4]);
  return m;
}
const CALL_TASK = [0x9a, 0, 0, 0, 0, 0x50, 0, 0xf4];

describe("tasks", () => {
  it("CALL nests: link, NT, both busy, TS; the T bit traps before the first instruction", () => {
    const m = tasks(CALL_TASK);
    m.set32(0x7264, 1);
    m.cpu.dr[7] = 0x4ff;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect([m.cpu.eip, m.cpu.regs[0], m.cpu.eflags & FLAG_NT]).toEqual([0x5400, 0x1111, FLAG_NT]);
    expect([word(m, 0x7200), m.get32(0x7120), m.cpu.segSelector[7]]).toEqual([0x48, CODE + 7, 0x50]);
    expect([m.get32(GDT + 0x4c) & 0x200, m.get32(GDT + 0x54) & 0x200]).toEqual([0x200, 0x200]);
    expect(m.cpu.cr0 & 8).toBe(8);
    expect(m.cpu.dr[7]).toBe(0x4aa); // local breakpoints go
    m.cpu.dr[7] = 0x400;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect([m.cpu.eip, m.cpu.dr[6]! & 0xe00f, m.get32(0x7800 - 12)]).toEqual([0x3010, 0x8000, 0x5400]);
  });

  it("a fault behind the commit point is the new task's", () => {
    const m = tasks(CALL_TASK);
    m.set32(0x7254, 0x18 | 0x1000); // DS beyond the table
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect(m.cpu.eip).toBe(0x3000 + 10 * 16);
    // On the new task's stack: error code, EIP, CS.
    expect([m.get32(0x7800 - 16), m.get32(0x7800 - 12), m.cpu.segSelector[7]]).toEqual([
      0x1018, 0x5400, 0x50,
    ]);
  });

  it("one before it changes nothing", () => {
    const m = tasks(CALL_TASK, 0x8b); // busy
    const before = m.memory.bytes.slice(m.base + 0x7100, m.base + 0x7300);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect([m.cpu.eip, m.get32(0x8000 - 16)]).toEqual([0x3000 + 13 * 16, 0x50]);
    expect(m.memory.bytes.slice(m.base + 0x7100, m.base + 0x7300)).toEqual(before);
    const absent = tasks(CALL_TASK);
    absent.identity();
    absent.set32(0x201000 + 7 * 4, 0); // the TSSs' page; the stack's too, so the fault cannot be told
    expect(absent.cpu.run(5)).toBe(RUN_SHUTDOWN);
    expect(absent.cpu.segSelector[7]).toBe(0x48);
  });

  it("exits before anything has changed where a hypervisor asks for it", () => {
    const m = tasks(CALL_TASK);
    m.cpu.intercepts = 1 << EXIT_TASK_SWITCH;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_EXIT);
    expect([m.cpu.exit.reason, m.cpu.exit.value, m.cpu.eip]).toEqual([EXIT_TASK_SWITCH, 0x50, CODE]);
    expect(m.get32(GDT + 0x54) & 0x200).toBe(0);
  });

  it("a task gate pushes the error code on the new stack, in the size of its TSS", () => {
    const m = tasks([0xea, 0, 0, 0, 0, 0xf0, 0]); // jmp f0:0: no such segment
    gate(m, 13, 0x50, 0, 0x85);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect([m.cpu.eip, m.cpu.regs[4], m.get32(0x77fc)]).toEqual([0x5400, 0x77fc, 0xf0]);
    expect(m.get32(0x7120)).toBe(CODE); // the fault's EIP is saved
    expect(m.get32(0x7124) & FLAG_RF).toBe(FLAG_RF);
  });
});

describe("what later processors gave a meaning", () => {
  it.each([
    ["LES of a register", [0xc4, 0xc0]],
    ["LDS of a register", [0xc5, 0xc0]],
    ["BOUND of a register", [0x62, 0xc0]],
    ["C7 /7", [0xc7, 0xf8, 0, 0, 0, 0]],
    ["C6 /7", [0xc6, 0xf8, 0]],
  ])("%s is #UD", (_, code) => {
    const m = machine(code);
    expect(m.cpu.run(5)).toBe(RUN_HALTED);
    expect(m.cpu.eip).toBe(0x3000 + 6 * 16 + 1);
  });
});

describe("virtual-8086 mode", () => {
  /** At 0000:5000 with a stack at `sp`; an event goes to level 0 with a stack at 9000. */
  function v86(code: readonly number[], sp: number, flags: number): TestMachine {
    const m = machine(code);
    const { cpu } = m;
    segment(m, 0x40, 0x6000, 0x67, 0x8b);
    cpu.segSelector[TR] = 0x40;
    cpu.segBase[TR] = 0x6000;
    cpu.segLimit[TR] = 0x67;
    cpu.segAttr[TR] = 0x8b;
    m.set32(0x6004, 0x9000);
    m.set32(0x6008, 0x10);
    cpu.cr0 |= CR0_AM;
    // IRETD's nine words.
    [CODE, 0, flags | FLAG_VM, sp, 0, 0, 0, 0, 0].forEach((word, i) => {
      m.set32(0x8000 + i * 4, word);
    });
    cpu.eip = 0x4000;
    m.bytes(0x4000, [0xcf]);
    expect(cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect(cpu.cpl).toBe(3);
    return m;
  }

  it.each([
    ["a near call", [0xe8, 0x00, 0x00]],
    ["a far call", [0x9a, 0x00, 0x50, 0x00, 0x00]],
    ["a far return", [0xcb]],
  ] as const)("%s on a stack that is not aligned raises #AC where it is asked for", (_name, code) => {
    const m = v86(code, 0x7001, FLAG_AC);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect(m.cpu.eip).toBe(0x3000 + 17 * 16);
    const other = v86(code, 0x7001, 0);
    expect(other.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
  });
});
