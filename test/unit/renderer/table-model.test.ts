// The table picture's model and layout: what a view becomes on screen, checked on a page table and a directory.
import { describe, expect, it } from "vitest";
import type { ShadowPageInfo, TableView } from "../../../core/lab/protocol/index.ts";
import {
  CELL_EMPTY,
  CELL_LARGE,
  CELL_NOT_PRESENT,
  CELL_READ_ONLY,
  CELL_UNFILLED,
  CELL_WRITABLE,
} from "../../../renderer/components/cell-painter.ts";
import { accessText, arrange, basesOf, kindText, matches } from "../../../renderer/panes/shadow/list.ts";
import { curvesOf } from "../../../renderer/panes/table/curves.ts";
import { cellEdge, layoutOf } from "../../../renderer/panes/table/layout.ts";
import {
  bandRange,
  bandsOf,
  changesOf,
  describeGuest,
  floodWords,
  linksOf,
  otherShadows,
  verdictsOf,
  writeSentence,
  writtenEntry,
} from "../../../renderer/panes/table/model.ts";
import { activeKeys, shownTargets, targetsOf } from "../../../renderer/panes/table/targets.ts";

const info = (over: Partial<ShadowPageInfo>): ShadowPageInfo => ({
  hpa: 0x14000,
  gfn: 0x1234,
  role: 0x12,
  word: 0x12,
  fields: "",
  access: "",
  unsync: false,
  level: 1,
  quadrant: 0,
  glevels: 2,
  metaphysical: false,
  hugepageAccess: 0,
  rootCount: 0,
  parents: [],
  present: 0,
  writable: 0,
  ...over,
});
const shadow = (over: Partial<ShadowPageInfo>, sptes: [number, number][] = []) => {
  const words = new Uint32Array(1024);
  for (const [index, low] of sptes) words[2 * index] = low;
  return { info: info(over), sptes: words, changed: new Uint8Array(512), bad: [] };
};

function pageTable(): TableView {
  const entries = new Uint32Array(1024);
  entries[72] = 0x0067_1067;
  entries[584] = 0x0567_8065;
  entries[585] = 0x0567_9067;
  entries[600] = 0xabc00;
  return {
    kind: "table",
    words: true,
    gfn: 0x1234,
    level: 1,
    entrySize: 4,
    entries,
    changed: new Uint8Array(1024),
    gvaBase: 0x0800_0000,
    shadows: [
      shadow({ hpa: 0x15000, role: 0x112, quadrant: 1 }, [[72, 0x0667_8465]]),
      shadow({}, []),
      shadow({ hpa: 0x16000, role: 0x22, level: 2 }),
    ],
    lastWrite: {
      seq: 9,
      time: 100,
      offset: 0x920,
      bytes: 4,
      low: 0x0567_8065,
      high: 0,
      flooded: false,
      count: 1,
      pages: [
        { hpa: 0x14000, role: 0x12, verdict: 1, quadrant: 1, index: 72, npte: 0 },
        { hpa: 0x15000, role: 0x112, verdict: 0, quadrant: 1, index: 72, npte: 1 },
      ],
    },
    upcoming: null,
    frames: [],
    tables: [],
  };
}

describe("table model", () => {
  it("puts entries into bands beside the shadow page of their quadrant", () => {
    const view = pageTable();
    const bands = bandsOf(view);
    expect(bands.map((b) => [b.quadrant, b.first, b.count, b.shadow?.info.hpa])).toEqual([
      [0, 0, 512, 0x14000],
      [1, 512, 512, 0x15000],
    ]);
    expect(bands[0]!.guestKinds[72]).toBe(CELL_WRITABLE);
    expect(bands[0]!.spteKinds[72]).toBe(CELL_UNFILLED);
    expect(bands[1]!.guestKinds[72]).toBe(CELL_READ_ONLY);
    expect(bands[1]!.spteKinds[72]).toBe(CELL_READ_ONLY);
    expect(bands[1]!.guestKinds[88]).toBe(CELL_NOT_PRESENT);
    expect(bands[1]!.spteKinds[88]).toBe(CELL_EMPTY);
    expect(otherShadows(view).map((p) => p.hpa)).toEqual([0x16000]);
  });

  it("links an entry to its sptes, its address and its gva", () => {
    const view = pageTable();
    const bands = bandsOf(view);
    const linked = linksOf(view, bands, 584);
    expect(linked.gpa).toBe(0x1234920);
    expect(linked.gva).toBe(0x08248000);
    expect(linked.sptes.map((s) => [s.index, s.hpa, s.value.low])).toEqual([[72, 0x15240, 0x06678465]]);
    expect(bandRange(view, bands[1]!)).toEqual({ from: 0x08200000, to: 0x083fffff });
    expect(describeGuest(view, 584)).toBe("PTE 584: 05678065, frame 5678, read only, user");
  });

  it("pairs the sptes of a directory's entry and sees large pages", () => {
    const view: TableView = {
      ...pageTable(),
      level: 2,
      gvaBase: 0,
      entries: new Uint32Array(1024).fill(0xe3, 768, 769),
      shadows: [shadow({ hpa: 0x19000, level: 2, quadrant: 3, role: 0x322 })],
      lastWrite: null,
      upcoming: null,
    };
    const bands = bandsOf(view);
    expect(bands.map((b) => b.shadow === null)).toEqual([true, true, true, false]);
    expect(bands[3]!.guestKinds[0]).toBe(CELL_LARGE);
    const linked = linksOf(view, bands, 768);
    expect(linked.sptes.map((s) => s.index)).toEqual([0, 1]);
    expect(linked.gva).toBe(0xc0000000);
    expect(writtenEntry(view)).toBe(-1);
  });

  it("tells the last write and what it skipped", () => {
    const view = pageTable();
    expect(writtenEntry(view)).toBe(584);
    expect(writeSentence(view)).toBe("Written: 4 bytes at 01234920 (PTE 584)");
    expect(verdictsOf(view.lastWrite!).map((v) => [v.tone, v.text, v.sptes])).toEqual([
      ["skip", "skipped: wrong quadrant (q0 ≠ q1)", []],
      ["hit", "spte 72", [72]],
    ]);
    expect(floodWords({ ...view.lastWrite!, flooded: true, count: 3 })).toContain("zapped");
  });
});

describe("table layout", () => {
  it("keeps an entry and its spte on one line, at every size", () => {
    for (const [width, height] of [
      [1280, 640],
      [1023, 250],
      [700, 300],
      [500, 200],
      [1900, 1000],
    ] as const) {
      for (const [quadrants, perEntry, size] of [
        [2, 1, 4],
        [4, 2, 4],
        [1, 1, 8],
      ] as const) {
        const at = layoutOf(width, height, quadrants, size, perEntry, 30);
        expect(at.bands.length).toBe(quadrants);
        expect(at.rowsPerBand * at.shadowColumns).toBe(512);
        for (const band of at.bands) {
          for (const local of [0, 37, 255]) {
            const g = cellEdge(band.guest, local, 32, at.guestCell, at.cellHeight, "right");
            const s = cellEdge(
              band.shadow,
              local * perEntry,
              at.shadowColumns,
              at.shadowCell,
              at.cellHeight,
              "left",
            );
            expect(s.y).toBe(g.y);
            expect(s.x).toBeGreaterThan(g.x);
          }
          expect(band.card.x).toBeGreaterThan(band.guest.x + band.guest.width);
        }
        // Everything fits the width; a stage too low for heads puts the chips beside the bands.
        if (width >= 1000) expect(at.width).toBe(width);
        if (height >= 640) expect(at.compact).toBe(false);
        if (height <= 250 && quadrants > 1) expect(at.compact).toBe(true);
        if (at.frames !== null)
          expect(at.frames.x).toBeGreaterThan(at.bands[0]!.card.x + at.bands[0]!.card.width);
      }
    }
  });
});

describe("list of shadow pages", () => {
  const pages = [
    info({ gfn: 0x1234, role: 0x112, quadrant: 1, present: 5 }),
    info({ gfn: 0x1, role: 0x22, level: 2, rootCount: 1, present: 9 }),
    info({ gfn: 0x400, role: 0x70012, metaphysical: true, hugepageAccess: 3, hpa: 0x99000 }),
  ];
  it("sorts and filters", () => {
    expect(arrange(pages, "", { column: "gfn", down: false }).map((p) => p.gfn)).toEqual([1, 0x400, 0x1234]);
    expect(arrange(pages, "", { column: "present", down: true }).map((p) => p.gfn)).toEqual([
      1, 0x1234, 0x400,
    ]);
    expect(arrange(pages, "gfn:0x12", { column: "gfn", down: false }).map((p) => p.gfn)).toEqual([0x1234]);
    expect(matches(pages[2]!, "99000")).toBe(true);
    expect(matches(pages[2]!, "zz")).toBe(false);
  });
  it("finds the guest-virtual addresses of a page through its parents", () => {
    const root = info({ hpa: 0x10000, gfn: 1, level: 2, quadrant: 1, role: 0x122, rootCount: 1 });
    const table = info({ hpa: 0x14000, quadrant: 1, parents: [0x10000 + 65 * 8] });
    // PDE 288 maps 0x48000000; its odd spte is the upper 2 MiB.
    expect(basesOf(table, [root, table], [])).toEqual([0x48200000]);
    expect(basesOf(root, [root], [])).toEqual([0x40000000]);
    // PAE: a directory's place is its slot in pae_root, here shared by two slots.
    const directory = info({ hpa: 0x20000, level: 2, glevels: 3 });
    const leaf = info({ hpa: 0x21000, glevels: 3, parents: [0x20000 + 8] });
    const slot = (low: number) => ({ low, high: 0 });
    const slots = [slot(0), slot(0x20001), slot(0), slot(0x20001)];
    expect(basesOf(leaf, [directory, leaf], slots)).toEqual([0x40200000, 0xc0200000]);
    expect(basesOf(info({ parents: [] }), [], [])).toEqual([]);
  });
  it("names kinds and access", () => {
    expect(pages.map(kindText)).toEqual(["page table", "directory", "large page"]);
    expect(pages.map(accessText)).toEqual(["", "", "UW"]);
  });
});

describe("changes between two views of a table", () => {
  it("are what entries and sptes held before, each by its key", () => {
    const before = pageTable();
    const now = pageTable();
    now.entries[584] = 0;
    now.shadows[0]!.sptes[144] = 0;
    now.shadows[0]!.sptes[147] = 1;
    expect(new Map(changesOf(before, now))).toEqual(
      new Map<number | string, { low: number; high: number }>([
        [584, { low: 0x0567_8065, high: 0 }],
        [`${0x15000}.72`, { low: 0x0667_8465, high: 0 }],
        [`${0x15000}.73`, { low: 0, high: 0 }],
      ]),
    );
    expect(changesOf(before, before)).toEqual([]);
    expect(changesOf(before, { ...now, gfn: 7 })).toEqual([]);
  });
});

describe("what stands right of the shadow pages", () => {
  it("is each frame once, and those in hand are always among the shown", () => {
    const frames = [3, 4, 3, 5, 6, 7].map((hfn) => ({ hfn, gfn: hfn, rmap: 2, spte: 0 }));
    const targets = targetsOf({ ...pageTable(), frames }, [], []);
    expect(targets.map((target) => target.key)).toEqual([3, 4, 5, 6, 7]);
    expect(shownTargets(targets, [], 3).map((target) => target.key)).toEqual([3, 4, 5]);
    expect(shownTargets(targets, [6], 3).map((target) => target.key)).toEqual([5, 6, 7]);
    expect(shownTargets(targets, [99], 3).map((target) => target.key)).toEqual([99, 3, 4]);
  });

  it("is a directory's children that its sptes name", () => {
    const directory = shadow({ hpa: 0x19000, level: 2, role: 0x22 }, [[4, 0x15003]]);
    const view: TableView = { ...pageTable(), level: 2, shadows: [directory] };
    const children = [info({ hpa: 0x15000, gfn: 9, quadrant: 1 }), info({ hpa: 0x16000, gfn: 8 })];
    const targets = targetsOf(view, bandsOf(view), children);
    expect(targets).toMatchObject([{ text: "gfn 9", quadrant: 1, page: 0x15000 }]);
  });
});

describe("curves", () => {
  const at = layoutOf(1200, 400, 2, 4, 1, 30);
  const draw = (entry: number, written: boolean) => {
    const view = pageTable();
    const bands = bandsOf(view);
    const linked = linksOf(view, bands, entry);
    const targets = shownTargets([], activeKeys(linked), 4);
    const verdicts = written ? verdictsOf(view.lastWrite!) : null;
    return curvesOf({ view, at, bands, linked, targets, verdicts, next: false });
  };
  it("lead from the entry in hand to its spte and the frame, in the quadrant's hue", () => {
    const whole = draw(584, false).filter((path) => !path.thin);
    expect(whole.map((path) => path.tone)).toEqual(["q1", "host"]);
  });
  it("of a write are hot, and a dotted one leads to the page that it skips", () => {
    const tones = draw(584, true).map((path) => path.tone);
    expect(tones.filter((tone) => tone === "skip")).toHaveLength(1);
    expect(new Set(tones)).toEqual(new Set(["hot", "skip"]));
  });
  it("lead to the card alone where nothing is filled, and nowhere without an entry", () => {
    const view = { ...pageTable(), shadows: [] };
    const bands = bandsOf(view);
    const linked = linksOf(view, bands, 72);
    const common = { view, at, bands, targets: [], verdicts: null, next: false };
    expect(curvesOf({ ...common, linked }).at(-1)?.tone).toBe("none");
    expect(curvesOf({ ...common, linked: null })).toEqual([]);
  });
});
