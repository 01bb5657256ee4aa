/**
 * The processor view: registers as the guest sees them, what the hardware's paging unit holds, and what changed.
 */

import { FCS, FDP, FDS, FIP, FOP, type Fpu } from "../../x86/fpu/state.ts";
import type { LabContext } from "../context.ts";
import type { CpuView, FpuInfo, SegmentInfo } from "../protocol/index.ts";
import type { View } from "./view.ts";

const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];
/** Order in which the window shows them. */
const SHOWN = [1, 2, 3, 0, 4, 5, 6, 7];
const HARDWARE_MODES = ["off", "32-bit", "PAE"];

export function openCpu(lab: LabContext): View {
  let before: number[] | null = null;
  let machine: object | null = null;
  let text = "";
  return {
    calm: "whole",
    collect() {
      const data = makeCpu(lab, 0);
      const said = JSON.stringify(data);
      if (machine === lab.machine && said === text) return null;
      const now = watched(lab);
      const changed = before === null || machine !== lab.machine ? 0 : changes(before, now);
      machine = lab.machine;
      before = now;
      text = said;
      return { ...data, changed };
    },
  };
}

/** The values whose change is marked, in the order of the bits of `changed`. */
function watched(lab: LabContext): number[] {
  const { cpu } = lab.machine;
  const regs = Array.from(cpu.regs.subarray(0, 8), (r) => r >>> 0);
  return [...regs, cpu.eip, cpu.eflags, cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4].map((v) => v >>> 0);
}

function changes(before: readonly number[], now: readonly number[]): number {
  return now.reduce((bits, value, i) => (value === before[i] ? bits : bits | (1 << i)), 0);
}

export function makeCpu(lab: LabContext, changed: number): CpuView {
  const { cpu } = lab.machine;
  const paging = lab.paging();
  const unit = cpu.paging;
  return {
    kind: "cpu",
    regs: Array.from(cpu.regs.subarray(0, 8), (r) => r >>> 0),
    eip: cpu.eip >>> 0,
    eflags: cpu.eflags >>> 0,
    cpl: cpu.cpl,
    segments: SHOWN.map(
      (seg): SegmentInfo => ({
        name: SEGMENT_NAMES[seg]!,
        selector: cpu.segSelector[seg]!,
        base: cpu.segBase[seg]! >>> 0,
        limit: cpu.segLimit[seg]!,
        attributes: cpu.segAttr[seg]!,
      }),
    ),
    gdtr: { base: cpu.gdtBase >>> 0, limit: cpu.gdtLimit },
    idtr: { base: cpu.idtBase >>> 0, limit: cpu.idtLimit },
    cr0: cpu.cr0 >>> 0,
    cr2: cpu.cr2 >>> 0,
    cr3: cpu.cr3 >>> 0,
    cr4: cpu.cr4 >>> 0,
    efer: cpu.efer >>> 0,
    fpu: fpuInfo(cpu.fpu),
    paging: paging.mode,
    hardware: {
      mode: HARDWARE_MODES[unit.mode]!,
      cr3: unit.cr3 >>> 0,
      tlbEntries: unit.entries().length,
    },
    pdptrs:
      paging.mode === "PAE"
        ? [0, 1, 2, 3].map((i) => ({ low: paging.pdptes[i * 2]!, high: paging.pdptes[i * 2 + 1]! }))
        : [],
    changed,
  };
}

/** The x87 unit, ST(0) first. */
function fpuInfo(fpu: Fpu): FpuInfo {
  const { last, tagWord } = fpu;
  return {
    control: fpu.cw,
    status: fpu.status,
    stack: Array.from({ length: 8 }, (_, i) => {
      const p = fpu.physical(i);
      return { se: fpu.se[p]!, hi: fpu.hi[p]! >>> 0, lo: fpu.lo[p]! >>> 0, tag: (tagWord >>> (2 * p)) & 3 };
    }),
    ip: last[FIP]! >>> 0,
    cs: last[FCS]!,
    opcode: last[FOP]!,
    dp: last[FDP]! >>> 0,
    ds: last[FDS]!,
  };
}
