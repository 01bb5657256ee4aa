/**
 * What every view is: an object that knows its request and what it said last, and answers new data only when
 * something in it changed. It is asked once a tick; what it costs then follows what is on the screen.
 */

import type { LabContext } from "../context.ts";
import type { ViewData, ViewRequest } from "../protocol/index.ts";

export interface View {
  /**
   * True for what a running machine changes faster than anybody reads (registers, the code at EIP, the newest events,
   * counters): while it runs such a view is asked some ten times a second. What stands in memory never waits so.
   */
  readonly calm?: boolean;
  /** New data, or null when nothing changed since the last call. The arrays in it belong to the caller. */
  collect(): ViewData | null;
}

/** A view's maker. @throws LabError when the request cannot be answered */
export type OpenView<K extends ViewRequest["kind"]> = (
  lab: LabContext,
  request: Extract<ViewRequest, { kind: K }>,
) => View;

/** A view whose data is small: it is made anew each tick and pushed when it differs. */
export function comparing(make: () => ViewData): View {
  let last = "";
  return {
    collect() {
      const data = make();
      const text = JSON.stringify(data);
      if (text === last) return null;
      last = text;
      return data;
    },
  };
}
