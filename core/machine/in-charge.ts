/**
 * Who has the processor: nobody (the bare machine), the hypervisor with its shadow, or the one under nested paging. Puts
 * a policy in charge, takes it out again, and hands it the exits.
 */
import {
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  KVM_UNIMPLEMENTED,
  Kvm,
  type KvmState,
  NESTED,
  NestedKvm,
  type NestedKvmState,
} from "../kvm/index.ts";
import { EV_POLICY, FLUSH_RESET_CONTEXT } from "../trace/events.ts";
import type { GuestBus } from "../x86/bus.ts";
import { RUN_HALTED, RUN_RETIRED, RUN_SHUTDOWN, RUN_UNIMPLEMENTED } from "../x86/door.ts";
import type { Plain } from "./codec.ts";
import type { Machine } from "./machine.ts";
import { NESTED_LEVELS, POLICY_IDS, POLICY_NONE } from "./setup.ts";

export class InCharge {
  kvm: Kvm | null = null;
  nested: NestedKvm | null = null;

  /** @param bareBus what the processor is put on when nobody has it */
  constructor(
    private readonly machine: Machine,
    private readonly bareBus: GuestBus,
  ) {}

  /** Hands the processor to the hypervisor, if the setup names one. */
  takeOver(): void {
    const { policy } = this.machine.setup;
    if (policy === POLICY_NONE) return;
    if (policy === NESTED) {
      this.nested = this.makeNested();
      this.nested.start();
    } else {
      this.kvm = this.makeKvm();
      this.kvm.start();
    }
  }

  private makeKvm(): Kvm {
    const { memory, slots, cpu, trace, setup } = this.machine;
    const { policy, tlb, hazards, tuning } = setup;
    return new Kvm(memory, slots, cpu, trace, { policy, tlb, hazards, tuning });
  }

  private makeNested(): NestedKvm {
    const { memory, slots, cpu, trace, setup } = this.machine;
    const { tlb, nestedLevels, walkCache } = setup;
    return new NestedKvm(memory, slots, cpu, trace, {
      tlb,
      levels: nestedLevels ?? NESTED_LEVELS,
      walkCache: walkCache ?? 0,
    });
  }

  /** Puts another policy (or none) in charge. */
  change(policy: string): void {
    const { machine } = this;
    const before = machine.setup.policy;
    machine.setup = { ...machine.setup, policy };
    if (policy === before) return;
    if (this.kvm !== null && policy !== POLICY_NONE && policy !== NESTED) {
      this.kvm.setPolicy(policy);
      return;
    }
    const { trace } = machine;
    if (trace.on) trace.emit(EV_POLICY, POLICY_IDS.indexOf(before), POLICY_IDS.indexOf(policy));
    if (before !== POLICY_NONE) this.leave();
    this.takeOver();
  }

  /** The bare machine again: the processor walks the guest's own tables, with the PDPTEs that were loaded. */
  private leave(): void {
    const { cpu } = this.machine;
    const { pdptes } = this.machine.guestPaging();
    this.kvm?.stop();
    this.kvm = null;
    this.nested?.stop();
    this.nested = null;
    cpu.bus = this.bareBus;
    cpu.applyControls();
    cpu.paging.pdptes.set(pdptes);
    cpu.paging.flush(FLUSH_RESET_CONTEXT, false);
  }

  /** The hypervisor with its shadow. @throws when there is none: an exit on the bare machine is a bug */
  hypervisor(): Kvm {
    if (this.kvm === null) throw new Error(`an exit (${this.machine.cpu.exit.reason}) without a hypervisor`);
    return this.kvm;
  }

  /** Lets the hypervisor handle the exit. Answers RUN_RETIRED (go on) or another RUN_ reason. */
  handleExit(): number {
    const { machine } = this;
    machine.exits++;
    const kvm = this.nested ?? this.hypervisor();
    machine.watch.begin(machine.cpu.eip >>> 0);
    switch (kvm.handleExit()) {
      case KVM_HALTED:
        return RUN_HALTED;
      case KVM_SHUTDOWN:
        return RUN_SHUTDOWN;
      case KVM_UNIMPLEMENTED:
        return RUN_UNIMPLEMENTED;
      case KVM_FINDING:
        machine.watch.note(kvm.finding ?? "the hypervisor reports a finding without a name");
        return RUN_RETIRED;
      default:
        return RUN_RETIRED;
    }
  }

  /** What a snapshot keeps of the hypervisor; null on the bare machine. */
  save(): Plain {
    return ((this.kvm ?? this.nested)?.save() ?? null) as unknown as Plain;
  }

  /** @param state of `save`, of a machine with this one's setup */
  load(state: Plain): void {
    if (state === null) return;
    if (this.machine.setup.policy === NESTED) {
      this.nested = this.makeNested();
      this.nested.load(state as unknown as NestedKvmState);
    } else {
      this.kvm = this.makeKvm();
      this.kvm.load(state as unknown as KvmState);
    }
  }
}
