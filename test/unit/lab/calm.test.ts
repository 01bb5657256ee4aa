/** Calm views: what they are, that they take turns, and that the code pane's lines stand still in a loop. */
import { beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../../../core/lab/index.ts";
import type { DisassemblyView, ViewData, ViewRequest } from "../../../core/lab/protocol/index.ts";

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 14 });
});

const fail = (_view: number, error: string): never => {
  throw new Error(error);
};
const collect = (most?: number) => lab.collectViews(fail, most).map(({ view }) => view);
const open = (...requests: ViewRequest[]) => {
  for (const [id, request] of requests.entries()) lab.openView(id, request);
};

describe("calm views", () => {
  test("registers, code at EIP, newest events and counters are calm; what stands in memory is not, but for its words", () => {
    open({ kind: "cpu" }, { kind: "disassembly", address: null, count: 10 }, { kind: "counters" });
    lab.openView(3, { kind: "events", kinds: [], most: 10, before: null });
    expect(lab.calmViews).toBe(4);
    lab.openView(4, { kind: "memory", space: "gpa", address: 0, length: 16 });
    lab.openView(5, { kind: "table", gfn: null, level: null });
    lab.openView(6, { kind: "walk", gva: 0, access: "read", user: false });
    lab.openView(7, { kind: "disassembly", address: 0x10_0000, count: 10 });
    lab.openView(8, { kind: "events", kinds: [], most: 10, before: 5 });
    // The table's words take turns, its entries and sptes do not.
    expect(lab.calmViews).toBe(5);
  });

  test("a new one is asked at once, then each waits for its turn", () => {
    open({ kind: "cpu" }, { kind: "disassembly", address: null, count: 10 });
    expect(collect(0)).toEqual([0, 1]);
    lab.command({ name: "step", count: 1 });
    expect(collect(0)).toEqual([]);
    expect(collect(1)).toEqual([0]);
    expect(collect(1)).toEqual([1]);
    lab.command({ name: "step", count: 1 });
    expect(collect()).toEqual([0, 1]);
  });

  test("the table tells each change at once, and renews its words in its turn when writes come without a pause", () => {
    const table = (most: number) =>
      lab.collectViews(fail, most)[0]?.data as Extract<ViewData, { kind: "table" }> | undefined;
    /** Runs to the next write of the table that is written first. */
    let gfn: number | null = null;
    const write = () => {
      const { lastWrites } = lab.machine.kvm!.mmu;
      const last = () => (gfn === null ? lastWrites.newest : lastWrites.of(gfn));
      const before = last()?.seq ?? 0;
      lab.start(null);
      while ((last()?.seq ?? 0) === before) lab.slice(1);
      gfn = last()!.gfn;
      return { ...last()! };
    };
    lab.command({ name: "loadGuest", guest: "nonpae-kernel" });
    const first = write();
    open({ kind: "table", gfn: first.gfn, level: null });
    expect(table(0)).toMatchObject({ words: true, lastWrite: { seq: first.seq } });
    expect(table(0)).toBeUndefined();

    // After a rest the write and its words come at once; on its heels the entry alone; the words follow in their turn.
    const second = write();
    expect(table(0)).toMatchObject({ words: true, lastWrite: { seq: second.seq, offset: second.offset } });
    const third = write();
    lab.slice(1);
    const cells = table(0)!;
    expect(cells).toMatchObject({ words: false, lastWrite: { seq: second.seq } });
    expect(cells.entries[third.offset / 4]).toBe(third.low);
    expect(cells.changed[third.offset / 4]).toBe(1);
    expect(table(1)).toMatchObject({ words: true, lastWrite: { seq: third.seq, offset: third.offset } });
    expect(table(1)).toBeUndefined();
  });

  test("the list of shadow pages tells the first change at once, those on its heels in its turn", () => {
    open({ kind: "shadowPages" });
    expect(collect(0)).toEqual([0]);
    const { mmu } = lab.machine.kvm!;
    const fill = () => {
      const before = mmu.nFree;
      while (mmu.nFree === before) {
        lab.start(null);
        lab.slice(1);
      }
    };
    expect(collect(0)).toEqual([]);
    fill();
    expect(collect(0)).toEqual([0]);
    fill();
    expect(collect(0)).toEqual([]);
    expect(collect(1)).toEqual([0]);
    expect(collect(1)).toEqual([]);
  });

  test("the status without figures tells of a new state and of nothing that only counts", () => {
    lab.collectStatus(true, 0);
    lab.start(null);
    lab.slice(50);
    expect(lab.collectStatus(false, 0, false)?.running).toBe(true);
    lab.slice(50);
    expect(lab.collectStatus(false, 0, false)).toBeNull();
    expect(lab.collectStatus(false, 0, true)?.running).toBe(true);
    lab.pause();
    expect(lab.collectStatus(false, 0, false)?.state).toBe("paused");
  });
});

test("the lines around EIP stay where they are while EIP is among them", () => {
  const count = 24;
  open({ kind: "disassembly", address: null, count });
  const look = () => lab.collectViews(fail)[0]?.data as DisassemblyView | undefined;
  let lines = look()!.lines;
  let stood = 0;
  for (let i = 0; i < 200; i++) {
    lab.command({ name: "step", count: 1 });
    const next = look()?.lines ?? lines;
    expect(next).toHaveLength(count);
    const at = next.findIndex((line) => line.current);
    expect(next[at]?.address).toBe(lab.machine.cpu.linearIp >>> 0);
    expect(at).toBeLessThan(count - count / 4);
    if (next[0]!.address === lines[0]!.address) stood++;
    lines = next;
  }
  expect(stood).toBeGreaterThan(100);
});
