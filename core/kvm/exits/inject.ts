/** Injection of exceptions into the guest, and what a page fault on the way of a delivery becomes. docs/kvm-shadow-mmu.md 5.8. */
import { EV_PF_GUEST } from "../../trace/events.ts";
import { VECTORING_HARDWARE_EXCEPTION } from "../../x86/door.ts";
import { C } from "../counters.ts";
import type { Mmu } from "../mmu.ts";
import { H_DOUBLE_FAULT } from "../policy/hazards.ts";

const DF = 8;
const GP = 13;
const PF = 14;

/** Injects #GP(0). */
export function injectGp(mmu: Mmu): void {
  mmu.cpu.inject(GP, VECTORING_HARDWARE_EXCEPTION, 0);
}

/**
 * Injects #PF, or #DF in its place when a #PF was being delivered. True: the processor shuts down instead
 * (a #DF was being delivered: SDM vol. 3, table 6-5).
 */
export function injectPageFault(mmu: Mmu, addr: number, error: number): boolean {
  const cpu = mmu.cpu;
  mmu.count[C.pf_guest]!++;
  const exception = cpu.exit.vectoringType === VECTORING_HARDWARE_EXCEPTION;
  const vector = exception ? cpu.exit.vectoringVector : -1;
  if (mmu.trace.on) mmu.trace.emit(EV_PF_GUEST, addr, error, vector === PF ? DF : PF);
  if (vector === PF) {
    if (mmu.guarded[H_DOUBLE_FAULT]) {
      // The reference leaves CR2; the manual loads it on every page fault.
      if (cpu.cr2 !== addr) mmu.guard(H_DOUBLE_FAULT, addr, vector);
      cpu.cr2 = addr;
    }
    cpu.inject(DF, VECTORING_HARDWARE_EXCEPTION, 0);
    return false;
  }
  if (vector === DF && mmu.guarded[H_DOUBLE_FAULT]) {
    mmu.guard(H_DOUBLE_FAULT, addr, vector);
    cpu.cr2 = addr;
    cpu.cancelInjection();
    return true;
  }
  cpu.cr2 = addr;
  cpu.inject(PF, VECTORING_HARDWARE_EXCEPTION, error);
  return false;
}
