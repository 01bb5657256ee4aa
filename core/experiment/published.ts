/**
 * Published figures that predictions are held against: cycles on a 3.8 GHz Pentium 4 672, from the
 * nanobenchmarks of K. Adams, O. Agesen, "A Comparison of Software and Hardware Techniques for x86 Virtualization",
 * ASPLOS 2006. docs/experiments.md says against what they were checked.
 */

export interface Published {
  /** Cycles on the bare processor, under the software VMM, and under the hardware VMM with shadow paging. */
  readonly native: number;
  readonly software: number;
  readonly hardware: number;
}

/** Id of the cost table of the processor that they were measured on: no other table's predictions are held against them. */
export const PUBLISHED_ON = "p4-672";

/** By the program's name in the nanobench guest. */
export const PUBLISHED: Readonly<Record<string, Published>> = {
  "call/ret": { native: 11, software: 51, hardware: 11 },
  pgfault: { native: 1093, software: 3927, hardware: 11242 },
  divzero: { native: 889, software: 3223, hardware: 1014 },
  ptemod: { native: 1, software: 391, hardware: 12733 },
};
