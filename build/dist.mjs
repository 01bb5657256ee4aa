/**
 * `npm run dist`: packages what is shipped (electron-builder's `dir`), reads its fuses back from the executable, and
 * starts it once, without Playwright or anything else attached.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { runtimeForTests } from "./lib/end-to-end.mjs";
import { ROOT } from "./lib/repository.mjs";
import { capture, install, which } from "./lib/run.mjs";
import { isRoot } from "./lib/sandbox.mjs";
import { buildApplication } from "./lib/start.mjs";

const SELF_CHECK_MS = 60_000;

/** Packages, checks and starts the shipping build. @returns {Promise<string[]>} what is wrong, in sentences */
export async function dist() {
  if (!(await install()) || !(await buildApplication())) return ["It could not be built."];
  const { FUSES, packageDir } = await import("./lib/package.mjs");
  const runtime = await runtimeForTests();
  const executable = await packageDir("shipping", runtime);
  console.log(`Packaged: ${relative(ROOT, executable)} (Electron ${runtime.version})`);
  const problems = await fuseProblems(executable, FUSES);
  if (problems.length === 0) console.log(`Fuses: all ${Object.keys(FUSES).length} as stated`);
  const start = selfCheck(executable);
  if (start !== null) problems.push(start);
  return problems;
}

/** Reads the fuses back and names those that are not as stated. */
async function fuseProblems(executable, stated) {
  const { FuseV1Options, getCurrentFuseWire } = await import("@electron/fuses");
  const { FuseState } = await import("@electron/fuses/dist/constants.js");
  const wire = await getCurrentFuseWire(executable);
  const problems = [];
  for (const [name, on] of Object.entries(stated)) {
    const index = FuseV1Options[name[0].toUpperCase() + name.slice(1)];
    const state = wire[index];
    if (index === undefined || state === undefined)
      problems.push(`There is no fuse ${name} in this runtime.`);
    else if (state !== (on ? FuseState.ENABLE : FuseState.DISABLE))
      problems.push(`Fuse ${name} should be ${on ? "on" : "off"} and is not.`);
  }
  return problems;
}

function selfCheck(executable) {
  const folder = mkdtempSync(join(tmpdir(), "quadrant-dist-"));
  try {
    const words = [
      executable,
      "--self-check",
      `--user-data-dir=${folder}`,
      ...(isRoot() ? ["--no-sandbox"] : []),
    ];
    if (process.platform === "linux" && !process.env.DISPLAY && which("xvfb-run") !== null)
      words.unshift("xvfb-run", "-a");
    const [program, ...args] = words;
    const done = capture(program, args, { timeout: SELF_CHECK_MS });
    if (done.code !== 0)
      return `It does not start (code ${done.code}): ${(done.stderr + done.stdout).trim()}`;
    console.log(`Started: ${done.stdout.trim()}`);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const problems = await dist();
  for (const problem of problems) console.error(problem);
  // Not process.exitCode: see build/test.mjs.
  process.exit(problems.length === 0 ? 0 : 1);
}
