/**
 * Runs one loop of loops.bin on Quadrant and prints one JSON line: milliseconds between the guest's 'S' and 'E', units
 * retired meanwhile, and the counters of the loop's work. Bundled and run by build/bench.mjs.
 * LOOP may name a built-in guest instead, which is booted ITERATIONS times.
 * usage: node quadrant.mjs LOOP ITERATIONS POLICY on|off|causes (trace) FILE (loops.bin) [off|every (audit)]
 */
import { readFileSync } from "node:fs";
import { findGuest } from "../../core/guests/index.ts";
import { openImage } from "../../core/images/index.ts";
import { CAUSES } from "../../core/machine/cause.ts";
import { Machine } from "../../core/machine/machine.ts";
import { Trace } from "../../core/trace/trace.ts";

const [loop, iterations, policy = "B", trace = "off", file = "", audit = "off"] = process.argv.slice(2);

/** Units a slice: short enough that reading the port between two slices blurs a measurement by about a millisecond. */
const SLICE = 20_000;
const MEMORY = 64 << 20;

/** Boots a built-in guest `iterations` times and runs each to its end; prints the same line. */
function wholeGuest(id: string): void {
  const guest = findGuest(id)!;
  const { memory, memoryHigh } = guest;
  const image = openImage(guest.bytes, guest.kind, { memory, memoryHigh });
  if (!image.ok) throw new Error(image.error);
  const did: Record<string, number> = {};
  let units = 0;
  let violations = 0;
  let ms = 0;
  let cpu = 0;
  const ring = new Trace();
  ring.on = trace !== "off";
  if (trace === "causes") ring.keep(CAUSES);
  for (let i = -1; i < Number(iterations); i++) {
    const machine = Machine.boot({ ...SETUP, memory, memoryHigh }, image.image, ring);
    const [ms0, cpu0] = [performance.now(), cpuTime()];
    machine.run(Number.MAX_SAFE_INTEGER);
    violations += machine.watch.findings.total;
    // The first one warms up.
    if (i < 0) continue;
    ms += performance.now() - ms0;
    cpu += cpuTime() - cpu0;
    units += machine.instructions;
    for (const [name, value] of Object.entries(machine.kvm?.counters ?? {}))
      did[name] = (did[name] ?? 0) + value;
  }
  console.log(JSON.stringify({ ms, cpu, units, counters: did, violations }));
}

const SETUP = {
  memory: MEMORY,
  memoryHigh: 0,
  policy,
  tlb: "vmx",
  hazards: {},
  audit: audit === "every" ? "every" : "off",
  findings: "mark",
  unimplemented: "stop",
} as const;
/** Milliseconds of processor time that this process has used. */
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

if (findGuest(loop ?? "") !== null) {
  wholeGuest(loop!);
  process.exit(0);
}

const bytes = new Uint8Array(readFileSync(file));
const view = new DataView(bytes.buffer);
view.setUint32(0x40, Number(loop), true);
view.setUint32(0x44, Number(iterations), true);
const opened = openImage(bytes, "multiboot", { memory: MEMORY, memoryHigh: 0 });
if (!opened.ok) throw new Error(opened.error);

const machine = Machine.boot(SETUP, opened.image);
machine.trace.on = trace !== "off";
if (trace === "causes") machine.trace.keep(CAUSES);

let started = 0;
let cpuAtStart = 0;
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
    cpuAtStart = cpuTime();
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
      JSON.stringify({
        ms: now - started,
        cpu: cpuTime() - cpuAtStart,
        units: machine.instructions - unitsAtStart,
        counters: did,
        violations: machine.watch.findings.total,
      }),
    );
    break;
  }
  if (!going) throw new Error(`the machine stopped: ${machine.stop.reason} ${machine.stop.detail}`);
}
