/** An event as one line: its name and its fields, as the table of event kinds says to write them. */
import { EVENT_KINDS, type EventField } from "../trace/events.ts";
import type { TraceEvent } from "../trace/trace.ts";
import { hex, hex64 } from "./values.ts";

export function eventText(event: TraceEvent): string {
  const kind = EVENT_KINDS[event.kind]!;
  const parts: string[] = [];
  let at = 0;
  for (const field of kind.fields) {
    const low = event.words[at]!;
    const high = field.width === 2 ? event.words[at + 1]! : 0;
    parts.push(`${field.name} ${valueText(field, low, high)}`);
    at += field.width;
  }
  return parts.length === 0 ? kind.name : `${kind.name}: ${parts.join(", ")}`;
}

function valueText(field: EventField, low: number, high: number): string {
  const { format } = field;
  if (typeof format === "object") return format.names[low] ?? String(low);
  if (format === "dec" || format === "index") return String(low | 0);
  if (format === "bool") return low === 0 ? "no" : "yes";
  return hex64({ low, high });
}

/** "at 0x1000, time 12". */
export const momentText = ({ eip, time }: { eip: number; time: number }): string =>
  `at ${hex(eip >>> 0)}, time ${time}`;
