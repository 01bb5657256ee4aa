/**
 * Values of a scenario document: numbers, addresses, entries, bytes, flags. Each schema says in words what is allowed;
 * the functions below turn a checked value into what the machine takes.
 */
import * as v from "valibot";

const HEX = /^0x[0-9a-fA-F][0-9a-fA-F_]*$/;
const PLACE = /^(0x[0-9a-fA-F][0-9a-fA-F_]*|[A-Za-z_.][\w.]*(\+(0x[0-9a-fA-F]+|\d+))?)$/;

/** A number, or text of a pattern; `message` says what is allowed. */
const numberOr = (pattern: RegExp, message: string) =>
  v.union(
    [
      v.pipe(v.number(message), v.integer(message), v.minValue(0, message)),
      v.pipe(v.string(message), v.regex(pattern, message)),
    ],
    message,
  );

/** A whole number below 2^53: 4096 or "0x1000". */
export const Count = (what: string) =>
  numberOr(HEX, `${what} is a whole number, or one in hexadecimal such as "0x1000"`);
export type Count = number | string;

/** An address: a number, "0x…", or a symbol of the guest, with an offset. */
export const Address = (what: string) =>
  numberOr(
    PLACE,
    `${what} is an address: a whole number, "0x1000", or a symbol of the guest such as "first_write" or "table+4"`,
  );
export type Address = number | string;

/** A value of up to 64 bits; above 2^53 only as "0x…". */
export const Value = (what: string) =>
  numberOr(
    /^0x[0-9a-fA-F_]{1,20}$/,
    `${what} is a whole number, or one of up to 16 hexadecimal digits such as "0x1067"`,
  );

/** Bytes in hexadecimal, two digits each; blanks and line ends between them are fine. */
export const HexBytes = v.pipe(
  v.string(`bytes are pairs of hexadecimal digits in a string: "90 f4"`),
  v.regex(/^\s*([0-9a-fA-F]{2}\s*)*$/, `bytes are pairs of hexadecimal digits in a string: "90 f4"`),
);

export const FLAG_BITS = {
  P: 0x1,
  W: 0x2,
  U: 0x4,
  PWT: 0x8,
  PCD: 0x10,
  A: 0x20,
  D: 0x40,
  PS: 0x80,
  G: 0x100,
} as const;
const FLAG = `(P|W|U|PWT|PCD|A|D|PS|G|NX)`;

/** Bits of an entry by their names. */
export const Flags = v.pipe(
  v.string(`flags are names of entry bits with blanks between: "P W U A D"`),
  v.regex(
    new RegExp(`^${FLAG}( ${FLAG})*$|^$`),
    `flags are names of entry bits with blanks between: P W U PWT PCD A D PS G NX`,
  ),
);

/** Bits of "P W U A D": the low word, and the high one for NX. */
export function flagBits(flags: string): { low: number; high: number } {
  let low = 0;
  let high = 0;
  for (const name of flags.split(" ")) {
    if (name === "NX") high = 0x8000_0000;
    else if (name !== "") low |= FLAG_BITS[name as keyof typeof FLAG_BITS];
  }
  return { low, high };
}

export const toNumber = (value: Count): number =>
  typeof value === "number" ? value : Number(value.replaceAll("_", ""));

/** Two unsigned words of a value of up to 64 bits. */
export function toWords(value: number | string): { low: number; high: number } {
  if (typeof value === "number") return { low: value >>> 0, high: Math.floor(value / 2 ** 32) >>> 0 };
  const digits = value.slice(2).replaceAll("_", "").padStart(16, "0").slice(-16);
  return { high: Number.parseInt(digits.slice(0, 8), 16), low: Number.parseInt(digits.slice(8), 16) };
}

export function toBytes(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
  );
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export const Base64 = v.pipe(
  v.string("base64 is text in the alphabet A-Z a-z 0-9 + /, padded with ="),
  v.regex(
    /^\s*([A-Za-z0-9+/]\s*)*(=\s*){0,2}$/,
    "base64 is text in the alphabet A-Z a-z 0-9 + /, padded with =",
  ),
);

export function fromBase64(text: string): Uint8Array {
  const digits = text.replaceAll(/[\s=]/g, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    held = ((held << 6) | BASE64.indexOf(digit)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >>> bits) & 0xff;
    }
  }
  return bytes;
}

/** A number as addresses are written. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

export const hex64 = ({ low, high }: { low: number; high: number }): string =>
  high === 0 ? hex(low) : `0x${high.toString(16)}${low.toString(16).padStart(8, "0")}`;
