/**
 * The access matrix whole (test/conformance/paging) under one policy and in one paging mode: every row, fresh and behind a
 * read. Bundled and started by build/soak.mjs, one process a task.
 *
 * usage: node matrix.mjs POLICY 2-level|PAE STEP
 * STEP: every n-th row; 1: every one. The last line is JSON. Exit code 1: a difference.
 */
import { FAMILIES } from "../conformance/paging/rows.ts";
import { countOf, runRows } from "../conformance/paging/run-rows.ts";

const [policy = "", mode = "", stepText = ""] = process.argv.slice(2);
const step = Number(stepText);
if (!["2-level", "PAE"].includes(mode) || !(step >= 1))
  throw new Error("usage: matrix.mjs POLICY 2-level|PAE STEP");

const pae = mode === "PAE";
const families = FAMILIES.filter((f) => f.pae === pae);
const used = process.cpuUsage();
const { rows, faults, different } = runRows({ policy, families, step, plainFaults: 1, warm: true });
const { user, system } = process.cpuUsage(used);
console.log(
  JSON.stringify({
    policy,
    mode,
    rows,
    faults,
    different,
    processorSeconds: Math.round((user + system) / 1e5) / 10,
    whole: countOf(families),
  }),
);
process.exit(different.length === 0 ? 0 : 1);
