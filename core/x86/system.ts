/**
 * System instructions of protected mode: control registers, descriptor-table registers, MSRs, halting, interrupt
 * flag, ports (SDM vol. 3, 2.5, 2.8, 4.10.4; vol. 2). Privilege comes first, then an armed exit, then everything else.
 * Functions answer an Exec answer (insn.ts) unless they say otherwise.
 */
import { EV_CR_WRITE, FLUSH_CR } from "../trace/events.ts";
import { nestedFault } from "./access.ts";
import { ATT_HALTED, ATT_SHADOW } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import {
  EXIT_CLTS,
  EXIT_CR_READ,
  EXIT_CR_WRITE,
  EXIT_HLT,
  EXIT_INVLPG,
  EXIT_LMSW,
  PAGING_32,
  PAGING_OFF,
  PAGING_PAE,
} from "./door.ts";
import { GP, UD } from "./exceptions.ts";
import { FLAG_IF, FLAG_IOPL, REST } from "./flags.ts";
import { BRANCH, NEXT, STOP } from "./isa/insn.ts";

export const CR0_PE = 1 << 0;
export const CR0_MP = 1 << 1;
export const CR0_EM = 1 << 2;
export const CR0_TS = 1 << 3;
export const CR0_ET = 1 << 4;
export const CR0_NE = 1 << 5;
export const CR0_WP = 1 << 16;
export const CR0_AM = 1 << 18;
export const CR0_NW = 1 << 29;
export const CR0_CD = 1 << 30;
export const CR0_PG = 1 << 31;
const CR0_KNOWN =
  CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;

export const CR4_VME = 1 << 0;
export const CR4_PVI = 1 << 1;
export const CR4_TSD = 1 << 2;
export const CR4_DE = 1 << 3;
export const CR4_PSE = 1 << 4;
export const CR4_PAE = 1 << 5;
export const CR4_MCE = 1 << 6;
export const CR4_PGE = 1 << 7;
export const CR4_PCE = 1 << 8;
/** The system uses FXSAVE and FXRSTOR. Without SSE it changes nothing. */
export const CR4_OSFXSR = 1 << 9;
/** What this processor's CPUID offers; other bits are reserved. */
export const CR4_KNOWN = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR;

export const MSR_EFER = 0xc000_0080 | 0;
export const EFER_NXE = 1 << 11;

/** Would MOV CR0 accept this value? False: #GP(0) (SDM vol. 2, MOV to CR). Unknown bits are ignored, not refused. */
export function validCr0(value: number): boolean {
  if ((value & CR0_PG) !== 0 && (value & CR0_PE) === 0) return false;
  return (value & CR0_NW) === 0 || (value & CR0_CD) !== 0;
}

/** Would MOV CR4 accept this value? False: #GP(0). */
export function validCr4(value: number): boolean {
  return (value & ~CR4_KNOWN) === 0;
}

/** CR0 as it reads back after a write: reserved bits are 0, ET is 1. */
export function storedCr0(value: number): number {
  return (value & CR0_KNOWN) | CR0_ET;
}

/** Does this change of CR0 or CR4 reload the PDPTE registers (SDM vol. 3, 4.4.1)? `cr0`, `cr4` as they will be. */
export function reloadsPdptes(oldCr0: number, oldCr4: number, cr0: number, cr4: number): boolean {
  if ((cr0 & CR0_PG) === 0 || (cr4 & CR4_PAE) === 0) return false;
  return (
    ((oldCr0 ^ cr0) & (CR0_CD | CR0_NW | CR0_PG)) !== 0 ||
    ((oldCr4 ^ cr4) & (CR4_PAE | CR4_PGE | CR4_PSE)) !== 0
  );
}

/** True when a hypervisor owns the paging unit: it intercepts writes to control registers. */
function isOwned(cpu: Cpu): boolean {
  return ((cpu.intercepts >>> EXIT_CR_WRITE) & 1) !== 0;
}

/** Loads the PDPTE registers, unless a hypervisor owns them. False: #GP(0), or the nested fault, is recorded. */
function loadPdptes(cpu: Cpu, cr3: number): boolean {
  if (isOwned(cpu) || cpu.paging.loadPdptes(cr3)) return true;
  if (cpu.paging.nested.failed) nestedFault(cpu, 0);
  else cpu.raise(GP, 0);
  return false;
}

/** Lets the paging unit follow the control registers, unless a hypervisor that intercepts their writes owns it. */
export function applyControls(cpu: Cpu): void {
  if (isOwned(cpu)) return;
  const paging = (cpu.cr0 & CR0_PG) !== 0;
  const mode = !paging ? PAGING_OFF : (cpu.cr4 & CR4_PAE) !== 0 ? PAGING_PAE : PAGING_32;
  cpu.paging.configure(
    mode,
    cpu.cr3,
    (cpu.cr0 & CR0_WP) !== 0,
    (cpu.efer & EFER_NXE) !== 0,
    (cpu.cr4 & CR4_PSE) !== 0,
    (cpu.cr4 & CR4_PGE) !== 0,
  );
}

/** MOV CRn, r32. */
export function movToCr(cpu: Cpu, n: number, value: number): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  if (n !== 0 && n !== 2 && n !== 3 && n !== 4) return cpu.raise(UD);
  if (n !== 2 && cpu.intercepting(EXIT_CR_WRITE)) {
    cpu.exit.cr = n;
    cpu.exit.value = value | 0;
    return cpu.exitFor(EXIT_CR_WRITE);
  }
  switch (n) {
    case 0:
      return writeCr0(cpu, value | 0);
    case 3:
      return writeCr3(cpu, value | 0);
    case 4:
      return writeCr4(cpu, value | 0);
    default:
      cpu.cr2 = value | 0;
      return NEXT;
  }
}

function traceCr(cpu: Cpu, n: number, old: number, now: number): void {
  if (cpu.trace.on) cpu.trace.emit(EV_CR_WRITE, n, old, now);
}

function writeCr0(cpu: Cpu, value: number): number {
  if (!validCr0(value)) return cpu.raise(GP, 0);
  const old = cpu.cr0;
  const now = storedCr0(value);
  if (reloadsPdptes(old, cpu.cr4, now, cpu.cr4) && !loadPdptes(cpu, cpu.cr3)) return STOP;
  cpu.cr0 = now;
  traceCr(cpu, 0, old, now);
  applyControls(cpu);
  if (((old ^ now) & CR0_PG) !== 0) cpu.paging.flush(FLUSH_CR, false);
  return BRANCH;
}

/**
 * CR3 as a task switch loads it: with paging on alone, and flushing only when it changes (SDM vol. 3, 4.10.4.1, 7.3).
 * False: its PDPTEs have reserved bits, and those that were loaded stay.
 */
export function loadTaskCr3(cpu: Cpu, value: number): boolean {
  if ((cpu.cr0 & CR0_PG) === 0) return true;
  const old = cpu.cr3;
  cpu.cr3 = value;
  const good = cpu.emulating
    ? cpu.emulator!.cr3Loaded(value)
    : (cpu.cr4 & CR4_PAE) === 0 || cpu.paging.loadPdptes(value);
  if (old === value) return good;
  traceCr(cpu, 3, old, value);
  // A hypervisor with shadow tables makes its own roots follow when the switch is done.
  if (isOwned(cpu)) return good;
  applyControls(cpu);
  cpu.paging.flushForCr3();
  return good;
}

function writeCr3(cpu: Cpu, value: number): number {
  const old = cpu.cr3;
  const pae = (cpu.cr0 & CR0_PG) !== 0 && (cpu.cr4 & CR4_PAE) !== 0;
  if (pae && !loadPdptes(cpu, value)) return STOP;
  cpu.cr3 = value;
  traceCr(cpu, 3, old, value);
  applyControls(cpu);
  cpu.paging.flushForCr3();
  return BRANCH;
}

function writeCr4(cpu: Cpu, value: number): number {
  if (!validCr4(value)) return cpu.raise(GP, 0);
  const old = cpu.cr4;
  if (reloadsPdptes(cpu.cr0, old, cpu.cr0, value) && !loadPdptes(cpu, cpu.cr3)) return STOP;
  cpu.cr4 = value;
  traceCr(cpu, 4, old, value);
  applyControls(cpu);
  if (((old ^ value) & (CR4_PSE | CR4_PAE | CR4_PGE)) !== 0) cpu.paging.flush(FLUSH_CR, false);
  return BRANCH;
}

/** MOV r32, CRn. */
export function movFromCr(cpu: Cpu, n: number, reg: number): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  if (n !== 0 && n !== 2 && n !== 3 && n !== 4) return cpu.raise(UD);
  if (n !== 2 && cpu.intercepting(EXIT_CR_READ)) {
    cpu.exit.cr = n;
    cpu.exit.value = reg;
    return cpu.exitFor(EXIT_CR_READ);
  }
  cpu.regs[reg] = n === 0 ? cpu.cr0 : n === 2 ? cpu.cr2 : n === 3 ? cpu.cr3 : cpu.cr4;
  return NEXT;
}

/** The 16 bits that SMSW stores; not an Exec answer. */
export function smswValue(cpu: Cpu): number {
  return cpu.cr0 & 0xffff;
}

/** LMSW: PE may be set, not cleared; MP, EM, TS are loaded. `value`: the 16-bit source. */
export function lmsw(cpu: Cpu, value: number): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  if (cpu.intercepting(EXIT_LMSW)) {
    cpu.exit.value = value & 0xffff;
    return cpu.exitFor(EXIT_LMSW);
  }
  const old = cpu.cr0;
  cpu.cr0 = (old & ~(CR0_MP | CR0_EM | CR0_TS)) | (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS));
  traceCr(cpu, 0, old, cpu.cr0);
  return NEXT;
}

export function clts(cpu: Cpu): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  if (cpu.intercepting(EXIT_CLTS)) return cpu.exitFor(EXIT_CLTS);
  const old = cpu.cr0;
  cpu.cr0 &= ~CR0_TS;
  traceCr(cpu, 0, old, cpu.cr0);
  return NEXT;
}

export function invlpg(cpu: Cpu, seg: number, ea: number): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  // No access is made: the segment's limit and type are not looked at (SDM vol. 2, INVLPG).
  const la = (ea + cpu.segBase[seg]!) | 0;
  if (cpu.intercepting(EXIT_INVLPG)) {
    cpu.exit.gva = la;
    return cpu.exitFor(EXIT_INVLPG);
  }
  const epoch = cpu.tlb.fetchEpoch;
  cpu.paging.invlpg(la);
  // The block goes on unless a translation of code went, which may be this block's own.
  return cpu.tlb.fetchEpoch === epoch ? NEXT : BRANCH;
}

export function lgdt(cpu: Cpu, seg: number, ea: number, opsize: number): number {
  return loadTable(cpu, seg, ea, opsize, true);
}

export function lidt(cpu: Cpu, seg: number, ea: number, opsize: number): number {
  return loadTable(cpu, seg, ea, opsize, false);
}

function loadTable(cpu: Cpu, seg: number, ea: number, opsize: number, gdt: boolean): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  const limit = cpu.read16(seg, ea);
  if (cpu.faulted) return STOP;
  let base = cpu.read32(seg, (ea + 2) | 0);
  if (cpu.faulted) return STOP;
  if (opsize === 2) base &= 0xff_ffff;
  if (gdt) {
    cpu.gdtLimit = limit;
    cpu.gdtBase = base;
  } else {
    cpu.idtLimit = limit;
    cpu.idtBase = base;
  }
  return NEXT;
}

export function sgdt(cpu: Cpu, seg: number, ea: number): number {
  return storeTable(cpu, seg, ea, cpu.gdtLimit, cpu.gdtBase);
}

export function sidt(cpu: Cpu, seg: number, ea: number): number {
  return storeTable(cpu, seg, ea, cpu.idtLimit, cpu.idtBase);
}

function storeTable(cpu: Cpu, seg: number, ea: number, limit: number, base: number): number {
  if (!cpu.check(seg, ea, 6, true)) return STOP;
  cpu.write16(seg, ea, limit);
  if (!cpu.faulted) cpu.write32(seg, (ea + 2) | 0, base);
  return cpu.faulted ? STOP : NEXT;
}

export function hlt(cpu: Cpu): number {
  if (cpu.cpl !== 0) return cpu.raise(GP, 0);
  if (cpu.intercepting(EXIT_HLT)) return cpu.exitFor(EXIT_HLT);
  cpu.attention |= ATT_HALTED;
  return BRANCH;
}

/** CPL <= IOPL: the instructions that depend on IOPL are allowed. Not an Exec answer. */
export function ioplAllows(cpu: Cpu): boolean {
  return cpu.cpl <= (cpu.regs[REST]! & FLAG_IOPL) >>> 12;
}

export function cli(cpu: Cpu): number {
  if (!ioplAllows(cpu)) return cpu.raise(GP, 0);
  cpu.regs[REST]! &= ~FLAG_IF;
  return NEXT;
}

/** STI: interrupts are recognised only behind the next instruction, if they were off (SDM vol. 2, STI). */
export function sti(cpu: Cpu): number {
  if (!ioplAllows(cpu)) return cpu.raise(GP, 0);
  if ((cpu.regs[REST]! & FLAG_IF) === 0) {
    cpu.regs[REST]! |= FLAG_IF;
    cpu.attention |= ATT_SHADOW;
  }
  return BRANCH;
}

/** The EFLAGS bits that POPF may change here (SDM vol. 2, POPF). Not an Exec answer. */
export function popfMask(cpu: Cpu, opsize: number): number {
  let mask = opsize === 4 ? 0x24_4dd5 : 0x4dd5; // status, TF, DF, NT; AC and ID
  if (ioplAllows(cpu)) mask |= FLAG_IF;
  if (cpu.cpl === 0) mask |= FLAG_IOPL;
  return mask;
}
