/** Whether Chromium's sandbox can start here. It is never turned off by itself but for root, for whom it cannot be on. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { capture, which } from "./run.mjs";

export const isRoot = () => process.getuid?.() === 0;

/**
 * Null when the sandbox can start; otherwise the lines that say why not and how to allow it.
 * @param {string} folder the runtime's folder, with chrome-sandbox in it
 */
export function sandboxForbidden(folder) {
  if (process.platform !== "linux" || isRoot()) return null;
  if (isSetuidRoot(join(folder, "chrome-sandbox"))) return null;
  const reason = namespacesForbidden();
  if (reason === null) return null;
  const helper = join(folder, "chrome-sandbox");
  return [
    `This kernel does not let Electron's sandbox start: ${reason}.`,
    `Allow it for this runtime with:  sudo chown root:root '${helper}' && sudo chmod 4755 '${helper}'`,
    `or for all programs with:        sudo sysctl ${SWITCHES[reason] ?? "kernel.unprivileged_userns_clone=1"}`,
  ];
}

const CLONE = "unprivileged user namespaces are switched off";
const APPARMOR = "AppArmor restricts unprivileged user namespaces";
const LIMIT = "the number of user namespaces is limited to 0";
const SWITCHES = {
  [CLONE]: "kernel.unprivileged_userns_clone=1",
  [APPARMOR]: "kernel.apparmor_restrict_unprivileged_userns=0",
  [LIMIT]: "user.max_user_namespaces=15000",
};

function namespacesForbidden() {
  if (sysctl("kernel/unprivileged_userns_clone") === "0") return CLONE;
  if (sysctl("kernel/apparmor_restrict_unprivileged_userns") === "1") return APPARMOR;
  if (sysctl("user/max_user_namespaces") === "0") return LIMIT;
  if (which("unshare") !== null && capture("unshare", ["-Ur", "true"]).code !== 0)
    return "a user namespace could not be made";
  return null;
}

function sysctl(name) {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return null;
  }
}

function isSetuidRoot(file) {
  const info = statSync(file, { throwIfNoEntry: false });
  return info !== undefined && info.uid === 0 && (info.mode & 0o4001) === 0o4001;
}
