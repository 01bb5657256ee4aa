/** What a policy is composed of: one named strategy or fact for each thing that changed between the eras. */

import type { Mmu } from "../mmu.ts";
import type { PageFault } from "../shadow/fault.ts";
import type { Invlpg } from "../shadow/invlpg.ts";
import type { RoleLayout } from "../shadow/role-layouts.ts";
import type { Walker } from "../shadow/walker.ts";
import type { Choice } from "../write/choice.ts";
import type { Flood, Misaligned } from "../write/detectors.ts";
import type { PteWrite } from "../write/pte-write.ts";
import type { NewPte } from "../write/update.ts";
import type { PolicyRow } from "./rows.ts";

export interface Strategies {
  /** Shadow pages of the pool, and hash buckets (4.1, 9.1). */
  readonly pool: number;
  /** What is part of a page's key, and the version's role word (3.2, 9.4). */
  readonly roles: RoleLayout;
  /** (b) Writes that cannot be a page table entry's: every shadow page of the gfn is zapped. */
  readonly misaligned: Misaligned;
  /** (b) The flood detector (6.3, 9.1, 11). */
  readonly flood: Flood;
  /** (c) Which sptes of a shadow page a write touches. */
  readonly choose: Choice;
  /** (d) What happens behind the clearing of an spte, up to 0028425f. */
  readonly newPte: NewPte;
  readonly pteWrite: PteWrite;
  /** Whether pte_write is called before or after the bytes change (6.1). */
  readonly writes: "before" | "after";
  /** (e) Flushes of pte_write: none of its own, one a changed spte, or one for the whole write (6.6, 11). */
  readonly flush: "none" | "selective" | "combined";
  /** Zapping pages and taking rights away is told to all processors (9.1, d9e368d6). */
  readonly remoteFlush: boolean;
  readonly pageFault: PageFault;
  /** kvm_mmu_get_page: looks a page up or makes it; -1 when the pool is empty. `parent`: hpa of the spte, 0 for a root. */
  readonly getPage: (mmu: Mmu, gfn: number, role: number, parent: number) => number;
  /** (a) Which leaf tables may go out of sync (9.3); null: all tables are write-protected. */
  readonly unsync: "one role" | "all together" | null;
  /** (a) Whether a leaf that maps gfn must stay read-only because of a shadowed table; may put that out of sync. */
  readonly needWriteProtect: (mmu: Mmu, gfn: number, flags: number) => boolean;
  readonly beforeZap: (mmu: Mmu, page: number) => void;
  /** After the walker of a page fault set D in a guest entry. */
  readonly dirtySet: (mmu: Mmu, w: Walker) => void;
  /** INVLPG's part in the shadow; null: it does not exit (5.9). */
  readonly invlpg: Invlpg | null;
  /** Roots are built before the next entry (17c3ba9d, 5.9). */
  readonly lazyRoots: boolean;
  /** A zapped root is marked invalid, and roots are made anew; else it stays in use, empty (4.8, 9.3). */
  readonly rootsInvalid: boolean;
  /** Reclaim passes over the pages of active roots (11). */
  readonly reclaimSkipsRoots: boolean;
  /** Addresses without memory are remembered in sptes (10.3: mark_mmio_spte). 2007 has its own way (2.6). */
  readonly mmioSptes: boolean;
  /** A supervisor's write with CR0.WP=0 takes the page from the user. */
  readonly clearsUser: boolean;
  /** The shadow of a guest's large page has all of its rights in the key. */
  readonly directWhole: boolean;
  /** The walk, and then update_pte and sync_page, look at reserved bits. */
  readonly checksReserved: boolean;
  readonly syncChecksReserved: boolean;
  /** A page that has no leaf left when it is synchronised is zapped (2.6.32). */
  readonly zapsEmptySynced: boolean;
  /** A 4-byte write of a PAE guest counts as 8 bytes: from where it is (3.1), or from the entry's start (today). */
  readonly widens: "bytes" | "entry" | null;
  /** Leaves are made anew from memory by pte_write (2.6.26 to 3.1). */
  readonly updates: boolean;
  /** The frame is looked up beforehand, from the value written, and must match (2.6.26, 2.6.32). */
  readonly guesses: boolean;
  /** The counters and events of today. */
  readonly modern: boolean;
  /** Bits 10 and 11 of a leaf hold what the guest allows (2.4). */
  readonly shadowBits: boolean;
}

export interface Policy extends PolicyRow, Strategies {}
