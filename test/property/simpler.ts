/**
 * How a failing case is made smaller: fewer operations first, then simpler ones and fewer entries. Every step leads to
 * something smaller, so that shrinking ends.
 */
import type { Case, Entry, Op } from "./cases.ts";

/** What most entries are: present, of all rights, accessed and dirty. */
const PLAIN = 0x67;

const bitsIn = (n: number): number => {
  let count = 0;
  for (let rest = n; rest !== 0; rest &= rest - 1) count++;
  return count;
};

/** Absent first, then a plain one, then one step towards that. */
export function* simplerEntry(e: Entry): Iterable<Entry> {
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
export function* simplerCase(c: Case): Iterable<Case> {
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
