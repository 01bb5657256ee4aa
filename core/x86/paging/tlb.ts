/**
 * The translation lookaside buffer, split as silicon splits it: 1024 entries for data and 256 for instruction
 * fetches, both direct-mapped by the low bits of the linear page number (a new entry replaces the one in its place).
 * A large page is kept as the 4 KiB pieces that were used, each marked, so that INVLPG drops all of them.
 *
 * Beside the architectural entries stand four derived arrays (supervisor and user, read and write) that answer a
 * data access with one comparison. They are no state: dropping them at any time changes nothing but speed.
 */
import { FRAME_CODE, FRAME_WATCHED, type HostMemory } from "../../memory/host-memory.ts";
import type { TlbEntry } from "../door.ts";
import { WATCH_READ, type Watchpoints } from "../watchpoints.ts";

export const DTLB_ENTRIES = 1024;
export const ITLB_ENTRIES = 256;
export const TLB_ENTRIES = DTLB_ENTRIES + ITLB_ENTRIES;

export const TLB_W = 1;
export const TLB_U = 2;
export const TLB_NX = 4;
export const TLB_G = 8;
/** The leaf's D is set: a store needs no walk. */
export const TLB_D = 16;
/** Piece of a 2 MiB / of a 4 MiB page. */
export const TLB_2M = 32;
export const TLB_4M = 64;

/** Tag of an empty derived entry: never equal to an address masked for its page and its alignment. */
export const FAST_EMPTY = 4;
/** Words of a derived array: tag and addend for each data entry. */
export const FAST_WORDS = DTLB_ENTRIES * 2;

export interface TlbState {
  tags: Int32Array;
  pfns: Int32Array;
  flags: Uint8Array;
}

export class Tlb {
  private readonly memory: HostMemory;
  /** Linear page address | 1, or 0 when empty. Data entries first, then those for fetches. */
  readonly tags = new Int32Array(TLB_ENTRIES);
  readonly pfns = new Int32Array(TLB_ENTRIES);
  /** Host frame behind the pfn, or -1 where there is no memory. Derived from pfn and bus. */
  readonly hfns = new Int32Array(TLB_ENTRIES);
  readonly flags = new Uint8Array(TLB_ENTRIES);
  /** Entries marked large (so that INVLPG seldom has to look for pieces). Written here alone. */
  large = 0;
  /**
   * Places that were filled since the last flush, each once: a flush costs what the TLB holds, not what it could.
   * Under vmx every exit flushes, mostly a handful of entries.
   */
  private readonly used = new Uint16Array(TLB_ENTRIES);
  private usedCount = 0;
  private readonly isUsed = new Uint8Array(TLB_ENTRIES);

  /** Derived: [tag, addend] by data index; host byte = la + addend. */
  readonly readSupervisor = new Int32Array(FAST_WORDS).fill(FAST_EMPTY);
  readonly readUser = new Int32Array(FAST_WORDS).fill(FAST_EMPTY);
  readonly writeSupervisor = new Int32Array(FAST_WORDS).fill(FAST_EMPTY);
  readonly writeUser = new Int32Array(FAST_WORDS).fill(FAST_EMPTY);

  /** Changes whenever a fetch translation may have gone: what the run loop remembers of blocks is then looked up again. */
  fetchEpoch = 1;

  /** Pages that some accesses are not derived for, because somebody watches them; or null. Who sets it drops what is derived. */
  watchpoints: Watchpoints | null = null;

  constructor(memory: HostMemory) {
    this.memory = memory;
  }

  static dataIndex(la: number): number {
    return (la >>> 12) & (DTLB_ENTRIES - 1);
  }

  static fetchIndex(la: number): number {
    return DTLB_ENTRIES + ((la >>> 12) & (ITLB_ENTRIES - 1));
  }

  /** Puts an entry in its place, over whatever was there. */
  set(i: number, la: number, pfn: number, hfn: number, flags: number): void {
    this.drop(i);
    this.tags[i] = (la & ~0xfff) | 1;
    this.pfns[i] = pfn;
    this.hfns[i] = hfn;
    this.flags[i] = flags;
    this.note(i);
    if ((flags & (TLB_2M | TLB_4M)) !== 0) this.large++;
  }

  private note(i: number): void {
    if (this.isUsed[i] !== 0) return;
    this.isUsed[i] = 1;
    this.used[this.usedCount++] = i;
  }

  /** Empties one place. */
  drop(i: number): void {
    if (this.tags[i] === 0) return;
    if ((this.flags[i]! & (TLB_2M | TLB_4M)) !== 0) this.large--;
    this.tags[i] = 0;
    if (i < DTLB_ENTRIES) {
      const w = i * 2;
      this.readSupervisor[w] = FAST_EMPTY;
      this.readUser[w] = FAST_EMPTY;
      this.writeSupervisor[w] = FAST_EMPTY;
      this.writeUser[w] = FAST_EMPTY;
    } else {
      this.fetchEpoch++;
    }
  }

  /** Drops what is kept for the page of `la` itself: what a page fault does (SDM vol. 3, 4.10.4.1). */
  dropPage(la: number): void {
    const tag = (la & ~0xfff) | 1;
    const d = Tlb.dataIndex(la);
    if (this.tags[d] === tag) this.drop(d);
    const f = Tlb.fetchIndex(la);
    if (this.tags[f] === tag) this.drop(f);
  }

  /** INVLPG: the page of `la`, and every piece of a large page that holds it; global ones too. */
  invlpg(la: number): void {
    this.dropPage(la);
    if (this.large === 0) return;
    for (let i = 0; i < TLB_ENTRIES; i++) {
      const tag = this.tags[i]!;
      if (tag === 0) continue;
      const flags = this.flags[i]!;
      if ((flags & TLB_2M) !== 0 && ((tag ^ la) & 0xffe0_0000) === 0) this.drop(i);
      else if ((flags & TLB_4M) !== 0 && ((tag ^ la) & 0xffc0_0000) === 0) this.drop(i);
    }
  }

  flush(keepGlobal: boolean): void {
    if (keepGlobal) {
      for (let i = 0; i < TLB_ENTRIES; i++) {
        if ((this.flags[i]! & TLB_G) === 0) this.drop(i);
      }
    } else {
      for (let k = 0; k < this.usedCount; k++) {
        const i = this.used[k]!;
        this.tags[i] = 0;
        this.isUsed[i] = 0;
        if (i >= DTLB_ENTRIES) continue;
        const w = i * 2;
        this.readSupervisor[w] = FAST_EMPTY;
        this.readUser[w] = FAST_EMPTY;
        this.writeSupervisor[w] = FAST_EMPTY;
        this.writeUser[w] = FAST_EMPTY;
      }
      this.usedCount = 0;
      this.large = 0;
    }
    this.fetchEpoch++;
  }

  /** Forgets the derived read and write entries. */
  dropDerived(): void {
    for (let k = 0; k < this.usedCount; k++) {
      const w = this.used[k]! * 2;
      if (w >= FAST_WORDS) continue;
      this.readSupervisor[w] = FAST_EMPTY;
      this.readUser[w] = FAST_EMPTY;
    }
    this.dropDerivedWrites();
    this.fetchEpoch++;
  }

  /** Forgets the derived write entries: a new epoch has begun. */
  dropDerivedWrites(): void {
    for (let k = 0; k < this.usedCount; k++) {
      const w = this.used[k]! * 2;
      if (w >= FAST_WORDS) continue;
      this.writeSupervisor[w] = FAST_EMPTY;
      this.writeUser[w] = FAST_EMPTY;
    }
  }

  /** Forgets the derived write entries of one host frame: code was found in it. */
  dropDerivedWritesTo(hfn: number): void {
    for (let k = 0; k < this.usedCount; k++) {
      const i = this.used[k]!;
      if (i < DTLB_ENTRIES && this.hfns[i] === hfn) {
        this.writeSupervisor[i * 2] = FAST_EMPTY;
        this.writeUser[i * 2] = FAST_EMPTY;
      }
    }
  }

  /** Derives what data entry `i` allows at once. A write needs D, a frame without code, and the current epoch's stamp. */
  derive(i: number, wp: boolean): void {
    const hfn = this.hfns[i]!;
    if (hfn < 0) return;
    const flags = this.flags[i]!;
    const la = this.tags[i]! & ~0xfff;
    const addend = ((hfn << 12) - la) | 0;
    const w = i * 2;
    const barred = this.watchpoints === null ? 0 : this.watchpoints.bars(la);
    const user = (flags & TLB_U) !== 0;
    if ((barred & WATCH_READ) === 0) {
      this.readSupervisor[w] = la;
      this.readSupervisor[w + 1] = addend;
      if (user) {
        this.readUser[w] = la;
        this.readUser[w + 1] = addend;
      }
    }
    // A read for a write that follows takes the same entry as the write.
    if (barred !== 0) return;
    const memory = this.memory;
    if (
      (flags & TLB_D) === 0 ||
      (memory.flags[hfn]! & (FRAME_CODE | FRAME_WATCHED)) !== 0 ||
      memory.version[hfn] !== memory.epoch
    ) {
      return;
    }
    const writable = (flags & TLB_W) !== 0;
    if (writable || !wp) {
      this.writeSupervisor[w] = la;
      this.writeSupervisor[w + 1] = addend;
    }
    if (writable && user) {
      this.writeUser[w] = la;
      this.writeUser[w + 1] = addend;
    }
  }

  /** How many places may hold an entry (`placeAt`): all that do are among them. */
  get places(): number {
    return this.usedCount;
  }

  /** The k-th place that may hold an entry: index into `tags`, `pfns`, `flags`. */
  placeAt(k: number): number {
    return this.used[k]!;
  }

  /** The valid entries, data first, by index; a page that is in both is told twice. Allocates. */
  entries(): TlbEntry[] {
    const found: TlbEntry[] = [];
    for (let i = 0; i < TLB_ENTRIES; i++) {
      const tag = this.tags[i]!;
      if (tag === 0) continue;
      const flags = this.flags[i]!;
      found.push({
        la: tag & ~0xfff,
        size: 4096,
        pfn: this.pfns[i]!,
        write: (flags & TLB_W) !== 0,
        user: (flags & TLB_U) !== 0,
        nx: (flags & TLB_NX) !== 0,
        dirty: (flags & TLB_D) !== 0,
      });
    }
    return found;
  }

  save(): TlbState {
    return { tags: this.tags.slice(), pfns: this.pfns.slice(), flags: this.flags.slice() };
  }

  /** @param frameOf the bus that host frames are found on */
  load(state: TlbState, frameOf: (pfn: number) => number): void {
    this.flush(false);
    this.tags.set(state.tags);
    this.pfns.set(state.pfns);
    this.flags.set(state.flags);
    for (let i = 0; i < TLB_ENTRIES; i++) {
      if (this.tags[i] === 0) continue;
      this.note(i);
      this.hfns[i] = frameOf(this.pfns[i]!);
      if ((this.flags[i]! & (TLB_2M | TLB_4M)) !== 0) this.large++;
    }
    this.dropDerived();
  }
}
