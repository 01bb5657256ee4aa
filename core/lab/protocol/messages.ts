/**
 * Messages between a client (a window, a test) and the host that runs the machine.
 * Client to host is validated with these schemas; host to client is trusted and typed.
 * A push is answered with an ack before the next one is sent; at most 60 a second.
 */
import * as v from "valibot";
import { Command } from "./commands.ts";
import type { MachineConfig } from "./config.ts";
import { whole } from "./config.ts";
import type { PcStatus } from "./pc.ts";
import { type ViewData, ViewRequest } from "./views.ts";

const id = (what: string) => whole(0, Number.MAX_SAFE_INTEGER, what);

export const ClientMessage = v.variant(
  "type",
  [
    v.strictObject({ type: v.literal("command"), id: id("id"), command: Command }),
    /** Opens a view, or gives an open one a new request. */
    v.strictObject({ type: v.literal("view"), view: id("view"), request: ViewRequest }),
    v.strictObject({ type: v.literal("close"), view: id("view") }),
    v.strictObject({ type: v.literal("ack"), seq: id("seq") }),
    /** A client begins (a window was loaded, or loaded again): views are closed, pushes begin anew, the status comes first. */
    v.strictObject({ type: v.literal("hello") }),
  ],
  (issue) => `unknown message type ${issue.received}`,
);
export type ClientMessage = v.InferOutput<typeof ClientMessage>;

/** Why the machine stands still. */
export type StopReason =
  | "never-run"
  | "paused"
  | "step"
  | "breakpoint"
  | "watchpoint"
  | "event"
  | "hlt"
  | "max-instructions"
  | "triple-fault"
  | "unimplemented"
  | "debug-exit"
  | "finding"
  | "bug";

/** The door for debuggers: nobody there yet, or one for whom the machine stands still, or runs. */
export interface DebuggerStatus {
  readonly port: number;
  readonly state: "listening" | "stopped" | "running";
}

/** Always pushed when it changed: what the top bar and the status bar show. */
export interface Status {
  readonly running: boolean;
  /** "waiting": halted with IF=1, the lab waits for input. */
  readonly state: "running" | "paused" | "waiting" | "stopped";
  readonly stop: { readonly reason: StopReason; readonly detail: string };
  readonly time: number;
  readonly instructions: number;
  readonly eip: number;
  /** Linear address of the instruction at EIP: CS's base and EIP, 32 bits unsigned. */
  readonly linearIp: number;
  readonly cpl: number;
  /** Symbol + offset of EIP, or "". */
  readonly where: string;
  /** Counts the machines that stood here: another after a reset, another image or guest, an opened machine. */
  readonly machine: number;
  readonly title: string;
  /** Built-in guest's id, or null for an opened image. */
  readonly guest: string | null;
  /** Lines to show on the guest's first start (what to press, what to look for). Empty when there are none. */
  readonly introduction: readonly string[];
  readonly config: MachineConfig;
  /** Million units a second, measured by the host; 0 while paused. */
  readonly mips: number;
  readonly audit: { readonly mode: string; readonly violations: number; readonly first: string };
  readonly traceOn: boolean;
  /** Null while no debugger may attach. */
  readonly debugger: DebuggerStatus | null;
  /** Null on a bare machine. */
  readonly pc: PcStatus | null;
  /** The experiment that runs beside the machine, or null. */
  readonly experiment: { readonly title: string; readonly done: number; readonly total: number } | null;
  /** What the guest wrote to its serial port: how many bytes, and its last line that is not empty. */
  readonly console: { readonly total: number; readonly lastLine: string };
  readonly counters: {
    readonly exits: number;
    readonly pf_fixed: number;
    readonly pf_guest: number;
    readonly mmu_pte_write: number;
    readonly quadrant_skipped: number;
  };
}

export type HostMessage =
  | { readonly type: "reply"; readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly type: "reply"; readonly id: number; readonly ok: false; readonly error: string }
  | {
      readonly type: "push";
      readonly seq: number;
      readonly status: Status | null;
      readonly views: readonly { readonly view: number; readonly data: ViewData }[];
      /**
       * The slices that this push brings the news of, two numbers each: the machine's time at the slice's end and
       * when that was (milliseconds since the epoch). Measuring how late a window shows a store needs them.
       */
      readonly slices: readonly number[];
    }
  /** A view request that cannot be answered now, in words. */
  | { readonly type: "viewError"; readonly view: number; readonly error: string }
  /** A message that did not fit the protocol; nothing was changed. */
  | { readonly type: "refused"; readonly error: string };

/** Parses a message from a client. Returns the sentence that says what is wrong, or the message. */
export function parseClientMessage(
  data: unknown,
): { ok: true; message: ClientMessage } | { ok: false; error: string } {
  const result = v.safeParse(ClientMessage, data);
  if (result.success) return { ok: true, message: result.output };
  const issue = result.issues[0]!;
  const path = v.getDotPath(issue);
  return { ok: false, error: path === null ? issue.message : `${path}: ${issue.message}` };
}
