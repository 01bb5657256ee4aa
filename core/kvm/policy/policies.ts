/**
 * The policies: eras of KVM's answer to a write of a guest page table, each composed of named strategies.
 * docs/kvm-shadow-mmu.md 9.2. A later era adds a row, and a strategy where it has a new rule.
 */
import { type Choice, chooseAllQuadrants, chooseByQuadrant } from "../write/choice.ts";
import { crossesEntryOrShort, type Misaligned } from "../write/detectors.ts";
import { clearOnly, type NewPte, updateLeaf } from "../write/update.ts";

export interface Policy {
  readonly id: string;
  readonly title: string;
  readonly era: string;
  readonly source: string;
  readonly help: string;
  /** Writes that cannot be a page table entry's: every shadow page of the gfn is zapped. */
  readonly misaligned: Misaligned;
  /** The flood detector: the write of a run to one gfn that zaps, and whether ordinary faults end the run (6.3). */
  readonly flood: { readonly threshold: number; readonly resets: boolean };
  /** Which sptes of a shadow page a write touches. */
  readonly choose: Choice;
  /** What happens behind the clearing of an spte. */
  readonly newPte: NewPte;
}

const detectors = { misaligned: crossesEntryOrShort, flood: { threshold: 3, resets: true } };

/** Policies that have a shadow; `none` (the processor walks the guest's own tables) has no object. */
export const POLICIES: readonly Policy[] = [
  {
    id: "P",
    title: "Parent: all quadrants",
    era: "09072daf, 2007-05-01",
    source: "docs/kvm-shadow-mmu.md 9.2, row A with the detectors of the parent commit",
    help: "The exact parent of the commit: a write to a table of a non-PAE guest clears the entry of the same index in every quadrant.",
    ...detectors,
    choose: chooseAllQuadrants,
    newPte: clearOnly,
  },
  {
    id: "B",
    title: "The commit: respect the quadrant",
    era: "fce0657f, 2007-05-01",
    source: "docs/kvm-shadow-mmu.md 6.2, 9.2 row B",
    help: "KVM: MMU: Respect nonpae pagetable quadrant when zapping ptes. Only the quadrant that holds the written entry is touched.",
    ...detectors,
    choose: chooseByQuadrant,
    newPte: clearOnly,
  },
  {
    id: "C",
    title: "Update in place",
    era: "0028425f, 2007-05-01",
    source: "docs/kvm-shadow-mmu.md 6.6, 9.2 row C",
    help: "Nine minutes later: behind the clearing, a leaf spte is made from the written value at once, so that a demand fault takes two exits instead of three.",
    ...detectors,
    choose: chooseByQuadrant,
    newPte: updateLeaf,
  },
  {
    id: "D",
    title: "Counterfactual: update without the quadrant",
    era: "never",
    source: "docs/kvm-shadow-mmu.md 6.4, 9.2 row D",
    help: "What the commit message warns of: update in place, but in every quadrant. The other half of the table maps wrong frames.",
    ...detectors,
    choose: chooseAllQuadrants,
    newPte: updateLeaf,
  },
];

/** The id of nested paging, which has host tables in place of a shadow. */
export const NESTED = "nested";

/** The policy with this id, or undefined. */
export const policyById = (id: string): Policy | undefined => POLICIES.find((p) => p.id === id);

/** For menus, help and the command line: all policies, `none` first. */
export const POLICY_TABLE: readonly {
  readonly id: string;
  readonly title: string;
  readonly era: string;
  readonly source: string;
  readonly help: string;
}[] = [
  {
    id: "none",
    title: "No virtualisation",
    era: "bare machine",
    source: "SDM vol. 3, chapter 4",
    help: "No hypervisor: the processor walks the guest's own tables. The yardstick for every policy.",
  },
  ...POLICIES.map(({ id, title, era, source, help }) => ({ id, title, era, source, help })),
  // Last, so that the numbers of the others in a trace stay.
  {
    id: NESTED,
    title: "Nested paging",
    era: "hardware of 2007 (AMD) and 2008 (Intel)",
    source: "AMD vol. 2, 15.25; SDM vol. 3, 28.3; docs/nested-paging.md",
    help: "No shadow: the processor walks the guest's tables and, for every address in them, host tables of 3 or 4 levels. Fewer exits, longer walks.",
  },
];
