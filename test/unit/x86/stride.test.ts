/**
 * Iterations of REP MOVS and REP STOS that are made in one go: the same as one at a time, wherever the budget cuts them,
 * whatever overlaps, up to the fault of a page that is not there and into code that they overwrite.
 */
import { describe, expect, it } from "vitest";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x5000;
/** Four pages of data; the page behind the fourth is not present. */
const DATA = 0x8000;
const ABSENT = 0xc000;
const TABLES = 0x200000;
const HLT = 0xf4;

/** Numbers that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function prepared(code: readonly number[], regs: readonly number[], down: boolean): TestMachine {
  const m = new TestMachine();
  m.bytes(CODE, [...code, HLT]);
  for (let i = 0; i < 0x4000; i += 4) m.set32(DATA + i, Math.imul(i, 0x9e3779b1));
  m.identity(TABLES);
  m.set32(TABLES + 4096 + (ABSENT >> 12) * 4, 0);
  regs.forEach((value, i) => {
    m.cpu.regs[i] = value;
  });
  m.cpu.regs[4] = 0x7000;
  m.cpu.eflags = down ? 0x402 : 2;
  m.cpu.eip = CODE;
  return m;
}

const seen = ({ cpu, memory, base }: TestMachine) => ({
  regs: [...cpu.regs],
  eip: cpu.eip,
  retired: cpu.retired,
  midRep: cpu.midRep,
  cr2: cpu.cr2,
  data: Buffer.from(memory.bytes.subarray(base + CODE, base + 0xd000)).toString("base64"),
});

const FORMS: readonly (readonly [string, readonly number[]])[] = [
  ["rep stosd", [0xf3, 0xab]],
  ["rep stosb", [0xf3, 0xaa]],
  ["rep movsd", [0xf3, 0xa5]],
  ["rep movsb", [0xf3, 0xa4]],
  ["rep stosw", [0xf3, 0x66, 0xab]],
  ["rep movsw", [0xf3, 0x66, 0xa5]],
  ["rep stosd with 16-bit addresses", [0xf3, 0x67, 0xab]],
  ["rep movsd from SS", [0xf3, 0x36, 0xa5]],
];

describe("a REP instruction made in strides", () => {
  it.each(FORMS)("%s is what its iterations are, cut anywhere", (_name, code) => {
    const random = numbers(code.length * 7919 + code.at(-1)!);
    for (let round = 0; round < 12; round++) {
      const align = random(3) === 0 ? 1 : 4;
      const edi = DATA + random(0x3000 / align) * align;
      // Mostly near: what is copied has been written by the same instruction.
      const esi = random(2) === 0 ? edi - random(16) * align : DATA + random(0x3000 / align) * align;
      const ecx = random(4) === 0 ? random(4) : random(2500);
      const regs = [0x89abcdef, ecx, 0, 0, 0, 0, esi, edi];
      const down = random(5) === 0;
      const whole = prepared(code, regs, down);
      const single = prepared(code, regs, down);
      for (let left = Math.max(1, Math.min(ecx, 1200)); left > 0; ) {
        const budget = 1 + random(random(2) === 0 ? 20 : 900);
        const before = whole.cpu.retired;
        const answer = whole.cpu.run(budget);
        const ran = whole.cpu.retired - before;
        let last = 0;
        for (let i = 0; i < ran; i++) last = single.cpu.step(0);
        // What did not retire is met by the other as well.
        if (ran < budget) last = single.cpu.step(0);
        expect(seen(whole)).toEqual(seen(single));
        if (ran < budget) {
          expect(last).toBe(answer);
          break;
        }
        left -= budget;
      }
    }
  });

  it("ends at its own code that it overwrites, and what it wrote runs next", () => {
    // REP STOSD over itself from a page before: two pages of INC EAX (40).
    const code = [0xf3, 0xab];
    const regs = [0x40404040, 0x800, 0, 0, 0, 0, 0, CODE - 0x1000];
    const whole = prepared(code, regs, false);
    const single = prepared(code, regs, false);
    whole.cpu.run(0x800 + 50);
    for (let i = 0; i < 0x800 + 50; i++) single.cpu.step(0);
    expect(seen(whole)).toEqual(seen(single));
  });

  it("leaves the page that it may not write as it was", () => {
    const code = [0xf3, 0xab];
    const m = prepared(code, [1, 0x2000, 0, 0, 0, 0, 0, ABSENT - 0x1000], false);
    m.cpu.run(0x1000);
    expect({
      cr2: m.cpu.cr2 >>> 0,
      edi: m.cpu.regs[7],
      ecx: m.cpu.regs[1],
      word: m.get32(ABSENT - 4),
    }).toEqual({
      cr2: ABSENT,
      edi: ABSENT,
      ecx: 0x2000 - 0x400,
      word: 1,
    });
  });
});
