/** Random page tables and random operations on them, as plain data, for the differential property tests. */
import fc from "fast-check";
import { History } from "./history.ts";
import { type Access, HIGH_GFN, TwoMachines } from "./two-machines.ts";

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

/** Directories at gfn 1 and 2 (PAE: 1 to 4, by two PDPTs at gfn 7), page tables at 5, 6, 8, 9. */
const DIRECTORIES: Readonly<Record<Mode, readonly number[]>> = { nonpae: [1, 2], pae: [1, 2, 3, 4] };
const PAGE_TABLES = [5, 6, 8, 9];
/** Frames that entries name: page tables, directories (self-maps), data, high memory, none. */
const FRAMES = [5, 6, 8, 9, 1, 2, 3, 4, 16, 17, 18, 19, 20, HIGH_GFN, HIGH_GFN + 1, 0x4_0000, 0];
/** Entry numbers that are used: both halves of a page table, all quadrants of a directory. */
export const INDEX: Readonly<Record<Mode, readonly number[]>> = {
  nonpae: [0, 1, 256, 512, 513, 1023],
  pae: [0, 1, 2, 511],
};

const P = 1;
const PS = 0x80;

/** Every linear page that the used entries translate. */
export const pages = (mode: Mode): number[] => {
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
  return list;
};

/** Nine times in ten `usual`. */
const mostly = <T>(usual: T, other: T): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 8 }, { arbitrary: fc.constant(other), weight: 1 });

export const entry = (mode: Mode, directory: boolean): fc.Arbitrary<Entry> =>
  fc.record({
    // A directory's entries name page tables, a page table's anything.
    frame: fc.oneof(
      { arbitrary: directory ? fc.nat(3) : fc.integer({ min: 8, max: 14 }), weight: 6 },
      { arbitrary: fc.nat(FRAMES.length - 1), weight: 3 },
    ),
    flags: fc
      .tuple(
        mostly(1, 0),
        mostly(2, 0),
        mostly(4, 0),
        fc.constantFrom(0x20, 0),
        fc.constantFrom(0x40, 0),
        mostly(0, PS),
        mostly(0, 0x100),
        mostly(0, 0x18),
      )
      .map((bits) => bits.reduce((a, b) => a | b, 0)),
    nx: mode === "pae" ? mostly(false, true) : fc.constant(false),
  });

/** Number of tables: directories first, then page tables. */
export const tablesOf = (mode: Mode): readonly number[] => [...DIRECTORIES[mode], ...PAGE_TABLES];

export const operation = (mode: Mode, controls: boolean): fc.Arbitrary<Op> => {
  const page = fc.nat(pages(mode).length - 1);
  const directories = DIRECTORIES[mode].length;
  const index = fc.constantFrom(...INDEX[mode]);
  const editOf = (table: fc.Arbitrary<number>, directory: boolean): fc.Arbitrary<Op> =>
    fc.record({
      op: fc.constant("edit" as const),
      table,
      index,
      entry: entry(mode, directory),
      wide: mostly(true, false),
    });
  const access = fc.record({
    op: fc.constant("access" as const),
    page,
    offset: fc.constantFrom(0, 0, 4, 8, 0x400, 0x800, 0x804, 0xffc, 0xffe, 0x801),
    access: fc.constantFrom(0, 2, 2, 4, 6, 6, 16, 20),
    size: fc.constantFrom(4, 4, 4, 1, 2, 8),
    entry: entry(mode, false),
  });
  const list: { arbitrary: fc.Arbitrary<Op>; weight: number }[] = [
    { arbitrary: editOf(fc.nat(directories - 1), true), weight: 3 },
    {
      arbitrary: editOf(fc.integer({ min: directories, max: directories + PAGE_TABLES.length - 1 }), false),
      weight: 5,
    },
    { arbitrary: access, weight: 24 },
    { arbitrary: fc.record({ op: fc.constant("cr3" as const), root: fc.nat(3) }), weight: 1 },
    { arbitrary: fc.record({ op: fc.constant("invlpg" as const), page }), weight: 1 },
  ];
  if (controls) {
    list.push({
      arbitrary: fc
        .constantFrom<"wp" | "pse" | "nxe" | "cd">("wp", "wp", "pse", "nxe", "cd")
        .map((op): Op => ({ op })),
      weight: 1,
    });
  }
  return fc.oneof(...list);
};

export interface Case {
  /** Entries of the used indices of every table, table by table. */
  readonly entries: readonly Entry[];
  readonly ops: readonly Op[];
}

export const scenario = (mode: Mode, controls: boolean, most: number): fc.Arbitrary<Case> =>
  fc.record({
    entries: fc.tuple(
      ...tablesOf(mode).flatMap((_, table) =>
        INDEX[mode].map(() => entry(mode, table < DIRECTORIES[mode].length)),
      ),
    ),
    ops: fc.array(operation(mode, controls), { minLength: 1, maxLength: most, size: "max" }),
  });

/** Linear address of the window on guest frame 0: the frames below 48 follow each other. Windows are the kernel's. */
const WINDOW: Readonly<Record<Mode, number>> = { nonpae: 0xc000_0000, pae: 0x8000_0000 };
const WINDOW_TABLE = 10;
const WINDOW_DIRECTORY = 11;

/**
 * What a kernel does that edits its tables by itself: stores through windows into a few entries, accesses to the few
 * pages they translate, now and then a flush, another address space, or CR0.WP.
 */
export const windowScenario = (mode: Mode, most: number): fc.Arbitrary<Case> => {
  const directories = DIRECTORIES[mode].length;
  const hot = INDEX[mode].slice(0, 3);
  const list = pages(mode);
  const all = INDEX[mode].length;
  // Pages whose directory and table index are both hot.
  const page = fc.constantFrom(
    ...[...list.keys()].filter((i) => i % all < 3 && Math.floor(i / all) % all < 3),
  );
  const store = fc.nat(9).chain((n) =>
    fc.record({
      op: fc.constant("store" as const),
      table: n < 2 ? fc.nat(directories - 1) : fc.integer({ min: directories, max: directories + 3 }),
      index: fc.constantFrom(...hot),
      entry: entry(mode, n < 2),
      width: mostly<1 | 2 | 4 | 8>(mode === "pae" ? 8 : 4, 4).chain((usual) =>
        fc.oneof(
          { arbitrary: fc.constant(usual), weight: 12 },
          { arbitrary: fc.constantFrom<1 | 2 | 8>(1, 2, 8), weight: 1 },
        ),
      ),
      offset: fc.oneof({ arbitrary: fc.constant(0), weight: 10 }, { arbitrary: fc.nat(7), weight: 1 }),
    }),
  );
  const access = fc.record({
    op: fc.constant("access" as const),
    page,
    offset: fc.constantFrom(0, 4, 0x7fc, 0x800),
    access: fc.constantFrom(0, 2, 2, 4, 6, 16),
    size: fc.constantFrom(4, 4, 8),
    entry: entry(mode, false),
  });
  const op = fc.oneof(
    { arbitrary: store, weight: 8 },
    { arbitrary: access, weight: 16 },
    { arbitrary: fc.record({ op: fc.constant("invlpg" as const), page }), weight: 2 },
    { arbitrary: fc.record({ op: fc.constant("cr3" as const), root: fc.nat(1) }), weight: 1 },
    {
      arbitrary: fc.constantFrom<"wp" | "pse" | "nxe">("wp", "wp", "pse", "nxe").map((o): Op => ({ op: o })),
      weight: 1,
    },
  );
  return fc.record({
    entries: fc.tuple(
      ...tablesOf(mode).flatMap((_, table) =>
        INDEX[mode].map(() => entry(mode, table < DIRECTORIES[mode].length)),
      ),
    ),
    ops: fc.array(op, { minLength: 1, maxLength: most, size: "max" }),
  });
};

/** The access that a store through the window is. */
function windowAccess(mode: Mode, op: Extract<Op, { op: "store" }>): Access {
  const [low, high] = encode(mode, op.entry);
  const at = op.index * (mode === "pae" ? 8 : 4) + op.offset;
  const offset = Math.min(at, 4096 - op.width);
  const la = (WINDOW[mode] + tablesOf(mode)[op.table]! * 4096 + offset) | 0;
  return { la, access: 2, size: op.width, low, high };
}

/** As `entry`, some with a reserved bit. */
const harsh = (mode: Mode, directory: boolean): fc.Arbitrary<Entry> =>
  fc.tuple(entry(mode, directory), mostly(false, true)).map(([e, reserved]) => ({ ...e, reserved }));

/** What `operation` does not do: upper halves, reserved bits, stores into PDPTs, other paging modes. */
const harshOperation = (mode: Mode): fc.Arbitrary<Op> => {
  const directories = DIRECTORIES[mode].length;
  const edit = fc.boolean().chain((directory) =>
    fc.record({
      op: fc.constant("edit" as const),
      table: directory
        ? fc.nat(directories - 1)
        : fc.integer({ min: directories, max: directories + PAGE_TABLES.length - 1 }),
      index: fc.constantFrom(...INDEX[mode]),
      entry: harsh(mode, directory),
      wide: fc.boolean(),
      upper: fc.boolean(),
    }),
  );
  // Paging off and on, PAE on and off: the same tables, read in another way.
  const switches = fc.constantFrom<"pg" | "pae">("pg", "pae").map((op): Op => ({ op }));
  const common = [
    { arbitrary: edit, weight: 6 },
    { arbitrary: switches, weight: 1 },
  ];
  if (mode === "nonpae") return fc.oneof(...common);
  const pdpte = fc.record({
    op: fc.constant("pdpte" as const),
    slot: fc.nat(7),
    directory: fc.nat(3),
    // Not present, present, with ignored bits 3 and 9, and with reserved ones.
    bits: fc.constantFrom(0, 1, 1, 1, 0x209, 5, 0x21, 0x81),
  });
  return fc.oneof(...common, { arbitrary: pdpte, weight: 2 });
};

/** Scenarios with everything in them. */
export const harshScenario = (mode: Mode, most: number): fc.Arbitrary<Case> =>
  fc.record({
    entries: fc.tuple(
      ...tablesOf(mode).flatMap((_, table) =>
        INDEX[mode].map(() => harsh(mode, table < DIRECTORIES[mode].length)),
      ),
    ),
    ops: fc.array(
      fc.oneof(
        { arbitrary: operation(mode, true), weight: 5 },
        { arbitrary: harshOperation(mode), weight: 1 },
      ),
      { minLength: 1, maxLength: most, size: "max" },
    ),
  });

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

/** CR3 values: directories, and for PAE two PDPTs in gfn 7. */
export const rootOf = (mode: Mode, n: number): number =>
  mode === "pae" ? 0x7000 + (n & 1) * 0x20 : [0x1000, 0x2000, 0x5000, 0x1000][n]!;

/** What the tables of a case hold before its first operation: guest words by gpa. */
export function wordsOf(mode: Mode, c: Case): Map<number, number> {
  const words = new Map<number, number>();
  const put = (gfn: number, index: number, low: number, high: number): void => {
    if (mode === "pae") {
      words.set(gfn * 4096 + index * 8, low);
      words.set(gfn * 4096 + index * 8 + 4, high);
    } else words.set(gfn * 4096 + index * 4, low);
  };
  if (mode === "pae") {
    // Slots 0, 1, 3; slot 2 is absent. The second table shares a directory between two slots.
    [1, 2, -1, 3].forEach((gfn, i) => {
      words.set(0x7000 + i * 8, gfn < 0 ? 0 : (gfn << 12) | P);
    });
    [2, 2, -1, 4].forEach((gfn, i) => {
      words.set(0x7020 + i * 8, gfn < 0 ? 0 : (gfn << 12) | P);
    });
  }
  let at = 0;
  for (const gfn of tablesOf(mode))
    for (const index of INDEX[mode]) put(gfn, index, ...encode(mode, c.entries[at++]!));
  for (let gfn = 0; gfn < 48; gfn++) put(WINDOW_TABLE, gfn, (gfn << 12) | P | 2, 0);
  if (mode === "pae") {
    put(WINDOW_DIRECTORY, 0, (WINDOW_TABLE << 12) | P | 2, 0);
    for (const slot of [2, 6]) words.set(0x7000 + slot * 8, (WINDOW_DIRECTORY << 12) | P);
  } else for (const gfn of DIRECTORIES.nonpae) put(gfn, 768, (WINDOW_TABLE << 12) | P | 2, 0);
  for (let gfn = 16; gfn < 24; gfn++) words.set(gfn * 4096, 0x01010101 * gfn);
  return words;
}

/** The registers in which a case begins. */
export const registersOf = (mode: Mode) => ({
  cr0: 0x8001_0011 | 0,
  cr3: rootOf(mode, 0),
  cr4: mode === "pae" ? 0x20 : 0x10,
  efer: mode === "pae" ? 0x800 : 0,
});

export function make(
  mode: Mode,
  policy: string,
  c: Case,
  hazards: Record<string, "guarded" | "as-it-was"> = {},
  tlb: "vmx" | "svm" = "vmx",
  pool?: number,
): TwoMachines {
  return new TwoMachines({
    policy,
    tlb,
    pool,
    words: wordsOf(mode, c),
    hazards,
    ...registersOf(mode),
  });
}

/** Two machines side by side, under whatever policy. */
export type Machines = Pick<
  TwoMachines,
  "edit" | "onBare" | "onKvm" | "cr3" | "cr0" | "cr4" | "efer" | "invlpg" | "difference"
> & {
  readonly bare: { readonly cr0: number; readonly cr4: number; readonly efer: number };
  readonly kvm: {
    readonly finding: string | null;
    audit(): { readonly violations: readonly { readonly invariant: string; readonly message: string }[] };
  };
};

/** Runs one operation on both, judged by what a TLB allows (history.ts); throws in words when it is not allowed. */
export function applyWithHistory(mode: Mode, m: TwoMachines, history: History, op: Op): void {
  if (op.op === "access" || op.op === "store") {
    const a = op.op === "store" ? windowAccess(mode, op) : inOnePage(mode, op);
    const wrong = history.judge(a, m.onBare(a), m.onKvm(a));
    if (wrong !== null) throw new Error(`access ${JSON.stringify(a)}: ${wrong}`);
    m.lookForUnsync();
  } else {
    apply(mode, m, op, false);
    if (op.op === "invlpg") history.flushPage(pages(mode)[op.page]!);
    if (op.op === "cr3" || op.op === "pse" || op.op === "pg" || op.op === "pae") history.flushAll();
  }
  history.commit();
  if (m.kvm.finding !== null) throw new Error(`after ${JSON.stringify(op)}: ${m.kvm.finding}`);
}

/** The access, within one page: what a TLB allows is asked of one address. */
function inOnePage(mode: Mode, op: Extract<Op, { op: "access" }>): Access {
  const [low, high] = encode(mode, op.entry);
  const la = (pages(mode)[op.page]! + Math.min(op.offset, 4096 - op.size)) | 0;
  return { la, access: op.access, size: op.size, low, high };
}

/** The whole audit costs much more than an operation. */
const AUDIT_EVERY = 16;

/** What the cases came across: tests check that it is not nothing. */
export const seen = { unsync: 0, past: 0 };

/** Plays a case under a policy whose translations may be stale; the audit looks every few operations. */
export function playWithHistory(
  mode: Mode,
  policy: string,
  c: Case,
  tlb: "vmx" | "svm" = "vmx",
  hazards: Record<string, "guarded" | "as-it-was"> = {},
  how: { deafToInvlpg?: boolean; pool?: number } = {},
): TwoMachines {
  const m = make(mode, policy, c, hazards, tlb, how.pool);
  m.deafToInvlpg = how.deafToInvlpg ?? false;
  const history = new History(m);
  c.ops.forEach((op, i) => {
    applyWithHistory(mode, m, history, op);
    if (i % AUDIT_EVERY === AUDIT_EVERY - 1 || i === c.ops.length - 1) auditNow(m, op);
  });
  seen.unsync += m.unsyncSeen;
  seen.past += history.pastUsed;
  return m;
}

function accessOf(mode: Mode, op: Extract<Op, { op: "access" }>): Access {
  const [low, high] = encode(mode, op.entry);
  return { la: (pages(mode)[op.page]! + op.offset) | 0, access: op.access, size: op.size, low, high };
}

/** Runs one operation on both; throws in words when they differ or the audit finds something. */
export function apply(mode: Mode, m: Machines, op: Op, auditToo: boolean): void {
  const list = pages(mode);
  switch (op.op) {
    case "edit": {
      const [low, high] = encode(mode, op.entry);
      const gpa = tablesOf(mode)[op.table]! * 4096 + op.index * (mode === "pae" ? 8 : 4);
      if (mode === "pae" && op.upper === true && !op.wide) m.edit(gpa + 4, 4, high, 0);
      else m.edit(gpa, mode === "pae" && op.wide ? 8 : 4, low, high);
      break;
    }
    case "pdpte":
      m.edit(0x7000 + op.slot * 8, 8, (DIRECTORIES.pae[op.directory]! << 12) | op.bits, 0);
      break;
    case "store":
    case "access": {
      const a = op.op === "store" ? windowAccess(mode, op) : accessOf(mode, op);
      const bare = m.onBare(a);
      const kvm = m.onKvm(a);
      if (
        bare.fault !== kvm.fault ||
        bare.cr2 !== kvm.cr2 ||
        bare.low !== kvm.low ||
        bare.high !== kvm.high
      ) {
        throw new Error(
          `access ${JSON.stringify(a)}: bare ${JSON.stringify(bare)}, under KVM ${JSON.stringify(kvm)}`,
        );
      }
      break;
    }
    case "cr3": {
      same(op.op, m.cr3(rootOf(mode, op.root)));
      break;
    }
    case "invlpg":
      m.invlpg(list[op.page]! | 0);
      break;
    case "wp":
      same(op.op, m.cr0(m.bare.cr0 ^ 0x1_0000));
      break;
    case "cd":
      same(op.op, m.cr0(m.bare.cr0 ^ 0x4000_0000));
      break;
    case "pse":
      same(op.op, m.cr4(m.bare.cr4 ^ 0x10));
      break;
    case "pg":
      same(op.op, m.cr0(m.bare.cr0 ^ (1 << 31)));
      break;
    case "pae":
      same(op.op, m.cr4(m.bare.cr4 ^ 0x20));
      break;
    case "nxe":
      m.efer(m.bare.efer ^ 0x800);
      break;
  }
  const difference = m.difference();
  if (difference !== null) throw new Error(`after ${JSON.stringify(op)}: ${difference}`);
  if (m.kvm.finding !== null) throw new Error(`after ${JSON.stringify(op)}: ${m.kvm.finding}`);
  if (auditToo) auditNow(m, op);
}

function auditNow(m: Machines, op: Op): void {
  const [first] = m.kvm.audit().violations;
  if (first !== undefined)
    throw new Error(`after ${JSON.stringify(op)}: ${first.invariant}: ${first.message}`);
}

function same(what: string, [bare, kvm]: [boolean, boolean]): void {
  if (bare !== kvm)
    throw new Error(`${what}: bare ${bare ? "done" : "#GP"}, under KVM ${kvm ? "done" : "#GP"}`);
}

export function play(
  mode: Mode,
  policy: string,
  c: Case,
  auditToo = true,
  hazards: Record<string, "guarded" | "as-it-was"> = {},
  pool?: number,
): TwoMachines {
  const m = make(mode, policy, c, hazards, "vmx", pool);
  // A run under D or A0 must be caught at once; the others are audited every few operations.
  const every = policy === "D" || policy === "A0" || Object.keys(hazards).length > 0 ? 1 : AUDIT_EVERY;
  c.ops.forEach((op, i) => {
    const look = i % every === every - 1 || i === c.ops.length - 1;
    apply(mode, m, op, auditToo && look);
  });
  return m;
}
