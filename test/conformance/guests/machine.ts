/**
 * Runs an image in the whole machine under a policy, to its stop, and gathers what the tests compare.
 */
import { openImage } from "../../../core/images/index.ts";
import { DEFAULT_CONFIG, type MachineConfig } from "../../../core/lab/protocol/config.ts";
import { Machine } from "../../../core/machine/machine.ts";
import { PAGE_SIZE } from "../../../core/memory/host-memory.ts";
import { Trace } from "../../../core/trace/trace.ts";

export interface MachineRun {
  readonly machine: Machine;
  readonly text: string;
  readonly stop: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  /** The guest's memory: from 0, then from 4 GiB. */
  readonly memory: Uint8Array;
}

export function runMachine(
  bytes: Uint8Array,
  kind: string,
  wish: Partial<MachineConfig>,
  budget = 50_000_000,
): MachineRun {
  const config: MachineConfig = { ...DEFAULT_CONFIG, ...wish };
  const opened = openImage(bytes, kind, config);
  if (!opened.ok) throw new Error(opened.error);
  const trace = new Trace(1 << 10);
  trace.on = false;
  const machine = Machine.boot(config, opened.image, trace);
  const usedUp = machine.run(budget);
  const { slots } = machine.slots;
  const memory = new Uint8Array(slots.reduce((sum, s) => sum + s.pages, 0) * PAGE_SIZE);
  let at = 0;
  for (const { hfn, pages } of slots) {
    memory.set(machine.memory.bytes.subarray(hfn * PAGE_SIZE, (hfn + pages) * PAGE_SIZE), at);
    at += pages * PAGE_SIZE;
  }
  return {
    machine,
    text: String.fromCharCode(...machine.serial.output()),
    stop: usedUp ? "budget" : `${machine.stop.reason}: ${machine.stop.detail}`,
    counters: machine.kvm?.counters ?? {},
    violations: machine.audit().violations.map((v) => `${v.invariant}: ${v.message}`),
    memory,
  };
}
