/**
 * The one list of what a person can do: menu, keys, palette, top bar and help read it.
 * An action's functions read the lab's reactive state, so that a caller inside an effect follows it.
 */
import type { Menu } from "./bridge.ts";

export interface Action {
  readonly id: string;
  readonly title: string;
  /** Groups the help overlay and the palette; one of the menus when it stands in one. */
  readonly group: Menu | "Go";
  /** As "Ctrl+Shift+P" or "F5"; Ctrl is Cmd on a Mac. Empty: none. */
  readonly key: string;
  readonly help?: string;
  /** Present and able to run now. Absent: always. */
  readonly when?: () => boolean;
  /** For an action that is on or off. */
  readonly checked?: () => boolean;
  /** A line above it in the menu. */
  readonly separator?: boolean;
  /** The key counts only while the keyboard is in this pane, and there before all others. */
  readonly pane?: string;
  /** The key is told here, but the pane (or the browser) answers it by itself. */
  readonly native?: boolean;
  /** Not in the menu bar (still in the palette). */
  readonly paletteOnly?: boolean;
  readonly run: () => void | Promise<void>;
}

class Actions {
  readonly #list: Action[] = [];
  readonly #byId = new Map<string, Action>();

  /** Adds actions, behind those that are there or ahead of them; an id may come once. */
  register(actions: readonly Action[], ahead = false): void {
    for (const action of actions) {
      if (this.#byId.has(action.id)) throw new Error(`two actions are called ${action.id}`);
      this.#byId.set(action.id, action);
    }
    if (ahead) this.#list.unshift(...actions);
    else this.#list.push(...actions);
  }

  get all(): readonly Action[] {
    return this.#list;
  }

  get(id: string): Action | undefined {
    return this.#byId.get(id);
  }

  enabled(action: Action): boolean {
    return action.when?.() ?? true;
  }

  /** The action of a key in a pane (or in none), or undefined; `taken`: the key means something, if not now. */
  ofKey(key: string, pane: string | undefined): { action: Action | undefined; taken: boolean } {
    const fits = this.#list.filter(
      (action) => action.key === key && (action.pane === undefined || action.pane === pane),
    );
    const nearest = [...fits.filter((action) => action.pane !== undefined), ...fits];
    if (nearest[0]?.native === true) return { action: undefined, taken: false };
    return { action: nearest.find((action) => this.enabled(action)), taken: fits.length > 0 };
  }

  /** Runs it if it can run now. Answers whether it did. */
  run(id: string): boolean {
    const action = this.#byId.get(id);
    if (action === undefined || !this.enabled(action)) return false;
    void action.run();
    return true;
  }
}

export const actions = new Actions();

const MAC = typeof navigator !== "undefined" && /Mac/.test(navigator.platform);

/** A key event as the registry writes keys: "Ctrl+Shift+P". */
export function keyOf(event: KeyboardEvent): string {
  const parts: string[] = [];
  if (MAC ? event.metaKey : event.ctrlKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey && (event.key.length > 1 || /[a-z0-9]/i.test(event.key))) parts.push("Shift");
  // Alt+digit gives other characters on some layouts: the digit's own key counts.
  const digit = /^Digit([0-9])$/.exec(event.code);
  const key = event.altKey && digit !== null ? digit[1]! : event.key;
  parts.push(key.length === 1 ? key.toUpperCase() : key);
  return parts.join("+");
}

/** Keys with which one edits text: they belong to the field one types in, whatever they mean elsewhere. */
const EDITING = /^Ctrl\+(Shift\+)?([ACVXYZ]|Backspace|Delete|Insert|Home|End|Arrow\w+)$/;

/** Whether a key (as `keyOf` writes it) stays in the text field it is pressed in; the others mean what they always mean. */
export function staysInField(key: string): boolean {
  if (EDITING.test(key)) return true;
  return !/^(Ctrl\+.+|Alt\+\d|(Shift\+)?F\d+)$/.test(key);
}

/** A key as this system writes it. */
export function keyText(key: string): string {
  const text = key.replace("ArrowLeft", "Left").replace("ArrowRight", "Right");
  return MAC ? text.replace("Ctrl+", "⌘").replace("Alt+", "⌥").replace("Shift+", "⇧") : text;
}
