/**
 * Our firmware on our machine: the services as SeaBIOS and qemu answer them (the committed text), the tables, what happens
 * when there is nothing to start from, resets, and snapshots in the middle.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasNasm } from "../../../build/guests.mjs";
import {
  restoreSnapshot,
  snapshotFromBytes,
  snapshotToBytes,
  takeSnapshot,
} from "../../../core/machine/snapshot.ts";
import { common, expectSound, memoryMap, own } from "./log.ts";
import { consoleText, powerOn, readBytes, runTo, screenLines, serialText } from "./our-machine.ts";
import { assemble } from "./qemu.ts";

const FLOPPY_BYTES = 1440 * 1024;
const SECOND = 100_000_000;
const expected = (name: string): string[] =>
  readFileSync(join(import.meta.dirname, name), "latin1")
    .trimEnd()
    .split("\n");

if (!hasNasm()) console.warn("SKIPPED: nasm is not installed, the firmware's services are not tried");

describe.skipIf(!hasNasm())("services", () => {
  const image = hasNasm() ? assemble(import.meta.dirname, "services.asm") : new Uint8Array(0);

  it("on a disk: as SeaBIOS answers", { timeout: 120_000 }, () => {
    const machine = powerOn({ disks: [image] }, { memoryHigh: 0x0123_0000 });
    expect(runTo(machine, 10 * SECOND)).toBe("debug-exit");
    const log = consoleText(machine);
    expect(common(log)).toEqual(expected("services.txt"));
    const map = memoryMap(log);
    expectSound(map);
    expect(map.filter((range) => range.type === 1)).toEqual([
      { base: 0, length: 0x9fc00, type: 1 },
      { base: 0x100000, length: 63 << 20, type: 1 },
      { base: 2 ** 32, length: 0x0123_0000, type: 1 },
    ]);
    expect(own(log, "int1a.b10b written")).toBe("cf=0 ah=00 cx=0040");
    const counts = Number.parseInt(own(log, "int15.86 counts").slice(3), 16);
    expect(counts).toBeGreaterThanOrEqual(4773); // 4 ms of 1.193182 MHz
    expect(counts).toBeLessThan(5000);
  });

  it("on a floppy: as SeaBIOS answers with a floppy controller", { timeout: 120_000 }, () => {
    const floppy = new Uint8Array(FLOPPY_BYTES);
    floppy.set(image);
    const machine = powerOn({ floppy });
    expect(runTo(machine, 10 * SECOND)).toBe("debug-exit");
    expect(common(consoleText(machine))).toEqual(expected("services-floppy.txt"));
    expect(machine.pc!.board.floppy.disk!.written).toBe(2);
    expect(own(consoleText(machine), "drive")).toBe("ax=0000");
  });

  it.each([0.02, 1.9])("goes on from a snapshot (%f s)", { timeout: 120_000 }, (seconds) => {
    const machine = powerOn({ disks: [image] });
    expect(runTo(machine, Math.round(seconds * SECOND))).toBe("time");
    const other = restoreSnapshot(snapshotFromBytes(snapshotToBytes(takeSnapshot(machine))));
    expect(runTo(machine, 10 * SECOND)).toBe("debug-exit");
    expect(runTo(other, 10 * SECOND)).toBe("debug-exit");
    // What the debug console was told before is in the snapshot.
    expect(consoleText(other)).toBe(consoleText(machine));
    expect(other.time).toBe(machine.time);
    expect(Buffer.compare(other.pc!.board.disks[0]!.merged(), machine.pc!.board.disks[0]!.merged())).toBe(0);
  });
});

describe("nothing to start from", () => {
  it("is said on the screen; a key tries again", () => {
    const machine = powerOn({});
    runTo(machine, SECOND / 2);
    const text = screenLines(machine).join("\n");
    expect(text).toContain("Quadrant PC firmware\n639 KiB base memory, 64512 KiB above 1 MiB\n");
    expect(text).toContain("Nothing to start from: no floppy or disk has a boot sector.");
    expect(machine.pc!.board.post.value).toBe(0xff);
    expect(serialText(machine)).toBe("");
    expect(text.match(/Nothing to start from/g)!.length).toBe(1);
    machine.input({ kind: "keys", codes: Uint8Array.of(0x1e, 0x9e) });
    runTo(machine, SECOND);
    expect(
      screenLines(machine)
        .join("\n")
        .match(/Nothing to start from/g)!.length,
    ).toBe(2);
  });

  it("a disk without 55 AA is told, and the drives are", () => {
    const machine = powerOn({
      disks: [new Uint8Array(100 * 512), null],
      floppy: new Uint8Array(FLOPPY_BYTES),
    });
    runTo(machine, SECOND / 2);
    const lines = screenLines(machine);
    expect(lines).toContain("floppy: 1440 KiB");
    expect(lines).toContain("disk 0: 50 KiB");
    expect(lines).toContain("disk 0: no 55 AA at the end of its first sector");
    expect(lines).toContain("floppy: no 55 AA at the end of its first sector");
  });

  it("Ctrl, Alt and Del start again", () => {
    const machine = powerOn({});
    runTo(machine, SECOND / 2);
    machine.input({ kind: "keys", codes: Uint8Array.of(0x1d, 0x38, 0xe0, 0x53) });
    runTo(machine, SECOND);
    expect(new DataView(readBytes(machine, 0x472, 2).buffer).getUint16(0, true)).toBe(0x1234);
    expect(screenLines(machine)[0]).toBe("Quadrant PC firmware");
    expect(machine.pc!.board.post.value).toBe(0xff);
  });
});

describe("resets", () => {
  /** A boot sector: the first time resets with a shutdown code; where that leads to, it ends the machine with 7. */
  it.each([
    ["0a, to the pointer at 0040:0067", 0x0a, 7],
    ["00, to another start of the disk", 0x00, 9],
  ])("shutdown code %s", (_name, code, end) => {
    const sector = new Uint8Array(512);
    sector.set(
      [
        ...[0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
        ...[0x80, 0x3e, 0x00, 0x06, 0x55, 0x74, 0x24], // cmp byte [0x600], 0x55; je second
        ...[0xc6, 0x06, 0x00, 0x06, 0x55], // mov byte [0x600], 0x55
        ...[0xc7, 0x06, 0x67, 0x04, 0x29, 0x7c], // mov word [0x467], back
        ...[0xc7, 0x06, 0x69, 0x04, 0x00, 0x00],
        ...[0xb0, 0x8f, 0xe6, 0x70, 0xb0, code, 0xe6, 0x71],
        ...[0xb0, 0xfe, 0xe6, 0x64, 0xf4], // the keyboard controller's pulse
        ...[0xb0, 0x07, 0xe6, 0xf4, 0xf4], // back: mov al, 7; out 0xf4, al
        ...[0xf4],
        ...[0xb0, 0x09, 0xe6, 0xf4, 0xf4], // second
      ],
      0,
    );
    expect(sector.indexOf(0x07, 40)).toBe(0x2a);
    sector.set([0x55, 0xaa], 510);
    const machine = powerOn({ disks: [sector] });
    expect(runTo(machine, SECOND)).toBe("debug-exit");
    expect(machine.stop.detail).toContain(` ${end} `);
  });
});
