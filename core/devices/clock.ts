/**
 * Time as devices have it: the machine's, never the wall clock's. One unit (a retired instruction, or one jumped over
 * while halted) lasts 10 ns, so the processor of the PC runs at 100 MHz and retires an instruction a cycle.
 */

/** Units a second. */
export const UNITS_PER_SECOND = 100_000_000;

/** Where a device reads the time from. */
export interface Clock {
  /** Units since the machine was made, a whole number below 2^53. */
  readonly time: number;
}

/** A device that does something by itself at a time of its own. */
export interface Timed {
  /** When it will do something next, in units (Infinity: not by itself). Never in the past once `advance` was called. */
  next(): number;
  /** Does whatever is due at `now` or before. */
  advance(now: number): void;
}

/** `time` in ticks of a clock of `hertz`, rounded down. Exact for times below 2^53 / hertz seconds' worth of ticks. */
export function ticksAt(time: number, hertz: number): number {
  // Whole seconds and the rest apart: the product of both stays exact.
  const seconds = Math.floor(time / UNITS_PER_SECOND);
  return seconds * hertz + Math.floor(((time - seconds * UNITS_PER_SECOND) * hertz) / UNITS_PER_SECOND);
}

/** The first time at which `ticksAt(time, hertz)` is `ticks`. */
export function timeOf(ticks: number, hertz: number): number {
  const seconds = Math.floor(ticks / hertz);
  return seconds * UNITS_PER_SECOND + Math.ceil(((ticks - seconds * hertz) * UNITS_PER_SECOND) / hertz);
}
