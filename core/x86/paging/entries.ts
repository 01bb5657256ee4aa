/**
 * Paging-structure entries as data: the bits of every format (SDM vol. 3, 4.3 and 4.4) with names, and the masks
 * that the walk tests. Pure tables without imports from above, so that the lab's protocol can re-export them.
 */
import { MAXPHYADDR } from "../../memory/host-memory.ts";

export const PTE_P = 1 << 0;
export const PTE_W = 1 << 1;
export const PTE_U = 1 << 2;
export const PTE_PWT = 1 << 3;
export const PTE_PCD = 1 << 4;
export const PTE_A = 1 << 5;
export const PTE_D = 1 << 6;
/** In a page-directory entry: it maps a large page. In a PTE the same bit is PAT. */
export const PDE_PS = 1 << 7;
export const PTE_G = 1 << 8;
/** Bit 63, as a bit of the upper word. */
export const PTE_NX_HIGH = 0x8000_0000 | 0;

/** 4 MiB PDE: bits 21:(MAXPHYADDR - 19) are reserved; bits (MAXPHYADDR - 20):13 hold address bits 35:32 (PSE-36). */
export const PDE32_LARGE_RESERVED = 0x003e_0000;
/** Position and width of the PSE-36 address bits in a 4 MiB PDE. */
export const PDE32_LARGE_HIGH_SHIFT = 13;
export const PDE32_LARGE_HIGH_MASK = 0xf;

/** PAE entries: bits 62:MAXPHYADDR, as bits of the upper word. */
export const PAE_RESERVED_HIGH = 0x7fff_ffff & ~((1 << (MAXPHYADDR - 32)) - 1);
/** 2 MiB PDE: bits 20:13. */
export const PDE_PAE_LARGE_RESERVED = 0x001f_e000;
/** Present PDPTE: bits 2:1 and 8:5 of the lower word, everything above MAXPHYADDR of the upper. */
export const PDPTE_RESERVED_LOW = 0x0000_01e6;
export const PDPTE_RESERVED_HIGH = ~((1 << (MAXPHYADDR - 32)) - 1);

/** Entry formats. */
export type EntryFormat = "pde32" | "pde32-4m" | "pte32" | "pdpte" | "pde-pae" | "pde-pae-2m" | "pte-pae";

/** One named field of an entry: bits `low` … `low + width - 1` of the 64-bit (or 32-bit) value. */
export interface EntryField {
  readonly name: string;
  readonly low: number;
  readonly width: number;
  readonly help: string;
  /** "flag" can be toggled, "address" holds a frame, "reserved" must be 0, "ignored" is the software's. */
  readonly kind: "flag" | "address" | "reserved" | "ignored";
}

export interface EntryLayout {
  readonly format: EntryFormat;
  readonly title: string;
  /** 4 or 8. */
  readonly bytes: number;
  /** Level that it stands on: 1 page table, 2 page directory, 3 PDPT. */
  readonly level: number;
  /** True when it maps a page, false when it names a lower table. */
  readonly leaf: boolean;
  readonly fields: readonly EntryField[];
}

const flag = (name: string, low: number, help: string): EntryField => ({
  name,
  low,
  width: 1,
  help,
  kind: "flag",
});
const address = (name: string, low: number, high: number, help: string): EntryField => ({
  name,
  low,
  width: high - low + 1,
  help,
  kind: "address",
});
const reserved = (low: number, high: number): EntryField => ({
  name: "rsvd",
  low,
  width: high - low + 1,
  help: "Reserved: a set bit faults when the entry is used.",
  kind: "reserved",
});
const ignored = (low: number, high: number): EntryField => ({
  name: "avl",
  low,
  width: high - low + 1,
  help: "Ignored by the processor.",
  kind: "ignored",
});

const P = flag("P", 0, "Present.");
const W = flag("W", 1, "Writes are allowed.");
const U = flag("U", 2, "User-mode accesses (CPL 3) are allowed.");
const PWT = flag("PWT", 3, "Page-level write-through.");
const PCD = flag("PCD", 4, "Page-level cache disable.");
const A = flag("A", 5, "Accessed: set by the processor when the entry takes part in a translation.");
const D = flag("D", 6, "Dirty: set by the processor on a write.");
const PS0 = flag("PS", 7, "Page size: 1 makes this entry map a large page.");
const PS1 = flag("PS", 7, "Page size: this entry maps a large page.");
const PAT = flag("PAT", 7, "Page attribute table index.");
const PAT12 = flag("PAT", 12, "Page attribute table index.");
const G = flag("G", 8, "Global: stays in the TLB when CR3 is loaded (CR4.PGE).");
const NX = flag("NX", 63, "No execute (EFER.NXE; reserved without).");
const M = MAXPHYADDR;

export const ENTRY_LAYOUTS: Readonly<Record<EntryFormat, EntryLayout>> = {
  pde32: {
    format: "pde32",
    title: "Page-directory entry (names a page table)",
    bytes: 4,
    level: 2,
    leaf: false,
    fields: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      ignored(6, 6),
      PS0,
      ignored(8, 11),
      address("table", 12, 31, "Frame of the page table."),
    ],
  },
  "pde32-4m": {
    format: "pde32-4m",
    title: "Page-directory entry (maps 4 MiB)",
    bytes: 4,
    level: 2,
    leaf: true,
    fields: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      D,
      PS1,
      G,
      ignored(9, 11),
      PAT12,
      address("frame 35:32", 13, M - 20, "Address bits 35:32 (PSE-36)."),
      reserved(M - 19, 21),
      address("frame", 22, 31, "Address bits 31:22 of the page."),
    ],
  },
  pte32: {
    format: "pte32",
    title: "Page-table entry",
    bytes: 4,
    level: 1,
    leaf: true,
    fields: [P, W, U, PWT, PCD, A, D, PAT, G, ignored(9, 11), address("frame", 12, 31, "Frame of the page.")],
  },
  pdpte: {
    format: "pdpte",
    title: "Page-directory-pointer-table entry (PAE)",
    bytes: 8,
    level: 3,
    leaf: false,
    fields: [
      P,
      reserved(1, 2),
      PWT,
      PCD,
      reserved(5, 8),
      ignored(9, 11),
      address("directory", 12, M - 1, "Frame of the page directory."),
      reserved(M, 63),
    ],
  },
  "pde-pae": {
    format: "pde-pae",
    title: "PAE page-directory entry (names a page table)",
    bytes: 8,
    level: 2,
    leaf: false,
    fields: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      ignored(6, 6),
      PS0,
      ignored(8, 11),
      address("table", 12, M - 1, "Frame of the page table."),
      reserved(M, 62),
      NX,
    ],
  },
  "pde-pae-2m": {
    format: "pde-pae-2m",
    title: "PAE page-directory entry (maps 2 MiB)",
    bytes: 8,
    level: 2,
    leaf: true,
    fields: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      D,
      PS1,
      G,
      ignored(9, 11),
      PAT12,
      reserved(13, 20),
      address("frame", 21, M - 1, "Address of the page."),
      reserved(M, 62),
      NX,
    ],
  },
  "pte-pae": {
    format: "pte-pae",
    title: "PAE page-table entry",
    bytes: 8,
    level: 1,
    leaf: true,
    fields: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      D,
      PAT,
      G,
      ignored(9, 11),
      address("frame", 12, M - 1, "Frame of the page."),
      reserved(M, 62),
      NX,
    ],
  },
};

/** Index of a linear address in a 2-level table: level 2 bits 31:22, level 1 bits 21:12. */
export function index32(la: number, level: number): number {
  return (la >>> (12 + 10 * (level - 1))) & 1023;
}

/** Index of a linear address in a PAE table: level 3 bits 31:30, level 2 bits 29:21, level 1 bits 20:12. */
export function indexPae(la: number, level: number): number {
  return (la >>> (12 + 9 * (level - 1))) & (level === 3 ? 3 : 511);
}
