/**
 * What reaches the machine from outside: through its input queue, logged, as an exit. And the two switches that do
 * not touch its state: audit and trace.
 */
import type { Input } from "../../machine/inputs.ts";
import { LabError } from "../error.ts";
import type { Lab } from "../lab.ts";
import type { Command, EditResult } from "../protocol/index.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

/** Gives the machine an input. A bug that it shows stops the machine; the answer says so. */
function input(lab: Lab, what: Input) {
  try {
    return lab.machine.input(what);
  } finally {
    if (lab.machine.over) lab.stopped();
    else lab.auditStill();
  }
}

export function setPolicy(lab: Lab, command: Of<"setPolicy">): void {
  input(lab, { kind: "policy", policy: command.policy });
}

export function setHazard(lab: Lab, command: Of<"setHazard">): void {
  input(lab, { kind: "hazard", hazard: command.hazard, setting: command.setting });
}

export function setTlb(lab: Lab, command: Of<"setTlb">): void {
  input(lab, { kind: "tlb", tlb: command.tlb });
}

export function setNested(lab: Lab, command: Of<"setNested">): void {
  input(lab, { kind: "nested", levels: command.levels, walkCache: command.walkCache });
}

export function setUnimplemented(lab: Lab, command: Of<"setUnimplemented">): void {
  input(lab, { kind: "unimplemented", unimplemented: command.unimplemented });
}

export function setAudit(lab: Lab, command: Of<"setAudit">): void {
  const { setup } = lab.machine;
  lab.machine.setAudit(command.audit, command.findings ?? setup.findings);
  lab.auditStill();
}

export function setTrace(lab: Lab, command: Of<"setTrace">): void {
  lab.sharedTrace.on = command.on;
}

export function edit(lab: Lab, command: Of<"edit">): EditResult {
  const { space, as, address, size, low, high } = command;
  const result = input(lab, { kind: "edit", space, as, address, size, low, high });
  lab.shownFault =
    result.ok || (as !== "guest0" && as !== "guest3") ? null : { ...result.fault, time: lab.machine.time };
  return result;
}

export function deliverFault(lab: Lab): void {
  const fault = lab.shownFault;
  if (fault === null) throw new LabError("no edit as the guest has shown a fault that could be delivered");
  if (fault.time !== lab.machine.time) {
    throw new LabError(
      "the machine has moved on since that fault: edit again to see whether it still faults",
    );
  }
  input(lab, { kind: "fault", gva: fault.gva, error: fault.error });
  lab.shownFault = null;
}

export function serialInput(lab: Lab, command: Of<"serialInput">): void {
  input(lab, { kind: "serial", bytes: command.bytes });
  lab.wake();
}

/** Answers how many bytes the keyboard holds for the guest. */
export function keys(lab: Lab, command: Of<"keys">): number {
  const { pc } = lab.machine;
  if (command.codes.length > 0 || pc === null) {
    input(lab, { kind: "keys", codes: command.codes });
    lab.wake();
  }
  return pc?.board.keyboard.waiting ?? 0;
}
