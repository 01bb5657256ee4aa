/**
 * Boots a kernel of a manifest on v86 (npm package, BSD licence), types and waits as for Quadrant, and prints one JSON
 * line: the milliseconds until the last step was seen, and the process's own. Without a boot loader's start of its own for Linux, v86 loads it
 * through its firmware, which is Debian's package seabios.
 * usage: node test/kernels/peer.mjs MANIFEST NAME jit|nojit
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { V86 } from "v86";

const [manifest, name, jit] = process.argv.slice(2);
const kernel = JSON.parse(readFileSync(manifest, "utf8")).kernels.find((k) => k.name === name);
const buffer = (file) => {
  const bytes = readFileSync(file);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
};
const own = (file) => buffer(join(dirname(manifest), file));
const [hda, hdb] = kernel.kind === "disk" ? [kernel.image, ...(kernel.disks ?? [])] : (kernel.disks ?? []);

const emulator = new V86({
  wasm_path: new URL("../../node_modules/v86/build/v86.wasm", import.meta.url).pathname,
  bios: buffer("/usr/share/seabios/bios.bin"),
  vga_bios: buffer("/usr/share/seabios/vgabios-stdvga.bin"),
  ...(kernel.kind === "linux"
    ? { bzimage: own(kernel.image), cmdline: kernel.append, initrd: own(kernel.initrd) }
    : kernel.kind === "multiboot"
      ? { multiboot: own(kernel.image), cmdline: kernel.append }
      : {}),
  ...(hda === undefined ? {} : { hda: own(hda) }),
  ...(hdb === undefined ? {} : { hdb: own(hdb) }),
  memory_size: kernel.memory << 20,
  vga_memory_size: 2 << 20,
  acpi: true,
  autostart: true,
  disable_jit: jit === "nojit",
  disable_speaker: true,
});

const began = performance.now();
const usage = process.cpuUsage();
let output = "";
let from = 0;
let step = 0;
const seen = [];
const finish = (wrong) => {
  const { user, system } = process.cpuUsage(usage);
  console.log(
    JSON.stringify({
      wrong,
      milliseconds: Math.round(performance.now() - began),
      processorMilliseconds: Math.round((user + system) / 1000),
      seen,
      output: output.slice(-2000),
    }),
  );
  process.exit(0);
};
const LIMIT = 600_000;
setTimeout(() => finish(`${JSON.stringify(kernel.steps[step].expect)} was not seen in ten minutes`), LIMIT);
emulator.add_listener("serial0-output-byte", (byte) => {
  output += String.fromCharCode(byte);
  for (let next = kernel.steps[step]; next !== undefined; next = kernel.steps[step]) {
    const at = output.indexOf(next.expect, from);
    if (at < 0) return;
    from = at + next.expect.length;
    step++;
    seen.push(Math.round(performance.now() - began));
    if (next.send !== undefined) emulator.serial0_send(next.send);
  }
  finish(null);
});
