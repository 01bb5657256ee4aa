/**
 * Writes of control registers and EFER as the hypervisor carries them out: set_cr0, set_cr3, set_cr4, LMSW, CLTS.
 * True: done; false: #GP(0) was injected. docs/kvm-shadow-mmu.md 5.9.
 */
import { EV_CR_WRITE, FLUSH_MOV_CR3 } from "../../trace/events.ts";
import { validCr4 } from "../../x86/system.ts";
import { C } from "../counters.ts";
import {
  CR0_CD,
  CR0_ET,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  EFER_NXE,
} from "../layout.ts";
import type { Mmu } from "../mmu.ts";
import {
  H_CR0_RESERVED,
  H_CR3_OUTSIDE_MEMORY,
  H_CR3_RESERVED,
  H_CR4_BAD_PDPTES,
  H_NXE_CHANGE,
  H_PDPTE_RELOAD,
  H_PSE_CHANGE,
  H_WP_CHANGE,
} from "../policy/hazards.ts";
import { reclaimIfLow, zapActive } from "../shadow/page.ts";
import { ROLE_NXE, ROLE_WP } from "../shadow/role.ts";
import { allocRoots, freeRoots, loadPdptrs, loadRoot, resetContext } from "../shadow/roots.ts";
import { injectGp } from "./inject.ts";

/** Bits of CR0 that do not exist (the reference's mask, 5.9). */
const CR0_RESERVED = 0x1ffa_ffc0;
/** Bits of CR4 that the reference refuses: above 10. */
const CR4_REFUSED_BY_KVM = ~0x7ff;

function gp(mmu: Mmu): false {
  injectGp(mmu);
  return false;
}

/** Later versions have some of the bits in the key (9.4): nothing stale can be found again. */
const keyLacks = (mmu: Mmu, bit: number): boolean => (mmu.policy.roles.key & bit) === 0;

const isPae = (cr0: number, cr4: number): boolean => (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0;

/** Zaps every shadow page for a guard; counts it when there was one to zap besides the roots' own. */
function guardZapAll(mmu: Mmu, hazard: number, value: number): void {
  freeRoots(mmu);
  let stale = false;
  for (let page = mmu.activeHead; page >= 0; page = mmu.listNext[page]!)
    if ((mmu.role[page]! & 15) !== 0) stale = true;
  if (stale) {
    mmu.guard(hazard, value, 0);
    zapActive(mmu);
  }
}

export function setCr0(mmu: Mmu, value: number): boolean {
  const cpu = mmu.cpu;
  let cr0 = value | 0;
  const old = cpu.cr0;
  if ((cr0 & CR0_RESERVED) !== 0) {
    if (!mmu.guarded[H_CR0_RESERVED]) return gp(mmu);
    mmu.guard(H_CR0_RESERVED, cr0, 0);
    cr0 &= ~CR0_RESERVED;
  }
  cr0 |= CR0_ET;
  if ((cr0 & CR0_NW) !== 0 && (cr0 & CR0_CD) === 0) return gp(mmu);
  if ((cr0 & CR0_PG) !== 0 && (cr0 & CR0_PE) === 0) return gp(mmu);
  if (isPae(cr0, cpu.cr4)) {
    if ((old & CR0_PG) === 0) {
      if (!loadPdptrs(mmu, cpu.cr3)) return gp(mmu);
    } else if (((old ^ cr0) & (CR0_CD | CR0_NW)) !== 0 && mmu.guarded[H_PDPTE_RELOAD]) {
      if (!reloadPdptes(mmu)) return gp(mmu);
    }
  }
  cpu.cr0 = cr0;
  if (mmu.trace.on) mmu.trace.emit(EV_CR_WRITE, 0, old, cr0);
  if (((old ^ cr0) & CR0_WP) !== 0 && mmu.guarded[H_WP_CHANGE] && keyLacks(mmu, ROLE_WP))
    guardZapAll(mmu, H_WP_CHANGE, cr0);
  resetContext(mmu);
  return true;
}

/** Reloads the PDPTEs where the reference does not; counts when they changed. */
function reloadPdptes(mmu: Mmu): boolean {
  const before = mmu.pdptes.slice();
  const loaded = loadPdptrs(mmu, mmu.cpu.cr3);
  if (!loaded || before.some((word, i) => word !== mmu.pdptes[i])) mmu.guard(H_PDPTE_RELOAD, mmu.cpu.cr3, 0);
  return loaded;
}

export function setCr3(mmu: Mmu, value: number): boolean {
  const cpu = mmu.cpu;
  const cr3 = value | 0;
  if (mmu.rootLevel === 3) {
    if ((cr3 & 7) !== 0 && !mmu.guarded[H_CR3_RESERVED]) return gp(mmu);
    if (!loadPdptrs(mmu, cr3)) return gp(mmu);
  } else if ((cr3 & 7) !== 0 && !mmu.guarded[H_CR3_RESERVED]) {
    return gp(mmu);
  }
  if ((cr3 & 7) !== 0) mmu.guard(H_CR3_RESERVED, cr3, 0);
  const old = cpu.cr3;
  cpu.cr3 = cr3;
  if (mmu.trace.on) mmu.trace.emit(EV_CR_WRITE, 3, old, cr3);
  if (mmu.slots.hfnOf(cr3 >>> 12) < 0) {
    if (!mmu.guarded[H_CR3_OUTSIDE_MEMORY]) return gp(mmu);
    mmu.guard(H_CR3_OUTSIDE_MEMORY, cr3, 0);
  }
  if (mmu.rootLevel === 0) return true;
  freeRoots(mmu);
  reclaimIfLow(mmu);
  allocRoots(mmu);
  mmu.count[C.tlb_flush]!++;
  loadRoot(mmu, FLUSH_MOV_CR3, false);
  return true;
}

export function setCr4(mmu: Mmu, value: number): boolean {
  const cpu = mmu.cpu;
  const cr4 = value | 0;
  const old = cpu.cr4;
  if ((cr4 & CR4_REFUSED_BY_KVM) !== 0) return gp(mmu);
  if (!validCr4(cr4) && mmu.guarded[H_CR4_BAD_PDPTES]) {
    mmu.guard(H_CR4_BAD_PDPTES, cr4, 0);
    return gp(mmu);
  }
  let refused = false;
  if (isPae(cpu.cr0, cr4)) {
    if ((old & CR4_PAE) === 0) {
      if (!loadPdptrs(mmu, cpu.cr3)) {
        injectGp(mmu);
        if (mmu.guarded[H_CR4_BAD_PDPTES]) {
          mmu.guard(H_CR4_BAD_PDPTES, cr4, 1);
          return false;
        }
        // The reference goes on and installs CR4 all the same.
        refused = true;
      }
    } else if (((old ^ cr4) & (CR4_PGE | CR4_PSE)) !== 0 && mmu.guarded[H_PDPTE_RELOAD]) {
      if (!reloadPdptes(mmu)) return gp(mmu);
    }
  }
  cpu.cr4 = cr4;
  if (mmu.trace.on) mmu.trace.emit(EV_CR_WRITE, 4, old, cr4);
  if (((old ^ cr4) & CR4_PSE) !== 0 && mmu.guarded[H_PSE_CHANGE]) guardZapAll(mmu, H_PSE_CHANGE, cr4);
  resetContext(mmu);
  return !refused;
}

/** LMSW: the low four bits; PE can be set, not cleared (SDM vol. 2). */
export function lmsw(mmu: Mmu, value: number): boolean {
  const old = mmu.cpu.cr0;
  return setCr0(mmu, (old & ~0xe) | (value & 0xf) | (old & CR0_PE));
}

/** CLTS only clears TS: the context is kept (5.9). */
export function clts(mmu: Mmu): void {
  const old = mmu.cpu.cr0;
  mmu.cpu.cr0 = old & ~CR0_TS;
  if (mmu.trace.on) mmu.trace.emit(EV_CR_WRITE, 0, old, mmu.cpu.cr0);
}

/** After the processor changed EFER: the guard's part (3.2), and the unit's registers are the hypervisor's again. */
export function eferChanged(mmu: Mmu, old: number): void {
  if (((old ^ mmu.cpu.efer) & EFER_NXE) !== 0 && mmu.guarded[H_NXE_CHANGE] && keyLacks(mmu, ROLE_NXE)) {
    guardZapAll(mmu, H_NXE_CHANGE, mmu.cpu.efer);
  }
  resetContext(mmu);
}
