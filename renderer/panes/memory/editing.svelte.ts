/**
 * What one does to the bytes: the cell being typed into, the stores it becomes and their opposites, the fault that a
 * store met, copying, pasting and finding. One cell is one store, through the lab's one door.
 */
import type { EditResult, Space } from "../../../core/lab/protocol/index.ts";
import { hex, hexAddress } from "../../format.ts";
import { lab } from "../../lab.svelte.ts";
import { navigation } from "../../navigate.svelte.ts";
import {
  beginDraft,
  cellText,
  copyText,
  type Draft,
  digitsFrom,
  isFull,
  typeCharacter,
  typeDigit,
  type Word,
  wordsOf,
} from "./cells.ts";
import { type Edit, EditHistory, WAYS, type Way } from "./edits.ts";
import { type CellSize, cellStart } from "./geometry.ts";
import type { MemoryPlace } from "./place.svelte.ts";

/** A page fault of the guest's own that a store met. */
export interface EditFault {
  readonly edit: Edit;
  readonly gva: number;
  readonly error: number;
  readonly text: string;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

export class MemoryEditing {
  readonly place: MemoryPlace;
  draft = $state.raw<Draft | null>(null);
  ways = $state<Record<Space, Edit["as"]>>({ gva: "guest0", gpa: "emulator", hpa: "raw" });
  fault = $state.raw<EditFault | null>(null);
  /** What was done last, in words. */
  notice = $state("");

  /** Keys typed at a place whose bytes have not come yet: digits, and "\n" or "\r" for Enter (onward or not). */
  #ahead: string[] = [];
  /** Byte of the draft that the next character in the ASCII column goes to. */
  #letter = 0;
  #history = new EditHistory();
  #version = $state(0);

  readonly canUndo = $derived(this.#version >= 0 && this.#history.canUndo);
  readonly canRedo = $derived(this.#version >= 0 && this.#history.canRedo);

  constructor(place: MemoryPlace) {
    this.place = place;
    place.onleave = () => this.drop();
  }

  /** How a store is made in the present space. */
  get way(): Way {
    const { space } = this.place;
    return WAYS[space].find((way) => way.as === this.ways[space])!;
  }

  /** Another machine stands here: what was done to the one before cannot be undone in it. */
  forget(): void {
    this.cancel();
    this.fault = null;
    this.#history = new EditHistory();
    this.#version++;
  }

  // ---- the draft ----

  /** Ends the draft; says so when something had been typed. */
  drop(): void {
    const { draft } = this;
    if (draft !== null && draft.digits !== draft.original)
      this.notice = `${draft.digits} at ${hexAddress(draft.address)} was not written; Enter writes.`;
    this.draft = null;
    this.#ahead = [];
    this.#letter = 0;
  }

  /** Ends the draft because one said so. */
  cancel(): void {
    this.#ahead = [];
    this.draft = null;
    this.#letter = 0;
    this.notice = "";
  }

  /** True when the bytes under the cursor have come, whether there is memory or not. */
  get #here(): boolean {
    const { data, cursor, cellSize } = this.place;
    const at = data === null ? -1 : cellStart(cursor, cellSize) - data.address;
    return data !== null && at >= 0 && at + cellSize <= data.bytes.length;
  }

  /** Keys wait for the bytes under the cursor. */
  get typedAhead(): boolean {
    return this.#ahead.length > 0;
  }

  /** The view has come: what was typed ahead of it is typed now. */
  arrived(): void {
    if (this.#ahead.length === 0 || !this.#here) return;
    const keys = this.#ahead;
    this.#ahead = [];
    for (const key of keys) {
      if (key === "\n" || key === "\r") void this.commit(key === "\n");
      else this.typeHex(key);
    }
  }

  typeHex(key: string): void {
    if (this.draft === null && !this.#here) {
      this.#ahead.push(key);
      return;
    }
    if (this.#open() === null) return;
    if (isFull(this.draft!)) {
      // Typing on behind the last digit writes the cell and begins the next.
      void this.commit(true);
      if (this.#open() === null) return;
    }
    this.draft = typeDigit(this.draft!, key);
  }

  typeText(key: string): void {
    const draft = this.#open();
    if (draft === null) return;
    this.draft = typeCharacter(draft, this.#letter, key);
    this.#letter++;
    if (this.#letter >= draft.size) void this.commit(true);
  }

  /** Makes the draft a store. `onward` moves to the next cell. */
  async commit(onward: boolean): Promise<void> {
    const { draft, place } = this;
    if (draft === null) {
      if (this.#ahead.length > 0) this.#ahead.push(onward ? "\n" : "\r");
      return;
    }
    this.draft = null;
    this.#letter = 0;
    if (onward) {
      place.cursor = Math.min(place.size - 1, draft.address + draft.size);
      place.reveal();
    }
    await this.write(draft.size, draft.address, wordsOf(draft.original), wordsOf(draft.digits));
  }

  /** The draft of the cell under the cursor, begun if there is none; null where no bytes can be read. */
  #open(): Draft | null {
    if (this.draft !== null) return this.draft;
    const { place } = this;
    const { data, cellSize } = place;
    const start = cellStart(place.cursor, cellSize);
    const at = data === null ? -1 : start - data.address;
    const there =
      data !== null &&
      at >= 0 &&
      at + cellSize <= data.bytes.length &&
      data.state.subarray(at, at + cellSize).every((state) => state !== 0);
    if (!there) {
      this.notice =
        place.space === "gva"
          ? `Nothing is mapped at ${hexAddress(place.cursor)}.`
          : `There is no memory at ${hexAddress(place.cursor)}.`;
      return null;
    }
    this.notice = "";
    place.anchor = null;
    place.cursor = start;
    this.#letter = 0;
    this.draft = beginDraft(start, cellSize, cellText(data.bytes, at, cellSize));
    return this.draft;
  }

  // ---- stores ----

  async write(size: CellSize, address: number, from: Word, to: Word): Promise<void> {
    const { space } = this.place;
    const edit: Edit = { space, as: this.ways[space], address, size, from, to };
    const history = this.#history;
    if (!(await this.#send(edit))) return;
    history.add(edit);
    this.#version++;
  }

  async undo(): Promise<void> {
    const history = this.#history;
    const edit = history.peekUndo();
    if (edit === null) return;
    this.#show(edit);
    if (!(await this.#send(edit))) return;
    history.undid();
    this.#version++;
    const value = `${edit.size === 8 ? hex(edit.to.high) : ""}${hex(edit.to.low, Math.min(8, edit.size * 2))}`;
    this.notice = `Undone by the opposite edit: ${hexAddress(edit.address)} is ${value} again.`;
  }

  async redo(): Promise<void> {
    const history = this.#history;
    const edit = history.peekRedo();
    if (edit === null) return;
    this.#show(edit);
    if (!(await this.#send(edit))) return;
    history.redid();
    this.#version++;
  }

  #show(edit: Edit): void {
    this.place.switchSpace(edit.space);
    this.place.cursor = edit.address;
    this.place.reveal(true);
  }

  /** Asks the lab for one store. Answers whether it was made; a fault of the guest's own is shown. */
  async #send(edit: Edit): Promise<boolean> {
    const { space, as, address, size, to } = edit;
    const command = { name: "edit", space, as, address, size, low: to.low, high: to.high } as const;
    const answer: EditResult | undefined = await lab.try(command);
    if (answer === undefined) return false;
    if (!answer.ok) {
      this.fault = { edit, ...answer.fault };
      return false;
    }
    this.fault = null;
    const way = WAYS[space].find((one) => one.as === as)?.title ?? as;
    const exits = answer.exits > 0 ? `: ${count(answer.exits, "exit")}` : "";
    this.notice = `Wrote ${count(size, "byte")} at ${hexAddress(address)} as ${way}${exits}.`;
    return true;
  }

  /** Has the guest take the fault that is shown. */
  async deliver(): Promise<void> {
    if ((await lab.try({ name: "deliverFault" })) === undefined) return;
    this.fault = null;
    this.notice = "The fault was delivered: the guest's handler runs next.";
  }

  // ---- copying, pasting, finding ----

  copy(event: ClipboardEvent): void {
    const { data, anchor, cursor, cellSize, column, selection } = this.place;
    if (data === null || event.clipboardData === null) return;
    const cell = cellStart(cursor, cellSize);
    const [a, b] = anchor === null ? [cell, cell + cellSize] : selection;
    const start = Math.max(a, data.address);
    const end = Math.min(b, data.address + data.bytes.length);
    if (end <= start) return;
    const bytes = data.bytes.subarray(start - data.address, end - data.address);
    event.clipboardData.setData(
      "text/plain",
      column === "ascii" ? String.fromCharCode(...bytes) : copyText(bytes),
    );
    event.preventDefault();
    this.notice =
      end - start < b - a
        ? `Copied ${end - start} of ${b - a} bytes: those near the screen.`
        : `Copied ${count(end - start, "byte")}.`;
  }

  paste(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    event.preventDefault();
    const draft = this.#open();
    if (draft === null) return;
    const typed = digitsFrom(text, draft.size);
    if (typed === null)
      this.notice = `“${text.slice(0, 24)}” is not a hex number of at most ${draft.size * 2} digits.`;
    else this.draft = { ...draft, digits: typed, caret: typed.length };
  }

  async find(bytes: Uint8Array<ArrayBuffer>, backwards: boolean): Promise<void> {
    const { cursor, size, space } = this.place;
    const from = backwards ? Math.max(0, cursor - 1) : Math.min(size - 1, cursor + 1);
    const found = await lab.try({ name: "find", space, from, bytes, backwards });
    if (found === undefined) return;
    if (found === null) this.notice = `Not found ${backwards ? "before" : "behind"} ${hexAddress(cursor)}.`;
    else navigation.goTo({ space, address: found, length: Math.max(2, bytes.length) });
  }
}
