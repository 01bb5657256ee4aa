/**
 * The shadow MMU's state as plain data, for snapshots: typed arrays, numbers, booleans. The bytes of the sptes and of
 * pae_root are host memory and travel with it; so do page versions and flags.
 */

import { CHAIN_WORDS, DESC_WORDS, type Mmu } from "./mmu.ts";
import type { HazardSetting } from "./policy/hazards.ts";

export interface KvmState {
  policy: string;
  tlb: "vmx" | "svm";
  hazards: Record<string, HazardSetting>;
  counters: Float64Array;
  /** Headers, one array a field. */
  gfn: Float64Array;
  role: Int32Array;
  active: Uint8Array;
  slotBitmap: Uint8Array;
  rootCount: Int32Array;
  multimapped: Uint8Array;
  parent: Int32Array;
  rights: Uint8Array;
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
] as const;

const ARRAYS = [
  "gfn",
  "role",
  "active",
  "slotBitmap",
  "rootCount",
  "multimapped",
  "parent",
  "rights",
  "hashHead",
  "hashNext",
  "listNext",
  "listPrev",
  "pdptes",
  "zappedGfn",
  "zappedRole",
] as const;

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
  return {
    policy: mmu.policy.id,
    tlb: mmu.svm ? "svm" : "vmx",
    hazards,
    counters: mmu.count.slice(),
    gfn: mmu.gfn.slice(),
    role: mmu.role.slice(),
    active: mmu.active.slice(),
    slotBitmap: mmu.slotBitmap.slice(),
    rootCount: mmu.rootCount.slice(),
    multimapped: mmu.multimapped.slice(),
    parent: mmu.parent.slice(),
    rights: mmu.rights.slice(),
    hashHead: mmu.hashHead.slice(),
    hashNext: mmu.hashNext.slice(),
    listNext: mmu.listNext.slice(),
    listPrev: mmu.listPrev.slice(),
    pdptes: mmu.pdptes.slice(),
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
    if (state[name].length !== mmu[name].length)
      throw new RangeError(`saved shadow MMU: ${name} has a wrong length`);
    mmu[name].set(state[name]);
  }
  if (state.counters.length > mmu.count.length || state.numbers.length !== NUMBERS.length) {
    throw new RangeError("saved shadow MMU: counters or numbers have a wrong length");
  }
  mmu.count.fill(0);
  mmu.count.set(state.counters);
  mmu.chains.fill(0, 0, mmu.chainTop * CHAIN_WORDS);
  mmu.descs.fill(0, 0, mmu.descTop * DESC_WORDS);
  mmu.chains.set(state.chains);
  mmu.descs.set(state.descs);
  NUMBERS.forEach((name, i) => {
    mmu[name] = state.numbers[i]!;
  });
  mmu.rmap.fill(0);
  for (let i = 0; i < state.rmap.length; i += 2) mmu.rmap[state.rmap[i]!] = state.rmap[i + 1]!;
  mmu.finding = null;
}
