/**
 * Runs test/soak/marathon.ts, bundled, under each policy: so many processes at a time, what they say as they say it, and
 * a table at the end.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { inRoot } from "./repository.mjs";
import { bundleScript } from "./script.mjs";

/** Every policy but `none`, which is the yardstick. */
const POLICIES = ["A0", "A", "P", "B", "C", "D", "E1", "E2", "E3", "F", "nested"];

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
  const file = await bundleScript("test/soak/marathon.ts", inRoot(".cache", "soak"), "marathon.mjs");
  const began = Date.now();
  console.log(`marathon: ${operations} operations under each of ${policies.join(", ")}, seed ${seed}`);
  const waiting = [...policies];
  const results = [];
  const worker = async () => {
    for (let policy = waiting.shift(); policy !== undefined; policy = waiting.shift())
      results.push(await one(file, policy, operations, seed));
  };
  await Promise.all(Array.from({ length: Math.min(jobs, policies.length) }, worker));
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

/** One policy's process; its last line is its result. */
function one(file, policy, operations, seed) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, policy, `${operations}`, `${seed}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let result = null;
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      if (line.startsWith("{")) result = JSON.parse(line);
      else console.log(line);
    });
    const end = (why) => resolve(result ?? { policy, sound: false, died: why });
    child.on("error", (error) => end(error.message));
    child.on("close", (code, signal) => end(`it ended with ${signal ?? `code ${code}`}`));
  });
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
