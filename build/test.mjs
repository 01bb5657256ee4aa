/**
 * `npm test`: types, lint, import rules, unit and property tests, and the application itself in Electron and in a
 * browser. The last line sums up. With words, only those parts: node build/test.mjs types lint imports unit e2e.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { inRoot } from "./lib/repository.mjs";
import { install, nodeTooOld, run, tool, which } from "./lib/run.mjs";

const old = nodeTooOld();
if (old !== null) {
  console.error(old);
  process.exit(1);
}

const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const count = (what, { passed = 0, failed = 0, skipped = 0 }) => {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  if (failed > 0) failures.push(`${what}: ${failed} failed`);
};
const headline = (text) => console.log(`\n── ${text} ──`);

/** One check that either holds or does not, by a program's exit code. */
async function check(what, program, args) {
  headline(what);
  const code = await run(program, args);
  if (code === 0) console.log(`${what}: as it should be`);
  count(what, code === 0 ? { passed: 1 } : { failed: 1 });
}
const node = process.execPath;
const cache = inRoot(".cache");

const PARTS = {
  async types() {
    const tsc = tool("typescript/bin/tsc");
    await check("types of core (no DOM, no Node)", node, [tsc, "-p", "core"]);
    await check("types of electron, build and test", node, [tsc, "-p", "."]);
    await check("types of the renderer", node, [
      tool("svelte-check/bin/svelte-check"),
      "--tsconfig",
      "renderer/tsconfig.json",
      "--fail-on-warnings",
    ]);
  },
  async lint() {
    await check("lint and format", node, [
      tool("@biomejs/biome/bin/biome"),
      "check",
      "--error-on-warnings",
      ".",
    ]);
  },
  async imports() {
    headline("import rules");
    const { checkImports } = await import("./lib/imports.mjs");
    const { files, problems } = checkImports();
    for (const problem of problems) console.error(problem);
    console.log(`${files} files, ${problems.length} imports against the rules`);
    count("import rules", problems.length === 0 ? { passed: 1 } : { failed: problems.length });
  },
  async unit() {
    headline("unit, conformance, property and scenario tests");
    const report = inRoot(".cache", "vitest.json");
    rmSync(report, { force: true });
    const code = await run(node, [
      tool("vitest/vitest.mjs"),
      "run",
      "--passWithNoTests",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ]);
    const result = readReport(report);
    const counts = {
      passed: result?.numPassedTests ?? 0,
      failed: result?.numFailedTests ?? 0,
      skipped: (result?.numPendingTests ?? 0) + (result?.numTodoTests ?? 0),
    };
    // A file that cannot be loaded and an error outside of tests fail the run without failing a test.
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    count("unit tests", counts);
  },
  async e2e() {
    headline("end to end, in Electron and in Chromium");
    const { prepareEndToEnd } = await import("./lib/end-to-end.mjs");
    let environment;
    try {
      environment = await prepareEndToEnd();
    } catch (error) {
      console.error(error.message);
      count("end to end (could not begin)", { failed: 1 });
      return;
    }
    const report = inRoot(".cache", "playwright.json");
    rmSync(report, { force: true });
    const playwright = [tool("@playwright/test/cli.js"), "test", "-c", "test/e2e/playwright.config.ts"];
    const env = { ...process.env, ...environment, PLAYWRIGHT_JSON_OUTPUT_FILE: report };
    const headless = process.platform === "linux" && !process.env.DISPLAY && which("xvfb-run") !== null;
    const code = headless
      ? await run("xvfb-run", ["-a", "-s", "-screen 0 1920x1080x24", node, ...playwright], { env })
      : await run(node, playwright, { env });
    const stats = readReport(report)?.stats;
    const counts = {
      passed: (stats?.expected ?? 0) + (stats?.flaky ?? 0),
      failed: stats?.unexpected ?? 0,
      skipped: stats?.skipped ?? 0,
    };
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    count("end to end", counts);
  },
};

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}.`);
  process.exit(2);
}
const parts = wanted.length === 0 ? Object.keys(PARTS) : wanted;

if (!(await install())) process.exit(1);
mkdirSync(cache, { recursive: true });
if (parts.includes("unit") || parts.includes("e2e")) {
  const { provideDebianPackages } = await import("./lib/packages.mjs");
  await provideDebianPackages();
}
for (const part of parts) await PARTS[part]();

console.log("");
for (const failure of failures) console.log(failure);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
// Not process.exitCode: what electron-builder loads ends a process that has run out of work with 0, whatever was set.
process.exit(total.failed === 0 ? 0 : 1);
