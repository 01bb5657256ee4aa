/**
 * What the soak's parts share that run for long without a test runner: a script of test/soak bundled into one file, and
 * processes of it, so many at a time, whose last line is their result.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { inRoot } from "./repository.mjs";
import { bundleScript } from "./script.mjs";

/** Every policy but `none`, which is the marathon's yardstick. */
export const POLICIES = ["A0", "A", "P", "B", "C", "D", "E1", "E2", "E3", "F", "nested"];

/** Bundles test/soak/NAME.ts. @returns {Promise<string>} the file */
export function bundle(name) {
  return bundleScript(`test/soak/${name}.ts`, inRoot(".cache", "soak"), `${name}.mjs`);
}

/**
 * Does `task` with each of a list, at most `jobs` at a time. @returns {Promise<unknown[]>} the answers, in the list's order
 */
export async function inTurn(list, jobs, task) {
  const answers = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < list.length; i = next++) answers[i] = await task(list[i]);
  };
  await Promise.all(Array.from({ length: Math.min(jobs, list.length) }, worker));
  return answers;
}

/**
 * Runs a bundled script; what it says goes to the console, but for the line of JSON that is its result.
 * @returns {Promise<object>} the result, or `{ died }` with why there is none
 */
export function resultOf(file, args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let result = null;
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      if (line.startsWith("{")) result = JSON.parse(line);
      else console.log(line);
    });
    const end = (why) => resolve(result ?? { died: why });
    child.on("error", (error) => end(error.message));
    child.on("close", (code, signal) => end(`it ended with ${signal ?? `code ${code}`}`));
  });
}
