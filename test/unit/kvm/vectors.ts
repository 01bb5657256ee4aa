/**
 * The vectors of docs/kvm-shadow-mmu.md 3.4, 3.5, 6.5 and 9.2 as they stand in vectors/*.json. `sps`: shadow pages of the
 * gfn, by role word. Each write says what it clears: role word -> spte indices, or "zap" for whole pages.
 */
import { readFileSync } from "node:fs";

export interface VectorWrite {
  readonly offset: number;
  readonly bytes: number;
  /** Role word and the indices cleared in it; pages not named stay whole. */
  readonly clears: ReadonlyMap<number, readonly number[]>;
  /** Roles zapped whole. */
  readonly zaps: readonly number[];
  /** The write goes to another gfn. */
  readonly elsewhere: boolean;
  /** An ordinary fixed fault comes before this write. */
  readonly faultBefore: boolean;
  /** The detector's count after the write, or null. */
  readonly count: number | null;
}

export interface Vector {
  readonly row: number | string;
  readonly sps: readonly number[];
  /** The pages are the roots of the present address space. */
  readonly roots: boolean;
  readonly writes: readonly VectorWrite[];
}

interface RawWrite {
  offset: string;
  bytes: number;
  clears?: Record<string, number[]>;
  zaps?: string[];
  elsewhere?: boolean;
  faultBefore?: boolean;
  count?: number;
}

interface RawVector {
  row: number | string;
  sps: string[];
  roots?: boolean;
  writes: RawWrite[];
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8"));

const writeOf = (raw: RawWrite): VectorWrite => ({
  offset: Number(raw.offset),
  bytes: raw.bytes,
  clears: new Map(Object.entries(raw.clears ?? {}).map(([role, indices]) => [Number(role), indices])),
  zaps: (raw.zaps ?? []).map(Number),
  elsewhere: raw.elsewhere ?? false,
  faultBefore: raw.faultBefore ?? false,
  count: raw.count ?? null,
});

/** Vectors of a file of pte_write's: pte-write (6.5), pte-write-a0 (9.2). */
export const vectors = (name: string): Vector[] =>
  (read(name) as { vectors: RawVector[] }).vectors.map((raw) => ({
    row: raw.row,
    sps: raw.sps.map(Number),
    roots: raw.roots ?? false,
    writes: raw.writes.map(writeOf),
  }));

export interface AddressVector {
  readonly gva: string;
  readonly pde: number;
  readonly pte: number;
  readonly root: number;
  /** Quadrant and index of the shadow page. */
  readonly level2: readonly [number, number];
  readonly level1: readonly [number, number];
}

export const ADDRESSES = (read("addresses") as { addresses: AddressVector[] }).addresses;

export interface RoleVector {
  readonly what: string;
  readonly word: string;
  readonly glevels: number;
  readonly level: number;
  readonly quadrant: number;
  readonly metaphysical: boolean;
  readonly access: number;
}

export const ROLES = (read("roles") as { roles: RoleVector[] }).roles;

export interface LayoutVector {
  readonly policy: string;
  readonly what: string;
  /** The word, and its fields that are not 0. */
  readonly word: string;
  readonly fields: Readonly<Record<string, number>>;
}

export const LAYOUTS = (read("role-layouts") as { layouts: LayoutVector[] }).layouts;
