/**
 * What every view is: an object that knows its request and what it said last, and answers new data only when
 * something in it changed. It is asked once a tick; what it costs then follows what is on the screen.
 */

import type { LabContext } from "../context.ts";
import type { ViewData, ViewRequest } from "../protocol/index.ts";

export interface View {
  /**
   * For what a running machine changes faster than anybody reads: while it runs, such views take turns, so that each
   * has some ten a second. "whole" (registers, the code at EIP, the newest events, counters): it is asked only in its
   * turn. "words": it is asked at every look, as what stands in memory never waits, and makes its words (which write was
   * the last, what is said of it) anew in its turn.
   */
  readonly calm?: "whole" | "words";
  /**
   * New data, or null when nothing changed since the last call. The arrays in it belong to the caller.
   * @param turn false while it is not this view's turn (only ever of views with words)
   */
  collect(turn: boolean): ViewData | null;
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

/** As `comparing`, of words alone: what differs at look after look is told in the view's turn. */
export function comparingCalmly(make: () => ViewData): View {
  const rest = new Rest();
  let seen = "";
  let told = "";
  return {
    calm: "words",
    collect(turn) {
      const data = make();
      const text = JSON.stringify(data);
      const now = rest.mayTell(turn);
      rest.saw(text !== seen);
      seen = text;
      if (!now || text === told) return null;
      told = text;
      return data;
    },
  };
}

/**
 * Tells what changes without a pause from what changes now and then: the first change after a rest is told at once,
 * those on its heels in the view's turn.
 */
export class Rest {
  private restless = false;

  /** Whether this look may tell: in its turn, or when nothing had changed at the look before. */
  mayTell(turn: boolean): boolean {
    return turn || !this.restless;
  }

  /** What this look saw. */
  saw(change: boolean): void {
    this.restless = change;
  }
}
