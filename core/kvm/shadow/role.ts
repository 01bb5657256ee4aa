/**
 * The role word: what kind of shadow a page is. (gfn, role word) is its key. docs/kvm-shadow-mmu.md 3.2, 3.3, 3.5.
 *
 * One layout serves all policies: the word of 2007, and above its bits what later versions added. Which of them take
 * part in the key, and where each version's own word has them (9.4), is the policy's `roles` (role-layouts.ts).
 */

/** Fields of a role word, for reports and views. */
export interface Role {
  readonly word: number;
  readonly glevels: number;
  readonly level: number;
  readonly quadrant: number;
  /** Called direct in later versions. */
  readonly metaphysical: boolean;
  /** Bit 0 W, bit 1 U: in 2007 of large-page shadows alone, later of every page. */
  readonly hugepageAccess: number;
}

export const ROLE_METAPHYSICAL = 1 << 16;
/** W and U: hugepage_access in 2007, part of `access` later. */
export const ROLE_W = 1 << 17;
export const ROLE_U = 1 << 18;
/** The rest are later versions'. X: instructions may be fetched. */
export const ROLE_X = 1 << 19;
export const ROLE_INVALID = 1 << 20;
export const ROLE_PGE = 1 << 21;
export const ROLE_NXE = 1 << 22;
export const ROLE_WP = 1 << 23;

/** Builds a word of 2007. `hugepageAccess`: bit 0 W, bit 1 U of a large PDE, else 0. */
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

/** Rights of later versions, as their `access` has them: exec bit 0, write bit 1, user bit 2 (9.4). */
export const ACC_X = 1;
export const ACC_W = 2;
export const ACC_U = 4;
export const ACC_ALL = 7;

/** `access` to bits of the word, and back. */
export const accessBits = (access: number): number => ((access & 6) << 16) | ((access & 1) << 19);
export const roleAccess = (word: number): number => ((word >> 16) & 6) | ((word >> 19) & 1);

/** `access` as the tracepoints write it: w, u, x, each or a dash (9.4). */
export const accessLetters = (access: number): string =>
  `${access & ACC_W ? "w" : "-"}${access & ACC_U ? "u" : "-"}${access & ACC_X ? "x" : "-"}`;

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
