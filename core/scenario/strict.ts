/**
 * Objects of a scenario document: a key that does not belong there, or one that is missing, is answered with the keys
 * that are allowed.
 */
import * as v from "valibot";

/** An object with exactly these keys (some optional), named `what` in messages. */
export function strict<const T extends v.ObjectEntries>(what: string, entries: T) {
  const allowed = Object.keys(entries).join(", ");
  return v.strictObject(entries, (issue) => {
    const key = issue.path?.at(-1)?.key;
    if (issue.expected === "never") return `${what} has no "${String(key)}"; it takes ${allowed}`;
    if (issue.received === "undefined" && issue.expected !== "Object")
      return `${what} needs "${String(key)}"`;
    return `${what} is an object with ${allowed}`;
  });
}

/** One of several objects, told apart by `key`. */
export function oneOf<const K extends string, const T extends v.VariantOptions<K>>(
  what: string,
  key: K,
  options: T,
) {
  const words = options.map((option) => literalOf(option, key)).join(", ");
  return v.variant(key, options, (issue) =>
    issue.received === "undefined" || issue.path === undefined
      ? `${what} needs "${key}": one of ${words}`
      : `"${key}" of ${what} is one of ${words}, not ${issue.received}`,
  );
}

function literalOf(option: unknown, key: string): string {
  const { entries } = option as { entries: Record<string, { literal?: unknown }> };
  return String(entries[key]?.literal);
}
