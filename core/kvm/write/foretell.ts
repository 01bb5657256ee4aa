/**
 * What the policy's pte_write would do with a write, asked beforehand: nothing is changed and nothing counted.
 * docs/kvm-shadow-mmu.md 6.2, 6.3, 9.2, 9.3, 11.
 */
import {
  VERDICT_FLOODED,
  VERDICT_MISALIGNED,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
  VERDICT_UNSYNC,
} from "../../trace/events.ts";
import { CR4_PAE } from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import { bucketOf } from "../shadow/pool.ts";
import { roleEntrySize, roleLevel, roleMetaphysical } from "../shadow/role.ts";
import type { Chosen } from "./choice.ts";
import { lastUpdatedAccessed } from "./detectors.ts";

export interface ForetoldWrite {
  readonly flooded: boolean;
  /** What the detector would have counted: writes to the gfn, or to its most written upper page. */
  readonly count: number;
  /** Pages in the order of the bucket. */
  readonly pages: readonly ForetoldPage[];
}

export interface ForetoldPage {
  readonly hpa: number;
  readonly role: number;
  /** VERDICT_…. */
  readonly verdict: number;
  readonly quadrant: number;
  readonly index: number;
  readonly npte: number;
}

export function foretellWrite(mmu: Mmu, gfn: number, offset: number, bytes: number): ForetoldWrite {
  const { policy } = mmu;
  const found: number[] = [];
  for (let page = mmu.hashHead[bucketOf(mmu, gfn)]!; page >= 0; page = mmu.hashNext[page]!) {
    if (mmu.gfn[page] === gfn && !roleMetaphysical(mmu.role[page]!)) found.push(page);
  }
  const wide = policy.widens !== null && bytes === 4 && (mmu.cpu.cr4 & CR4_PAE) !== 0;
  const at = wide && policy.widens === "entry" ? offset & ~7 : offset;
  const size = wide ? 8 : bytes;
  const byPage = policy.flood.by === "page";
  const again = mmu.lastPtWriteGfn === gfn && !(policy.flood.sparesAccessed && lastUpdatedAccessed(mmu));
  const count = byPage
    ? Math.max(1, ...found.map((page) => (roleLevel(mmu.role[page]!) > 1 ? mmu.writeFloods[page]! + 1 : 1)))
    : again
      ? mmu.lastPtWriteCount + 1
      : 1;
  const free = goesUnsync(mmu, found);
  const flooded = !free && count >= policy.flood.threshold && (byPage || again);
  const chosen: Chosen = { index: 0, npte: 1, quadrant: 0, skipped: false };
  const pages = found.map((page) => {
    const role = mmu.role[page]!;
    const base = { hpa: mmu.hpaOf(page), role, quadrant: 0, index: 0, npte: 0 };
    if (free) return { ...base, verdict: VERDICT_UNSYNC };
    if (policy.misaligned(at, size, roleEntrySize(role))) return { ...base, verdict: VERDICT_MISALIGNED };
    const full = byPage
      ? roleLevel(role) > 1 && mmu.writeFloods[page]! + 1 >= policy.flood.threshold
      : flooded;
    if (full) return { ...base, verdict: VERDICT_FLOODED };
    policy.choose(chosen, at, role);
    const { quadrant, index, npte, skipped } = chosen;
    return { ...base, verdict: skipped ? VERDICT_SKIPPED : VERDICT_TOUCHED, quadrant, index, npte };
  });
  return { flooded, count: free ? 1 : count, pages };
}

/** The table may be written without anybody being told: it is out of sync, or goes out of sync by the write. */
function goesUnsync(mmu: Mmu, pages: readonly number[]): boolean {
  if (mmu.policy.unsync === null || pages.length === 0) return false;
  if (pages.some((page) => roleLevel(mmu.role[page]!) !== 1)) return false;
  return mmu.policy.unsync === "all together" || pages.length === 1;
}
