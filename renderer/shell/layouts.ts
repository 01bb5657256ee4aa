/**
 * The default arrangement of panes for each task, as steps the dock takes one after the other:
 * each pane stands within, or beside, one that stands already.
 */
import type { LayoutId } from "../settings.svelte.ts";

export interface Placement {
  readonly pane: string;
  readonly beside?: string;
  readonly direction?: "left" | "right" | "above" | "below" | "within";
  /** Share of the dock's width or height (0 … 1) that the new group takes. */
  readonly share?: number;
}

export const LAYOUTS: Readonly<
  Record<LayoutId, { readonly title: string; readonly help: string; readonly panes: readonly Placement[] }>
> = {
  learn: {
    title: "Learn",
    help: "The quadrant picture large; code, memory and events around it",
    panes: [
      { pane: "table" },
      { pane: "screen", beside: "table", direction: "within" },
      { pane: "scenario", beside: "table", direction: "within" },
      { pane: "compare", beside: "table", direction: "within" },
      { pane: "experiments", beside: "table", direction: "within" },
      { pane: "code", beside: "table", direction: "left", share: 0.22 },
      { pane: "address-space", beside: "code", direction: "within" },
      { pane: "processor", beside: "code", direction: "below", share: 0.44 },
      { pane: "counters", beside: "processor", direction: "within" },
      { pane: "memory", beside: "table", direction: "below", share: 0.31 },
      { pane: "shadow", beside: "memory", direction: "within" },
      { pane: "devices", beside: "memory", direction: "within" },
      { pane: "events", beside: "memory", direction: "right", share: 0.36 },
      { pane: "walk", beside: "events", direction: "within" },
      { pane: "console", beside: "events", direction: "within" },
      { pane: "audit", beside: "events", direction: "within" },
    ],
  },
  inspect: {
    title: "Inspect",
    help: "Everything side by side: tables, shadow, walk, processor, memory, events",
    panes: [
      { pane: "table" },
      { pane: "screen", beside: "table", direction: "within" },
      { pane: "scenario", beside: "table", direction: "within" },
      { pane: "compare", beside: "table", direction: "within" },
      { pane: "experiments", beside: "table", direction: "within" },
      { pane: "address-space", beside: "table", direction: "left", share: 0.18 },
      { pane: "walk", beside: "table", direction: "right", share: 0.25 },
      { pane: "memory", beside: "table", direction: "below", share: 0.34 },
      { pane: "console", beside: "memory", direction: "within" },
      { pane: "devices", beside: "memory", direction: "within" },
      { pane: "events", beside: "memory", direction: "right", share: 0.26 },
      { pane: "audit", beside: "events", direction: "within" },
      { pane: "counters", beside: "events", direction: "within" },
      { pane: "shadow", beside: "address-space", direction: "below", share: 0.55 },
      { pane: "processor", beside: "walk", direction: "below", share: 0.55 },
      { pane: "code", beside: "processor", direction: "within" },
    ],
  },
};
