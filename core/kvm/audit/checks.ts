/**
 * The audit: each invariant as a check without side effects. It peeks, allocates, and never sets A or D.
 * docs/kvm-shadow-mmu.md 8. Comparisons ignore A and D of sptes.
 */
import { FRAME_SHADOW } from "../../memory/host-memory.ts";
import {
  CR0_WP,
  INVALID_ROOT,
  PAE_ROOT_HPA,
  POOL_FRAME,
  PT_D,
  PT_P,
  PT_PS,
  PT_SHADOW_IO_MARK,
  PT_SHADOW_USER,
  PT_SHADOW_WRITABLE,
  PT_U,
  PT_W,
} from "../layout.ts";
import { type Mmu, UNSYNC_WORDS } from "../mmu.ts";
import { parentsOf } from "../shadow/parents.ts";
import { bucketOf } from "../shadow/pool.ts";
import { rmapOf, spteFrame } from "../shadow/rmap.ts";
import { ROLE_WP, roleGlevels, roleLevel, roleMetaphysical, roleQuadrant } from "../shadow/role.ts";
import { frame64, WALK_MANUAL, WALK_PEEK, walkGuest } from "../shadow/walk.ts";
import { Walker } from "../shadow/walker.ts";

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** hpa of the shadow page, and spte index. */
  readonly page?: number;
  readonly index?: number;
  readonly gva?: number;
}

const MOST = 100;

const hex = (value: number): string => `0x${(value < 0 ? value >>> 0 : value).toString(16)}`;

class Auditor {
  readonly mmu: Mmu;
  readonly violations: Violation[] = [];

  constructor(mmu: Mmu) {
    this.mmu = mmu;
  }

  say(invariant: string, message: string, where: Omit<Violation, "invariant" | "message"> = {}): void {
    if (this.violations.length < MOST) this.violations.push({ invariant, message, ...where });
  }

  name(page: number): string {
    const mmu = this.mmu;
    return `shadow page ${hex(mmu.hpaOf(page))} (gfn ${hex(mmu.gfn[page]!)}, role ${hex(mmu.role[page]!)})`;
  }

  *active(): Generator<number> {
    for (let page = 0; page < this.mmu.poolSize; page++) if (this.mmu.active[page] === 1) yield page;
  }

  // ---- I1, I2 ----

  rmap(): void {
    const mmu = this.mmu;
    const mapped = new Set<number>();
    for (const slot of mmu.slots.slots) {
      for (let hfn = slot.hfn; hfn < slot.hfn + slot.pages; hfn++) {
        if (mmu.rmap[hfn] === 0) continue;
        for (const ptr of rmapOf(mmu, hfn)) {
          const page = mmu.pageOf(ptr);
          const where = { page: ptr & ~0xfff, index: (ptr & 0xfff) >> 3 };
          const low = mmu.spteLow(ptr);
          if (mapped.has(ptr)) this.say("I1", `spte ${hex(ptr)} is in the rmap twice`, where);
          mapped.add(ptr);
          if (
            page < 0 ||
            page >= mmu.poolSize ||
            mmu.active[page] !== 1 ||
            roleLevel(mmu.role[page]!) !== 1
          ) {
            this.say(
              "I1",
              `rmap of frame ${hex(hfn)} names ${hex(ptr)}, which is no leaf of an active shadow page`,
              where,
            );
          } else if ((low & (PT_P | PT_W)) !== (PT_P | PT_W)) {
            this.say(
              "I1",
              `spte ${hex(ptr)} is in the rmap of frame ${hex(hfn)} but not present and writable`,
              where,
            );
          } else if (spteFrame(low) !== hfn) {
            this.say(
              "I1",
              `spte ${hex(ptr)} is in the rmap of frame ${hex(hfn)} but maps ${hex(spteFrame(low))}`,
              where,
            );
          }
        }
      }
    }
    for (const page of this.active()) {
      if (roleLevel(mmu.role[page]!) !== 1) continue;
      for (let index = 0; index < 512; index++) {
        const ptr = mmu.hpaOf(page) + index * 8;
        const low = mmu.spteLow(ptr);
        if ((low & (PT_P | PT_W)) === (PT_P | PT_W) && !mapped.has(ptr)) {
          this.say("I1", `writable spte ${index} of ${this.name(page)} is in no rmap`, {
            page: mmu.hpaOf(page),
            index,
          });
        }
      }
    }
  }

  writeProtection(): void {
    const mmu = this.mmu;
    for (const page of this.active()) {
      if (roleMetaphysical(mmu.role[page]!)) continue;
      // A leaf table that is out of sync may be written (9.3).
      if (mmu.unsync[page] === 1) continue;
      const hfn = mmu.slots.hfnOf(mmu.gfn[page]!);
      if (hfn >= 0 && mmu.rmap[hfn] !== 0) {
        const ptr = rmapOf(mmu, hfn)[0] ?? 0;
        this.say("I2", `the table of ${this.name(page)} is mapped writable by spte ${hex(ptr)}`, {
          page: ptr & ~0xfff,
          index: (ptr & 0xfff) >> 3,
        });
      }
    }
  }

  // ---- I3 ----

  mappings(): void {
    const mmu = this.mmu;
    if (mmu.rootHpa === INVALID_ROOT) return;
    const w = new Walker();
    for (let slot = 0; slot < 4; slot++) {
      const root = mmu.spteLow(PAE_ROOT_HPA + slot * 8);
      if ((root & PT_P) === 0) continue;
      for (let j = 0; j < 512; j++) {
        const link = mmu.spteLow((root & ~0xfff) + j * 8);
        if ((link & PT_P) === 0) continue;
        // Until it is synchronised, a page that is out of sync may be stale.
        if (mmu.unsync[mmu.pageOf(link & ~0xfff)] === 1) continue;
        for (let i = 0; i < 512; i++) {
          const ptr = (link & ~0xfff) + i * 8;
          const low = mmu.spteLow(ptr);
          if ((low & PT_P) === 0) continue;
          const gva = (slot << 30) | (j << 21) | (i << 12) | 0;
          const where = { page: link & ~0xfff, index: i, gva: gva >>> 0 };
          const ok = walkGuest(mmu, w, gva, 0, WALK_PEEK | WALK_MANUAL);
          const hfn = ok ? mmu.slots.hfnOf(w.frame) : -1;
          if (!ok)
            this.say(
              "I3",
              `gva ${hex(gva)} is mapped to frame ${hex(spteFrame(low))}, but the guest does not map it`,
              where,
            );
          else if (hfn !== spteFrame(low)) {
            this.say(
              "I3",
              `gva ${hex(gva)} is mapped to frame ${hex(spteFrame(low))}, but the guest maps it to gfn ${hex(w.frame)} (frame ${hfn < 0 ? "none" : hex(hfn)})`,
              where,
            );
          }
        }
      }
    }
  }

  // ---- I4 to I8 ----

  parents(): void {
    const mmu = this.mmu;
    const links = new Map<number, number>();
    for (const page of this.active()) {
      const level = roleLevel(mmu.role[page]!);
      if (level === 1) continue;
      for (let index = 0; index < 512; index++) {
        const ptr = mmu.hpaOf(page) + index * 8;
        const low = mmu.spteLow(ptr);
        if ((low & PT_P) === 0) continue;
        const where = { page: mmu.hpaOf(page), index };
        const child = mmu.pageOf(low & ~0xfff);
        if (child < 0 || child >= mmu.poolSize || mmu.active[child] !== 1) {
          this.say(
            "I4",
            `spte ${index} of ${this.name(page)} points at ${hex(low & ~0xfff)}, no active shadow page`,
            where,
          );
          continue;
        }
        if (roleLevel(mmu.role[child]!) !== level - 1) {
          this.say(
            "I4",
            `spte ${index} of ${this.name(page)} points at a page of level ${roleLevel(mmu.role[child]!)}`,
            where,
          );
        }
        links.set(ptr, child);
        if (!parentsOf(mmu, child).includes(ptr)) {
          this.say("I4", `${this.name(child)} does not know its parent spte ${hex(ptr)}`, where);
        }
      }
    }
    for (const page of this.active()) {
      for (const ptr of parentsOf(mmu, page)) {
        if (links.get(ptr) !== page) {
          this.say("I4", `${this.name(page)} names parent spte ${hex(ptr)}, which does not point at it`, {
            page: ptr & ~0xfff,
            index: (ptr & 0xfff) >> 3,
          });
        }
      }
    }
  }

  hash(): void {
    const mmu = this.mmu;
    const seen = new Map<number, number>();
    const keys = new Map<string, number>();
    for (let bucket = 0; bucket < mmu.poolSize; bucket++) {
      let steps = 0;
      for (let page = mmu.hashHead[bucket]!; page >= 0 && steps <= mmu.poolSize; page = mmu.hashNext[page]!) {
        steps++;
        if (mmu.active[page] !== 1)
          this.say("I5", `free page ${hex(mmu.hpaOf(page))} is in bucket ${bucket}`, {
            page: mmu.hpaOf(page),
          });
        if (bucketOf(mmu, mmu.gfn[page]!) !== bucket) {
          this.say("I5", `${this.name(page)} is in bucket ${bucket}`, { page: mmu.hpaOf(page) });
        }
        seen.set(page, (seen.get(page) ?? 0) + 1);
      }
      if (steps > mmu.poolSize) this.say("I5", `bucket ${bucket} never ends`);
    }
    for (const page of this.active()) {
      if (seen.get(page) !== 1)
        this.say("I5", `${this.name(page)} is in ${seen.get(page) ?? 0} buckets`, { page: mmu.hpaOf(page) });
      const key = `${mmu.gfn[page]}/${mmu.role[page]}`;
      if (keys.has(key))
        this.say("I5", `${this.name(page)} shares gfn and role with ${hex(mmu.hpaOf(keys.get(key)!))}`, {
          page: mmu.hpaOf(page),
        });
      keys.set(key, page);
    }
  }

  pool(): void {
    const mmu = this.mmu;
    let active = 0;
    for (const page of this.active()) {
      active++;
      if ((mmu.memory.flags[POOL_FRAME + page]! & FRAME_SHADOW) === 0)
        this.say("I6", `${this.name(page)} is not marked as a shadow frame`);
    }
    if (mmu.nFree + active !== mmu.poolSize) {
      this.say("I6", `${mmu.nFree} free and ${active} active pages are not ${mmu.poolSize}`);
    }
    let listed = 0;
    for (let page = mmu.freeHead; page >= 0 && listed <= mmu.poolSize; page = mmu.listNext[page]!) listed++;
    if (listed !== mmu.nFree)
      this.say("I6", `${listed} pages are on the free list, n_free says ${mmu.nFree}`);
    let onActive = 0;
    for (let page = mmu.activeHead; page >= 0 && onActive <= mmu.poolSize; page = mmu.listNext[page]!)
      onActive++;
    if (onActive !== active) this.say("I6", `${onActive} pages are on the active list, ${active} are active`);
    for (let page = 0; page < mmu.poolSize; page++) {
      if (mmu.active[page] === 1) continue;
      const at = (POOL_FRAME + page) << 10;
      for (let i = 0; i < 1024; i++) {
        if (mmu.memory.i32[at + i] !== 0) {
          this.say("I6", `free page ${hex(mmu.hpaOf(page))} is not empty`, {
            page: mmu.hpaOf(page),
            index: i >> 1,
          });
          break;
        }
      }
    }
  }

  roots(): void {
    const mmu = this.mmu;
    const used = new Int32Array(mmu.poolSize);
    if (mmu.rootHpa !== INVALID_ROOT) {
      for (let slot = 0; slot < 4; slot++) {
        const low = mmu.spteLow(PAE_ROOT_HPA + slot * 8);
        if ((low & PT_P) === 0) continue;
        const page = mmu.pageOf(low & ~0xfff);
        if (page < 0 || page >= mmu.poolSize || mmu.active[page] !== 1) {
          this.say("I7", `root slot ${slot} points at ${hex(low & ~0xfff)}, no active shadow page`);
        } else used[page]!++;
      }
    }
    for (const page of this.active()) {
      if (used[page] !== mmu.rootCount[page]) {
        this.say(
          "I7",
          `${this.name(page)} has root_count ${mmu.rootCount[page]}, ${used[page]} slots point at it`,
          { page: mmu.hpaOf(page) },
        );
      }
    }
  }

  childQuadrant(): void {
    const mmu = this.mmu;
    for (const page of this.active()) {
      const role = mmu.role[page]!;
      if (roleLevel(role) !== 2 || roleGlevels(role) > 2) continue;
      for (let index = 0; index < 512; index++) {
        const low = mmu.spteLow(mmu.hpaOf(page) + index * 8);
        const child = mmu.pageOf(low & ~0xfff);
        if ((low & PT_P) === 0 || child < 0 || child >= mmu.poolSize) continue;
        if (roleQuadrant(mmu.role[child]!) !== (index & 1)) {
          this.say(
            "I8",
            `spte ${index} of ${this.name(page)} points at quadrant ${roleQuadrant(mmu.role[child]!)}`,
            {
              page: mmu.hpaOf(page),
              index,
            },
          );
        }
      }
    }
  }

  // ---- I9 to I12 ----

  /** The guest's entry behind spte `index` of a page that shadows a table. Without memory: all ones. */
  entry(page: number, index: number): { low: number; high: number } {
    const mmu = this.mmu;
    const role = mmu.role[page]!;
    const gfn = mmu.gfn[page]!;
    const hfn = mmu.slots.hfnOf(gfn);
    if (hfn < 0) return { low: -1, high: -1 };
    const quadrant = roleQuadrant(role);
    if (roleGlevels(role) === 2) {
      const number = roleLevel(role) === 1 ? 512 * quadrant + index : 256 * quadrant + (index >> 1);
      return { low: mmu.memory.i32[(hfn << 10) + number]!, high: 0 };
    }
    const at = (hfn << 10) + index * 2;
    return { low: mmu.memory.i32[at]!, high: mmu.memory.i32[at + 1]! };
  }

  leaves(): void {
    const mmu = this.mmu;
    for (const page of this.active()) {
      const role = mmu.role[page]!;
      if (roleLevel(role) !== 1) continue;
      // Where CR0.WP is part of the key, the page's own counts.
      const wp0 =
        (mmu.policy.roles.key & ROLE_WP) === 0 ? (mmu.cpu.cr0 & CR0_WP) === 0 : (role & ROLE_WP) === 0;
      const nonpaging = roleGlevels(role) === 0;
      const large = roleMetaphysical(role) && !nonpaging;
      const above = nonpaging
        ? []
        : parentsOf(mmu, page).map((ptr) => this.entry(mmu.pageOf(ptr & ~0xfff), (ptr & 0xfff) >> 3));
      for (let index = 0; index < 512; index++) {
        const ptr = mmu.hpaOf(page) + index * 8;
        const low = mmu.spteLow(ptr);
        if (low === 0) continue;
        const high = mmu.spteHigh(ptr);
        const where = { page: mmu.hpaOf(page), index };
        const what = (): string => `spte ${index} of ${this.name(page)}`;
        if ((low & PT_SHADOW_IO_MARK) !== 0 && (low & PT_P) !== 0)
          this.say("I12", `${what()} is present with the MMIO mark`, where);
        if ((low & PT_P) === 0 || nonpaging) continue;
        const writable = (low & PT_W) !== 0;
        const trick = writable && (low & (mmu.policy.shadowBits ? PT_U | PT_SHADOW_WRITABLE : PT_U)) === 0;
        if (mmu.policy.shadowBits && writable && (low & PT_SHADOW_WRITABLE) === 0 && !trick)
          this.say("I10", `${what()} has W without bit 10`, where);
        if (mmu.policy.shadowBits && (low & PT_U) !== 0 && (low & PT_SHADOW_USER) === 0)
          this.say("I10", `${what()} has U without bit 11`, where);
        if (large) {
          for (const pde of above) {
            if ((pde.low & (PT_P | PT_PS)) === PT_P) {
              this.say(
                "I9",
                `${what()} is a piece of a large page, its guest entry ${hex(pde.low)} is a table`,
                where,
              );
              continue;
            }
            const offset = (roleQuadrant(role) * 512 + index) % (roleGlevels(role) === 2 ? 1024 : 512);
            const frame =
              roleGlevels(role) === 2
                ? (pde.low & 0xffc0_0000) >>> 12
                : frame64(pde.low & 0xffe0_0000, pde.high);
            const gfn = frame + offset + (roleGlevels(role) === 2 ? ((pde.low >> 13) & 15) * 0x10_0000 : 0);
            this.leaf(what(), where, low, high, pde.low, pde.high, gfn, -1, false, trick && wp0);
          }
          continue;
        }
        if (mmu.unsync[page] === 1) continue;
        const gpte = this.entry(page, index);
        const gfn = roleGlevels(role) === 2 ? gpte.low >>> 12 : frame64(gpte.low, gpte.high);
        let rights = -1;
        let nx = false;
        for (const pde of above) {
          rights &= pde.low;
          if (pde.high < 0) nx = true;
        }
        this.leaf(what(), where, low, high, gpte.low, gpte.high, gfn, rights, nx, trick && wp0);
      }
    }
  }

  /** I9 and I11 of one leaf against one guest entry. */
  leaf(
    what: string,
    where: { page: number; index: number },
    low: number,
    high: number,
    gpteLow: number,
    gpteHigh: number,
    gfn: number,
    rights: number,
    nx: boolean,
    trick: boolean,
  ): void {
    const entry = gpteHigh === 0 ? hex(gpteLow) : `${hex(gpteHigh)}:${hex(gpteLow)}`;
    if ((gpteLow & PT_P) === 0) {
      this.say("I9", `${what} is present, its guest entry ${entry} is not`, where);
      return;
    }
    const hfn = this.mmu.slots.hfnOf(gfn);
    if (hfn !== spteFrame(low)) {
      this.say(
        "I9",
        `${what} maps frame ${hex(spteFrame(low))}, its guest entry ${entry} frame ${hfn < 0 ? "none" : hex(hfn)}`,
        where,
      );
    }
    const allowed = gpteLow & rights;
    if ((low & PT_W) !== 0 && (allowed & PT_W) === 0 && !trick) {
      this.say("I9", `${what} is writable, the guest's entries (${entry}) are not`, where);
    }
    if ((low & PT_U) !== 0 && (allowed & PT_U) === 0) {
      this.say("I9", `${what} is the user's, the guest's entries (${entry}) are not`, where);
    }
    if ((gpteHigh < 0 || nx) && high >= 0) {
      this.say("I9", `${what} may be executed, the guest's entries (${entry}) forbid it`, where);
    }
    if ((low & PT_W) !== 0 && (gpteLow & PT_D) === 0) {
      this.say("I11", `${what} is writable, its guest entry ${entry} is clean`, where);
    }
  }

  // ---- I13 ----

  unsync(): void {
    const mmu = this.mmu;
    for (const page of this.active()) {
      const where = { page: mmu.hpaOf(page) };
      const role = mmu.role[page]!;
      if (mmu.unsync[page] === 1) {
        if (mmu.policy.unsync === null)
          this.say("I13", `${this.name(page)} is out of sync, which the policy does not know`, where);
        if (roleLevel(role) !== 1 || roleMetaphysical(role))
          this.say("I13", `${this.name(page)} is out of sync, but shadows no leaf table`, where);
        for (const ptr of parentsOf(mmu, page)) {
          const above = mmu.pageOf(ptr & ~0xfff);
          const index = (ptr & 0xfff) >> 3;
          if ((mmu.unsyncBits[above * UNSYNC_WORDS + (index >> 5)]! & (1 << (index & 31))) === 0) {
            this.say(
              "I13",
              `${this.name(page)} is out of sync, its parent spte ${hex(ptr)} is not marked`,
              where,
            );
          }
        }
      }
      let marks = 0;
      for (let word = 0; word < UNSYNC_WORDS; word++) {
        for (let bits = mmu.unsyncBits[page * UNSYNC_WORDS + word]!; bits !== 0; bits &= bits - 1) marks++;
      }
      if (marks !== mmu.unsyncChildren[page]) {
        this.say(
          "I13",
          `${this.name(page)} counts ${mmu.unsyncChildren[page]} unsync children, ${marks} are marked`,
          where,
        );
      }
    }
  }

  // ---- T1 ----

  tlb(): void {
    const mmu = this.mmu;
    for (const entry of mmu.cpu.paging.entries()) {
      const gva = entry.la;
      const root = mmu.rootHpa === INVALID_ROOT ? 0 : mmu.spteLow(PAE_ROOT_HPA + (gva >>> 30) * 8);
      const link = (root & PT_P) === 0 ? 0 : mmu.spteLow((root & ~0xfff) + ((gva >>> 21) & 511) * 8);
      const ptr = (link & ~0xfff) + ((gva >>> 12) & 511) * 8;
      const low = (link & PT_P) === 0 ? 0 : mmu.spteLow(ptr);
      const where = { page: ptr & ~0xfff, index: (ptr & 0xfff) >> 3, gva: gva >>> 0 };
      if ((low & PT_P) === 0) {
        this.say("T1", `the TLB translates ${hex(gva)}, the shadow does not`, where);
        continue;
      }
      const high = mmu.spteHigh(ptr);
      if (
        entry.pfn !== spteFrame(low) ||
        entry.write !== ((low & PT_W) !== 0) ||
        entry.user !== ((low & PT_U) !== 0) ||
        entry.nx !== high < 0
      ) {
        this.say(
          "T1",
          `the TLB's entry for ${hex(gva)} (frame ${hex(entry.pfn)}) differs from the spte ${hex(low)}`,
          where,
        );
      }
    }
  }
}

/** Names of what `audit` checks. T1 only where the TLB is flushed at exits. */
export function auditNames(svm: boolean): string[] {
  const names = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13"];
  return svm ? names : [...names, "T1"];
}

/** Checks every invariant. No side effects; at most 100 violations are told. */
export function audit(mmu: Mmu): { checked: string[]; violations: Violation[] } {
  const auditor = new Auditor(mmu);
  auditor.rmap();
  auditor.writeProtection();
  auditor.parents();
  auditor.hash();
  auditor.pool();
  auditor.roots();
  auditor.childQuadrant();
  auditor.leaves();
  auditor.unsync();
  // A link that leads nowhere (I4) has no leaves to walk to.
  if (!auditor.violations.some((v) => v.invariant === "I4")) auditor.mappings();
  if (!mmu.svm) auditor.tlb();
  return { checked: auditNames(mmu.svm), violations: auditor.violations };
}
