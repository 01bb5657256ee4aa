/** What the end-to-end tests need before they begin: the application built, and packaged with a runtime that runs here. */
import { HOSTED, hostedRuntime, overriddenRuntime, ownRuntime } from "./electron-runtime.mjs";
import { packageDir } from "./package.mjs";
import { buildApplication } from "./start.mjs";

const DOWNLOAD_SECONDS = 20;

/** Environment for Playwright. @throws with a sentence when something cannot be had */
export async function prepareEndToEnd() {
  if (!(await buildApplication())) throw new Error("The application could not be built.");
  const runtime = await runtimeForTests();
  console.log(`Electron ${runtime.version} from ${runtime.folder}`);
  return { QUADRANT_ELECTRON: await packageDir("testing", runtime) };
}

/** A named runtime, Electron's own, or (tests may, a person's desktop may not) the registry-hosted one. */
export async function runtimeForTests() {
  const named = overriddenRuntime();
  if (named.problem !== null) throw new Error(named.problem);
  if (named.runtime !== null) return named.runtime;
  const own = ownRuntime(DOWNLOAD_SECONDS);
  if (own.runtime !== null) return own.runtime;
  console.log(`${own.problem} Testing with Electron ${HOSTED.version} from the npm registry.`);
  return hostedRuntime();
}
