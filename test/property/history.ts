/**
 * What a processor with a TLB may do (SDM vol. 3, 4.10): an access may use any translation that was valid at some moment
 * since its address was last flushed, old upper entries with newer lower ones included, if it was accessed then (and, for
 * a write, dirty). What the guest's tables say now is always allowed. The oracle for shadows out of sync and for svm.
 *
 * It reads the bare machine's memory, which is brought in step after every operation, and keeps every word's past.
 */
import { type Access, type Answer, differenceIn, Frames, type TwoMachines } from "./two-machines.ts";

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const ACCESS_WRITE = 2;
const ACCESS_USER = 4;
const ACCESS_FETCH = 16;

/** An entry's value, and whether memory holds it still. */
interface Value {
  readonly low: number;
  readonly high: number;
  readonly now: boolean;
}

/** A way that an access may take. */
interface Way {
  /** Frame of guest memory. */
  readonly frame: number;
  /** Nothing of it is past. */
  readonly now: boolean;
}

/** No byte of a word is the access's. */
const NOTHING = { mask: 0, value: 0 };

export class History {
  private readonly m: TwoMachines;
  /** Memory before the operation in hand. */
  private readonly before: Int32Array;
  private readonly beforeFrames: Frames;
  /** Past values of a word, with the moment at which each was replaced. */
  private readonly past = new Map<number, { readonly until: number; readonly value: number }[]>();
  /** Accesses that only a translation of the past explains. */
  pastUsed = 0;
  private time = 0;
  private flushedAll = 0;
  private readonly flushed = new Map<number, number>();

  constructor(m: TwoMachines) {
    this.m = m;
    this.before = m.bareWords.slice();
    this.beforeFrames = new Frames(this.before);
  }

  /** The machines begin anew (`again`). */
  begin(): void {
    this.before.set(this.m.bareWords);
    this.past.clear();
    this.flushed.clear();
    this.pastUsed = 0;
    this.time = 0;
    this.flushedAll = 0;
  }

  flushAll(): void {
    this.flushedAll = this.time;
  }

  flushPage(la: number): void {
    this.flushed.set(la >>> 12, this.time);
  }

  /** Ends an operation: what memory holds under the hypervisor is what the guest has; words that changed get a past. */
  commit(): void {
    const { m, before } = this;
    const kvm = m.kvmWords;
    const bare = m.bareWords;
    const count = m.writtenFrames();
    for (let k = 0; k < count; k++) {
      const n = m.written[k]!;
      const first = differenceIn(this.beforeFrames, m.kvmFrames, n);
      for (let i = first; i >= 0 && i < (n + 1) << 10; i++) {
        if (kvm[i] === before[i]) continue;
        this.note(i, before[i]!);
        before[i] = kvm[i]!;
      }
      if (differenceIn(m.bareFrames, m.kvmFrames, n) < 0) continue;
      bare.set(kvm.subarray(n << 10, (n + 1) << 10), n << 10);
      m.bare.memory.touch(n);
    }
    this.time++;
  }

  /**
   * The walk of an access sets A, and D for a write, before the store (SDM vol. 3, 4.8): a store into an entry of its own
   * walk replaces an entry that was accessed, and dirty, for that moment, and is in the TLB as such (4.10.2).
   */
  private walked(a: Access): void {
    if ((a.access & ACCESS_WRITE) === 0) return;
    const [pde, pte] = this.path(a);
    const leaf = pte < 0 ? pde : pte;
    for (const word of pde === pte ? [pde] : [pde, pte]) {
      if (word < 0) continue;
      const value = this.before[word]! | A | (word === leaf ? D : 0);
      if (value !== this.before[word]!) this.note(word, value);
    }
  }

  /** Memory held this value until the end of the operation in hand. */
  private note(word: number, value: number): void {
    const list = this.past.get(word) ?? [];
    list.push({ until: this.time + 1, value });
    this.past.set(word, list);
  }

  /** Words that memory held at `word` at some moment since `since`, the present one first. */
  private words(word: number, since: number): { value: number; now: boolean }[] {
    const found = [{ value: this.before[word]!, now: true }];
    for (const { until, value } of this.past.get(word) ?? []) {
      if (until > since && !found.some((f) => f.value === value)) found.push({ value, now: false });
    }
    return found;
  }

  /** Values of an entry since `since`. Without memory: all ones, as on the bare machine. */
  private values(gfn: number, offset: number, wide: boolean, since: number): Value[] {
    const at = this.m.wordOf(gfn, offset);
    if (at < 0) return [{ low: -1, high: wide ? -1 : 0, now: true }];
    const lows = this.words(at, since);
    if (!wide) return lows.map(({ value, now }) => ({ low: value, high: 0, now }));
    const highs = this.words(at + 1, since);
    // Halves are stored apart: any pair may have been the entry for a moment.
    return lows.flatMap((l) => highs.map((h) => ({ low: l.value, high: h.value, now: l.now && h.now })));
  }

  /** All ways that the access may take without a fault. */
  private ways(a: Access): Way[] {
    const { m } = this;
    const { cr0, cr4, efer } = m.bare;
    if (cr0 >= 0) return [{ frame: a.la >>> 12, now: true }];
    const wide = (cr4 & 0x20) !== 0;
    const nxe = (efer & 0x800) !== 0;
    const since = Math.max(this.flushedAll, this.flushed.get(a.la >>> 12) ?? 0);
    const write = (a.access & ACCESS_WRITE) !== 0;
    const user = (a.access & ACCESS_USER) !== 0;
    const wp = (cr0 & 0x1_0000) !== 0;
    const found: Way[] = [];
    const frameOf = (v: Value): number => (wide ? ((v.high & 0xf) << 20) | (v.low >>> 12) : v.low >>> 12);
    const permits = (rights: number, nx: boolean): boolean =>
      (!user || (rights & U) !== 0) &&
      (!write || (rights & W) !== 0 || (!user && !wp)) &&
      !(nx && (a.access & ACCESS_FETCH) !== 0 && nxe && wide);
    const add = (frame: number, leaf: Value, now: boolean): void => {
      if (!now && write && (leaf.low & D) === 0) return;
      found.push({ frame, now });
    };
    let directory = m.bare.cr3 >>> 12;
    if (wide) {
      const slot = (a.la >>> 30) * 2;
      const low = m.bare.paging.pdptes[slot]!;
      if ((low & P) === 0) return [];
      directory = ((m.bare.paging.pdptes[slot + 1]! & 0xf) << 20) | (low >>> 12);
    }
    const atPde = wide ? ((a.la >>> 21) & 511) * 8 : (a.la >>> 22) * 4;
    for (const pde of this.values(directory, atPde, wide, since)) {
      if ((pde.low & P) === 0 || (!pde.now && (pde.low & A) === 0)) continue;
      const large = (pde.low & PS) !== 0 && (wide || (cr4 & 0x10) !== 0);
      if (large) {
        if (!permits(pde.low, pde.high < 0)) continue;
        const span = wide ? 511 : 1023;
        const top = wide ? 0 : ((pde.low >>> 13) & 15) << 20;
        add(top + ((frameOf(pde) & ~span) | ((a.la >>> 12) & span)), pde, pde.now);
        continue;
      }
      const atPte = wide ? ((a.la >>> 12) & 511) * 8 : ((a.la >>> 12) & 1023) * 4;
      for (const pte of this.values(frameOf(pde), atPte, wide, since)) {
        const now = pde.now && pte.now;
        if ((pte.low & P) === 0 || (!pte.now && (pte.low & A) === 0)) continue;
        if (permits(pde.low & pte.low, pde.high < 0 || pte.high < 0)) add(frameOf(pte), pte, now);
      }
    }
    return found;
  }

  /**
   * Judges an access that was made on both machines from the same memory; null: allowed.
   * @param bare what the bare machine, which has no TLB, answered
   */
  judge(a: Access, bare: Answer, kvm: Answer): string | null {
    const { m } = this;
    // The bare machine's walk is the present one; a fault sets no D, and stores nothing.
    if (bare.fault < 0) this.walked(a);
    const same =
      bare.fault === kvm.fault && bare.cr2 === kvm.cr2 && bare.low === kvm.low && bare.high === kvm.high;
    if (same && m.difference() === null) return null;
    const told = `bare ${JSON.stringify(bare)}, under KVM ${JSON.stringify(kvm)}`;
    if (kvm.fault >= 0)
      return `a fault that the tables do not give: ${told}, ${m.difference() ?? "memory equal"}`;
    const past = this.ways(a).filter((way) => !way.now);
    if (past.length === 0)
      return `no translation of the past allows it: ${told}, ${m.difference() ?? "memory equal"}`;
    const all = this.ways(a);
    if (all.some((way) => this.explains(way, a, kvm))) {
      this.pastUsed++;
      return null;
    }
    return `none of ${all.length} translations of the past and present explains it: ${told}`;
  }

  /** Whether memory and the answer are what the access over this way leaves, up to A and D on the present path. */
  private explains(way: Way, a: Access, kvm: Answer): boolean {
    const { m, before } = this;
    const words = m.kvmWords;
    const at = m.wordOf(way.frame, a.la & 0xffc);
    const write = (a.access & ACCESS_WRITE) !== 0;
    const from = a.la & 3;
    /** Bytes of the access in word k of it, as a mask, and its value there. */
    const part = (k: number): { mask: number; value: number } => {
      let mask = 0;
      let value = 0;
      for (let i = 0; i < a.size; i++) {
        if ((from + i) >> 2 !== k) continue;
        const shift = 8 * ((from + i) & 3);
        mask |= 0xff << shift;
        value |= (((i < 4 ? a.low : a.high) >>> (8 * (i & 3))) & 0xff) << shift;
      }
      return { mask, value };
    };
    const count = (from + a.size + 3) >> 2;
    const path = this.path(a);
    if (!write) {
      const bytes = (i: number): number =>
        at < 0 ? 0xff : (before[at + ((from + i) >> 2)]! >>> (8 * ((from + i) & 3))) & 0xff;
      const after = (i: number): number =>
        at < 0 ? 0xff : (words[at + ((from + i) >> 2)]! >>> (8 * ((from + i) & 3))) & 0xff;
      for (let i = 0; i < a.size; i++) {
        const got = ((i < 4 ? kvm.low : kvm.high) >>> (8 * (i & 3))) & 0xff;
        if (got !== bytes(i) && got !== after(i)) return false;
      }
    }
    // The frame that the access goes to is looked at even when nothing was stored: the store may be what is missing.
    const frames = new Set(m.written.subarray(0, m.writtenFrames()));
    if (at >= 0) frames.add(at >> 10);
    for (const n of frames) {
      for (let i = n << 10; i < (n + 1) << 10; i++) {
        const k = write && at >= 0 && i >= at && i < at + count ? i - at : -1;
        if (k < 0 && words[i] === before[i]) continue;
        const { mask, value } = k < 0 ? NOTHING : part(k);
        if ((words[i]! & mask) !== (value & mask)) return false;
        const changed = (words[i]! ^ before[i]!) & ~mask;
        // A and D are set, never cleared, and only by the walk of this access.
        if ((changed & ~(A | D)) !== 0 || (changed & ~words[i]!) !== 0) return false;
        if (changed !== 0 && !path.includes(i)) return false;
      }
    }
    return true;
  }

  /** Words of the present walk's entries: PDE and PTE, -1 where there is none. A large page's PTE is none that counts. */
  private path(a: Access): readonly [pde: number, pte: number] {
    const { m } = this;
    if (m.bare.cr0 >= 0) return [-1, -1];
    const wide = (m.bare.cr4 & 0x20) !== 0;
    let directory = m.bare.cr3 >>> 12;
    if (wide) {
      const slot = (a.la >>> 30) * 2;
      directory = ((m.bare.paging.pdptes[slot + 1]! & 0xf) << 20) | (m.bare.paging.pdptes[slot]! >>> 12);
    }
    const pde = m.wordOf(directory, wide ? ((a.la >>> 21) & 511) * 8 : (a.la >>> 22) * 4);
    if (pde < 0) return [-1, -1];
    const low = this.before[pde]!;
    if ((low & PS) !== 0 && (wide || (m.bare.cr4 & 0x10) !== 0)) return [pde, -1];
    const table = wide ? ((this.before[pde + 1]! & 0xf) << 20) | (low >>> 12) : low >>> 12;
    return [pde, m.wordOf(table, wide ? ((a.la >>> 12) & 511) * 8 : ((a.la >>> 12) & 1023) * 4)];
  }
}
