/** Starts the latency bench: the application built and packaged as for the end-to-end tests, and a display. */
import { prepareEndToEnd } from "./end-to-end.mjs";
import { provideDebianPackages } from "./packages.mjs";
import { inRoot } from "./repository.mjs";
import { run, which } from "./run.mjs";

/** @returns {Promise<number>} the exit code */
export async function runLatency(words) {
  await provideDebianPackages();
  const env = { ...process.env, ...(await prepareEndToEnd()) };
  const bench = [process.execPath, inRoot("test", "bench", "latency.mjs"), ...words];
  const headless = process.platform === "linux" && !process.env.DISPLAY && which("xvfb-run") !== null;
  const [program, ...rest] = headless ? ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24", ...bench] : bench;
  return run(program, rest, { env });
}
