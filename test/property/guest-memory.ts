/**
 * Guest memory of the property tests' machines: where it lies, its frames compared at once, and plain stores into it.
 */
import { Buffer } from "node:buffer";
import type { HostMemory } from "../../core/memory/host-memory.ts";

/** Guest frames from 0, and from 4 GiB. */
export const LOW_PAGES = 32;
export const HIGH_PAGES = 8;
export const HIGH_GFN = 0x10_0000;
export const FRAMES = LOW_PAGES + HIGH_PAGES;

/** Words of guest memory, and the bytes of each of its frames, to be compared at once. */
export class Frames {
  readonly words: Int32Array;
  readonly bytes: readonly Uint8Array[];

  /** @param words guest frames in a row */
  constructor(words: Int32Array) {
    this.words = words;
    const { buffer, byteOffset } = words;
    this.bytes = Array.from(
      { length: words.length >> 10 },
      (_, n) => new Uint8Array(buffer, byteOffset + n * 4096, 4096),
    );
  }
}

/** Index of the first word of frame `n` that differs, or -1. */
export function differenceIn(a: Frames, b: Frames, n: number): number {
  if (Buffer.compare(a.bytes[n]!, b.bytes[n]!) === 0) return -1;
  let i = n << 10;
  while (a.words[i] === b.words[i]) i++;
  return i;
}

/** Stores bytes at a gpa of a bare machine's memory, over a page's end too; what has no memory is dropped. */
export function storeBytes(memory: HostMemory, gpa: number, size: number, low: number, high: number): void {
  for (let i = 0; i < size; i++) {
    const gfn = Math.floor((gpa + i) / 4096);
    const hfn = gfn >= HIGH_GFN ? LOW_PAGES + gfn - HIGH_GFN : gfn < LOW_PAGES ? gfn : -1;
    if (hfn < 0) continue;
    memory.bytes[hfn * 4096 + ((gpa + i) % 4096)] = (i < 4 ? low : high) >>> (8 * (i & 3));
    memory.touch(hfn);
  }
}
