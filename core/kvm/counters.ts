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
  { name: "tlb_flush", group: "vcpu", help: "MOV to CR3 with paging on (kvm_mmu_flush_tlb)." },
  {
    name: "invlpg",
    group: "vcpu",
    help: "Always 0 in this version: INVLPG does not exit and nothing counts it.",
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
  { name: "mmu_unsync", group: "mmu", help: `Gauge: shadow pages out of sync. 0 in these policies.${LATER}` },
  {
    name: "remote_tlb_flush",
    group: "mmu",
    help: `Requests to other processors to flush. 0 in these policies.${LATER}`,
  },
  { name: "largepages", group: "mmu", help: `Gauge: large sptes. None exist in this era.${LATER}` },
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

/** Index of the first guard's counter; guard i counts at GUARD_COUNTERS + i. */
export const GUARD_COUNTERS = rows.length;

for (const hazard of HAZARDS) {
  rows.push({ name: `guard_${hazard.id}`, group: "guards", help: `Times the guard acted: ${hazard.title}` });
}

/** Index of the first counter of nested paging. */
export const NESTED_FIRST = rows.length;

for (const { name, help } of NESTED_COUNTERS) rows.push({ name, group: "nested", help });

export const COUNTERS: readonly CounterRow[] = rows;
