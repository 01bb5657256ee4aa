/**
 * Numbers as text: hexadecimal of fixed width, decimal with thin groups, sizes, names of spaces.
 * And back: what a person types into an address field.
 */
import type { Space } from "../core/lab/protocol/index.ts";

/** Lower-case hexadecimal, at least `width` digits. Values up to 2^53. */
export function hex(value: number, width = 8): string {
  return (value < 0 ? value >>> 0 : value).toString(16).padStart(width, "0");
}

/** A 64-bit value of two words, 16 digits. */
export function hex64(low: number, high: number): string {
  return hex(high >>> 0, 8) + hex(low >>> 0, 8);
}

/** Physical addresses have 9 digits only when they need them (36 bits). */
export function hexAddress(value: number): string {
  return value > 0xffff_ffff ? hex(value, 9) : hex(value, 8);
}

/** Decimal in groups of three, set apart by a narrow no-break space. */
export function decimal(value: number): string {
  return Math.trunc(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** A size in bytes as KiB, MiB or GiB when it is a whole number of them. */
export function size(bytes: number): string {
  for (const [unit, name] of [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ] as const) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}\u00a0${name}`;
  }
  return `${bytes}\u00a0bytes`;
}

export const SPACE_NAMES: Readonly<Record<Space, string>> = {
  gva: "guest-virtual",
  gpa: "guest-physical",
  hpa: "host-physical",
};

/**
 * Reads a hexadecimal number a person typed: spaces, underscores and a 0x in front are welcome.
 * `limit` is the first value that is too large. Answers the number, or the sentence that says what is wrong.
 */
export function parseHex(text: string, limit: number): number | string {
  const digits = text
    .trim()
    .replace(/^0x/i, "")
    .replace(/[\s_\u202f]/g, "");
  if (digits === "") return "Type a hexadecimal number.";
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong !== null) return `“${wrong[0]}” is not a hexadecimal digit.`;
  const value = Number.parseInt(digits, 16);
  if (value >= limit) return `It must be below ${hex(limit, 1)}.`;
  return value;
}
