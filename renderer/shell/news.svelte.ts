/**
 * What came to a pane while it was hidden: the guest wrote to the console, the audit found something. A tab shows it;
 * looking at the pane takes it away.
 */
import { decimal } from "../format.ts";
import { lab } from "../lab.svelte.ts";

export interface News {
  readonly tone: "new" | "bad";
  /** In the tab; empty for a dot. */
  readonly text: string;
  readonly help: string;
}

/** How much there is for a pane to show, counted up. */
const COUNT: Readonly<Record<string, () => number>> = {
  console: () => lab.status?.console.total ?? 0,
  audit: () => lab.status?.audit.violations ?? 0,
};

class AllNews {
  #visible = $state.raw<ReadonlySet<string>>(new Set());
  /** The count when the pane was last seen; absent: what there was at first is no news. */
  #seen = $state.raw<Readonly<Record<string, number>>>({});

  /** What another machine (or the same one begun again) has at its beginning is no news. */
  #machine = 0;

  /** A pane came to sight, or went out of it. */
  see(id: string, visible: boolean): void {
    if (!(id in COUNT)) return;
    const now = new Set(this.#visible);
    if (visible) now.add(id);
    else now.delete(id);
    this.#visible = now;
    if (lab.status !== null) this.#seen = { ...this.#seen, [id]: COUNT[id]!() };
  }

  /** Call inside an effect: keeps count of what is in sight, and of a machine that began again. */
  follow(): void {
    const { status } = lab;
    if (status === null) return;
    const again = status.machine !== this.#machine;
    this.#machine = status.machine;
    let changed: Record<string, number> | null = null;
    for (const [id, count] of Object.entries(COUNT)) {
      const now = count();
      const seen = this.#seen[id];
      if (
        seen === undefined ||
        now < seen ||
        (again && now !== seen) ||
        (this.#visible.has(id) && now !== seen)
      )
        changed = { ...(changed ?? this.#seen), [id]: now };
    }
    if (changed !== null) this.#seen = changed;
  }

  of(id: string): News | null {
    const count = COUNT[id];
    if (count === undefined || this.#visible.has(id)) return null;
    const fresh = count() - (this.#seen[id] ?? count());
    if (fresh <= 0) return null;
    return id === "audit"
      ? {
          tone: "bad",
          text: fresh > 99 ? "99+" : String(fresh),
          help: `${decimal(fresh)} new ${fresh === 1 ? "violation" : "violations"}`,
        }
      : { tone: "new", text: "", help: `${decimal(fresh)} new characters from the guest` };
  }
}

export const news = new AllNews();
