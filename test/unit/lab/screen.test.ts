/** The screen, the keyboard and the devices of a PC through the lab's door, against the machine's memory and registers. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { hasNasm } from "../../../build/guests.mjs";
import { Lab } from "../../../core/lab/index.ts";
import type {
  Command,
  DevicesView,
  ScreenView,
  ViewData,
  ViewRequest,
} from "../../../core/lab/protocol/index.ts";
import { snapshotToBytes, takeSnapshot } from "../../../core/machine/snapshot.ts";
import { floppyWriter } from "../images/pc-programs.ts";
import { SCREEN_PROGRAM } from "./screen-program.ts";

const PROGRAM = Uint8Array.from(Buffer.from(SCREEN_PROGRAM, "base64"));
const GREETING = "Hello from B8000 ";

let lab: Lab;
const run = () => {
  if (!lab.running) lab.command({ name: "run" });
  for (let i = 0; i < 10; i++) lab.slice(100_000);
};
const keys = (...codes: number[]) => lab.command({ name: "keys", codes: Uint8Array.from(codes) });

beforeEach(() => {
  lab = new Lab({ traceCapacity: 1 << 12 });
  const command: Command = {
    name: "openImage",
    title: "screen",
    bytes: PROGRAM,
    kind: "flat",
    config: { machine: "pc", audit: "off" },
  };
  lab.command(command);
});

const failed = (_: number, error: string) => {
  throw new Error(error);
};
function open<K extends ViewData["kind"]>(request: Extract<ViewRequest, { kind: K }>) {
  lab.openView(1, request);
  return again<K>()!;
}
function again<K extends ViewData["kind"]>(): Extract<ViewData, { kind: K }> | null {
  const [first] = lab.collectViews(failed);
  return (first?.data as Extract<ViewData, { kind: K }>) ?? null;
}
const screenOf = (view: ScreenView | null) => {
  if (view?.screen == null) throw new Error("no screen was pushed");
  return view.screen;
};
const line = (view: ScreenView | null, row: number) => {
  const { cells, columns } = screenOf(view);
  return String.fromCharCode(
    ...cells.subarray(row * columns, (row + 1) * columns).map((cell) => cell & 0xff),
  );
};
const registers = (view: DevicesView, id: string) =>
  new Map(
    view
      .devices!.find((device) => device.id === id)!
      .parts.flatMap((part) => part.registers.map((one) => [one.name, one])),
  );

describe("the screen view", () => {
  it("is the text memory with its attributes, the cursor and the colours, and says nothing while nothing changes", () => {
    const before = screenOf(open({ kind: "screen" }));
    expect([before.mode, before.columns, before.rows, before.height, before.blink]).toEqual([
      "text",
      80,
      25,
      16,
      true,
    ]);
    expect(again()).toBeNull();
    run();
    const now = again<"screen">();
    expect(line(now, 1).slice(2, 2 + GREETING.length)).toBe(GREETING);
    const screen = screenOf(now);
    expect(screen.cells[0]).toBe(0x1ec9);
    expect(screen.cells[6 * 80 + 2 + 32]).toBe(0x8f21);
    expect(screen.cursor).toEqual({ column: 0, row: 4, from: 13, to: 14 });
    // The colours of the EGA, brown among them (and no dark yellow).
    expect(screen.colours.map((colour) => colour.toString(16).padStart(6, "0"))).toEqual([
      "000000",
      "0000aa",
      "00aa00",
      "00aaaa",
      "aa0000",
      "aa00aa",
      "aa5500",
      "aaaaaa",
      "555555",
      "5555ff",
      "55ff55",
      "55ffff",
      "ff5555",
      "ff55ff",
      "ffff55",
      "ffffff",
    ]);
    run();
    expect(again()).toBeNull();
    // One store into the text memory, by whoever.
    lab.command({
      name: "edit",
      space: "gpa",
      as: "device",
      address: 0xb8000 + 24 * 160,
      size: 2,
      low: 0x4f41,
    } as Command);
    expect(screenOf(again()).cells[24 * 80]).toBe(0x4f41);
    // The same again is no news.
    lab.command({
      name: "edit",
      space: "gpa",
      as: "device",
      address: 0xb8000 + 24 * 160,
      size: 2,
      low: 0x4f41,
    } as Command);
    expect(again()).toBeNull();
  });

  it("follows the start address around the end of the text memory, the palette, and the cursor's switch", () => {
    run();
    const { ports } = lab.machine;
    const crtc = (index: number, value: number) => {
      ports.out(0x3d4, 1, index);
      ports.out(0x3d5, 1, value);
    };
    // The first row shown is the last of the 32 KiB: row 0 of the picture is behind it.
    const start = 0x4000 - 80;
    crtc(12, start >> 8);
    crtc(13, start & 0xff);
    crtc(10, 0x2d);
    ports.in(0x3da, 1);
    ports.out(0x3c0, 1, 0x10);
    ports.out(0x3c0, 1, 0x04);
    ports.out(0x3c0, 1, 0x20);
    ports.out(0x3c8, 1, 1);
    for (const value of [63, 32, 0]) ports.out(0x3c9, 1, value);
    const view = open<"screen">({ kind: "screen" });
    expect(line(view, 2).slice(2, 2 + GREETING.length)).toBe(GREETING);
    const { cursor, blink, colours } = screenOf(view);
    expect([cursor, blink, colours[1]]).toEqual([null, false, 0xff8200]);
    ports.in(0x3da, 1);
    ports.out(0x3c0, 1, 0);
    expect(screenOf(again()).mode).toBe("off");
  });

  it("says that a bare machine has none, and keys and disks are refused there in words", () => {
    lab.command({ name: "loadGuest", guest: "quadrant", config: { machine: "bare" } });
    expect(open({ kind: "screen" })).toEqual({ kind: "screen", screen: null });
    expect(open({ kind: "devices", open: ["pic"] })).toEqual({ kind: "devices", devices: null, drives: [] });
    expect(() => keys(0x1e)).toThrow("a bare machine has no keyboard: only a pc has one");
    expect(() => keys()).toThrow("bare machine");
    expect(() => lab.command({ name: "saveDisk", drive: 0 })).toThrow("bare machine");
    expect(lab.collectStatus(true, 0)?.pc).toBeNull();
  });
});

describe("keys", () => {
  it("reach the guest in the order in which they came, and what is not read yet is told", () => {
    run();
    open({ kind: "screen" });
    lab.command({ name: "pause" });
    expect(keys(0x1e, 0x9e, 0xe0, 0x48)).toBe(5); // as set 2 has them: 1c, f0 1c, e0 75
    expect(screenOf(again()).waiting).toBe(5);
    expect(keys()).toBe(5);
    run();
    const now = again<"screen">();
    expect(line(now, 4).trimEnd()).toBe("1e 9e e0 48");
    expect(screenOf(now).waiting).toBe(0);
    expect(screenOf(now).cursor).toEqual({ column: 12, row: 4, from: 13, to: 14 });
  });
});

describe("the floppy", () => {
  it("has a line and registers, and is saved with what the guest wrote", () => {
    expect(() => lab.command({ name: "saveDisk", drive: "floppy" })).toThrow(
      "there is no floppy in this machine",
    );
    expect(
      open<"devices">({ kind: "devices", open: [] }).devices!.find(({ id }) => id === "floppy")!,
    ).toEqual(expect.objectContaining({ summary: "no floppy", parts: [] }));
    const boot = floppyWriter();
    lab.command({
      name: "openImage",
      title: "floppy",
      bytes: boot,
      kind: "boot-sector",
      config: { machine: "pc", audit: "off", policy: "none" },
    });
    lab.command({ name: "run" });
    for (let i = 0; i < 200 && lab.running; i++) lab.slice(1_000_000);
    expect(lab.collectStatus(true, 0)?.pc).toMatchObject({ written: [null, null], floppyWritten: 1 });
    const view = open<"devices">({ kind: "devices", open: ["floppy"] });
    expect(view.drives).toEqual([{ drive: "floppy", sectors: 2880, written: 1 }]);
    expect(view.devices!.find(({ id }) => id === "floppy")!.summary).toBe(
      "1.4 MiB, 1 sector written; is written",
    );
    const told = registers(view, "floppy");
    expect(told.get("Status (520)")).toMatchObject({ value: 1, text: "there is a floppy" });
    expect(told.get("Place")!.text).toBe("byte 0 of sector 6");
    expect(told.get("Format")!.text).toBe("type 4: 80 cylinders, 2 heads, 18 sectors a track");
    const wanted = new Uint8Array(1440 << 10);
    wanted.set(boot);
    wanted.fill(0x77, 5 * 512, 6 * 512);
    expect(lab.command({ name: "saveDisk", drive: "floppy" })).toEqual(wanted);
  });
});

describe("the devices view", () => {
  it("tells every device in a line and the registers of the open ones, as the guest programmed them", () => {
    run();
    const view = open<"devices">({
      kind: "devices",
      open: ["pic", "vga", "keyboard", "diagnostics", "apic"],
    });
    expect(
      view
        .devices!.filter(({ parts }) => parts.length > 0)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["apic", "diagnostics", "keyboard", "pic", "vga"]);
    const pic = view.devices!.find(({ id }) => id === "pic")!;
    expect(pic.summary).toContain("unmasked: IRQ 1");
    const master = new Map(pic.parts[0]!.registers.map((one) => [one.name, one]));
    expect(master.get("IMR")).toMatchObject({ value: 0xf9, text: "let through: 1 (keyboard), 2 (cascade)" });
    expect(master.get("ICW2")).toMatchObject({ value: 0x20, text: "vectors 20 to 27" });
    const diagnostics = registers(view, "diagnostics");
    expect(diagnostics.get("POST code (80)")!.value).toBe(0x2a);
    expect(diagnostics.get("Debug console (E9)")!.text).toBe("!");
    expect(registers(view, "vga").get("0f Cursor location low")).toMatchObject({
      value: 64,
      text: "column 0, row 4",
    });
    expect(registers(view, "apic").get("LINT0")!.text).toBe("ExtINT (the 8259 pair)");
    expect(lab.collectStatus(true, 0)?.pc).toEqual({
      post: 0x2a,
      written: [null, null],
      floppyWritten: null,
    });
  });

  it("changes nothing of the machine, with every device open", () => {
    run();
    keys(0x1e);
    lab.command({ name: "pause" });
    const all = open<"devices">({ kind: "devices", open: [] }).devices!.map(({ id }) => id);
    expect(all.length).toBeGreaterThanOrEqual(14);
    const before = snapshotToBytes(takeSnapshot(lab.machine));
    const view = open<"devices">({ kind: "devices", open: all });
    expect(view.devices!.every(({ parts }) => parts.length > 0)).toBe(true);
    open({ kind: "screen" });
    expect(snapshotToBytes(takeSnapshot(lab.machine))).toEqual(before);
  });

  it("refuses a device that is not there, and names those that are", () => {
    expect(() => lab.openView(1, { kind: "devices", open: ["floppy drive"] })).toThrow(
      /there is no device "floppy drive"; there are pic, apic/,
    );
  });
});

it.skipIf(!hasNasm())("the program's bytes are nasm's", () => {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-screen-"));
  const source = join(import.meta.dirname, "programs", "screen.asm");
  execFileSync("nasm", ["-f", "bin", "-w+error", "-o", join(dir, "out"), source]);
  expect(Uint8Array.from(readFileSync(join(dir, "out")))).toEqual(PROGRAM);
  rmSync(dir, { recursive: true });
});
