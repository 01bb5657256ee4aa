/** Which policies an experiment compares: those that are there, but for the two that corrupt guests. */
import { POLICY_IDS } from "../../machine/setup.ts";

/** Policies that no guard repairs (docs/kvm-shadow-mmu.md 6.4, 9.1): what they cost says nothing. */
const CORRUPT = new Set(["A0", "D"]);

export { NESTED } from "../../kvm/index.ts";
/** The reference: commit fce0657. */
export const REFERENCE = "B";

export const soundPolicies = (): string[] => POLICY_IDS.filter((id) => !CORRUPT.has(id));

/** A flood threshold that no run reaches: the detector is off. */
export const NEVER = 1_000_000_000;
