/**
 * Programs as cases: their generator, machines in front of them, and what is asked of each: that what the guest sees
 * under a hypervisor is what a bare machine may show (lockstep.ts).
 */
import fc from "fast-check";
import type { Machine } from "../../core/machine/machine.ts";
import type { MachineSetup } from "../../core/machine/setup.ts";
import { type Case, caseText, encode, INDEX, isDirectory, type Mode, pages, tablesOf } from "./cases.ts";
import { entry } from "./draw.ts";
import { follow, type Open } from "./lockstep.ts";
import { bootProgram, difference, FORM_COUNT, formName, type ProgramOp } from "./program.ts";

/** Units: far more than the operations need, unless one of them jumps into a table. */
export const BUDGET = 30_000;

export interface Program {
  readonly entries: Case["entries"];
  readonly ops: readonly ProgramOp[];
}

const offset = fc.constantFrom(0, 0, 4, 8, 0x400, 0x7fc, 0x800, 0x804, 0xffc, 0xffe, 0x801);

const operation = (mode: Mode): fc.Arbitrary<ProgramOp> => {
  const page = fc.nat(pages(mode).length - 1);
  return fc.oneof(
    {
      arbitrary: fc.record({
        op: fc.constant("run" as const),
        form: fc.nat(FORM_COUNT - 1),
        user: fc.boolean(),
        page,
        offset,
        other: page,
        value: entry(mode, false).map((e) => encode(mode, e)),
      }),
      weight: 30,
    },
    { arbitrary: fc.record({ op: fc.constant("cr3" as const), root: fc.nat(3) }), weight: 2 },
    { arbitrary: fc.record({ op: fc.constant("stack" as const), page, offset }), weight: 1 },
    { arbitrary: fc.record({ op: fc.constant("invlpg" as const), page }), weight: 1 },
    {
      arbitrary: fc
        .constantFrom<"wp" | "pse" | "nxe">("wp", "wp", "pse", "nxe")
        .map((op): ProgramOp => ({ op })),
      weight: 2,
    },
  );
};

/** Tables as the marathon draws them (draw.ts), and up to `most` operations. */
export const program = (mode: Mode, most: number): fc.Arbitrary<Program> =>
  fc.record({
    entries: fc.tuple(
      ...tablesOf(mode).flatMap((_, n) => INDEX[mode].map(() => entry(mode, isDirectory(mode, n)))),
    ),
    ops: fc.array(operation(mode), { minLength: 1, maxLength: most, size: "max" }),
  });

/** @param policy a policy's id; nested paging may be followed by host levels and entries of the walk caches */
export function boot(mode: Mode, policy: string, p: Program, wish: Partial<MachineSetup> = {}): Machine {
  const [id, levels, walkCache] = policy.split(" ");
  const nested = { nestedLevels: levels === "3" ? 3 : 4, walkCache: Number(walkCache ?? 0) } as const;
  return bootProgram(mode, id!, { entries: p.entries, ops: [] }, p.ops, { ...nested, ...wish });
}

export const named = (ops: readonly ProgramOp[]): string =>
  ops.map((o) => (o.op === "run" ? `${o.user ? "user " : ""}${formName(o.form)}` : o.op)).join("; ");

/** A program as kept.test.ts keeps it. */
const textOf = (mode: Mode, p: Program): string =>
  `${named(p.ops)}: { ...${caseText(mode, { entries: p.entries, ops: [] })}, ops: ${JSON.stringify(p.ops)} }`;

/**
 * Runs a program under a policy, and bare. Most programs end alike at once; the others are followed instruction by
 * instruction, and `open` counts what of that which the manual leaves open they came across.
 * @throws in words when it does what no bare machine may
 */
export function playProgram(
  mode: Mode,
  policy: string,
  p: Program,
  open: Open,
  wish: Partial<MachineSetup> = {},
): Machine {
  const bare = boot(mode, "none", p);
  bare.run(BUDGET);
  const kvm = boot(mode, policy, p, wish);
  kvm.run(BUDGET);
  if (kvm.stop.reason === "bug" || kvm.stop.reason === "finding")
    throw new Error(`${kvm.stop.detail}: ${textOf(mode, p)}`);
  if (difference(bare, kvm) === null) return kvm;
  const wrong = follow(() => boot(mode, "none", p), boot(mode, policy, p, wish), BUDGET, open);
  if (wrong !== null) throw new Error(`${wrong}: ${textOf(mode, p)}`);
  return kvm;
}
