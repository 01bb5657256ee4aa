/** A scenario that has the right shape and cannot be carried out: what, where in the file, and what would be right. */
export class ScenarioError extends Error {}
