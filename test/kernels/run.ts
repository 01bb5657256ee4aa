/**
 * Boots one kernel under one policy and prints one JSON line; what the guest sends goes to standard error as it comes.
 * Bundled and run by build/kernels.mjs.
 * usage: node run.mjs MANIFEST NAME POLICY off|end|often|every
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { boot, type KernelAudit } from "./boot.ts";
import { readManifest } from "./manifest.ts";

const [manifest, name, policy, audit] = process.argv.slice(2);
const kernel = readManifest(readFileSync(manifest!, "utf8")).find((k) => k.name === name);
if (kernel === undefined) throw new Error(`${manifest} has no kernel "${name}"`);
console.log(
  JSON.stringify(
    boot(kernel, dirname(manifest!), policy!, audit as KernelAudit, (s) => process.stderr.write(s, "latin1")),
  ),
);
