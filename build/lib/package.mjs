/**
 * Packages the built application as a folder (electron-builder's `dir`), from a runtime that lies on this machine.
 * Every fuse that electron-builder's schema names is stated. The test build differs in one of them only: without
 * the inspector's arguments Playwright cannot attach.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fingerprint, inRoot, isStale, SOURCES, writeStamp } from "./repository.mjs";

/** The shipping build's fuses, by electron-builder's names. */
export const FUSES = {
  runAsNode: false,
  enableCookieEncryption: false,
  enableNodeOptionsEnvironmentVariable: false,
  enableNodeCliInspectArguments: false,
  enableEmbeddedAsarIntegrityValidation: true,
  onlyLoadAppFromAsar: true,
  loadBrowserProcessSpecificV8Snapshot: false,
  grantFileProtocolExtraPrivileges: false,
};

/** Flavours of the packaged folder: what is shipped, and what Playwright drives. */
export const FLAVOURS = {
  shipping: { fuses: FUSES },
  testing: { fuses: { ...FUSES, enableNodeCliInspectArguments: true } },
};

/**
 * Packages `flavour` from `runtime` when it is stale. The application has to be built already.
 * @param {"shipping" | "testing"} flavour
 * @param {import("./electron-runtime.mjs").Runtime} runtime
 * @returns {Promise<string>} the executable
 */
export async function packageDir(flavour, runtime) {
  const out = inRoot("out", flavour);
  const stamp = join(out, ".stamp");
  const print = [
    fingerprint(SOURCES.application),
    runtime.folder,
    runtime.version,
    JSON.stringify(FLAVOURS[flavour]),
  ].join("\n");
  const executable = join(out, `${folderName()}`, process.platform === "win32" ? "Quadrant.exe" : "quadrant");
  if (!isStale(stamp, print) && existsSync(executable)) return executable;
  rmSync(out, { recursive: true, force: true });
  const { build, Platform } = await import("electron-builder");
  process.env.ELECTRON_BUILDER_7ZIP_PATH ??= "/usr/bin/7za";
  await build({
    projectDir: inRoot("."),
    targets: Platform.current().createTarget("dir"),
    publish: "never",
    config: {
      appId: "io.quadrant.lab",
      productName: "Quadrant",
      executableName: "quadrant",
      copyright: "MIT licence",
      directories: { output: out, buildResources: inRoot("build", "resources") },
      electronDist: runtime.folder,
      electronVersion: runtime.version,
      npmRebuild: false,
      nodeGypRebuild: false,
      asar: true,
      files: ["package.json", "LICENSE", "dist/renderer/**", "dist/electron/**"],
      extraMetadata: { main: "dist/electron/main.cjs", scripts: {}, devDependencies: {} },
      electronFuses: FLAVOURS[flavour].fuses,
      linux: { category: "Education", target: "dir" },
    },
  });
  writeStamp(stamp, print);
  return executable;
}

function folderName() {
  if (process.platform === "win32") return "win-unpacked";
  if (process.platform === "darwin") return "mac";
  return process.arch === "x64" ? "linux-unpacked" : `linux-${process.arch}-unpacked`;
}
