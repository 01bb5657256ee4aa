/**
 * npm run bench: the loops of test/bench on Quadrant and on v86, the same bytes on both sides, in one run.
 * These machines are noisy, so the configurations take turns within each round, and what is printed are ratios of
 * processor times (other work on the machine counts less than by the clock), the median over the rounds. The loops run
 * for some hundred milliseconds and more, so that both sides' compilers have done their work. Needs the BIOS images of Debian's package seabios for v86.
 *
 *   node build/bench.mjs [--rounds N] [--loop NAME]
 *   node build/bench.mjs --audit [--rounds N]    what the continuous audit, the trace and a trapped write cost: test/bench/audit.mjs
 *   node build/bench.mjs --latency [OPTIONS]     how late the window is, in both editions: test/bench/latency.mjs
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { inRoot } from "./lib/repository.mjs";
import { install } from "./lib/run.mjs";
import { bundleScript } from "./lib/script.mjs";

if (!(await install())) process.exit(1);

if (process.argv[2] === "--latency") {
  const { runLatency } = await import("./lib/latency.mjs");
  process.exit(await runLatency(process.argv.slice(3)));
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    loop: { type: "string" },
    audit: { type: "boolean", default: false },
  },
});
const ROUNDS = Number(options.rounds);

/** Loops of loops.asm: number, iterations of a round, instructions an iteration. */
const LOOPS = [
  { name: "arithmetic", loop: 0, iterations: 20_000_000, instructions: 10 },
  { name: "load-store", loop: 1, iterations: 300_000, instructions: 64 * 6 + 3 },
  { name: "cr3-reload", loop: 2, iterations: 100_000, instructions: 64 * 6 + 4 },
  { name: "pte-write", loop: 3, iterations: 5_000_000, instructions: 6 },
  { name: "call-return", loop: 4, iterations: 16_000_000, instructions: 9 },
];
/** What an exit, a trapped write and a refill cost: Quadrant alone, under B. */
const COSTS = [
  { name: "cpuid", loop: 5, iterations: 1_000_000 },
  { name: "pte-write", loop: 3, iterations: 1_000_000 },
  { name: "two-pte-writes", loop: 6, iterations: 1_000_000 },
  { name: "invlpg-touch", loop: 7, iterations: 2_000_000 },
];

const script = await bundleScript("test/bench/quadrant.ts", inRoot(".cache", "bench"), "quadrant.mjs");

const node = (...args) =>
  execFileSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 300_000,
    stdio: ["ignore", "pipe", "inherit"],
  });
const quadrant = (policy, trace) => (loop) =>
  JSON.parse(
    node(script, `${loop.loop}`, `${loop.iterations}`, policy, trace, inRoot("test/bench/loops.bin")),
  );
const v86 = (jit) => (loop) =>
  JSON.parse(node(inRoot("test/bench/peer.mjs"), `${loop.loop}`, `${loop.iterations}`, jit));

if (options.audit) {
  const { runAudit } = await import("./../test/bench/audit.mjs");
  runAudit(node, script, inRoot("test/bench/loops.bin"), ROUNDS);
  process.exit(0);
}

const SIDES = { none: quadrant("none", "off"), B: quadrant("B", "off"), "B, trace on": quadrant("B", "on") };
const havePeer = existsSync("/usr/share/seabios/bios.bin");
if (havePeer) {
  SIDES["v86 without JIT"] = v86("nojit");
  SIDES["v86 with JIT"] = v86("jit");
} else {
  console.log("v86 is left out: it wants a BIOS image (Debian: apt install seabios)");
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const pad = (text, width) => String(text).padStart(width);

console.log(
  `${ROUNDS} rounds, ${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}`,
);
console.log(
  "Million guest instructions a second of processor time (median), and Quadrant's speed as a multiple of v86's (median of the rounds' ratios).\n",
);
const names = Object.keys(SIDES);
for (const loop of LOOPS.filter((l) => options.loop === undefined || l.name === options.loop)) {
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) times[name].push(SIDES[name](loop).cpu);
  }
  console.log(loop.name);
  for (const name of names) {
    const all = times[name];
    const mips = (loop.iterations * loop.instructions) / median(all) / 1000;
    const spread = Math.max(...all) / Math.min(...all);
    let line = `  ${name.padEnd(16)} ${pad(mips.toFixed(1), 8)} MIPS   spread ${spread.toFixed(2)}`;
    if (havePeer && !name.startsWith("v86")) {
      for (const peer of ["v86 without JIT", "v86 with JIT"]) {
        const ratio = median(all.map((cpu, i) => times[peer][i] / cpu));
        line += `   ${ratio.toFixed(2)} x ${peer}`;
      }
    }
    console.log(line);
  }
}

if (options.loop === undefined) {
  console.log(
    "\nCosts under B, trace off (median), in units of one load-store instruction of the same round:",
  );
  const rows = Object.fromEntries(COSTS.map((c) => [c.name, []]));
  const unit = [];
  for (let round = 0; round < ROUNDS; round++) {
    const base = quadrant("B", "off")(LOOPS[1]);
    unit.push(base.cpu / base.units);
    for (const cost of COSTS) {
      const run = quadrant("B", "off")(cost);
      rows[cost.name].push({ per: run.cpu / cost.iterations });
    }
  }
  const ns = (values) =>
    `${(median(values) * 1e6).toFixed(0)} ns, ${median(values.map((v, i) => v / unit[i])).toFixed(0)} instructions`;
  const per = (name) => rows[name].map((r) => r.per);
  console.log(`  an exit (CPUID)                              ${ns(per("cpuid"))}`);
  console.log(
    `  a trapped write of an entry                  ${ns(per("two-pte-writes").map((v, i) => v - per("pte-write")[i]))}`,
  );
  console.log(`  a trapped write, INVLPG, a refill by a touch ${ns(per("pte-write"))}`);
  console.log(`  INVLPG and a touch without a refill          ${ns(per("invlpg-touch"))}`);
  const { runAudit } = await import("./../test/bench/audit.mjs");
  runAudit(node, script, inRoot("test/bench/loops.bin"), ROUNDS);
}
