/** Where things lie, and whether what was installed and built is still what the sources say. Plain Node, no packages. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, "");
export const inRoot = (...parts) => join(ROOT, ...parts);

/** What is downloaded once and shared by all clones: outside the repository, in the person's cache folder. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "quadrant");

/** True when node_modules is not what package-lock.json says: every package that is there has the locked version. */
export function installIsStale() {
  const installed = readJson(inRoot("node_modules", ".package-lock.json"));
  if (installed === null) return true;
  const locked = readJson(inRoot("package-lock.json"));
  if (locked === null) throw new Error("package-lock.json is missing or damaged");
  for (const [path, entry] of Object.entries(locked.packages)) {
    if (path === "") continue;
    const there = installed.packages?.[path];
    if (there === undefined ? !entry.optional : there.version !== entry.version) return true;
  }
  return false;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/** Sources of each thing that is built, as files or folders of the repository. */
const ALWAYS = ["build/bundle.mjs", "build/lib", "package-lock.json", "package.json", "tsconfig.base.json"];
export const SOURCES = {
  application: ["core", "electron", "renderer", "svelte.config.js", ...ALWAYS],
  cli: ["core", "electron/cli", "electron/gdb", ...ALWAYS],
};

/** One line that changes whenever a source file appears, disappears or changes (by size and time). */
export function fingerprint(paths) {
  const hash = createHash("sha256");
  const visit = (path) => {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info === undefined) return;
    if (info.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
    else hash.update(`${relative(ROOT, path)}\0${info.size}\0${info.mtimeMs}\n`);
  };
  for (const path of paths) visit(inRoot(path));
  return hash.digest("hex");
}

/** True when `stamp` (a file below dist/ or out/) does not hold `text`. */
export function isStale(stamp, text) {
  return !existsSync(stamp) || readFileSync(stamp, "utf8") !== text;
}

export function writeStamp(stamp, text) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, text);
}
