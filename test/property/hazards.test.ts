/**
 * Hazards within the generator's range: as it was, each makes a guest see something else than the bare machine, or
 * breaks an invariant; guarded, the same case is clean and the guard has acted.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Mode } from "./cases.ts";
import { scenario } from "./draw.ts";
import { play } from "./shadow.ts";

/** Seed of the search, and where along it the first case lies (found by a search from 0 on; only a shortcut). */
const SEED = 9;
const PINNED: readonly [hazard: string, mode: Mode, path: number][] = [
  ["reserved-bits", "pae", 0],
  ["upper-nx", "pae", 9],
  ["wp-trick", "nonpae", 474],
  ["emulator-permissions", "pae", 31],
  ["inherited-rights", "nonpae", 10],
  ["inherited-rights", "pae", 4],
  ["large-page-nx", "pae", 252],
  ["large-page-dirty", "nonpae", 71],
  ["large-page-dirty", "pae", 20],
  ["wp-change", "nonpae", 16],
  ["pse-change", "nonpae", 38],
  ["nxe-change", "pae", 45],
  ["walk-order", "nonpae", 1],
  ["walk-order", "pae", 0],
  ["fetch-error-bit", "nonpae", 0],
  ["bad-page", "nonpae", 1],
  ["bad-page", "pae", 3],
  ["user-write-root", "nonpae", 6],
  ["user-write-own-table", "pae", 63],
  ["emulator-error-code", "pae", 20],
  ["update-inherited", "nonpae", 1],
  ["page-crossing-write", "nonpae", 6],
];

describe("a hazard as it was does harm, its guard prevents it", () => {
  for (const [hazard, mode, path] of PINNED) {
    it(`${hazard} (${mode})`, () => {
      const found = fc.check(
        fc.property(scenario(mode, true, 60), (c) => {
          play(mode, "C", c, { hazards: { [hazard]: "as-it-was" } });
        }),
        { seed: SEED, path: String(path), numRuns: 300, endOnFailure: true },
      );
      expect(found.failed).toBe(true);
      const m = play(mode, "C", found.counterexample![0]);
      expect(m.kvm.counters[`guard_${hazard}`]).toBeGreaterThan(0);
    });
  }
});
