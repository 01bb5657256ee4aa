/** The scenario on the screen, and the comparisons beside it. */
import type { LabContext } from "../context.ts";
import type { ViewRequest } from "../protocol/index.ts";
import { comparing, type View } from "./view.ts";

export function openScenario(lab: LabContext): View {
  return comparing(() => lab.stories.story.view());
}

export function openCompare(
  lab: LabContext,
  { around, page, pair }: Extract<ViewRequest, { kind: "compare" }>,
): View {
  const view = comparing(() => lab.stories.comparison.view(pair, page, around));
  let key = "";
  return {
    collect(turn) {
      // What two machines at rest hold is looked at once; while they run, only how far they are.
      const now = lab.stories.comparison.progress;
      if (now === key) return null;
      key = now;
      return view.collect(turn);
    },
  };
}
