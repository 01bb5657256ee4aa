/**
 * The field's words, as KVM and the Intel manual write them, in a sentence each (docs/kvm-shadow-mmu.md 1). Pure data.
 */
export const WORDS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Addresses",
    [
      ["gva", "Guest-virtual address: what the guest's programs use (the manual's linear address)."],
      ["gpa", "Guest-physical address: what the guest takes for memory. gfn is its page frame, gpa >> 12."],
      ["hpa", "Host-physical address: where the bytes really lie. hfn is its page frame."],
    ],
  ],
  [
    "The guest's own tables",
    [
      [
        "page table",
        "1024 entries of 4 bytes without PAE, 512 of 8 bytes with it; each maps one 4 KiB page.",
      ],
      ["page directory", "The table above: its entries name page tables, or large pages."],
      ["PTE, PDE", "An entry of a page table, of a page directory."],
      [
        "P W U A D",
        "Bits of an entry: present, writable, for the user too, accessed, dirty. The processor sets A and D.",
      ],
      ["CR3", "The register that names the table at the top; loading it changes the address space."],
      ["INVLPG", "The instruction with which a guest says that it changed an entry."],
      ["TLB", "What the processor remembers of translations, until it is told to forget."],
    ],
  ],
  [
    "What KVM keeps",
    [
      [
        "shadow page",
        "A table of 512 entries that KVM makes from a guest's, and that the processor really walks.",
      ],
      [
        "spte",
        "An entry of a shadow page: the guest's entry, with the host's frame in place of the guest's.",
      ],
      [
        "quadrant",
        "Which half of a page table, or quarter of a page directory, a shadow page stands for: 1024 guest entries do not fit into 512.",
      ],
      [
        "role",
        "What a shadow page is for (level, quadrant, rights, paging mode) in one word; (gfn, role) is its key.",
      ],
      ["parents", "The sptes that lead to a shadow page."],
      ["rmap", "For a frame: all writable sptes that map it, so that they can be made read-only."],
      [
        "metaphysical",
        "A shadow page without a guest table behind it: for paging off, or the pieces of a large page.",
      ],
      ["unsync", "A shadow page that may be out of date until the guest flushes; later kernels allow that."],
    ],
  ],
  [
    "What happens",
    [
      ["exit", "The processor leaves the guest for the hypervisor, which answers and lets it go on."],
      [
        "pf_fixed",
        "A page fault that was the shadow's, not the guest's: KVM filled an spte, and the guest never knew.",
      ],
      ["pf_guest", "A page fault of the guest's own: it is delivered to the guest."],
      [
        "pte_write",
        "The guest stores into a table that is shadowed: the page is read-only, KVM emulates the store.",
      ],
      ["zap", "To empty a shadow page, or an spte; what is needed again is filled by the next fault."],
      [
        "flood",
        "Three writes in a row to one table: KVM takes it that the table is being rebuilt and zaps its shadow pages.",
      ],
      [
        "audit",
        "Whether the shadow says what the guest's tables say; each invariant has a number, I1 to I13 and T1.",
      ],
    ],
  ],
];
