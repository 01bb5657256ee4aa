// Assembles the built-in guests and the PC's firmware with nasm and writes each as core/guests/<id>/binary.ts: bytes and symbols.
// `node build/guests.mjs` writes the files; `node build/guests.mjs --check` only compares (exit code 1 on a difference,
// 2 without nasm). The tests call `assembleGuest` for the same comparison.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const GUEST_IDS = [
  "quadrant",
  "nonpae-kernel",
  "pae-kernel",
  "nanobench",
  "firmware",
  "pc-kernel",
  "warm-up",
];

const guestsDir = join(dirname(fileURLToPath(import.meta.url)), "..", "core", "guests");

/** True when nasm can be started. */
export function hasNasm() {
  try {
    execFileSync("nasm", ["-v"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Symbols of nasm's map file: labels in sections, without local ones (a dot in the name) and constants. */
export function parseMap(text) {
  const symbols = [];
  let inSection = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("----")) inSection = /^---- Section /.test(line);
    const row = inSection ? /^\s*[0-9A-F]+\s+([0-9A-F]+)\s+([A-Za-z_]\w*)\s*$/.exec(line) : null;
    if (row) symbols.push({ name: row[2], address: Number.parseInt(row[1], 16) });
  }
  return symbols.sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : 1));
}

/** Runs nasm on one guest. Answers its bytes and symbols. Throws with nasm's own message when it does not assemble. */
export function assembleGuest(id) {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-guest-"));
  try {
    const bin = join(dir, "guest.bin");
    const map = join(dir, "guest.map");
    const source = `${id}/${id}.asm`;
    const args = ["-f", "bin", "-I", "./", "-w+error", "--before", `[map symbols ${map}]`, "-o", bin, source];
    execFileSync("nasm", args, { cwd: guestsDir, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
    return { bytes: readFileSync(bin), symbols: parseMap(readFileSync(map, "utf8")) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The text of core/guests/<id>/binary.ts. */
export function binaryModule(id, { bytes, symbols }) {
  const chunks = bytes.toString("base64").match(/.{1,100}/g) ?? [];
  const lines = chunks.map((chunk, i) => `  "${chunk}"${i + 1 < chunks.length ? " +" : ";"}`);
  const names = symbols.map((s) => `  ["${s.name}", 0x${s.address.toString(16)}],`);
  return `/**
 * Generated from core/guests/${id}/${id}.asm by \`node build/guests.mjs\` (nasm). Do not edit.
 * ${bytes.length} bytes; a test assembles the source again and compares.
 */
// biome-ignore format: generated
export const BINARY =
${lines.join("\n")}

/** Labels of the source and their linked (virtual) addresses, ascending. */
// biome-ignore format: generated
export const SYMBOLS: readonly (readonly [name: string, address: number])[] = [
${names.join("\n")}
];
`;
}

function main() {
  const check = process.argv.includes("--check");
  if (!hasNasm()) {
    console.error("build/guests.mjs: nasm was not found; install it (Debian: apt install nasm)");
    process.exit(2);
  }
  let different = 0;
  for (const id of GUEST_IDS) {
    const file = join(guestsDir, id, "binary.ts");
    const text = binaryModule(id, assembleGuest(id));
    if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
    different++;
    if (check) console.error(`core/guests/${id}/binary.ts is not what nasm makes of its source`);
    else writeFileSync(file, text);
  }
  if (check && different > 0) process.exit(1);
  if (!check) console.log(`${GUEST_IDS.length} guests assembled, ${different} changed`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
