/**
 * Every policy with a pool that is too small for what the guest uses: pages are reclaimed all the time, roots among them
 * where the era does not spare them, and still the guest sees what it must (docs/kvm-shadow-mmu.md 4.9).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { POOL_LEAST } from "../../core/kvm/index.ts";
import { harshScenario } from "./draw.ts";
import { EXACT, MODES, MOST, runs, seed, TIME, UNSYNC } from "./kinds.ts";
import { play, playWithHistory } from "./shadow.ts";

const exact = new Set(EXACT);

describe(`a pool of ${POOL_LEAST} pages`, () => {
  for (const policy of [...EXACT, ...UNSYNC]) {
    for (const mode of MODES) {
      it(
        `${mode} under ${policy}`,
        () => {
          let recycled = 0;
          fc.assert(
            fc.property(harshScenario(mode, MOST), (c) => {
              const m = exact.has(policy)
                ? play(mode, policy, c, { pool: POOL_LEAST })
                : playWithHistory(mode, policy, c, { pool: POOL_LEAST });
              recycled += m.kvm.counters.mmu_recycled!;
            }),
            { numRuns: Math.ceil(runs / 4), seed },
          );
          // The pool did run low.
          expect(recycled).toBeGreaterThan(0);
        },
        TIME,
      );
    }
  }
});
