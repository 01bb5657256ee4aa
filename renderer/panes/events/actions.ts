/** Saving the recorded events as text, in the format that KVM's tracepoints had in each of three versions. */
import { TRACE_FORMAT_TITLES, TRACE_FORMATS, type TraceFormat } from "../../../core/lab/protocol/index.ts";
import type { Action } from "../../actions.ts";
import { decimal } from "../../format.ts";
import { lab } from "../../lab.svelte.ts";
import { toasts } from "../../toasts.svelte.ts";

export async function saveTrace(format: TraceFormat): Promise<void> {
  try {
    const { lines, lost, text } = await lab.command({ name: "exportTrace", format });
    if (lines === 0) {
      toasts.show(
        "info",
        "Nothing that KVM has a tracepoint for was recorded yet: run the guest under a policy with a shadow, with Record events on.",
      );
      return;
    }
    const name = `${(lab.status?.title ?? "trace").replace(/[^\w.-]+/g, "-")}-${format}.trace`;
    if (!(await lab.bridge.saveFile(name, new TextEncoder().encode(text)))) return;
    const gone = lost === 0 ? "" : ` The ${decimal(lost)} oldest events were no longer held.`;
    toasts.show("ok", `${decimal(lines)} events are saved in ${name}.${gone}`);
  } catch (reason) {
    toasts.error(reason);
  }
}

export const traceActions: readonly Action[] = TRACE_FORMATS.map((format, i) => ({
  id: `save-trace-${format}`,
  title: `Save trace as of ${TRACE_FORMAT_TITLES[format]}…`,
  group: "File",
  key: "",
  help: "The events still held, as the text of KVM's tracepoints",
  when: () => lab.status !== null && lab.crash === null,
  separator: i === 0,
  run: () => saveTrace(format),
}));
