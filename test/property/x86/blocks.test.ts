/**
 * Blocks that follow calls, jumps and returns: random programs of little instructions in one page, which also overwrite
 * one another and their return addresses, run as they do step by step; for every budget and with every breakpoint.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RUN_BREAK, RUN_BUDGET, STEP_NORMAL } from "../../../core/x86/door.ts";
import { TestMachine } from "../../unit/x86/test-machine.ts";

const CODE = 0x5000;
const STACK = 0x8000;
/** Each operation begins at a multiple of this; what it leaves free are NOPs. */
const SLOT = 16;
const runs = Number(process.env.QUADRANT_RUNS ?? 150);
const seed = Number(process.env.QUADRANT_SEED ?? 20070501);

const rel = (from: number, to: number): number[] => {
  const d = to - from;
  return [d & 255, (d >> 8) & 255, (d >> 16) & 255, (d >> 24) & 255];
};
const word = (v: number): number[] => rel(0, v);

/** Operations by number: bytes at EIP `at`, where `to` is the address of another slot and `v` any byte. */
const FORMS: readonly ((at: number, to: number, v: number) => number[])[] = [
  (at, to) => [0xe8, ...rel(at + 5, to)], // CALL
  (at, to) => [0xe8, ...rel(at + 5, to)],
  (at, to) => [0xe9, ...rel(at + 5, to)], // JMP
  (at, to) => [0xeb, Math.max(-128, Math.min(127, to - at - 2)) & 255],
  () => [0xc3], // RET
  () => [0xc3],
  (at, to) => [0x0f, 0x84 + (to & 1), ...rel(at + 6, to)], // JE, JNE
  () => [0x50], // PUSH EAX
  () => [0x5b], // POP EBX
  (_at, _to, v) => [0xb8 + (v & 3), v, 0, 0, 0], // MOV r32, imm32
  () => [0x40], // INC EAX
  () => [0x49], // DEC ECX
  (_at, _to, v) => [0x83, 0xc0 | (v & 3), v], // ADD r32, imm8
  (_at, to, v) => [0xc6, 0x05, ...word(to + (v & 7)), 0x90 - (v & 0x30)], // a byte of another slot becomes NOP or INC EAX or …
  (_at, to, v) => [0xc7, 0x05, ...word(to + (v & 7)), 0x90, 0x40, 0x90, 0x43], // four of them
  (_at, to) => [0xc7, 0x04, 0x24, ...word(to)], // MOV [ESP], imm32: the return goes elsewhere
  (_at, to) => [0x68, ...word(to), 0xc3], // PUSH imm32; RET
  (_at, to) => [0xba, ...word(to), 0xff, 0xd2], // MOV EDX, imm32; CALL EDX
  (_at, _to, v) => [0xa1, ...word(v & 1 ? 0x9000 : 0x3f_0000)], // MOV EAX, [m]: the second address has no memory behind it
  (_at, _to, v) => [0x81, 0xec, ...word(v & 3 ? 4 : 0)], // SUB ESP, imm32
  () => [0x0f, 0xa2], // CPUID: not one of the loop's own
];

const program = fc.array(fc.record({ form: fc.nat(FORMS.length - 1), to: fc.nat(31), v: fc.nat(255) }), {
  minLength: 8,
  maxLength: 24,
});
type Program = typeof program extends fc.Arbitrary<infer T> ? T : never;

function machine(p: Program): TestMachine {
  const m = new TestMachine(64);
  m.bytes(CODE, new Array<number>(0x400).fill(0x90));
  p.forEach((op, i) => {
    const at = CODE + i * SLOT;
    m.bytes(at, FORMS[op.form]!(at, CODE + (op.to % p.length) * SLOT, op.v));
  });
  // Behind the last slot: back to the first.
  const end = CODE + p.length * SLOT;
  m.bytes(end, [0xe9, ...rel(end + 5, CODE)]);
  // What an empty stack returns to.
  for (let at = STACK; at < STACK + 0x400; at += 4) m.set32(at, CODE);
  m.cpu.eip = CODE;
  m.cpu.regs[4] = STACK;
  // Faults stop the machine at once: without an IDT they end in a triple fault.
  m.cpu.idtLimit = 0;
  return m;
}

const state = (m: TestMachine) => ({
  regs: [...m.cpu.regs],
  eip: m.cpu.eip,
  retired: m.cpu.retired,
  time: m.cpu.time,
  code: Buffer.from(m.memory.bytes.subarray(m.base + CODE, m.base + CODE + 0x400)).toString("hex"),
  stack: Buffer.from(m.memory.bytes.subarray(m.base + STACK - 0x400, m.base + STACK + 0x400)).toString("hex"),
});

/** Steps until `units` have retired or the machine stops; the EIPs it stood at. */
function stepped(m: TestMachine, units: number): number[] {
  const eips = [];
  for (let n = 0; n < units; n++) {
    eips.push(m.cpu.eip);
    const before = m.cpu.retired;
    m.cpu.step(STEP_NORMAL);
    if (m.cpu.retired === before) break;
  }
  return eips;
}

const UNITS = 300;

describe("blocks that follow calls, jumps and returns", () => {
  it("run as their instructions do one by one, however the budget cuts them", () => {
    fc.assert(
      fc.property(
        program,
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 }),
        (p, cuts) => {
          const a = machine(p);
          const b = machine(p);
          const whole = machine(p);
          let going = true;
          for (let i = 0; going && a.cpu.retired < UNITS; i++) {
            const budget = cuts[i % cuts.length]!;
            const before = a.cpu.retired;
            going = a.cpu.run(budget) === RUN_BUDGET;
            if (going) expect(a.cpu.retired).toBe(before + budget);
            stepped(b, a.cpu.retired - b.cpu.retired);
            expect(state(a)).toEqual(state(b));
          }
          whole.cpu.run(a.cpu.retired);
          expect(state(whole)).toEqual(state(a));
        },
      ),
      { numRuns: runs, seed },
    );
  });

  it("stop before a breakpoint within them", () => {
    fc.assert(
      fc.property(program, fc.nat(63), (p, pick) => {
        const eips = stepped(machine(p), UNITS);
        const at = eips[pick % eips.length]!;
        const first = eips.indexOf(at);
        const m = machine(p);
        m.cpu.setBreakpoints([at]);
        expect(m.cpu.run(UNITS)).toBe(RUN_BREAK);
        expect([m.cpu.eip, m.cpu.retired]).toEqual([at, first]);
        const again = eips.indexOf(at, first + 1);
        if (again < 0) return;
        expect(m.cpu.run(UNITS)).toBe(RUN_BREAK);
        expect([m.cpu.eip, m.cpu.retired]).toEqual([at, again]);
      }),
      { numRuns: runs, seed },
    );
  });
});
