/**
 * The role word: what kind of shadow a page is. (gfn, role word) is its key. docs/kvm-shadow-mmu.md 3.2, 3.3, 3.5.
 */

/** Fields of a role word, for reports and views. */
export interface Role {
  readonly word: number;
  readonly glevels: number;
  readonly level: number;
  readonly quadrant: number;
  readonly metaphysical: boolean;
  readonly hugepageAccess: number;
}

export const ROLE_METAPHYSICAL = 1 << 16;

/** Builds a role word. `hugepageAccess`: bit 0 W, bit 1 U of a large PDE, else 0. */
export function roleWord(
  glevels: number,
  level: number,
  quadrant: number,
  metaphysical: boolean,
  hugepageAccess: number,
): number {
  return (
    glevels | (level << 4) | (quadrant << 8) | (metaphysical ? ROLE_METAPHYSICAL : 0) | (hugepageAccess << 17)
  );
}

export const roleGlevels = (word: number): number => word & 15;
export const roleLevel = (word: number): number => (word >> 4) & 15;
export const roleQuadrant = (word: number): number => (word >> 8) & 3;
export const roleMetaphysical = (word: number): boolean => (word & ROLE_METAPHYSICAL) !== 0;
export const roleHugepageAccess = (word: number): number => (word >> 17) & 3;

/** Bytes of an entry of the guest table that a page of this role shadows. */
export const roleEntrySize = (word: number): number => (roleGlevels(word) === 2 ? 4 : 8);

/** Quadrant of the shadow at `level` that translates `gaddr`: 0 unless the guest's root level is at most 2 (3.3). */
export function quadrantOf(rootLevel: number, gaddr: number, level: number): number {
  if (rootLevel > 2) return 0;
  return (gaddr >>> (12 + 9 * level)) & ((1 << level) - 1);
}

export function decodeRole(word: number): Role {
  return {
    word,
    glevels: roleGlevels(word),
    level: roleLevel(word),
    quadrant: roleQuadrant(word),
    metaphysical: roleMetaphysical(word),
    hugepageAccess: roleHugepageAccess(word),
  };
}
