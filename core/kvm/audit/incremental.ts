/**
 * The audit at every boundary, at the cost of what was touched since the last one. A thing (an spte, a page, a frame, a
 * bucket) is quiet when what it depends on shows, close by, that nothing about it is violated; a quiet thing is looked
 * at again only when it, or something that it depends on, was touched. Whatever is not quiet is looked at each time,
 * by the same checks as the whole audit runs. So the violations found are those that the whole audit would find.
 */
import { CR0_WP, CR4_PSE, EFER_NXE, PAE_ROOT_HPA, PT_D, PT_P, PT_PS, PT_U, PT_W } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { parentsOf } from "../shadow/parents.ts";
import { bucketOf } from "../shadow/pool.ts";
import { roleGlevels, roleLevel, roleMetaphysical, roleQuadrant } from "../shadow/role.ts";
import { Above } from "./above.ts";
import { leafAgrees, linkAgrees, pieceOfKey, rootAgrees } from "./agree.ts";
import { auditTlb } from "./checks.ts";
import { checkBucket, checkHashed } from "./hash.ts";
import { checkLeaf, pieceGfn } from "./leaf.ts";
import { bucketIsQuiet, parentsAreQuiet, rmapIsQuiet, Seen } from "./lists.ts";
import { checkMapping, pageUnder } from "./mappings.ts";
import { KIND_FREE, KIND_LEAVES, KIND_LINKS, Mirror } from "./mirror.ts";
import { checkLink, checkParents } from "./parents.ts";
import { checkPool, checkPooled } from "./pool.ts";
import { childOf, holderOf } from "./reach.ts";
import { checkMapped, checkRmap, checkWriteProtection } from "./rmap.ts";
import { checkRootCount, checkSlot, rootSlot, slotsAt } from "./roots.ts";
import { checkTlbEntry } from "./tlb.ts";
import { NumberSet, Touched } from "./touched.ts";
import { checkUnsync } from "./unsync.ts";
import { NOTHING, Sink, type Violation } from "./violation.ts";

/** The processor's TLB as the audit reads it without allocating; see core/x86/paging/tlb.ts. */
export interface TlbPlaces {
  readonly places: number;
  placeAt(k: number): number;
  readonly tags: Int32Array;
  readonly pfns: Int32Array;
  readonly flags: Uint8Array;
}

/** Bits of a place's flags: TLB_W, TLB_U, TLB_NX. */
const PLACE_W = 1;
const PLACE_U = 2;
const PLACE_NX = 4;

/** Bits of `aboveWas` beside W, U and D of the entries above: none has NX; all of them name the page's key. */
const ABOVE_NO_NX = 1;
const ABOVE_KEY = 8;
const ABOVE_ALL = 0xff;

export class IncrementalAudit {
  readonly touched: Touched;
  /** True while a translation that the processor makes may not be what the shadow says: T1 wants every unit. */
  mustStep = false;
  private readonly mirror: Mirror;
  private readonly sink = new Sink();
  private readonly above = new Above();
  /** By page: what the entries above its leaves allowed when the leaves were last found quiet. */
  private readonly aboveWas: Uint8Array;
  private readonly pooled: NumberSet;
  private readonly seen: Seen;
  /** Roots at the last boundary: pool indices or -1. */
  private readonly roots = new Int32Array(4).fill(-1);
  /** CR0.WP, CR4.PSE, EFER.NXE at the last boundary. */
  private controls = -1;
  private cr3 = 0;
  /** The processor's PDPTE registers are not what pae_root says. */
  private staleRoots = false;

  // What is not quiet.
  private hot = false;
  private readonly hotSptes: number[] = [];
  private readonly hotFrames: number[] = [];
  private readonly hotParents: number[] = [];
  private readonly hotPooled: number[] = [];
  private readonly hotBuckets: number[] = [];
  private readonly hotMarks: number[] = [];
  private poolHot = false;
  private rootsHot = false;
  private tlbHot = false;
  private oddRoots = false;
  private oddLinks = false;
  private readonly oddPages: NumberSet;

  constructor(
    readonly mmu: Mmu,
    private readonly tlb: TlbPlaces | null,
  ) {
    const pages = mmu.active.length;
    this.touched = new Touched(pages, mmu.memory.frames);
    this.mirror = new Mirror(mmu, this.touched);
    this.aboveWas = new Uint8Array(pages).fill(ABOVE_ALL);
    this.pooled = new NumberSet(pages);
    this.oddPages = new NumberSet(pages);
    this.seen = new Seen(pages * 512);
    for (let page = 0; page < pages; page++) {
      this.touched.header(page);
      this.touched.bucket(page);
      if (mmu.active[page] !== 1) continue;
      for (let n = page << 9; n < (page + 1) << 9; n++) {
        if (mmu.spteLow(mmu.hpaOf(page) + (n & 511) * 8) !== 0) this.touched.sptes.add(n);
      }
    }
    for (let hfn = 0; hfn < mmu.rmap.length; hfn++) if (mmu.rmap[hfn] !== 0) this.touched.rmap(hfn);
    mmu.touched = this.touched;
  }

  /** The audit ends: nobody is told of anything any more. */
  release(): void {
    this.mmu.touched = null;
    this.mirror.release();
  }

  /** True once after frames became watched: translations made before may still write to them unseen. */
  takeMoreWatched(): boolean {
    const more = this.mirror.moreWatched;
    this.mirror.moreWatched = false;
    return more;
  }

  /** What is violated at this boundary: usually nothing. */
  look(): readonly Violation[] {
    const { mmu, sink, touched } = this;
    if (!touched.any && !this.hot) return NOTHING;
    sink.clear();
    this.above.page = -1;
    this.reheat();
    this.lookAtControls();
    for (let k = 0; k < touched.headers.count; k++) {
      const page = touched.headers.list[k]!;
      this.mirror.takeHeader(page);
      this.aboveWas[page] = ABOVE_ALL;
      this.pooled.add(page);
      touched.marks.add(page);
      this.touchParentSptes(page);
    }
    for (let i = 0; i < touched.storeWords; i += 3)
      this.touchEntries(touched.stores[i]!, touched.stores[i + 1]!, touched.stores[i + 2]!);
    this.oddLinks = false;
    let sptes = 0;
    let parents = 0;
    while (sptes < touched.sptes.count || parents < touched.parents.count) {
      for (; sptes < touched.sptes.count; sptes++) this.mirror.takeSpte(touched.sptes.list[sptes]!);
      for (; parents < touched.parents.count; parents++) this.lookAbove(touched.parents.list[parents]!);
    }
    for (let k = 0; k < touched.sptes.count; k++) this.lookAtSpte(touched.sptes.list[k]!);
    for (let k = 0; k < touched.parents.count; k++) this.lookAtParents(touched.parents.list[k]!);
    for (let k = 0; k < touched.frames.count; k++) this.lookAtFrame(touched.frames.list[k]!);
    for (let k = 0; k < touched.buckets.count; k++) this.lookAtBucket(touched.buckets.list[k]!);
    for (let k = 0; k < touched.marks.count; k++) this.lookAtMarks(touched.marks.list[k]!);
    for (let k = 0; k < this.pooled.count; k++) this.lookAtPooled(this.pooled.list[k]!);
    if (touched.pool || this.poolHot) {
      const before = sink.total;
      checkPool(mmu, sink);
      this.poolHot = sink.total !== before;
    }
    const { cr3 } = mmu.cpu;
    const rootsTouched = touched.roots || touched.headers.count > 0 || this.hot || cr3 !== this.cr3;
    if (rootsTouched) {
      this.cr3 = cr3;
      this.lookAtRoots();
    }
    this.lookAtMappings();
    const before = sink.total;
    this.lookAtTlb(rootsTouched);
    this.tlbHot = sink.total !== before;
    this.hot =
      this.poolHot ||
      this.rootsHot ||
      this.oddRoots ||
      this.tlbHot ||
      this.mustStep ||
      this.hotSptes.length +
        this.hotFrames.length +
        this.hotParents.length +
        this.hotPooled.length +
        this.hotBuckets.length +
        this.hotMarks.length >
        0;
    touched.clear();
    this.pooled.clear();
    this.oddPages.clear();
    return sink.sorted();
  }

  /** What was not quiet is looked at again. */
  private reheat(): void {
    if (!this.hot) return;
    const { touched } = this;
    for (const n of this.hotSptes) touched.sptes.add(n);
    for (const hfn of this.hotFrames) touched.frames.add(hfn);
    for (const page of this.hotParents) touched.parents.add(page);
    for (const page of this.hotPooled) this.pooled.add(page);
    for (const bucket of this.hotBuckets) touched.buckets.add(bucket);
    for (const page of this.hotMarks) touched.marks.add(page);
    this.hotMarks.length = 0;
    this.hotSptes.length = 0;
    this.hotFrames.length = 0;
    this.hotParents.length = 0;
    this.hotPooled.length = 0;
    this.hotBuckets.length = 0;
  }

  /** WP, PSE and NXE take part in what every entry means. */
  private lookAtControls(): void {
    const { cr0, cr4, efer } = this.mmu.cpu;
    const now = (cr0 & CR0_WP) | (cr4 & CR4_PSE) | (efer & EFER_NXE);
    if (now === this.controls) return;
    this.controls = now;
    for (let page = 0; page < this.aboveWas.length; page++) {
      if (this.mirror.kind[page] !== KIND_FREE) this.mirror.touchSptes(page);
    }
  }

  /** The links to a page depend on its key. */
  private touchParentSptes(page: number): void {
    if (this.mmu.active[page] !== 1) return;
    for (const ptr of parentsOf(this.mmu, page)) if (holderOf(this.mmu, ptr, 2) >= 0) this.touched.spte(ptr);
  }

  /** The sptes that guest entries in these bytes of a frame are behind. */
  private touchEntries(hfn: number, offset: number, size: number): void {
    if (this.mirror.tables[hfn] === 0) return;
    const { mirror, mmu, touched } = this;
    const gfn = mmu.slots.gfnOf(hfn);
    for (let page = mirror.firstOf(gfn); page >= 0; page = mirror.nextOf(page, gfn)) {
      const role = mmu.role[page]!;
      const base = page << 9;
      if (roleGlevels(role) !== 2) {
        for (let i = offset >> 3; i <= (offset + size - 1) >> 3; i++) this.touchEntry(base + i);
        continue;
      }
      const leaf = roleLevel(role) === 1;
      for (let i = offset >> 2; i <= (offset + size - 1) >> 2; i++) {
        if (leaf) {
          if (i >> 9 === roleQuadrant(role)) touched.sptes.add(base + (i & 511));
        } else if (i >> 8 === roleQuadrant(role)) {
          this.touchEntry(base + (i & 255) * 2);
          this.touchEntry(base + (i & 255) * 2 + 1);
        }
      }
    }
  }

  /** Spte `n` has another guest entry behind it: below a link, so have the leaves. */
  private touchEntry(n: number): void {
    this.touched.sptes.add(n);
    if (this.mirror.kind[n >> 9] !== KIND_LINKS) return;
    const low = this.mmu.spteLow(this.mmu.hpaOf(n >> 9) + (n & 511) * 8);
    const child = (low & PT_P) === 0 ? -1 : this.mmu.pageOf(low & ~0xfff);
    if (child >= 0 && child < this.aboveWas.length) this.touched.parents.add(child);
  }

  /** When the entries above a page allow less than they did, its leaves are looked at again. */
  private lookAbove(page: number): void {
    if (this.mirror.kind[page] !== KIND_LEAVES) return;
    const now = this.allowedAbove(page);
    if ((this.aboveWas[page]! & ~now) !== 0) this.mirror.touchSptes(page);
    this.aboveWas[page] = now;
  }

  private allowedAbove(page: number): number {
    const { above, mmu } = this;
    above.load(mmu, page);
    const role = mmu.role[page]!;
    const glevels = roleGlevels(role);
    if (glevels === 0) return ABOVE_ALL;
    if (!roleMetaphysical(role)) return (above.rights & (PT_W | PT_U)) | (above.nx ? 0 : ABOVE_NO_NX);
    let bits = (above.rights & (PT_W | PT_U | PT_D)) | (above.nx ? 0 : ABOVE_NO_NX) | ABOVE_KEY;
    const first = pieceOfKey(mmu, page, 0);
    for (let i = 0; i < above.count; i++) {
      const low = above.lows[i]!;
      const large = (low & (PT_P | PT_PS)) === (PT_P | PT_PS);
      if (!large || pieceGfn(glevels, low, above.highs[i]!, roleQuadrant(role) * 512) !== first)
        bits &= ~ABOVE_KEY;
    }
    return bits;
  }

  private lookAtSpte(n: number): void {
    const { mmu, sink } = this;
    const page = n >> 9;
    const kind = this.mirror.kind[page]!;
    const before = sink.total;
    if (kind === KIND_LEAVES) {
      if (this.above.page !== page) this.above.load(mmu, page);
      checkLeaf(mmu, sink, this.above, n & 511);
      if (sink.total === before && leafAgrees(mmu, page, n & 511)) return;
      this.hotSptes.push(n);
      this.oddPages.add(page);
    } else if (kind === KIND_LINKS) {
      checkLink(mmu, sink, page, n & 511);
      if (sink.total === before && linkAgrees(mmu, page, n & 511)) return;
      this.hotSptes.push(n);
      this.oddLinks = true;
    } else this.pooled.add(page);
  }

  private lookAtParents(page: number): void {
    const { mirror, mmu, sink } = this;
    if (mmu.unsync[page] === 1) this.touched.marks.add(page);
    if (parentsAreQuiet(mmu, this.seen, page, mirror.links[page]!)) return;
    this.hotParents.push(page);
    if (mmu.active[page] === 1) checkParents(mmu, sink, page);
    for (let n = 0; n < mirror.low.length; n++) {
      if (mirror.kind[n >> 9] !== KIND_LINKS || (mirror.low[n]! & PT_P) === 0) continue;
      if (mmu.pageOf(mirror.low[n]! & ~0xfff) === page) checkLink(mmu, sink, n >> 9, n & 511);
    }
  }

  private lookAtFrame(hfn: number): void {
    const { mirror, mmu, sink } = this;
    const mapped = mmu.rmap[hfn] !== 0;
    const whole = rmapIsQuiet(mmu, this.seen, hfn, mirror.writable[hfn]!);
    if (whole && !(mapped && mirror.tables[hfn]! > 0)) return;
    this.hotFrames.push(hfn);
    if (mapped && mirror.tables[hfn]! > 0) {
      const gfn = mmu.slots.gfnOf(hfn);
      for (let page = mirror.firstOf(gfn); page >= 0; page = mirror.nextOf(page, gfn))
        checkWriteProtection(mmu, sink, page);
    }
    if (whole) return;
    checkRmap(mmu, sink, hfn);
    for (let n = 0; n < mirror.low.length; n++) {
      if (mirror.kind[n >> 9] === KIND_LEAVES && mirror.low[n]! >>> 12 === hfn)
        checkMapped(mmu, sink, n >> 9, n & 511);
    }
  }

  private lookAtBucket(bucket: number): void {
    const { mirror, mmu, sink } = this;
    if (bucketIsQuiet(mmu, this.seen, bucket, mirror.members[bucket]!)) return;
    this.hotBuckets.push(bucket);
    checkBucket(mmu, sink, bucket);
    for (let page = 0; page < mmu.active.length; page++) {
      if (mmu.active[page] === 1 && bucketOf(mmu, mmu.gfn[page]!) === bucket) checkHashed(mmu, sink, page);
    }
  }

  /** I13 of a page, and of its children that are out of sync: their parents' marks changed. */
  private lookAtMarks(page: number): void {
    const { mirror, mmu, sink } = this;
    if (mmu.active[page] !== 1) return;
    const before = sink.total;
    checkUnsync(mmu, sink, page);
    if (mirror.kind[page] === KIND_LINKS) {
      for (let n = page << 9; n < (page + 1) << 9; n++) {
        const low = mirror.low[n]!;
        const child = (low & PT_P) === 0 ? -1 : childOf(mmu, low, 1);
        if (child >= 0 && mmu.unsync[child] === 1) checkUnsync(mmu, sink, child);
      }
    }
    if (sink.total !== before) this.hotMarks.push(page);
  }

  private lookAtPooled(page: number): void {
    const before = this.sink.total;
    checkPooled(this.mmu, this.sink, page);
    if (this.sink.total !== before) this.hotPooled.push(page);
  }

  private lookAtRoots(): void {
    const { mmu, roots, sink, touched } = this;
    this.oddRoots = false;
    let quiet = !this.rootsHot;
    for (let slot = 0; slot < 4; slot++) {
      if (!this.countIsQuiet(roots[slot]!)) quiet = false;
      const low = rootSlot(mmu, slot);
      const page = (low & PT_P) === 0 ? -1 : mmu.pageOf(low & ~0xfff);
      roots[slot] = page;
      if (!rootAgrees(mmu, slot)) this.oddRoots = true;
      if ((low & PT_P) !== 0 && (page < 0 || mmu.active[page] !== 1)) quiet = false;
      if (!this.countIsQuiet(page)) quiet = false;
    }
    for (let k = 0; k < touched.headers.count; k++)
      if (!this.countIsQuiet(touched.headers.list[k]!)) quiet = false;
    if (quiet) return;
    const before = sink.total;
    for (let slot = 0; slot < 4; slot++) checkSlot(mmu, sink, slot);
    for (let page = 0; page < mmu.active.length; page++)
      if (mmu.active[page] === 1) checkRootCount(mmu, sink, page);
    this.rootsHot = sink.total !== before;
  }

  private countIsQuiet(page: number): boolean {
    const { active, rootCount } = this.mmu;
    if (page < 0 || page >= active.length || active[page] !== 1) return true;
    return slotsAt(this.mmu, page) === rootCount[page];
  }

  /** I3 wherever a root, a link or a leaf does not agree with its guest entry. */
  private lookAtMappings(): void {
    if (!this.oddRoots && !this.oddLinks && this.oddPages.count === 0) return;
    const { mmu, sink } = this;
    for (let slot = 0; slot < 4; slot++) {
      const rootIsOdd = !rootAgrees(mmu, slot);
      for (let j = 0; j < 512; j++) {
        const page = pageUnder(mmu, slot, j);
        if (page < 0) continue;
        const root = this.roots[slot]!;
        if (!rootIsOdd && linkAgrees(mmu, root, j) && !this.oddPages.holds(page)) continue;
        for (let i = 0; i < 512; i++) checkMapping(mmu, sink, slot, j, page, i);
      }
    }
  }

  /**
   * T1. The processor fills its TLB from the shadow, so a new entry is right wherever its PDPTE registers are pae_root's
   * and all links give all rights; else every unit has to be looked at. An exit flushes: there is little to look at.
   */
  private lookAtTlb(rootsTouched: boolean): void {
    const { mmu, sink, tlb } = this;
    if (mmu.svm) {
      this.mustStep = false;
      return;
    }
    if (rootsTouched) this.staleRoots = this.registersDiffer();
    this.mustStep = this.staleRoots || this.oddLinks;
    if (tlb === null) {
      auditTlb(mmu, sink);
      return;
    }
    for (let k = 0; k < tlb.places; k++) {
      const place = tlb.placeAt(k);
      const tag = tlb.tags[place]!;
      if (tag === 0) continue;
      const flags = tlb.flags[place]!;
      const write = (flags & PLACE_W) !== 0;
      checkTlbEntry(
        mmu,
        sink,
        tag & ~0xfff,
        tlb.pfns[place]!,
        write,
        (flags & PLACE_U) !== 0,
        (flags & PLACE_NX) !== 0,
      );
    }
  }

  private registersDiffer(): boolean {
    const { mmu } = this;
    const { pdptes } = mmu.cpu.paging;
    for (let slot = 0; slot < 4; slot++) {
      const at = PAE_ROOT_HPA + slot * 8;
      if (pdptes[slot * 2]! !== mmu.spteLow(at) >>> 0) return true;
      if (pdptes[slot * 2 + 1]! !== mmu.spteHigh(at) >>> 0) return true;
    }
    return false;
  }
}
