/**
 * npm run soak: what npm test looks at, for much longer and with a seed of the day. Too long for npm test; run it before
 * an issue is closed, and report the seed with whatever it finds. docs/soak.md
 *
 *   node build/soak.mjs [--factor N] [--seed N]     factor 1 takes about half an hour on two quiet cores
 *   node build/soak.mjs --only marathon --operations 10000000 [--policies B,D] [--jobs N]
 *   node build/soak.mjs --only matrix [--policies B,D] [--jobs N]
 *
 * Four parts: `tests`, the property and conformance tests with more cases; `oracles`, a million instructions on the host's
 * processor and ten million decodings against iced-x86; the `matrix`, the access matrix whole under every policy; and the
 * `marathon`, random operations by the million under every policy. The last two are bundled and need no test runner.
 */
import { parseArgs } from "node:util";
import { runMarathon } from "./lib/marathon.mjs";
import { runMatrix } from "./lib/matrix.mjs";
import { inRoot } from "./lib/repository.mjs";
import { install, run, tool } from "./lib/run.mjs";

const USAGE = `usage: node build/soak.mjs [--factor N] [--seed N] [--only tests|oracles|matrix|marathon]
                           [--operations N] [--policies A,B,...] [--jobs N] [--out FILE] [--help]
  --factor      times as long as usual; a number above 0
  --seed        a whole number; by default another one every second
  --operations  of the marathon, under each policy; by default a million times the factor
  --policies    of the matrix and the marathon; by default all of them
  --jobs        processes of these at a time; by default as many as there are processors
  --out         file that the results of the part chosen with --only (or of the marathon) are written to, as JSON`;

let values;
try {
  ({ values } = parseArgs({
    options: {
      factor: { type: "string", default: "1" },
      seed: { type: "string" },
      only: { type: "string" },
      operations: { type: "string" },
      policies: { type: "string" },
      jobs: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  }));
} catch (error) {
  console.error(`${error.message}\n${USAGE}`);
  process.exit(2);
}
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const factor = Number(values.factor);
const seed = values.seed === undefined ? Math.floor(Date.now() / 1000) : Number(values.seed);
const operations = Number(values.operations ?? Math.ceil(1_000_000 * factor));
const jobs = values.jobs === undefined ? undefined : Number(values.jobs);
const right =
  factor > 0 &&
  Number.isInteger(seed) &&
  operations > 0 &&
  (jobs === undefined || (Number.isInteger(jobs) && jobs > 0)) &&
  [undefined, "tests", "oracles", "matrix", "marathon"].includes(values.only);
if (!right) {
  console.error(USAGE);
  process.exit(2);
}

if (!(await install())) process.exit(1);
let code = 0;
const { only, out } = values;
const policies = values.policies?.split(",");
const wants = (part) => only === undefined || only === part;
if (wants("tests")) code = await runTests();
if (wants("oracles")) code = (await runOracles()) || code;
if (wants("matrix")) {
  const step = factor < 1 ? 61 : 1;
  code = (await runMatrix({ step, policies, jobs, out: only === "matrix" ? out : undefined })) || code;
}
if (wants("marathon")) {
  const marathon = policies?.filter((policy) => policy !== "none");
  code = (await runMarathon({ operations, seed, policies: marathon, jobs, out })) || code;
}
process.exit(code);

function runTests() {
  const cases = {
    QUADRANT_SEED: seed,
    QUADRANT_RUNS: Math.ceil(300 * factor),
    QUADRANT_DECODE_CASES: Math.ceil(200_000 * factor),
    QUADRANT_EXECUTE_CASES: Math.ceil(30_000 * factor),
    QUADRANT_X87_CASES: Math.ceil(100_000 * factor),
  };
  return runVitest("tests", cases, ["test/property", "test/conformance/x86", "test/conformance/paging"]);
}

/** Instructions of 32- and of 16-bit code on the host's processor, so many of each; decodings in both, so many together. */
function runOracles() {
  const cases = {
    QUADRANT_SEED: seed,
    QUADRANT_EXECUTE_CASES: Math.ceil(1_000_000 * factor),
    QUADRANT_DECODE_CASES: Math.ceil(5_000_000 * factor),
  };
  return runVitest("oracles", cases, [
    "test/conformance/x86/execute.test.ts",
    "test/conformance/x86/decode.test.ts",
  ]);
}

/** @returns {Promise<number>} exit code */
async function runVitest(part, cases, paths) {
  console.log(
    Object.entries(cases)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  );
  const began = Date.now();
  const tested = await run(
    process.execPath,
    [tool("vitest/vitest.mjs"), "run", "--testTimeout=7200000", ...paths],
    {
      cwd: inRoot("."),
      env: { ...process.env, ...Object.fromEntries(Object.entries(cases).map(([k, v]) => [k, `${v}`])) },
    },
  );
  const minutes = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(`soak, ${part} with seed ${seed}: ${tested === 0 ? "clean" : "FAILED"}, ${minutes} minutes`);
  return tested;
}
