/**
 * A hazard that a policy does not list is no part of it (docs/hazards.md): with all such hazards as they were, every case
 * takes the same exits, makes the same shadow pages and counts the same as with their guards. The cases of all other tests
 * look as well that no such guard ever acts (`inert` in shadow.ts).
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HAZARDS, POLICIES } from "../../core/kvm/index.ts";
import type { Case } from "./cases.ts";
import { harshScenario } from "./draw.ts";
import { MODES, runs, seed } from "./kinds.ts";
import { Player } from "./player.ts";
import type { How } from "./shadow.ts";

const SHADOWED = POLICIES.map((policy) => policy.id).filter((id) => id !== "none" && id !== "nested");

const foreign = (policy: string): Record<string, "as-it-was"> =>
  Object.fromEntries(
    HAZARDS.filter((hazard) => !hazard.policies.includes(policy)).map((hazard) => [hazard.id, "as-it-was"]),
  );

/** All that can be seen of a case; A0 and D end some with a difference, which is then a part of it. */
function seenOf(player: Player, c: Case): unknown {
  let error = "";
  try {
    player.play(c);
  } catch (e) {
    error = String(e);
  }
  const { m } = player;
  return [error, m.exits, m.kvm.counters, m.kvm.shadowPages(), m.cpu.paging.entries(), m.whole()];
}

describe("hazards that a policy does not have are inert", () => {
  for (const policy of SHADOWED) {
    const hazards = foreign(policy);
    for (const mode of MODES) {
      it(`${mode} under ${policy}: ${Object.keys(hazards).length} of them`, () => {
        expect(Object.keys(hazards).length).toBeGreaterThan(0);
        fc.assert(
          fc.property(harshScenario(mode, 60), fc.constantFrom("vmx" as const, "svm" as const), (c, tlb) => {
            const how: How = { tlb, audit: "never", pool: 64 };
            const guarded = seenOf(new Player(mode, policy, how), c);
            expect(seenOf(new Player(mode, policy, { ...how, hazards }), c)).toEqual(guarded);
          }),
          { numRuns: Math.ceil(runs / 8), seed },
        );
      });
    }
  }

  it("one that it has is not", () => {
    const how: How = { audit: "never", pool: 64 };
    const found = fc.check(
      fc.property(harshScenario("pae", 60), (c) => {
        const hazards = { "inherited-rights": "as-it-was" } as const;
        expect(seenOf(new Player("pae", "B", { ...how, hazards }), c)).toEqual(
          seenOf(new Player("pae", "B", how), c),
        );
      }),
      { numRuns: 200, seed: 3, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
