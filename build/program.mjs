/**
 * Builds one TypeScript program of the repository into a single file and runs it with this Node: how `npm run bench`
 * and `npm run soak` start. Peers and oracles out of node_modules stay imports.
 *
 *   node build/program.mjs test/bench/main.ts [its arguments]
 */
import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { inRoot } from "./lib/repository.mjs";
import { install, run } from "./lib/run.mjs";

const [entry, ...words] = process.argv.slice(2);
if (entry === undefined || !existsSync(inRoot(entry))) {
  console.error(`${entry ?? "A program"} is not there to be run.`);
  process.exit(2);
}
if (!(await install())) process.exit(1);
const { build } = await import("vite");
const file = `${basename(dirname(entry))}-${basename(entry, ".ts")}.js`;
await build({
  configFile: false,
  root: inRoot("."),
  logLevel: "warn",
  publicDir: false,
  ssr: { noExternal: true, external: ["v86", "iced-x86"], target: "node" },
  build: {
    ssr: inRoot(entry),
    outDir: inRoot("dist", "programs"),
    emptyOutDir: false,
    target: "node20.18",
    minify: false,
    rolldownOptions: { output: { format: "es", entryFileNames: file, codeSplitting: false } },
  },
});
process.exitCode = await run(process.execPath, [inRoot("dist", "programs", file), ...words]);
