/**
 * The policies: eras of KVM's answer to a write of a guest page table, each composed of named strategies.
 * docs/kvm-shadow-mmu.md 9. The rows are what the command line, the window and docs/policies.md say of them.
 */

import { referencePageFault } from "../shadow/fault.ts";
import { dropLeaf, dropUnsyncLeaf, syncUnsyncLeaf } from "../shadow/invlpg.ts";
import { laterPageFault } from "../shadow/later-fault.ts";
import { getPage } from "../shadow/page.ts";
import {
  ROLES_31,
  ROLES_2007,
  ROLES_2620,
  ROLES_2626,
  ROLES_2632,
  ROLES_MODERN,
} from "../shadow/role-layouts.ts";
import {
  getPageModern,
  getPageProtected,
  getPageSyncing,
  getPageTransient,
  protectAlways,
  protectUnlessOneRole,
  protectUpperOnly,
  zapUnsyncChildren,
} from "../shadow/sync.ts";
import { chooseAllQuadrants, chooseAsPageTable, chooseByQuadrant } from "../write/choice.ts";
import {
  crossesEntry,
  crossesEntryOrShort,
  crossesEntryOrShortButFirstByte,
  type Flood,
} from "../write/detectors.ts";
import { laterPteWrite } from "../write/later-pte-write.ts";
import { pteWrite } from "../write/pte-write.ts";
import { clearOnly, updateLeaf } from "../write/update.ts";
import { NESTED, POLICY_ROWS, type PolicyRow } from "./rows.ts";
import type { Policy, Strategies } from "./strategies.ts";

export type { Policy } from "./strategies.ts";

const FLOOD: Flood = { threshold: 3, resets: true, by: "vcpu", sparesAccessed: false, guestOnly: false };

/** What all policies of 2006 and 2007 share. */
const REFERENCE: Strategies = {
  pool: 256,
  roles: ROLES_2007,
  misaligned: crossesEntryOrShort,
  flood: FLOOD,
  choose: chooseByQuadrant,
  newPte: clearOnly,
  pteWrite,
  writes: "before",
  flush: "none",
  remoteFlush: false,
  pageFault: referencePageFault,
  getPage,
  unsync: null,
  needWriteProtect: protectAlways,
  beforeZap: () => {},
  dirtySet: () => {},
  invlpg: null,
  lazyRoots: false,
  rootsInvalid: false,
  reclaimSkipsRoots: false,
  mmioSptes: false,
  clearsUser: false,
  directWhole: false,
  checksReserved: false,
  syncChecksReserved: false,
  zapsEmptySynced: false,
  widens: null,
  updates: false,
  guesses: false,
  modern: false,
  shadowBits: true,
};

/** ~2.6.26: what every later policy starts from. */
const LATER: Strategies = {
  ...REFERENCE,
  pool: 1024,
  roles: ROLES_2626,
  flood: { ...FLOOD, sparesAccessed: true },
  pteWrite: laterPteWrite,
  writes: "after",
  flush: "selective",
  remoteFlush: true,
  pageFault: laterPageFault,
  getPage: getPageProtected,
  lazyRoots: true,
  rootsInvalid: true,
  updates: true,
  guesses: true,
  shadowBits: false,
  dirtySet: (mmu, w) => {
    // The walker tells pte_write of the D that it set (~2.6.25).
    const table = w.table[w.level - 1]!;
    const size = mmu.rootLevel === 3 ? 8 : 4;
    mmu.policy.pteWrite(mmu, table, w.offset, size, w.low, w.high, false);
  },
};

const UNSYNC_2632: Strategies = {
  ...LATER,
  roles: ROLES_2632,
  flood: { ...LATER.flood, guestOnly: true },
  dirtySet: () => {},
  getPage: getPageSyncing,
  unsync: "one role",
  needWriteProtect: protectUnlessOneRole,
  beforeZap: zapUnsyncChildren,
  invlpg: dropLeaf,
  checksReserved: true,
  zapsEmptySynced: true,
};

const UNSYNC_31: Strategies = {
  ...UNSYNC_2632,
  roles: ROLES_31,
  flush: "combined",
  getPage: getPageTransient,
  unsync: "all together",
  needWriteProtect: protectUpperOnly,
  invlpg: dropUnsyncLeaf,
  mmioSptes: true,
  clearsUser: true,
  directWhole: true,
  syncChecksReserved: true,
  zapsEmptySynced: false,
  widens: "bytes",
  guesses: false,
};

const STRATEGIES: Readonly<Record<string, Strategies>> = {
  A0: {
    ...REFERENCE,
    roles: ROLES_2620,
    misaligned: crossesEntry,
    flood: { ...FLOOD, resets: false },
    choose: chooseAsPageTable,
  },
  A: {
    ...REFERENCE,
    misaligned: crossesEntry,
    flood: { ...FLOOD, resets: false },
    choose: chooseAllQuadrants,
  },
  P: { ...REFERENCE, choose: chooseAllQuadrants },
  B: REFERENCE,
  C: { ...REFERENCE, newPte: updateLeaf },
  D: { ...REFERENCE, choose: chooseAllQuadrants, newPte: updateLeaf },
  E1: LATER,
  E2: UNSYNC_2632,
  E3: UNSYNC_31,
  F: {
    ...UNSYNC_31,
    roles: ROLES_MODERN,
    misaligned: crossesEntryOrShortButFirstByte,
    flood: { ...FLOOD, resets: false, by: "page", guestOnly: true },
    getPage: getPageModern,
    invlpg: syncUnsyncLeaf,
    reclaimSkipsRoots: true,
    widens: "entry",
    updates: false,
    modern: true,
  },
};

const of = (row: PolicyRow): Policy => {
  const strategies = STRATEGIES[row.id];
  if (strategies === undefined) throw new Error(`policy ${row.id} has no strategies`);
  return { ...row, ...strategies };
};

/** Policies that have a shadow, oldest first; `none` and `nested`, where the processor walks the guest's own tables, have no object. */
export const POLICIES: readonly Policy[] = POLICY_ROWS.filter(
  (row) => row.id !== "none" && row.id !== NESTED,
).map(of);

/** The policy with this id, or undefined. */
export const policyById = (id: string): Policy | undefined => POLICIES.find((p) => p.id === id);
