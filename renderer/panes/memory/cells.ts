/**
 * A cell as a person edits it: its value out of the view's bytes, a draft that hex digits or characters change, and
 * the store that the draft becomes. One cell is one store. Little-endian; 8-byte values are two words. Pure.
 */
import type { CellSize } from "./geometry.ts";

export interface Word {
  readonly low: number;
  readonly high: number;
}

/** A cell being typed into. `digits` is the value as text, most significant first; `caret` the digit typed next. */
export interface Draft {
  readonly address: number;
  readonly size: CellSize;
  readonly digits: string;
  readonly caret: number;
  readonly original: string;
}

/** Value of `size` bytes at `at`; the bytes must be there. */
export function valueAt(bytes: Uint8Array, at: number, size: CellSize): Word {
  let low = 0;
  let high = 0;
  for (let i = Math.min(size, 4) - 1; i >= 0; i--) low = low * 256 + bytes[at + i]!;
  for (let i = size - 1; i >= 4; i--) high = high * 256 + bytes[at + i]!;
  return { low, high };
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** The cell's text: 2 digits a byte, most significant first. */
export function cellText(bytes: Uint8Array, at: number, size: CellSize): string {
  if (size === 1) return HEX[bytes[at]!]!;
  let text = "";
  for (let i = size - 1; i >= 0; i--) text += HEX[bytes[at + i]!];
  return text;
}

/** A byte in the ASCII column; what does not print is a middle dot. */
export const asciiOf = (byte: number): string =>
  byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 0x20 ? " " : "·";

export const isHexDigit = (key: string): boolean => /^[0-9a-fA-F]$/.test(key);

export const beginDraft = (address: number, size: CellSize, text: string): Draft => ({
  address,
  size,
  digits: text,
  caret: 0,
  original: text,
});

/** The draft with one hex digit typed over the digit at the caret. Full when the caret is behind the last digit. */
export function typeDigit(draft: Draft, key: string): Draft {
  if (draft.caret >= draft.digits.length) return draft;
  const digits = draft.digits.slice(0, draft.caret) + key.toLowerCase() + draft.digits.slice(draft.caret + 1);
  return { ...draft, digits, caret: draft.caret + 1 };
}

/** The draft with a character typed over the byte at `byte` (0 = lowest address of the cell). */
export function typeCharacter(draft: Draft, byte: number, character: string): Draft {
  const code = character.charCodeAt(0);
  if (code > 0xff) return draft;
  const at = (draft.size - 1 - byte) * 2;
  return { ...draft, digits: draft.digits.slice(0, at) + HEX[code] + draft.digits.slice(at + 2) };
}

export const moveCaret = (draft: Draft, by: number): Draft => ({
  ...draft,
  caret: Math.min(draft.digits.length, Math.max(0, draft.caret + by)),
});

/** One digit back, the original digit there again. */
export function eraseDigit(draft: Draft): Draft {
  const caret = Math.max(0, draft.caret - 1);
  const digits = draft.digits.slice(0, caret) + draft.original[caret]! + draft.digits.slice(caret + 1);
  return { ...draft, digits, caret };
}

export const isFull = (draft: Draft): boolean => draft.caret >= draft.digits.length;

/** The two words of a value in hex digits (at most 16). */
export function wordsOf(digits: string): Word {
  const text = digits.padStart(16, "0");
  return { low: Number.parseInt(text.slice(8), 16), high: Number.parseInt(text.slice(0, 8), 16) };
}

/** A pasted or typed number as the digits of a cell of `size` bytes, or null when it is none or too long. */
export function digitsFrom(text: string, size: CellSize): string | null {
  const clean = text.trim().replace(/^0x/i, "").replace(/[_\s]/g, "");
  if (!/^[0-9a-fA-F]+$/.test(clean)) return null;
  const bare = clean.replace(/^0+(?=.)/, "");
  return bare.length > size * 2 ? null : bare.toLowerCase().padStart(size * 2, "0");
}

/** Bytes as hex text, 16 a line, for the clipboard. */
export function copyText(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let i = 0; i < bytes.length; i += 16)
    lines.push(Array.from(bytes.subarray(i, i + 16), (b) => HEX[b]!).join(" "));
  return lines.join("\n");
}

/** What to search for: hex bytes ("67 80 56 05", "67805605") or text in quotes. A sentence when it is neither. */
export function parsePattern(
  text: string,
): { ok: true; bytes: Uint8Array<ArrayBuffer> } | { ok: false; error: string } {
  const trimmed = text.trim();
  const quoted = /^"(.*)"$|^'(.*)'$/s.exec(trimmed);
  if (quoted !== null) {
    const inner = quoted[1] ?? quoted[2] ?? "";
    if (inner.length === 0) return { ok: false, error: "The text between the quotes is empty." };
    const codes = Array.from(inner, (c) => c.charCodeAt(0));
    if (codes.some((c) => c > 0xff))
      return { ok: false, error: "Only characters up to U+00FF can be found." };
    return { ok: true, bytes: Uint8Array.from(codes) };
  }
  const clean = trimmed.replace(/0x/gi, "").replace(/[\s,]/g, "");
  if (clean.length === 0)
    return { ok: false, error: 'Type hex bytes (67 80 56 05) or text in quotes ("Hello").' };
  if (!/^[0-9a-fA-F]+$/.test(clean))
    return { ok: false, error: `“${trimmed}” is not hex. Put text in quotes: "${trimmed}".` };
  if (clean.length % 2 === 1)
    return { ok: false, error: "A byte has two hex digits; one digit is left over." };
  const bytes = new Uint8Array(clean.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(clean.slice(i * 2, i * 2 + 2), 16);
  return { ok: true, bytes };
}
