/**
 * Whole programs of real instructions, at CPL 0 and 3: under P, B, C and nested paging what the guest can observe equals the
 * bare machine, and stepping equals running, counters, TLB and shadow pages included.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Machine } from "../../core/machine/machine.ts";
import { snapshotToBytes, takeSnapshot } from "../../core/machine/snapshot.ts";
import { type Case, type Entry, encode, FRAMES, INDEX, type Mode, pages, tablesOf } from "./cases.ts";
import { bootProgram, difference, FORM_COUNT, formName, logOf, type ProgramOp } from "./program.ts";

const MODES: readonly Mode[] = ["nonpae", "pae"];
const runs = Number(process.env.QUADRANT_RUNS ?? 40);
const seed = Number(process.env.QUADRANT_SEED ?? 20070501);
/** Units: far more than the operations need, unless one of them jumps into a table. */
const BUDGET = 30_000;

const offset = fc.constantFrom(0, 0, 4, 8, 0x400, 0x7fc, 0x800, 0x804, 0xffc, 0xffe, 0x801);

/** Nine times in ten `usual`. */
const mostly = <T>(usual: T, other: T): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 8 }, { arbitrary: fc.constant(other), weight: 1 });

/** Not the marathon's (draw.ts): the cases kept below are replayed by the path that this one took. */
const entry = (mode: Mode, directory: boolean): fc.Arbitrary<Entry> =>
  fc.record({
    // A directory's entries name page tables, a page table's anything.
    frame: fc.oneof(
      { arbitrary: directory ? fc.nat(3) : fc.integer({ min: 8, max: 14 }), weight: 6 },
      { arbitrary: fc.nat(FRAMES.length - 1), weight: 3 },
    ),
    flags: fc
      .tuple(
        mostly(1, 0),
        mostly(2, 0),
        mostly(4, 0),
        fc.constantFrom(0x20, 0),
        fc.constantFrom(0x40, 0),
        mostly(0, 0x80),
        mostly(0, 0x100),
        mostly(0, 0x18),
      )
      .map((bits) => bits.reduce((a, b) => a | b, 0)),
    nx: mode === "pae" ? mostly(false, true) : fc.constant(false),
  });

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

interface Program {
  readonly entries: Case["entries"];
  readonly ops: readonly ProgramOp[];
}

const program = (mode: Mode, most: number): fc.Arbitrary<Program> =>
  fc.record({
    entries: fc.tuple(...tablesOf(mode).flatMap((gfn) => INDEX[mode].map(() => entry(mode, gfn < 5)))),
    ops: fc.array(operation(mode), { minLength: 1, maxLength: most, size: "max" }),
  });

/** @param policy a policy's id; nested paging may be followed by host levels and entries of the walk caches */
const boot = (mode: Mode, policy: string, p: Program, tlb: "vmx" | "svm" = "vmx"): Machine => {
  const [id, levels, walkCache] = policy.split(" ");
  const nested = { nestedLevels: levels === "3" ? 3 : 4, walkCache: Number(walkCache ?? 0) } as const;
  return bootProgram(mode, id!, { entries: p.entries, ops: [] }, p.ops, { tlb, ...nested });
};

/**
 * Makes the processor walk for every access. Where one instruction or delivery rewrites the tables that it is itself
 * translated through, its later accesses may use either translation (SDM vol. 3, 4.10): so what a guest sees under KVM
 * must be what the bare machine gives with its TLB, or what it gives without one. Instruction by instruction: within a
 * run the processor keeps the translation of the page that it executes.
 */
function runWithoutTlb(machine: Machine): Machine {
  const { paging } = machine.cpu;
  const lookup = paging.lookup.bind(paging);
  paging.tlb.derive = () => {};
  paging.lookup = (la: number, access: number) => {
    paging.tlb.flush(false);
    return lookup(la, access);
  };
  for (let before = -1; machine.time < BUDGET && machine.time !== before && !machine.over; ) {
    before = machine.time;
    machine.run(1);
  }
  return machine;
}

const named = (ops: readonly ProgramOp[]): string =>
  ops.map((o) => (o.op === "run" ? `${o.user ? "user " : ""}${formName(o.form)}` : o.op)).join("; ");

describe("programs of real instructions", () => {
  for (const mode of MODES) {
    for (const [policy, tlb] of [
      ["P", "vmx"],
      ["B", "vmx"],
      ["C", "vmx"],
      ["B", "svm"],
      ["nested 3 0", "vmx"],
      ["nested 4 8", "vmx"],
      ["nested 4 0", "svm"],
    ] as const) {
      it(`${mode} under ${policy} (${tlb}) as on the bare machine`, () => {
        let faults = 0;
        let reads = 0;
        fc.assert(
          fc.property(program(mode, 25), (p) => {
            const bare = boot(mode, "none", p);
            bare.run(BUDGET);
            const kvm = boot(mode, policy, p, tlb);
            kvm.run(BUDGET);
            if (kvm.stop.reason === "bug" || kvm.stop.reason === "finding") throw new Error(kvm.stop.detail);
            let found = difference(bare, kvm);
            if (found !== null) {
              const walking = runWithoutTlb(boot(mode, "none", p));
              if (difference(walking, kvm) === null) found = null;
            }
            if (found !== null) throw new Error(`${found}: ${named(p.ops)}`);
            expect(kvm.nested !== null).toBe(policy.startsWith("nested"));
            const [violation] = kvm.audit().violations;
            if (violation !== undefined) throw new Error(`${violation.invariant}: ${violation.message}`);
            for (const line of logOf(kvm)) {
              if (line.startsWith("30 ")) reads++;
              else faults++;
            }
          }),
          { numRuns: runs, seed },
        );
        // The programs did something: accesses that passed, and faults.
        expect(reads).toBeGreaterThan(runs);
        expect(faults).toBeGreaterThan(runs);
      });
    }
  }
});

it("a frame that rewrites the tables of its own stack (found by the soak of 2026-11-23)", () => {
  const path =
    "74:0:0:0:0:1:1:1:2:1:2:2:2:2:2:2:2:2:2:2:2:2:2:2:2:2:2:2:2:5:5:5:5:5:5:1:4:4:4:5:5:4:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:5:7:4:4:4:5:9:9:14:14:14:14:14:14:14:12:12";
  let played = 0;
  fc.assert(
    fc.property(program("nonpae", 25), (p) => {
      const bare = runWithoutTlb(boot("nonpae", "none", p));
      for (const policy of ["P", "B", "C"]) {
        const kvm = boot("nonpae", policy, p);
        kvm.run(BUDGET);
        expect(difference(bare, kvm)).toBeNull();
      }
      expect(named(p.ops)).toBe("stack; popa; cr3");
      played++;
    }),
    { seed: 1795400671, path, endOnFailure: true, numRuns: 75 },
  );
  expect(played).toBe(1);
});

it("a program that runs wild in a page whose entries it rewrites (found by the soak of 2026-11-23)", () => {
  let played = 0;
  fc.assert(
    fc.property(program("nonpae", 25), (p) => {
      const bare = runWithoutTlb(boot("nonpae", "none", p));
      for (const policy of ["P", "B", "C"]) {
        const kvm = boot("nonpae", policy, p);
        kvm.run(BUDGET);
        expect(difference(bare, kvm)).toBeNull();
      }
      expect(bare.stop.reason).toBe("triple-fault");
      played++;
    }),
    { seed: 1795400671, path: "74", endOnFailure: true, numRuns: 1 },
  );
  expect(played).toBe(1);
});

describe("stepping equals running", () => {
  const bytesOf = (machine: Machine): Uint8Array => {
    // Whether and when the machine was looked at is no part of what is compared.
    machine.setAudit("off", "stop");
    machine.stop = { reason: "paused", detail: "" };
    return snapshotToBytes(takeSnapshot(machine));
  };

  for (const mode of MODES) {
    for (const [policy, tlb] of [
      ["none", "vmx"],
      ["B", "vmx"],
      ["C", "vmx"],
      ["B", "svm"],
      ["nested 3 2", "svm"],
    ] as const) {
      it(`${mode} under ${policy} (${tlb})`, () => {
        fc.assert(
          fc.property(
            program(mode, 12),
            fc.array(fc.constantFrom(1, 1, 1, 2, 3, 7, 40), { minLength: 1, maxLength: 8 }),
            (p, cuts) => {
              const [whole, cut, audited, traced] = [0, 1, 2, 3].map(() => boot(mode, policy, p, tlb));
              const goal = 400;
              whole!.run(goal);
              for (let i = 0; cut!.time < goal && !cut!.over; i++) {
                const before = cut!.time;
                cut!.run(Math.min(cuts[i % cuts.length]!, goal - cut!.time));
                if (cut!.time === before) break;
              }
              // With somebody looking, nothing takes a short way (core/kvm/exits/plain-fault.ts and its like).
              audited!.setAudit("every", "mark");
              audited!.run(goal);
              traced!.trace.on = true;
              traced!.run(goal);
              traced!.trace.on = false;
              const expected = bytesOf(whole!);
              if (Buffer.compare(expected, bytesOf(cut!)) !== 0) throw new Error(`cut: ${named(p.ops)}`);
              if (Buffer.compare(expected, bytesOf(audited!)) !== 0)
                throw new Error(`audited: ${named(p.ops)}`);
              if (Buffer.compare(expected, bytesOf(traced!)) !== 0)
                throw new Error(`traced: ${named(p.ops)}`);
            },
          ),
          { numRuns: Math.ceil(runs / 4), seed },
        );
      });
    }
  }
});
