/**
 * Under nested paging what a guest can observe equals the bare machine without a TLB, exactly: random tables, accesses
 * of every size and right, edits, reserved bits, PDPTEs, paging modes, memory above 4 GiB and addresses without any.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Case, type Mode, registersOf, wordsOf } from "./cases.ts";
import { harshScenario, scenario } from "./draw.ts";
import { NestedMachines } from "./nested-machines.ts";
import { apply } from "./shadow.ts";

const MODES: readonly Mode[] = ["nonpae", "pae"];
const runs = Number(process.env.QUADRANT_RUNS ?? 25);
const seed = Number(process.env.QUADRANT_SEED ?? 20070501);

/** Host levels, entries of the walk caches, kind of TLB. */
const KINDS = [
  [3, 0, "vmx"],
  [4, 0, "svm"],
  [3, 1, "svm"],
  [4, 16, "vmx"],
] as const;

describe.each(MODES)("%s", (mode) => {
  describe.each(KINDS)("over %i host levels, walk caches of %i, %s", (levels, walkCache, tlb) => {
    let mmio = 0;
    let hits = 0;
    const play = (c: Case): void => {
      const m = new NestedMachines({
        levels,
        walkCache,
        tlb,
        words: wordsOf(mode, c),
        registers: registersOf(mode),
      });
      for (const op of c.ops) apply(mode, m, op, true);
      const { mmio_exits, walk_cache_guest, walk_cache_host } = m.hypervisor.counters;
      mmio += mmio_exits!;
      hits += walk_cache_guest! + walk_cache_host!;
    };

    it("equals the bare machine", () => {
      fc.assert(fc.property(scenario(mode, true, 60), play), { numRuns: runs, seed });
      fc.assert(fc.property(harshScenario(mode, 60), play), { numRuns: Math.ceil(runs / 2), seed });
      // The cases reached what they are for.
      expect(mmio).toBeGreaterThan(runs);
      expect(hits > 0).toBe(walkCache > 0);
    });
  });
});
