/**
 * The last pte_write of each guest page that ever had one: what it wrote, and what became of each shadow page of the
 * table. Looking alone reads it; it is kept whether the trace records or not, and is no part of a snapshot.
 */

import { EV_PTE_WRITE_PAGE } from "../../trace/events.ts";
import type { Mmu } from "../mmu.ts";

/** Guest pages remembered at most; beyond them the one remembered first is forgotten. */
const MOST = 4096;
/** Words of a page's row: hpa, role, verdict, quadrant, index, npte (EV_PTE_WRITE_PAGE). */
export const WRITE_PAGE_WORDS = 6;

/** One write; the next one to the same guest page overwrites it. */
export class WriteRecord {
  readonly gfn: number;
  /** Running number among all writes of this machine, from 1. */
  seq = 0;
  /** Retired units and jumps when it was made. */
  time = 0;
  /** Byte offset in the page, and width. */
  offset = 0;
  bytes = 0;
  /** The value, unsigned words. */
  low = 0;
  high = 0;
  /** Writes to this page in a row, and whether the flood detector took them for a flood (6.3). */
  count = 0;
  flooded = false;
  /** Shadow pages that the write met. */
  pages = 0;
  /** WRITE_PAGE_WORDS words for each of them. */
  rows = new Uint32Array(4 * WRITE_PAGE_WORDS);

  constructor(gfn: number) {
    this.gfn = gfn;
  }
}

export class LastWrites {
  /** The newest write of all, or null. */
  newest: WriteRecord | null = null;
  private seq = 0;
  private readonly byGfn = new Map<number, WriteRecord>();

  /** The last write to a guest page, or undefined. */
  of(gfn: number): WriteRecord | undefined {
    return this.byGfn.get(gfn);
  }

  /** A write begins. */
  begin(
    time: number,
    gfn: number,
    offset: number,
    bytes: number,
    low: number,
    high: number,
    count: number,
    flooded: boolean,
  ): void {
    const { newest } = this;
    const record = newest !== null && newest.gfn === gfn ? newest : (this.byGfn.get(gfn) ?? this.add(gfn));
    record.seq = ++this.seq;
    record.time = time;
    record.offset = offset;
    record.bytes = bytes;
    record.low = low >>> 0;
    record.high = high >>> 0;
    record.count = count;
    record.flooded = flooded;
    record.pages = 0;
    this.newest = record;
  }

  /** What became of a shadow page, for the write that began last. */
  page(hpa: number, role: number, verdict: number, quadrant: number, index: number, npte: number): void {
    const record = this.newest!;
    const at = record.pages++ * WRITE_PAGE_WORDS;
    if (at === record.rows.length) {
      const wider = new Uint32Array(2 * at);
      wider.set(record.rows);
      record.rows = wider;
    }
    const { rows } = record;
    rows[at] = hpa;
    rows[at + 1] = role;
    rows[at + 2] = verdict;
    rows[at + 3] = quadrant;
    rows[at + 4] = index;
    rows[at + 5] = npte;
  }

  private add(gfn: number): WriteRecord {
    if (this.byGfn.size === MOST) this.byGfn.delete(this.byGfn.keys().next().value!);
    const record = new WriteRecord(gfn);
    this.byGfn.set(gfn, record);
    return record;
  }
}

/** Says what a write did with one shadow page: to the trace, and to the record of the last writes. */
export function tell(
  mmu: Mmu,
  page: number,
  verdict: number,
  quadrant: number,
  index: number,
  npte: number,
): void {
  if (mmu.trace.on) {
    mmu.trace.emit(EV_PTE_WRITE_PAGE, mmu.hpaOf(page), mmu.role[page]!, verdict, quadrant, index, npte);
  }
  mmu.lastWrites.page(mmu.hpaOf(page), mmu.role[page]!, verdict, quadrant, index, npte);
}
