/**
 * The bits of paging entries, as data, for showing and toggling: 4-byte and 8-byte guest entries of each level
 * (SDM vol. 3, 4.3 and 4.4) and sptes (docs/kvm-shadow-mmu.md, 2.4 and 2.5).
 */

export interface EntryBit {
  readonly name: string;
  /** 0 … 63; 32 and above lie in the high word. */
  readonly bit: number;
  readonly help: string;
}

export type EntryFormat =
  | "pte32"
  | "pde32"
  | "pde32-large"
  | "pte-pae"
  | "pde-pae"
  | "pde-pae-large"
  | "pdpte"
  | "spte"
  | "spte-table";

const P = { name: "P", bit: 0, help: "Present: the entry maps something." };
const W = { name: "W", bit: 1, help: "Writable." };
const U = { name: "U", bit: 2, help: "User: CPL 3 may use it." };
const PWT = { name: "PWT", bit: 3, help: "Write-through caching." };
const PCD = { name: "PCD", bit: 4, help: "Caching disabled." };
const A = { name: "A", bit: 5, help: "Accessed: a walk has used it." };
const D = { name: "D", bit: 6, help: "Dirty: the page has been written." };
const PS = { name: "PS", bit: 7, help: "Page size: maps a large page, no table below." };
const PAT = { name: "PAT", bit: 7, help: "Page attribute table index." };
const G = { name: "G", bit: 8, help: "Global: survives a CR3 load (with CR4.PGE)." };
const NX = { name: "NX", bit: 63, help: "No execute (with EFER.NXE)." };
const AVL: readonly EntryBit[] = [
  { name: "9", bit: 9, help: "Free for software." },
  { name: "10", bit: 10, help: "Free for software." },
  { name: "11", bit: 11, help: "Free for software." },
];
const LARGE_PAT = { name: "PAT", bit: 12, help: "Page attribute table index of a large page." };

const IO = { name: "IO", bit: 9, help: "PT_SHADOW_IO_MARK: this gfn has no memory (MMIO)." };
const SW = {
  name: "sW",
  bit: 10,
  help: "PT_SHADOW_WRITABLE: the guest allows writing (W of all its levels).",
};
const SU = { name: "sU", bit: 11, help: "PT_SHADOW_USER: the guest allows CPL 3 (U of all its levels)." };
const PSM = { name: "PSm", bit: 9, help: "PT_SHADOW_PS_MARK: the guest entry maps a large page." };

/** Most significant first, as they are written. */
export const ENTRY_BITS: Readonly<Record<EntryFormat, readonly EntryBit[]>> = {
  pte32: [...AVL.toReversed(), G, PAT, D, A, PCD, PWT, U, W, P],
  pde32: [...AVL.toReversed(), PS, A, PCD, PWT, U, W, P],
  "pde32-large": [LARGE_PAT, ...AVL.toReversed(), G, PS, D, A, PCD, PWT, U, W, P],
  "pte-pae": [NX, ...AVL.toReversed(), G, PAT, D, A, PCD, PWT, U, W, P],
  "pde-pae": [NX, ...AVL.toReversed(), PS, A, PCD, PWT, U, W, P],
  "pde-pae-large": [NX, LARGE_PAT, ...AVL.toReversed(), G, PS, D, A, PCD, PWT, U, W, P],
  pdpte: [...AVL.toReversed(), PCD, PWT, P],
  spte: [NX, SU, SW, IO, G, PAT, D, A, PCD, PWT, U, W, P],
  "spte-table": [NX, PSM, A, PCD, PWT, U, W, P],
};

/** The format of a guest entry by its table's level, entry size and value; `paging` off never comes here. */
export function guestFormat(level: number, entrySize: 4 | 8, low: number): EntryFormat {
  const large = level === 2 && (low & 0x80) !== 0;
  if (entrySize === 4) return level === 1 ? "pte32" : large ? "pde32-large" : "pde32";
  if (level === 3) return "pdpte";
  return level === 1 ? "pte-pae" : large ? "pde-pae-large" : "pde-pae";
}

export function shadowFormat(level: number): EntryFormat {
  return level === 1 ? "spte" : "spte-table";
}

/** Is the bit set in the entry (two words)? */
export function bitIsSet(bit: number, low: number, high: number): boolean {
  return bit < 32 ? ((low >>> bit) & 1) === 1 : ((high >>> (bit - 32)) & 1) === 1;
}

/** The entry with one bit turned over. */
export function toggleBit(bit: number, low: number, high: number): { low: number; high: number } {
  return bit < 32
    ? { low: (low ^ (1 << bit)) >>> 0, high: high >>> 0 }
    : { low: low >>> 0, high: (high ^ (1 << (bit - 32))) >>> 0 };
}

/** The frame number an entry names (4 KiB granularity; large pages by their base). */
export function frameOf(format: EntryFormat, low: number, high: number): number {
  switch (format) {
    case "pte32":
    case "pde32":
      return low >>> 12;
    case "pde32-large":
      // PSE-36: bits 13-20 are address bits 32-39.
      return (low >>> 22) * 1024 + ((low >>> 13) & 0xff) * 2 ** 20;
    case "pde-pae-large":
      return (high & 0xf_ffff) * 2 ** 20 + (low >>> 21) * 512;
    default:
      return (high & 0xf_ffff) * 2 ** 20 + (low >>> 12);
  }
}

/** The fields of a role word (docs/kvm-shadow-mmu.md, 3.2). */
export function roleFields(role: number) {
  return {
    glevels: role & 15,
    level: (role >>> 4) & 15,
    quadrant: (role >>> 8) & 3,
    metaphysical: ((role >>> 16) & 1) === 1,
    hugepageAccess: (role >>> 17) & 7,
  };
}
