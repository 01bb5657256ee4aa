/**
 * npm run kernels: boots kernels that others wrote under every policy of the shadow MMU, with the audit, and compares
 * what they send and the machine's state at the end between the policies. None of them is in this repository: the
 * folder that QUADRANT_KERNELS names holds them and a list, kernels.json (docs/kernels.md).
 *
 *   node build/kernels.mjs [--only NAME,...] [--policies ID,...] [--audit off|end|often|every] [--v86]
 *     --audit   end when not said: everything, once, behind the last step; often: every ten million units as well; every:
 *               at every boundary, what it touched
 *     --v86     measures v86 without its JIT and with it on the same kernels, one after the other with `none` and B
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inRoot } from "./lib/repository.mjs";
import { install } from "./lib/run.mjs";
import { bundleScript } from "./lib/script.mjs";

const folder = process.env.QUADRANT_KERNELS;
if (folder === undefined) {
  console.log(
    "no kernels were booted: QUADRANT_KERNELS names no folder with a kernels.json (docs/kernels.md says how to make one)",
  );
  process.exit(0);
}
const manifest = join(folder, "kernels.json");
if (!existsSync(manifest)) {
  console.error(`${manifest} is not there: QUADRANT_KERNELS should name a folder with a kernels.json`);
  process.exit(1);
}

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    policies: { type: "string" },
    audit: { type: "string", default: "end" },
    v86: { type: "boolean", default: false },
  },
});
if (!["off", "end", "often", "every"].includes(options.audit)) {
  console.error(`--audit should be off, end, often or every, not "${options.audit}"`);
  process.exit(2);
}
if (!(await install())) process.exit(1);

const out = inRoot(".cache", "kernels");
for (const name of ["run", "list"]) await bundleScript(`test/kernels/${name}.ts`, out, `${name}.mjs`);
const { readManifest, POLICY_IDS } = await import(join(out, "list.mjs"));

let kernels;
try {
  kernels = readManifest(readFileSync(manifest, "utf8"));
} catch (error) {
  console.error(`${manifest}: ${error.message}`);
  process.exit(1);
}
const only = options.only?.split(",");
const unknown = only?.find((name) => !kernels.some((k) => k.name === name));
if (unknown !== undefined) {
  console.error(`${manifest} has no kernel "${unknown}"; it has ${kernels.map((k) => k.name).join(", ")}`);
  process.exit(2);
}
const wanted = options.policies?.split(",");
const strange = wanted?.find((id) => !POLICY_IDS.includes(id));
if (strange !== undefined) {
  console.error(`there is no policy "${strange}"; there are ${POLICY_IDS.join(", ")}`);
  process.exit(2);
}
const transcripts = join(folder, "transcripts");
mkdirSync(transcripts, { recursive: true });

/** Runs a script of this repository in a process of its own and reads its one line of JSON. */
const node = (...args) =>
  new Promise((done, failed) => {
    execFile(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error !== null) failed(new Error(stderr.trim().split("\n").slice(-5).join("\n") || error.message));
      else done(JSON.parse(stdout));
    });
  });

const pad = (text, width) => String(text).padEnd(width);
const million = (n) => (n / 1e6).toFixed(1);
const second = (milliseconds) => (milliseconds / 1000).toFixed(1);
const line = (name, policy, result, time, retired, exits, wall, processor, rest) =>
  console.log(
    `${pad(name, 18)}${pad(policy, 9)}${pad(result, 8)}${pad(time, 9)}${pad(retired, 11)}${pad(exits, 11)}${pad(wall, 9)}${pad(processor, 11)}${rest}`,
  );

/** In what a run differs from the one it is compared with, in words; null when in nothing that the guest can see. */
function differenceFrom(first, result) {
  const what = ["output", "time", "instructions", "state"].find((field) => result[field] !== first[field]);
  if (what === undefined) return null;
  if (what !== "output") return `${what} is ${result[what]}, under ${first.policy} ${first[what]}`;
  const least = Math.min(first.output.length, result.output.length);
  let at = 0;
  while (at < least && first.output[at] === result.output[at]) at++;
  const around = (text) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 40));
  return `output differs at byte ${at}: ${around(result.output)}, under ${first.policy} ${around(first.output)}`;
}

/** v86 without its JIT and with it on the same files. */
async function peers(kernel, ours) {
  for (const jit of ["nojit", "jit"]) {
    const peer = await node(inRoot("test", "kernels", "peer.mjs"), manifest, kernel.name, jit).catch(
      (error) => ({
        wrong: error.message,
        milliseconds: 0,
        processorMilliseconds: 0,
      }),
    );
    const ratios = ours.map(
      ({ policy, milliseconds, processorMilliseconds }) =>
        `${policy} takes ${(milliseconds / peer.milliseconds).toFixed(2)} of its time, ${(processorMilliseconds / peer.processorMilliseconds).toFixed(2)} of its processor time`,
    );
    line(
      kernel.name,
      jit === "jit" ? "v86+JIT" : "v86",
      peer.wrong === null ? "ok" : "FAILED",
      "",
      "",
      "",
      second(peer.milliseconds),
      second(peer.processorMilliseconds),
      peer.wrong ?? ratios.join("; "),
    );
  }
}

line("kernel", "policy", "result", "units/M", "retired/M", "exits", "seconds", "processor", "audit");
let bad = 0;
for (const kernel of kernels) {
  if (only !== undefined && !only.includes(kernel.name)) continue;
  const own = kernel.policies.length === 0 ? POLICY_IDS : kernel.policies;
  let first = null;
  const measured = [];
  for (const policy of own.filter((id) => wanted === undefined || wanted.includes(id))) {
    let result;
    try {
      result = await node(join(out, "run.mjs"), manifest, kernel.name, policy, options.audit);
    } catch (error) {
      bad++;
      line(kernel.name, policy, "FAILED", "", "", "", "", "", error.message);
      continue;
    }
    writeFileSync(join(transcripts, `${kernel.name}.${policy}.txt`), result.output, "latin1");
    // The same inputs at the same units: the policies may differ in exits alone.
    first ??= result;
    const wrong = [result.wrong, differenceFrom(first, result), result.first].filter((text) => text !== null);
    if (wrong.length > 0) bad++;
    const audited =
      options.audit === "off" || policy === "none"
        ? "off"
        : `${result.violations} violations in ${options.audit === "every" ? "every boundary" : `${result.audits} audits`}`;
    line(
      kernel.name,
      policy,
      wrong.length === 0 ? "ok" : "FAILED",
      million(result.time),
      million(result.instructions),
      result.exits,
      second(result.milliseconds),
      second(result.processorMilliseconds),
      [audited, ...wrong].join("\n  "),
    );
    if (result.wrong === null && (policy === "none" || policy === "B")) measured.push(result);
  }
  if (options.v86 && measured.length > 0) await peers(kernel, measured);
}
process.exit(bad === 0 ? 0 : 1);
