/**
 * Who broke an invariant: the event inside the boundary that touched the entry which a violation names, and the
 * instruction it belongs to. The trace is read only when there is a violation to explain.
 */
import type { Violation } from "../kvm/index.ts";
import type { Mmu } from "../kvm/mmu.ts";
import { roleEntrySize, roleGlevels, roleLevel, roleQuadrant } from "../kvm/shadow/role.ts";
import {
  EV_EDIT,
  EV_EXIT,
  EV_GET_PAGE,
  EV_PTE_WRITE,
  EV_SET_ACCESSED,
  EV_SET_DIRTY,
  EV_SPTE_CLEAR,
  EV_SPTE_SET,
  EV_ZAP_PAGE,
  EVENT_KINDS,
  SPTE_WHY,
} from "../trace/events.ts";
import type { Trace, TraceEvent } from "../trace/trace.ts";

/** In place of an instruction: an input, an edit, DMA. */
export const BY_OUTSIDE = -1;
/** In place of an instruction: an audit that was asked for found it, and nobody had looked before. */
export const BY_UNKNOWN = -2;

/** Where something happened, before it was judged. */
export interface Boundary {
  /** Number of the first event that belongs to it. */
  readonly from: number;
  /** EIP of the instruction in hand, unsigned, or BY_OUTSIDE or BY_UNKNOWN. */
  readonly by: number;
}

export interface Cause {
  /** EIP of the instruction that broke the invariant, unsigned, or BY_OUTSIDE or BY_UNKNOWN. */
  readonly by: number;
  /** Number and name of the event that touched the entry, with its reason; -1 and "" when nothing told of it. */
  readonly event: number;
  readonly eventName: string;
}

/** The kinds of events that causes are found in: who traces for the audit's sake alone keeps no others. */
export const CAUSES: readonly number[] = EVENT_KINDS.filter(
  ({ id, group }) =>
    [
      EV_EXIT,
      EV_SPTE_SET,
      EV_SPTE_CLEAR,
      EV_PTE_WRITE,
      EV_SET_ACCESSED,
      EV_SET_DIRTY,
      EV_GET_PAGE,
      EV_ZAP_PAGE,
    ].includes(id) ||
    group === "outside" ||
    group === "cr",
).map(({ id }) => id);

/** Host-physical bytes, first to last. */
interface Bytes {
  readonly first: number;
  readonly last: number;
}

export function causeOf(mmu: Mmu | null, trace: Trace, violation: Violation, boundary: Boundary): Cause {
  const { from, by } = boundary;
  const found =
    trace.on && mmu !== null ? eventOf(mmu, trace, violation, Math.max(from, trace.oldest)) : null;
  if (found === null) return { by, event: -1, eventName: "" };
  const name = EVENT_KINDS[found.kind]!.name;
  const why =
    found.kind === EV_SPTE_SET ? found.words[6]! : found.kind === EV_SPTE_CLEAR ? found.words[4]! : -1;
  return { by, event: found.seq, eventName: why < 0 ? name : `${name} (${SPTE_WHY[why]})` };
}

/** The last event that touched the spte, else the guest entry behind it, else its page; else what the boundary is. */
function eventOf(mmu: Mmu, trace: Trace, violation: Violation, from: number): TraceEvent | null {
  const { page, index } = violation;
  const entry = index === undefined ? null : entryBehind(mmu, page!, index);
  let ofEntry: TraceEvent | null = null;
  let ofPage: TraceEvent | null = null;
  let whole: TraceEvent | null = null;
  for (let seq = trace.count - 1; seq >= from; seq--) {
    const event = trace.at(seq)!;
    const { kind, words } = event;
    const group = EVENT_KINDS[kind]!.group;
    if (kind === EV_SPTE_SET || kind === EV_SPTE_CLEAR) {
      if (page !== undefined && words[0] === page && (index === undefined || words[1] === index))
        return event;
    } else if (entry !== null && ofEntry === null && storesInto(mmu, event, entry)) ofEntry = event;
    else if ((kind === EV_ZAP_PAGE || kind === EV_GET_PAGE) && words[0] === page) ofPage ??= event;
    if (kind === EV_EXIT ? whole === null : group === "outside" || group === "cr") whole = event;
  }
  return ofEntry ?? ofPage ?? whole;
}

/** Where the guest's entry behind an spte lies in host memory, or null. */
function entryBehind(mmu: Mmu, hpa: number, index: number): Bytes | null {
  const page = mmu.pageOf(hpa);
  if (page < 0 || page >= mmu.active.length || mmu.active[page] !== 1) return null;
  const role = mmu.role[page]!;
  const hfn = mmu.slots.hfnOf(mmu.gfn[page]!);
  if (hfn < 0 || roleGlevels(role) === 0) return null;
  const size = roleEntrySize(role);
  const quadrant = roleQuadrant(role);
  const number =
    size === 8 ? index : roleLevel(role) === 1 ? 512 * quadrant + index : 256 * quadrant + (index >> 1);
  const first = hfn * 4096 + number * size;
  return { first, last: first + size - 1 };
}

/** True when the event says that some of these bytes were stored to. */
function storesInto(mmu: Mmu, event: TraceEvent, { first, last }: Bytes): boolean {
  const { kind, words } = event;
  let at: number;
  let size = 1;
  if (kind === EV_PTE_WRITE) {
    at = hostOf(mmu, words[0]! * 4096 + words[1]!);
    size = words[2]!;
  } else if (kind === EV_SET_ACCESSED || kind === EV_SET_DIRTY) {
    at = hostOf(mmu, words[0]! + words[1]! * 2 ** 32);
  } else if (kind === EV_EDIT && words[0] !== 0) {
    const address = words[2]! + words[3]! * 2 ** 32;
    at = words[0] === 1 ? hostOf(mmu, address) : address;
    size = words[4]!;
  } else return false;
  return at >= 0 && at <= last && at + size > first;
}

function hostOf(mmu: Mmu, gpa: number): number {
  const hfn = mmu.slots.hfnOf(Math.floor(gpa / 4096));
  return hfn < 0 ? -1 : hfn * 4096 + (gpa % 4096);
}
