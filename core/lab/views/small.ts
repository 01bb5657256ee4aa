/**
 * The small views: counters, the console, the audit's findings, the experiment and its result.
 */
import type { LabContext } from "../context.ts";
import type { AuditView, ConsoleView, CountersView, ExperimentResultView } from "../protocol/index.ts";
import { comparing, type View } from "./view.ts";

/** Bytes of serial output that the console view shows. */
export const CONSOLE_BYTES = 65536;

export function openCounters(lab: LabContext): View {
  let last: readonly number[] | null = null;
  let machine: object | null = null;
  return {
    calm: "whole",
    collect(): CountersView | null {
      const rows = lab.counters();
      const values = rows.map((row) => row.value);
      if (machine === lab.machine && last !== null && values.every((value, i) => value === last![i]))
        return null;
      machine = lab.machine;
      last = values;
      return { kind: "counters", rows };
    },
  };
}

export function openConsole(lab: LabContext): View {
  let total = -1;
  let machine: object | null = null;
  return {
    collect(): ConsoleView | null {
      const { serial } = lab.machine;
      if (machine === lab.machine && serial.total === total) return null;
      machine = lab.machine;
      total = serial.total;
      return { kind: "console", text: latin1(serial.tail(CONSOLE_BYTES)), total };
    },
  };
}

export function openAudit(lab: LabContext): View {
  return comparing((): AuditView => {
    const { machine } = lab;
    return {
      kind: "audit",
      mode: machine.setup.audit,
      checkedAt: machine.watch.auditedAt,
      report: lab.auditReport(),
    };
  });
}

export function openExperiment(lab: LabContext): View {
  return comparing(() => lab.experiments.view());
}

export function openExperimentResult(lab: LabContext): View {
  let last: object | null = null;
  return {
    collect(): ExperimentResultView | null {
      const now = lab.experiments.resultView();
      if (now === last) return null;
      last = now;
      return now;
    },
  };
}

/** One character U+0000 … U+00FF a byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
