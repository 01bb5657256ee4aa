/**
 * npm run kernels: boots kernels that others wrote under every policy of the shadow MMU, with the audit, and compares
 * what they send and the machine's state at the end between the policies. None of them is in this repository: the
 * folder that QUADRANT_KERNELS names holds them and a list, kernels.json (docs/kernels.md).
 *
 *   node build/kernels.mjs [--only NAME,...] [--policies ID,...] [--audit off|end|every] [--v86]
 *     --audit   end when not said: once behind the last step; every: at every boundary, slow
 *     --v86     measures v86 without its JIT and with it on the same kernels, one after the other with `none`
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
if (!["off", "end", "every"].includes(options.audit)) {
  console.error(`--audit should be off, end or every, not "${options.audit}"`);
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
console.log(
  `${pad("kernel", 22)}${pad("policy", 8)}${pad("result", 10)}${pad("units/M", 10)}${pad("retired/M", 11)}${pad("exits", 10)}${pad("seconds", 9)}audit`,
);
let bad = 0;
for (const kernel of kernels) {
  if (only !== undefined && !only.includes(kernel.name)) continue;
  const own = kernel.policies.length === 0 ? POLICY_IDS : kernel.policies;
  let first = null;
  for (const policy of own.filter((id) => wanted === undefined || wanted.includes(id))) {
    let result;
    try {
      result = await node(join(out, "run.mjs"), manifest, kernel.name, policy, options.audit);
    } catch (error) {
      bad++;
      console.log(`${pad(kernel.name, 22)}${pad(policy, 8)}FAILED: ${error.message}`);
      continue;
    }
    writeFileSync(join(transcripts, `${kernel.name}.${policy}.txt`), result.output, "latin1");
    // The same inputs at the same units: the policies may differ in exits alone.
    first ??= result;
    const differs = ["output", "time", "instructions", "state"].find((what) => result[what] !== first[what]);
    const wrong =
      result.wrong ?? (differs === undefined ? null : `${differs} is not that of ${first.policy}`);
    if (wrong !== null) bad++;
    console.log(
      `${pad(kernel.name, 22)}${pad(policy, 8)}${pad(wrong === null ? "ok" : "FAILED", 10)}${pad(million(result.time), 10)}${pad(million(result.instructions), 11)}${pad(result.exits, 10)}${pad((result.milliseconds / 1000).toFixed(1), 9)}${options.audit === "off" ? "off" : `${result.violations} violations`}${wrong === null ? "" : `\n  ${wrong}`}`,
    );
    if (options.v86 && policy === "none") {
      for (const jit of ["nojit", "jit"]) {
        const peer = await node(inRoot("test", "kernels", "peer.mjs"), manifest, kernel.name, jit).catch(
          (error) => ({ wrong: error.message, milliseconds: 0 }),
        );
        console.log(
          `${pad(kernel.name, 22)}${pad(jit === "jit" ? "v86+JIT" : "v86", 8)}${pad(peer.wrong === null ? "ok" : "FAILED", 41)}${pad((peer.milliseconds / 1000).toFixed(1), 9)}${peer.wrong ?? `Quadrant takes ${(result.milliseconds / peer.milliseconds).toFixed(2)} of its time`}`,
        );
      }
    }
  }
}
process.exit(bad === 0 ? 0 : 1);
