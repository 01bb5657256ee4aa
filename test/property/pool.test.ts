/**
 * Every policy with a pool that is too small for what the guest uses: pages are reclaimed all the time, roots among them
 * where the era does not spare them, and still the guest sees what it must (docs/kvm-shadow-mmu.md 4.9).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { POOL_LEAST } from "../../core/kvm/index.ts";
import { harshScenario } from "./draw.ts";
import { EXACT, MODES, MOST, runs, seed, TIME, UNSYNC } from "./kinds.ts";
import { playerOf } from "./shadow.ts";

describe(`a pool of ${POOL_LEAST} pages`, () => {
  for (const policy of [...EXACT, ...UNSYNC]) {
    for (const mode of MODES) {
      it(
        `${mode} under ${policy}`,
        () => {
          const play = playerOf(mode, policy, { pool: POOL_LEAST });
          fc.assert(fc.property(harshScenario(mode, MOST), play), { numRuns: Math.ceil(runs / 4), seed });
          // The pool did run low.
          expect(play.seen.recycled).toBeGreaterThan(0);
        },
        TIME,
      );
    }
  }
});
