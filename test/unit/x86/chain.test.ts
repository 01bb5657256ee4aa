/**
 * The switch in the innermost loop calls, for number n, exactly the handler that the list names at n - 1; and a block
 * that its own instruction overwrites.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { HANDLERS, hotNumber } from "../../../core/x86/chain.ts";
import { TestMachine } from "./test-machine.ts";

describe("the hot handlers", () => {
  const source = readFileSync(fileURLToPath(new URL("../../../core/x86/chain.ts", import.meta.url)), "utf8");
  // The conditional and the plain jump have no call: `JUMP` says it.
  const cases = [
    ...source.matchAll(/case (\d+): *(?:\{ *)?(?:\/\/ (\w+)\n)?([\s\S]*?)\n {8}(?=case|default)/g),
  ].map((m) => [Number(m[1]), m[2] ?? /answer = (\w+)\(/.exec(m[3] ?? "")?.[1]]);

  it("are each called under their own number", () => {
    expect(cases).toEqual(HANDLERS.map((exec, i) => [i + 1, exec.name]));
    HANDLERS.forEach((exec, i) => {
      expect(hotNumber(exec)).toBe(i + 1);
    });
  });

  it("have number 0 when there is no case", () => {
    expect(hotNumber(() => 0)).toBe(0);
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
