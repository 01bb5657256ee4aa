/**
 * The processor's state as a snapshot keeps it: everything that a run depends on, the TLB included; decoded blocks
 * and the derived arrays are not state and come back by themselves.
 */
import type { Cpu } from "./cpu.ts";
import { debugChanged } from "./debug.ts";
import type { FpuState } from "./fpu/state.ts";
import type { PagingState } from "./paging/unit.ts";

export interface CpuState {
  /** Format; 1. */
  version: 1;
  regs: Int32Array;
  segSelector: Int32Array;
  segBase: Int32Array;
  segLimit: Uint32Array;
  segAttr: Int32Array;
  /** DR0 to DR7 (4 and 5 are not used), and the performance counters. Absent in the first version's snapshots. */
  dr?: Int32Array;
  counters?: Int32Array;
  /** The plain fields, by name. */
  fields: Record<string, number>;
  fpu: FpuState;
  paging: PagingState;
}

/** Plain numeric fields that are state. */
const FIELDS = [
  "eip",
  "cr0",
  "cr2",
  "cr3",
  "cr4",
  "efer",
  "cpl",
  "gdtBase",
  "gdtLimit",
  "idtBase",
  "idtLimit",
  "attention",
  "pendingVector",
  "pendingType",
  "pendingError",
  "deliveries",
  "deliveriesAt",
  "retired",
  "jumps",
  "tscLow",
  "tscHigh",
  "patLow",
  "patHigh",
  "intercepts",
  "interruptLine",
  "debugHits",
  "sysenterCs",
  "sysenterEsp",
  "sysenterEip",
] as const;

export function saveCpu(cpu: Cpu): CpuState {
  const fields: Record<string, number> = {};
  for (const name of FIELDS) fields[name] = cpu[name];
  fields.midRep = cpu.midRep ? 1 : 0;
  fields.nmiWaits = cpu.nmiWaits ? 1 : 0;
  fields.nmiBlocked = cpu.nmiBlocked ? 1 : 0;
  return {
    version: 1,
    regs: cpu.regs.slice(),
    segSelector: cpu.segSelector.slice(),
    segBase: cpu.segBase.slice(),
    segLimit: cpu.segLimit.slice(),
    segAttr: cpu.segAttr.slice(),
    dr: cpu.dr.slice(),
    counters: cpu.counters.slice(),
    fields,
    fpu: cpu.fpu.save(),
    paging: cpu.paging.save(),
  };
}

/** Memory must hold the snapshot's bytes already: decoded blocks are dropped, the TLB is taken as saved. */
export function loadCpu(cpu: Cpu, state: CpuState): void {
  cpu.blocks.clear();
  cpu.regs.set(state.regs);
  cpu.segSelector.set(state.segSelector);
  cpu.segBase.set(state.segBase);
  cpu.segLimit.set(state.segLimit);
  cpu.segAttr.set(state.segAttr);
  if (state.dr !== undefined) cpu.dr.set(state.dr);
  if (state.counters !== undefined) cpu.counters.set(state.counters);
  for (const name of FIELDS) {
    const value = state.fields[name];
    if (value !== undefined) cpu[name] = value;
  }
  // Breakpoints are the observer's, not the machine's.
  const observed = cpu.breakpoints;
  cpu.midRep = state.fields.midRep === 1;
  cpu.nmiWaits = state.fields.nmiWaits === 1;
  cpu.nmiBlocked = state.fields.nmiBlocked === 1;
  cpu.debugFault = false;
  debugChanged(cpu);
  cpu.faulted = false;
  cpu.stopCode = -1;
  cpu.brokeAtRetired = -1;
  cpu.setCpl(cpu.cpl);
  cpu.segmentsChanged();
  cpu.setBreakpoints(observed);
  cpu.fpu.load(state.fpu);
  cpu.paging.load(state.paging);
}
