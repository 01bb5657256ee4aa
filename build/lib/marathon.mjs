/**
 * Runs test/soak/marathon.ts, bundled, under each policy: so many processes at a time, what they say as they say it, and
 * a table at the end.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { bundle, inTurn, POLICIES, resultOf } from "./soak-process.mjs";

/** @returns {Promise<number>} exit code */
export async function runMarathon({
  operations,
  seed,
  policies = POLICIES,
  jobs = availableParallelism(),
  out,
}) {
  const unknown = policies.filter((policy) => !POLICIES.includes(policy));
  if (unknown.length > 0) {
    console.error(`unknown policy ${unknown.join(", ")}: there are ${POLICIES.join(", ")}`);
    return 2;
  }
  const file = await bundle("marathon");
  const began = Date.now();
  console.log(`marathon: ${operations} operations under each of ${policies.join(", ")}, seed ${seed}`);
  const results = await inTurn(policies, jobs, async (policy) => {
    const result = await resultOf(file, [policy, `${operations}`, `${seed}`]);
    return { policy, sound: false, ...result };
  });
  results.sort((a, b) => POLICIES.indexOf(a.policy) - POLICIES.indexOf(b.policy));
  for (const result of results) console.log(row(result));
  const sound = results.every((result) => result.sound);
  const minutes = (Date.now() - began) / 60_000;
  console.log(
    `soak, marathon with seed ${seed}: ${sound ? "clean" : "FAILED"}, ${minutes.toFixed(1)} minutes`,
  );
  if (out !== undefined) {
    const report = { seed, operations, minutes: Number(minutes.toFixed(1)), sound, results };
    writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
  }
  return sound ? 0 : 1;
}

function row({ policy, died, operations, cases, minutes, seen, findings, sound, smallest }) {
  if (died !== undefined) return `${policy}: no result: ${died}`;
  const met = Object.entries(seen)
    .map(([name, n]) => `${name} ${n}`)
    .join(", ");
  const lines = [
    `${policy}: ${sound ? "as it must be" : "WRONG"}, ${operations} operations in ${cases} cases, ${findings} findings, ${minutes} minutes (${met})`,
  ];
  if (smallest !== null) {
    lines.push(
      `  smallest case, ${smallest.task}, ${smallest.kind}, seed ${smallest.seed}: ${smallest.error}`,
    );
    lines.push(`  ${smallest.smallest}`);
  }
  return lines.join("\n");
}
