/**
 * The machine's state in words, for the top bar and for screen readers.
 */
import type { Status, StopReason } from "../../core/lab/protocol/index.ts";

const STOPPED: Readonly<Record<StopReason, string>> = {
  "never-run": "Ready",
  paused: "Paused",
  step: "Paused",
  breakpoint: "Breakpoint",
  watchpoint: "Watchpoint",
  event: "At event",
  hlt: "Halted",
  "max-instructions": "Budget used",
  "triple-fault": "Triple fault",
  unimplemented: "Not implemented",
  "debug-exit": "Debug exit",
  finding: "Finding",
  bug: "Our bug",
};

/** What the machine does, in a word or two. */
export function stateText(status: Status): string {
  if (status.state === "running") return "Running";
  if (status.state === "waiting") return "Waiting for input";
  return STOPPED[status.stop.reason];
}

/** Green, red or neither. */
export function stateTone(status: Status): "run" | "bad" | "hot" | "still" {
  if (status.running) return "run";
  if (["triple-fault", "unimplemented", "bug"].includes(status.stop.reason)) return "bad";
  if (["finding", "breakpoint", "watchpoint"].includes(status.stop.reason)) return "hot";
  return "still";
}

/** A debugger moves the machine: nothing here does. */
export function held(status: Status): boolean {
  return status.debugger !== null && status.debugger.state !== "listening";
}

/** Who may attach, or has, in a few words. */
export function debuggerText({ port, state }: NonNullable<Status["debugger"]>): string {
  if (state === "listening") return `gdb may attach at :${port}`;
  return state === "stopped" ? `gdb holds the machine (:${port})` : `gdb runs the machine (:${port})`;
}

/** Nothing can make it go on but a reset. */
export function ended(status: Status): boolean {
  return status.state === "stopped" && !["finding", "max-instructions"].includes(status.stop.reason);
}
