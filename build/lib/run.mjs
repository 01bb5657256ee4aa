/** Running other programs: in the foreground with their output shown, or with it kept. Plain Node, no packages. */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { inRoot, installIsStale, ROOT } from "./repository.mjs";

/** Runs a program to its end with its output shown. Answers its exit code (128 + signal number aside: 1). */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: "inherit", ...options });
    child.on("error", (error) => {
      console.error(`${program} could not be started: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** Runs a program to its end and keeps its output. */
export function capture(program, args, options = {}) {
  const done = spawnSync(program, args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    ...options,
  });
  return { code: done.status ?? 1, stdout: done.stdout ?? "", stderr: done.stderr ?? "", error: done.error };
}

/** Path of a program on the PATH, or null. */
export function which(program) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** A package's command line program in node_modules, to be run with this Node. */
export const tool = (path) => inRoot("node_modules", ...path.split("/"));

export const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/**
 * Installs the locked packages when they are missing or others than locked. Answers false when that failed.
 * What is said goes to `out` (1: standard output, 2: standard error).
 */
export async function install(out = 1) {
  if (!installIsStale()) return true;
  const say = out === 1 ? console.log : console.error;
  say("Installing the locked packages (npm ci) …");
  const code = await run(npm, ["ci", "--no-fund", "--no-audit"], {
    stdio: ["ignore", out, 2],
    shell: process.platform === "win32",
  });
  if (code !== 0) console.error("npm ci failed; its output above says why.");
  return code === 0;
}

/** The sentence for a Node that is too old, or null. */
export function nodeTooOld(version = process.versions.node) {
  const [major, minor] = version.split(".").map(Number);
  return major > 20 || (major === 20 && minor >= 19)
    ? null
    : `Quadrant needs Node 20.19 or newer, and this is ${version}.`;
}
