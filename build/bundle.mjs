/**
 * Builds the application into dist/: the renderer (one page for both editions), Electron's main process, preload
 * script and host worker, and the command line. Targets are the oldest that anything runs on: Node 20.18, Chromium 130.
 *
 *   node build/bundle.mjs          all
 *   node build/bundle.mjs cli      the command line alone
 */
import { existsSync } from "node:fs";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { build } from "vite";
import { fingerprint, inRoot, SOURCES, writeStamp } from "./lib/repository.mjs";
import { bundleScript } from "./lib/script.mjs";

const CHROME = "chrome130";

/** Page of both editions, and the Web Worker of the browser's. */
function renderer() {
  return build({
    configFile: false,
    root: inRoot("renderer"),
    base: "/",
    logLevel: "warn",
    plugins: [svelte({ configFile: inRoot("svelte.config.js") })],
    worker: { format: "es" },
    build: {
      outDir: inRoot("dist", "renderer"),
      emptyOutDir: true,
      target: CHROME,
      // A strict CSP has no data: fonts, and an inlined file saves nothing here.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 4096,
      rolldownOptions: { checks: { pluginTimings: false } },
      reportCompressedSize: false,
    },
  });
}

/** A script of the application, in dist/; Electron is there when it runs. */
const script = (entry, file, options) =>
  bundleScript(entry, inRoot("dist"), file, { external: ["electron"], ...options });

const CLI_ENTRY = "electron/cli/main.ts";

export async function bundleCli() {
  if (!existsSync(inRoot(CLI_ENTRY))) throw new Error(`${CLI_ENTRY} is not there`);
  const print = fingerprint(SOURCES.cli);
  await script(CLI_ENTRY, "cli.js", { banner: "#!/usr/bin/env node" });
  writeStamp(inRoot("dist", ".cli"), print);
}

export async function bundleApplication() {
  const print = fingerprint(SOURCES.application);
  await renderer();
  await script("electron/main/index.ts", "electron/main.cjs");
  await script("electron/preload/index.ts", "electron/preload.cjs");
  await script("electron/host/worker.ts", "electron/host.cjs");
  writeStamp(inRoot("dist", ".application"), print);
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  const known = { cli: bundleCli, application: bundleApplication };
  for (const name of wanted.length === 0 ? ["application", "cli"] : wanted) {
    if (known[name] === undefined) {
      console.error(
        `There is nothing called ${name} to build; there are ${Object.keys(known).join(" and ")}.`,
      );
      process.exit(2);
    }
    await known[name]();
  }
}
