/**
 * The runner of kernels that others wrote, on guests of our own: it waits, compares, and makes the audits that it tells of.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findGuest } from "../../../core/guests/index.ts";
import { boot, type KernelAudit } from "../../kernels/boot.ts";
import { readManifest } from "../../kernels/manifest.ts";

const folder = mkdtempSync(join(tmpdir(), "quadrant-kernels-"));
afterAll(() => rmSync(folder, { recursive: true }));

const guest = findGuest("quadrant")!;
writeFileSync(join(folder, "quadrant"), guest.bytes);

function run(policy: string, audit: KernelAudit, expected: string) {
  const [kernel] = readManifest(
    JSON.stringify({
      kernels: [
        {
          name: "quadrant",
          image: "quadrant",
          kind: "multiboot",
          machine: "bare",
          memory: guest.memory >> 20,
          steps: [{ expect: expected }],
          most: 40_000_000,
        },
      ],
    }),
  );
  return boot(kernel!, folder, policy, audit);
}

describe("the runner of kernels", () => {
  const text = run("none", "off", "\n");
  it("compares", () => {
    expect(text.wrong).toBeNull();
    const shadow = run("B", "end", "\n");
    expect(shadow.wrong).toBeNull();
    for (const what of ["output", "time", "instructions", "state"] as const)
      expect(shadow[what]).toBe(text[what]);
    expect(shadow.exits).toBeGreaterThan(0);
  });
  it("makes the audits that it tells of, and tells the first violation", () => {
    expect(run("B", "off", "\n").audits).toBe(0);
    expect(run("B", "end", "\n")).toMatchObject({ audits: 1, violations: 0, first: null });
    // D is wrong by itself: what it leaves is there to be found, by whoever looks.
    expect(run("D", "off", "WRONG")).toMatchObject({ wrong: null, violations: 0 });
    for (const audit of ["end", "every"] as const) {
      const found = run("D", audit, "WRONG");
      expect(found.violations).toBeGreaterThan(0);
      expect(found.first).toMatch(/^I\d+: .*spte/);
      expect(found.wrong).toMatch(/^the audit found \d+ violations?/);
    }
  });
  it("says what was not seen", () => {
    expect(run("none", "off", "never said").wrong).toMatch(/^"never said" was not seen/);
  });
});
