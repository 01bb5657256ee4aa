/**
 * Ready choices of event kinds. An empty choice means all kinds.
 */
import { EVENT_KINDS } from "../../../core/lab/protocol/index.ts";

export interface Preset {
  readonly title: string;
  readonly kinds: readonly string[];
}

/** In the table's order, so that two equal choices are equal lists. */
export function inOrder(names: Iterable<string>): readonly string[] {
  const wanted = new Set(names);
  return EVENT_KINDS.map((kind) => kind.name).filter((name) => wanted.has(name));
}

/** What one write to a page table sets in motion: the first thing to read, without the noise of port exits. */
export const STORY: Preset = {
  title: "A write's story",
  kinds: inOrder([
    "pf_fixed",
    "pf_guest",
    "spte_set",
    "spte_clear",
    "pte_write",
    "pte_write_page",
    "zap_page",
    "emulate",
    "edit",
    "finding",
  ]),
};

export const PRESETS: readonly Preset[] = [
  { title: "All kinds", kinds: [] },
  STORY,
  { title: "Faults", kinds: inOrder(["pf_guest", "pf_fixed", "exception"]) },
  { title: "Shadow pages", kinds: inOrder(["get_page", "zap_page", "unprotect", "recycle"]) },
];

/** What a choice is called: a preset's title, or its first kinds. */
export function titleOf(chosen: readonly string[]): string {
  const key = inOrder(chosen).join();
  const preset = PRESETS.find((other) => other.kinds.join() === key);
  if (preset !== undefined) return preset.title;
  return chosen.length <= 2 ? chosen.join(", ") : `${chosen.slice(0, 2).join(", ")} +${chosen.length - 2}`;
}
