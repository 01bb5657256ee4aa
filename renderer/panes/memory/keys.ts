/**
 * What the keyboard does in the memory editor's grid. The keys of the one list of actions (actions.ts) are not here.
 */
import { eraseDigit, isHexDigit, moveCaret } from "./cells.ts";
import type { MemoryEditing } from "./editing.svelte.ts";
import { step } from "./geometry.ts";

/** Does what a key asks for; answers whether the key was one of ours. `follow`: Enter on a cell that is not edited. */
export function handleKey(event: KeyboardEvent, editing: MemoryEditing, follow: () => void): boolean {
  const { place, draft } = editing;
  const control = event.ctrlKey || event.metaKey;
  if (event.altKey) return false;
  if (control && event.shiftKey && event.key.toLowerCase() === "z") {
    void editing.redo();
    return true;
  }
  if (draft !== null && place.column === "hex") {
    switch (event.key) {
      case "ArrowLeft":
      case "ArrowRight":
        editing.draft = moveCaret(draft, event.key === "ArrowLeft" ? -1 : 1);
        return true;
      case "Backspace":
        editing.draft = eraseDigit(draft);
        return true;
    }
  }
  switch (event.key) {
    case "Enter":
      if (draft !== null || editing.typedAhead) void editing.commit(false);
      else follow();
      return true;
    case "Escape":
      if (draft !== null || editing.typedAhead) editing.cancel();
      else {
        place.anchor = null;
        place.pointed = null;
        editing.fault = null;
      }
      return true;
    case "Tab":
      // From the hex column to the text column and then on; Shift+Tab back.
      if (control || place.column !== (event.shiftKey ? "ascii" : "hex")) return false;
      place.column = event.shiftKey ? "hex" : "ascii";
      return true;
  }
  const { cursor, cellSize, rowBytes, rows, size } = place;
  const to = step(event.key, cursor, cellSize, rowBytes, rows, size, control);
  if (to !== null) {
    place.moveTo(to, event.shiftKey);
    return true;
  }
  if (control) return false;
  if (place.column === "hex" && isHexDigit(event.key)) editing.typeHex(event.key);
  else if (place.column === "ascii" && event.key.length === 1) editing.typeText(event.key);
  else return false;
  return true;
}
