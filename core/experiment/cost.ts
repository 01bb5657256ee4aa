/**
 * The cost model: cycles an event, for two processors of the day, and what follows for counted events. The figures are
 * micro-measurements that others published, cited in each row (docs/experiments.md says how they were checked); none is
 * fitted to what it is compared with, and the time that the hypervisor's own code takes between its VMCS accesses is left
 * out on purpose: the shortfall shows it.
 */
import type { Measured } from "./meter.ts";
import { VMCS_COMMON, VMCS_EMULATE, VMCS_EXITS, VMCS_INJECT } from "./vmcs.ts";

export interface CostRow {
  readonly id: CostId;
  readonly title: string;
  readonly source: string;
}

export type CostId = "instruction" | "exception" | "vm_exit" | "vm_entry" | "vmcs_read" | "vmcs_write";

/** The paper itself was not at hand; docs/experiments.md says against what the figures were checked. */
const PAPER =
  "K. Adams, O. Agesen: A Comparison of Software and Hardware Techniques for x86 Virtualization, ASPLOS 2006";
const TABLE_1 = `${PAPER}, table 1, as a survey quotes it`;

export const COST_ROWS: readonly CostRow[] = [
  {
    id: "instruction",
    title: "an instruction",
    source: "a convention: one cycle; no pipeline, cache or branch is modelled",
  },
  {
    id: "exception",
    title: "an exception or interrupt delivered through the IDT, and the IRET",
    source: `${PAPER}, as a survey quotes it: divzero on the bare Pentium 4 672. It is an input here, so that row's native figure predicts nothing; for the Core 2 none was published`,
  },
  { id: "vm_exit", title: "a VM exit (for a page fault)", source: TABLE_1 },
  { id: "vm_entry", title: "a VM entry", source: TABLE_1 },
  { id: "vmcs_read", title: "VMREAD", source: TABLE_1 },
  { id: "vmcs_write", title: "VMWRITE", source: TABLE_1 },
];

export interface CostTable {
  readonly id: string;
  readonly title: string;
  /** Cycles; null: not known, and whatever needs it is not reckoned. */
  readonly cycles: Readonly<Record<CostId, number | null>>;
}

export const COST_TABLES: readonly CostTable[] = [
  {
    id: "p4-672",
    title: "Pentium 4 672, 3.8 GHz",
    cycles: {
      instruction: 1,
      exception: 889,
      vm_exit: 1931,
      vm_entry: 2409,
      vmcs_read: 178,
      vmcs_write: 171,
    },
  },
  {
    id: "core2",
    title: "Core 2 Duo, 2.66 GHz",
    cycles: {
      instruction: 1,
      exception: null,
      vm_exit: 1186,
      vm_entry: 937,
      vmcs_read: 52,
      vmcs_write: 44,
    },
  },
];

/** What hardware virtualisation adds: exits, entries and VMCS accesses, in cycles. null: the table lacks a figure. */
export function exitCycles(measured: Measured, table: CostTable): number | null {
  const { vm_exit, vm_entry, vmcs_read, vmcs_write } = table.cycles;
  if (vm_exit === null || vm_entry === null || vmcs_read === null || vmcs_write === null) return null;
  let reads = measured.allExits * VMCS_COMMON.reads;
  let writes = measured.allExits * VMCS_COMMON.writes;
  for (const [reason, n] of Object.entries(measured.exits)) {
    const own = VMCS_EXITS[reason];
    reads += n * (own?.reads ?? 0);
    writes += n * (own?.writes ?? 0);
  }
  reads += measured.emulated * VMCS_EMULATE.reads + measured.injected * VMCS_INJECT.reads;
  writes += measured.emulated * VMCS_EMULATE.writes + measured.injected * VMCS_INJECT.writes;
  return measured.allExits * (vm_exit + vm_entry) + reads * vmcs_read + writes * vmcs_write;
}

/** All of it: the guest's own instructions and deliveries, and what `exitCycles` says. null: a figure is not known. */
export function allCycles(measured: Measured, table: CostTable): number | null {
  const { instruction, exception } = table.cycles;
  const exits = exitCycles(measured, table);
  if (instruction === null || exits === null) return null;
  if (measured.deliveries > 0 && exception === null) return null;
  return measured.instructions * instruction + measured.deliveries * (exception ?? 0) + exits;
}
