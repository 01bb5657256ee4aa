/**
 * Every policy against the bare machine, over random tables and operations, audited on the way. Under vmx and with all
 * guards, a policy that keeps tables write-protected gives exactly what the bare machine without a TLB gives; under svm,
 * and where tables go out of sync, what a TLB may give (history.ts). Under D and A0 the corruption is found.
 *
 * QUADRANT_RUNS cases a kind instead of the few of `npm test`; QUADRANT_SEED another seed; QUADRANT_POLICY one policy.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Case,
  harshScenario,
  type Mode,
  play,
  playWithHistory,
  scenario,
  seen,
  windowScenario,
} from "./shadow.ts";

const MODES: readonly Mode[] = ["nonpae", "pae"];
/** Cases of each kind: about 20 000 operations a policy in all. */
const runs = Number(process.env.QUADRANT_RUNS ?? 55);
const seed = Number(process.env.QUADRANT_SEED ?? 20070501);
const only = process.env.QUADRANT_POLICY;
const MOST = 60;
const TIME = 3_600_000;

const chosen = (policies: readonly string[]): readonly string[] =>
  only === undefined ? policies : policies.filter((policy) => policy === only);

const EXACT = chosen(["A", "P", "B", "C", "E1"]);
const UNSYNC = chosen(["E2", "E3", "F"]);

/** The kinds of cases: random operations with all controls, with everything in them, and a kernel's through windows. */
const KINDS: readonly [name: string, share: number, of: (mode: Mode) => fc.Arbitrary<Case>][] = [
  ["plain", 1, (mode) => scenario(mode, true, MOST)],
  ["harsh", 0.5, (mode) => harshScenario(mode, MOST)],
  ["through windows", 1, (mode) => windowScenario(mode, MOST)],
];

function each(
  policies: readonly string[],
  name: string,
  playCase: (mode: Mode, policy: string, c: Case) => void,
): void {
  describe(name, () => {
    for (const policy of policies) {
      for (const mode of MODES) {
        for (const [kind, share, of] of KINDS) {
          it(
            `${mode} under ${policy}, ${kind}`,
            () => {
              fc.assert(
                fc.property(of(mode), (c) => {
                  playCase(mode, policy, c);
                }),
                { numRuns: Math.ceil(runs * share), seed },
              );
            },
            TIME,
          );
        }
      }
    }
  });
}

each(EXACT, "vmx: the shadow equals the bare machine", (mode, policy, c) => {
  play(mode, policy, c);
});

each(UNSYNC, "vmx: out of sync is what a TLB may be", (mode, policy, c) => {
  playWithHistory(mode, policy, c, "vmx");
});

each([...EXACT, ...UNSYNC], "svm: what a TLB may give", (mode, policy, c) => {
  playWithHistory(mode, policy, c, "svm");
});

describe("the cases are not empty", () => {
  it.skipIf(only !== undefined)("tables went out of sync, and accesses used translations of the past", () => {
    expect(seen.unsync).toBeGreaterThan(100);
    expect(seen.past).toBeGreaterThan(10);
  });

  it.skipIf(UNSYNC.length === 0)(
    "an INVLPG that is not heard of is found",
    () => {
      // The same cases, but the shadow is never told: what a hypervisor that forgets the exit would give.
      const found = fc.check(
        fc.property(windowScenario("nonpae", 80), (c) => {
          playWithHistory("nonpae", UNSYNC[0]!, c, "vmx", {}, { deafToInvlpg: true });
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
