/**
 * Every policy under svm, where TLB entries outlive exits: each access is one that a TLB may give (SDM vol. 3, 4.10, as
 * history.ts has it), and every invariant holds. A0 and D corrupt a non-PAE guest here too.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scenario } from "./draw.ts";
import { EXACT, each, MOST, only, runs, seed, TIME, UNSYNC } from "./kinds.ts";
import { playerOf } from "./player.ts";

each([...EXACT, ...UNSYNC], "svm: what a TLB may give", { tlb: "svm" });

describe.skipIf(only !== undefined)("svm: what no guard repairs", () => {
  for (const [policy, right] of [
    ["A0", "A"],
    ["D", "C"],
  ] as const) {
    it(
      `${policy} gives a non-PAE guest what no TLB may; ${right} does not`,
      () => {
        // Without the audit, which sees the wrong spte before the guest does.
        const how = { tlb: "svm", audit: "never" } as const;
        const found = fc.check(fc.property(scenario("nonpae", false, 40), playerOf("nonpae", policy, how)), {
          numRuns: 3000,
          seed,
        });
        expect(found.failed).toBe(true);
        expect(String(found.errorInstance)).toMatch(/no translation of the past allows it|explains it/);
        const smallest = found.counterexample![0];
        playerOf("nonpae", right, { tlb: "svm" })(smallest);
        expect(smallest.ops.length).toBeLessThanOrEqual(4);
      },
      TIME,
    );

    it(
      `a PAE guest is safe from ${policy}`,
      () => {
        fc.assert(fc.property(scenario("pae", true, MOST), playerOf("pae", policy, { tlb: "svm" })), {
          numRuns: runs,
          seed,
        });
      },
      TIME,
    );
  }
});
