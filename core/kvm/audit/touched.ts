/**
 * What changed since the last boundary that can change the truth of an invariant: the incremental audit looks at it and
 * at nothing else. Written by the few places that change the shadow's state (sptes, rmap, parents, hash, pool, roots)
 * and by whoever stores into guest frames that are shadowed. Nothing here allocates once the lists have grown.
 */
import { HYPERVISOR_FRAMES } from "../../memory/host-memory.ts";
import { PAE_ROOT_FRAME, POOL_FRAME } from "../layout.ts";

/** A set of whole numbers below a bound, in the order they came, emptied at the cost of what it holds. */
export class NumberSet {
  count = 0;
  readonly list: Int32Array;
  private readonly has: Uint8Array;

  constructor(bound: number) {
    this.list = new Int32Array(bound);
    this.has = new Uint8Array(bound);
  }

  add(n: number): void {
    if (this.has[n] !== 0) return;
    this.has[n] = 1;
    this.list[this.count++] = n;
  }

  holds(n: number): boolean {
    return this.has[n] === 1;
  }

  clear(): void {
    for (let k = 0; k < this.count; k++) this.has[this.list[k]!] = 0;
    this.count = 0;
  }
}

export class Touched {
  /** True when anything below was told of. */
  any = true;
  /** Sptes by number: 512 times the page's index in the pool, plus the index. */
  readonly sptes: NumberSet;
  /** Pages whose header changed (found a use, were freed, are out of sync), and pages whose parents did. */
  readonly headers: NumberSet;
  readonly parents: NumberSet;
  /** Host frames whose rmap changed. */
  readonly frames: NumberSet;
  readonly buckets: NumberSet;
  /** Pages whose marks of children that are out of sync changed. */
  readonly marks: NumberSet;
  /** The pool's lists; pae_root and its counts. */
  pool = true;
  roots = true;
  /** Stores into guest memory: triples of host frame, byte offset, bytes. */
  stores = new Int32Array(3 * 64);
  storeWords = 0;
  private readonly firstSpte = POOL_FRAME << 9;
  private readonly pages: number;

  /** @param pages of the pool @param frames of host memory */
  constructor(pages: number, frames: number) {
    this.pages = pages;
    this.sptes = new NumberSet(pages * 512);
    this.headers = new NumberSet(pages);
    this.parents = new NumberSet(pages);
    this.buckets = new NumberSet(pages);
    this.marks = new NumberSet(pages);
    this.frames = new NumberSet(frames);
  }

  /** The spte at `ptr` (its hpa) has a new value: of a shadow page, or of pae_root. */
  spte(ptr: number): void {
    this.any = true;
    const n = (ptr >>> 3) - this.firstSpte;
    if (n >= 0) this.sptes.add(n);
    else this.roots = true;
  }

  /** A page was taken, got a key, was freed, or changed its state in another way. */
  header(page: number): void {
    this.any = true;
    this.headers.add(page);
  }

  parentsOf(page: number): void {
    this.any = true;
    this.parents.add(page);
  }

  rmap(hfn: number): void {
    this.any = true;
    this.frames.add(hfn);
  }

  bucket(bucket: number): void {
    this.any = true;
    this.buckets.add(bucket);
  }

  unsyncMarks(page: number): void {
    this.any = true;
    this.marks.add(page);
  }

  lists(): void {
    this.any = true;
    this.pool = true;
  }

  /** `size` bytes of guest memory changed, within one frame. */
  store(hfn: number, offset: number, size: number): void {
    this.any = true;
    const at = this.storeWords;
    if (at === this.stores.length) this.moreStores();
    this.stores[at] = hfn;
    this.stores[at + 1] = offset;
    this.stores[at + 2] = size;
    this.storeWords = at + 3;
  }

  private moreStores(): void {
    const more = new Int32Array(this.stores.length * 2);
    more.set(this.stores);
    this.stores = more;
  }

  /** `size` bytes at a host-physical address changed, whatever lies there. */
  host(hpa: number, size: number): void {
    for (let at = hpa; at < hpa + size; ) {
      const frame = Math.floor(at / 4096);
      const end = Math.min(hpa + size, (frame + 1) * 4096);
      if (frame >= HYPERVISOR_FRAMES) this.store(frame, at % 4096, end - at);
      else if (frame >= POOL_FRAME && frame < POOL_FRAME + this.pages) {
        for (let ptr = at & ~7; ptr < end; ptr += 8) this.spte(ptr);
      } else if (frame === PAE_ROOT_FRAME) {
        this.any = true;
        this.roots = true;
      }
      at = end;
    }
  }

  clear(): void {
    this.any = false;
    this.sptes.clear();
    this.headers.clear();
    this.parents.clear();
    this.frames.clear();
    this.buckets.clear();
    this.marks.clear();
    this.storeWords = 0;
    this.pool = false;
    this.roots = false;
  }
}
