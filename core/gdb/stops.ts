/**
 * Why the machine stands still, in gdb's words: a stop reply with a signal, the reason where the protocol has one, and a
 * sentence for the console where it has none (gdb manual, "Stop Reply Packets").
 */
import type { Machine } from "../machine/machine.ts";
import type { StopReason } from "../machine/setup.ts";
import { hexOf } from "./hex.ts";
import type { Points } from "./points.ts";
import { EBP, EIP, ESP, REGISTERS } from "./registers.ts";

const SIGINT = 2;
const SIGILL = 4;
const SIGTRAP = 5;
const SIGABRT = 6;
const SIGSEGV = 11;

const SIGNALS: Readonly<Record<StopReason, number>> = {
  "never-run": SIGTRAP,
  paused: SIGINT,
  step: SIGTRAP,
  breakpoint: SIGTRAP,
  watchpoint: SIGTRAP,
  event: SIGTRAP,
  hlt: SIGTRAP,
  "max-instructions": SIGTRAP,
  "triple-fault": SIGSEGV,
  "debug-exit": SIGTRAP,
  unimplemented: SIGILL,
  finding: SIGABRT,
  bug: SIGABRT,
};

/** What gdb cannot say by itself. */
const SENTENCES: Partial<Readonly<Record<StopReason, string>>> = {
  event: "an event that was waited for",
  hlt: "halted",
  "max-instructions": "the budget is used up",
  "debug-exit": "the guest wrote to the debug-exit port",
  "triple-fault": "triple fault: the processor is shut down, and nothing but a reset (monitor reset) helps",
  unimplemented: "an instruction that is missing here",
  finding: "a finding of the audit or of the simulated KVM",
  bug: "a bug of Quadrant's own; the machine is over",
};

/** Whether gdb said that it understands reasons for breakpoints. */
export interface Understood {
  swbreak: boolean;
  hwbreak: boolean;
}

/** The stop reply for how the machine stands now. */
export function stopReply(machine: Machine, points: Points, understood: Understood): string {
  const { reason } = machine.stop;
  const signal = SIGNALS[reason].toString(16).padStart(2, "0");
  let text = `T${signal}thread:1;`;
  // With a CS base, gdb's program counter is not where its breakpoint is: told of one, it would find none there, and go on.
  if (reason === "breakpoint" && machine.cpu.csBase === 0) {
    const word = points.wordAt(machine.cpu.eip >>> 0);
    if (word === "swbreak" && understood.swbreak) text += "swbreak:;";
    if (word === "hwbreak" && understood.hwbreak) text += "hwbreak:;";
  }
  const hit = reason === "watchpoint" ? (machine.cpu.watchpoints?.told ?? null) : null;
  if (hit !== null) {
    const { word } = points.watchpoints.find((point) => point === hit.point) ?? { word: "watch" };
    text += `${word}:${hit.address.toString(16)};`;
  }
  for (const number of [EIP, ESP, EBP]) {
    text += `${number.toString(16).padStart(2, "0")}:${hexOf(REGISTERS[number]!.read(machine))};`;
  }
  return text;
}

/** A line for gdb's console, or null when the signal says it all. */
export function stopSentence(machine: Machine): string | null {
  const { reason, detail } = machine.stop;
  const sentence = SENTENCES[reason];
  if (sentence === undefined) return null;
  return `Quadrant: ${sentence}${detail === "" ? "" : ` (${detail})`}\n`;
}
