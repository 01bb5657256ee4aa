/**
 * Floating point as gcc compiles it: the same object code in a kernel of ours and in a program of the host prints the
 * same, bit for bit. The kernel's far operands lie across pages that come on demand, so that x87's stores are restarted.
 */
import { describe, expect, it } from "vitest";
import { canBuildCKernel } from "../../guests/ckernel/build.ts";
import { buildFloats } from "../../guests/floats/build.ts";
import { runBare } from "./bare.ts";
import { runMachine } from "./machine.ts";

const builds = canBuildCKernel();
if (!builds) console.warn("SKIPPED: no nasm, or gcc cannot make 32-bit code: no floating-point kernel");

describe.skipIf(!builds)("a kernel with floating point", () => {
  const programs = builds ? buildFloats() : { kernel: new Uint8Array(), expected: "" };

  it("has something to say", () => {
    expect(programs.expected.split("\n").length).toBeGreaterThan(50);
    expect(programs.expected).toContain("end: done");
  });

  it("prints on the bare processor what the host prints", () => {
    const run = runBare(programs.kernel, "auto", { memory: 16 << 20, memoryHigh: 0 }, 50_000_000);
    expect(run.text).toBe(programs.expected);
    expect(run.stop).toBe("hlt");
  });

  it.each(["P", "B", "C"])("prints the same under %s, and the audit is clean", (policy) => {
    const run = runMachine(programs.kernel, "auto", { memory: 16 << 20, policy });
    expect(run.text).toBe(programs.expected);
    expect(run.violations).toEqual([]);
  });
});
