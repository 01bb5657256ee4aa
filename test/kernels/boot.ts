/**
 * Boots one kernel of a manifest under one policy: types what the manifest says once it sees what it waits for, and
 * ends with the last step, an end of the guest's own, or the limit. What it does depends on the machine's time alone,
 * so every policy gets the same input at the same unit, and must answer the same bytes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openImage } from "../../core/images/index.ts";
import { violationLine } from "../../core/machine/findings.ts";
import { Machine } from "../../core/machine/machine.ts";
import { Trace } from "../../core/trace/trace.ts";
import type { Kernel } from "./manifest.ts";

/** Units between two looks at the serial port. */
const SLICE = 500_000;
/** Slices between two audits of everything, where they are asked for. */
const AUDIT_SLICES = 20;
const MIB = 2 ** 20;
const latin1 = new TextDecoder("latin1");

/** When to audit: never, behind the last step, every ten million units as well, or at every boundary what it touched. */
export type KernelAudit = "off" | "end" | "often" | "every";

export interface Booted {
  readonly kernel: string;
  readonly policy: string;
  /** Null when it did what was expected. */
  readonly wrong: string | null;
  readonly stop: string;
  readonly time: number;
  readonly instructions: number;
  readonly exits: number;
  /** Audits of everything that were made, and the violations found, those of the audit at every boundary with them. */
  readonly audits: number;
  readonly violations: number;
  /** The first of them, in words. */
  readonly first: string | null;
  readonly milliseconds: number;
  /** The process's own, without what was audited behind the last step. */
  readonly processorMilliseconds: number;
  /** Milliseconds until each step was seen. */
  readonly seen: readonly number[];
  /** A sum over registers and guest memory at the end: the same under every policy. */
  readonly state: string;
  readonly output: string;
}

/** The first violation that was found, in words; null for none. */
function firstOf(machine: Machine): string | null {
  const first = machine.watch.findings.list[0];
  return first === undefined ? null : violationLine(first);
}

/** FNV-1a over 32-bit words. */
function sum(words: ArrayLike<number>, hash = 0x811c9dc5): number {
  let h = hash;
  for (let i = 0; i < words.length; i++) h = Math.imul(h ^ words[i]!, 0x01000193);
  return h >>> 0;
}

function stateOf(machine: Machine): string {
  const { cpu, memory, slots } = machine;
  let hash = sum(cpu.regs);
  hash = sum([cpu.eip, cpu.eflags], hash);
  for (const slot of slots.slots) {
    const first = slot.hfn * 1024;
    hash = sum(memory.u32.subarray(first, first + slot.pages * 1024), hash);
  }
  return hash.toString(16).padStart(8, "0");
}

/** @param progress called with the new part of what the guest sent */
export function boot(
  kernel: Kernel,
  folder: string,
  policy: string,
  audit: KernelAudit,
  progress: (text: string) => void = () => {},
): Booted {
  const file = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
  const optional = (name: string | undefined) => (name === undefined ? undefined : file(name));
  const { machine: machineKind, memory, memoryHigh, kind } = kernel;
  const size = { memory: memory * MIB, memoryHigh: memoryHigh * MIB };
  const opened = openImage(file(kernel.image), kind, {
    ...size,
    machine: machineKind,
    commandLine: kernel.append,
    initrd: optional(kernel.initrd),
    modules: kernel.modules.map(({ file: name, text }) => ({ bytes: file(name), commandLine: text })),
    disks: kernel.disks.map(file),
    floppy: optional(kernel.floppy),
    rom: optional(kernel.rom),
  });
  if (!opened.ok) throw new Error(`${kernel.name}: ${opened.error}`);
  const trace = new Trace(1 << 8);
  trace.on = false;
  const machine = Machine.boot(
    {
      ...size,
      machine: machineKind,
      policy,
      tlb: "vmx",
      hazards: {},
      audit: audit === "often" ? "end" : audit,
      // What goes wrong is counted and dated; how far the guest comes with it is part of the answer.
      findings: "mark",
      unimplemented: "ud",
    },
    opened.image,
    trace,
  );
  const began = performance.now();
  const usage = process.cpuUsage();
  let audits = 0;
  let output = "";
  let shown = 0;
  let from = 0;
  let step = 0;
  const seen: number[] = [];
  const look = (): void => {
    const fresh = machine.serial.total - shown;
    if (fresh === 0) return;
    const text = latin1.decode(machine.serial.tail(fresh));
    shown += fresh;
    output += text;
    progress(text);
    for (let next = kernel.steps[step]; next !== undefined; next = kernel.steps[step]) {
      const at = output.indexOf(next.expect, from);
      if (at < 0) return;
      from = at + next.expect.length;
      step++;
      seen.push(Math.round(performance.now() - began));
      if (next.send !== undefined)
        machine.input({ kind: "serial", bytes: Uint8Array.from(next.send, (c) => c.charCodeAt(0)) });
    }
  };
  const everything = (): void => {
    if (machine.kvm === null) return;
    machine.audit();
    audits++;
  };
  let slices = 0;
  const ended = () => step === kernel.steps.length && kernel.exit === undefined;
  while (!ended() && machine.time < kernel.most) {
    const goOn = machine.run(SLICE);
    look();
    if (!goOn) break;
    slices++;
    if (audit === "often" && slices % AUDIT_SLICES === 0) everything();
  }
  const milliseconds = Math.round(performance.now() - began);
  const { user, system } = process.cpuUsage(usage);
  if (audit !== "off") everything();
  const { reason, detail } = machine.stop;
  return {
    kernel: kernel.name,
    policy,
    wrong: judge(kernel, machine, step, output),
    stop: machine.stop.detail === "" ? reason : `${reason}: ${detail}`,
    time: machine.time,
    instructions: machine.instructions,
    exits: machine.exits,
    audits,
    violations: machine.watch.findings.total,
    first: firstOf(machine),
    milliseconds,
    processorMilliseconds: Math.round((user + system) / 1000),
    seen,
    state: stateOf(machine),
    output,
  };
}

function judge(kernel: Kernel, machine: Machine, step: number, output: string): string | null {
  const missing = kernel.steps[step];
  const { reason, detail } = machine.stop;
  if (missing !== undefined)
    return `${JSON.stringify(missing.expect)} was not seen; it stands at ${reason} ${detail} at ${machine.cpu.eip.toString(16)}`;
  const bad = kernel.never.find((text) => output.includes(text));
  if (bad !== undefined) return `${JSON.stringify(bad)} was seen`;
  if (machine.watch.findings.total > 0) return `the audit found ${machine.watch.findings.total} violations`;
  if (kernel.exit === undefined) return null;
  if (reason !== "debug-exit") return `it should have ended through the debug-exit port, not ${reason}`;
  return detail === `the guest wrote ${kernel.exit} to port 0xf4`
    ? null
    : `expected ${kernel.exit}, but ${detail}`;
}
