/** The lab: what it starts with, its commands' answers and refusals, edits in all three spaces, saved machines. */

import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../../../core/lab/index.ts";
import {
  type AuditReport,
  type Command,
  type Description,
  type EditResult,
  parseClientMessage,
  type TraceText,
} from "../../../core/lab/protocol/index.ts";
import type { RunReport } from "../../../core/lab/report.ts";

const TABLE_GFN = 0x1234;
const RIGHT = 0x08248000;
const LEFT = 0x08048000;

let lab: Lab;
beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 14 });
});

const command = (c: Command) => lab.command(c);
const finish = () => {
  command({ name: "run" });
  for (let i = 0; i < 1000 && lab.running; i++) lab.slice(1_000_000);
};
const status = () => lab.collectStatus(true, 0)!;
const gpaBytes = (gpa: number, length: number) => {
  const hfn = lab.machine.slots.hfnOf(Math.floor(gpa / 4096));
  return [
    ...lab.machine.memory.bytes.subarray(hfn * 4096 + (gpa % 4096), hfn * 4096 + (gpa % 4096) + length),
  ];
};
const edit = (e: Partial<Extract<Command, { name: "edit" }>>) =>
  command({
    name: "edit",
    space: "gva",
    as: "guest0",
    address: 0,
    size: 4,
    low: 0,
    high: 0,
    ...e,
  }) as EditResult;

describe("first start", () => {
  test("the quadrant guest stands at its first interesting write, with a few lines", () => {
    const { introduction, state, stop, where, guest, config } = status();
    expect({ guest, state, where, policy: config.policy }).toEqual({
      guest: "quadrant",
      state: "paused",
      where: "first_write",
      policy: "B",
    });
    expect(stop).toEqual({ reason: "paused", detail: "at first_write" });
    expect(introduction.length).toBeGreaterThan(2);
  });

  test("one step later the write was trapped and the other quadrant skipped", () => {
    const before = lab.machine.time;
    command({ name: "step", count: 1 });
    expect(lab.machine.time).toBe(before + 1);
    expect(status().stop.reason).toBe("step");
    expect(status().counters.mmu_pte_write).toBeGreaterThan(0);
    expect(status().counters.quadrant_skipped).toBeGreaterThan(0);
  });

  test("run goes to the end, which is no waiting", () => {
    finish();
    expect(status()).toMatchObject({ state: "stopped", running: false, stop: { reason: "hlt" } });
    expect(status().audit.violations).toBe(0);
  });
});

describe("running", () => {
  test("run to an address, breakpoints, and reset", () => {
    const target = lab.machine.cpu.eip;
    command({ name: "reset" });
    expect(lab.machine.cpu.eip).toBe(target);
    const end = lab.context.symbols.find("end") ?? 0x1002f7;
    command({ name: "breakpoint", address: target, on: true });
    command({ name: "runTo", address: end });
    while (lab.running) lab.slice(100_000);
    expect(["breakpoint", "hlt"]).toContain(lab.machine.stop.reason);
    command({ name: "breakpoint", address: target, on: false });
    expect(lab.context.breakpoints.size).toBe(0);
  });

  test("run to the next event of a kind", () => {
    command({ name: "runToEvent", kinds: ["pte_write"] });
    while (lab.running) lab.slice(10_000);
    expect(lab.machine.stop.reason).toBe("event");
    expect(lab.machine.trace.query(0, 1, undefined).length).toBe(1);
    expect(() => command({ name: "runToEvent", kinds: ["pte_wrote"] })).toThrow('no event kind "pte_wrote"');
    command({ name: "setTrace", on: false });
    expect(() => command({ name: "runToEvent", kinds: ["exit"] })).toThrow("trace is off");
  });

  test("long steps go on in slices", () => {
    const before = lab.machine.time;
    command({ name: "step", count: 5000 });
    expect(lab.running).toBe(true);
    while (lab.running) lab.slice(1000);
    expect(lab.machine.time).toBe(before + 5000);
  });
});

describe("edits", () => {
  test("as the guest: through the shadow, an exit, and KVM; the table's write protection is seen", () => {
    const before = lab.context.counter("mmu_pte_write");
    // TABLE is mapped at its own address by the guest: PTE 584.
    const result = edit({ address: TABLE_GFN * 4096 + 584 * 4, low: 0x5678067 });
    expect(result).toMatchObject({ ok: true, written: 4 });
    expect(result.ok && result.exits).toBeGreaterThan(0);
    expect(lab.context.counter("mmu_pte_write")).toBe(before + 1);
    expect(gpaBytes(TABLE_GFN * 4096 + 584 * 4, 4)).toEqual([0x67, 0x80, 0x67, 0x05]);
    expect((command({ name: "audit" }) as AuditReport).violations).toEqual([]);
  });

  test("a fault of the guest's own is shown, writes nothing, and is delivered on request", () => {
    const time = lab.machine.time;
    const fault = edit({ as: "guest3", address: 0x0bad0000 });
    expect(fault).toMatchObject({ ok: false, fault: { gva: 0x0bad0000, error: 6 } });
    expect(lab.machine.time).toBe(time);
    expect(lab.machine.cpu.pendingVector).toBe(-1);
    command({ name: "deliverFault" });
    expect(lab.machine.cpu.pendingVector).toBe(14);
    expect(lab.machine.cpu.cr2).toBe(0x0bad0000);
    expect(() => command({ name: "deliverFault" })).toThrow("no edit as the guest");
  });

  test("as the emulator KVM is told; as a device it is not, and the audit says so", () => {
    edit({ space: "gpa", as: "emulator", address: TABLE_GFN * 4096 + 72 * 4, low: 0x5671067 });
    expect((command({ name: "audit" }) as AuditReport).violations).toEqual([]);
    // Touch the left page so that its spte is there, then write its PTE behind KVM's back.
    edit({ address: LEFT, size: 1, low: 0x4c });
    expect(status().audit).toMatchObject({ violations: 0, first: "" });
    edit({ space: "gpa", as: "device", address: TABLE_GFN * 4096 + 72 * 4, low: 0x5670067 });
    // The status tells it without being asked.
    expect(status().audit.violations).toBeGreaterThan(0);
    expect(status().audit.first).toMatch(/^I/);
    const { violations, checked } = command({ name: "audit" }) as AuditReport;
    expect(checked).toContain("I9");
    expect(violations.some((v) => v.invariant === "I9" && v.index === 72)).toBe(true);
  });

  test("raw: an spte can be damaged on purpose, as an event", () => {
    edit({ address: RIGHT, size: 1, low: 0x52 });
    const page = lab.context.shadowPages().find((p) => p.gfn === TABLE_GFN && p.quadrant === 1)!;
    edit({ space: "hpa", as: "raw", address: page.hpa + 72 * 8, size: 8, low: 0x1067, high: 0 });
    expect(lab.machine.memory.u32[(page.hpa + 72 * 8) / 4]).toBe(0x1067);
    const violations = (command({ name: "audit" }) as AuditReport).violations;
    expect(violations.length).toBeGreaterThan(0);
    expect(lab.context.badSptes(page.hpa)).toContain(72);
  });

  test("an 8-byte cell over two pages is one store, done on both or on none", () => {
    const at = LEFT + 4096 - 4; // PTE 73 is not present
    const before = gpaBytes(lab.machine.translate(LEFT) + 4092, 4);
    expect(edit({ address: at, size: 8, low: 1, high: 2 })).toMatchObject({
      ok: false,
      fault: { gva: LEFT + 4096 },
    });
    expect(gpaBytes(lab.machine.translate(LEFT) + 4092, 4)).toEqual(before);
  });

  test("stores of all sizes as the guest equal those on the bare machine", () => {
    const bytes = (policy: string) => {
      lab = new Lab({ traceCapacity: 1 << 10, config: { policy } });
      for (const [i, size] of [1, 2, 4, 8].entries()) {
        edit({ address: RIGHT + 16 + i * 9, size: size as 1 | 2 | 4 | 8, low: 0x89abcdef, high: 0x01234567 });
      }
      return gpaBytes(lab.machine.translate(RIGHT), 64);
    };
    expect(bytes("B")).toEqual(bytes("none"));
  });
});

describe("questions", () => {
  test("describe lists guests, policies and hazards", () => {
    const { guests, policies, hazards } = command({ name: "describe" }) as Description;
    expect(guests.map((g) => g.id)).toEqual([
      "quadrant",
      "nonpae-kernel",
      "pae-kernel",
      "nanobench",
      "pc-kernel",
    ]);
    expect(policies.map((p) => p.id).join(" ")).toBe("none A0 A P B C D E1 E2 E3 F nested");
    expect(hazards.length).toBeGreaterThan(20);
  });

  test("find looks forward and back in each space", () => {
    const find = (space: "gva" | "gpa" | "hpa", from: number, bytes: number[], backwards = false) =>
      command({ name: "find", space, from, bytes: Uint8Array.from(bytes), backwards });
    edit({ space: "gpa", as: "device", address: 0x6ffffe, size: 4, low: 0xfeedface }); // over a page's end
    const pattern = [0xce, 0xfa, 0xed, 0xfe];
    expect(find("gpa", 0, pattern)).toBe(0x6ffffe);
    expect(find("gpa", 0x6fffff, pattern)).toBeNull();
    expect(find("gpa", 0x700000, pattern, true)).toBe(0x6ffffe);
    expect(find("hpa", 0, pattern)).toBe(lab.machine.slots.hfnOf(0x6ff) * 4096 + 0xffe);
    expect(find("gva", LEFT, gpaBytes(lab.machine.translate(LEFT), 8))).toBe(LEFT);
    expect(() => find("gpa", 0, [])).toThrow("nothing to look for");
  });

  test.each(["none", "B"])("the report fits its schema (%s)", (policy) => {
    lab = new Lab({ traceCapacity: 1 << 10, config: { policy } });
    finish();
    const schema: unknown = JSON.parse(readFileSync("docs/run-report.schema.json", "utf8"));
    const validate = new Ajv({ strict: false, allErrors: true }).compile(schema as object);
    const report = JSON.parse(JSON.stringify(command({ name: "report" }))) as RunReport;
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(report.stop).toMatchObject({ reason: "hlt", eip: lab.machine.cpu.eip });
    expect(report.serial).toContain("end: 0 wrong");
    if (policy === "none") {
      expect(report).toMatchObject({ tlb: "bare", root_hpa: "0xffffffffffffffff", shadowPages: [] });
    } else {
      expect(report).toMatchObject({ tlb: "vmx", root_hpa: "0x1000" });
      const keys = report.shadowPages.map((p) => p.gfn * 2 ** 20 + p.role.word);
      expect(keys).toEqual(keys.toSorted((a, b) => a - b));
      expect(report.shadowPages.some((p) => p.gfn === TABLE_GFN && p.role.quadrant === 1)).toBe(true);
      validate({ ...report, root_hpa: "0X1000" });
      expect(validate.errors?.length).toBe(1);
    }
  });
});

describe("saved machines", () => {
  test("a saved machine opens in another lab and goes on to the same end", () => {
    edit({ address: RIGHT, size: 1, low: 0x52 });
    const bytes = command({ name: "saveMachine" }) as Uint8Array<ArrayBuffer>;
    finish();
    const serial = [...lab.machine.serial.output()];
    const time = lab.machine.time;
    lab = new Lab({ guest: "pae-kernel", traceCapacity: 1 << 10 });
    command({ name: "openMachine", bytes });
    expect(status()).toMatchObject({ guest: "quadrant", where: "first_write" });
    finish();
    expect([...lab.machine.serial.output()]).toEqual(serial);
    expect(lab.machine.time).toBe(time);
  });

  test("a damaged one is refused in a sentence and the present machine stays", () => {
    const bytes = command({ name: "saveMachine" }) as Uint8Array<ArrayBuffer>;
    const machine = lab.machine;
    for (const at of [0, 9, 13, 17, 500, bytes.length - 1]) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x40;
      expect(() => command({ name: "openMachine", bytes: damaged })).toThrow(/saved machine/);
    }
    expect(() => command({ name: "openMachine", bytes: bytes.slice(0, 1000) })).toThrow(/damaged/);
    expect(lab.machine).toBe(machine);
    command({ name: "step", count: 1 });
    expect(status().stop.reason).toBe("step");
  });
});

describe("loading", () => {
  test("an image that is none is refused and the present machine stays", () => {
    const machine = lab.machine;
    const bytes = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 2, 3);
    expect(() => command({ name: "openImage", title: "x", bytes, kind: "elf" })).toThrow(/ELF|image/i);
    expect(() => command({ name: "loadGuest", guest: "nobody" })).toThrow("there is no guest");
    expect(() => command({ name: "loadGuest", guest: "quadrant", config: { policy: "Z" } })).toThrow(
      "no policy",
    );
    expect(lab.machine).toBe(machine);
  });

  test("a flat image runs, and its input wakes it", () => {
    // sti; hlt; jmp hlt: waits for input
    const bytes = Uint8Array.of(0xfb, 0xf4, 0xeb, 0xfd);
    command({ name: "openImage", title: "sleeper", bytes, kind: "flat", config: { memory: 4 << 20 } });
    finish();
    expect(status()).toMatchObject({ state: "waiting", title: "sleeper", guest: null });
    command({ name: "serialInput", bytes: Uint8Array.of(65) });
    expect(lab.running).toBe(true);
  });
});

describe("the trace as text", () => {
  const exported = (format: string) => lab.command({ name: "exportTrace", format } as Command) as TraceText;

  test("in each version's format: what is held, how many lines, what was lost", () => {
    lab = new Lab({ traceCapacity: 1 << 16, config: { policy: "B" } });
    lab.command({ name: "run" });
    for (let i = 0; i < 1000 && lab.running; i++) lab.slice(100_000);
    for (const [format, zap] of [
      ["2.6.32", "kvm_mmu_zap_page"],
      ["3.1", "kvm_mmu_prepare_zap_page"],
      ["modern", "kvm_mmu_prepare_zap_page"],
    ] as const) {
      const { lines, lost, text } = exported(format);
      const told = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      expect([format, told.length, lost]).toEqual([format, lines, 0]);
      expect(text.startsWith("# tracer: nop\n")).toBe(true);
      expect(told.some((line) => line.includes(` ${zap}: `))).toBe(true);
    }
  });

  test("what has left the ring is told; a format that there never was is refused", () => {
    lab = new Lab({ traceCapacity: 1 << 10, config: { policy: "B" } });
    lab.command({ name: "run" });
    for (let i = 0; i < 1000 && lab.running; i++) lab.slice(100_000);
    const { lines, lost, text } = exported("3.1");
    expect(lost).toBe(lab.machine.trace.count - 1024);
    expect(text).toContain(`# ${lost} events were lost here\n`);
    expect(lines).toBeLessThan(1024);
    const refused = parseClientMessage({
      type: "command",
      id: 1,
      command: { name: "exportTrace", format: "2.6.20" },
    });
    expect(refused).toMatchObject({ ok: false, error: expect.stringContaining("2.6.32, 3.1, modern") });
  });
});
