/**
 * What a person chose about the window, kept between starts: theme, layout, introductions already read.
 * Storage that is absent or full costs nothing but the memory of it.
 */
export type Theme = "system" | "dark" | "light";
export type LayoutId = "learn" | "inspect";

function read<T>(key: string, otherwise: T, fits: (value: unknown) => value is T): T {
  try {
    const text = localStorage.getItem(`quadrant.${key}`);
    if (text === null) return otherwise;
    const value: unknown = JSON.parse(text);
    return fits(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(`quadrant.${key}`, JSON.stringify(value));
  } catch {
    // A window without storage works; it only forgets.
  }
}

const isTheme = (value: unknown): value is Theme => ["system", "dark", "light"].includes(value as string);
const isLayout = (value: unknown): value is LayoutId => value === "learn" || value === "inspect";
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

class Settings {
  theme = $state<Theme>(read("theme", "system", isTheme));
  layout = $state<LayoutId>(read("layout", "learn", isLayout));
  /** Titles of guests whose introduction was dismissed. */
  introduced = $state.raw<readonly string[]>(read("introduced", [], isStrings));

  setTheme(theme: Theme): void {
    this.theme = theme;
    write("theme", theme);
    this.applyTheme();
  }

  applyTheme(): void {
    const root = document.documentElement;
    if (this.theme === "system") delete root.dataset.theme;
    else root.dataset.theme = this.theme;
  }

  setLayout(layout: LayoutId): void {
    this.layout = layout;
    write("layout", layout);
  }

  dismissIntroduction(title: string): void {
    this.introduced = [...new Set([...this.introduced, title])];
    write("introduced", this.introduced);
  }

  recallIntroduction(title: string): void {
    this.introduced = this.introduced.filter((other) => other !== title);
    write("introduced", this.introduced);
  }

  /** The dock as it was left in a layout, or null. The dock checks what it gets. */
  dockOf(layout: LayoutId): object | null {
    return read<object | null>(`dock.${layout}`, null, (value): value is object | null => isObject(value));
  }

  keepDock(layout: LayoutId, dock: object | null): void {
    if (dock === null) {
      try {
        localStorage.removeItem(`quadrant.dock.${layout}`);
      } catch {
        // As above.
      }
    } else write(`dock.${layout}`, dock);
  }
}

export const settings = new Settings();
