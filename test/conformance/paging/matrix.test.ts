/**
 * The access matrix: every combination of entry bits, control bits and accesses against the manual (oracle.ts), under
 * every policy. With the guards on no policy may differ. Whole for the bare machine; for the others
 * every n-th row, and those again behind another access. QUADRANT_MATRIX=n chooses n (the soak's is small).
 */
import { describe, expect, it } from "vitest";
import { HAZARDS, POLICIES } from "../../../core/kvm/index.ts";
import { type Outcome, outcome, outcomeAfterRead } from "./oracle.ts";
import { digitsOf, FAMILIES, type Family, REGISTERS, type Registers, type Row } from "./rows.ts";
import { Subject } from "./subjects.ts";

/** Every n-th row: of the policies with a shadow, and (at most every 37th) of nested paging. 1: every row. */
const USUAL = 211;
const every = Number(process.env.QUADRANT_MATRIX ?? USUAL);
const A = 0x20;
const D = 0x40;

/**
 * The step through a policy's rows. The usual ones have no factor in common with a digit's number of values, so that
 * each digit takes all of them, in all pairs.
 */
const stepOf = (policy: string): number =>
  policy === "none" ? 1 : policy === "nested" ? Math.min(37, every) : every;
/**
 * Most rows fault because an entry is not present or reserved: of these a sample for the shadows takes every 16th.
 * QUADRANT_MATRIX_PLAIN=1 takes every one, and with QUADRANT_MATRIX=1 the matrix is whole under every policy.
 */
const PLAIN_FAULTS = Number(process.env.QUADRANT_MATRIX_PLAIN ?? 16);
const RSVD = 8;
const plain = (fault: number): boolean => fault >= 0 && ((fault & 1) === 0 || (fault & RSVD) !== 0);

/** Hazards that one access, or one behind a read, can meet, and the harm that is found first; the others need more. */
const SHOWN = [
  ["reserved-bits", "fault -1, by the manual 9"],
  ["upper-nx", "fault -1, by the manual 17"],
  ["walk-order", "PDE 0x2001 left, by the manual 0x2021"],
  ["fetch-error-bit", "fault 21, by the manual 5"],
] as const;

const bits = (entry: number, accessed: boolean, dirty: boolean): number =>
  entry | (accessed ? A : 0) | (dirty ? D : 0);

/** What is wrong, in words, or "". */
function judge(row: Row, expected: Outcome, subject: Subject, warm: boolean): string {
  const { fault, gfn, pde, pte } = subject.run(row, warm);
  if (subject.trouble !== "") return subject.trouble;
  if (fault !== expected.fault) return `fault ${fault}, by the manual ${expected.fault}`;
  if (fault < 0 && gfn !== row.gfn) return `reached gfn ${gfn}, by the manual ${row.gfn}`;
  const pdeAfter = bits(row.pde[0], expected.directoryAccessed, expected.directoryDirty);
  // An entry that names a table has no D: what stands in its place is the software's.
  if (pde !== pdeAfter) return `PDE ${hex(pde)} left, by the manual ${hex(pdeAfter)}`;
  const pteAfter = bits(row.pte[0], expected.tableAccessed && !row.situation.large, expected.tableDirty);
  if (!row.situation.large && pte !== pteAfter) return `PTE ${hex(pte)} left, by the manual ${hex(pteAfter)}`;
  return "";
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

const describeRow = (row: Row, r: Registers): string => {
  const { access, userMode } = row.situation;
  const on = Object.entries(r)
    .filter(([, value]) => value)
    .map(([name]) => name)
    .join(" ");
  return `${userMode ? "user" : "supervisor"} ${access}, PDE ${row.pde.map(hex)}, PTE ${row.pte.map(hex)}, ${on}`;
};

/** Runs a policy's rows; answers how many there were and the first few differences. */
function runRows(
  policy: string,
  families: readonly Family[],
  hazards: readonly string[] = [],
  step = stepOf(policy),
) {
  const sample = policy !== "none" && policy !== "nested";
  const different: string[] = [];
  let rows = 0;
  let faults = 0;
  for (const registers of REGISTERS) {
    const wanted = families.filter((f) => f.pae === registers.pae && f.fits(registers));
    if (wanted.length === 0) continue;
    const subject = new Subject(policy, registers, hazards);
    for (const f of wanted) {
      const digits = new Int32Array(f.digits.length);
      for (let n = 0; n < f.count; n += step) {
        digitsOf(f, n, digits);
        const row = f.row(digits, registers);
        const expected = outcome(row.situation);
        if (sample && n % PLAIN_FAULTS !== 0 && plain(expected.fault)) continue;
        const fresh = judge(row, expected, subject, false);
        rows++;
        if (subject.answer.fault >= 0) faults++;
        // The bare machine keeps nothing but its TLB, which it walks again for what an entry does not allow.
        const warm =
          policy === "none" && every > 1 ? "" : judge(row, outcomeAfterRead(row.situation), subject, true);
        if (fresh === "" && warm === "") continue;
        const wrong = fresh === "" ? `after a supervisor's read: ${warm}` : fresh;
        different.push(`${describeRow(row, registers)}: ${wrong}`);
        if (different.length === 5) return { rows, faults, different };
      }
    }
  }
  return { rows, faults, different };
}

describe("the access matrix", () => {
  for (const pae of [false, true]) {
    const families = FAMILIES.filter((f) => f.pae === pae);
    describe(pae ? "PAE" : "2-level", () => {
      it.each(POLICIES.map(({ id }) => id))("under %s as the manual says", (policy) => {
        const { rows, faults, different } = runRows(policy, families);
        console.log(`${pae ? "PAE" : "2-level"} under ${policy}: ${rows} rows, ${faults} faults`);
        expect(different).toEqual([]);
        expect(faults).toBeGreaterThan(rows / 2);
        expect(faults).toBeLessThan(rows);
        if (stepOf(policy) === 1 && (PLAIN_FAULTS === 1 || policy === "none" || policy === "nested")) {
          const all = REGISTERS.filter((r) => r.pae === pae).flatMap((r) =>
            families.filter((f) => f.fits(r)).map((f) => f.count),
          );
          expect(rows).toBe(all.reduce((a, b) => a + b, 0));
        }
      });
    });
  }
});

describe("a guard taken away shows in the matrix", () => {
  it.each(SHOWN)("%s: %s", (hazard, sentence) => {
    // Which harm is found first depends on the sample: always the usual one.
    const { different } = runRows("B", FAMILIES, [hazard], USUAL);
    expect(different[0]).toContain(sentence);
    expect(HAZARDS.find(({ id }) => id === hazard)?.source).toMatch(/^docs\/kvm-shadow-mmu\.md/);
  });
});
