/** The audits of the shadow, for the rooms above: of everything, and of what was touched. */
export { audit, auditNames, auditTlb } from "./checks.ts";
export { IncrementalAudit } from "./incremental.ts";
export { INVARIANTS, type Invariant } from "./invariants.ts";
export { Touched } from "./touched.ts";
export { Sink, type Violation } from "./violation.ts";
