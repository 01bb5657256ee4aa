/**
 * Keys as a PC's keyboard numbers them: scan codes of set 1 by the key's place (KeyboardEvent.code), and the strokes that
 * type a text on a US keyboard. Source: IBM PS/2 Hardware Interface Technical Reference, keyboards (101- and 102-key).
 */

/** Bit 7 of a scan code: the key went up. */
const UP = 0x80;
const E0 = 0xe0;

const PLAIN: Readonly<Record<string, number>> = {
  Escape: 0x01,
  Minus: 0x0c,
  Equal: 0x0d,
  Backspace: 0x0e,
  Tab: 0x0f,
  BracketLeft: 0x1a,
  BracketRight: 0x1b,
  Enter: 0x1c,
  ControlLeft: 0x1d,
  Semicolon: 0x27,
  Quote: 0x28,
  Backquote: 0x29,
  ShiftLeft: 0x2a,
  Backslash: 0x2b,
  Comma: 0x33,
  Period: 0x34,
  Slash: 0x35,
  ShiftRight: 0x36,
  NumpadMultiply: 0x37,
  AltLeft: 0x38,
  Space: 0x39,
  CapsLock: 0x3a,
  NumLock: 0x45,
  ScrollLock: 0x46,
  Numpad7: 0x47,
  Numpad8: 0x48,
  Numpad9: 0x49,
  NumpadSubtract: 0x4a,
  Numpad4: 0x4b,
  Numpad5: 0x4c,
  Numpad6: 0x4d,
  NumpadAdd: 0x4e,
  Numpad1: 0x4f,
  Numpad2: 0x50,
  Numpad3: 0x51,
  Numpad0: 0x52,
  NumpadDecimal: 0x53,
  IntlBackslash: 0x56,
  F11: 0x57,
  F12: 0x58,
};
/** Keys of the 101-key keyboard that the 84-key one did not have: E0 before their code. */
const EXTENDED: Readonly<Record<string, number>> = {
  NumpadEnter: 0x1c,
  ControlRight: 0x1d,
  NumpadDivide: 0x35,
  AltRight: 0x38,
  Home: 0x47,
  ArrowUp: 0x48,
  PageUp: 0x49,
  ArrowLeft: 0x4b,
  ArrowRight: 0x4d,
  End: 0x4f,
  ArrowDown: 0x50,
  PageDown: 0x51,
  Insert: 0x52,
  Delete: 0x53,
  MetaLeft: 0x5b,
  MetaRight: 0x5c,
  ContextMenu: 0x5d,
};
const ROWS: readonly (readonly [first: number, keys: string])[] = [
  [0x02, "1234567890"],
  [0x10, "QWERTYUIOP"],
  [0x1e, "ASDFGHJKL"],
  [0x2c, "ZXCVBNM"],
];

const MAKE = new Map<string, readonly number[]>();
for (const [code, scan] of Object.entries(PLAIN)) MAKE.set(code, [scan]);
for (const [code, scan] of Object.entries(EXTENDED)) MAKE.set(code, [E0, scan]);
for (const [first, keys] of ROWS)
  for (const [i, key] of [...keys].entries())
    MAKE.set(/\d/.test(key) ? `Digit${key}` : `Key${key}`, [first + i]);
for (let i = 1; i <= 10; i++) MAKE.set(`F${i}`, [0x3a + i]);
MAKE.set("PrintScreen", [E0, 0x2a, E0, 0x37]);
MAKE.set("Pause", [0xe1, 0x1d, 0x45, 0xe1, 0x1d | UP, 0x45 | UP]);

/** What a key sends when it goes down, or null for one that a PC's keyboard does not have. */
export function makeCode(code: string): readonly number[] | null {
  return MAKE.get(code) ?? null;
}

/** What a key sends when it goes up. Pause sends nothing: it went up with its make code. */
export function breakCode(code: string): readonly number[] | null {
  if (code === "Pause") return [];
  if (code === "PrintScreen") return [E0, 0x37 | UP, E0, 0x2a | UP];
  return MAKE.get(code)?.map((byte) => (byte === E0 ? byte : byte | UP)) ?? null;
}

/** Keys pressed one after the other and let go in the opposite order: Ctrl, Alt, Delete. */
export function chord(codes: readonly string[]): number[] {
  return [
    ...codes.flatMap((code) => makeCode(code) ?? []),
    ...codes.toReversed().flatMap((code) => breakCode(code) ?? []),
  ];
}

/** Characters of a US keyboard: the key, without Shift and with it. */
const CHARACTERS: readonly (readonly [code: string, plain: string, shifted: string])[] = [
  ["Backquote", "`", "~"],
  ["Minus", "-", "_"],
  ["Equal", "=", "+"],
  ["BracketLeft", "[", "{"],
  ["BracketRight", "]", "}"],
  ["Backslash", "\\", "|"],
  ["Semicolon", ";", ":"],
  ["Quote", "'", '"'],
  ["Comma", ",", "<"],
  ["Period", ".", ">"],
  ["Slash", "/", "?"],
  ["Space", " ", ""],
  ["Enter", "\n", ""],
  ["Tab", "\t", ""],
  ["Backspace", "\b", ""],
  ["Escape", "\x1b", ""],
];
const TYPED = new Map<string, readonly string[]>();
for (const [code, plain, shifted] of CHARACTERS) {
  TYPED.set(plain, [code]);
  if (shifted !== "") TYPED.set(shifted, ["ShiftLeft", code]);
}
for (const [i, shifted] of [...")!@#$%^&*("].entries()) {
  TYPED.set(String(i), [`Digit${i}`]);
  TYPED.set(shifted, ["ShiftLeft", `Digit${i}`]);
}
for (let i = 0; i < 26; i++) {
  const letter = String.fromCharCode(65 + i);
  TYPED.set(letter.toLowerCase(), [`Key${letter}`]);
  TYPED.set(letter, ["ShiftLeft", `Key${letter}`]);
}

export interface Strokes {
  /** One list of scan codes a character. */
  readonly strokes: readonly (readonly number[])[];
  /** Characters that no key of a US keyboard gives. */
  readonly left: string;
}

/** The strokes that type a text, every kind of line end as Enter. */
export function strokesOf(text: string): Strokes {
  const strokes: number[][] = [];
  let left = "";
  for (const character of text.replace(/\r\n?/g, "\n")) {
    const keys = TYPED.get(character);
    if (keys === undefined) left += character;
    else strokes.push(chord(keys));
  }
  return { strokes, left };
}
