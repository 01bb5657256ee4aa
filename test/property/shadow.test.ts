/**
 * Every policy against the bare machine under vmx, over random tables and operations, audited on the way. With all guards,
 * a policy that keeps tables write-protected gives exactly what the bare machine without a TLB gives; where tables go out
 * of sync, what a TLB may give (history.ts). Under D and A0 the corruption is found. (svm: shadow-svm.test.ts.)
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { caseText } from "./cases.ts";
import { scenario, windowScenario } from "./draw.ts";
import { EXACT, each, MOST, only, runs, seed, seen, TIME, UNSYNC } from "./kinds.ts";
import { playerOf } from "./player.ts";

each(EXACT, "vmx: the shadow equals the bare machine", { tlb: "vmx" });

each(EXACT, "vmx, seldom audited: so does the shadow's short way", { tlb: "vmx", audit: "seldom" });

each(UNSYNC, "vmx: out of sync is what a TLB may be", { tlb: "vmx" });

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
        fc.property(windowScenario("nonpae", 80), playerOf("nonpae", UNSYNC[0]!, { deafToInvlpg: true })),
        { numRuns: 3000, seed, endOnFailure: true },
      );
      expect(found.failed).toBe(true);
      expect(String(found.errorInstance)).toMatch(/no translation of the past allows it|explains it/);
      playerOf("nonpae", UNSYNC[0]!, {})(found.counterexample![0]);
    },
    TIME,
  );
});

describe.skipIf(only !== undefined)("what no guard repairs", () => {
  for (const [policy, right] of [
    // The quadrant test is all that C has more.
    ["D", "C"],
    // The directory's formula is all that A has more.
    ["A0", "A"],
  ] as const) {
    for (const [who, audit] of [
      ["the audit", "always"],
      ["the guest", "never"],
    ] as const) {
      it(
        `${policy} corrupts a non-PAE guest: ${who} sees it, and the smallest case says how`,
        () => {
          const how = { audit };
          const found = fc.check(
            fc.property(scenario("nonpae", false, 40), playerOf("nonpae", policy, how)),
            { numRuns: 2000, seed },
          );
          expect(found.failed).toBe(true);
          const smallest = found.counterexample![0];
          console.log(`smallest case under ${policy}, seen by ${who}:`, caseText("nonpae", smallest));
          console.log(String(found.errorInstance).split("\n")[0]);
          // The same case is clean under the policy that has it right.
          playerOf("nonpae", right, {})(smallest);
          expect(smallest.ops.length).toBeLessThanOrEqual(4);
        },
        TIME,
      );
    }

    it(
      `a PAE guest is safe from ${policy}`,
      () => {
        fc.assert(fc.property(scenario("pae", true, MOST), playerOf("pae", policy, {})), {
          numRuns: runs,
          seed,
        });
      },
      TIME,
    );
  }
});
