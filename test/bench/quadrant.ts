/**
 * Runs one loop of loops.bin on Quadrant and prints one JSON line: milliseconds between the guest's 'S' and 'E', units
 * retired meanwhile, and the counters of the loop's work. Bundled and run by build/bench.mjs.
 * usage: node quadrant.mjs LOOP ITERATIONS POLICY on|off (trace) FILE (loops.bin)
 */
import { readFileSync } from "node:fs";
import { openImage } from "../../core/images/index.ts";
import { Machine } from "../../core/machine/machine.ts";

const [loop, iterations, policy = "B", trace = "off", file = ""] = process.argv.slice(2);

/** Units a slice: short enough that reading the port between two slices blurs a measurement by about a millisecond. */
const SLICE = 20_000;
const MEMORY = 64 << 20;

const bytes = new Uint8Array(readFileSync(file));
const view = new DataView(bytes.buffer);
view.setUint32(0x40, Number(loop), true);
view.setUint32(0x44, Number(iterations), true);
const opened = openImage(bytes, "multiboot", { memory: MEMORY, memoryHigh: 0 });
if (!opened.ok) throw new Error(opened.error);

const machine = Machine.boot(
  {
    memory: MEMORY,
    memoryHigh: 0,
    policy,
    tlb: "vmx",
    hazards: {},
    audit: "off",
    findings: "mark",
    unimplemented: "stop",
  },
  opened.image,
);
machine.trace.on = trace === "on";

let started = 0;
let unitsAtStart = 0;
const before = new Map<string, number>();
const counters = (): [string, number][] => {
  const kvm = machine.kvm;
  return kvm === null ? [] : Object.entries(kvm.counters).map(([name, value]) => [name, Number(value)]);
};

for (;;) {
  const going = machine.run(SLICE);
  const now = performance.now();
  const sent = machine.serial.total;
  if (started === 0 && sent >= 1) {
    started = now;
    unitsAtStart = machine.instructions;
    for (const [name, value] of counters()) before.set(name, value);
  }
  if (sent >= 2) {
    const did: Record<string, number> = {};
    for (const [name, value] of counters()) {
      const n = value - (before.get(name) ?? 0);
      if (n !== 0) did[name] = n;
    }
    console.log(
      JSON.stringify({ ms: now - started, units: machine.instructions - unitsAtStart, counters: did }),
    );
    break;
  }
  if (!going) throw new Error(`the machine stopped: ${machine.stop.reason} ${machine.stop.detail}`);
}
