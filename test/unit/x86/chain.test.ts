/**
 * The switch in the innermost loop calls, for number n, exactly the handler that the list names at n - 1.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { HANDLERS, hotNumber } from "../../../core/x86/chain.ts";

describe("the hot handlers", () => {
  const source = readFileSync(fileURLToPath(new URL("../../../core/x86/chain.ts", import.meta.url)), "utf8");
  const cases = [...source.matchAll(/case (\d+):\s+answer = (\w+)\(/g)].map((m) => [Number(m[1]), m[2]]);

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
