/**
 * The shadow MMU's state as plain data, for snapshots: typed arrays, numbers, booleans. The bytes of the sptes and of
 * pae_root are host memory and travel with it; so do page versions and flags.
 */

import { CHAIN_WORDS, DESC_WORDS, type Mmu, UNSYNC_WORDS } from "./mmu.ts";
import type { HazardSetting } from "./policy/hazards.ts";

export interface KvmState {
  policy: string;
  tlb: "vmx" | "svm";
  hazards: Record<string, HazardSetting>;
  counters: Float64Array;
  /** Headers, one array a field: as many as the policy's pool has pages. */
  gfn: Float64Array;
  role: Int32Array;
  active: Uint8Array;
  slotBitmap: Uint8Array;
  rootCount: Int32Array;
  multimapped: Uint8Array;
  parent: Int32Array;
  rights: Uint8Array;
  /** Empty in snapshots of policies without unsync; so are the two that follow. */
  unsync: Uint8Array;
  unsyncChildren: Int32Array;
  unsyncBits: Int32Array;
  writeFloods: Int32Array;
  hashHead: Int32Array;
  hashNext: Int32Array;
  listNext: Int32Array;
  listPrev: Int32Array;
  pdptes: Uint32Array;
  zappedGfn: Float64Array;
  zappedRole: Int32Array;
  /** Chains and descriptors up to the highest one ever used. */
  chains: Int32Array;
  descs: Int32Array;
  /** Pairs of frame and private word, where it is not 0. */
  rmap: Int32Array;
  /** The numbers below, in the order of NUMBERS. */
  numbers: Float64Array;
}

const NUMBERS = [
  "activeHead",
  "activeTail",
  "freeHead",
  "nFree",
  "chainFree",
  "chainTop",
  "descFree",
  "descTop",
  "cachedChains",
  "cachedDescs",
  "rootHpa",
  "rootLevel",
  "lastPtWriteGfn",
  "lastPtWriteCount",
  "stuckRetired",
  "stuckIp",
  "stuckCount",
  "zappedCount",
  "mustEmulate",
  "lastPteUpdated",
  "lastPteGfn",
  "reload",
] as const;
/** How many of them a snapshot had before there were eras. */
const FIRST_NUMBERS = 19;

/** Arrays with one element a page of the pool, or several, and what an element is when nothing is said. */
const ARRAYS = [
  "gfn",
  "role",
  "active",
  "slotBitmap",
  "rootCount",
  "multimapped",
  "parent",
  "rights",
  "unsync",
  "unsyncChildren",
  "unsyncBits",
  "writeFloods",
  "hashHead",
  "hashNext",
  "listNext",
  "listPrev",
  "pdptes",
  "zappedGfn",
  "zappedRole",
] as const;
const NONE: ReadonlySet<string> = new Set(["hashHead", "hashNext", "listNext", "listPrev"]);

export function saveMmu(mmu: Mmu, hazards: Record<string, HazardSetting>): KvmState {
  let used = 0;
  for (const word of mmu.rmap) if (word !== 0) used++;
  const rmap = new Int32Array(used * 2);
  let at = 0;
  for (let frame = 0; frame < mmu.rmap.length; frame++) {
    if (mmu.rmap[frame] === 0) continue;
    rmap[at++] = frame;
    rmap[at++] = mmu.rmap[frame]!;
  }
  const pages = mmu.poolSize;
  const marks = mmu.policy.unsync === null ? 0 : pages;
  return {
    policy: mmu.policy.id,
    tlb: mmu.svm ? "svm" : "vmx",
    hazards,
    counters: mmu.count.slice(),
    gfn: mmu.gfn.slice(0, pages),
    role: mmu.role.slice(0, pages),
    active: mmu.active.slice(0, pages),
    slotBitmap: mmu.slotBitmap.slice(0, pages),
    rootCount: mmu.rootCount.slice(0, pages),
    multimapped: mmu.multimapped.slice(0, pages),
    parent: mmu.parent.slice(0, pages),
    rights: mmu.rights.slice(0, pages),
    hashHead: mmu.hashHead.slice(0, pages),
    hashNext: mmu.hashNext.slice(0, pages),
    listNext: mmu.listNext.slice(0, pages),
    listPrev: mmu.listPrev.slice(0, pages),
    pdptes: mmu.pdptes.slice(),
    unsync: mmu.unsync.slice(0, marks),
    unsyncChildren: mmu.unsyncChildren.slice(0, marks),
    unsyncBits: mmu.unsyncBits.slice(0, marks * UNSYNC_WORDS),
    writeFloods: mmu.writeFloods.slice(0, pages),
    zappedGfn: mmu.zappedGfn.slice(),
    zappedRole: mmu.zappedRole.slice(),
    chains: mmu.chains.slice(0, mmu.chainTop * CHAIN_WORDS),
    descs: mmu.descs.slice(0, mmu.descTop * DESC_WORDS),
    rmap,
    numbers: Float64Array.from(NUMBERS, (name) => mmu[name]),
  };
}

/** Loads everything but policy, TLB kind and hazards. @throws RangeError when an array has the wrong length */
export function loadMmu(mmu: Mmu, state: KvmState): void {
  for (const name of ARRAYS) {
    // Snapshots made before there were eras lack some.
    const saved = (state as Partial<KvmState>)[name] ?? [];
    if (saved.length > mmu[name].length) throw new RangeError(`saved shadow MMU: ${name} has a wrong length`);
    mmu[name].fill(NONE.has(name) ? -1 : 0);
    mmu[name].set(saved);
  }
  if (
    state.counters.length > mmu.count.length ||
    state.numbers.length < FIRST_NUMBERS ||
    state.numbers.length > NUMBERS.length
  ) {
    throw new RangeError("saved shadow MMU: counters or numbers have a wrong length");
  }
  mmu.count.fill(0);
  mmu.count.set(state.counters);
  mmu.chains.fill(0, 0, mmu.chainTop * CHAIN_WORDS);
  mmu.descs.fill(0, 0, mmu.descTop * DESC_WORDS);
  mmu.growChains(Math.ceil(state.chains.length / CHAIN_WORDS));
  mmu.growDescs(Math.ceil(state.descs.length / DESC_WORDS));
  mmu.chains.set(state.chains);
  mmu.descs.set(state.descs);
  NUMBERS.forEach((name, i) => {
    mmu[name] = state.numbers[i] ?? 0;
  });
  mmu.rmap.fill(0);
  for (let i = 0; i < state.rmap.length; i += 2) mmu.rmap[state.rmap[i]!] = state.rmap[i + 1]!;
  mmu.finding = null;
}
