/** The formats that a trace can be exported in: the kernel's of three times. docs/kvm-shadow-mmu.md 10.3. Pure data. */
import { TRACE_FORMATS, type TraceFormat } from "../../kvm/tracepoints.ts";

export { TRACE_FORMATS, type TraceFormat };

/** What each is called in a menu. */
export const TRACE_FORMAT_TITLES: Readonly<Record<TraceFormat, string>> = {
  "2.6.32": "Linux 2.6.32",
  "3.1": "Linux 3.1",
  modern: "Linux today",
};
