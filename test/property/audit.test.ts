/**
 * The incremental audit says at every boundary what the audit of everything says, whatever happened in between: random
 * tables and operations, every policy, guards on or off, vmx and svm, stores that nobody was told of, raw edits of the
 * shadow. Over whole machines the first violation and its boundary are the same as those of `full`.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IncrementalAudit, type Violation } from "../../core/kvm/audit/index.ts";
import { HAZARDS, type HazardSetting, POLICIES } from "../../core/kvm/index.ts";
import { HYPERVISOR_FRAMES } from "../../core/memory/host-memory.ts";
import { type Case, encode, INDEX, type Mode, type Op, pages, tablesOf } from "./cases.ts";
import { entry, harshScenario } from "./draw.ts";
import { HIGH_PAGES, LOW_PAGES } from "./guest-memory.ts";
import { bootProgram, FORM_COUNT, type ProgramOp } from "./program.ts";
import { apply, make } from "./shadow.ts";
import type { TwoMachines } from "./two-machines.ts";

const MODES: readonly Mode[] = ["nonpae", "pae"];
const runs = Number(process.env.QUADRANT_RUNS ?? 25);
const seed = Number(process.env.QUADRANT_SEED ?? 20070501);
const SHADOWED = POLICIES.map((policy) => policy.id).filter((id) => id !== "none" && id !== "nested");

const text = (violations: readonly Violation[]): string[] =>
  violations.map((v) => `${v.invariant}: ${v.message} (${v.page}/${v.index}/${v.gva})`);

/** What else may happen between two boundaries: nobody is told but the audit's own hooks. */
type Rude =
  | { readonly rude: "dma"; readonly frame: number; readonly index: number; readonly value: number }
  | { readonly rude: "copy"; readonly from: number; readonly to: number; readonly pick: number }
  | { readonly rude: "raw"; readonly pick: number; readonly index: number; readonly bits: number };

const rude = fc.oneof(
  fc.record({
    rude: fc.constant("dma" as const),
    frame: fc.nat(LOW_PAGES + HIGH_PAGES - 1),
    index: fc.constantFrom(0, 1, 2, 3, 256, 512, 513, 1022, 1023),
    value: fc.constantFrom(0, 0x5067, 0x10067, 0x11065, 0x11027, 0x1007, 0x9063, 0xe7),
  }),
  fc.record({
    rude: fc.constant("copy" as const),
    from: fc.constantFrom(0, 1, 2, 3, 256, 257, 511),
    to: fc.constantFrom(0, 1, 2, 3, 4, 256, 511),
    pick: fc.nat(1000),
  }),
  fc.record({
    rude: fc.constant("raw" as const),
    pick: fc.nat(40),
    index: fc.constantFrom(0, 1, 2, 3, 128, 256, 511),
    bits: fc.constantFrom(1, 2, 4, 0x20, 0x40, 0x200, 0x400, 0x800, 0x1000, 0x8000, 0x80000000),
  }),
);

/** Changes bytes behind everybody's back, as a device or a person with host memory in hand does. */
function disturb(m: TwoMachines, what: Rude): void {
  const { mmu } = m.kvm;
  const { i32 } = mmu.memory;
  let at: number;
  if (what.rude === "dma") {
    at = ((HYPERVISOR_FRAMES + what.frame) << 10) + what.index;
    i32[at] = what.value;
  } else if (what.rude === "copy") {
    // One spte of an active page gets the value of another, perhaps another page's.
    const active = m.kvm.shadowPages();
    // Behind a finding, roots that were zapped in use may wait for the next entry, and no page is active.
    if (active.length === 0) return;
    const at2 = active[what.pick % active.length]!.hpa >> 2;
    at = (active[(what.pick >> 4) % active.length]!.hpa >> 2) + what.to * 2;
    i32[at] = i32[at2 + what.from * 2]!;
  } else {
    // A word of pae_root, of a free page, or of an active one.
    const page = what.pick % 32;
    at = what.pick > 38 ? (1 << 10) + (what.index & 7) : (mmu.hpaOf(page) >> 2) + what.index * 2;
    i32[at]! ^= what.bits;
  }
  m.kvm.outsideExit();
  mmu.touched!.host(at * 4, 4);
}

/** Plays a case, comparing the two audits at every boundary. Answers how many violations were seen. */
function agree(
  mode: Mode,
  policy: string,
  c: Case,
  rudes: readonly (readonly [number, Rude])[],
  hazards: Record<string, HazardSetting>,
  tlb: "vmx" | "svm",
): number {
  const m = make(mode, policy, c, { hazards, tlb });
  const audit = new IncrementalAudit(m.kvm.mmu, m.cpu.paging.tlb);
  m.cpu.watched = (host, size) => audit.touched.host(host, size);
  let seen = 0;
  const boundary = (what: string): void => {
    const found = text(audit.look());
    const expected = text(m.kvm.audit().violations);
    seen += expected.length;
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      throw new Error(`after ${what}: incremental ${found.join("; ")}, whole ${expected.join("; ")}`);
    }
  };
  m.boundary = boundary;
  boundary("the start");
  c.ops.forEach((op: Op, i) => {
    for (const [when, what] of rudes) {
      if (when !== i) continue;
      disturb(m, what);
      boundary(JSON.stringify(what));
    }
    // Differences from the bare machine, findings and bugs are other tests' business: here all goes on.
    try {
      apply(mode, m, op, false);
    } catch (error) {
      if (String(error).includes("incremental")) throw error;
    }
    boundary(JSON.stringify(op));
  });
  return seen;
}

const settings = fc.oneof(
  { arbitrary: fc.constant<Record<string, HazardSetting>>({}), weight: 1 },
  {
    arbitrary: fc
      .subarray(HAZARDS.map((h) => h.id))
      .map((ids) => Object.fromEntries(ids.map((id) => [id, "as-it-was" as const]))),
    weight: 2,
  },
  {
    arbitrary: fc.constant(Object.fromEntries(HAZARDS.map((h) => [h.id, "as-it-was" as const]))),
    weight: 1,
  },
);

describe("the incremental audit agrees with the audit of everything", () => {
  for (const mode of MODES) {
    for (const policy of SHADOWED) {
      it(`${mode} under ${policy}`, () => {
        let seen = 0;
        fc.assert(
          fc.property(
            harshScenario(mode, 40),
            fc.array(fc.tuple(fc.nat(30), rude), { maxLength: 3 }),
            settings,
            fc.constantFrom("vmx" as const, "vmx" as const, "svm" as const),
            (c, rudes, hazards, tlb) => {
              seen += agree(mode, policy, c, rudes, hazards, tlb);
            },
          ),
          { numRuns: Math.ceil(runs / 3), seed },
        );
        // They disagreed with the machine, not with each other.
        expect(seen).toBeGreaterThan(0);
      });
    }
  }
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
        offset: fc.constantFrom(0, 0, 4, 0x400, 0x800, 0x804, 0xffc, 0xffe),
        other: page,
        value: entry(mode, false).map((e) => encode(mode, e)),
      }),
      weight: 20,
    },
    { arbitrary: fc.record({ op: fc.constant("cr3" as const), root: fc.nat(3) }), weight: 2 },
    { arbitrary: fc.constantFrom<"wp" | "pse">("wp", "pse").map((op): ProgramOp => ({ op })), weight: 1 },
  );
};

describe("over programs of real instructions, the first violation and its boundary are those of the whole audit", () => {
  for (const mode of MODES) {
    it(mode, () => {
      let violated = 0;
      fc.assert(
        fc.property(
          fc.constantFrom(...SHADOWED),
          fc.tuple(...tablesOf(mode).flatMap((gfn) => INDEX[mode].map(() => entry(mode, gfn < 5)))),
          fc.array(operation(mode), { minLength: 1, maxLength: 15, size: "max" }),
          settings,
          fc.constantFrom("vmx" as const, "svm" as const),
          // A device's stores into the tables, some way on.
          fc.array(fc.tuple(fc.integer({ min: 5, max: 120 }), fc.constantFrom(...tablesOf(mode))), {
            minLength: 1,
            maxLength: 4,
          }),
          (policy, entries, ops, hazards, tlb, stores) => {
            const [every, full] = (["every", "full"] as const).map((audit) => {
              const wish = { tlb, hazards, audit, findings: "stop" as const };
              const machine = bootProgram(mode, policy, { entries, ops: [] }, ops, wish);
              machine.trace.on = true;
              for (const [units, gfn] of stores) {
                machine.run(units);
                if (machine.over || machine.watch.findings.total > 0) break;
                for (const index of INDEX[mode]) {
                  const gpa = gfn * 4096 + index * (mode === "pae" ? 8 : 4);
                  machine.input({ kind: "dma", gpa, bytes: Uint8Array.of(0x27, 0x20, 0x01, 0) });
                }
              }
              machine.run(3000);
              return machine;
            });
            if (full!.watch.findings.total > 0) violated++;
            expect(every!.stop).toEqual(full!.stop);
            expect(every!.time).toBe(full!.time);
            expect(every!.watch.findings.list).toEqual(full!.watch.findings.list);
          },
        ),
        { numRuns: Math.ceil(runs / 2), seed },
      );
      expect(violated).toBeGreaterThan(0);
    });
  }
});
