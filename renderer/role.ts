/**
 * The role word of a shadow page taken apart (docs/kvm-shadow-mmu.md, 3.2).
 */
export interface RoleFields {
  readonly glevels: number;
  readonly level: number;
  readonly quadrant: number;
  readonly metaphysical: boolean;
  readonly hugepageAccess: number;
}

export function roleFields(role: number): RoleFields {
  return {
    glevels: role & 15,
    level: (role >>> 4) & 15,
    quadrant: (role >>> 8) & 3,
    metaphysical: ((role >>> 16) & 1) === 1,
    hugepageAccess: (role >>> 17) & 7,
  };
}
