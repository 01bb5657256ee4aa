/**
 * The instructions that the run loop carries out itself do exactly what their handlers do; and a block that its own
 * instruction overwrites.
 */
import { describe, expect, it } from "vitest";
import { fetchBlock } from "../../../core/x86/fetch.ts";
import { HOT_HANDLERS } from "../../../core/x86/hot.ts";
import { decode } from "../../../core/x86/isa/decode.ts";
import { CS, type Exec } from "../../../core/x86/isa/insn.ts";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x5000;
const DATA = 0x8000;
const STACK = 0xa000;
/** JMP to another page, so that the block ends. */
const AWAY = [0xe9, 0x00, 0x40, 0x00, 0x00];

/** Numbers that are the same in every run. */
function numbers(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x;
  };
}

/** Encodings of an instruction that each of the handlers carries out: `cases` for each. */
function encodings(cases: number): Map<Exec, number[][]> {
  const found = new Map<Exec, number[][]>(HOT_HANDLERS.map((exec) => [exec, []]));
  const next = numbers(0x1234_5678);
  let missing = found.size;
  for (let tries = 0; missing > 0 && tries < 3_000_000; tries++) {
    const bytes = new Uint8Array(16);
    for (let i = 0; i < bytes.length; i++) bytes[i] = next();
    if ((tries & 3) === 0) bytes[0] = 0x0f;
    const insn = decode(bytes, 0, 15, true);
    const list = insn === null ? undefined : found.get(insn.exec);
    if (insn === null || list === undefined || list.length >= cases) continue;
    list.push([...bytes.subarray(0, insn.length)]);
    if (list.length === cases) missing--;
  }
  return found;
}

describe("an instruction that the run loop carries out itself", () => {
  const found = encodings(10);
  const random = numbers(99);

  const one = new TestMachine(64);
  const other = new TestMachine(64);
  // While somebody traces, INVLPG is its handler's.
  for (const m of [one, other]) m.trace.on = false;

  /** `m` before `code`, the memory operand at DATA + `at`; the TLB knows what may be touched. */
  function prepared(
    m: TestMachine,
    code: readonly number[],
    words: readonly number[],
    at: number,
  ): TestMachine {
    m.cpu.reset();
    m.bytes(CODE, code);
    m.bytes(CODE + code.length, AWAY);
    const { cpu } = m;
    cpu.eip = CODE;
    for (let i = 0; i < 8; i++) cpu.regs[i] = words[i]!;
    cpu.regs[4] = STACK;
    cpu.eflags = words[8]! & 0x8d5;
    for (let i = 0; i < 64; i += 4) {
      m.set32(DATA + i, words[i >> 2]!);
      m.set32(STACK - 32 + i, words[(i >> 2) ^ 5]!);
    }
    const insn = fetchBlock(cpu)!.insns[0]!;
    // LEAVE takes its frame from EBP.
    if (insn.row.name === "leave") cpu.regs[5] = STACK - 8;
    const r = cpu.regs;
    if (!insn.isReg) {
      insn.disp = (DATA + at - (r[insn.base]! + (r[insn.index]! << insn.scale))) | 0;
    }
    for (const page of [DATA, STACK - 4, STACK]) cpu.write32(3, page, cpu.read32(3, page));
    return m;
  }
  const outcome = (m: TestMachine) => ({
    regs: [...m.cpu.regs],
    eip: m.cpu.eip,
    retired: m.cpu.retired,
    tlb: m.cpu.tlb.entries(),
    data: [...m.memory.bytes.subarray(m.base + DATA, m.base + DATA + 64)],
    stack: [...m.memory.bytes.subarray(m.base + STACK - 32, m.base + STACK + 32)],
  });

  it.each(HOT_HANDLERS.map((exec) => [exec.name, exec] as const))("does what %s does", (_name, exec) => {
    const list = found.get(exec)!;
    expect(list.length).toBeGreaterThan(0);
    for (const code of list) {
      for (let k = 0; k < 3; k++) {
        const words = Array.from({ length: 16 }, () => (k === 0 ? random() >> 28 : random()));
        const narrow = /8|16/.test(exec.name) ? (random() & 15) * 2 : (random() & 7) * 4;
        const hot = prepared(one, code, words, narrow);
        const called = prepared(other, code, words, narrow);
        const block = fetchBlock(hot.cpu)!;
        const insn = block.insns[0]!;
        // A branch that the block follows has a test of its own: programs of them are run both ways.
        if (block.count > 1 && insn.row.ends) continue;
        let calls = 0;
        insn.exec = (cpu, i) => {
          calls++;
          return exec(cpu, i);
        };
        hot.cpu.run(block.count);
        for (let n = 0; n < block.count; n++) called.cpu.step(0);
        expect(outcome(hot)).toEqual(outcome(called));
        // Nobody may store into CS, and the 16-bit LEAVE is not one of them.
        if (insn.hot !== 0 && insn.seg !== CS) expect(calls).toBe(0);
      }
    }
  });
});

describe("a REP instruction that stores into its own block", () => {
  it("goes on to its end, and what it wrote is what runs next", () => {
    const m = new TestMachine();
    // MOV ECX, 8; MOV EDI, 0x500e; MOV AL, 0x40 (INC EAX); REP STOSB; eight NOPs, soon eight INC EAX; HLT
    m.bytes(0x5000, [0xb9, 8, 0, 0, 0, 0xbf, 0x0e, 0x50, 0, 0, 0xb0, 0x40, 0xf3, 0xaa]);
    m.bytes(0x500e, [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xf4]);
    m.cpu.eip = 0x5000;
    m.cpu.run(3 + 8 + 8);
    expect({ eip: m.cpu.eip, eax: m.cpu.regs[0], ecx: m.cpu.regs[1], edi: m.cpu.regs[7] }).toEqual({
      eip: 0x5016,
      eax: 0x48,
      ecx: 0,
      edi: 0x5016,
    });
    expect(m.cpu.retired).toBe(3 + 8 + 8);
  });
});

describe("INVLPG within a block", () => {
  it("of the page that the stack is in: the next PUSH goes where its entry leads now", () => {
    const m = new TestMachine(64);
    m.cpu.trace.on = false;
    m.identity(0x20_000);
    // PUSH EAX; MOV [ESI], EDX; INVLPG [ESP]; PUSH EBX; HLT
    m.bytes(0x5000, [0x50, 0x89, 0x16, 0x0f, 0x01, 0x3c, 0x24, 0x53, 0xf4]);
    const entry = m.cpu.cr3 + 0x1000 + 8 * 4;
    for (const page of [0x8000, entry]) m.cpu.write32(3, page, m.cpu.read32(3, page));
    const { regs } = m.cpu;
    regs[0] = 0x1111;
    regs[3] = 0x2222;
    regs[2] = 0x9067;
    regs[4] = 0x8800;
    regs[6] = entry;
    m.cpu.eip = 0x5000;
    // The whole block: what fits in part of a block is called one by one.
    m.cpu.run(5);
    const at = (address: number): number => m.memory.view.getInt32(m.base + address, true);
    expect([at(0x87fc), at(0x87f8), at(0x97f8)]).toEqual([0x1111, 0, 0x2222]);
  });
});
