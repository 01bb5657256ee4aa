/** A PC that waits for its timer: how far its time comes in a slice, and what a host is told of it. */
import { expect, test } from "vitest";
import { UNITS_PER_SECOND } from "../../../core/devices/clock.ts";
import { Lab } from "../../../core/lab/index.ts";

test("time passes over a halted PC however little is asked for, and never beyond what was asked to stop at", () => {
  const lab = new Lab({ guest: "pc-kernel", traceCapacity: 1 << 12 });
  lab.command({ name: "setTrace", on: false });
  lab.command({ name: "run" });
  while (!lab.machine.waiting) lab.slice(5000);
  // One unit a slice, as a host may come down to that was busy elsewhere. The firmware waits for ticks, 1 ms each, with
  // some thirty instructions at each.
  const begun = lab.machine.time;
  let [units, rested] = [0, 0];
  for (let slices = 0; slices < 300; slices++) {
    const ran = lab.slice(1);
    expect(ran).toBeLessThanOrEqual(1);
    units += ran;
    rested += lab.rest;
  }
  const passed = lab.machine.time - begun;
  expect(passed / UNITS_PER_SECOND).toBeGreaterThan(0.005);
  expect(rested).toBeCloseTo(((passed - units) / UNITS_PER_SECOND) * 1000, 6);
  // A step of 300 units ends in the next wait, and exactly there.
  const { time } = lab.machine;
  lab.command({ name: "step", count: 300 });
  for (let slices = 0; lab.running; slices++) {
    expect(slices).toBeLessThan(300);
    lab.slice(1);
  }
  expect(lab.machine.time).toBe(time + 300);
});

test("a comparison says how far it came, so that its slices find their length", () => {
  const lab = new Lab({ guest: "quadrant", traceCapacity: 1 << 12 });
  lab.command({
    name: "compare",
    pairs: [["P", "B"]],
    until: "guest",
    from: "start",
    accessedDirty: false,
  });
  expect(lab.slice(20_000)).toBeGreaterThanOrEqual(20_000);
  expect(lab.rest).toBe(0);
});
