/**
 * What a policy means to the panes: whether there is a shadow to look at, and what there is instead.
 */
export const NESTED = "nested";

/** False where the processor walks the guest's own tables: on the bare machine, and under nested paging. */
export function hasShadow(policy: string | undefined): boolean {
  return policy !== "none" && policy !== NESTED;
}

/** Why there is no shadow, for panes that would show one. */
export function withoutShadow(policy: string | undefined): string {
  return policy === NESTED
    ? "Under nested paging the processor walks the guest's own tables, and host tables for every address in them: nothing is shadowed. The Walk pane shows both."
    : "Without a policy the processor walks the guest's own tables.";
}
