/**
 * The walk view: one access translated three ways (the guest's tables, the shadow or the host tables, the TLB), with the bit that decides.
 */

import { type Access, walkGuest } from "../../machine/peek/guest-walk.ts";
import { walkNested } from "../../machine/peek/nested-walk.ts";
import { walkShadow } from "../../machine/peek/shadow-walk.ts";
import type { LabContext } from "../context.ts";
import type { ViewRequest, WalkStep, WalkView } from "../protocol/index.ts";
import { comparing, type View } from "./view.ts";

type Request = Extract<ViewRequest, { kind: "walk" }>;

export function openWalk(lab: LabContext, request: Request): View {
  const access: Access = {
    write: request.access === "write",
    user: request.user,
    fetch: request.access === "fetch",
  };
  return comparing(() => makeWalk(lab, request.gva, access));
}

export function makeWalk(lab: LabContext, gva: number, access: Access): WalkView {
  const guest = walkGuest(lab.where, lab.paging(), gva, access);
  const steps: WalkStep[] = guest.steps.map((s, i) => ({
    side: "guest",
    label: s.label,
    level: s.level,
    index: s.index,
    address: s.gpa,
    entrySize: s.entrySize,
    low: s.low,
    high: s.high,
    decides: i === guest.decider ? guest.decides : null,
    note:
      i === guest.decider ? `${guest.why}: the guest's own page fault` : noteOf(s.level, s.low, s.entrySize),
  }));
  const shadow = lab.virtualised ? walkShadow(lab.memory, lab.rootHpa(), gva, access) : null;
  for (const [i, s] of (shadow?.steps ?? []).entries()) {
    steps.push({
      side: "shadow",
      label: s.label,
      level: s.level,
      index: s.index,
      address: s.hpa,
      entrySize: 8,
      low: s.low,
      high: s.high,
      decides: i === shadow!.decider ? shadow!.decides : null,
      note: i === shadow!.decider ? shadow!.text : "",
    });
  }
  const tlb = tlbOf(lab, gva, access);
  if (tlb.step !== null) steps.push(tlb.step);
  return {
    kind: "walk",
    gva,
    steps,
    guest: { ok: guest.ok, gpa: guest.gpa, error: guest.error, text: guest.text },
    shadow: shadow === null ? null : { ok: shadow.ok, hpa: shadow.hpa, text: shadow.text },
    nested:
      lab.machine.nested === null ? null : walkNested(lab.memory, lab.machine.cpu.paging.nested, gva, guest),
    tlb: { hit: tlb.hit, text: tlb.text },
  };
}

function noteOf(level: number, low: number, entrySize: 4 | 8): string {
  if (level === 3) return "loaded with CR3; rights are not in it";
  if (level === 2 && (low & 0x80) !== 0) return `maps a page of ${entrySize === 4 ? "4" : "2"} MiB`;
  return "";
}

/** What the TLB would say. A peek: no entry is used or moved. */
function tlbOf(
  lab: LabContext,
  gva: number,
  access: Access,
): { hit: boolean; text: string; step: WalkStep | null } {
  const found = lab.machine.cpu.paging
    .entries()
    .find((e) => gva >= e.la >>> 0 && gva < (e.la >>> 0) + e.size);
  if (found === undefined)
    return { hit: false, text: "no entry: the processor walks the tables", step: null };
  const wp = lab.machine.cpu.paging.wp;
  const lacks =
    access.user && !found.user
      ? "U"
      : access.write && !found.write && (access.user || wp)
        ? "W"
        : access.fetch && found.nx
          ? "NX"
          : access.write && !found.dirty
            ? "D"
            : null;
  const rights = `${found.write ? "W" : "-"}${found.user ? "U" : "-"}${found.nx ? "NX" : "-"}${found.dirty ? "D" : "-"}`;
  const text =
    lacks === null
      ? `hit: frame 0x${found.pfn.toString(16)}, ${rights}`
      : `an entry (${rights}) without the right that is needed (${lacks}): the processor walks the tables`;
  return {
    hit: lacks === null,
    text,
    step: {
      side: "tlb",
      label: "TLB entry",
      level: 1,
      index: 0,
      address: found.la >>> 0,
      entrySize: 8,
      low: ((found.pfn & 0xf_ffff) << 12) >>> 0,
      high: found.pfn >>> 20,
      decides: lacks,
      note: text,
    },
  };
}
