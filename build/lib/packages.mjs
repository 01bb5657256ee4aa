/** Debian's packages that the tests need: oracles, browsers' libraries, a display. Installed when root, else named. */
import { readFileSync } from "node:fs";
import { capture, run } from "./run.mjs";
import { isRoot } from "./sandbox.mjs";

export const DEBIAN_PACKAGES = [
  // Oracles: assembler, compiler, another machine, a debugger, and the BIOS images the peer wants.
  ..."nasm gcc gcc-multilib qemu-system-x86 gdb seabios vgabios".split(" "),
  // Packaging, and the browser edition's browser.
  ..."p7zip-full chromium".split(" "),
  // Electron on a bare Debian, with a display to draw on.
  ..."xvfb xauth libnss3 libgtk-3-0 libasound2 libgbm1 libxss1 libatk-bridge2.0-0 libatspi2.0-0 libsecret-1-0".split(
    " ",
  ),
  ..."libnotify4 libxtst6 libdrm2 libcups2 dbus fonts-dejavu-core".split(" "),
];

function isDebian() {
  if (process.platform !== "linux") return false;
  try {
    return /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

/** Makes the packages be there, or says in one line what is missing. Never fails: what needs them skips loudly. */
export async function provideDebianPackages() {
  if (!isDebian()) {
    console.log(
      `Tests use these of Debian's packages (or yours of the same name): ${DEBIAN_PACKAGES.join(" ")}`,
    );
    return;
  }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg's own placeholders
  const format = "-f=${Package} ${db:Status-Abbrev}\n";
  const listed = capture("dpkg-query", ["-W", format, ...DEBIAN_PACKAGES]).stdout;
  const there = new Set(
    listed.split("\n").flatMap((line) => (/^(\S+) ii/.exec(line) ? [line.split(" ")[0]] : [])),
  );
  const missing = DEBIAN_PACKAGES.filter((name) => !there.has(name));
  if (missing.length === 0) return;
  if (!isRoot()) {
    console.log(
      `Some tests will be skipped; to run them: sudo apt-get install --no-install-recommends ${missing.join(" ")}`,
    );
    return;
  }
  console.log(`Installing Debian's packages for the tests: ${missing.join(" ")}`);
  const options = {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  };
  if ((await run("apt-get", ["update", "-qq"], options)) !== 0)
    console.error("apt-get update failed; going on.");
  if ((await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], options)) !== 0)
    console.error("apt-get install failed; what needs the packages will be skipped or fail.");
}
