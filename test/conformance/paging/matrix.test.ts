/**
 * The access matrix: every combination of entry bits, control bits and accesses against the manual (oracle.ts), under
 * every policy. With the guards on no policy may differ. Whole for the bare machine; for the others every n-th row, and those
 * again behind another access. `npm run soak -- --only matrix` runs all rows under every policy in some minutes.
 */
import { describe, expect, it } from "vitest";
import { HAZARDS, POLICIES } from "../../../core/kvm/index.ts";
import { digitsOf, FAMILIES, type Family, REGISTERS } from "./rows.ts";
import { countOf, runRows } from "./run-rows.ts";
import { Subject } from "./subjects.ts";

/**
 * Every n-th row: no factor in common with a digit's number of values, so that each digit takes all of them, in all pairs.
 */
const STEP = 37;
/** Most rows fault because an entry is not present or reserved: of these a sample for the shadows takes every 16th. */
const PLAIN_FAULTS = 16;

/** Hazards that one access, or one behind a read, can meet, and the harm that is found first; the others need more. */
const SHOWN = [
  ["reserved-bits", "fault -1, by the manual 9"],
  ["upper-nx", "fault -1, by the manual 17"],
  ["walk-order", "PDE 0x2001 left, by the manual 0x2021"],
  ["fetch-error-bit", "fault 21, by the manual 5"],
] as const;

const SHADOWS = POLICIES.map(({ id }) => id).filter((id) => id !== "none" && id !== "nested");

/** What is run of a policy in `npm test`. The bare machine keeps nothing but its TLB, so that a second access tells nothing. */
const sampleOf = (policy: string, families: readonly Family[]) => ({
  policy,
  families,
  step: policy === "none" ? 1 : STEP,
  plainFaults: policy === "none" || policy === "nested" ? 1 : PLAIN_FAULTS,
  warm: policy !== "none",
});

describe("the access matrix", () => {
  for (const pae of [false, true]) {
    const families = FAMILIES.filter((f) => f.pae === pae);
    describe(pae ? "PAE" : "2-level", () => {
      it.each(POLICIES.map(({ id }) => id))("under %s as the manual says", (policy) => {
        const { rows, faults, different } = runRows(sampleOf(policy, families));
        console.log(`${pae ? "PAE" : "2-level"} under ${policy}: ${rows} rows, ${faults} faults`);
        expect(different).toEqual([]);
        expect(faults).toBeGreaterThan(rows / 2);
        expect(faults).toBeLessThan(rows);
        if (policy === "none") expect(rows).toBe(countOf(families));
      });
    });
  }
});

describe("one machine for many rows", () => {
  it.each(SHADOWS)("is like a new one for each (%s)", (policy) => {
    for (const registers of REGISTERS.filter((r) => r.wp && r.pse && r.nxe && r.pge)) {
      const used = new Subject(policy, registers);
      for (const f of FAMILIES.filter((family) => family.pae === registers.pae && family.fits(registers))) {
        const digits = new Int32Array(f.digits.length);
        for (let n = 0; n < f.count; n += Math.ceil(f.count / 9)) {
          digitsOf(f, n, digits);
          const row = f.row(digits, registers);
          for (const warm of [false, true]) {
            const fresh = new Subject(policy, registers);
            expect({ ...used.run(row, warm) }).toEqual({ ...fresh.run(row, warm) });
            expect(used.shadowPages).toEqual(fresh.shadowPages);
          }
        }
      }
    }
  });
});

describe("a guard taken away shows in the matrix", () => {
  it.each(SHOWN)("%s: %s", (hazard, sentence) => {
    // Which harm is found first depends on the sample: always the usual one.
    const usual = { policy: "B", families: FAMILIES, step: 211, plainFaults: PLAIN_FAULTS, warm: true };
    const { different } = runRows({ ...usual, hazards: [hazard] });
    expect(different[0]).toContain(sentence);
    expect(HAZARDS.find(({ id }) => id === hazard)?.source).toMatch(/^docs\/kvm-shadow-mmu\.md/);
  });
});
