/**
 * The nanobenchmarks of Adams and Agesen (2006) as guest programs: what one round of each makes the machine do under each
 * policy, what the cost model says it would take, and what was published.
 */
import { policyById } from "../../kvm/policy/policies.ts";
import { POLICY_NONE } from "../../machine/setup.ts";
import { allCycles, COST_ROWS, type CostTable, exitCycles } from "../cost.ts";
import { aRound, type Choice, measure, type Program, program } from "../load.ts";
import { PUBLISHED, PUBLISHED_ON } from "../published.ts";
import type { Experiment, ExperimentResult, Progress, Row } from "../result.ts";
import { NESTED, NEVER, REFERENCE, soundPolicies } from "./policies.ts";

const ROUNDS = 128;
interface Bench {
  readonly name: string;
  readonly program: Program;
  readonly choice: Choice;
  /** Name of the published figures, where they are of the same thing. */
  readonly published: string;
}

const plain = (name: Program): Bench => ({ name, program: name, choice: {}, published: name });
const LOADS: readonly Bench[] = [
  plain("call/ret"),
  plain("in"),
  plain("divzero"),
  plain("pgfault"),
  plain("syscall"),
  plain("sysenter"),
  plain("ptemod"),
  // What the hardware VMM of the paper does: each write is trapped, however many there are.
  {
    name: "ptemod, detector off",
    program: "ptemod",
    choice: { tuning: { floodThreshold: NEVER } },
    published: "ptemod",
  },
  plain("ptemod and use"),
];

const round = (n: number | null): number | null => (n === null ? null : Math.round(n * 1000) / 1000);
const percent = (predicted: number | null, published: number | undefined): number | null =>
  predicted === null || published === undefined
    ? null
    : Math.round((100 * (predicted - published)) / published);

export const nanobench: Experiment = {
  id: "nanobench",
  title: "The nanobenchmarks of Adams and Agesen (2006)",
  help: "call/ret, in, divzero, page faults, system calls and PTE writes under each policy: exits a round, cycles by the cost model, and the published figures beside them.",
  *run(tables: readonly CostTable[]): Generator<Progress, ExperimentResult> {
    const policies = soundPolicies();
    const rows: Row[] = [];
    const total = LOADS.length * policies.length;
    let done = 0;
    for (const policy of policies) {
      const emptyLoad = program("empty", ROUNDS);
      const empty = yield* quietly(measure(emptyLoad, policy), { done, total, what: `${policy}: empty` });
      for (const { name, program: wanted, choice, published: key } of LOADS) {
        const load = program(wanted, ROUNDS);
        const at = { done, total, what: `${policy}: ${name}` };
        const measured = yield* quietly(measure(load, policy, choice), at);
        done++;
        if (measured === null) {
          rows.push({ program: name, policy, remark: "this processor has no such instruction" });
          continue;
        }
        const one = aRound(measured, load, empty);
        const published = PUBLISHED[key];
        const against =
          policy === POLICY_NONE ? published?.native : policy === REFERENCE ? published?.hardware : undefined;
        const row: Record<string, number | string | null> = {
          program: name,
          policy,
          instructions: round(one.instructions),
          deliveries: round(one.deliveries),
          exits: round(one.allExits),
          emulated: round(one.emulated),
          injected: round(one.injected),
          published: against ?? null,
          published_software: policy === REFERENCE ? (published?.software ?? null) : null,
          remark: remarkOf(name, policy),
        };
        for (const table of tables) {
          const cycles = allCycles(one, table);
          row[`cycles_${table.id}`] = round(cycles);
          row[`exit_cycles_${table.id}`] = round(exitCycles(one, table));
          if (table.id === PUBLISHED_ON) row.deviation = percent(cycles, against);
        }
        rows.push(row);
      }
    }
    return {
      experiment: "nanobench",
      title: this.title,
      columns: [
        { id: "program", title: "Program", unit: "" },
        { id: "policy", title: "Policy", unit: "" },
        { id: "instructions", title: "Instructions", unit: "a round" },
        { id: "deliveries", title: "Deliveries", unit: "a round" },
        { id: "exits", title: "VM exits", unit: "a round" },
        { id: "emulated", title: "Emulated", unit: "a round" },
        { id: "injected", title: "#PF injected", unit: "a round" },
        ...tables.flatMap((table) => [
          { id: `cycles_${table.id}`, title: `Predicted, ${table.title}`, unit: "cycles" as const },
          {
            id: `exit_cycles_${table.id}`,
            title: `of it exits, ${table.title}`,
            unit: "cycles" as const,
          },
        ]),
        { id: "published", title: "Published (Pentium 4 672)", unit: "cycles" },
        { id: "deviation", title: "Prediction less published", unit: "%" },
        { id: "published_software", title: "Published, software VMM", unit: "cycles" },
        { id: "remark", title: "Remark", unit: "" },
      ],
      rows,
      charts: [
        {
          id: "exits",
          title: "VM exits a round",
          kind: "bars",
          x: "program",
          by: "policy",
          y: ["exits"],
          log: false,
          xTitle: "program",
          yTitle: "exits",
        },
        {
          id: "cycles",
          title: `Predicted and published cycles, ${tables[0]?.title ?? ""}, policy ${REFERENCE} and the bare machine`,
          kind: "bars",
          x: "program",
          by: null,
          y: [`cycles_${tables[0]?.id ?? ""}`, "published"],
          log: true,
          xTitle: "program and policy",
          yTitle: "cycles",
        },
      ],
      notes: [
        `${ROUNDS} rounds of each program behind four to warm up; an empty loop of as many rounds is taken off the instructions.`,
        "The published hardware VMM is VMware's with shadow paging, held against policy B; the native column against the bare machine. Its software VMM is binary translation, which this machine does not do: that column is shown as published and never reckoned.",
        "cr8wr does not exist in a 32-bit guest: CR8 is long mode's (SDM vol. 3, 10.8.6).",
        "Predictions add cited micro-measurements and nothing else: the time of the hypervisor's own code between its VMCS accesses, caches and the way to userspace (in) are left out. The shortfall is theirs.",
        ...COST_ROWS.map((row) => `Cost of ${row.title}: ${row.source}.`),
      ],
    };
  },
};

function remarkOf(name: string, policy: string): string | null {
  if (name.startsWith("ptemod") && policy === NESTED)
    return "the guest's tables are its own: a write to one is no exit";
  if (name.startsWith("ptemod") && policyById(policy)?.unsync)
    return "the table goes out of sync at its first write, and is writable until the guest flushes (9.3)";
  if (name === "ptemod" && policy !== POLICY_NONE)
    return "a page that nobody uses: the third write of a run is taken for a flood, the table is no longer shadowed, and the stores then go through without exits (6.3)";
  if (name === "divzero" && policy === POLICY_NONE) return "an input of the cost model, not a prediction";
  return null;
}

/** Passes on that work is going on, in the experiment's own words. */
export function* quietly<T>(work: Generator<number, T>, at: Progress): Generator<Progress, T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    yield at;
  }
}
