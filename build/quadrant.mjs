#!/usr/bin/env node
/** `npx quadrant`: the command line out of dist/cli.js, built first when it is missing or older than its sources. */
import { spawnSync } from "node:child_process";
import { fingerprint, inRoot, isStale, SOURCES } from "./lib/repository.mjs";
import { install, nodeTooOld } from "./lib/run.mjs";

const old = nodeTooOld();
if (old !== null) {
  console.error(old);
  process.exit(2);
}
if (isStale(inRoot("dist", ".cli"), fingerprint(SOURCES.cli))) {
  // Whatever building says goes to stderr: stdout is the command's own.
  const installed = await install(2);
  const built =
    installed &&
    spawnSync(process.execPath, [inRoot("build", "bundle.mjs"), "cli"], { stdio: ["ignore", 2, 2] })
      .status === 0;
  if (!built) {
    console.error("quadrant could not be built.");
    process.exit(3);
  }
}
await import("../dist/cli.js");
