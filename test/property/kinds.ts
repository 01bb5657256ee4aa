/**
 * The policies and the kinds of cases that both property tests of the shadow play, under vmx and under svm.
 *
 * QUADRANT_RUNS cases a kind instead of the few of `npm test`; QUADRANT_SEED another seed; QUADRANT_POLICY one policy.
 */
import fc from "fast-check";
import { describe, it } from "vitest";
import type { Case, Mode } from "./cases.ts";
import { KINDS } from "./draw.ts";

export const MODES: readonly Mode[] = ["nonpae", "pae"];
/** Cases of each kind: about 20 000 operations a policy in all, vmx and svm together. */
export const runs = Number(process.env.QUADRANT_RUNS ?? 40);
export const seed = Number(process.env.QUADRANT_SEED ?? 20070501);
export const only = process.env.QUADRANT_POLICY;
export const MOST = 100;
export const TIME = 3_600_000;

const chosen = (policies: readonly string[]): readonly string[] =>
  only === undefined ? policies : policies.filter((policy) => policy === only);

export const EXACT = chosen(["A", "P", "B", "C", "E1"]);
export const UNSYNC = chosen(["E2", "E3", "F"]);

/** One test a policy, mode and kind. */
export function each(
  policies: readonly string[],
  name: string,
  playCase: (mode: Mode, policy: string, c: Case) => void,
): void {
  describe(name, () => {
    for (const policy of policies) {
      for (const mode of MODES) {
        for (const { name: kind, share, of } of KINDS) {
          it(
            `${mode} under ${policy}, ${kind}`,
            () => {
              fc.assert(
                fc.property(of(mode, MOST), (c) => {
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
