/**
 * The invariants of docs/kvm-shadow-mmu.md, section 8, as data; checks.ts has the checks. A row's index is the number
 * in `finding` events; rows are only ever appended.
 */
export interface Invariant {
  readonly id: string;
  readonly title: string;
  readonly help: string;
}

export const INVARIANTS: readonly Invariant[] = [
  {
    id: "I1",
    title: "rmap",
    help: "The sptes in all rmaps are exactly the present and writable sptes of active level-1 shadow pages, each in the rmap of its own frame.",
  },
  {
    id: "I2",
    title: "write protection",
    help: "No writable mapping of a frame that holds a shadowed table, unless each of its shadow pages is out of sync (9.3).",
  },
  {
    id: "I3",
    title: "mappings",
    help: "Every present leaf reached from the roots maps the frame that the guest's tables give for its address. Leaves of a page that is out of sync are judged when it has been synchronised: until the guest flushes, they may be any that its table gave since.",
  },
  {
    id: "I4",
    title: "parents",
    help: "A present non-leaf spte points at an active page one level lower, which knows it as a parent; and conversely.",
  },
  { id: "I5", title: "hash", help: "Each active page is in exactly its bucket; no two share gfn and role." },
  {
    id: "I6",
    title: "pool",
    help: "Free and active pages together are the policy's pool (256, later 1024); free ones are empty.",
  },
  { id: "I7", title: "roots", help: "root_count is the number of root slots that point at the page." },
  {
    id: "I8",
    title: "child quadrant",
    help: "Below a two-level guest's directory, the child of spte j has quadrant j & 1.",
  },
  {
    id: "I9",
    title: "quadrant soundness",
    help: "Every present leaf of a page table's shadow is what its guest entry says: same frame, rights never wider than entry and parents allow. The commit protects this one. Pages out of sync: as for I3.",
  },
  {
    id: "I10",
    title: "shadow rights",
    help: "W only where the guest allows it (bit 10) but for the CR0.WP=0 state; U only with bit 11. Policies up to D, whose leaves have these bits.",
  },
  { id: "I11", title: "dirty", help: "W only where the guest's entry has D. Pages out of sync: as for I3." },
  { id: "I12", title: "MMIO mark", help: "Bit 9 in a leaf means not present." },
  { id: "T1", title: "TLB", help: "Under vmx every TLB entry equals a present spte." },
  {
    id: "I13",
    title: "unsync",
    help: "Only pages of leaf tables are out of sync, under policies that know it; every spte that points at one is marked in its page, which counts its marks.",
  },
];

export const invariantIndex = (id: string): number => INVARIANTS.findIndex((i) => i.id === id);
