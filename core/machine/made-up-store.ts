/**
 * The hypervisor's answer when a store that no instruction makes (an edit as the guest) takes a page fault exit. It is
 * that of docs/kvm-shadow-mmu.md 5.1, but that the guest's own fault is told instead of injected, and that an
 * emulated write is this one store instead of the instruction at EIP.
 */
import { C } from "../kvm/counters.ts";
import { type Kvm, NestedKvm } from "../kvm/index.ts";
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

/** Handles the EXIT_PF in the processor's record, for a store. */
export function answerMadeUpStore(hypervisor: Kvm | NestedKvm, cpu: Cpu, store: MadeUpStore): MadeUpAnswer {
  const { la, size, low, high, user } = store;
  return answerAccess(hypervisor, cpu, la, () => {
    hypervisor.emulator.write(la, size, low | 0, high | 0, user | ACCESS_WRITE);
  });
}

/** The same for any access at `la`: `carry` makes it through the hypervisor's emulator where that is asked for. */
export function answerAccess(
  hypervisor: Kvm | NestedKvm,
  cpu: Cpu,
  la: number,
  carry: () => void,
): MadeUpAnswer {
  if (hypervisor instanceof NestedKvm) return answerNested(hypervisor, cpu, carry);
  const answer = answerMadeUp(hypervisor, cpu, la, carry);
  enterGuest(hypervisor.mmu);
  return answer;
}

function answerMadeUp(kvm: Kvm, cpu: Cpu, la: number, carry: () => void): MadeUpAnswer {
  const { mmu } = kvm;
  const { reason, gva, error } = cpu.exit;
  mmu.count[C.exits]!++;
  if (mmu.trace.on) mmu.trace.emit(EV_EXIT, reason, gva, error);
  if (!mmu.svm) cpu.paging.flush(FLUSH_EXIT, false);
  reclaimIfLow(mmu);
  mmu.mustEmulate = -1;
  mmu.finding = null;
  const what = mmu.policy.pageFault(mmu, gva, error);
  if (what === FAULT_GUEST) return { kind: "guest-fault", gva: gva >>> 0, error: mmu.walker.error };
  if (what === FAULT_EMULATE || what === FAULT_MMIO || mmu.mustEmulate >= 0)
    return emulate(kvm, cpu, la, carry);
  return { kind: "again" };
}

/** The same under nested paging: the page is mapped, or (no memory there) `carry` makes the access by the emulator. */
function answerNested(nested: NestedKvm, cpu: Cpu, carry: () => void): MadeUpAnswer {
  if (nested.answerFault()) return { kind: "again" };
  nested.emulator.begin();
  cpu.faulted = false;
  cpu.setEmulating(true);
  carry();
  cpu.setEmulating(false);
  const faulted = cpu.faulted;
  cpu.faulted = false;
  return faulted ? { kind: "guest-fault", gva: cpu.excAddress >>> 0, error: cpu.excError } : { kind: "done" };
}

/** The access on the emulator's path: of a store the policy hears before the bytes change. */
function emulate(kvm: Kvm, cpu: Cpu, la: number, carry: () => void): MadeUpAnswer {
  const { emulator, mmu } = kvm;
  emulator.begin();
  cpu.faulted = false;
  cpu.setEmulating(true);
  carry();
  cpu.setEmulating(false);
  const faulted = cpu.faulted;
  cpu.faulted = false;
  if (emulator.mmio) mmu.count[C.mmio_exits]!++;
  if (mmu.trace.on) {
    const result = faulted ? EMULATE_FAULT : emulator.mmio ? EMULATE_MMIO : EMULATE_DONE;
    mmu.trace.emit(EV_EMULATE, la, result);
  }
  return faulted ? { kind: "guest-fault", gva: cpu.excAddress >>> 0, error: cpu.excError } : { kind: "done" };
}
