/**
 * What the schema cannot see: names of symbols and fields of events. Checked before a scenario's first step, so that a
 * bad file is refused as a whole.
 */
import type { Step } from "./document.ts";
import { ScenarioError } from "./error.ts";
import { checkFields } from "./judge.ts";
import type { DocumentPath, Scenario } from "./parse.ts";
import type { Address } from "./values.ts";

/** Keys whose text is an address. */
const ADDRESS_KEYS = new Set(["gva", "at", "address", "maps", "gpa", "pte", "pde"]);
const NUMERIC = /^0x[0-9a-fA-F_]+$/;

/** Resolves an address: a number, "0x…", or a symbol with an offset. @throws ScenarioError */
export function resolver(symbols: ReadonlyMap<string, number>): (address: Address) => number {
  return (address) => {
    if (typeof address === "number") return address;
    if (NUMERIC.test(address)) return Number(address.replaceAll("_", ""));
    const [name = "", offset = "0"] = address.split("+");
    const base = symbols.get(name);
    if (base !== undefined) return base + Number(offset);
    throw new ScenarioError(
      symbols.size === 0
        ? `there is no symbol "${name}": this machine has no symbols, so an address is a number`
        : `there is no symbol "${name}"`,
    );
  };
}

/** @throws ScenarioError with the place of the first name that does not exist */
export function checkSteps(scenario: Scenario, resolve: (address: Address) => number): void {
  const { steps } = scenario.document;
  const at = (path: DocumentPath, run: () => void) => {
    try {
      run();
    } catch (error) {
      if (error instanceof ScenarioError)
        throw new ScenarioError(`${scenario.where(path)}: ${error.message}`);
      throw error;
    }
  };
  const snapshots = new Set<string>();
  steps.forEach((step: Step, i) => {
    addresses(step, ["steps", i], (path, address) => at(path, () => resolve(address)));
    if (step.do === "snapshot") snapshots.add(step.name);
    if (step.do === "compare" && !snapshots.has(step.with)) {
      at(["steps", i, "with"], () => {
        throw new ScenarioError(`there is no snapshot "${step.with}" before this step`);
      });
    }
    if (step.do === "run" && "event" in step.until) {
      const { event, where } = step.until;
      at(["steps", i, "until"], () => checkFields(event, where, resolve));
    }
    (step.predict ?? []).forEach((wanted, n) => {
      const path = ["steps", i, "predict", n];
      if (wanted.what === "event") at(path, () => checkFields(wanted.name, wanted.where, resolve));
      if (wanted.what === "register") at(path, () => resolve(wanted.is));
      if (wanted.what === "changed")
        at(path, () => (wanted.memory ?? []).forEach((address) => void resolve(address)));
    });
  });
}

function addresses(
  value: unknown,
  path: DocumentPath,
  found: (path: DocumentPath, address: string) => void,
): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "where") continue;
    const here = [...path, Array.isArray(value) ? Number(key) : key];
    if (typeof inner === "string" && ADDRESS_KEYS.has(key)) found(here, inner);
    else addresses(inner, here, found);
  }
}
