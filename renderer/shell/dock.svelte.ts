/**
 * The dock: the panes in their groups, made from a layout or from what was left, kept as it changes.
 * A pane is mounted when it is first placed and lives until it is closed; while another tab hides it, its views are closed.
 */
import {
  createDockview,
  type DockviewApi,
  type DockviewPanelApi,
  type GroupPanelPartInitParameters,
  type IContentRenderer,
  type ITabRenderer,
  type SerializedDockview,
  type TabPartInitParameters,
} from "dockview";
import { mount, unmount } from "svelte";
import { navigation } from "../navigate.svelte.ts";
import { PANES } from "../panes/index.ts";
import { type LayoutId, settings } from "../settings.svelte.ts";
import DockTab from "./DockTab.svelte";
import { LAYOUTS } from "./layouts.ts";
import { news } from "./news.svelte.ts";
import PaneHost from "./PaneHost.svelte";

class Content implements IContentRenderer {
  readonly element = document.createElement("div");
  readonly #id: string;
  readonly #visibility = $state({ visible: false });
  #mounted: Record<string, unknown> | null = null;
  #listening: { dispose(): void } | null = null;

  constructor(id: string) {
    this.#id = id;
    this.element.className = "pane-host";
  }

  init(parameters: GroupPanelPartInitParameters): void {
    const api: DockviewPanelApi = parameters.api;
    this.#visibility.visible = api.isVisible;
    news.see(this.#id, api.isVisible);
    this.#listening = api.onDidVisibilityChange((event) => {
      this.#visibility.visible = event.isVisible;
      news.see(this.#id, event.isVisible);
    });
    this.#mounted = mount(PaneHost, {
      target: this.element,
      props: { id: this.#id, visibility: this.#visibility },
    });
  }

  dispose(): void {
    this.#listening?.dispose();
    news.see(this.#id, false);
    if (this.#mounted !== null) void unmount(this.#mounted);
    this.#mounted = null;
  }
}

/** A tab: its title, news of a hidden pane, and a cross for the mouse. */
class Tab implements ITabRenderer {
  readonly element = document.createElement("div");
  readonly #id: string;
  #mounted: Record<string, unknown> | null = null;

  constructor(id: string) {
    this.#id = id;
    this.element.className = "tab-host";
  }

  init(parameters: TabPartInitParameters): void {
    this.#mounted = mount(DockTab, {
      target: this.element,
      props: { id: this.#id, title: parameters.title, onclose: () => parameters.api.close() },
    });
  }

  dispose(): void {
    if (this.#mounted !== null) void unmount(this.#mounted);
    this.#mounted = null;
  }
}

class Dock {
  #api: DockviewApi | null = null;
  #saving = 0;
  #building = false;
  /** Ids of the panes that stand somewhere, for the View menu. */
  open = $state.raw<readonly string[]>([]);
  maximized = $state(false);

  attach(element: HTMLElement): () => void {
    const api = createDockview(element, {
      theme: { name: "quadrant", className: "dockview-theme-quadrant", dndTabIndicator: "line" },
      createComponent: ({ name }) => new Content(name),
      createTabComponent: ({ id }) => new Tab(id),
      defaultTabComponent: "tab",
      disableFloatingGroups: true,
    });
    this.#api = api;
    // The dock has no size before its first layout, and shares are taken of the size.
    api.layout(element.clientWidth, element.clientHeight);
    this.#restore();
    const changed = api.onDidLayoutChange(() => this.#changed());
    const maximized = api.onDidMaximizedGroupChange(() => {
      this.maximized = api.hasMaximizedGroup();
    });
    navigation.showPane = (id) => this.show(id, false);
    return () => {
      clearTimeout(this.#saving);
      changed.dispose();
      maximized.dispose();
      api.dispose();
      this.#api = null;
    };
  }

  /** Brings a pane to the front, placing it anew when it was closed. `focus`: and the keyboard into it. */
  show(id: string, focus: boolean): void {
    const api = this.#api;
    const pane = PANES.find((other) => other.id === id);
    if (api === null || pane === undefined) return;
    const standing = api.getPanel(id);
    if (standing === undefined) {
      api.addPanel({ id, component: id, title: pane.title, ...this.#placeFor(api, id) });
    } else if (api.hasMaximizedGroup() && !standing.api.isVisible) {
      api.exitMaximizedGroup();
      standing.api.setActive();
    } else if (!standing.api.isActive) standing.api.setActive();
    if (focus) this.focusPane(id);
  }

  /** Whether a pane can be seen. */
  inFront(id: string): boolean {
    return this.#api?.getPanel(id)?.api.isVisible ?? false;
  }

  /** Where a closed pane comes back: to those it shares a group with in the layout, else beside its neighbour there. */
  #placeFor(api: DockviewApi, id: string): object {
    const { panes } = LAYOUTS[settings.layout];
    const of = (pane: string) => panes.find((placement) => placement.pane === pane);
    /** The pane that began the group in which one stands. */
    const root = (pane: string): string => {
      const placement = of(pane);
      return placement?.direction === "within" && placement.beside !== undefined
        ? root(placement.beside)
        : pane;
    };
    const mate = panes
      .filter((placement) => placement.pane !== id && root(placement.pane) === root(id))
      .map((placement) => api.getPanel(placement.pane))
      .find((panel) => panel !== undefined);
    if (mate !== undefined) return { position: { referencePanel: mate, direction: "within" } };
    const { beside, direction, share } = of(root(id)) ?? {};
    const neighbour = beside === undefined ? undefined : api.getPanel(beside);
    if (neighbour === undefined || direction === undefined) return {};
    const aside = direction === "left" || direction === "right";
    const size = (aside ? api.width : api.height) * (share ?? 0.3);
    return {
      position: { referencePanel: neighbour, direction },
      ...(aside ? { initialWidth: size } : { initialHeight: size }),
    };
  }

  /** The keyboard to the next (by -1: the previous) group of panes, from wherever it is. */
  focusGroup(by: 1 | -1): void {
    const groups = this.#api?.groups ?? [];
    if (groups.length === 0) return;
    const at = groups.findIndex((group) => group.element.contains(document.activeElement));
    const next = groups[(at < 0 && by < 0 ? groups.length - 1 : at + by + groups.length) % groups.length]!;
    if (next.activePanel) this.show(next.activePanel.id, true);
  }

  /** The next tab of the group that is active. */
  focusTab(by: 1 | -1): void {
    const panels = this.#api?.activeGroup?.panels ?? [];
    const at = panels.findIndex((panel) => panel.api.isVisible);
    const next = panels[(at + by + panels.length) % Math.max(1, panels.length)];
    if (next !== undefined) this.show(next.id, true);
  }

  /** The keyboard into a pane: its first focusable element. */
  focusPane(id: string): void {
    requestAnimationFrame(() => {
      const host = document.querySelector<HTMLElement>(`[data-pane="${id}"]`);
      const first = host?.querySelector<HTMLElement>(
        "[role=grid][tabindex='0'], .pane-body [tabindex='0'], .pane-body button, input, button, [tabindex='0']",
      );
      (first ?? host)?.focus();
    });
  }

  toggle(id: string): void {
    const standing = this.#api?.getPanel(id);
    if (standing === undefined) this.show(id, true);
    else standing.api.close();
  }

  /** Closes the pane that is active. */
  closeActive(): void {
    this.#api?.activePanel?.api.close();
  }

  /** The active group over the whole dock, and back. */
  toggleMaximized(): void {
    const api = this.#api;
    if (api === null) return;
    if (api.hasMaximizedGroup()) api.exitMaximizedGroup();
    else if (api.activePanel !== undefined) api.maximizeGroup(api.activePanel);
  }

  choose(layout: LayoutId): void {
    settings.setLayout(layout);
    this.#restore();
  }

  /** The chosen layout as it came. */
  reset(): void {
    settings.keepDock(settings.layout, null);
    this.#restore();
  }

  #restore(): void {
    const api = this.#api;
    if (api === null) return;
    this.#building = true;
    try {
      api.clear();
      const kept = settings.dockOf(settings.layout);
      if (kept !== null && this.#known(kept)) {
        try {
          api.fromJSON(kept as SerializedDockview);
          if (api.totalPanels > 0) return;
        } catch {
          // What was kept does not fit this version: the default does.
        }
        api.clear();
      }
      this.#build(api);
    } finally {
      this.#building = false;
      this.open = api.panels.map((panel) => panel.id);
    }
  }

  #known(kept: object): boolean {
    const panels = (kept as { panels?: unknown }).panels;
    return (
      typeof panels === "object" &&
      panels !== null &&
      Object.keys(panels).every((id) => PANES.some((pane) => pane.id === id))
    );
  }

  #build(api: DockviewApi): void {
    const placements = LAYOUTS[settings.layout].panes;
    for (const { pane: id, beside, direction, share } of placements) {
      const pane = PANES.find((other) => other.id === id);
      if (pane === undefined) continue;
      const along = direction === "left" || direction === "right" ? api.width : api.height;
      const size =
        share === undefined
          ? {}
          : direction === "left" || direction === "right"
            ? { initialWidth: along * share }
            : { initialHeight: along * share };
      api.addPanel({
        id,
        component: id,
        title: pane.title,
        inactive: direction === "within",
        ...size,
        ...(beside === undefined
          ? {}
          : { position: { referencePanel: beside, direction: direction ?? "within" } }),
      });
    }
    api.getPanel(placements[0]!.pane)?.api.setActive();
  }

  #changed(): void {
    const api = this.#api;
    if (api === null || this.#building) return;
    this.open = api.panels.map((panel) => panel.id);
    clearTimeout(this.#saving);
    const layout = settings.layout;
    this.#saving = window.setTimeout(() => {
      if (this.#api !== null && layout === settings.layout) settings.keepDock(layout, api.toJSON());
    }, 400);
  }
}

export const dock = new Dock();
