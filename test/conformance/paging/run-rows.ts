/**
 * Runs rows of the access matrix under a policy and compares each with the manual (oracle.ts): fault or none, error code,
 * the frame reached, accessed and dirty flags of both entries; from nothing known, and behind a supervisor's read of the same
 * address. matrix.test.ts takes a sample, the soak (test/soak/matrix.ts) all of them.
 */
import { type Outcome, outcome, outcomeAfterRead } from "./oracle.ts";
import { digitsOf, type Family, REGISTERS, type Registers, type Row } from "./rows.ts";
import { Subject } from "./subjects.ts";

const A = 0x20;
const D = 0x40;
const RSVD = 8;
/** A fault for an entry that is not present, or has a reserved bit. */
const isPlain = (fault: number): boolean => fault >= 0 && ((fault & 1) === 0 || (fault & RSVD) !== 0);

export interface Wanted {
  readonly policy: string;
  readonly families: readonly Family[];
  /** Hazards that are as it was. */
  readonly hazards?: readonly string[];
  /** Every n-th row; 1: every one. */
  readonly step: number;
  /** Of the rows that fault because an entry is not present or reserved, which are most: every n-th. */
  readonly plainFaults: number;
  /** Each row a second time, behind a read. */
  readonly warm: boolean;
}

export interface Done {
  rows: number;
  faults: number;
  /** The first few differences, in words. */
  different: string[];
}

const ENOUGH = 5;

const bits = (entry: number, accessed: boolean, dirty: boolean): number =>
  entry | (accessed ? A : 0) | (dirty ? D : 0);

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** What is wrong, in words, or "". */
function judge(row: Row, expected: Outcome, subject: Subject, warm: boolean): string {
  const { fault, cr2, gfn, pde, pte } = subject.run(row, warm);
  if (subject.trouble !== "") return subject.trouble;
  if (fault !== expected.fault) return `fault ${fault}, by the manual ${expected.fault}`;
  if (fault >= 0 && cr2 !== subject.la) return `CR2 ${hex(cr2)}, by the manual ${hex(subject.la)}`;
  if (fault < 0 && gfn !== row.gfn) return `reached gfn ${gfn}, by the manual ${row.gfn}`;
  const pdeAfter = bits(row.pde[0], expected.directoryAccessed, expected.directoryDirty);
  // An entry that names a table has no D: what stands in its place is the software's.
  if (pde !== pdeAfter) return `PDE ${hex(pde)} left, by the manual ${hex(pdeAfter)}`;
  const pteAfter = bits(row.pte[0], expected.tableAccessed && !row.situation.large, expected.tableDirty);
  if (!row.situation.large && pte !== pteAfter) return `PTE ${hex(pte)} left, by the manual ${hex(pteAfter)}`;
  return "";
}

function describeRow(row: Row, r: Registers): string {
  const { access, userMode } = row.situation;
  const on = Object.entries(r)
    .filter(([, value]) => value)
    .map(([name]) => name)
    .join(" ");
  return `${userMode ? "user" : "supervisor"} ${access}, PDE ${row.pde.map(hex)}, PTE ${row.pte.map(hex)}, ${on}`;
}

/** How many rows there are of these families. */
export function countOf(families: readonly Family[]): number {
  let count = 0;
  for (const r of REGISTERS) for (const f of families) if (f.pae === r.pae && f.fits(r)) count += f.count;
  return count;
}

/** Runs a policy's rows; gives up at the fifth difference. */
export function runRows(wanted: Wanted): Done {
  const { policy, families, hazards = [], step, plainFaults } = wanted;
  const done: Done = { rows: 0, faults: 0, different: [] };
  for (const registers of REGISTERS) {
    const fitting = families.filter((f) => f.pae === registers.pae && f.fits(registers));
    if (fitting.length === 0) continue;
    const subject = new Subject(policy, registers, hazards);
    for (const f of fitting) {
      const digits = new Int32Array(f.digits.length);
      for (let n = 0; n < f.count; n += step) {
        digitsOf(f, n, digits);
        const row = f.row(digits, registers);
        const expected = outcome(row.situation);
        if (plainFaults > 1 && n % plainFaults !== 0 && isPlain(expected.fault)) continue;
        const fresh = judge(row, expected, subject, false);
        done.rows++;
        if (subject.answer.fault >= 0) done.faults++;
        const warm = wanted.warm ? judge(row, outcomeAfterRead(row.situation), subject, true) : "";
        if (fresh === "" && warm === "") continue;
        const wrong = fresh === "" ? `after a supervisor's read: ${warm}` : fresh;
        done.different.push(`${describeRow(row, registers)}: ${wrong}`);
        if (done.different.length === ENOUGH) return done;
      }
    }
  }
  return done;
}
