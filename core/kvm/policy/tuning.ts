/**
 * A policy with some of its numbers changed, for experiments: what a threshold or a pool is worth is seen by turning it.
 * No era had these values; whoever uses them says so.
 */
import type { Policy } from "./strategies.ts";

export interface Tuning {
  /** The write of a run to one gfn that zaps (6.3); a number that no run reaches turns the detector off. */
  readonly floodThreshold?: number;
  /** Shadow pages of the pool, POOL_LEAST to MAX_MMU_PAGES. */
  readonly pool?: number;
  /** MOV to CR3 throws all shadow pages away, as before the cache of 2.6.20 (9.1). */
  readonly dropsOnCr3?: boolean;
}

/** Room for the roots, for one fault's pages, and for what reclaim keeps free (4.3, 4.9). */
export const POOL_LEAST = 16;

/** The policy with a tuning; the same object without one. */
export function tuned(policy: Policy, tuning: Tuning | undefined): Policy {
  if (tuning === undefined) return policy;
  const { floodThreshold, pool, dropsOnCr3 } = tuning;
  return {
    ...policy,
    flood: { ...policy.flood, threshold: floodThreshold ?? policy.flood.threshold },
    pool: Math.max(POOL_LEAST, pool ?? policy.pool),
    dropsOnCr3: dropsOnCr3 ?? policy.dropsOnCr3,
  };
}
