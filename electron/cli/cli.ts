/**
 * `quadrant` on the command line: runs a guest to its stop and says what happened. The same machine as the window's,
 * without one.
 */

import * as v from "valibot";
import { EXPERIMENTS } from "../../core/experiment/index.ts";
import { GUESTS } from "../../core/guests/index.ts";
import type { LoadedImage } from "../../core/images/index.ts";
import { HAZARDS, POLICIES, TraceExport } from "../../core/kvm/index.ts";
import { Lab } from "../../core/lab/lab.ts";
import { MachineConfig } from "../../core/lab/protocol/index.ts";
import { makeReport, type RunReport } from "../../core/lab/report.ts";
import { checkSetup, openSource, type Source } from "../../core/lab/source.ts";
import { CAUSES } from "../../core/machine/cause.ts";
import { violationLine } from "../../core/machine/findings.ts";
import { Machine } from "../../core/machine/machine.ts";
import { liveFrames } from "../../core/machine/memory-image.ts";
import type { MachineSetup } from "../../core/machine/setup.ts";
import { library } from "../../core/scenario/index.ts";
import { Trace } from "../../core/trace/trace.ts";
import { version } from "../../package.json" with { type: "json" };
import { HELP, parseArguments, type RunArguments } from "./arguments.ts";
import { compareCommand } from "./compare.ts";
import { EXPERIMENT_HELP, experimentCommand } from "./experiment.ts";
import { GDB_HELP, parseGdbWords, serveGdb } from "./gdb.ts";
import { chooseImage } from "./image-files.ts";
import type { Chunk, CliIo } from "./io.ts";
import { checkSaveDisks, saveDisks } from "./save-disks.ts";
import { scenarioCommand } from "./scenario.ts";

export const EXIT_RAN = 0;
export const EXIT_VIOLATION = 1;
export const EXIT_REFUSED = 2;
export const EXIT_BUG = 3;

/** Units between two looks at the serial port. */
const SLICE = 4_000_000;
/** The trace is off; the ring only has to exist. */
const TRACE_EVENTS = 1 << 10;
/** With a trace to write, the ring holds the events of one slice, also of a guest that faults all the time. */
const TRACED_SLICE = 4000;
const TRACED_EVENTS = 1 << 19;
/** Events that gdb's monitor can look back at. */
const GDB_EVENTS = 1 << 16;
const PAGE = 4096;

/**
 * Carries out one command line. Returns the exit code; writes through `io` alone and never ends the process.
 * @param argv the words behind the program's name
 */
export async function main(argv: readonly string[], io: CliIo): Promise<number> {
  if (argv[0] === "gdb" && !asksHelp(argv)) return gdb(argv.slice(1), io);
  if (argv[0] === "experiment" && !asksHelp(argv)) return experimentCommand(argv.slice(1), io);
  if (argv[0] === "scenario" && !asksHelp(argv)) return scenarioCommand(argv.slice(1), io);
  if (argv[0] === "compare" && !asksHelp(argv)) return compareCommand(argv.slice(1), io);
  const parsed = parseArguments(argv);
  if (!parsed.ok) {
    io.err(`quadrant: ${parsed.error}`);
    return EXIT_REFUSED;
  }
  const wanted = parsed.arguments;
  switch (wanted.command) {
    case "help":
      print(io, `${HELP}\n${GDB_HELP}\n${EXPERIMENT_HELP}`);
      return EXIT_RAN;
    case "version":
      print(io, `quadrant ${version}\n`);
      return EXIT_RAN;
    case "list":
      print(io, listing());
      return EXIT_RAN;
    case "run":
      return run(wanted, io);
  }
}

const asksHelp = (argv: readonly string[]): boolean => argv.includes("--help") || argv.includes("-h");

const print = (io: CliIo, text: string): void => io.out(new TextEncoder().encode(text));

function listing(): string {
  const row = (id: string, title: string, help: string) =>
    `  ${id.padEnd(24)}${title}\n${" ".repeat(26)}${help}\n`;
  const more = (text: string) => `${" ".repeat(26)}${text}\n`;
  return [
    "Guests (quadrant run NAME):\n",
    ...GUESTS.map((g) => row(g.id, g.title, g.help)),
    "\nScenarios (quadrant scenario NAME):\n",
    ...library().map(({ id, title, summary }) => row(id, title, summary)),
    "\nPolicies (--policy NAME):\n",
    ...POLICIES.map(
      (p) =>
        row(p.id, `${p.title} (${p.era}${p.commit === "" ? "" : `, ${p.commit}`})`, p.help) +
        more(`Changes: ${p.changes}`) +
        more(p.source),
    ),
    "\nHazards (--hazards NAME=guarded|as-it-was):\n",
    ...HAZARDS.map((h) => row(h.id, h.title, h.help)),
    "\nExperiments (quadrant experiment NAME):\n",
    ...EXPERIMENTS.map((e) => row(e.id, e.title, e.help)),
  ].join("");
}

function run(wanted: RunArguments, io: CliIo): number {
  let prepared: Prepared;
  try {
    prepared = prepare(wanted, io);
  } catch (error) {
    io.err(`quadrant: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_REFUSED;
  }
  const { machine, image } = prepared;
  const outputs = new Outputs(machine, wanted, io);
  const slice = wanted.traceExports.length === 0 ? SLICE : TRACED_SLICE;
  while (true) {
    const left = wanted.maxInstructions - machine.time;
    const whole = machine.run(Math.min(slice, left));
    outputs.pump();
    if (!whole) break;
    if (machine.time >= wanted.maxInstructions) {
      machine.stop = { reason: "max-instructions", detail: `after ${wanted.maxInstructions} units` };
      break;
    }
  }
  return finish(machine, image, outputs, wanted, io);
}

/** What is written at the end. Returns the exit code. */
function finish(
  machine: Machine,
  image: LoadedImage,
  outputs: Outputs,
  wanted: RunArguments,
  io: CliIo,
): number {
  const report = makeReport(machine, wanted.audit !== "off", image.kind);
  try {
    outputs.finish();
    if (wanted.json === "-") print(io, `${JSON.stringify(report)}\n`);
    else if (wanted.json !== null) {
      io.writeFile(wanted.json, new TextEncoder().encode(`${JSON.stringify(report)}\n`));
    }
    saveDisks(machine, image, wanted, io);
    if (wanted.memoryDump !== null) dump(machine, wanted.memoryDump, io);
  } catch (error) {
    io.err(`quadrant: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_REFUSED;
  }
  for (const line of summary(report, machine)) io.err(line);
  return exitCode(report);
}

interface Prepared {
  readonly machine: Machine;
  readonly image: LoadedImage;
}

/** The same, moved by gdb: it stands at its first instruction until one attaches. */
async function gdb(words: readonly string[], io: CliIo): Promise<number> {
  const parsed = parseGdbWords(words);
  if (!parsed.ok) {
    io.err(`quadrant: ${parsed.error}`);
    return EXIT_REFUSED;
  }
  const { wanted, port, once } = parsed;
  try {
    const { source, setup } = plan(wanted, io);
    const image = openSource(source, setup);
    checkSaveDisks(wanted, image);
    const lab = new Lab({
      source: { ...source, pauseAt: null },
      config: setup,
      traceCapacity: wanted.traceExports.length > 0 ? TRACED_EVENTS : GDB_EVENTS,
    });
    lab.limit = wanted.maxInstructions;
    const outputs = new Outputs(lab.machine, wanted, io);
    const serving = { port, once, image: wanted.image };
    await serveGdb(lab, serving, io, () => outputs.pump(lab.machine), askedToEnd());
    return finish(lab.machine, image, outputs, wanted, io);
  } catch (error) {
    io.err(`quadrant: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_REFUSED;
  }
}

/** Resolves at Ctrl-C, and when somebody else asks the process to end. */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}

/** Makes the machine, at its image's first instruction. @throws with a sentence */
function prepare(wanted: RunArguments, io: CliIo): Prepared {
  const { source, setup } = plan(wanted, io);
  const traced = wanted.traceExports.length > 0;
  const trace = new Trace(traced ? TRACED_EVENTS : TRACE_EVENTS);
  // The audit at every boundary names the event that broke an invariant; an export wants all of them.
  trace.on = traced || wanted.audit === "every" || wanted.audit === "full";
  if (!traced) trace.keep(CAUSES);
  const image = openSource(source, setup);
  checkSaveDisks(wanted, image);
  return { machine: Machine.boot(setup, image, trace), image };
}

/** The image and the machine that the words ask for. @throws with a sentence */
function plan(wanted: RunArguments, io: CliIo): { source: Source; setup: MachineSetup } {
  const { source, machine, memory, memoryHigh } = chooseImage(wanted, io);
  const hazards: Record<string, "guarded" | "as-it-was"> = {};
  for (const { id } of HAZARDS) if (wanted.allHazards === "as-it-was") hazards[id] = "as-it-was";
  Object.assign(hazards, wanted.hazards);
  const setup: MachineSetup = {
    machine,
    memory: wanted.memory ?? memory,
    memoryHigh: wanted.memoryHigh ?? memoryHigh,
    policy: wanted.policy,
    tlb: wanted.tlb,
    hazards,
    audit: wanted.audit,
    findings: "mark",
    unimplemented: wanted.unimplemented,
    nestedLevels: wanted.nestedLevels,
    walkCache: wanted.walkCache,
    tripleFault: wanted.tripleFault,
  };
  const checked = v.safeParse(MachineConfig, setup);
  if (!checked.success) throw new Error(checked.issues[0].message);
  checkSetup(setup);
  return { source, setup };
}

/** What goes on being written while the guest runs: its serial port, to standard output at once, and the trace. */
class Outputs {
  private written = 0;
  private exports: { file: string; text: TraceExport; parts: string[] }[] = [];

  constructor(
    private machine: Machine,
    private readonly wanted: RunArguments,
    private readonly io: CliIo,
  ) {
    this.begin();
  }

  private begin(): void {
    this.written = 0;
    this.exports = this.wanted.traceExports.map(({ format, file }) => {
      const text = new TraceExport(format);
      return { file, text, parts: [text.header()] };
    });
  }

  /** Takes what is new. `machine`: another than before (it was reset) begins again. */
  pump(machine = this.machine): void {
    if (machine !== this.machine) {
      this.machine = machine;
      this.begin();
    }
    for (const { text, parts } of this.exports) parts.push(text.lines(machine.trace));
    const { serial } = machine;
    if (this.wanted.serial !== "-" || serial.total === this.written) return;
    this.io.out(serial.tail(serial.total - this.written));
    this.written = serial.total;
  }

  /** Writes the files. @throws with a sentence */
  finish(): void {
    const { serial } = this.wanted;
    if (serial !== null && serial !== "-") this.io.writeFile(serial, this.machine.serial.output());
    for (const { file, parts } of this.exports)
      this.io.writeFile(file, new TextEncoder().encode(parts.join("")));
  }
}

/** Guest-physical memory as a file: byte i is gpa i; pages that hold only zeroes are holes. */
function dump(machine: Machine, path: string, io: CliIo): void {
  const last = machine.slots.slots.at(-1)!;
  io.writeSparse(path, (last.gfn + last.pages) * PAGE, guestChunks(machine));
}

function* guestChunks(machine: Machine): Generator<Chunk> {
  for (const hfn of liveFrames(machine.memory)) {
    const gfn = machine.slots.gfnOf(hfn);
    if (gfn < 0) continue;
    yield { offset: gfn * PAGE, bytes: machine.memory.bytes.subarray(hfn * PAGE, (hfn + 1) * PAGE) };
  }
}

function summary(report: RunReport, machine: Machine): string[] {
  const { stop, instructions, policy } = report;
  const detail = stop.detail === "" ? "" : ` (${stop.detail})`;
  const lines = [
    `quadrant: stopped at 0x${stop.eip.toString(16)}: ${stop.reason}${detail}; ${instructions} instructions under ${policy}`,
  ];
  for (const violation of machine.watch.findings.list.slice(0, 10)) {
    lines.push(`quadrant: ${violationLine(violation)}`);
  }
  const more = machine.watch.findings.total - 10;
  if (more > 0) lines.push(`quadrant: and ${more} more violations`);
  return lines;
}

function exitCode(report: RunReport): number {
  if (report.stop.reason === "bug") return EXIT_BUG;
  return report.audit.violations.length > 0 || report.stop.reason === "finding" ? EXIT_VIOLATION : EXIT_RAN;
}
