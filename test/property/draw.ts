/**
 * The generators of the differential property tests: random page tables and random operations on them (cases.ts).
 *
 * A case is drawn from one seed by plain functions and is one fast-check arbitrary, not a tree of them: drawing costs a
 * fraction of playing, so that soaks of millions of operations are possible. Shrinking is by the field: fewer operations,
 * then simpler ones, then entries that are absent or plain.
 */
import fc from "fast-check";
import { random } from "../random.ts";
import {
  type Case,
  DIRECTORIES,
  type Entry,
  entriesOf,
  FRAMES,
  INDEX,
  isDirectory,
  type Mode,
  type Op,
  PAGE_TABLES,
  PS,
  pages,
  ROOTS,
  tablesOf,
} from "./cases.ts";

/** Draws of small whole numbers from a seed. */
export class Dice {
  private readonly next: () => number;

  constructor(seed: number) {
    // xorshift has no seed 0, and takes some steps to leave small ones.
    this.next = random(Math.imul(seed, 0x9e37_79b1) | 1);
    for (let i = 0; i < 4; i++) this.next();
  }

  /** A whole number from 0 to `n` - 1. */
  below(n: number): number {
    return (this.next() >>> 3) % n;
  }

  /** True one time in `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** Eight times in nine `usual`. */
  mostly<T>(usual: T, other: T): T {
    return this.oneIn(9) ? other : usual;
  }
}

/** An arbitrary of values drawn from a seed, made smaller by `simpler`, which must lead to an end. */
class Drawn<T> extends fc.Arbitrary<T> {
  private readonly draw: (dice: Dice) => T;
  private readonly simpler: (value: T) => Iterable<T>;

  constructor(draw: (dice: Dice) => T, simpler: (value: T) => Iterable<T>) {
    super();
    this.draw = draw;
    this.simpler = simpler;
  }

  override generate(mrng: fc.Random): fc.Value<T> {
    return new fc.Value(this.draw(new Dice(mrng.nextInt())), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is T {
    return typeof value === "object" && value !== null;
  }

  override shrink(value: T): fc.Stream<fc.Value<T>> {
    const { simpler } = this;
    function* values(): IterableIterator<fc.Value<T>> {
      for (const one of simpler(value)) yield new fc.Value(one, undefined);
    }
    return fc.stream(values());
  }
}

// ---- entries ----

function drawEntry(dice: Dice, mode: Mode, directory: boolean): Entry {
  return {
    // A directory's entries name page tables, a page table's anything.
    frame: dice.below(9) < 6 ? (directory ? dice.below(4) : 8 + dice.below(7)) : dice.below(FRAMES.length),
    flags:
      dice.mostly(1, 0) |
      dice.mostly(2, 0) |
      dice.mostly(4, 0) |
      (dice.below(4) << 5) |
      dice.mostly(0, PS) |
      dice.mostly(0, 0x100) |
      dice.mostly(0, 0x18),
    nx: mode === "pae" ? dice.mostly(false, true) : false,
  };
}

/** As `drawEntry`, some with a reserved bit. */
const drawHarsh = (dice: Dice, mode: Mode, directory: boolean): Entry => ({
  ...drawEntry(dice, mode, directory),
  reserved: dice.mostly(false, true),
});

/** What most entries are: present, of all rights, accessed and dirty. */
const PLAIN = 0x67;

const bitsIn = (n: number): number => {
  let count = 0;
  for (let rest = n; rest !== 0; rest &= rest - 1) count++;
  return count;
};

/** Absent first, then a plain one, then one step towards that. */
function* simplerEntry(e: Entry): Iterable<Entry> {
  if (e.flags === 0 && e.frame === 0 && !e.nx && e.reserved !== true) return;
  yield { frame: 0, flags: 0, nx: false };
  if (e.flags === 0) return;
  if (e.reserved === true || e.nx) yield { frame: e.frame, flags: e.flags, nx: false };
  if (e.reserved === true && e.nx) yield { frame: e.frame, flags: e.flags, nx: true };
  const off = e.flags ^ PLAIN;
  if (off !== 0) yield { ...e, flags: PLAIN };
  if (bitsIn(off) > 1) {
    for (let bit = 1; bit <= off; bit <<= 1) if ((off & bit) !== 0) yield { ...e, flags: e.flags ^ bit };
  }
  if (e.frame > 0) yield { ...e, frame: 0 };
  if (e.frame > 8) yield { ...e, frame: 8 };
}

export const entry = (mode: Mode, directory: boolean): fc.Arbitrary<Entry> =>
  new Drawn((dice) => drawEntry(dice, mode, directory), simplerEntry);

const drawEntries = (dice: Dice, mode: Mode, harsh: boolean, spaces = false): Entry[] => {
  const draw = harsh ? drawHarsh : drawEntry;
  const each = INDEX[mode].length;
  return Array.from({ length: entriesOf(mode, spaces) }, (_, n) =>
    draw(dice, mode, isDirectory(mode, Math.floor(n / each))),
  );
};

// ---- operations ----

const OFFSETS = [0, 0, 4, 8, 0x400, 0x800, 0x804, 0xffc, 0xffe, 0x801];
const ACCESSES = [0, 2, 2, 4, 6, 6, 16, 20];
const SIZES = [4, 4, 4, 1, 2, 8];

const someDirectory = (dice: Dice, mode: Mode, spaces: boolean): number => {
  const first = DIRECTORIES[mode].length;
  const further = tablesOf(mode, spaces).length - first - PAGE_TABLES.length;
  const n = dice.below(first + further);
  return n < first ? n : n + PAGE_TABLES.length;
};

const someTable = (dice: Dice, mode: Mode): number =>
  DIRECTORIES[mode].length + dice.below(PAGE_TABLES.length);

function drawEdit(dice: Dice, mode: Mode, directory: boolean, spaces: boolean): Op {
  return {
    op: "edit",
    table: directory ? someDirectory(dice, mode, spaces) : someTable(dice, mode),
    index: dice.pick(INDEX[mode]),
    entry: drawEntry(dice, mode, directory),
    wide: dice.mostly(true, false),
  };
}

/** Around an entry that is used, or over the end of the table. */
function drawBytes(dice: Dice, mode: Mode, spaces: boolean): Op {
  const directory = dice.oneIn(3);
  const near = dice.pick(INDEX[mode]) * (mode === "pae" ? 8 : 4) + dice.below(12) - 4;
  return {
    op: "bytes",
    table: directory ? someDirectory(dice, mode, spaces) : someTable(dice, mode),
    at: Math.min(Math.max(near, 0), 4095),
    size: dice.pick([1, 2, 4, 8] as const),
    entry: drawEntry(dice, mode, directory),
  };
}

const drawAccess = (dice: Dice, mode: Mode): Op => ({
  op: "access",
  page: dice.below(pages(mode).length),
  offset: dice.pick(OFFSETS),
  access: dice.pick(ACCESSES),
  size: dice.pick(SIZES),
  entry: drawEntry(dice, mode, false),
});

const CONTROLS = ["wp", "wp", "pse", "nxe", "cd"] as const;

function drawOperation(dice: Dice, mode: Mode, controls: boolean, spaces: boolean): Op {
  // Of 72: 24 accesses in 35 as weights, two odd-width edits, and in a guest of many address spaces many switches.
  const n = dice.below(spaces ? 88 : controls ? 72 : 70);
  if (n < 48) return drawAccess(dice, mode);
  if (n < 54) return drawEdit(dice, mode, true, spaces);
  if (n < 64) return drawEdit(dice, mode, false, spaces);
  if (n < 66) return { op: "cr3", root: dice.below(4) };
  if (n < 68) return { op: "invlpg", page: dice.below(pages(mode).length) };
  if (n < 70) return drawBytes(dice, mode, spaces);
  if (n < 72) return { op: dice.pick(CONTROLS) };
  return { op: "cr3", root: dice.below(ROOTS) };
}

/** What `drawOperation` does not do: upper halves, reserved bits, stores into PDPTs, other paging modes. */
function drawHarshOperation(dice: Dice, mode: Mode): Op {
  const n = dice.below(mode === "pae" ? 9 : 7);
  if (n === 6) return { op: dice.pick(["pg", "pae"] as const) };
  if (n > 6) {
    return {
      op: "pdpte",
      slot: dice.below(8),
      directory: dice.below(4),
      // Not present, present, with ignored bits 3 and 9, and with reserved ones.
      bits: dice.pick([0, 1, 1, 1, 0x209, 5, 0x21, 0x81]),
    };
  }
  const directory = dice.oneIn(2);
  return {
    op: "edit",
    table: directory ? someDirectory(dice, mode, false) : someTable(dice, mode),
    index: dice.pick(INDEX[mode]),
    entry: drawHarsh(dice, mode, directory),
    wide: dice.oneIn(2),
    upper: dice.oneIn(2),
  };
}

const WINDOW_OFFSETS = [0, 4, 0x7fc, 0x800];
const WINDOW_ACCESSES = [0, 2, 2, 4, 6, 16];
const WINDOW_CONTROLS = ["wp", "wp", "pse", "nxe"] as const;

/** Pages of which directory and table index are among the first three. */
const hotPages = (mode: Mode): number[] => {
  const all = INDEX[mode].length;
  return [...pages(mode).keys()].filter((i) => i % all < 3 && Math.floor(i / all) % all < 3);
};
const HOT: Readonly<Record<Mode, readonly number[]>> = { nonpae: hotPages("nonpae"), pae: hotPages("pae") };

function drawWindowOperation(dice: Dice, mode: Mode): Op {
  const n = dice.below(28);
  if (n < 8) {
    const directory = dice.below(10) < 2;
    return {
      op: "store",
      table: directory ? someDirectory(dice, mode, false) : someTable(dice, mode),
      index: dice.pick(INDEX[mode].slice(0, 3)),
      entry: drawEntry(dice, mode, directory),
      width: dice.oneIn(13) ? dice.pick([1, 2, 8] as const) : dice.mostly(mode === "pae" ? 8 : 4, 4),
      offset: dice.oneIn(11) ? dice.below(8) : 0,
    };
  }
  if (n < 24) {
    return {
      op: "access",
      page: dice.pick(HOT[mode]),
      offset: dice.pick(WINDOW_OFFSETS),
      access: dice.pick(WINDOW_ACCESSES),
      size: dice.pick([4, 4, 8]),
      entry: drawEntry(dice, mode, false),
    };
  }
  if (n < 26) return { op: "invlpg", page: dice.pick(HOT[mode]) };
  if (n < 27) return { op: "cr3", root: dice.below(2) };
  return { op: dice.pick(WINDOW_CONTROLS) };
}

/** Smaller fields, each less than it was; and the entry of the operation. */
function* simplerOp(op: Op): Iterable<Op> {
  switch (op.op) {
    case "edit":
      if (op.upper === true) yield { ...op, upper: false };
      if (!op.wide) yield { ...op, wide: true };
      break;
    case "store":
      if (op.offset > 0) yield { ...op, offset: 0 };
      if (op.width !== 4) yield { ...op, width: 4 };
      break;
    case "bytes":
      if (op.at > 0) yield { ...op, at: op.at & ~3 & (op.at - 1) };
      break;
    case "access":
      if (op.offset > 0) yield { ...op, offset: 0 };
      if (op.size !== 4) yield { ...op, size: 4 };
      if (op.access > 0) {
        for (let bit = 16; bit > 0; bit >>= 1)
          if ((op.access & bit) !== 0) yield { ...op, access: op.access & ~bit };
      }
      if (op.page > 0) yield { ...op, page: op.page >> 1 };
      if (op.page > 0) yield { ...op, page: op.page - 1 };
      break;
    case "cr3":
      if (op.root > 0) yield { op: "cr3", root: op.root - 1 };
      break;
    case "invlpg":
      if (op.page > 0) yield { op: "invlpg", page: op.page - 1 };
      break;
    case "pdpte":
      if (op.bits > 1) yield { ...op, bits: 1 };
      break;
  }
  if ("table" in op && op.table > 0) yield { ...op, table: op.table - 1 };
  if ("index" in op && op.index > 0) {
    yield { ...op, index: 0 };
    if (op.index > 1) yield { ...op, index: 1 };
  }
  if ("entry" in op) for (const e of simplerEntry(op.entry)) yield { ...op, entry: e };
}

/** Fewer operations, the most fewer first; then one operation or one entry simpler. */
function* simplerCase(c: Case): Iterable<Case> {
  const { ops, entries } = c;
  for (let size = ops.length >> 1; size >= 1; size >>= 1) {
    for (let from = ops.length - size; from >= 0; from -= size)
      yield { ...c, ops: [...ops.slice(0, from), ...ops.slice(from + size)] };
  }
  const plain = entries.map((): Entry => ({ frame: 0, flags: 0, nx: false }));
  for (let size = entries.length; size >= 2; size >>= 1) {
    for (let from = 0; from < entries.length; from += size) {
      if (entries.slice(from, from + size).every((e) => e.flags === 0 && e.frame === 0)) continue;
      const to = from + size;
      yield {
        ...c,
        entries: [...entries.slice(0, from), ...plain.slice(from, to), ...entries.slice(to)],
      };
    }
  }
  for (let i = 0; i < entries.length; i++)
    for (const e of simplerEntry(entries[i]!)) yield { ...c, entries: entries.with(i, e) };
  for (let i = 0; i < ops.length; i++)
    for (const op of simplerOp(ops[i]!)) yield { ...c, ops: ops.with(i, op) };
}

const cases = (
  most: number,
  entries: (dice: Dice) => readonly Entry[],
  op: (dice: Dice) => Op,
  spaces = false,
): fc.Arbitrary<Case> =>
  new Drawn((dice) => {
    const drawn = {
      entries: entries(dice),
      ops: Array.from({ length: 1 + dice.below(most) }, () => op(dice)),
    };
    return spaces ? { ...drawn, spaces } : drawn;
  }, simplerCase);

/** Random operations, with `controls` also on CR0, CR4 and EFER; up to `most` of them. */
export const scenario = (mode: Mode, controls: boolean, most: number): fc.Arbitrary<Case> =>
  cases(
    most,
    (dice) => drawEntries(dice, mode, false),
    (dice) => drawOperation(dice, mode, controls, false),
  );

/**
 * What a kernel does that edits its tables by itself: stores through windows into a few entries, accesses to the few
 * pages they translate, now and then a flush, another address space, or CR0.WP.
 */
export const windowScenario = (mode: Mode, most: number): fc.Arbitrary<Case> =>
  cases(
    most,
    (dice) => drawEntries(dice, mode, false),
    (dice) => drawWindowOperation(dice, mode),
  );

/** Scenarios with everything in them. */
export const harshScenario = (mode: Mode, most: number): fc.Arbitrary<Case> =>
  cases(
    most,
    (dice) => drawEntries(dice, mode, true),
    (dice) => (dice.oneIn(6) ? drawHarshOperation(dice, mode) : drawOperation(dice, mode, true, false)),
  );

/** A guest of fourteen address spaces, which it switches among all the time. */
export const spacesScenario = (mode: Mode, most: number): fc.Arbitrary<Case> =>
  cases(
    most,
    (dice) => drawEntries(dice, mode, false, true),
    (dice) => drawOperation(dice, mode, true, true),
    true,
  );

/** A kind of cases that every policy is tried with, and how many of it there are. */
export interface Kind {
  readonly name: string;
  readonly share: number;
  readonly of: (mode: Mode, most: number) => fc.Arbitrary<Case>;
}

export const KINDS: readonly Kind[] = [
  { name: "plain", share: 1, of: (mode, most) => scenario(mode, true, most) },
  { name: "harsh", share: 0.5, of: harshScenario },
  { name: "through windows", share: 1, of: windowScenario },
  { name: "many address spaces", share: 0.5, of: spacesScenario },
];
