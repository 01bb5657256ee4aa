/**
 * npm run soak: the property and conformance tests, much longer and with a seed of the day. Too long for npm test;
 * run it before an issue is closed, and report the seed with whatever it finds.
 *
 *   node build/soak.mjs [--factor N] [--seed N]     factor 1 takes about a quarter of an hour on two quiet cores
 */
import { parseArgs } from "node:util";
import { inRoot } from "./lib/repository.mjs";
import { install, run, tool } from "./lib/run.mjs";

const { values } = parseArgs({
  options: { factor: { type: "string", default: "1" }, seed: { type: "string" } },
});
const factor = Number(values.factor);
const seed = values.seed === undefined ? Math.floor(Date.now() / 1000) : Number(values.seed);
if (!(factor > 0) || !Number.isInteger(seed)) {
  console.error(
    "usage: node build/soak.mjs [--factor N] [--seed N]; factor is a number above 0, seed a whole number",
  );
  process.exit(2);
}

if (!(await install())) process.exit(1);
const cases = {
  QUADRANT_SEED: seed,
  QUADRANT_RUNS: Math.ceil(300 * factor),
  QUADRANT_DECODE_CASES: Math.ceil(200_000 * factor),
  QUADRANT_EXECUTE_CASES: Math.ceil(30_000 * factor),
  QUADRANT_X87_CASES: Math.ceil(100_000 * factor),
  QUADRANT_MATRIX: factor >= 50 ? 1 : factor >= 10 ? 5 : 61,
  QUADRANT_MATRIX_PLAIN: factor >= 50 ? 1 : 16,
};
console.log(
  Object.entries(cases)
    .map(([name, value]) => `${name}=${value}`)
    .join(" "),
);
const began = Date.now();
const code = await run(
  process.execPath,
  [
    tool("vitest/vitest.mjs"),
    "run",
    "--testTimeout=7200000",
    "test/property",
    "test/conformance/x86",
    "test/conformance/paging",
  ],
  {
    cwd: inRoot("."),
    env: { ...process.env, ...Object.fromEntries(Object.entries(cases).map(([k, v]) => [k, `${v}`])) },
  },
);
console.log(
  `soak with seed ${seed}: ${code === 0 ? "clean" : "FAILED"}, ${((Date.now() - began) / 60_000).toFixed(1)} minutes`,
);
process.exit(code);
