/**
 * How registers are told: a value with its digits, and its bits in words.
 */
import type { DeviceRegister } from "../../protocol/index.ts";

export function register(name: string, value: number, digits: number, text = ""): DeviceRegister {
  return { name, value: value >>> 0, digits, text };
}

/** A line of words alone. */
export function fact(name: string, text: string): DeviceRegister {
  return { name, value: null, digits: 0, text };
}

/** The words of the bits that are set, by bit number; `none` when there is none. */
export function bits(value: number, words: Readonly<Record<number, string>>, none = "none"): string {
  const said = Object.entries(words).filter(([bit]) => ((value >>> Number(bit)) & 1) !== 0);
  return said.length === 0 ? none : said.map(([, word]) => word).join(", ");
}

/** The numbers of the bits that are set. @param offset of bit 0 */
export function numbers(value: number, offset = 0, none = "none"): string {
  const list: number[] = [];
  for (let bit = 0; bit < 32; bit++) if (((value >>> bit) & 1) !== 0) list.push(bit + offset);
  return list.length === 0 ? none : list.join(", ");
}

export const hex = (value: number, digits: number): string =>
  (value >>> 0).toString(16).padStart(digits, "0");

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
