/** What the table view foretells of the next instruction, against what pte_write then does. */
import { describe, expect, it } from "vitest";
import { Lab } from "../../../core/lab/index.ts";
import type { TableView } from "../../../core/lab/protocol/index.ts";
import { nextStore } from "../../../core/lab/upcoming.ts";
import { EV_EXIT, EV_PTE_WRITE, EV_PTE_WRITE_PAGE } from "../../../core/trace/events.ts";

function table(lab: Lab, gfn: number | null = null): TableView {
  lab.openView(1, { kind: "table", gfn, level: null });
  const [news] = lab.collectViews((_, error) => {
    throw new Error(error);
  });
  return news!.data as TableView;
}

const step = (lab: Lab): void => {
  lab.command({ name: "step", count: 1 });
  while (lab.running) lab.slice(1);
};

describe("the write that the next instruction makes", () => {
  it("is shown at the first start: PTE 584, right page touched, left page skipped", () => {
    const lab = new Lab({ guest: "quadrant" });
    const view = table(lab);
    expect(view.gfn).toBe(0x1234);
    expect(view.upcoming).toMatchObject({
      text: "mov [0x1234920],eax",
      offset: 584 * 4,
      bytes: 4,
      value: { low: 0x567_8067, high: 0 },
      flooded: false,
      count: 1,
    });
    expect(
      view.upcoming!.pages.map((p) => [p.verdict === 0, (p.role >>> 8) & 3, p.quadrant, p.index]),
    ).toEqual([
      [false, 0, 1, 72],
      [true, 1, 1, 72],
    ]);
    expect(table(lab, 1).upcoming).toBeNull();
  });

  it("follows the policy: without the quadrant both pages are touched", () => {
    const lab = new Lab({ guest: "quadrant", config: { policy: "D" } });
    expect(table(lab).upcoming!.pages.map((p) => p.verdict)).toEqual([0, 0]);
    lab.command({ name: "setPolicy", policy: "none" });
    expect(table(lab).upcoming).toMatchObject({ offset: 584 * 4, pages: [] });
  });

  it("is gone after the write, which is then the last one", () => {
    const lab = new Lab({ guest: "quadrant" });
    step(lab);
    const view = table(lab);
    expect(view.upcoming).toBeNull();
    expect(view.lastWrite).toMatchObject({ offset: 584 * 4, low: 0x567_8067 });
    lab.command({ name: "run" });
    expect(table(lab).upcoming).toBeNull();
  });

  for (const [guest, policy, most] of [
    ["quadrant", "B", 20_000],
    ["quadrant", "P", 20_000],
    ["quadrant", "D", 20_000],
    ["nonpae-kernel", "C", 30_000],
    ["pae-kernel", "B", 30_000],
  ] as const)
    it(`comes true for every write of ${guest} under ${policy}`, () => {
      const lab = new Lab({ guest, config: { policy, audit: "off" } });
      const { trace } = lab.machine;
      let told = 0;
      for (let n = 0; n < most && lab.machine.stop.reason !== "hlt" && !lab.machine.over; n++) {
        const foretold = nextStore(lab.context);
        const from = trace.count;
        step(lab);
        lab.context.newTick();
        let seen = -1;
        for (let seq = from; seq < trace.count && seen < 0; seq++)
          if (trace.kindAt(seq) === EV_PTE_WRITE) seen = seq;
        if (seen < 0) continue;
        const [gfn, offset, bytes, low, , count, flooded] = trace.at(seen)!.words as number[];
        // A write that nothing of the instruction's own made (a delivery's push) is not foretold.
        if (foretold === null) continue;
        told++;
        expect([foretold.gfn, foretold.write.offset, foretold.write.bytes]).toEqual([gfn, offset, bytes]);
        expect([foretold.write.count, foretold.write.flooded]).toEqual([count, flooded === 1]);
        if (foretold.write.value !== null) expect(foretold.write.value.low).toBe(low);
        const pages: number[][] = [];
        for (let seq = seen + 1; seq < trace.count; seq++) {
          const kind = trace.kindAt(seq);
          if (kind === EV_PTE_WRITE || kind === EV_EXIT) break;
          if (kind === EV_PTE_WRITE_PAGE) pages.push([...trace.at(seq)!.words].slice(0, 6) as number[]);
        }
        const expected = foretold.write.pages.map((p) => [
          p.hpa,
          p.role,
          p.verdict,
          p.quadrant,
          p.index,
          p.npte,
        ]);
        const byPage = (a: number[], b: number[]) => a[0]! - b[0]!;
        expect(expected.toSorted(byPage)).toEqual(pages.toSorted(byPage));
      }
      expect(told).toBeGreaterThan(0);
    });
});
