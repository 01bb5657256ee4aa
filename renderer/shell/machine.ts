/**
 * The machine's state in words, for the top bar and for screen readers.
 */
import type { Status, StopReason } from "../../core/lab/protocol/index.ts";

const STOPPED: Readonly<Record<StopReason, string>> = {
  "never-run": "Ready",
  paused: "Paused",
  step: "Paused",
  breakpoint: "Breakpoint",
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
  if (status.stop.reason === "finding" || status.stop.reason === "breakpoint") return "hot";
  return "still";
}

/** Nothing can make it go on but a reset. */
export function ended(status: Status): boolean {
  return status.state === "stopped" && !["finding", "max-instructions"].includes(status.stop.reason);
}
