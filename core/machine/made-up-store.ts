/**
 * The hypervisor's answer when a store that no instruction makes (an edit as the guest) takes a page fault exit. It is
 * that of docs/kvm-shadow-mmu.md 5.1, but that the guest's own fault is told instead of injected, and that an
 * emulated write is this one store instead of the instruction at EIP.
 */
import { C } from "../kvm/counters.ts";
import type { Kvm } from "../kvm/index.ts";
import { FAULT_EMULATE, FAULT_GUEST, FAULT_MMIO } from "../kvm/shadow/fault.ts";
import { reclaimIfLow } from "../kvm/shadow/page.ts";
import { enterGuest } from "../kvm/shadow/roots.ts";
import { EV_EMULATE, EV_EXIT, FLUSH_EXIT } from "../trace/events.ts";
import type { Cpu } from "../x86/cpu.ts";
import { ACCESS_WRITE } from "../x86/door.ts";

export interface MadeUpStore {
  /** Linear address, int32. */
  readonly la: number;
  readonly size: number;
  readonly low: number;
  readonly high: number;
  /** ACCESS_USER or 0. */
  readonly user: number;
}

export type MadeUpAnswer =
  | { readonly kind: "again" }
  | { readonly kind: "done" }
  | { readonly kind: "guest-fault"; readonly gva: number; readonly error: number };

const EMULATE_DONE = 0;
const EMULATE_FAULT = 1;
const EMULATE_MMIO = 2;

/** Handles the EXIT_PF in the processor's record. */
export function answerMadeUpStore(kvm: Kvm, cpu: Cpu, store: MadeUpStore): MadeUpAnswer {
  const answer = answerExit(kvm, cpu, store);
  enterGuest(kvm.mmu);
  return answer;
}

function answerExit(kvm: Kvm, cpu: Cpu, store: MadeUpStore): MadeUpAnswer {
  const { mmu } = kvm;
  const { reason, gva, error } = cpu.exit;
  mmu.count[C.exits]!++;
  if (mmu.trace.on) mmu.trace.emit(EV_EXIT, reason, gva, error);
  if (!mmu.svm) cpu.paging.flush(FLUSH_EXIT, false);
  reclaimIfLow(mmu);
  mmu.mustEmulate = -1;
  const what = mmu.policy.pageFault(mmu, gva, error);
  if (what === FAULT_GUEST) return { kind: "guest-fault", gva: gva >>> 0, error: mmu.walker.error };
  if (what === FAULT_EMULATE || what === FAULT_MMIO || mmu.mustEmulate >= 0) return emulate(kvm, cpu, store);
  return { kind: "again" };
}

/** The store on the emulator's path: the policy hears of it before the bytes change. */
function emulate(kvm: Kvm, cpu: Cpu, store: MadeUpStore): MadeUpAnswer {
  const { emulator, mmu } = kvm;
  emulator.begin();
  cpu.faulted = false;
  cpu.setEmulating(true);
  emulator.write(store.la, store.size, store.low | 0, store.high | 0, store.user | ACCESS_WRITE);
  cpu.setEmulating(false);
  const faulted = cpu.faulted;
  cpu.faulted = false;
  if (emulator.mmio) mmu.count[C.mmio_exits]!++;
  if (mmu.trace.on) {
    const result = faulted ? EMULATE_FAULT : emulator.mmio ? EMULATE_MMIO : EMULATE_DONE;
    mmu.trace.emit(EV_EMULATE, store.la, result);
  }
  return faulted ? { kind: "guest-fault", gva: cpu.excAddress >>> 0, error: cpu.excError } : { kind: "done" };
}
