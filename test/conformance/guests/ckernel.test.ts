/**
 * The C kernel, compiled by gcc when the test runs: an ELF multiboot image whose results are computed here as well.
 * qemu, the bare processor and the machine under each policy must all print them.
 */
import { describe, expect, it } from "vitest";
import { buildCKernel, canBuildCKernel } from "../../guests/ckernel/build.ts";
import { ckernelText } from "../../guests/ckernel/expected.ts";
import { runBare } from "./bare.ts";
import { runMachine } from "./machine.ts";
import { hasQemu, runInQemu } from "./qemu.ts";

const builds = canBuildCKernel();
if (!builds) console.warn("SKIPPED: no nasm, or gcc cannot make 32-bit code: the C kernel is not built");

describe.skipIf(!builds)("the C kernel", () => {
  it.skipIf(!hasQemu())("prints its results in qemu", async () => {
    expect(await runInQemu(buildCKernel(), "16M")).toBe(ckernelText());
  });

  it("prints its results on the bare processor", () => {
    const run = runBare(buildCKernel(), "auto", { memory: 16 << 20, memoryHigh: 0 }, 50_000_000);
    expect(run.text).toBe(ckernelText());
    expect(run.stop).toBe("hlt");
  });

  it.each(["P", "B", "C", "nested"])("prints its results under %s, and the audit is clean", (policy) => {
    const run = runMachine(buildCKernel(), "auto", { memory: 16 << 20, policy });
    expect(run.text).toBe(ckernelText());
    expect(run.violations).toEqual([]);
  });
});
