/**
 * Running and standing still. Small steps are done at once, so that the answer comes with their result; anything
 * longer goes on in slices.
 */

import { LabError } from "../error.ts";
import type { Lab } from "../lab.ts";
import type { Command } from "../protocol/index.ts";
import { kindsOf } from "../views/events.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

/** Units that `step` does at once. */
const AT_ONCE = 256;

export function run(lab: Lab): void {
  lab.start(null);
}

export function pause(lab: Lab): void {
  lab.pause();
}

export function step(lab: Lab, command: Of<"step">): void {
  lab.pause();
  lab.start(lab.machine.time + command.count);
  lab.slice(AT_ONCE);
}

export function runTo(lab: Lab, command: Of<"runTo">): void {
  lab.pause();
  lab.runTo = command.address;
  lab.applyBreakpoints();
  lab.start(null);
}

export function runToEvent(lab: Lab, command: Of<"runToEvent">): void {
  const kinds = kindsOf(command.kinds);
  if (!lab.sharedTrace.on)
    throw new LabError("the trace is off, so no event would be seen: turn it on first");
  lab.pause();
  lab.start(null);
  lab.machine.stopAtEvents = kinds ?? null;
}

export function breakpoint(lab: Lab, command: Of<"breakpoint">): void {
  if (command.on) lab.context.breakpoints.add(command.address);
  else lab.context.breakpoints.delete(command.address);
  lab.applyBreakpoints();
}
