/**
 * Where one looks: the places that panes share. A click on an address, a table or a shadow page anywhere comes
 * here; the pane that shows such places follows, is brought to the front, and one can go back.
 */
import type { Space } from "../core/lab/protocol/index.ts";

export type Place =
  | { readonly kind: "address"; readonly space: Space; readonly address: number; readonly length: number }
  /** A guest table; gfn null follows the last write. `entry`: guest entry to point out, or null. */
  | {
      readonly kind: "table";
      readonly gfn: number | null;
      readonly level: number | null;
      readonly entry: number | null;
    }
  /** A shadow page; `index`: spte to point out, or null. */
  | { readonly kind: "page"; readonly hpa: number; readonly index: number | null }
  | { readonly kind: "walk"; readonly gva: number; readonly access: Access; readonly user: boolean }
  | { readonly kind: "code"; readonly address: number | null }
  /** An event of the trace, by its number. */
  | { readonly kind: "event"; readonly seq: number };
export type Access = "read" | "write" | "fetch";
export type PlaceOf<K extends Place["kind"]> = Extract<Place, { kind: K }>;

/** Which pane shows a place. */
const PANE_OF: Readonly<Record<Place["kind"], string>> = {
  address: "memory",
  table: "table",
  page: "shadow",
  walk: "walk",
  code: "code",
  event: "events",
};

/** The entry under the pointer or cursor in any pane, so that the others can light up its counterpart. */
export type Hovered =
  | { readonly kind: "guest"; readonly gfn: number; readonly entry: number }
  | { readonly kind: "spte"; readonly hpa: number; readonly index: number };

const MOST_HISTORY = 100;

class Navigation {
  /** The newest place of each kind; panes read theirs. Objects are new at each request, also for the same place. */
  address = $state.raw<PlaceOf<"address">>({ kind: "address", space: "gva", address: 0, length: 1 });
  table = $state.raw<PlaceOf<"table">>({ kind: "table", gfn: null, level: null, entry: null });
  page = $state.raw<PlaceOf<"page"> | null>(null);
  /** Null: the fetch at EIP, wherever that is. */
  walk = $state.raw<PlaceOf<"walk"> | null>(null);
  code = $state.raw<PlaceOf<"code">>({ kind: "code", address: null });
  /** Null: the events follow the machine. */
  event = $state.raw<PlaceOf<"event"> | null>(null);
  hovered = $state.raw<Hovered | null>(null);

  /** Counts the guests that came into the window: panes that look at places of their own begin anew. */
  visit = $state(0);

  #history = $state.raw<readonly Place[]>([]);
  #at = $state(-1);

  /** Brings a pane to the front; the dock puts itself here. */
  showPane: (id: string) => void = () => {};

  get canGoBack(): boolean {
    return this.#at > 0;
  }
  get canGoForward(): boolean {
    return this.#at < this.#history.length - 1;
  }

  goTo(place: { space: Space; address: number; length?: number }): void {
    this.go({ kind: "address", space: place.space, address: place.address, length: place.length ?? 1 });
  }
  showTable(gfn: number | null, level: number | null = null, entry: number | null = null): void {
    this.go({ kind: "table", gfn, level, entry });
  }
  showPage(hpa: number, index: number | null = null): void {
    this.go({ kind: "page", hpa, index });
  }
  showWalk(gva: number, access: Access = "read", user = false): void {
    this.go({ kind: "walk", gva: gva >>> 0, access, user });
  }
  /** null: back to following EIP. */
  showCode(address: number | null): void {
    this.go({ kind: "code", address });
  }

  showEvent(seq: number): void {
    this.go({ kind: "event", seq });
  }

  /** Another guest: what was looked at is not there any more. */
  begin(): void {
    this.#history = [];
    this.#at = -1;
    this.table = { kind: "table", gfn: null, level: null, entry: null };
    this.address = { kind: "address", space: "gva", address: 0, length: 1 };
    this.page = null;
    this.walk = null;
    this.code = { kind: "code", address: null };
    this.event = null;
    this.hovered = null;
    this.visit++;
  }

  back(): void {
    if (this.canGoBack) this.#visit(this.#at - 1);
  }
  forward(): void {
    if (this.canGoForward) this.#visit(this.#at + 1);
  }

  go(place: Place): void {
    this.#history = [...this.#history.slice(0, this.#at + 1), place].slice(-MOST_HISTORY);
    this.#visit(this.#history.length - 1);
  }

  #visit(at: number): void {
    this.#at = at;
    const place = { ...this.#history[at]! };
    switch (place.kind) {
      case "address":
        this.address = place;
        break;
      case "table":
        this.table = place;
        break;
      case "page":
        this.page = place;
        break;
      case "event":
        this.event = place;
        break;
      case "walk":
        this.walk = place;
        break;
      case "code":
        this.code = place;
        break;
    }
    this.showPane(PANE_OF[place.kind]);
  }
}

export const navigation = new Navigation();
