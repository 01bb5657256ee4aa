/**
 * What the policies are, in words: the one table that `quadrant list`, the window and docs/policies.md read. Pure data.
 * docs/kvm-shadow-mmu.md 9.1, 9.2.
 */

export interface PolicyRow {
  readonly id: string;
  readonly title: string;
  /** Version and time. */
  readonly era: string;
  /** The commit that the policy is named after, or "". */
  readonly commit: string;
  /** Sections of docs/kvm-shadow-mmu.md. */
  readonly section: string;
  readonly source: string;
  /** What it changes against the row before it. */
  readonly changes: string;
  readonly help: string;
}

type Row = Omit<PolicyRow, "source">;

/** The id of nested paging, which has host tables in place of a shadow. */
export const NESTED = "nested";

const rows: readonly Row[] = [
  {
    id: "none",
    title: "No virtualisation",
    era: "bare machine",
    commit: "",
    section: "",
    changes: "Nothing between the guest and the processor.",
    help: "No hypervisor: the processor walks the guest's own tables. The yardstick for every policy.",
  },
  {
    id: "A0",
    title: "2.6.20: the wrong directory entry",
    era: "2.6.20, 2007-02",
    commit: "cea0f0e7ea54",
    section: "9.1, 9.2 row A0",
    changes:
      "The first shadow with a cache. Write detectors: crossing entries, and the third write in a row, which nothing ever resets. Every quadrant is cleared. A directory entry of a non-PAE guest is found by a page table's formula.",
    help: "As released: a write to a page directory of a non-PAE guest clears one spte, mostly the wrong one, in all four quadrants. What stays maps the old page table: guest memory is corrupted, and no guard repairs that.",
  },
  {
    id: "A",
    title: "2.6.21: two directory sptes, all quadrants",
    era: "2.6.21 and 2.6.22, 2007",
    commit: "ac1b714e78c8",
    section: "9.1, 9.2 row A",
    changes:
      "A directory entry of a non-PAE guest is doubled twice and clears two sptes; its offset is rounded first. Rights of a large page are part of its shadow's key.",
    help: "The pre-patch kernels: right, but the entry of the same index is cleared in every quadrant, and three writes in a row zap, whatever happens between them.",
  },
  {
    id: "P",
    title: "Parent: all quadrants",
    era: "09072daf, 2007-05-01",
    commit: "09072daf37ab",
    section: "9.2 row A with the detectors of the parent commit",
    changes: "Writes of fewer than four bytes zap. Ordinary page faults reset the flood detector.",
    help: "The exact parent of the commit: a write to a table of a non-PAE guest clears the entry of the same index in every quadrant.",
  },
  {
    id: "B",
    title: "The commit: respect the quadrant",
    era: "fce0657f, 2007-05-01",
    commit: "fce0657ff9f1",
    section: "6.2, 9.2 row B",
    changes: "Shadow pages of another quadrant than the written entry's are passed over.",
    help: "KVM: MMU: Respect nonpae pagetable quadrant when zapping ptes. Only the quadrant that holds the written entry is touched.",
  },
  {
    id: "C",
    title: "Update in place",
    era: "0028425f, 2007-05-01",
    commit: "0028425f647b",
    section: "6.6, 9.2 row C",
    changes: "Behind the clearing, a leaf is made from the written value.",
    help: "Nine minutes later: behind the clearing, a leaf spte is made from the written value at once, so that a demand fault takes two exits instead of three.",
  },
  {
    id: "D",
    title: "Counterfactual: update without the quadrant",
    era: "never",
    commit: "",
    section: "6.4, 9.2 row D",
    changes: "C without the quadrant test of B.",
    help: "What the commit message warns of: update in place, but in every quadrant. The other half of the table maps wrong frames.",
  },
  {
    id: "E1",
    title: "2.6.26: written first, flushed by need",
    era: "~2.6.26, 2008",
    commit: "",
    section: "9.1, 9.2 row E1",
    changes:
      "The bytes change before pte_write, which reads the entry back whole; the frame was looked up beforehand and must match. TLBs are flushed when a right is taken away. The flood count begins anew when the leaf updated last was used. Rights of every page are in its key; CR0.WP without tricks; the walker sets D and tells pte_write; a zapped root is invalid; 1024 pages. Host memory is in 4 KiB pages, so that there are no large sptes, and the module runs with bypass_guest_pf=0.",
    help: "A year after the commit: the same test, but the write is complete when the shadow hears of it, and TLBs are flushed where they must be.",
  },
  {
    id: "E2",
    title: "2.6.32: out-of-sync page tables",
    era: "2.6.32, 2009-12",
    commit: "4731d4c7a077",
    section: "9.1, 9.2 row E2, 9.3",
    changes:
      "A leaf table that is shadowed under exactly one role is not write-protected: it goes out of sync and is read again at INVLPG, at a CR3 load and when it is looked up. A table of a non-PAE guest of which both quadrants are shadowed stays protected. INVLPG exits. The walk looks at reserved bits. The walker no longer tells pte_write of a D.",
    help: "Page tables may be stale until the guest flushes, as the manual allows; their writes cost nothing.",
  },
  {
    id: "E3",
    title: "3.1: all quadrants out of sync",
    era: "3.1, 2011-10",
    commit: "",
    section: "9.1, 9.2 row E3, 9.3",
    changes:
      "All shadow pages of a leaf table go out of sync together, so that quadrants no longer matter there. Four bytes of a PAE guest count as eight (an upper half, whose offset stays, as misaligned). An update needs the page's cr0_wp, cr4_pae and nxe to be the processor's. One flush a write. Addresses without memory are remembered in sptes. CR0.WP is in the key.",
    help: "The quadrant test is left for page directories alone.",
  },
  {
    id: "F",
    title: "Modern: upper tables only",
    era: "v6.8, 2024",
    commit: "c5e2184d1544",
    section: "9.1, 9.2 row F, 9.3, 11",
    changes:
      "Nothing is updated in place. Floods are counted by shadow page, above leaf tables only. One byte at the start of an entry is no misalignment; four bytes of a PAE guest count as the whole entry. INVLPG reads one leaf again. Reclaim passes over roots. The counters of today.",
    help: "Today's write path: only upper tables are write-protected; the quadrant test is still there, and the update that it was written for is gone.",
  },
  {
    id: NESTED,
    title: "Nested paging",
    era: "hardware of 2007 (AMD) and 2008 (Intel)",
    commit: "",
    section: "",
    changes: "No shadow at all: the processor translates guest-physical addresses by tables of the host's.",
    help: "No shadow: the processor walks the guest's tables and, for every address in them, host tables of 3 or 4 levels. Fewer exits, longer walks.",
  },
];

const SOURCES: Readonly<Record<string, string>> = {
  none: "SDM vol. 3, chapter 4",
  [NESTED]: "AMD vol. 2, 15.25; SDM vol. 3, 28.3; docs/nested-paging.md",
};

/** All policies, `none` first, then by age, and nested paging last. */
export const POLICY_ROWS: readonly PolicyRow[] = rows.map((row) => ({
  ...row,
  source: SOURCES[row.id] ?? `docs/kvm-shadow-mmu.md ${row.section}`,
}));
