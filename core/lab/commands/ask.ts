/**
 * Questions: what there is, what the audit says, where some bytes are, the report. None of them changes the machine.
 */
import { COST_ROWS, COST_TABLES, EXPERIMENTS } from "../../experiment/index.ts";
import { GUESTS } from "../../guests/index.ts";
import { HAZARDS, POLICIES, TraceExport } from "../../kvm/index.ts";
import { LabError } from "../error.ts";
import { findBytes } from "../find.ts";
import type { Lab } from "../lab.ts";
import type { AuditReport, Command, Description, TraceText } from "../protocol/index.ts";
import { makeReport, type RunReport } from "../report.ts";
import { kindOfSource } from "../source.ts";

type Of<K extends Command["name"]> = Extract<Command, { name: K }>;

export function describe(): Description {
  return {
    guests: GUESTS.map(({ id, title, help, memory, memoryHigh }) => ({
      id,
      title,
      help,
      memory,
      memoryHigh,
    })),
    policies: POLICIES.map(({ id, title, era, commit, changes, source, help }) => ({
      id,
      title,
      era,
      commit,
      changes,
      source,
      help,
    })),
    hazards: HAZARDS.map(({ id, title, source, help }) => ({ id, title, source, help })),
    experiments: EXPERIMENTS.map(({ id, title, help }) => ({ id, title, help })),
    costRows: COST_ROWS,
    costTables: COST_TABLES,
  };
}

export function audit(lab: Lab): AuditReport {
  lab.audit();
  return lab.context.auditReport() ?? { checked: [], violations: [] };
}

export function find(lab: Lab, command: Of<"find">): number | null {
  const { bytes, space, from, backwards } = command;
  if (bytes.length === 0) throw new LabError("there is nothing to look for: give at least one byte");
  if (bytes.length > 4096) throw new LabError("at most 4096 bytes can be looked for");
  return findBytes(lab.context, space, from, bytes, backwards);
}

export function exportTrace(lab: Lab, { format }: Of<"exportTrace">): TraceText {
  const { trace } = lab.machine;
  const made = new TraceExport(format);
  const lines = made.lines(trace);
  // The first line may say what was lost.
  const told = lines.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  return { text: made.header() + lines, lines: told, lost: trace.oldest };
}

export function report(lab: Lab): RunReport {
  const kind = lab.story.runner === null ? kindOfSource(lab.source) : null;
  return makeReport(lab.machine, lab.machine.setup.audit !== "off", kind);
}
