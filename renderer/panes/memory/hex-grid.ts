/**
 * The hex grid's rows in the DOM, kept by hand: a push at 60 Hz touches only cells whose text or look changed, and a
 * row whose bytes are the same costs one comparison. One element a cell; positions come from the style sheet.
 */
import {
  type MemoryPageInfo,
  type MemoryView,
  PAGE_ROLES,
  ROLE_HYPERVISOR,
  ROLE_MEMORY,
  ROLE_NO_MEMORY,
  ROLE_NOT_MAPPED,
} from "../../../core/lab/protocol/index.ts";
import { asciiOf, cellText, type Draft } from "./cells.ts";
import { type CellChoice, cellSizeIn, PAGE, pageOf } from "./geometry.ts";

export interface GridState {
  readonly id: string;
  readonly view: MemoryView | null;
  readonly top: number;
  readonly rows: number;
  readonly rowBytes: number;
  readonly digits: number;
  /** First address behind the space. */
  readonly size: number;
  readonly choice: CellChoice;
  /** Address of the byte under the cursor. */
  readonly cursor: number;
  readonly column: "hex" | "ascii";
  /** Selected bytes [from, to), from = to when there are none. */
  readonly selection: readonly [number, number];
  readonly draft: Draft | null;
  /** Bytes that a found pattern or another pane points at, or null. */
  readonly pointed: readonly [number, number] | null;
  /** Counts pushes: what a new push marks as changed glows. */
  readonly pushes: number;
}

interface Cell {
  readonly hex: HTMLElement;
  readonly ascii: HTMLElement;
  /** Class names that its size and place give it. */
  readonly shape: string;
  text: string;
  letters: string;
  look: string;
  /** When it changed last, while it is lit. */
  changedAt: number;
}

interface Row {
  readonly root: HTMLElement;
  readonly gutter: HTMLElement;
  readonly body: HTMLElement;
  readonly ascii: HTMLElement;
  readonly tag: HTMLElement;
  readonly label: HTMLButtonElement;
  cells: Cell[];
  /** Cell size and bytes a row that the cells were made for. */
  shape: string;
  gutterText: string;
  look: string;
  labelText: string;
  /** Signature of what was drawn last, but for the bytes. */
  drawn: string;
  address: number;
  readonly bytes: Uint8Array;
  readonly state: Uint8Array;
}

/** Cells that were rewritten, for measuring. */
export interface DrawCount {
  rows: number;
  cells: number;
}

const element = (tag: string, className: string, parent: HTMLElement): HTMLElement => {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
};

export const roleName = (page: MemoryPageInfo): string => PAGE_ROLES[page.role] ?? "";

/** The label beside a page's first row, or "" for ordinary memory. */
export function pageLabel(page: MemoryPageInfo, space: MemoryView["space"]): string {
  if (page.role === ROLE_MEMORY) return "";
  const name = roleName(page);
  if (page.role === ROLE_NO_MEMORY || page.role === ROLE_NOT_MAPPED || page.role === ROLE_HYPERVISOR)
    return name;
  const gfn = page.gpa >= 0 && space !== "gpa" ? ` gfn ${(page.gpa / PAGE).toString(16)}` : "";
  return `${name}${gfn}`;
}

/** Milliseconds for which a changed cell stays lit before it fades; one that keeps changing costs no animation. */
const LIT_MS = 150;

export class HexGrid {
  private readonly rows: Row[] = [];
  private lastPush = -1;
  private fading: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly onlabel: (page: MemoryPageInfo) => void,
  ) {}

  draw(state: GridState): DrawCount {
    const count = { rows: 0, cells: 0 };
    while (this.rows.length > state.rows) this.rows.pop()!.root.remove();
    while (this.rows.length < state.rows) this.rows.push(this.makeRow());
    const fresh = state.pushes !== this.lastPush;
    if (fresh) this.lastPush = state.pushes;
    for (let i = 0; i < state.rows; i++) this.drawRow(this.rows[i]!, i, state, fresh, count);
    return count;
  }

  /** Nothing is drawn any more. */
  close(): void {
    if (this.fading !== null) clearTimeout(this.fading);
  }

  /** Row and cell of a pointer event's target, or null. */
  hit(target: EventTarget | null): { row: number; cell: number; column: "hex" | "ascii" } | null {
    if (!(target instanceof HTMLElement)) return null;
    const spot = target.closest<HTMLElement>("[data-cell]");
    const line = spot?.closest<HTMLElement>(".row");
    if (!spot || !line) return null;
    const row = this.rows.findIndex((r) => r.root === line);
    return row < 0
      ? null
      : {
          row,
          cell: Number(spot.dataset.cell),
          column: spot.parentElement === this.rows[row]!.ascii ? "ascii" : "hex",
        };
  }

  private makeRow(): Row {
    const root = element("div", "row", this.root);
    root.setAttribute("role", "row");
    const gutter = element("span", "gutter", root);
    gutter.setAttribute("role", "rowheader");
    const body = element("span", "body", root);
    const ascii = element("span", "ascii", root);
    ascii.setAttribute("aria-hidden", "true");
    const tag = element("span", "tag", root);
    tag.setAttribute("role", "gridcell");
    tag.hidden = true;
    const label = element("button", "label", tag) as HTMLButtonElement;
    label.type = "button";
    label.tabIndex = -1;
    return {
      root,
      gutter,
      body,
      ascii,
      tag,
      label,
      cells: [],
      shape: "",
      gutterText: "",
      look: "",
      labelText: "",
      drawn: "",
      address: -1,
      bytes: new Uint8Array(32),
      state: new Uint8Array(32),
    };
  }

  private shapeRow(row: Row, size: number, rowBytes: number): void {
    row.body.replaceChildren();
    row.ascii.replaceChildren();
    row.cells = [];
    for (let at = 0; at < rowBytes; at += size) {
      const shape = `cell c${size}${at > 0 && at % 8 === 0 ? " mid" : ""}`;
      const hex = element("span", shape, row.body);
      hex.setAttribute("role", "gridcell");
      hex.dataset.cell = String(at);
      const ascii = element("span", "letter", row.ascii);
      ascii.dataset.cell = String(at);
      row.cells.push({ hex, ascii, shape, text: "", letters: "", look: "", changedAt: 0 });
    }
  }

  private drawRow(row: Row, index: number, state: GridState, fresh: boolean, count: DrawCount): void {
    const { view, rowBytes } = state;
    const address = state.top + index * rowBytes;
    const page = view === null ? null : pageOf(view.pages, address);
    const size = cellSizeIn(page, state.choice);
    const offset = view === null ? -1 : address - view.address;
    const known = view !== null && offset >= 0 && offset + rowBytes <= view.bytes.length;

    const touches = (from: number, to: number) => from < address + rowBytes && to > address;
    const cursorHere = state.cursor >= address && state.cursor < address + rowBytes;
    const [from, to] = state.selection;
    const pointed = state.pointed;
    const overlay =
      (cursorHere ? `c${state.cursor}${state.column}` : "") +
      (from < to && touches(from, to) ? `s${from},${to}` : "") +
      (state.draft !== null && cursorHere ? `d${state.draft.digits},${state.draft.caret}` : "") +
      (pointed !== null && touches(pointed[0], pointed[1]) ? `p${pointed[0]},${pointed[1]}` : "");
    const drawn = `${address},${size},${rowBytes},${page?.role},${page?.writeProtected},${known},${index === 0},${overlay}`;

    let same = drawn === row.drawn;
    if (known) {
      const { bytes, state: marks } = view;
      for (let i = 0; i < rowBytes; i++) {
        const mark = marks[offset + i]!;
        // A push marks changes once; drawing again for another reason must not light them again.
        const next = fresh || mark !== 2 ? mark : row.state[i] === 0 ? 1 : row.state[i]!;
        if (bytes[offset + i] !== row.bytes[i] || next !== row.state[i] || (fresh && mark === 2))
          same = false;
        row.bytes[i] = bytes[offset + i]!;
        row.state[i] = next;
      }
    }
    if (same) return;
    // A row that now shows another address carries no glow over.
    const moved = row.address !== address;
    row.address = address;
    row.drawn = drawn;
    count.rows++;

    const shape = `${size},${rowBytes}`;
    if (shape !== row.shape) {
      row.shape = shape;
      this.shapeRow(row, size, rowBytes);
    }
    this.drawHead(row, index, address, page, state);

    for (let i = 0; i < row.cells.length; i++) {
      const cell = row.cells[i]!;
      const at = i * size;
      const start = address + at;
      let readable = known && start < state.size;
      let changed = false;
      if (readable)
        for (let k = 0; k < size; k++) {
          if (row.state[at + k] === 0) readable = false;
          if (row.state[at + k] === 2) changed = true;
        }
      const here = state.cursor >= start && state.cursor < start + size;
      const selected = from < to && start < to && start + size > from;
      const marked = pointed !== null && start < pointed[1] && start + size > pointed[0];
      const draft = here ? state.draft : null;

      const text = readable ? cellText(row.bytes, at, size) : "·".repeat(size * 2);
      let letters = "";
      for (let k = 0; k < size; k++) letters += readable ? asciiOf(row.bytes[at + k]!) : " ";
      let zero = readable;
      for (let k = 0; k < size && zero; k++) zero = row.bytes[at + k] === 0;
      const light = changed && fresh ? " lit" : moved ? "" : lightOf(cell.look);
      if (changed && fresh) this.lit(cell);
      const look =
        (readable ? "" : " none") +
        (zero ? " zero" : "") +
        (selected ? " selected" : "") +
        (marked ? " pointed" : "") +
        (here ? (state.column === "hex" ? " cursor" : " cursor other") : "") +
        (draft !== null ? " draft" : "") +
        light;

      const full = draft === null ? text : `${draft.digits}|${draft.caret}`;
      if (full !== cell.text) {
        cell.text = full;
        if (draft === null) cell.hex.textContent = text;
        else drawDraft(cell.hex, draft);
        count.cells++;
      }
      if (letters !== cell.letters) {
        cell.letters = letters;
        cell.ascii.textContent = letters;
      }
      if (look !== cell.look) {
        cell.look = look;
        dress(cell);
        count.cells++;
      }
      if (here) {
        cell.hex.id = `${state.id}-cursor`;
        cell.hex.setAttribute("aria-selected", "true");
      } else if (cell.hex.id !== "") {
        cell.hex.removeAttribute("id");
        cell.hex.removeAttribute("aria-selected");
      }
    }
  }

  /** A changed cell burns, and fades when it has not changed for a while. */
  private lit(cell: Cell): void {
    cell.changedAt = performance.now();
    this.fadeLater();
  }

  private fadeLater(): void {
    if (this.fading !== null) return;
    this.fading = setTimeout(() => {
      this.fading = null;
      const now = performance.now();
      let burning = false;
      for (const row of this.rows)
        for (const cell of row.cells) {
          if (!cell.look.includes(" lit")) continue;
          if (now - cell.changedAt < LIT_MS - 5) burning = true;
          else {
            cell.look = cell.look.replace(" lit", " fade");
            dress(cell);
          }
        }
      if (burning) this.fadeLater();
    }, LIT_MS);
  }

  private drawHead(
    row: Row,
    index: number,
    address: number,
    page: MemoryPageInfo | null,
    state: GridState,
  ): void {
    const inside = address < state.size;
    const text = inside ? address.toString(16).padStart(state.digits, "0") : "";
    if (text !== row.gutterText) {
      row.gutterText = text;
      row.gutter.textContent = text;
    }
    const first = address % PAGE === 0;
    const look = `row role-${page?.role ?? ROLE_MEMORY}${first ? " first" : ""}${inside ? "" : " beyond"}`;
    if (look !== row.look) {
      row.look = look;
      row.root.className = look;
    }
    const rowIndex = Math.floor(address / state.rowBytes) + 1;
    if (rowIndex < 2 ** 31) row.root.setAttribute("aria-rowindex", String(rowIndex));
    else row.root.removeAttribute("aria-rowindex");
    const label =
      page !== null && state.view !== null && (first || index === 0) ? pageLabel(page, state.view.space) : "";
    const wanted = page?.writeProtected && label !== "" ? `${label} · write-protected` : label;
    if (wanted !== row.labelText) {
      row.labelText = wanted;
      row.label.textContent = label;
      row.label.title =
        page === null || page.role > 5
          ? wanted
          : `${wanted}. Press to see it in the ${page.role >= 4 ? "shadow" : "table"} pane.`;
      row.tag.hidden = wanted === "";
    }
    row.label.classList.toggle("guarded", page?.writeProtected ?? false);
    row.label.onclick = page === null ? null : () => this.onlabel(page);
  }
}

/** A light that burns or fades goes on when the cell is drawn again for another reason, or by a push that left it. */
const lightOf = (look: string): string => / (lit|fade)/.exec(look)?.[0] ?? "";

function dress(cell: Cell): void {
  cell.hex.className = `${cell.shape}${cell.look}`;
  cell.ascii.className = `letter${cell.look}`;
}

function drawDraft(hex: HTMLElement, draft: Draft): void {
  const at = Math.min(draft.caret, draft.digits.length - 1);
  const caret = document.createElement("span");
  caret.className = draft.caret >= draft.digits.length ? "caret behind" : "caret";
  caret.textContent = draft.digits[at]!;
  hex.replaceChildren(draft.digits.slice(0, at), caret, draft.digits.slice(at + 1));
}
