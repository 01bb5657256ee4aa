/**
 * What is pushed at once: the frames of interrupts and of calls between levels. A frame is probed whole before
 * anything is stored; its words may wrap around the top of a 16-bit stack, each for itself (SDM vol. 1, 6.2).
 */
import { linearCheck, linearWrite } from "./access.ts";
import type { Cpu } from "./cpu.ts";
import { ACCESS_WRITE } from "./door.ts";
import { SEG_BIG } from "./segment-cache.ts";
import { stackRoom } from "./segments.ts";

/** The words of the frame in hand, in the order in which they are pushed. */
export const frameWords = new Int32Array(64);

/** ESP bits in use in a stack segment of these access rights. */
export function stackMaskOf(attr: number): number {
  return (attr & SEG_BIG) !== 0 ? -1 : 0xffff;
}

/**
 * Could `count` words of `size` bytes be pushed from `esp` on, in the stack segment given? False: `faulted` with a page
 * fault or exit, or else (not faulted) the segment has no room and the caller raises what that is.
 * @param user ACCESS_USER or 0
 */
export function probeFrame(
  cpu: Cpu,
  base: number,
  limit: number,
  attr: number,
  esp: number,
  count: number,
  size: number,
  user: number,
): boolean {
  const mask = stackMaskOf(attr);
  const bytes = count * size;
  const first = (esp - bytes) & mask;
  if ((first >>> 0) + bytes - 1 <= mask >>> 0) {
    if (!stackRoom(attr, limit, first, bytes)) return false;
    return linearCheck(cpu, (base + first) | 0, bytes, user | ACCESS_WRITE);
  }
  for (let i = 1; i <= count; i++) {
    if (!stackRoom(attr, limit, (esp - i * size) & mask, size)) return false;
  }
  for (let i = 1; i <= count; i++) {
    const sp = (esp - i * size) & mask;
    if (!linearCheck(cpu, (base + sp) | 0, size, user | ACCESS_WRITE)) return false;
  }
  return true;
}

/** Stores `count` words of `frameWords` that were probed. False: faulted all the same (the frame rewrote its own tables). */
export function storeFrame(
  cpu: Cpu,
  base: number,
  attr: number,
  esp: number,
  count: number,
  size: number,
  user: number,
): boolean {
  const mask = stackMaskOf(attr);
  for (let i = 0; i < count; i++) {
    const sp = (esp - (i + 1) * size) & mask;
    linearWrite(cpu, (base + sp) | 0, size, frameWords[i]!, user);
    if (cpu.faulted) return false;
  }
  return true;
}
