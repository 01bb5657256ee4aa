/**
 * The built-in guests under each policy: under none, A, P, B, C, E1 to F and nested paging they print the same and end in the same memory, and
 * the audit finds nothing; under D the guest itself finds the corruption that commit fce0657 prevents.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findGuest, GUESTS } from "../../../core/guests/index.ts";
import { type MachineRun, runMachine } from "./machine.ts";

const expected = (id: string) => readFileSync(join(import.meta.dirname, "expected", `${id}.txt`), "latin1");
const HALT = "hlt: halted with interrupts off";

function runGuest(id: string, policy: string, wish: Parameters<typeof runMachine>[2] = {}): MachineRun {
  const { bytes, kind, memory, memoryHigh } = findGuest(id)!;
  return runMachine(bytes, kind, { memory, memoryHigh, policy, ...wish });
}

/** The first byte that differs, in words, or "". */
function firstDifference(a: Uint8Array, b: Uint8Array): string {
  if (Buffer.compare(a, b) === 0) return "";
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return `gpa 0x${at.toString(16)}: ${a[at]} and ${b[at]}`;
}

describe.each(GUESTS.filter((g) => g.machine === "bare").map((g) => g.id))("%s", (id) => {
  let bare: MachineRun | null = null;
  const reference = (): MachineRun => {
    bare ??= runGuest(id, "none");
    return bare;
  };

  it("runs under none", () => {
    expect(reference().text).toBe(expected(id));
    expect(reference().stop).toBe(HALT);
  });

  // The long one under the policies of the commit and nested paging alone.
  const policies = [
    ...["P", "B", "C", "nested", "nested over 3 levels"],
    ...(id === "nanobench" ? [] : ["A", "E1", "E2", "E3", "F"]),
  ];
  it.each(policies)("does the same under %s", (words) => {
    const [policy, ...over] = words.split(" ");
    const run = runGuest(id, policy!, over.length > 0 ? { nestedLevels: 3, walkCache: 4, tlb: "svm" } : {});
    expect(run.text).toBe(expected(id));
    expect(run.stop).toBe(HALT);
    expect(run.violations).toEqual([]);
    expect(firstDifference(run.memory, reference().memory)).toBe("");
    expect(run.machine.instructions).toBe(reference().machine.instructions);
  });

  it("does the same under B on svm", () => {
    const run = runGuest(id, "B", { tlb: "svm" });
    expect(run.text).toBe(expected(id));
    expect(run.violations).toEqual([]);
    expect(firstDifference(run.memory, reference().memory)).toBe("");
  });
});

describe("quadrant tells the commit's story", () => {
  const fixed = (run: MachineRun) => run.counters.pf_fixed!;

  it("P refills what the other quadrants lost, B does not, C refills less", () => {
    const b = runGuest("quadrant", "B");
    // Four writes of a PTE cost P the entry of the same index in the other half; the PDE costs it three more.
    expect(fixed(runGuest("quadrant", "P"))).toBe(fixed(b) + 4 + 3);
    // Those four are written ready for use: C has filled them before they are touched.
    expect(fixed(runGuest("quadrant", "C"))).toBe(fixed(b) - 4);
    // Nine trapped writes: seven of a PTE (one page skipped each) and one of a PDE (three skipped) choose by quadrant;
    // the ninth, the third in a row of the flood, zaps both pages.
    expect(b.counters.mmu_pte_write).toBe(9);
    expect(b.counters.quadrant_skipped).toBe(7 + 3);
    expect(b.counters.mmu_flooded).toBe(2);
  });

  it("under D the other half shows, and takes, what is not its own", () => {
    const run = runGuest("quadrant", "D");
    const lines = run.text.split("\n");
    const write = lines.indexOf("PTE 584 now names frame 5678; PTE 72 was not written");
    expect(lines[write + 1]).toBe(
      "  left  08048000 shows RIGHT frame 5678  WRONG, should be LEFT  frame 5670",
    );
    expect(lines[write + 2]).toBe("  right 08248000 shows RIGHT frame 5678  ok");
    expect(lines).toContain("  the store went into the right page  WRONG");
    expect(lines).toContain("end: 7 wrong");
    expect(run.violations.some((v) => v.startsWith("I9") && v.includes("spte 72"))).toBe(true);
  });
});

/** Hazards that a kernel walks into: with its guard the guest sees what the manual says, without it something else. */
describe.each([
  ["nonpae-kernel", "inherited-rights", "directory read-only: a store"],
  ["nonpae-kernel", "wp-change", "WP: and WP = 1 again"],
  ["pae-kernel", "inherited-rights", "directory read-only: a store"],
  ["pae-kernel", "reserved-bits", "reserved: a read, bit 50 of the PTE"],
  ["pae-kernel", "upper-nx", "NX: a fetch, NX in the PDE"],
])("%s needs the guard %s", (id, hazard, line) => {
  it("and shows the harm as it was", () => {
    const run = runGuest(id, "B", { hazards: { [hazard]: "as-it-was" } });
    const found = run.text.split("\n").find((l) => l.startsWith(line));
    expect(found).toContain("WRONG");
  });
});
