/**
 * Generated from core/guests/nonpae-kernel/nonpae-kernel.asm by `node build/guests.mjs` (nasm). Do not edit.
 * 34 bytes; a test assembles the source again and compares.
 */
// biome-ignore format: generated
export const BINARY =
  "ArCtGwMAAQD7T1HkAAAQAAAAEAAwABAAQAAQACAAEAD69A==";

/** Labels of the source and their linked (virtual) addresses, ascending. */
// biome-ignore format: generated
export const SYMBOLS: readonly (readonly [name: string, address: number])[] = [
  ["header", 0x100000],
  ["image_start", 0x100000],
  ["start", 0x100020],
  ["bss_end", 0x100040],
];
