/**
 * Bundles one TypeScript entry into one self-contained script for Node or Electron. Vite is imported when it is needed:
 * some callers install the packages first.
 */
import { inRoot } from "./repository.mjs";

/** The oldest Node that anything here runs on. */
const NODE = "node20.18";

/**
 * @param {string} entry below the repository's root
 * @param {string} outDir folder that the script is written to; what else is in it stays
 * @param {string} file the script's name in there; .cjs is CommonJS
 * @param {{ external?: string[], banner?: string }} [options] packages left to the runtime beside Node's own; first line
 * @returns {Promise<string>} the script's path
 * @throws {Error} when the script would need a package that it should contain
 */
export async function bundleScript(entry, outDir, file, { external = [], banner } = {}) {
  const { build } = await import("vite");
  const result = await build({
    configFile: false,
    root: inRoot("."),
    logLevel: "warn",
    publicDir: false,
    ssr: { noExternal: true, target: "node" },
    build: {
      ssr: inRoot(entry),
      outDir,
      emptyOutDir: false,
      target: NODE,
      minify: false,
      rolldownOptions: {
        checks: { pluginTimings: false },
        external: [...external, /^node:/],
        output: {
          format: file.endsWith(".cjs") ? "cjs" : "es",
          entryFileNames: file,
          codeSplitting: false,
          ...(banner === undefined ? {} : { banner }),
        },
      },
    },
  });
  for (const chunk of [result].flat().flatMap((part) => part.output)) {
    for (const name of chunk.imports ?? []) {
      if (!external.includes(name) && !name.startsWith("node:"))
        throw new Error(
          `${chunk.fileName} still imports ${name}; only ${[...external, "node:"].join(" and ")} may stay`,
        );
    }
  }
  return `${outDir}/${file}`;
}
