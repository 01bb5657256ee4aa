/**
 * Entry formats as data: which bit of a PTE, PDE, PDPTE or spte is called what, what it does, and where the frame lies.
 * Sources: SDM volume 3A, chapter "Paging" (32-bit and PAE formats); docs/kvm-shadow-mmu.md 2.3-2.5, 2.8 (sptes).
 * Values are pairs of unsigned 32-bit words, low first. MAXPHYADDR is 36.
 */

export interface EntryValue {
  readonly low: number;
  readonly high: number;
}

export const ENTRY_FORMATS = [
  "pte",
  "pde",
  "pde4m",
  "pae-pte",
  "pae-pde",
  "pae-pde2m",
  "pdpte",
  "spte-leaf",
  "spte",
  "pae-root",
] as const;
export type EntryFormat = (typeof ENTRY_FORMATS)[number];

/** "flag": a right or a property; "seen": the processor sets it; "soft": ignored by the processor; "reserved": must be 0. */
export type BitKind = "flag" | "seen" | "soft" | "reserved" | "address";

export interface EntryBit {
  readonly bit: number;
  readonly name: string;
  readonly help: string;
  readonly kind: BitKind;
}

export interface FormatInfo {
  readonly id: EntryFormat;
  readonly title: string;
  readonly size: 4 | 8;
  /** Lowest and highest bit of the physical address in the entry. */
  readonly frame: readonly [number, number];
  /** What the address names. */
  readonly points: "frame" | "table" | "shadow page";
  /** Whose memory it names: a guest-physical or a host-physical address. */
  readonly space: "gpa" | "hpa";
  readonly bits: readonly EntryBit[];
}

const b = (bit: number, name: string, kind: BitKind, help: string): EntryBit => ({ bit, name, kind, help });

const P = b(0, "P", "flag", "present: the entry is used");
const W = b(1, "W", "flag", "writable");
const U = b(2, "U", "flag", "user: CPL 3 may use it");
const PWT = b(3, "PWT", "soft", "write-through (kept, without effect here)");
const PCD = b(4, "PCD", "soft", "cache disabled (kept, without effect here)");
const A = b(5, "A", "seen", "accessed: a walk used the entry");
const D = b(6, "D", "seen", "dirty: something was written through the entry");
const G = b(8, "G", "flag", "global: survives a CR3 load when CR4.PGE is set");
const PAT7 = b(7, "PAT", "soft", "memory type (kept, without effect here)");
const PAT12 = b(12, "PAT", "soft", "memory type of a large page");
const NX = b(63, "NX", "flag", "no instruction fetch (needs EFER.NXE; else reserved)");
const avl = (from: number, to: number): EntryBit[] =>
  Array.from({ length: to - from + 1 }, (_, i) =>
    b(from + i, `${from + i}`, "soft", "free for the system software"),
  );
const reserved = (from: number, to: number): EntryBit[] =>
  Array.from({ length: to - from + 1 }, (_, i) =>
    b(from + i, `${from + i}`, "reserved", "reserved: 1 makes the walk fault with RSVD"),
  );
const ignored = (bit: number): EntryBit => b(bit, `${bit}`, "soft", "ignored");

const SPTE_MARKS = [
  b(9, "IO", "flag", "PT_SHADOW_IO_MARK: there is no memory at this gfn (the address is a gpa)"),
  b(10, "SW", "soft", "PT_SHADOW_WRITABLE: what the guest's entries allow, all levels together"),
  b(11, "SU", "soft", "PT_SHADOW_USER: what the guest's entries allow, all levels together"),
];
const SHADOW_A = b(5, "A", "seen", "accessed: copied from the guest entry, or set by the processor");
const SHADOW_D = b(6, "D", "seen", "dirty: copied from the guest entry, or set by the processor");
const SHADOW_W = b(1, "W", "flag", "writable for the processor (the write right that KVM gave)");
const SHADOW_U = b(2, "U", "flag", "user: CPL 3 may use it");

export const FORMATS: Readonly<Record<EntryFormat, FormatInfo>> = {
  pte: {
    id: "pte",
    title: "PTE",
    size: 4,
    frame: [12, 31],
    points: "frame",
    space: "gpa",
    bits: [P, W, U, PWT, PCD, A, D, PAT7, G, ...avl(9, 11)],
  },
  pde: {
    id: "pde",
    title: "PDE",
    size: 4,
    frame: [12, 31],
    points: "table",
    space: "gpa",
    bits: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      ignored(6),
      b(7, "PS", "flag", "page size: 1 maps a 4 MiB page when CR4.PSE is set"),
      ignored(8),
      ...avl(9, 11),
    ],
  },
  pde4m: {
    id: "pde4m",
    title: "PDE of a 4 MiB page",
    size: 4,
    frame: [22, 31],
    points: "frame",
    space: "gpa",
    bits: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      D,
      b(7, "PS", "flag", "page size: this entry maps a 4 MiB page"),
      G,
      ...avl(9, 11),
      PAT12,
      b(13, "32", "address", "PSE-36: address bit 32"),
      b(14, "33", "address", "PSE-36: address bit 33"),
      b(15, "34", "address", "PSE-36: address bit 34"),
      b(16, "35", "address", "PSE-36: address bit 35"),
      ...reserved(17, 21),
    ],
  },
  "pae-pte": {
    id: "pae-pte",
    title: "PAE PTE",
    size: 8,
    frame: [12, 35],
    points: "frame",
    space: "gpa",
    bits: [P, W, U, PWT, PCD, A, D, PAT7, G, ...avl(9, 11), NX],
  },
  "pae-pde": {
    id: "pae-pde",
    title: "PAE PDE",
    size: 8,
    frame: [12, 35],
    points: "table",
    space: "gpa",
    bits: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      ignored(6),
      b(7, "PS", "flag", "page size: 1 maps a 2 MiB page"),
      ignored(8),
      ...avl(9, 11),
      NX,
    ],
  },
  "pae-pde2m": {
    id: "pae-pde2m",
    title: "PDE of a 2 MiB page",
    size: 8,
    frame: [21, 35],
    points: "frame",
    space: "gpa",
    bits: [
      P,
      W,
      U,
      PWT,
      PCD,
      A,
      D,
      b(7, "PS", "flag", "page size: this entry maps a 2 MiB page"),
      G,
      ...avl(9, 11),
      PAT12,
      ...reserved(13, 20),
      NX,
    ],
  },
  pdpte: {
    id: "pdpte",
    title: "PDPTE",
    size: 8,
    frame: [12, 35],
    points: "table",
    space: "gpa",
    bits: [
      P,
      b(1, "1", "reserved", "reserved: 1 in a present PDPTE refuses the CR3 load with #GP(0)"),
      b(2, "2", "reserved", "reserved: 1 in a present PDPTE refuses the CR3 load with #GP(0)"),
      PWT,
      PCD,
      ...[5, 6, 7, 8].map((n) =>
        b(n, `${n}`, "reserved", "reserved: 1 in a present PDPTE refuses the CR3 load with #GP(0)"),
      ),
      ...avl(9, 11),
    ],
  },
  "spte-leaf": {
    id: "spte-leaf",
    title: "leaf spte",
    size: 8,
    frame: [12, 35],
    points: "frame",
    space: "hpa",
    bits: [P, SHADOW_W, SHADOW_U, PWT, PCD, SHADOW_A, SHADOW_D, ignored(7), G, ...SPTE_MARKS, NX],
  },
  spte: {
    id: "spte",
    title: "spte to a shadow page",
    size: 8,
    frame: [12, 35],
    points: "shadow page",
    space: "hpa",
    bits: [
      P,
      SHADOW_W,
      SHADOW_U,
      PWT,
      PCD,
      SHADOW_A,
      ignored(6),
      ignored(7),
      ignored(8),
      b(9, "PS", "soft", "PT_SHADOW_PS_MARK: the guest entry maps a large page"),
      ...avl(10, 11),
      NX,
    ],
  },
  "pae-root": {
    id: "pae-root",
    title: "pae_root slot",
    size: 8,
    frame: [12, 35],
    points: "shadow page",
    space: "hpa",
    bits: [
      P,
      b(1, "1", "reserved", "reserved in a PDPTE"),
      b(2, "2", "reserved", "reserved in a PDPTE"),
      PWT,
      PCD,
      ...avl(9, 11),
    ],
  },
};

/** True when bit `bit` (0 … 63) of the entry is 1. */
export const hasBit = (value: EntryValue, bit: number): boolean =>
  (((bit < 32 ? value.low : value.high) >>> (bit & 31)) & 1) === 1;

/** The entry with bit `bit` turned over. */
export const toggleBit = (value: EntryValue, bit: number): EntryValue =>
  bit < 32
    ? { low: (value.low ^ (1 << bit)) >>> 0, high: value.high }
    : { low: value.low, high: (value.high ^ (1 << (bit & 31))) >>> 0 };

/** Physical address that the entry holds, by its format (PSE-36 bits of a 4 MiB PDE included), in bytes. */
export function addressOf(value: EntryValue, format: EntryFormat): number {
  const low = FORMATS[format].frame[0];
  const keepLow = (value.low & (-1 << low)) >>> 0;
  if (format === "pde4m") return keepLow + ((value.low >>> 13) & 15) * 2 ** 32;
  if (FORMATS[format].size === 4) return keepLow;
  return keepLow + (value.high & 15) * 2 ** 32;
}

/** An all-ones 64-bit value, KVM's INVALID_PAGE of an unused root slot. */
export const isInvalidPage = (value: EntryValue): boolean =>
  value.low === 0xffff_ffff && value.high === 0xffff_ffff;

/**
 * The format an entry has by itself: a directory entry is a large page's when PS says so.
 * @param level 1 page table, 2 directory, 3 PDPT. @param pse CR4.PSE (for 4-byte entries only; PAE ignores it)
 */
export function guestFormat(level: number, entrySize: 4 | 8, value: EntryValue, pse = true): EntryFormat {
  if (level === 3) return "pdpte";
  const large = level === 2 && hasBit(value, 0) && hasBit(value, 7);
  if (entrySize === 4) return level === 1 ? "pte" : large && pse ? "pde4m" : "pde";
  return level === 1 ? "pae-pte" : large ? "pae-pde2m" : "pae-pde";
}

export const shadowFormat = (level: number): EntryFormat => (level === 1 ? "spte-leaf" : "spte");

/** Reserved bits that are 1 in a present entry: the processor's walk would fault on them (MAXPHYADDR 36). */
export function reservedBits(value: EntryValue, format: EntryFormat): number[] {
  if (!hasBit(value, 0)) return [];
  const wrong = FORMATS[format].bits
    .filter((bit) => bit.kind === "reserved" && hasBit(value, bit.bit))
    .map((bit) => bit.bit);
  // In PAE entries, and in PDPTEs up to bit 63, physical-address bits above MAXPHYADDR are reserved.
  const top = format === "pdpte" ? 63 : 62;
  if (FORMATS[format].size === 8) for (let n = 36; n <= top; n++) if (hasBit(value, n)) wrong.push(n);
  return wrong;
}

/** The letters of the bits that are set, in the order of the manual's figures (high to low): "NX G D A U W P". */
export function bitLetters(value: EntryValue, format: EntryFormat): string {
  return FORMATS[format].bits
    .filter((bit) => bit.kind !== "reserved" && !/^\d+$/.test(bit.name) && hasBit(value, bit.bit))
    .map((bit) => bit.name)
    .reverse()
    .join(" ");
}

export const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** The entry's value as the manual writes it: 8 or 16 digits. */
export const entryHex = (value: EntryValue, size: number): string =>
  size === 8 ? hex(value.high, 8) + hex(value.low, 8) : hex(value.low, size * 2);

const rights = (value: EntryValue): string =>
  `${hasBit(value, 1) ? "read and write" : "read only"}, ${hasBit(value, 2) ? "user and kernel" : "kernel only"}`;

/** What the entry means, in one sentence. */
export function meaning(value: EntryValue, format: EntryFormat): string {
  const info = FORMATS[format];
  const empty = value.low === 0 && value.high === 0;
  const frame = hex(addressOf(value, format) / 4096, 1);
  if (info.space === "hpa" && isInvalidPage(value)) return "Not in use (INVALID_PAGE).";
  if (format === "spte-leaf" && !hasBit(value, 0) && hasBit(value, 9))
    return `No memory at gfn ${frame}: every access exits and is emulated as I/O.`;
  if (!hasBit(value, 0)) {
    if (info.space === "hpa")
      return empty
        ? "Empty: the next access is a shadow fault."
        : "Not present: an access is a shadow fault.";
    return empty
      ? "Empty: an access is a page fault of the guest's own."
      : "Not present, the other bits are the guest's to use: an access is a page fault of its own.";
  }
  const wrong = reservedBits(value, format);
  if (wrong.length > 0)
    return format === "pdpte"
      ? `Bit ${wrong.join(", ")} is reserved: loading CR3 with this entry is refused with #GP(0).`
      : `Bit ${wrong.join(", ")} is reserved: a walk through this entry faults with RSVD.`;
  const nx = info.size === 8 && hasBit(value, 63) ? ", no fetch" : "";
  const unused = hasBit(value, 5) ? "" : ", not used yet";
  switch (format) {
    case "pte":
    case "pae-pte": {
      const dirty = hasBit(value, 6) ? ", written to" : hasBit(value, 1) ? ", not written yet" : "";
      return `Maps 4 KiB to frame ${frame}: ${rights(value)}${nx}${unused}${dirty}.`;
    }
    case "pde4m":
    case "pae-pde2m": {
      const size = format === "pde4m" ? "4 MiB" : "2 MiB";
      return `Maps ${size} from frame ${frame}: ${rights(value)}${nx}${unused}.`;
    }
    case "pde":
    case "pae-pde":
      return `Names the page table in frame ${frame}: ${rights(value)} at most${nx}${unused}.`;
    case "pdpte":
      return `Names the page directory in frame ${frame}. It is read when CR3 is loaded, not when it is written.`;
    case "spte-leaf": {
      if (!hasBit(value, 1) && hasBit(value, 10))
        return `Maps 4 KiB to host frame ${frame}, write right withheld (guest clean, or a shadowed table): ${hasBit(value, 2) ? "user and kernel" : "kernel only"}${nx}.`;
      return `Maps 4 KiB to host frame ${frame}: ${rights(value)}${nx}.`;
    }
    case "spte":
      return `Names the shadow page in host frame ${frame}. All restriction is at the leaf.`;
    case "pae-root":
      return `Names the level-2 shadow page in host frame ${frame}.`;
  }
}
