/**
 * Numbers and bytes as gdb's packets write them: hexadecimal without a prefix, values most significant digit first,
 * memory and registers byte by byte. A packet's text holds one byte in each character (Latin-1).
 */

/** Guest-physical addresses have 36 bits; nothing that gdb names is above. */
const MOST_DIGITS = 9;

/** A value in hexadecimal digits ("0x" is not one), or null. */
export function parseNumber(text: string): number | null {
  return text.length <= MOST_DIGITS && /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : null;
}

/** Two values with a comma between, or null. */
export function parsePair(text: string): [number, number] | null {
  const comma = text.indexOf(",");
  if (comma < 0) return null;
  const first = parseNumber(text.slice(0, comma));
  const second = parseNumber(text.slice(comma + 1));
  return first === null || second === null ? null : [first, second];
}

/** Bytes from pairs of digits, or null. */
export function parseBytes(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

const PAIRS = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += PAIRS[byte];
  return text;
}

/** The bytes of a text, as digits. What is not Latin-1 becomes a question mark. */
export const hexOfText = (text: string): string => hexOf(bytesOf(text));

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    bytes[i] = code < 256 ? code : 0x3f;
  }
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
