/**
 * Runs one loop of loops.bin on v86 (npm package, BSD licence) and prints one JSON line: milliseconds between the guest's
 * 'S' and 'E', by the clock and of processor time.
 * usage: node test/bench/peer.mjs LOOP ITERATIONS jit|nojit
 * v86 wants a BIOS image: Debian's package seabios has the two files.
 */
import { readFileSync } from "node:fs";
import { V86 } from "v86";

const [loop, iterations, jit] = process.argv.slice(2);
const BIOS = "/usr/share/seabios/bios.bin";
const VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin";
const buffer = (file) => {
  const bytes = readFileSync(file);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
};

const image = new Uint8Array(buffer(new URL("./loops.bin", import.meta.url)));
const view = new DataView(image.buffer);
view.setUint32(0x40, Number(loop), true);
view.setUint32(0x44, Number(iterations), true);

const emulator = new V86({
  wasm_path: new URL("../../node_modules/v86/build/v86.wasm", import.meta.url).pathname,
  bios: { buffer: buffer(BIOS) },
  vga_bios: { buffer: buffer(VGA_BIOS) },
  multiboot: { buffer: image.buffer },
  memory_size: 64 << 20,
  vga_memory_size: 2 << 20,
  autostart: true,
  disable_jit: jit === "nojit",
  disable_speaker: true,
});

/** Milliseconds of processor time that this process has used. */
const cpuTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

let started = 0;
let cpuAtStart = 0;
emulator.add_listener("serial0-output-byte", (byte) => {
  const now = performance.now();
  if (byte === 0x53) {
    started = now;
    cpuAtStart = cpuTime();
  }
  if (byte === 0x45) {
    console.log(JSON.stringify({ ms: now - started, cpu: cpuTime() - cpuAtStart }));
    process.exit(0);
  }
});
