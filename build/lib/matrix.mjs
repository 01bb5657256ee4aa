/**
 * Runs test/soak/matrix.ts, bundled: the access matrix whole, under every policy, in both paging modes. So many processes at a
 * time, and a line for each as it is done.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { bundle, inTurn, POLICIES, resultOf } from "./soak-process.mjs";

/** @returns {Promise<number>} exit code */
export async function runMatrix({ step, policies, jobs = availableParallelism(), out }) {
  const all = ["none", ...POLICIES];
  const wanted = policies ?? all;
  const unknown = wanted.filter((policy) => !all.includes(policy));
  if (unknown.length > 0) {
    console.error(`unknown policy ${unknown.join(", ")}: there are ${all.join(", ")}`);
    return 2;
  }
  const file = await bundle("matrix");
  const began = Date.now();
  console.log(`matrix: every ${step === 1 ? "row" : `${step}th row`} under ${wanted.join(", ")}`);
  const tasks = wanted.flatMap((policy) => ["2-level", "PAE"].map((mode) => ({ policy, mode })));
  const results = await inTurn(tasks, jobs, async ({ policy, mode }) => {
    const result = { policy, mode, ...(await resultOf(file, [policy, mode, `${step}`])) };
    console.log(line(result));
    return result;
  });
  const sound = results.every((r) => r.died === undefined && r.different.length === 0 && r.rows > 0);
  const minutes = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(`soak, matrix: ${sound ? "clean" : "FAILED"}, ${minutes} minutes`);
  if (out !== undefined)
    writeFileSync(out, `${JSON.stringify({ step, minutes: Number(minutes), sound, results }, null, 2)}\n`);
  return sound ? 0 : 1;
}

function line({ policy, mode, died, rows, whole, faults, different, processorSeconds }) {
  if (died !== undefined) return `${mode} under ${policy}: no result: ${died}`;
  const all = rows === whole ? "all " : "";
  const found = different.length === 0 ? "no difference" : `WRONG\n  ${different.join("\n  ")}`;
  return `${mode} under ${policy}: ${all}${rows} rows, ${faults} faults, ${processorSeconds} s: ${found}`;
}
