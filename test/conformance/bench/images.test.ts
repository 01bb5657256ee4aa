/** The benches' guests against nasm: the committed bytes are what their sources say. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasNasm } from "../../../build/guests.mjs";

const folder = join(import.meta.dirname, "..", "..", "bench");

if (!hasNasm())
  console.warn("SKIPPED: nasm is not installed, the benches' bytes are not compared with their sources");

describe.skipIf(!hasNasm())("nasm makes the committed bytes", () => {
  it.each(["loops", "latency"])("%s", (name) => {
    const work = mkdtempSync(join(tmpdir(), "quadrant-bench-"));
    try {
      const out = join(work, `${name}.bin`);
      execFileSync("nasm", ["-f", "bin", "-o", out, join(folder, `${name}.asm`)]);
      expect(readFileSync(out).equals(readFileSync(join(folder, `${name}.bin`)))).toBe(true);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
});
