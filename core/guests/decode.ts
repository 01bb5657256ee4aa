/**
 * Turns the text of a generated binary.ts into bytes. Base64 (RFC 4648, section 4) by hand, because core has
 * neither `atob` nor `Buffer`.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** @throws Error on a character outside the alphabet or a wrong length: the generated file is damaged. */
export function decodeBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw new Error(`base64 text of ${text.length} characters: not a multiple of 4`);
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let i = 0; i < text.length; i += 4) {
    let group = 0;
    for (let k = 0; k < 4; k++) {
      const character = text[i + k]!;
      const last = i + k >= text.length - padding;
      const value = last ? 0 : ALPHABET.indexOf(character);
      if (value < 0) throw new Error(`base64 text: "${character}" at ${i + k} is not in the alphabet`);
      group = (group << 6) | value;
    }
    for (let k = 0; k < 3 && at < bytes.length; k++) bytes[at++] = group >> (16 - 8 * k);
  }
  return bytes;
}
