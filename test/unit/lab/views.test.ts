/** Each view against values computed here from the machine's bytes, by another way. */
import { beforeEach, describe, expect, test } from "vitest";
import { WRITE_PAGE_WORDS } from "../../../core/kvm/index.ts";
import { Lab } from "../../../core/lab/index.ts";
import type { ViewData, ViewRequest } from "../../../core/lab/protocol/index.ts";
import {
  PAGE_ROLES,
  ROLE_MEMORY,
  ROLE_NO_MEMORY,
  ROLE_NOT_MAPPED,
  ROLE_PAE_ROOT,
  ROLE_PD,
  ROLE_PT,
  ROLE_SHADOW,
} from "../../../core/lab/protocol/index.ts";
import {
  EV_PTE_WRITE,
  EV_PTE_WRITE_PAGE,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
} from "../../../core/trace/events.ts";

const TABLE = 0x1234;
const LEFT = 0x08048000;
const RIGHT = 0x08248000;

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 14 });
});

/** Opens a view as number 1 and collects it. */
function open<K extends ViewRequest["kind"]>(request: Extract<ViewRequest, { kind: K }>) {
  lab.openView(1, request);
  return again<K>()!;
}
function again<K extends ViewRequest["kind"]>(): Extract<ViewData, { kind: K }> | null {
  const [first] = lab.collectViews((_, error) => {
    throw new Error(error);
  });
  return (first?.data as Extract<ViewData, { kind: K }>) ?? null;
}
const u32At = (gpa: number) =>
  lab.machine.memory.view.getUint32(lab.machine.slots.hfnOf(gpa >>> 12) * 4096 + (gpa & 0xfff), true);
/** The guest's 2-level translation, restated. */
const gpaOf = (gva: number) => {
  const pde = u32At((lab.machine.cpu.cr3 & ~0xfff) + (gva >>> 22) * 4);
  if ((pde & 1) === 0) return -1;
  if ((pde & 0x80) !== 0) return ((pde & 0xffc00000) >>> 0) + (gva & 0x3fffff);
  const pte = u32At((pde & ~0xfff) + ((gva >>> 12) & 1023) * 4);
  return (pte & 1) === 0 ? -1 : ((pte & ~0xfff) >>> 0) + (gva & 0xfff);
};
const step = (count = 1) => {
  lab.command({ name: "step", count });
  while (lab.running) lab.slice(100_000);
};

describe("memory", () => {
  test("guest-virtual bytes over a page that is not mapped", () => {
    const view = open({ kind: "memory", space: "gva", address: RIGHT - 16, length: 4096 + 32 });
    expect(view.pages.map((p) => p.role)).toEqual([ROLE_NOT_MAPPED, ROLE_MEMORY, ROLE_NOT_MAPPED]);
    expect(view.pages[1]!.gpa).toBe(gpaOf(RIGHT));
    expect(view.state[15]).toBe(0);
    expect(view.state[16]).toBe(1);
    const gpa = gpaOf(RIGHT);
    for (const i of [0, 1, 100, 4095])
      expect(view.bytes[16 + i]).toBe((u32At((gpa + i) & ~3) >>> (((gpa + i) & 3) * 8)) & 0xff);
  });

  test("nothing is said again until a byte in it changes; then which", () => {
    open({ kind: "memory", space: "gpa", address: 0x700000, length: 64 });
    expect(again()).toBeNull();
    const write = (address: number) =>
      lab.command({ name: "edit", space: "gpa", as: "device", address, size: 1, low: 0xa5, high: 0 });
    write(0x700800); // the same page, outside of what is seen
    expect(again()).toBeNull();
    write(0x700007);
    const view = again<"memory">()!;
    expect([...view.state].map((s, i) => (s === 2 ? i : -1)).filter((i) => i >= 0)).toEqual([7]);
    expect(view.bytes[7]).toBe(0xa5);
    expect(again()).toBeNull();
  });

  test("pages have their roles", () => {
    const role = (space: "gpa" | "hpa", address: number) => {
      const view = open({ kind: "memory", space, address, length: 8 });
      return {
        role: view.pages[0]!.role,
        level: view.pages[0]!.level,
        size: view.pages[0]!.entrySize,
        wp: view.pages[0]!.writeProtected,
      };
    };
    expect(role("gpa", 0x1000)).toEqual({ role: ROLE_PD, level: 2, size: 4, wp: true });
    expect(role("gpa", TABLE * 4096)).toEqual({ role: ROLE_PT, level: 1, size: 4, wp: true });
    expect(role("gpa", 0x700000)).toEqual({ role: ROLE_MEMORY, level: 0, size: 0, wp: false });
    expect(role("gpa", 0x1_0000_0000).role).toBe(ROLE_NO_MEMORY);
    expect(role("hpa", 0x1000).role).toBe(ROLE_PAE_ROOT);
    expect(role("hpa", lab.context.shadowPages()[0]!.hpa).role).toBe(ROLE_SHADOW);
    expect(role("hpa", lab.machine.slots.hfnOf(TABLE) * 4096).role).toBe(ROLE_PT);
    expect(PAGE_ROLES.length).toBe(9);
  });

  test("a view beyond the end is refused", () => {
    expect(() => lab.openView(2, { kind: "memory", space: "gva", address: 2 ** 32, length: 1 })).toThrow(
      "beyond the end",
    );
  });
});

describe("processor and code", () => {
  test("registers, and which changed", () => {
    const view = open({ kind: "cpu" });
    expect(view.regs).toEqual([...lab.machine.cpu.regs.subarray(0, 8)].map((r) => r >>> 0));
    expect(view).toMatchObject({ cr3: 0x1000, paging: "2-level", cpl: 0, changed: 0 });
    expect(view.hardware).toMatchObject({ mode: "PAE", cr3: 0x1000 });
    expect(view.segments.map((s) => s.name)).toEqual(["cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr"]);
    expect(view.segments[0]).toMatchObject({ selector: 8, base: 0, limit: 0xffffffff });
    // x87 as after a reset (SDM vol. 3, table 9-1): the tag of a zero
    expect(view.fpu).toMatchObject({ control: 0x40, status: 0, ip: 0 });
    expect(view.fpu.stack).toEqual(Array.from({ length: 8 }, () => ({ se: 0, hi: 0, lo: 0, tag: 1 })));
    const before = lab.machine.cpu.eip;
    step();
    const after = again<"cpu">()!;
    expect(after.eip).not.toBe(before);
    expect(after.changed & (1 << 8)).toBe(1 << 8);
    expect(again()).toBeNull();
  });

  test("disassembly around EIP: the lines join, the current one is marked, a symbol begins", () => {
    const { eip } = lab.machine.cpu;
    const view = open({ kind: "disassembly", address: null, count: 20 });
    expect(view.lines.length).toBe(20);
    const current = view.lines.findIndex((l) => l.current);
    expect(current).toBeGreaterThan(0);
    expect(view.lines[current]).toMatchObject({ address: eip, symbol: "first_write" });
    expect(view.lines[current]!.text).toMatch(/^mov \[0x/);
    for (let i = 1; i < view.lines.length; i++) {
      const line = view.lines[i - 1]!;
      expect(view.lines[i]!.address).toBe(line.address + line.bytes.split(" ").length);
    }
    const call = view.lines.find((l) => l.text.startsWith("call"));
    expect(call?.text).toContain(`0x${call?.target?.toString(16)}`);
    lab.command({ name: "breakpoint", address: eip, on: true });
    expect(again<"disassembly">()!.lines[current]!.breakpoint).toBe(true);
    const nowhere = open({ kind: "disassembly", address: 0x0bad0000, count: 2 });
    expect(nowhere.lines[0]).toMatchObject({ bytes: "", target: null });
  });
});

describe("disassembly upwards", () => {
  /** Beginnings of instructions from `start` to the first write, read forwards. */
  const forwards = () => {
    const all = open({ kind: "disassembly", address: 0x100000, count: 200 }).lines;
    return all.slice(all.findIndex((l) => l.symbol === "start"));
  };
  test("the lines in front of any instruction are those that reading forwards shows", () => {
    const all = forwards();
    const last = all.findIndex((l) => l.current);
    expect(last).toBeGreaterThan(20);
    for (let i = 1; i <= last; i++) {
      const { lines } = open({ kind: "disassembly", address: all[i]!.address, count: 40, before: 20 });
      const at = lines.findIndex((l) => l.address === all[i]!.address);
      expect(at).toBe(20);
      const seen = lines.slice(Math.max(0, at - i), at + 1).map((l) => [l.address, l.text]);
      expect(seen).toEqual(all.slice(Math.max(0, i - 20), i + 1).map((l) => [l.address, l.text]));
    }
  });
  test("where nothing is mapped below, there are no lines", () => {
    const { lines } = open({ kind: "disassembly", address: LEFT, count: 10, before: 5 });
    expect(lines[0]!.address).toBe(LEFT);
  });
});

describe("shadow pages", () => {
  test("the list, and one page's sptes with what changed", () => {
    const list = open({ kind: "shadowPages" });
    expect(list.free + list.pages.length).toBe(256);
    expect(list.paeRoot.every((slot) => (slot.low & 1) === 1)).toBe(true);
    const page = list.pages.find((p) => p.gfn === TABLE && p.quadrant === 1)!;
    expect(page).toMatchObject({ role: 0x112, level: 1, glevels: 2, metaphysical: false, rootCount: 0 });
    const view = open({ kind: "shadowPage", hpa: page.hpa });
    expect(view.info).toEqual(page);
    const present = view.sptes.filter((word, i) => i % 2 === 0 && (word & 1) === 1).length;
    expect(present).toBe(page.present);
    expect(view.sptes[72 * 2]! & 1).toBe(1);
    expect(again()).toBeNull();
    step(); // the guest writes PTE 584: spte 72 of quadrant 1 is cleared
    const after = again<"shadowPage">()!;
    expect([...after.changed].map((c, i) => (c !== 0 ? i : -1)).filter((i) => i >= 0)).toEqual([72]);
    expect(after.sptes[72 * 2]).toBe(0);
    expect(open({ kind: "shadowPage", hpa: 0x7000 }).info).toBeNull();
  });
});

describe("the table", () => {
  test("1024 entries beside two shadow pages; a write touches one and skips the other", () => {
    const view = open({ kind: "table", gfn: TABLE, level: null });
    expect(view).toMatchObject({ gfn: TABLE, level: 1, entrySize: 4, gvaBase: 0x08000000 });
    expect(view.entries.length).toBe(1024);
    expect(view.entries[584]).toBe(u32At(TABLE * 4096 + 584 * 4));
    expect(view.shadows.map((s) => s.info.quadrant)).toEqual([0, 1]);
    expect(view.tables.map((t) => t.gfn)).toContain(TABLE);
    step();
    const after = again<"table">()!;
    expect([...after.changed].map((c, i) => (c !== 0 ? i : -1)).filter((i) => i >= 0)).toEqual([584]);
    const write = after.lastWrite!;
    expect(write).toMatchObject({ offset: 584 * 4, bytes: 4, flooded: false });
    expect(write.low).toBe(u32At(TABLE * 4096 + 584 * 4));
    const verdicts = new Map(write.pages.map((p) => [p.hpa, p.verdict]));
    const [left, right] = after.shadows;
    expect(verdicts.get(left!.info.hpa)).toBe(VERDICT_SKIPPED);
    expect(verdicts.get(right!.info.hpa)).toBe(VERDICT_TOUCHED);
    expect(right!.changed[72]).toBe(1);
    expect(left!.changed.every((c) => c === 0)).toBe(true);
  });

  test("without a gfn it shows the write to come, else the last one, else the directory", () => {
    const first = open({ kind: "table", gfn: null, level: null });
    expect(first).toMatchObject({ gfn: TABLE, level: 1, lastWrite: null, upcoming: { offset: 584 * 4 } });
    step();
    expect(again<"table">()).toMatchObject({ gfn: TABLE, upcoming: null, lastWrite: { offset: 584 * 4 } });
    // A machine opened anew knows of no write.
    const saved = new Uint8Array(lab.command({ name: "saveMachine" }) as Uint8Array);
    lab.command({ name: "openMachine", bytes: saved });
    const view = open({ kind: "table", gfn: null, level: null });
    expect(view).toMatchObject({ gfn: 1, level: 2, gvaBase: 0, upcoming: null, lastWrite: null });
    expect(view.shadows.map((s) => s.info.quadrant)).toEqual([0, 1, 2, 3]);
  });

  test("the last write is known with the trace off, to each table its own", () => {
    lab.command({ name: "setTrace", on: false });
    step();
    const write = open({ kind: "table", gfn: TABLE, level: null }).lastWrite!;
    expect(write).toMatchObject({ offset: 584 * 4, bytes: 4, low: u32At(TABLE * 4096 + 584 * 4), count: 1 });
    expect(write.pages.map((p) => p.verdict).toSorted()).toEqual(
      [VERDICT_TOUCHED, VERDICT_SKIPPED].toSorted(),
    );
    const other = open({ kind: "table", gfn: 1, level: 2 });
    expect(other.lastWrite).toBeNull();
    lab.command({
      name: "edit",
      space: "gpa",
      as: "emulator",
      address: 0x1000 + 4 * 5,
      size: 4,
      low: 0x27,
      high: 0,
    });
    expect(again<"table">()!.lastWrite).toMatchObject({ offset: 20, low: 0x27 });
    expect(open({ kind: "table", gfn: TABLE, level: null }).lastWrite).toEqual(write);
    expect(open({ kind: "table", gfn: null, level: null })).toMatchObject({
      gfn: 1,
      lastWrite: { offset: 20 },
    });
    expect(lab.machine.trace.count).toBeGreaterThan(0);
  });

  test("what the records of last writes say is what the trace says", () => {
    lab.command({ name: "loadGuest", guest: "nonpae-kernel" });
    lab.command({ name: "run" });
    const { trace } = lab.machine;
    let seen = 0;
    for (let i = 0; i < 400 && lab.running; i++) {
      lab.slice(211);
      {
        const record = lab.machine.kvm!.mmu.lastWrites.newest;
        if (record === null) continue;
        let seq = trace.count - 1;
        while (seq >= trace.oldest && trace.kindAt(seq) !== EV_PTE_WRITE) seq--;
        if (seq < trace.oldest) continue;
        const { time, words } = trace.at(seq)!;
        const { gfn, offset, bytes, low, high, count, flooded } = record;
        expect([time, gfn, offset, bytes, low, high, count, flooded ? 1 : 0]).toEqual([
          record.time,
          ...words,
        ]);
        const pages: number[] = [];
        for (let next = seq + 1; next < trace.count; next++) {
          if (trace.kindAt(next) === EV_PTE_WRITE_PAGE) pages.push(...trace.at(next)!.words);
        }
        expect([...record.rows.subarray(0, record.pages * WRITE_PAGE_WORDS)]).toEqual(pages);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(50);
  });

  test("the directory is shadowed by four pages, one a quadrant", () => {
    const view = open({ kind: "table", gfn: 1, level: 2 });
    expect(view).toMatchObject({ gfn: 1, level: 2, gvaBase: 0 });
    expect(view.shadows.map((s) => s.info.quadrant)).toEqual([0, 1, 2, 3]);
  });

  test("frames beside the sptes have their gfn and rmap", () => {
    const view = open({ kind: "table", gfn: TABLE, level: 1 });
    for (const frame of view.frames) {
      expect(lab.machine.slots.hfnOf(frame.gfn)).toBe(frame.hfn);
      expect(lab.machine.memory.u32[frame.spte / 4]! >>> 12).toBe(frame.hfn);
    }
    expect(view.frames.map((f) => f.gfn)).toContain(gpaOf(RIGHT) / 4096);
  });
});

describe("the walk", () => {
  const walk = (gva: number, access: "read" | "write" | "fetch" = "read", user = false) =>
    open({ kind: "walk", gva, access, user });

  test("a mapped page: guest and shadow agree, entry by entry", () => {
    const view = walk(RIGHT);
    expect(view.guest).toMatchObject({ ok: true, gpa: gpaOf(RIGHT), error: 0 });
    expect(view.steps.filter((s) => s.side === "guest").map((s) => [s.label, s.low])).toEqual([
      ["PDE 32", u32At(0x1000 + 32 * 4)],
      ["PTE 584", u32At(TABLE * 4096 + 584 * 4)],
    ]);
    expect(view.shadow).toMatchObject({ ok: true, hpa: lab.machine.slots.hfnOf(gpaOf(RIGHT) / 4096) * 4096 });
    expect(view.steps.filter((s) => s.side === "shadow").map((s) => s.label)).toEqual([
      "pae_root[0]",
      "spte 65 (level 2)",
      "spte 72 (level 1)",
    ]);
  });

  test("the bit that decides, with the error code of the manual", () => {
    const absent = walk(0x0bad0000, "write", true);
    expect(absent.guest).toMatchObject({ ok: false, error: 6 });
    expect(absent.steps.find((s) => s.decides !== null)).toMatchObject({
      side: "guest",
      label: "PDE 46",
      decides: "P",
    });
    const table = walk(TABLE * 4096, "write");
    expect(table.guest.ok).toBe(true);
    expect(table.shadow?.ok).toBe(false);
    expect(table.steps.find((s) => s.side === "shadow" && s.decides !== null)?.decides).toMatch(/^[PW]$/);
    step();
    expect(walk(RIGHT).shadow).toMatchObject({ ok: false });
    expect(walk(RIGHT).shadow!.text).toContain("shadow fault");
  });

  test("under none there is no shadow, and looking changes nothing", () => {
    lab = new Lab({ traceCapacity: 1 << 10, config: { policy: "none" } });
    const before = JSON.stringify([...lab.machine.memory.u32.subarray(0x1001000 / 4, 0x1001000 / 4 + 64)]);
    expect(walk(LEFT).shadow).toBeNull();
    expect(JSON.stringify([...lab.machine.memory.u32.subarray(0x1001000 / 4, 0x1001000 / 4 + 64)])).toBe(
      before,
    );
  });
});

describe("lists", () => {
  test("the address space: every present directory entry", () => {
    const view = open({ kind: "addressSpace" });
    const expected: number[] = [];
    for (let i = 0; i < 1024; i++) if ((u32At(0x1000 + i * 4) & 1) === 1) expected.push(i);
    expect(view.rows.map((r) => r.index)).toEqual(expected);
    const row = view.rows.find((r) => r.index === 32)!;
    expect(row).toMatchObject({ what: "table", gfn: TABLE, gva: 0x08000000, length: 0x400000 });
    let present = 0;
    for (let i = 0; i < 1024; i++) present += u32At(TABLE * 4096 + i * 4) & 1;
    expect(row.present).toBe(present);
    expect(again()).toBeNull();
  });

  test("events: all, some kinds, and a window into the past", () => {
    step();
    const all = open({ kind: "events", kinds: [], most: 50, before: null });
    expect(all.events.length).toBe(50);
    expect(all.events.at(-1)!.seq).toBe(all.total - 1);
    const writes = open({ kind: "events", kinds: ["pte_write"], most: 5, before: null });
    expect(writes.events.every((e) => e.kind === EV_PTE_WRITE)).toBe(true);
    const last = writes.events.at(-1)!;
    expect(last.words.slice(0, 3)).toEqual([TABLE, 584 * 4, 4]);
    const past = open({ kind: "events", kinds: [], most: 3, before: last.seq });
    expect(past.events.map((e) => e.seq)).toEqual([last.seq - 3, last.seq - 2, last.seq - 1]);
    expect(again()).toBeNull();
  });

  test("counters and console follow the machine", () => {
    const counters = open({ kind: "counters" });
    const value = (rows: typeof counters.rows, name: string) => rows.find((r) => r.name === name)!.value;
    const before = value(counters.rows, "mmu_pte_write");
    step();
    expect(value(again<"counters">()!.rows, "mmu_pte_write")).toBe(before + 1);
    const console = open({ kind: "console" });
    expect(console.text.startsWith("quadrant: one page table")).toBe(true);
    expect(again()).toBeNull();
    step(20_000);
    expect(again<"console">()!.total).toBeGreaterThan(console.total);
  });

  test("the audit view tells what was found", () => {
    lab.command({ name: "audit" });
    expect(open({ kind: "audit" }).report).toMatchObject({ violations: [] });
    lab.command({
      name: "edit",
      space: "gpa",
      as: "device",
      address: TABLE * 4096 + 584 * 4,
      size: 4,
      low: 0x5670067,
      high: 0,
    });
    lab.command({ name: "audit" });
    const { report } = again<"audit">()!;
    expect(report!.violations[0]).toMatchObject({ invariant: "I9", index: 72, time: lab.machine.time });
  });
});
