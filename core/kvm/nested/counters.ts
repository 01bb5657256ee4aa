/**
 * The counters of nested paging, as data. The processor counts every reference to a table by guest step and host
 * level (core/x86/paging/nested.ts); these rows give the numbers names. docs/nested-paging.md tells the formulas.
 */
import {
  NESTED_FAULTS,
  NESTED_GUEST_HITS,
  NESTED_HOST_HITS,
  NESTED_PAGE,
  NESTED_PDE,
  NESTED_PDPT,
  NESTED_PTE,
  NESTED_WALKS,
  NESTED_WIDTH,
} from "../../x86/door.ts";

export interface NestedCounterRow {
  readonly name: string;
  readonly help: string;
  /** Index of the processor's count; -1: the sum of all references. */
  readonly at: number;
}

/** Guest steps in the order of a walk. */
export const NESTED_STEPS = [
  { step: NESTED_PDPT, name: "pdpt", what: "the PDPT, while CR3 or a control register is loaded" },
  { step: NESTED_PDE, name: "pde", what: "the guest's directory" },
  { step: NESTED_PTE, name: "pte", what: "the guest's page table" },
  { step: NESTED_PAGE, name: "page", what: "the page itself" },
] as const;

/** References counted in all: every table entry read, in both dimensions. */
export function nestedReferences(count: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < NESTED_STEPS.length * NESTED_WIDTH; i++) sum += count[i]!;
  return sum;
}

function referenceRows(): NestedCounterRow[] {
  const rows: NestedCounterRow[] = [];
  for (const { step, name, what } of NESTED_STEPS) {
    for (let level = NESTED_WIDTH - 1; level > 0; level--) {
      rows.push({
        name: `nested_${name}_h${level}`,
        help: `Host entries of level ${level} read to translate the address of ${what}.`,
        at: step * NESTED_WIDTH + level,
      });
    }
    if (step === NESTED_PAGE) continue;
    rows.push({
      name: `nested_${name}`,
      help: `Entries read of ${what}.`,
      at: step * NESTED_WIDTH,
    });
  }
  return rows;
}

export const NESTED_COUNTERS: readonly NestedCounterRow[] = [
  {
    name: "nested_walks",
    help: "TLB misses under nested paging: walks begun, those that a nested fault broke off included.",
    at: NESTED_WALKS,
  },
  {
    name: "nested_refs",
    help: "Table entries read by these walks and by loads of PDPTEs, in both dimensions: 11 a walk for 2 guest levels over 3 host levels, 14 over 4, without walk caches.",
    at: -1,
  },
  {
    name: "nested_faults",
    help: "Walks that met no host translation and exited (AMD's #NPF, Intel's EPT violation).",
    at: NESTED_FAULTS,
  },
  {
    name: "walk_cache_guest",
    help: "Walks that began at the guest's page table because the walk cache knew the directory entry.",
    at: NESTED_GUEST_HITS,
  },
  {
    name: "walk_cache_host",
    help: "Translations that began at the lowest host table because the walk cache knew the upper ones.",
    at: NESTED_HOST_HITS,
  },
  ...referenceRows(),
];
