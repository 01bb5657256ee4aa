/**
 * Where one is in the memory editor: the space, what is on the screen, the cursor and the selection, and the bytes
 * that the lab shows there. Made while the pane initialises: it opens the pane's view.
 */
import type { MemoryPageInfo, MemoryView, Space } from "../../../core/lab/protocol/index.ts";
import { lab, useView } from "../../lab.svelte.ts";
import {
  addressDigits,
  type CellChoice,
  cellSizeIn,
  cellStart,
  clampTop,
  MOST_BYTES,
  pageOf,
  rowBytesFor,
  scrollTo,
  spaceSize,
} from "./geometry.ts";

/** Height of a row in pixels. */
export const ROW = 20;
/** Bytes fetched beyond the screen on each side, so that small scrolls show at once. */
const AROUND = 1024;
/** Pixels of a row that hold no characters. */
const ROW_MARGINS = 26;

export class MemoryPlace {
  space = $state<Space>("gva");
  /** Address of the first row on the screen. */
  top = $state(0);
  /** Address of the byte under the cursor. */
  cursor = $state(0);
  column = $state<"hex" | "ascii">("hex");
  /** Where the selection began, or null. */
  anchor = $state<number | null>(null);
  choice = $state<CellChoice>("auto");
  /** Bytes that a found pattern or another pane points at. */
  pointed = $state.raw<readonly [number, number] | null>(null);

  // The grid's room, in pixels: its owner measures it.
  width = $state(0);
  height = $state(0);
  characterWidth = $state(7.2);

  /** Called before the cursor leaves its cell: what was being typed ends. */
  onleave: () => void = () => {};

  #places: Record<Space, { top: number; cursor: number } | null> = { gva: null, gpa: null, hpa: null };

  readonly config = $derived(lab.status?.config ?? null);
  readonly size = $derived(
    spaceSize(this.space, this.config?.memory ?? 64 * 2 ** 20, this.config?.memoryHigh ?? 0),
  );
  readonly digits = $derived(addressDigits(this.size));
  readonly rowBytes = $derived(rowBytesFor((this.width - ROW_MARGINS) / this.characterWidth, this.digits));
  readonly rows = $derived(Math.max(1, Math.floor(this.height / ROW)));
  readonly #from = $derived(Math.max(0, this.top - (this.top % AROUND) - AROUND));
  readonly #length = $derived(
    Math.min(
      MOST_BYTES,
      this.size - this.#from,
      Math.ceil((this.rows * this.rowBytes) / AROUND) * AROUND + 3 * AROUND,
    ),
  );

  readonly #view = useView<"memory">(() =>
    this.height === 0
      ? null
      : { kind: "memory", space: this.space, address: this.#from, length: this.#length },
  );
  /** The bytes on the screen and around it; null while those of another space are there. */
  readonly data: MemoryView | null = $derived(this.#view.data?.space === this.space ? this.#view.data : null);
  readonly page: MemoryPageInfo | null = $derived(
    this.data === null ? null : pageOf(this.data.pages, this.cursor),
  );
  readonly cellSize = $derived(cellSizeIn(this.page, this.choice));
  /** Selected bytes [from, to); from = to when there are none. */
  readonly selection: readonly [number, number] = $derived.by(() => {
    if (this.anchor === null) return [this.cursor, this.cursor];
    const a = cellStart(Math.min(this.anchor, this.cursor), this.cellSize);
    const b = cellStart(Math.max(this.anchor, this.cursor), this.cellSize) + this.cellSize;
    return [a, b];
  });

  get error(): string | null {
    return this.#view.error;
  }
  /** Counts the pushes: what a new one marks as changed glows. */
  get pushes(): number {
    return this.#view.pushes;
  }

  /** Goes somewhere, pointing at `bytes` bytes there. */
  go(to: Space, address: number, bytes = 1): void {
    this.switchSpace(to);
    this.#leave();
    this.cursor = Math.min(address, this.size - 1);
    this.reveal(true);
    this.pointed = bytes > 1 && bytes < 4096 ? [address, address + bytes] : null;
  }

  /** Each space remembers where one was in it. */
  switchSpace(to: Space): void {
    if (to === this.space) return;
    this.#places[this.space] = { top: this.top, cursor: this.cursor };
    this.#leave();
    this.space = to;
    this.pointed = null;
    this.cursor = this.lastIn(to);
    this.top = clampTop(this.#places[to]?.top ?? 0, this.rowBytes, this.rows, this.size);
  }

  /** Where the cursor was in a space that one left. */
  lastIn(space: Space): number {
    return this.#places[space]?.cursor ?? 0;
  }

  /** Another guest: nobody was anywhere yet. */
  forget(): void {
    this.#places = { gva: null, gpa: null, hpa: null };
  }

  /** Moves the cursor to a byte's cell and brings it on screen. */
  moveTo(address: number, extend: boolean): void {
    const anchor = extend ? (this.anchor ?? this.cursor) : null;
    this.#leave();
    this.anchor = anchor;
    this.cursor = address;
    this.reveal();
    this.pointed = null;
  }

  /** Selects the 4 KiB around the cursor. */
  selectPage(): void {
    this.#leave();
    this.anchor = this.cursor - (this.cursor % 4096);
    this.cursor = this.anchor + 4095;
  }

  /** Brings the cursor on screen; a jump puts it a third down. */
  reveal(jump = false): void {
    this.top = scrollTo(this.top, this.cursor, this.rowBytes, this.rows, this.size, jump);
  }

  scrollBy(rows: number): void {
    this.top = clampTop(this.top + rows * this.rowBytes, this.rowBytes, this.rows, this.size);
  }

  /** Another width or space: the top stays on a row's start and inside. */
  fit(): void {
    const fitted = clampTop(this.top, this.rowBytes, this.rows, this.size);
    if (fitted !== this.top) this.top = fitted;
  }

  /** Address of a cell on the screen. */
  addressAt(spot: { readonly row: number; readonly cell: number }): number {
    return this.top + spot.row * this.rowBytes + spot.cell;
  }

  #leave(): void {
    this.onleave();
    this.anchor = null;
  }
}
