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
    help: "No writable mapping of a frame that holds a shadowed table.",
  },
  {
    id: "I3",
    title: "mappings",
    help: "Every present leaf reached from the roots maps the frame that the guest's tables give for its address.",
  },
  {
    id: "I4",
    title: "parents",
    help: "A present non-leaf spte points at an active page one level lower, which knows it as a parent; and conversely.",
  },
  { id: "I5", title: "hash", help: "Each active page is in exactly its bucket; no two share gfn and role." },
  { id: "I6", title: "pool", help: "Free and active pages together are 256; free ones are empty." },
  { id: "I7", title: "roots", help: "root_count is the number of root slots that point at the page." },
  {
    id: "I8",
    title: "child quadrant",
    help: "Below a two-level guest's directory, the child of spte j has quadrant j & 1.",
  },
  {
    id: "I9",
    title: "quadrant soundness",
    help: "Every present leaf of a page table's shadow is what its guest entry says: same frame, rights never wider than entry and parents allow. The commit protects this one.",
  },
  {
    id: "I10",
    title: "shadow rights",
    help: "W only where the guest allows it (bit 10) but for the CR0.WP=0 state; U only with bit 11.",
  },
  { id: "I11", title: "dirty", help: "W only where the guest's entry has D." },
  { id: "I12", title: "MMIO mark", help: "Bit 9 in a leaf means not present." },
  { id: "T1", title: "TLB", help: "Under vmx every TLB entry equals a present spte." },
];

export const invariantIndex = (id: string): number => INVARIANTS.findIndex((i) => i.id === id);
