/**
 * The door: exact budgets, stepping equals running, exits that change nothing, deliveries that an exit cancels,
 * injection, the emulator's path, snapshots.
 */
import { describe, expect, it } from "vitest";
import { EV_EXCEPTION } from "../../../core/trace/events.ts";
import {
  ACCESS_FETCH,
  ACCESS_WRITE,
  type EmulatorPort,
  EXIT_CPUID,
  EXIT_EXTERNAL_INTERRUPT,
  EXIT_PF,
  EXIT_TRIPLE_FAULT,
  RUN_BREAK,
  RUN_BUDGET,
  RUN_EXIT,
  RUN_FAULTED,
  RUN_HALTED,
  RUN_RETIRED,
  RUN_SHUTDOWN,
  RUN_UNIMPLEMENTED,
  STEP_EMULATE,
  STEP_NO_INTERCEPT,
  STEP_NORMAL,
  VECTORING_EXTERNAL,
  VECTORING_HARDWARE_EXCEPTION,
  VECTORING_NONE,
  VECTORING_SOFTWARE_INTERRUPT,
} from "../../../core/x86/door.ts";
import { combine, exceptionClass } from "../../../core/x86/exceptions.ts";
import { hostWrite8 } from "../../../core/x86/writer.ts";
import { TestMachine } from "./test-machine.ts";

/** GDT at 0x1000 (flat code 08, data 10), IDT at 0x2000, every gate to 0x3000 + 16 * vector (HLT). */
function withTables(): TestMachine {
  const m = new TestMachine();
  m.bytes(0x1000, [0, 0, 0, 0, 0, 0, 0, 0]);
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
  return m;
}

const PT0 = 0x201000;
const map = (m: TestMachine, page: number, bits: number): void => {
  m.set32(PT0 + page * 4, (page << 12) | bits);
  m.cpu.paging.invlpg(page << 12);
};

const everything = (m: TestMachine): unknown => {
  const state = m.cpu.save();
  return { ...state, memory: Buffer.from(m.memory.bytes).toString("latin1") };
};

/** mov ecx, 50; l: add [0x7000], ecx; rep stosb of 3; inc; dec ecx; jnz l; hlt */
const LOOP = [
  0xb9, 50, 0, 0, 0, 0x01, 0x0d, 0, 0x70, 0, 0, 0x51, 0xb9, 3, 0, 0, 0, 0xbf, 0x10, 0x70, 0, 0, 0xf3, 0xaa,
  0x59, 0x40, 0x49, 0x75, 0xe8, 0xf4,
];

describe("budgets", () => {
  it("are exact, and every way to slice them ends in the same state", () => {
    const end: unknown[] = [];
    for (const slice of [1, 2, 3, 7, 64, 1000]) {
      const m = withTables();
      m.identity();
      m.bytes(0x5000, LOOP);
      let total = 0;
      for (;;) {
        const answer = m.cpu.run(Math.min(slice, 420 - total));
        if (answer !== RUN_BUDGET) throw new Error(`stopped with ${answer}`);
        total += Math.min(slice, 420 - total);
        expect(m.cpu.retired).toBe(total);
        if (total === 420) break;
      }
      end.push(everything(m));
    }
    const stepped = withTables();
    stepped.identity();
    stepped.bytes(0x5000, LOOP);
    for (let i = 0; i < 420; i++) expect(stepped.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    end.push(everything(stepped));
    for (const other of end) expect(other).toEqual(end[0]);
  });

  it("reaches HLT with the exact number of units", () => {
    const m = withTables();
    m.bytes(0x5000, LOOP);
    expect(m.cpu.run(100000)).toBe(RUN_HALTED);
    expect(m.cpu.retired).toBe(1 + 50 * (2 + 2 + 3 + 4) + 1);
    expect(m.get32(0x7000)).toBe(1275);
    expect(m.cpu.run(5)).toBe(RUN_HALTED);
  });

  it("time moves even when a handler can never begin", () => {
    const m = withTables();
    m.set32(0x2000 + 6 * 8, 0x80000 | 0x5000);
    m.bytes(0x5000, [0x0f, 0x0b]);
    expect(m.cpu.run(10)).toBe(RUN_BUDGET);
    expect(m.cpu.retired).toBe(10);
  });
});

describe("faults", () => {
  it("write nothing of a store whose second page faults", () => {
    const m = withTables();
    m.identity();
    m.cpu.regs[4] = 0xa000;
    map(m, 7, 0);
    m.bytes(0x5000, [0xa3, 0xfe, 0x6f, 0, 0]); // mov [0x6ffe], eax
    m.cpu.regs[0] = -1;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect(m.cpu.cr2).toBe(0x7000);
    expect(m.get32(0x6ffc)).toBe(0);
    expect([m.get32(0x9ff0), m.get32(0x9ff4), m.get32(0x9ff8)]).toEqual([2, 0x5000, 8]);
    expect(m.cpu.eip).toBe(0x3000 + 14 * 16);
    expect(m.cpu.retired).toBe(0);
    expect(m.trace.query(0, 9, new Set([EV_EXCEPTION]))[0]?.words).toEqual([14, 2, 0x7000]);
  });

  it("are raised for a fetch only when the instruction needs the page", () => {
    const m = withTables();
    m.identity();
    map(m, 6, 0);
    m.bytes(0x5ffd, [0x40, 0x40, 0xb8]); // inc eax; inc eax; mov eax, imm32 across the end
    m.cpu.eip = 0x5ffd;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect(m.cpu.cr2).toBe(0x6000);
    expect(m.get32(0x7ff4)).toBe(0x5fff);
  });

  it("raise #GP(0) beyond the limit of CS, also in the middle of an instruction", () => {
    const m = withTables();
    m.cpu.segLimit[1] = 0x5003;
    m.cpu.segmentsChanged();
    m.bytes(0x5000, [0x40, 0xb8, 1, 0, 0, 0]);
    expect(m.cpu.run(1)).toBe(RUN_BUDGET);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect(m.get32(0x7ff0)).toBe(0);
    expect(m.get32(0x7ff4)).toBe(0x5001);
    expect(m.cpu.eip).toBe(0x3000 + 13 * 16);
  });

  it("combine as table 6-5 says", () => {
    const contributory = [0, 10, 11, 12, 13];
    for (let first = 0; first < 20; first++) {
      for (let second = 0; second < 20; second++) {
        const a = contributory.includes(first);
        const b = contributory.includes(second);
        let want = 0;
        if (first === 8) want = b || second === 14 ? 2 : second === 8 ? 2 : 0;
        else if (a && b) want = 1;
        else if (first === 14 && (b || second === 14)) want = 1;
        else if ((a || first === 14) && second === 8) want = 1;
        expect([first, second, combine(exceptionClass(first), second)]).toEqual([first, second, want]);
      }
    }
  });

  it("become #DF and then shutdown, or an exit for it", () => {
    for (const armed of [false, true]) {
      const m = withTables();
      m.identity();
      m.cpu.regs[4] = 0x9000;
      map(m, 8, 0);
      m.bytes(0x5000, [0x0f, 0x0b]);
      if (armed) m.cpu.intercepts = 1 << EXIT_TRIPLE_FAULT;
      expect(m.cpu.run(10)).toBe(armed ? RUN_EXIT : RUN_SHUTDOWN);
      if (armed) expect(m.cpu.exit.reason).toBe(EXIT_TRIPLE_FAULT);
      expect(m.cpu.eip).toBe(0x5000);
    }
  });
});

describe("exits", () => {
  it("for #PF change nothing and start the instruction again", () => {
    const m = withTables();
    m.identity();
    m.cpu.intercepts = 1 << EXIT_PF;
    map(m, 7, 5);
    m.bytes(0x5000, [0xff, 0x05, 0x20, 0x70, 0, 0, 0xf4]); // inc dword [0x7020]; hlt
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect({ ...m.cpu.exit }).toMatchObject({
      reason: EXIT_PF,
      gva: 0x7020,
      error: 3,
      vectoringType: VECTORING_NONE,
    });
    expect([m.cpu.cr2, m.cpu.eip, m.cpu.retired]).toEqual([0, 0x5000, 0]);
    map(m, 7, 7);
    expect(m.cpu.run(10)).toBe(RUN_HALTED);
    expect(m.get32(0x7020)).toBe(1);
  });

  it("cancel a delivery: a software interrupt comes back by itself", () => {
    const m = withTables();
    m.identity();
    m.cpu.intercepts = 1 << EXIT_PF;
    map(m, 7, 5); // the stack
    m.bytes(0x5000, [0xcd, 0x40]);
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect({ ...m.cpu.exit }).toMatchObject({
      vectoringType: VECTORING_SOFTWARE_INTERRUPT,
      vectoringVector: 0x40,
      vectoringError: -1,
    });
    expect([m.cpu.regs[4], m.cpu.eip, m.cpu.pendingVector]).toEqual([0x8000, 0x5000, -1]);
    map(m, 7, 7);
    expect(m.cpu.run(1)).toBe(RUN_BUDGET);
    expect([m.cpu.regs[4], m.cpu.eip]).toEqual([0x7ff4, 0x3400]);
    expect(m.get32(0x7ff4)).toBe(0x5002);
  });

  it("cancel a delivery: an external interrupt stays pending with its vector, also in a snapshot", () => {
    const m = withTables();
    m.identity();
    m.cpu.intercepts = 1 << EXIT_PF;
    m.cpu.eflags = 0x202;
    map(m, 7, 5);
    m.bytes(0x5000, [0x90]);
    m.cpu.interruptLine = 0x24;
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect(m.cpu.exit.vectoringType).toBe(VECTORING_EXTERNAL);
    expect(m.cpu.pendingVector).toBe(0x24);
    m.cpu.interruptLine = -1;
    const state = m.cpu.save();
    m.cpu.cancelInjection();
    m.cpu.load(state);
    map(m, 7, 7);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect([m.cpu.eip, m.cpu.pendingVector, m.cpu.retired]).toEqual([0x3240, -1, 0]);
  });

  it("tell of a fault that was being delivered", () => {
    const m = withTables();
    m.identity();
    m.cpu.intercepts = 1 << EXIT_PF;
    map(m, 7, 5);
    m.bytes(0x5000, [0x8e, 0xd8]); // mov ds, ax
    m.cpu.regs[0] = 0x50;
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect({ ...m.cpu.exit }).toMatchObject({
      vectoringType: VECTORING_HARDWARE_EXCEPTION,
      vectoringVector: 13,
      vectoringError: 0x50,
    });
    expect([m.cpu.eip, m.cpu.pendingVector]).toEqual([0x5000, -1]);
  });

  it("are completed, or done without the exit", () => {
    const m = withTables();
    m.bytes(0x5000, [0x0f, 0xa2, 0x0f, 0xa2]);
    m.cpu.intercepts = 1 << EXIT_CPUID;
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect(m.cpu.exit.reason).toBe(EXIT_CPUID);
    m.cpu.complete();
    expect([m.cpu.eip, m.cpu.retired, m.cpu.regs[3]]).toEqual([0x5002, 1, 0]);
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect(m.cpu.step(STEP_NO_INTERCEPT)).toBe(RUN_RETIRED);
    expect([m.cpu.eip, m.cpu.retired]).toEqual([0x5004, 2]);
    expect(m.cpu.regs[3]).not.toBe(0);
  });

  it("come for the interrupt line when armed, only with IF", () => {
    const m = withTables();
    m.bytes(0x5000, [0x90, 0xfb, 0x90, 0x90]);
    m.cpu.intercepts = 1 << EXIT_EXTERNAL_INTERRUPT;
    m.cpu.interruptLine = 0x24;
    expect(m.cpu.run(10)).toBe(RUN_EXIT);
    expect(m.cpu.exit.reason).toBe(EXIT_EXTERNAL_INTERRUPT);
    expect(m.cpu.retired).toBe(3);
    m.cpu.inject(0x24, VECTORING_EXTERNAL, -1);
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_RETIRED);
    expect(m.cpu.eip).toBe(0x3240);
    expect(m.get32(0x7ff4)).toBe(0x5003);
  });

  it("inject a page fault with its code; CR2 is the caller's", () => {
    const m = withTables();
    m.cpu.cr2 = 0x1234;
    m.cpu.inject(14, VECTORING_HARDWARE_EXCEPTION, 6);
    expect(m.cpu.run(1)).toBe(RUN_BUDGET);
    expect(m.get32(0x7ff0)).toBe(6);
    expect(m.cpu.cr2).toBe(0x1234);
  });
});

class LoggingPort implements EmulatorPort {
  high = 0;
  readonly log: string[] = [];
  faultAt = -1;
  private readonly m: TestMachine;
  constructor(m: TestMachine) {
    this.m = m;
  }
  private bad(la: number, size: number, access: number): boolean {
    if (this.faultAt < la || this.faultAt >= la + size) return false;
    this.m.cpu.raisePageFault(this.faultAt, access & ~ACCESS_FETCH);
    return true;
  }
  check(la: number, size: number, access: number): boolean {
    return !this.bad(la, size, access);
  }
  read(la: number, size: number, access: number): number {
    if (this.bad(la, size, access)) return 0;
    if ((access & ACCESS_FETCH) === 0) this.log.push(`r${size} ${la.toString(16)}`);
    const at = this.m.base + la;
    if (size === 8) this.high = this.m.memory.view.getInt32(at + 4, true);
    const view = this.m.memory.view;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getInt32(at, true);
  }
  cr3Loaded(): boolean {
    return true;
  }

  write(la: number, size: number, low: number, high: number, access: number): void {
    if (this.bad(la, size, access)) return;
    expect(access & ACCESS_WRITE).toBe(ACCESS_WRITE);
    this.log.push(`w${size} ${la.toString(16)} ${(low >>> 0).toString(16)}`);
    for (let i = 0; i < size; i++) {
      const byte = ((i < 4 ? low : high) >>> (8 * (i & 3))) & 0xff;
      hostWrite8(this.m.memory, this.m.cpu, this.m.base + la + i, byte);
    }
  }
}

describe("the emulator's path", () => {
  it("takes every access of one instruction, and none afterwards", () => {
    const m = withTables();
    const port = new LoggingPort(m);
    m.cpu.emulator = port;
    m.bytes(0x5000, [0xff, 0x05, 0x20, 0x70, 0, 0, 0xff, 0x05, 0x20, 0x70, 0, 0]);
    expect(m.cpu.step(STEP_EMULATE)).toBe(RUN_RETIRED);
    expect(port.log).toEqual(["r4 7020", "w4 7020 1"]);
    expect(m.cpu.run(1)).toBe(RUN_BUDGET);
    expect(port.log).toHaveLength(2);
    expect(m.get32(0x7020)).toBe(2);
  });

  it("stores CMPXCHG8B as one access of 8 bytes", () => {
    const m = withTables();
    const port = new LoggingPort(m);
    m.cpu.emulator = port;
    m.bytes(0x5000, [0x0f, 0xc7, 0x0d, 0x20, 0x70, 0, 0]);
    m.cpu.regs[3] = 0x11;
    m.cpu.regs[1] = 0x22;
    expect(m.cpu.step(STEP_EMULATE)).toBe(RUN_RETIRED);
    expect(port.log).toEqual(["r8 7020", "w8 7020 11"]);
    expect(m.get32(0x7024)).toBe(0x22);
  });

  it("delivers a fault of the port through the guest's IDT in the same step", () => {
    const m = withTables();
    const port = new LoggingPort(m);
    port.faultAt = 0x7021;
    m.cpu.emulator = port;
    m.cpu.intercepts = 1 << EXIT_PF;
    m.bytes(0x5000, [0xff, 0x05, 0x20, 0x70, 0, 0]);
    expect(m.cpu.step(STEP_EMULATE)).toBe(RUN_FAULTED);
    expect([m.cpu.cr2, m.cpu.eip, m.cpu.retired]).toEqual([0x7021, 0x30e0, 0]);
    expect(port.log).toContain("w4 7ff0 2");
  });

  it("carries out a pending delivery", () => {
    const m = withTables();
    const port = new LoggingPort(m);
    m.cpu.emulator = port;
    m.cpu.inject(0x24, VECTORING_EXTERNAL, -1);
    expect(m.cpu.step(STEP_EMULATE)).toBe(RUN_RETIRED);
    expect(port.log.slice(-3)).toEqual(["w4 7ffc 2", "w4 7ff8 8", "w4 7ff4 5000"]);
  });
});

describe("the rest", () => {
  it("stops before a breakpoint, in the middle of a block too, and goes on from it", () => {
    const m = withTables();
    m.bytes(0x5000, [0x40, 0x40, 0x40, 0x40, 0xf4]);
    m.cpu.run(0);
    m.cpu.setBreakpoints([0x5002]);
    expect(m.cpu.run(100)).toBe(RUN_BREAK);
    expect([m.cpu.eip, m.cpu.retired]).toEqual([0x5002, 2]);
    expect(m.cpu.run(100)).toBe(RUN_HALTED);
    expect(m.cpu.regs[0]).toBe(4);
  });

  it("stops at what it does not have, with a name, and leaves EIP there", () => {
    const m = withTables();
    m.bytes(0x5000, [0x40, 0x0f, 0x37]); // inc eax; getsec
    expect(m.cpu.run(100)).toBe(RUN_UNIMPLEMENTED);
    expect([m.cpu.eip, m.cpu.retired, m.cpu.unimplemented]).toEqual([0x5001, 1, "getsec"]);
    m.cpu.unimplementedIsUd = true;
    expect(m.cpu.step(STEP_NORMAL)).toBe(RUN_FAULTED);
    expect(m.cpu.eip).toBe(0x3060);
  });

  it("runs on from a snapshot as it would have run, stale TLB entries included", () => {
    const first = withTables();
    first.identity();
    first.bytes(0x5000, LOOP);
    first.cpu.run(100);
    first.set32(PT0 + 7 * 4, 0x8007); // no INVLPG: the old frame goes on being used
    const second = withTables();
    second.memory.bytes.set(first.memory.bytes);
    second.cpu.load(first.cpu.save());
    expect(first.cpu.run(200)).toBe(second.cpu.run(200));
    expect(everything(second)).toEqual(everything(first));
    expect(first.get32(0x8000)).toBe(0);
  });

  it("drops code that somebody else wrote", () => {
    const m = withTables();
    m.bytes(0x5000, [0x40, 0xeb, 0xfd]); // l: inc eax; jmp l
    m.cpu.run(10);
    hostWrite8(m.memory, m.cpu, m.base + 0x5000, 0x48);
    m.cpu.regs[0] = 0;
    m.cpu.run(10);
    expect(m.cpu.regs[0]).toBe(-5);
  });
});
