/**
 * What the incremental audit remembers of the shadow as it was at the last boundary: sptes and headers, and counts over
 * them (writable leaves of each frame, links to each page, shadowed tables in each frame, members of each bucket). When
 * a list has as many right members as the count says, nothing that should be in it is missing.
 */
import { FRAME_WATCHED } from "../../memory/host-memory.ts";
import { PAE_ROOT_FRAME, POOL_FRAME, PT_P, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { bucketOf } from "../shadow/pool.ts";
import { spteFrame } from "../shadow/rmap.ts";
import { roleLevel } from "../shadow/role.ts";
import { isTable } from "./rmap.ts";
import type { Touched } from "./touched.ts";

export const KIND_FREE = 0;
export const KIND_LEAVES = 1;
export const KIND_LINKS = 2;

const INDEX = 256;

export class Mirror {
  /** Low words of all sptes, by number; A and D as they were. */
  readonly low: Int32Array;
  readonly kind: Uint8Array;
  /** Present and writable leaves that map each host frame. */
  readonly writable: Int32Array;
  /** Present links that point at each page. */
  readonly links: Int32Array;
  /** Active pages that shadow the table in each host frame. */
  readonly tables: Uint16Array;
  /** Active pages that belong in each bucket. */
  readonly members: Int32Array;
  /** True when a frame became watched since the flag was last taken down. */
  moreWatched = false;
  /** Sptes that are not 0, by page. */
  private readonly filled: Int32Array;
  private readonly gfn: Float64Array;
  private readonly bucket: Int32Array;
  private readonly table: Uint8Array;
  /** Pages that shadow tables, by gfn: heads and links, -1 ends. */
  private readonly first = new Int32Array(INDEX).fill(-1);
  private readonly next: Int32Array;

  constructor(
    private readonly mmu: Mmu,
    private readonly touched: Touched,
  ) {
    const pages = mmu.active.length;
    this.low = new Int32Array(pages * 512);
    this.kind = new Uint8Array(pages);
    this.links = new Int32Array(pages);
    this.members = new Int32Array(pages);
    this.filled = new Int32Array(pages);
    this.gfn = new Float64Array(pages);
    this.bucket = new Int32Array(pages).fill(-1);
    this.table = new Uint8Array(pages);
    this.next = new Int32Array(pages);
    this.writable = new Int32Array(mmu.memory.frames);
    this.tables = new Uint16Array(mmu.memory.frames);
    const { flags } = mmu.memory;
    for (let page = 0; page < pages; page++) flags[POOL_FRAME + page]! |= FRAME_WATCHED;
    flags[PAE_ROOT_FRAME]! |= FRAME_WATCHED;
    this.moreWatched = true;
  }

  /** Forgets which frames are watched: the audit ends. */
  release(): void {
    const { flags } = this.mmu.memory;
    for (let hfn = 0; hfn < flags.length; hfn++) flags[hfn]! &= ~FRAME_WATCHED;
  }

  /** The first page that shadows the table `gfn`, or -1; `nextOf` goes on. */
  firstOf(gfn: number): number {
    return this.find(this.first[gfn % INDEX]!, gfn);
  }

  nextOf(page: number, gfn: number): number {
    return this.find(this.next[page]!, gfn);
  }

  private find(from: number, gfn: number): number {
    let page = from;
    while (page >= 0 && this.gfn[page] !== gfn) page = this.next[page]!;
    return page;
  }

  /** Takes over the value of spte number `n`; the counts follow, and what depends on them is touched. */
  takeSpte(n: number): void {
    const now = this.mmu.memory.i32[(POOL_FRAME << 10) + n * 2]!;
    const old = this.low[n]!;
    if (now === old) return;
    this.low[n] = now;
    const page = n >> 9;
    if (old === 0) this.filled[page]!++;
    else if (now === 0) this.filled[page]!--;
    const kind = this.kind[page]!;
    this.count(kind, old, -1);
    this.count(kind, now, 1);
  }

  private count(kind: number, low: number, by: number): void {
    if ((low & PT_P) === 0) return;
    if (kind === KIND_LEAVES) {
      const frame = spteFrame(low);
      if ((low & PT_W) === 0 || frame >= this.writable.length) return;
      this.writable[frame]! += by;
      this.touched.frames.add(frame);
    } else if (kind === KIND_LINKS) {
      const child = this.mmu.pageOf(low & ~0xfff);
      if (child < 0 || child >= this.links.length) return;
      this.links[child]! += by;
      this.touched.parents.add(child);
    }
  }

  /** Touches every spte of the page that is not 0. */
  touchSptes(page: number): void {
    if (this.filled[page] === 0) return;
    for (let n = page << 9; n < (page + 1) << 9; n++) if (this.low[n] !== 0) this.touched.sptes.add(n);
  }

  /** Takes over a page's header: use, key, state. Whatever depends on it is touched. */
  takeHeader(page: number): void {
    const { mmu, touched } = this;
    this.recount(page, -1);
    if (this.bucket[page]! >= 0) {
      this.members[this.bucket[page]!]!--;
      touched.buckets.add(this.bucket[page]!);
      this.bucket[page] = -1;
    }
    if (this.table[page] === 1) this.dropTable(page);
    const gfn = mmu.gfn[page]!;
    this.gfn[page] = gfn;
    this.kind[page] = KIND_FREE;
    if (mmu.active[page] === 1) {
      this.kind[page] = roleLevel(mmu.role[page]!) === 1 ? KIND_LEAVES : KIND_LINKS;
      const bucket = bucketOf(mmu, gfn);
      this.bucket[page] = bucket;
      this.members[bucket]!++;
      touched.buckets.add(bucket);
      if (isTable(mmu, page)) this.addTable(page);
    }
    this.recount(page, 1);
    this.touchSptes(page);
    touched.parents.add(page);
  }

  private recount(page: number, by: number): void {
    if (this.filled[page] === 0) return;
    const kind = this.kind[page]!;
    for (let n = page << 9; n < (page + 1) << 9; n++)
      if (this.low[n] !== 0) this.count(kind, this.low[n]!, by);
  }

  private addTable(page: number): void {
    const gfn = this.gfn[page]!;
    this.table[page] = 1;
    this.next[page] = this.first[gfn % INDEX]!;
    this.first[gfn % INDEX] = page;
    const hfn = this.mmu.slots.hfnOf(gfn);
    if (hfn < 0) return;
    this.tables[hfn]!++;
    this.touched.frames.add(hfn);
    const { flags } = this.mmu.memory;
    if ((flags[hfn]! & FRAME_WATCHED) !== 0) return;
    flags[hfn]! |= FRAME_WATCHED;
    this.moreWatched = true;
  }

  private dropTable(page: number): void {
    const gfn = this.gfn[page]!;
    this.table[page] = 0;
    let at = this.first[gfn % INDEX]!;
    if (at === page) this.first[gfn % INDEX] = this.next[page]!;
    else {
      while (this.next[at] !== page) at = this.next[at]!;
      this.next[at] = this.next[page]!;
    }
    const hfn = this.mmu.slots.hfnOf(gfn);
    if (hfn < 0) return;
    this.touched.frames.add(hfn);
    if (--this.tables[hfn]! === 0) this.mmu.memory.flags[hfn]! &= ~FRAME_WATCHED;
  }
}
