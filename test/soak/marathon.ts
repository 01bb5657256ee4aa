/**
 * Millions of random operations under one policy, judged as the property tests judge them (test/property): prints how
 * far it is, and for every difference the task, the seed, the path along it and the smallest case. One process a policy;
 * bundled and started by build/soak.mjs.
 *
 * usage: node marathon.mjs POLICY OPERATIONS SEED
 * The last line is JSON. Exit code 1: a difference where there must be none, or none where there must be one.
 */
import fc from "fast-check";
import { type Case, caseText } from "../property/cases.ts";
import type { Kind } from "../property/draw.ts";
import { isWrong, kindsOf, type Table, type Task, tasksOf } from "./tasks.ts";

const [policy = "", wanted = "", seedText = ""] = process.argv.slice(2);
const OPERATIONS = Number(wanted);
const SEED = Number(seedText);

/** Operations of a case at most, and cases of one kind in a row on one table. */
const MOST = 200;
const CASES = 200;
/** Findings after which a policy is given up. */
const ENOUGH = 10;
const SAY_EVERY = 60_000;

interface Finding {
  readonly task: string;
  readonly kind: string;
  readonly seed: number;
  readonly path: string;
  /** Operations of the task until it came. */
  readonly after: number;
  readonly error: string;
  readonly operations: number;
  readonly smallest: string;
}

interface Line {
  readonly task: Task;
  readonly kinds: readonly Kind[];
  rounds: number;
  table: Table;
  done: number;
  over: boolean;
}

let operations = 0;
let cases = 0;
const findings: Finding[] = [];
const seen: Record<string, number> = {};
const began = Date.now();
let said = began;

/** Another seed for every task and round (splitmix32's finaliser). */
function seedOf(task: number, kind: number, round: number): number {
  let z = (SEED + Math.imul(task * 64 + kind + 1, 0x9e37_79b9) + Math.imul(round + 1, 0x85eb_ca6b)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
  return (z ^ (z >>> 15)) & 0x7fff_ffff;
}

function gather(table: Table): void {
  for (const [name, n] of Object.entries(table.seen)) seen[name] = (seen[name] ?? 0) + n;
}

/** One round of one kind on a table; a finding takes the table's place with a new one. */
function play(line: Line, kind: Kind, seed: number): void {
  const { task } = line;
  let shrinking = false;
  const found = fc.check(
    fc.property(kind.of(task.mode, MOST), (c: Case) => {
      try {
        line.table.play(c);
      } catch (error) {
        shrinking = true;
        gather(line.table);
        line.table = task.begin();
        throw error;
      } finally {
        if (!shrinking) {
          operations += c.ops.length;
          line.done += c.ops.length;
          cases++;
        }
      }
    }),
    { numRuns: Math.ceil(CASES * kind.share), seed },
  );
  if (!found.failed) return;
  const smallest = found.counterexample![0];
  findings.push({
    task: task.name,
    kind: kind.name,
    seed,
    path: found.counterexamplePath ?? "",
    after: line.done,
    error: String(found.errorInstance).split("\n")[0]!,
    operations: smallest.ops.length,
    smallest: caseText(task.mode, smallest),
  });
  const last = findings.at(-1)!;
  console.log(
    `${policy}: ${last.task}, ${last.kind}, seed ${last.seed}: ${last.error}\n  smallest: ${last.smallest}`,
  );
  // What a policy is known to do wrong is found once a task.
  if (isWrong(policy, task.mode)) line.over = true;
}

const minutes = (): string => ((Date.now() - began) / 60_000).toFixed(1);

function say(): void {
  if (Date.now() - said < SAY_EVERY) return;
  said = Date.now();
  console.log(
    `${policy}: ${(operations / 1e6).toFixed(2)} of ${(OPERATIONS / 1e6).toFixed(2)} million operations, ` +
      `${findings.length} findings, ${minutes()} minutes`,
  );
}

if (!(OPERATIONS > 0) || !Number.isInteger(SEED))
  throw new Error("usage: marathon.mjs POLICY OPERATIONS SEED");
const lines: Line[] = tasksOf(policy).map((task) => ({
  task,
  kinds: kindsOf(policy, task.mode),
  table: task.begin(),
  rounds: 0,
  done: 0,
  over: false,
}));
const unexpected = (): number =>
  findings.filter((f) => !lines.some((line) => line.task.name === f.task && isWrong(policy, line.task.mode)))
    .length;

while (operations < OPERATIONS && unexpected() < ENOUGH) {
  // The line that is furthest behind its share is next, with its next kind.
  const open = lines.filter((line) => !line.over);
  if (open.length === 0) break;
  const next = open.reduce((a, b) => (a.done / a.task.share <= b.done / b.task.share ? a : b));
  const k = next.rounds % next.kinds.length;
  play(next, next.kinds[k]!, seedOf(lines.indexOf(next), k, next.rounds));
  next.rounds++;
  say();
}
for (const line of lines) gather(line.table);

const wrong = lines.some((line) => isWrong(policy, line.task.mode));
const sound = unexpected() === 0 && (!wrong || findings.length > 0);
const smallest = [...findings].sort(
  (a, b) => a.operations - b.operations || a.smallest.length - b.smallest.length,
)[0];
console.log(
  JSON.stringify({
    policy,
    seed: SEED,
    operations,
    cases,
    minutes: Number(minutes()),
    seen,
    findings: findings.length,
    unexpected: unexpected(),
    sound,
    smallest: smallest ?? null,
  }),
);
process.exit(sound ? 0 : 1);
