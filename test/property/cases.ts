/**
 * What a case of the differential property tests is, as plain data: the entries of a few tables, and operations on them.
 * Here is also how the data become bytes in guest memory. The generators are in draw.ts, the machines in shadow.ts.
 */
import { type Access, HIGH_GFN } from "./two-machines.ts";

export type Mode = "nonpae" | "pae";

export type Op =
  | {
      readonly op: "edit";
      readonly table: number;
      readonly index: number;
      readonly entry: Entry;
      readonly wide: boolean;
      /** PAE: only the upper half of the entry, as a guest's second store of the two. */
      readonly upper?: boolean;
    }
  /** A store made as the emulator, of any width and at any byte of a table, over its end too. */
  | {
      readonly op: "bytes";
      readonly table: number;
      /** Offset in the page. */
      readonly at: number;
      readonly size: 1 | 2 | 4 | 8;
      readonly entry: Entry;
    }
  | {
      readonly op: "access";
      readonly page: number;
      readonly offset: number;
      readonly access: number;
      readonly size: number;
      readonly entry: Entry;
    }
  | { readonly op: "cr3"; readonly root: number }
  | { readonly op: "invlpg"; readonly page: number }
  /** The guest's kernel stores into one of its tables through a window; `width` 4 is half an entry under PAE. */
  | {
      readonly op: "store";
      readonly table: number;
      readonly index: number;
      readonly entry: Entry;
      readonly width: 1 | 2 | 4 | 8;
      readonly offset: number;
    }
  /** PAE: a store into a PDPT, which counts from the next load on. */
  | { readonly op: "pdpte"; readonly slot: number; readonly directory: number; readonly bits: number }
  | { readonly op: "wp" | "pse" | "nxe" | "cd" | "pg" | "pae" };

export interface Entry {
  /** Which frame it names (index into FRAMES). */
  readonly frame: number;
  readonly flags: number;
  readonly nx: boolean;
  /** A bit that the manual reserves: 17 of a 4 MiB entry, 13 of a 2 MiB entry, 40 of any entry of PAE. */
  readonly reserved?: boolean;
}

export interface Case {
  /** Entries of the used indices of every table, table by table; with `spaces`, of the further ones too. */
  readonly entries: readonly Entry[];
  readonly ops: readonly Op[];
  /** The guest has SPACES more address spaces. */
  readonly spaces?: boolean;
}

/** Directories at gfn 1 and 2 (PAE: 1 to 4, by two PDPTs at gfn 7), page tables at 5, 6, 8, 9. */
export const DIRECTORIES: Readonly<Record<Mode, readonly number[]>> = { nonpae: [1, 2], pae: [1, 2, 3, 4] };
export const PAGE_TABLES = [5, 6, 8, 9];
/** Frames that entries name: page tables, directories (self-maps), data, high memory, none. */
export const FRAMES = [5, 6, 8, 9, 1, 2, 3, 4, 16, 17, 18, 19, 20, HIGH_GFN, HIGH_GFN + 1, 0x4_0000, 0];
/** Entry numbers that are used: both halves of a page table, all quadrants of a directory. */
export const INDEX: Readonly<Record<Mode, readonly number[]>> = {
  nonpae: [0, 1, 256, 512, 513, 1023],
  pae: [0, 1, 2, 511],
};

/** Further address spaces: of a 2-level guest by page directories of their own, under PAE by PDPTs in gfn 7. */
export const SPACES = 10;
const FURTHER_DIRECTORIES = [12, 13, 14, 15, 24, 25, 26, 27, 28, 29];
/** Values of `cr3`'s root: the first four are there always. */
export const ROOTS = 4 + SPACES;

export const P = 1;
export const PS = 0x80;

const pageLists = new Map<Mode, readonly number[]>();

/** Every linear page that the used entries translate. */
export function pages(mode: Mode): readonly number[] {
  const known = pageLists.get(mode);
  if (known !== undefined) return known;
  const list: number[] = [];
  for (const k of mode === "nonpae" ? [0] : [0, 1, 3]) {
    for (const i of INDEX[mode]) {
      for (const j of INDEX[mode]) {
        list.push(
          mode === "nonpae" ? ((i << 22) | (j << 12)) >>> 0 : ((k << 30) | (i << 21) | (j << 12)) >>> 0,
        );
      }
    }
  }
  pageLists.set(mode, list);
  return list;
}

const TABLES: Readonly<Record<Mode, readonly number[]>> = {
  nonpae: [...DIRECTORIES.nonpae, ...PAGE_TABLES],
  pae: [...DIRECTORIES.pae, ...PAGE_TABLES],
};
/** With the further directories, which PAE has none of. */
const ALL_TABLES: Readonly<Record<Mode, readonly number[]>> = {
  nonpae: [...TABLES.nonpae, ...FURTHER_DIRECTORIES],
  pae: TABLES.pae,
};

/** gfn of every table: directories first, then page tables; an operation's `table` is an index of it. */
export const tablesOf = (mode: Mode, spaces = false): readonly number[] =>
  spaces ? ALL_TABLES[mode] : TABLES[mode];

/** Whether table `n` is a directory. */
export const isDirectory = (mode: Mode, n: number): boolean =>
  n < DIRECTORIES[mode].length || n >= TABLES[mode].length;

/** Slots that the PDPTs of the further address spaces fill, of four; slot 2 holds the window. */
const FURTHER_SLOTS = [0, 1, 3];

/** How many entries a case has. */
export const entriesOf = (mode: Mode, spaces: boolean): number =>
  tablesOf(mode, spaces).length * INDEX[mode].length +
  (spaces && mode === "pae" ? SPACES * FURTHER_SLOTS.length : 0);

/** Linear address of the window on guest frame 0: the frames below 48 follow each other. Windows are the kernel's. */
const WINDOW: Readonly<Record<Mode, number>> = { nonpae: 0xc000_0000, pae: 0x8000_0000 };
const WINDOW_TABLE = 10;
const WINDOW_DIRECTORY = 11;

/** The access that a store through the window is. */
export function windowAccess(mode: Mode, op: Extract<Op, { op: "store" }>): Access {
  const [low, high] = encode(mode, op.entry);
  const at = op.index * (mode === "pae" ? 8 : 4) + op.offset;
  const offset = Math.min(at, 4096 - op.width);
  const la = (WINDOW[mode] + ALL_TABLES[mode][op.table]! * 4096 + offset) | 0;
  return { la, access: 2, size: op.width, low, high };
}

export function accessOf(mode: Mode, op: Extract<Op, { op: "access" }>): Access {
  const [low, high] = encode(mode, op.entry);
  return { la: (pages(mode)[op.page]! + op.offset) | 0, access: op.access, size: op.size, low, high };
}

/** The access, within one page: what a TLB allows is asked of one address. */
export function inOnePage(mode: Mode, op: Extract<Op, { op: "access" }>): Access {
  const [low, high] = encode(mode, op.entry);
  const la = (pages(mode)[op.page]! + Math.min(op.offset, 4096 - op.size)) | 0;
  return { la, access: op.access, size: op.size, low, high };
}

/** Words of an entry in this mode. 4 MiB and 2 MiB frames are rounded down to a frame that may exist. */
export function encode(mode: Mode, e: Entry): [low: number, high: number] {
  const [low, high] = encodeWithout(mode, e);
  if (e.reserved !== true) return [low, high];
  if (mode === "nonpae") return [low | 0x2_0000, high];
  return (e.flags & PS) !== 0 ? [low | 0x2000, high] : [low, high | 0x100];
}

function encodeWithout(mode: Mode, e: Entry): [low: number, high: number] {
  const gfn = FRAMES[e.frame]!;
  if (mode === "nonpae") {
    // High memory only through PSE-36 (bits 16:13 of a large entry).
    if (gfn >= HIGH_GFN) return [((e.flags & PS) !== 0 ? 0x2000 : (gfn & 0xff) << 12) | e.flags, 0];
    return [(((e.flags & PS) !== 0 ? gfn & ~0x3ff : gfn) << 12) | e.flags, 0];
  }
  const frame = (e.flags & PS) !== 0 ? gfn & ~0x1ff : gfn;
  return [(frame << 12) | e.flags | 0, (frame >>> 20) | (e.nx ? 0x8000_0000 | 0 : 0)];
}

/** CR3 values: directories, and for PAE PDPTs in gfn 7. */
export function rootOf(mode: Mode, n: number): number {
  if (mode === "pae") return 0x7000 + (n < 4 ? n & 1 : n - 2) * 0x20;
  return n < 4 ? [0x1000, 0x2000, 0x5000, 0x1000][n]! : FURTHER_DIRECTORIES[n - 4]! * 4096;
}

/** Tells every word that a case's tables hold before its first operation, by gpa. */
export function putWords(mode: Mode, c: Case, store: (gpa: number, value: number) => void): void {
  const put = (gfn: number, index: number, low: number, high: number): void => {
    if (mode === "pae") {
      store(gfn * 4096 + index * 8, low);
      store(gfn * 4096 + index * 8 + 4, high);
    } else store(gfn * 4096 + index * 4, low);
  };
  const spaces = c.spaces === true;
  if (mode === "pae") {
    // Slots 0, 1, 3; slot 2 is the window's. The second table shares a directory between two slots.
    for (const [i, gfn] of [1, 2, -1, 3].entries()) if (gfn > 0) store(0x7000 + i * 8, (gfn << 12) | P);
    for (const [i, gfn] of [2, 2, -1, 4].entries()) if (gfn > 0) store(0x7020 + i * 8, (gfn << 12) | P);
  }
  const tables = tablesOf(mode, spaces);
  let at = 0;
  for (const gfn of tables)
    for (const index of INDEX[mode]) put(gfn, index, ...encode(mode, c.entries[at++]!));
  for (let gfn = 0; gfn < 48; gfn++) put(WINDOW_TABLE, gfn, (gfn << 12) | P | 2, 0);
  if (mode === "pae") {
    put(WINDOW_DIRECTORY, 0, (WINDOW_TABLE << 12) | P | 2, 0);
    for (const slot of [2, 6]) store(0x7000 + slot * 8, (WINDOW_DIRECTORY << 12) | P);
    for (let n = 4; spaces && n < ROOTS; n++) {
      const root = rootOf("pae", n);
      store(root + 2 * 8, (WINDOW_DIRECTORY << 12) | P);
      for (const slot of FURTHER_SLOTS) {
        const { frame, flags } = c.entries[at++]!;
        store(root + slot * 8, (DIRECTORIES.pae[frame & 3]! << 12) | (flags & P));
      }
    }
  } else {
    for (const [n, gfn] of tables.entries()) {
      if (isDirectory(mode, n)) put(gfn, 768, (WINDOW_TABLE << 12) | P | 2, 0);
    }
  }
  for (let gfn = 16; gfn < 24; gfn++) store(gfn * 4096, 0x01010101 * gfn);
}

/** What the tables of a case hold before its first operation: guest words by gpa. */
export function wordsOf(mode: Mode, c: Case): Map<number, number> {
  const words = new Map<number, number>();
  putWords(mode, c, (gpa, value) => words.set(gpa, value));
  return words;
}

/** The registers in which a case begins. */
export const registersOf = (mode: Mode) => ({
  cr0: 0x8001_0011 | 0,
  cr3: rootOf(mode, 0),
  cr4: mode === "pae" ? 0x20 : 0x10,
  efer: mode === "pae" ? 0x800 : 0,
});

const ABSENT: Entry = { frame: 0, flags: 0, nx: false };

/**
 * A case whose entries are absent but for a few, as a test that keeps a failure writes it down.
 * @param entries by gfn of the table and number of the entry, as `5:513`
 */
export function caseOf(
  mode: Mode,
  entries: Readonly<Record<string, Entry>>,
  ops: readonly Op[],
  spaces = false,
): Case {
  const list: Entry[] = new Array(entriesOf(mode, spaces)).fill(ABSENT);
  for (const [key, value] of Object.entries(entries)) list[placeOf(mode, key, spaces)] = value;
  return spaces ? { entries: list, ops, spaces } : { entries: list, ops };
}

function placeOf(mode: Mode, key: string, spaces: boolean): number {
  const [gfn, index] = key.split(":").map(Number);
  const indices = INDEX[mode];
  const tables = tablesOf(mode, spaces);
  if (gfn === 7) return tables.length * indices.length + index!;
  const table = tables.indexOf(gfn!);
  const at = indices.indexOf(index!);
  if (table < 0 || at < 0) throw new RangeError(`no entry ${key} in a ${mode} case`);
  return table * indices.length + at;
}

/** A case as `caseOf` reads it: what is kept of a failure. */
export function caseText(mode: Mode, c: Case): string {
  const spaces = c.spaces === true;
  const tables = tablesOf(mode, spaces);
  const indices = INDEX[mode];
  const entries: Record<string, Entry> = {};
  c.entries.forEach((entry, n) => {
    if (entry.flags === 0 && entry.frame === 0 && !entry.nx && entry.reserved !== true) return;
    const table = tables[Math.floor(n / indices.length)];
    const key =
      table === undefined
        ? `7:${n - tables.length * indices.length}`
        : `${table}:${indices[n % indices.length]}`;
    entries[key] = entry;
  });
  return `caseOf("${mode}", ${JSON.stringify(entries)}, ${JSON.stringify(c.ops)}${spaces ? ", true" : ""})`;
}
