/**
 * Seeded random numbers for tests: the same seed gives the same run on every machine (xorshift32, G. Marsaglia 2003).
 */
/** Returns a source of unsigned 32-bit numbers. The seed must not be 0. */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
