/**
 * An interrupt line that IF holds back does not cut the run into blocks; it is taken at the very boundary at which IF lets it
 * through, as by a processor that is stepped.
 */
import { describe, expect, it } from "vitest";
import { EXIT_EXTERNAL_INTERRUPT, RUN_EXIT } from "../../../core/x86/door.ts";
import { TestMachine } from "./test-machine.ts";

const CODE = 0x5000;
/** MOV ECX, 20; l: INC EAX; DEC ECX; JNZ l; MOV EDI, 0x8000; MOV ECX, 50; REP STOSD */
const HELD = [0xb9, 20, 0, 0, 0, 0x40, 0x49, 0x75, 0xfc, 0xbf, 0, 0x80, 0, 0, 0xb9, 50, 0, 0, 0, 0xf3, 0xab];
/** How IF comes, and behind how many units of it the line is taken. */
const WAYS: readonly (readonly [string, readonly number[], number])[] = [
  ["STI, one instruction later", [0xfb], 2],
  ["POPFD", [0x68, 0x02, 0x02, 0, 0, 0x9d], 2],
  ["IRETD", [0x68, 0x02, 0x02, 0, 0, 0x0e, 0x68, 0x50, 0x50, 0, 0, 0xcf], 4],
];

function prepared(way: readonly number[]): TestMachine {
  const m = new TestMachine();
  m.bytes(CODE, [...HELD, ...way]);
  // INC EDX from there on, and where IRETD goes to.
  m.bytes(CODE + HELD.length + way.length, new Array(0x50).fill(0x42));
  // A flat code segment of ring 0 for IRETD: selector 8 of a GDT at 0x7000.
  m.set32(0x7008, 0x0000_ffff);
  m.set32(0x700c, 0x00cf_9b00);
  const { cpu } = m;
  cpu.gdtBase = 0x7000;
  cpu.gdtLimit = 15;
  cpu.regs[4] = 0x6000;
  cpu.eip = CODE;
  cpu.eflags = 2;
  cpu.interruptLine = 0x20;
  cpu.intercepts |= 1 << EXIT_EXTERNAL_INTERRUPT;
  return m;
}
const seen = ({ cpu }: TestMachine) => ({ regs: [...cpu.regs], eip: cpu.eip, retired: cpu.retired });

describe("an interrupt line that IF holds back", () => {
  it.each(WAYS)("is taken behind %s", (_name, way, units) => {
    const whole = prepared(way);
    expect(whole.cpu.run(1000)).toBe(RUN_EXIT);
    expect(whole.cpu.exit.reason).toBe(EXIT_EXTERNAL_INTERRUPT);
    // MOV, the loop, two MOVs, the REP's iterations.
    expect(whole.cpu.retired).toBe(1 + 20 * 3 + 2 + 50 + units);
    const single = prepared(way);
    let answer = 0;
    while (answer !== RUN_EXIT && single.cpu.retired < 1000) answer = single.cpu.step(0);
    expect(answer).toBe(RUN_EXIT);
    expect(seen(whole)).toEqual(seen(single));
  });
});
