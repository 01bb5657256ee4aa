/**
 * What watching costs, under B: the continuous audit, the trace, both, and the throughput of pte_write under each, as
 * ratios to the same run without, in processor time (other work on the machine counts less). The configurations take turns
 * within each round; printed are the median of the rounds' ratios, and their least and greatest. Run by build/bench.mjs.
 */

/** Loops of loops.asm, and a whole guest (booted several times). */
const WORK = [
  { name: "cr3-reload", program: "2", iterations: 20_000 },
  { name: "pte-write", program: "3", iterations: 200_000 },
  { name: "nonpae-kernel", program: "nonpae-kernel", iterations: 6 },
];
/** Trace and audit of each side. `causes`: only the events that the audit names, as `quadrant run --audit every` has it. */
const SIDES = {
  neither: ["off", "off"],
  audit: ["off", "every"],
  "audit and its events": ["causes", "every"],
  trace: ["on", "off"],
  "trace and audit": ["on", "every"],
};
/** What is divided by what. */
const RATIOS = [
  ["audit", "neither"],
  ["audit and its events", "neither"],
  ["trace", "neither"],
  ["trace and audit", "trace"],
  ["trace and audit", "neither"],
];

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const spread = (numbers) => `${Math.min(...numbers).toFixed(2)} to ${Math.max(...numbers).toFixed(2)}`;

/** @param node runs a script and answers its output @param script the bundled quadrant.ts @param image loops.bin */
export function runAudit(node, script, image, rounds) {
  console.log(
    "\nThe cost of watching, under B (processor time; median of the rounds' ratios, least to greatest):",
  );
  for (const { name, program, iterations } of WORK) {
    const times = Object.fromEntries(Object.keys(SIDES).map((side) => [side, []]));
    let writes = 0;
    for (let round = 0; round < rounds; round++) {
      for (const [side, [trace, audit]] of Object.entries(SIDES)) {
        const run = JSON.parse(node(script, program, `${iterations}`, "B", trace, image, audit));
        if (run.violations !== 0) throw new Error(`the audit found ${run.violations} violations in ${name}`);
        times[side].push(run.cpu);
        writes = run.counters.mmu_pte_write ?? 0;
      }
    }
    console.log(`  ${name}`);
    for (const [over, under] of RATIOS) {
      const ratios = times[over].map((ms, i) => ms / times[under][i]);
      const least = Math.min(...times[over]) / Math.min(...times[under]);
      const what = `${over} / ${under}`.padEnd(34);
      console.log(
        `    ${what} ${median(ratios).toFixed(2)}   (${spread(ratios)}; of the fastest ${least.toFixed(2)})`,
      );
    }
    if (writes === 0) continue;
    const throughput = (side) => `${side} ${Math.round(writes / Math.min(...times[side]))}`;
    console.log(`    pte_write a millisecond, fastest:   ${Object.keys(SIDES).map(throughput).join(", ")}`);
  }
}
