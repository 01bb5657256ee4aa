/** Comparisons as commands: the commit under P, B and D is one of them. */
import type { Action } from "../../actions.ts";
import { lab } from "../../lab.svelte.ts";
import { navigation } from "../../navigate.svelte.ts";

const there = () => lab.status !== null && lab.crash === null;

/** P against B, and B against D, from the guest's first instruction, to where the shadows part. */
export async function compareTheCommit(): Promise<void> {
  const started = await lab.try({
    name: "compare",
    pairs: [
      ["P", "B"],
      ["B", "D"],
    ],
    until: "shadow",
    from: "start",
    accessedDirty: false,
  });
  if (started !== undefined) navigation.showPane("compare");
}

export const compareActions: readonly Action[] = [
  {
    id: "compare-commit",
    title: "Compare P, B and D",
    group: "Machine",
    key: "",
    help: "The present guest under the parent commit, the commit and the counterfactual: where and why they part",
    when: there,
    separator: true,
    run: compareTheCommit,
  },
  {
    id: "compare",
    title: "Compare two policies…",
    group: "Machine",
    key: "",
    help: "Two machines in lock-step, side by side, to their first difference",
    when: there,
    run: () => navigation.showPane("compare"),
  },
  {
    id: "compare-stop",
    title: "Stop comparing",
    group: "Machine",
    key: "",
    when: there,
    paletteOnly: true,
    run: () => void lab.try({ name: "stopComparing" }),
  },
];
