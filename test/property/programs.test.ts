/**
 * Whole programs of real instructions, at CPL 0 and 3: under P, B, C and nested paging the guest observes what a bare machine
 * may show (lockstep.ts), and stepping equals running, counters, TLB and shadow pages included. Nested paging is asked for no
 * more: a table rewritten causes no exit, so that what its processor's TLB holds is used on as on the bare machine, and an
 * exit for the host's tables begins an instruction anew behind flags that its walk set.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Machine } from "../../core/machine/machine.ts";
import { snapshotToBytes, takeSnapshot } from "../../core/machine/snapshot.ts";
import type { Mode } from "./cases.ts";
import { logOf } from "./program.ts";
import { boot, named, playProgram, program } from "./program-cases.ts";

const MODES: readonly Mode[] = ["nonpae", "pae"];
const runs = Number(process.env.QUADRANT_RUNS ?? 40);
const seed = Number(process.env.QUADRANT_SEED ?? 20070501);
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
        const open = { walked: 0, anew: 0 };
        fc.assert(
          fc.property(program(mode, 25), (p) => {
            const kvm = playProgram(mode, policy, p, open, { tlb });
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
              const [whole, cut, audited, traced] = [0, 1, 2, 3].map(() => boot(mode, policy, p, { tlb }));
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
