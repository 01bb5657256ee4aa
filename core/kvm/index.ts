/** What the rooms above may use of the hypervisor. */
export { auditNames, INVARIANTS, type Invariant, type Violation } from "./audit/index.ts";
export { COUNTERS, type CounterRow } from "./counters.ts";
export {
  KVM_CONTINUE,
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  KVM_UNIMPLEMENTED,
} from "./exits/handle.ts";
export { EXITS, type ExitRow, interceptsOf, type TlbKind } from "./exits/table.ts";
export { type GuestWalk, Kvm, type KvmOptions } from "./kvm.ts";
export * from "./layout.ts";
export { HAZARDS, type Hazard, type HazardSetting } from "./policy/hazards.ts";
export { POLICY_TABLE as POLICIES } from "./policy/policies.ts";
export { describePaeRoot, type ShadowPage } from "./report.ts";
export { parentsOf } from "./shadow/parents.ts";
export { rmapOf } from "./shadow/rmap.ts";
export { decodeRole, type Role } from "./shadow/role.ts";
export type { KvmState } from "./state.ts";
