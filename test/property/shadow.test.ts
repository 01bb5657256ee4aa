/**
 * Every policy against the bare machine under vmx, over random tables and operations, audited on the way. With all guards,
 * a policy that keeps tables write-protected gives exactly what the bare machine without a TLB gives; where tables go out
 * of sync, what a TLB may give (history.ts). Under D and A0 the corruption is found. (svm: shadow-svm.test.ts.)
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scenario, windowScenario } from "./draw.ts";
import { EXACT, each, MOST, only, runs, seed, TIME, UNSYNC } from "./kinds.ts";
import { play, playWithHistory, seen } from "./shadow.ts";

each(EXACT, "vmx: the shadow equals the bare machine", (mode, policy, c) => {
  play(mode, policy, c);
});

each(UNSYNC, "vmx: out of sync is what a TLB may be", (mode, policy, c) => {
  playWithHistory(mode, policy, c);
});

describe("the cases are not empty", () => {
  it.skipIf(only !== undefined)("tables went out of sync, and accesses used translations of the past", () => {
    expect(seen.unsync).toBeGreaterThan(5 * runs);
    expect(seen.past).toBeGreaterThan(runs / 2);
  });

  it.skipIf(UNSYNC.length === 0)(
    "an INVLPG that is not heard of is found",
    () => {
      // The same cases, but the shadow is never told: what a hypervisor that forgets the exit would give.
      const found = fc.check(
        fc.property(windowScenario("nonpae", 80), (c) => {
          playWithHistory("nonpae", UNSYNC[0]!, c, { deafToInvlpg: true });
        }),
        { numRuns: 3000, seed, endOnFailure: true },
      );
      expect(found.failed).toBe(true);
      expect(String(found.errorInstance)).toMatch(/no translation of the past allows it|explains it/);
      playWithHistory("nonpae", UNSYNC[0]!, found.counterexample![0]);
    },
    TIME,
  );
});

describe("what no guard repairs", () => {
  it.skipIf(only !== undefined)(
    "D corrupts a non-PAE guest, and the smallest case says how",
    () => {
      const found = fc.check(
        fc.property(scenario("nonpae", false, 40), (c) => {
          play("nonpae", "D", c);
        }),
        { numRuns: 2000, seed, endOnFailure: false },
      );
      expect(found.failed).toBe(true);
      const smallest = found.counterexample![0];
      console.log("smallest case under D:", JSON.stringify(smallest.ops));
      console.log(String(found.errorInstance));
      // The same case is clean under C: the quadrant test is all that differs.
      play("nonpae", "C", smallest);
      expect(smallest.ops.length).toBeLessThanOrEqual(4);
    },
    TIME,
  );

  it.skipIf(only !== undefined)(
    "A0 clears the wrong directory entry of a non-PAE guest",
    () => {
      const found = fc.check(
        fc.property(scenario("nonpae", false, 40), (c) => {
          play("nonpae", "A0", c);
        }),
        { numRuns: 2000, seed, endOnFailure: false },
      );
      expect(found.failed).toBe(true);
      const smallest = found.counterexample![0];
      console.log("smallest case under A0:", JSON.stringify(smallest.ops));
      console.log(String(found.errorInstance));
      // The last operation writes a directory; the same case is clean under A, whose directory formula is all that differs.
      const last = smallest.ops.findLast((op) => op.op === "edit");
      expect(last).toMatchObject({ op: "edit", table: expect.toSatisfy((table: number) => table < 2) });
      play("nonpae", "A", smallest);
      expect(smallest.ops.length).toBeLessThanOrEqual(4);
    },
    TIME,
  );

  it.skipIf(only !== undefined)(
    "a PAE guest is safe from both",
    () => {
      for (const policy of ["A0", "D"]) {
        fc.assert(
          fc.property(scenario("pae", true, MOST), (c) => {
            play("pae", policy, c);
          }),
          { numRuns: runs, seed },
        );
      }
    },
    TIME,
  );
});
