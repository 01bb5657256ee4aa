/** Which policies an experiment compares: those that are there, but for the two that corrupt guests. */
import { POLICY_IDS } from "../../machine/machine.ts";
import { POLICY_NONE } from "../../machine/setup.ts";

/** Policies that no guard repairs (docs/kvm-shadow-mmu.md 6.4, 9.1): what they cost says nothing. */
const CORRUPT = new Set(["A0", "D"]);
export const NESTED = "nested";
/** The reference: commit fce0657. */
export const REFERENCE = "B";

export const soundPolicies = (): string[] => POLICY_IDS.filter((id) => !CORRUPT.has(id));
export const shadowPolicies = (): string[] =>
  soundPolicies().filter((id) => id !== POLICY_NONE && id !== NESTED);
