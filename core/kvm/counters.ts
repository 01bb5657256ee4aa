/**
 * The counters, as data: every name of docs/kvm-shadow-mmu.md 10.1, the 2.6.32 set of 10.2, Quadrant's own, and one
 * a guard. Values live in one Float64Array, indexed by the row.
 */
import { NESTED_COUNTERS } from "./nested/counters.ts";
import { HAZARDS } from "./policy/hazards.ts";

export interface CounterRow {
  readonly name: string;
  readonly group: "vcpu" | "mmu" | "quadrant" | "guards" | "nested";
  readonly help: string;
}

const LATER = " (The kernel of 2007 had no mmu_* counters; name and meaning are those of 2.6.32.)";

/** Index of each counter that code advances. */
export const C = {
  pf_fixed: 0,
  pf_guest: 1,
  tlb_flush: 2,
  invlpg: 3,
  exits: 4,
  io_exits: 5,
  mmio_exits: 6,
  signal_exits: 7,
  irq_window: 8,
  halt_exits: 9,
  request_irq: 10,
  irq_exits: 11,
  light_exits: 12,
  mmu_pte_write: 13,
  mmu_pte_updated: 14,
  mmu_pde_zapped: 15,
  mmu_flooded: 16,
  mmu_recycled: 17,
  mmu_cache_miss: 18,
  mmu_shadow_zapped: 19,
  mmu_unsync: 20,
  remote_tlb_flush: 21,
  largepages: 22,
  quadrant_skipped: 23,
  refills: 24,
  pf_taken: 25,
  pf_emulate: 26,
  pf_spurious: 27,
  pf_mmio_spte_created: 28,
  pages_4k: 29,
  pages_2m: 30,
  pages_1g: 31,
  nx_lpage_splits: 32,
  max_mmu_rmap_size: 33,
  max_mmu_page_hash_collisions: 34,
} as const;

const rows: CounterRow[] = [
  {
    name: "pf_fixed",
    group: "vcpu",
    help: "Page faults that the hypervisor answered without the guest knowing, those answered by emulation included; not MMIO, not faults with paging off.",
  },
  {
    name: "pf_guest",
    group: "vcpu",
    help: "Page faults injected into the guest (or a double fault in their place), the emulator's own included.",
  },
  {
    name: "tlb_flush",
    group: "vcpu",
    help: "MOV to CR3 with paging on (kvm_mmu_flush_tlb). From E1 on also every building of roots, and local flushes of pte_write, synchronisation and INVLPG.",
  },
  {
    name: "invlpg",
    group: "vcpu",
    help: "INVLPGs that exited: always 0 up to E1, where INVLPG does not exit and nothing counts it.",
  },
  { name: "exits", group: "vcpu", help: "Every VM exit." },
  { name: "io_exits", group: "vcpu", help: "Exits for IN, OUT, INS and OUTS." },
  {
    name: "mmio_exits",
    group: "vcpu",
    help: "Emulations that ended in an access to an address without memory.",
  },
  {
    name: "signal_exits",
    group: "vcpu",
    help: "Exits for something from outside: input, an edit, a switch.",
  },
  { name: "irq_window", group: "vcpu", help: "Exits because the guest became ready for an interrupt." },
  { name: "halt_exits", group: "vcpu", help: "Exits for HLT." },
  {
    name: "request_irq",
    group: "vcpu",
    help: "Exits to userspace because it asked for an interrupt window.",
  },
  { name: "irq_exits", group: "vcpu", help: "Exits for an external interrupt." },
  { name: "light_exits", group: "vcpu", help: "Exits that the kernel handled without going to userspace." },
  { name: "mmu_pte_write", group: "mmu", help: `Calls of kvm_mmu_pte_write.${LATER}` },
  {
    name: "mmu_pte_updated",
    group: "mmu",
    help: `Leaf sptes visited by update_pte, also when it then installs nothing.${LATER}`,
  },
  {
    name: "mmu_pde_zapped",
    group: "mmu",
    help: `Non-leaf sptes cleared by a write; a directory entry of a non-PAE guest counts 2 for each page.${LATER}`,
  },
  {
    name: "mmu_flooded",
    group: "mmu",
    help: `Shadow pages zapped by pte_write, for flooding or misalignment.${LATER}`,
  },
  { name: "mmu_recycled", group: "mmu", help: `Shadow pages reclaimed because the pool ran low.${LATER}` },
  { name: "mmu_cache_miss", group: "mmu", help: `kvm_mmu_get_page had to make a page.${LATER}` },
  { name: "mmu_shadow_zapped", group: "mmu", help: `Whole shadow pages zapped, for any reason.${LATER}` },
  { name: "mmu_unsync", group: "mmu", help: `Gauge: shadow pages out of sync now. 0 before E2.${LATER}` },
  {
    name: "remote_tlb_flush",
    group: "mmu",
    help: `Requests to all processors to flush their TLBs (this machine has one). 0 before E1.${LATER}`,
  },
  {
    name: "largepages",
    group: "mmu",
    help: `Gauge: large sptes. None in any policy: host memory is in 4 KiB pages.${LATER}`,
  },
  {
    name: "quadrant_skipped",
    group: "quadrant",
    help: "Shadow pages that pte_write passed over because the write lies in another quadrant (Quadrant's own counter).",
  },
  {
    name: "refills",
    group: "quadrant",
    help: "Empty leaf sptes filled by a fault: what clearing too much costs (Quadrant's own counter).",
  },
];

const MODERN = " (Policy F alone: a counter of today's kernel.)";
rows.push(
  { name: "pf_taken", group: "mmu", help: `Page faults that the handler took.${MODERN}` },
  { name: "pf_emulate", group: "mmu", help: `Page faults answered by emulating the instruction.${MODERN}` },
  { name: "pf_spurious", group: "mmu", help: `Page faults whose spte was right already.${MODERN}` },
  {
    name: "pf_mmio_spte_created",
    group: "mmu",
    help: `sptes made to remember an address without memory.${MODERN}`,
  },
  { name: "pages_4k", group: "mmu", help: `Gauge: present leaf sptes of 4 KiB.${MODERN}` },
  { name: "pages_2m", group: "mmu", help: `Gauge: sptes of 2 MiB; host memory is in 4 KiB pages.${MODERN}` },
  { name: "pages_1g", group: "mmu", help: `Gauge: sptes of 1 GiB; host memory is in 4 KiB pages.${MODERN}` },
  {
    name: "nx_lpage_splits",
    group: "mmu",
    help: `Large sptes split to be executed; there are none.${MODERN}`,
  },
  {
    name: "max_mmu_rmap_size",
    group: "mmu",
    help: `Most writable leaves of one frame that its rmap ever held (the kernel's rmap has the read-only ones too).${MODERN}`,
  },
  {
    name: "max_mmu_page_hash_collisions",
    group: "mmu",
    help: `Most pages of other frames that a look-up passed in a bucket.${MODERN}`,
  },
);

/** Index of the first guard's counter; guard i counts at GUARD_COUNTERS + i. */
export const GUARD_COUNTERS = rows.length;

for (const hazard of HAZARDS) {
  rows.push({ name: `guard_${hazard.id}`, group: "guards", help: `Times the guard acted: ${hazard.title}` });
}

/** Index of the first counter of nested paging. */
export const NESTED_FIRST = rows.length;

for (const { name, help } of NESTED_COUNTERS) rows.push({ name, group: "nested", help });

export const COUNTERS: readonly CounterRow[] = rows;
