/** What the rooms above may use of the hypervisor. */
export { auditNames, INVARIANTS, type Invariant, type Violation } from "./audit/index.ts";
export { COUNTERS, type CounterRow } from "./counters.ts";
export {
  KVM_CONTINUE,
  KVM_FINDING,
  KVM_HALTED,
  KVM_SHUTDOWN,
  KVM_UNIMPLEMENTED,
} from "./exits/disposition.ts";
export { EXITS, type ExitRow, interceptsOf, type TlbKind } from "./exits/table.ts";
export { type GuestWalk, Kvm, type KvmOptions } from "./kvm.ts";
export * from "./layout.ts";
export { NESTED_FRAME, NESTED_FRAMES_END } from "./nested/host-tables.ts";
export { NestedKvm, type NestedKvmState, type NestedOptions } from "./nested/nested-kvm.ts";
export { HAZARDS, type Hazard, type HazardSetting } from "./policy/hazards.ts";
export { NESTED, POLICY_ROWS as POLICIES, type PolicyRow } from "./policy/rows.ts";
export { POOL_LEAST, type Tuning } from "./policy/tuning.ts";
export { describePaeRoot, type ShadowPage } from "./report.ts";
export { parentsOf } from "./shadow/parents.ts";
export { rmapOf } from "./shadow/rmap.ts";
export { accessLetters, decodeRole, type Role } from "./shadow/role.ts";
export { type RoleLayout, roleFieldsOf, shownRole } from "./shadow/role-layouts.ts";
export type { KvmState } from "./state.ts";
export { TRACE_FORMATS, TRACEPOINTS, TraceExport, type TraceFormat, type Tracepoint } from "./tracepoints.ts";
export { WRITE_PAGE_WORDS, type WriteRecord } from "./write/last-writes.ts";
