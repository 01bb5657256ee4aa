/**
 * Every built-in scenario: under each policy that it is told under all its predictions come true, each prediction names
 * where it follows from, and under each change that it says refutes it some prediction fails.
 */
import { describe, expect, it } from "vitest";
import {
  library,
  ownPolicy,
  type RunnerOptions,
  refuted,
  type Scenario,
  ScenarioRunner,
} from "../../core/scenario/index.ts";

function run(
  scenario: Scenario,
  options: RunnerOptions = {},
): { failures: string[]; judged: number; without: string[] } {
  const runner = new ScenarioRunner(scenario, options);
  runner.runAll();
  const all = runner.results.flatMap(({ predictions, step }) => predictions.map((one) => ({ ...one, step })));
  return {
    judged: all.length,
    without: all.filter(({ source }) => source === "").map(({ about }) => about),
    failures: all
      .filter(({ ok }) => !ok)
      .map(
        ({ about, found, predicted, step }) =>
          `step ${step + 1}: ${about}: predicted ${predicted}, found ${found}`,
      ),
  };
}

describe("the library", () => {
  it("has names that differ", () => {
    const ids = library().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  for (const { id, scenario, summary } of library()) {
    const { policies, refutedBy = [] } = scenario.document;
    describe(id, () => {
      for (const policy of policies ?? [ownPolicy(scenario)]) {
        it(`comes true under ${policy}`, () => {
          const { failures, judged, without } = run(scenario, { policy });
          expect(failures).toEqual([]);
          expect(without).toEqual([]);
          expect(judged).toBeGreaterThan(0);
        });
      }
      it("could have been wrong", () => {
        expect(summary).not.toBe("");
        expect(refutedBy.length).toBeGreaterThan(0);
        for (const change of refutedBy) {
          expect(run(scenario, refuted(scenario, change)).failures, JSON.stringify(change)).not.toEqual([]);
        }
      });
    });
  }
});
