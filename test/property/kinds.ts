/**
 * The policies and the kinds of cases that both property tests of the shadow play, under vmx and under svm.
 *
 * QUADRANT_RUNS cases a kind instead of the few of `npm test`; QUADRANT_SEED another seed; QUADRANT_POLICY one policy.
 */
import fc from "fast-check";
import { describe, it } from "vitest";
import type { Mode } from "./cases.ts";
import { KINDS } from "./draw.ts";
import { playerOf, type Seen } from "./player.ts";
import type { How } from "./shadow.ts";

export const MODES: readonly Mode[] = ["nonpae", "pae"];
/** Cases of each kind: about 20 000 operations a policy in all, vmx and svm together. */
export const runs = Number(process.env.QUADRANT_RUNS ?? 40);
export const seed = Number(process.env.QUADRANT_SEED ?? 20070501);
export const only = process.env.QUADRANT_POLICY;
export const MOST = 100;
export const TIME = 3_600_000;

const chosen = (policies: readonly string[]): readonly string[] =>
  only === undefined ? policies : policies.filter((policy) => policy === only);

/** Without A0 and D, which no guard repairs. */
export const EXACT = chosen(["A", "P", "B", "C", "E1"]);
export const UNSYNC = chosen(["E2", "E3", "F"]);

/** What the cases of all tests of this file came across. */
export const seen: Seen = { past: 0, unsync: 0, recycled: 0 };

/** One test a policy, mode and kind. */
export function each(policies: readonly string[], name: string, how: How): void {
  if (policies.length === 0) return;
  describe(name, () => {
    for (const policy of policies) {
      for (const mode of MODES) {
        for (const { name: kind, share, of } of KINDS) {
          it(
            `${mode} under ${policy}, ${kind}`,
            () => {
              const play = playerOf(mode, policy, how);
              fc.assert(fc.property(of(mode, MOST), play), { numRuns: Math.ceil(runs * share), seed });
              seen.past += play.seen.past;
              seen.unsync += play.seen.unsync;
              seen.recycled += play.seen.recycled;
            },
            TIME,
          );
        }
      }
    }
  });
}
