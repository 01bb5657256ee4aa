/**
 * The role word as each version of KVM has it: which facts are part of a page's key, and at which bits of the word they
 * stand. docs/kvm-shadow-mmu.md 3.2, 9.4.
 */
import {
  ROLE_INVALID,
  ROLE_METAPHYSICAL,
  ROLE_NXE,
  ROLE_PGE,
  ROLE_U,
  ROLE_W,
  ROLE_WP,
  ROLE_X,
  roleAccess,
  roleGlevels,
  roleHugepageAccess,
  roleLevel,
  roleQuadrant,
} from "./role.ts";

export interface RoleField {
  /** As the version's source names it. */
  readonly name: string;
  /** Lowest bit, and how many. */
  readonly low: number;
  readonly width: number;
  /** Its value in the lab's own word (role.ts). */
  readonly of: (role: number) => number;
}

export interface RoleLayout {
  readonly id: string;
  /** Where the layout is read. */
  readonly source: string;
  /** Bits of the lab's own word that take part in the key. */
  readonly key: number;
  /** Rights of every page are part of the key, not those of large-page shadows alone. */
  readonly access: boolean;
  readonly fields: readonly RoleField[];
}

const BASE = 0x3ff | ROLE_METAPHYSICAL;
const bit =
  (mask: number) =>
  (role: number): number =>
    (role & mask) === 0 ? 0 : 1;
const zero = (): number => 0;
const field = (name: string, low: number, width: number, of: (role: number) => number): RoleField => ({
  name,
  low,
  width,
  of,
});
const GLEVELS = [
  field("glevels", 0, 4, roleGlevels),
  field("level", 4, 4, roleLevel),
  field("quadrant", 8, 2, roleQuadrant),
];

export const ROLES_2620: RoleLayout = {
  id: "2.6.20",
  source: "docs/kvm-shadow-mmu.md 3.2: before d28c6cfb there was no hugepage_access",
  key: BASE,
  access: false,
  fields: [...GLEVELS, field("metaphysical", 16, 1, bit(ROLE_METAPHYSICAL))],
};

export const ROLES_2007: RoleLayout = {
  id: "2007",
  source: "docs/kvm-shadow-mmu.md 3.2",
  key: BASE | ROLE_W | ROLE_U,
  access: false,
  fields: [
    ...GLEVELS,
    field("metaphysical", 16, 1, bit(ROLE_METAPHYSICAL)),
    field("hugepage_access", 17, 2, roleHugepageAccess),
  ],
};

export const ROLES_2626: RoleLayout = {
  id: "2.6.26",
  source:
    "docs/kvm-shadow-mmu.md 9.1 (role.access for every page); shown as 2.6.32 has it, without pge and nxe",
  key: BASE | ROLE_W | ROLE_U | ROLE_X,
  access: true,
  fields: [
    ...GLEVELS,
    field("metaphysical", 16, 1, bit(ROLE_METAPHYSICAL)),
    field("access", 17, 3, roleAccess),
    field("invalid", 20, 1, bit(ROLE_INVALID)),
  ],
};

export const ROLES_2632: RoleLayout = {
  id: "2.6.32",
  source: "docs/kvm-shadow-mmu.md 9.4",
  key: BASE | ROLE_W | ROLE_U | ROLE_X | ROLE_PGE | ROLE_NXE,
  access: true,
  fields: [
    ...GLEVELS,
    field("direct", 16, 1, bit(ROLE_METAPHYSICAL)),
    field("access", 17, 3, roleAccess),
    field("invalid", 20, 1, bit(ROLE_INVALID)),
    field("cr4_pge", 21, 1, bit(ROLE_PGE)),
    field("nxe", 22, 1, bit(ROLE_NXE)),
  ],
};

export const ROLES_31: RoleLayout = {
  id: "3.1",
  source: "docs/kvm-shadow-mmu.md 9.4",
  key: BASE | ROLE_W | ROLE_U | ROLE_X | ROLE_NXE | ROLE_WP,
  access: true,
  fields: [
    field("level", 0, 4, roleLevel),
    field("cr4_pae", 4, 1, (role) => (roleGlevels(role) >= 3 ? 1 : 0)),
    field("quadrant", 5, 2, roleQuadrant),
    field("direct", 13, 1, bit(ROLE_METAPHYSICAL)),
    field("access", 14, 3, roleAccess),
    field("invalid", 17, 1, bit(ROLE_INVALID)),
    field("nxe", 18, 1, bit(ROLE_NXE)),
    field("cr0_wp", 19, 1, bit(ROLE_WP)),
    field("smep_andnot_wp", 20, 1, zero),
  ],
};

export const ROLES_MODERN: RoleLayout = {
  id: "v6",
  source: "docs/kvm-shadow-mmu.md 9.4",
  key: BASE | ROLE_W | ROLE_U | ROLE_X | ROLE_NXE | ROLE_WP,
  access: true,
  fields: [
    field("level", 0, 4, roleLevel),
    field("has_4_byte_gpte", 4, 1, (role) => (roleGlevels(role) === 2 ? 1 : 0)),
    field("quadrant", 5, 2, roleQuadrant),
    field("direct", 7, 1, bit(ROLE_METAPHYSICAL)),
    field("access", 8, 3, roleAccess),
    field("invalid", 11, 1, bit(ROLE_INVALID)),
    field("efer_nx", 12, 1, bit(ROLE_NXE)),
    field("cr0_wp", 13, 1, bit(ROLE_WP)),
    field("smep_andnot_wp", 14, 1, zero),
    field("smap_andnot_wp", 15, 1, zero),
    field("ad_disabled", 16, 1, zero),
    field("guest_mode", 17, 1, zero),
    field("passthrough", 18, 1, zero),
    field("smm", 24, 8, zero),
  ],
};

/** The word as the version has it, unsigned. `role`: the lab's own word. */
export function shownRole(layout: RoleLayout, role: number): number {
  let word = 0;
  for (const f of layout.fields) word |= f.of(role) << f.low;
  return word >>> 0;
}

/** The version's fields by name. */
export function roleFieldsOf(layout: RoleLayout, role: number): Record<string, number> {
  return Object.fromEntries(layout.fields.map((f) => [f.name, f.of(role)]));
}
