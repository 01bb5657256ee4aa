/**
 * Small programs of machine code that exercise privilege, interrupts, traps and self-modification; what each must
 * store is stated here from the manual.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { RUN_BUDGET, RUN_HALTED, RUN_SHUTDOWN } from "../../../core/x86/door.ts";
import { PROGRAMS } from "./programs.ts";
import { TestMachine } from "./test-machine.ts";

function nasmIsThere(): boolean {
  try {
    execFileSync("nasm", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!nasmIsThere())("programs (needs nasm)", () => {
  it("nasm still makes the same bytes", () => {
    const folder = fileURLToPath(new URL("./programs", import.meta.url));
    const out = mkdtempSync(join(tmpdir(), "quadrant-"));
    try {
      for (const [name, code] of Object.entries(PROGRAMS)) {
        const file = join(out, `${name}.bin`);
        execFileSync("nasm", ["-f", "bin", `${name}.asm`, "-o", file], { cwd: folder });
        expect(readFileSync(file).toString("base64")).toBe(code);
      }
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});

/** Runs to the end in odd slices, with paging as asked. */
function finish(name: string, paged: boolean, until = RUN_HALTED): TestMachine {
  const m = new TestMachine().load(name);
  if (paged) m.identity();
  let answer = RUN_BUDGET;
  for (let i = 0; i < 1000 && answer === RUN_BUDGET; i++) answer = m.cpu.run(7);
  expect(answer).toBe(until);
  return m;
}

describe.each([false, true])("programs, paging %s", (paged) => {
  it("goes to ring 3 and back through gates, the TSS and IRET", () => {
    const m = new TestMachine().load("rings");
    if (paged) m.identity();
    expect(m.cpu.run(400)).toBe(RUN_BUDGET);
    expect(m.words(19)).toEqual([
      0, // FS had DPL 0: null in ring 3
      ...[0x08, 0x9000 - 20, 0x23, 0x7000, 0x3002], // INT 80 through an interrupt gate: IF is off
      0x1b,
      ...[0, 0x10000], // HLT in ring 3: #GP(0), pushed with RF
      ...[0x40 * 8 + 2, 0x10000], // INT 40: the gate's DPL is 0
      0x3002, // CLI worked: IOPL 3
      ...[0x10, 0x10000], // MOV DS of a DPL-0 segment
      ...[0x08, 0x9000 - 20, 0x23, 0x7000, 0x3002],
    ]);
    expect(m.cpu.cpl).toBe(3);
  });

  it("calls through a gate to ring 0 with parameters, and returns", () => {
    const m = finish("gatecall", paged);
    expect(m.words(6)).toEqual([0x1111, 0x08, 0x9000 - 24, 0x7000, 0x2222, 0]);
  });

  it("checks segment loads and limits", () => {
    const m = finish("segs", paged);
    expect(m.words(8).map((w) => w >>> 0)).toEqual([
      0x5a, 0xe0000000, 0xe0000048, 0xe0000040, 0xe0000040, 0xe0000018, 0xe0000000, 0xe0000000,
    ]);
    expect(m.words(9)[8]).toBe(0x00409300);
  });

  it("makes a double fault of two contributory faults, and shuts down without an IDT", () => {
    const m = finish("double", paged, RUN_SHUTDOWN);
    expect(m.words(1)).toEqual([0]);
    expect(m.get32(m.get32(0x6004)) & 0xffff).toBe(0xd88e); // EIP of the MOV DS that began it
  });

  it("traps single steps, but not behind MOV SS", () => {
    const m = finish("trap", paged);
    const at = m.words(5);
    const first = at[0]!;
    // nop | mov ax | (mov ss: held back) nop | pushfd | and | popfd
    expect(at.map((a) => a - first)).toEqual([0, 4, 7, 8, 15]);
  });

  it("takes the interrupt line behind the shadow of STI, and out of HLT", () => {
    const m = new TestMachine().load("irq");
    if (paged) m.identity();
    m.cpu.interruptLine = 0x24;
    let answer = RUN_BUDGET;
    for (let i = 0; i < 1000 && answer === RUN_BUDGET; i++) answer = m.cpu.run(1);
    expect(answer).toBe(RUN_HALTED);
    expect(m.words(1)).toEqual([1]);
    const halted = m.cpu.eip;
    m.cpu.interruptLine = 0x24;
    expect(m.cpu.run(100)).toBe(RUN_HALTED);
    expect(m.words(4).slice(2)).toEqual([2, halted]);
    expect(m.cpu.regs[3]).toBe(3);
  });

  it("sees self-modified code at once, also across a page", () => {
    const m = finish("smc", paged);
    expect(m.cpu.regs[3]! >>> 0).toBe((3 + 2 + 1 + 0x11111111 + 0x22111111) >>> 0);
  });
});
