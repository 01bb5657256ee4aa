/**
 * The PC's firmware under a processor and devices that nobody here wrote (qemu), beside a firmware that nobody here wrote
 * (SeaBIOS): services.asm asks both for every service, and all that is documented must be answered the same.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasNasm } from "../../../build/guests.mjs";
import { firmware } from "../../../core/guests/index.ts";
import { common, expectSound, memoryMap, own } from "./log.ts";
import { assemble, hasPcQemu, runPc } from "./qemu.ts";

if (!hasNasm() || !hasPcQemu())
  console.warn(
    "SKIPPED: nasm or qemu-system-i386 is not installed, the firmware is not compared with SeaBIOS",
  );

/** What SeaBIOS answered when this was written; machine.test.ts holds our own machine to it. */
const expected = (name: string): string[] =>
  readFileSync(join(import.meta.dirname, name), "latin1")
    .trimEnd()
    .split("\n");

describe.skipIf(!hasNasm() || !hasPcQemu())("in qemu", () => {
  const image = hasNasm() ? assemble(import.meta.dirname, "services.asm") : new Uint8Array(0);

  it("answers a disk's questions as SeaBIOS does", { timeout: 200_000 }, () => {
    const ours = runPc({ firmware: firmware(), image, memory: 64 });
    const theirs = runPc({ firmware: null, image, memory: 64 });
    expect(ours.status).toBe(1);
    expect(theirs.status).toBe(1);
    expect(common(theirs.console)).toEqual(expected("services.txt"));
    expect(common(ours.console)).toEqual(expected("services.txt"));
    expect(ours.console.trimEnd().endsWith("end")).toBe(true);

    for (const log of [ours.console, theirs.console]) {
      expectSound(memoryMap(log));
      expect(own(log, "int15.c1")).toBe("cf=0 es=9fc0");
      expect(own(log, "drive")).toBe("ax=0080");
      expect(own(log, "configuration")).toMatch(/^0800fc/);
    }
    // What both do and need not do alike: ours by the references.
    const log = ours.console;
    expect(own(log, "int15.88")).toBe("ax=fc00 cf=0");
    expect(own(log, "int15.e801")).toBe("ax=3c00 bx=0300 cx=3c00 dx=0300 cf=0");
    expect(memoryMap(log).filter((range) => range.type === 1)).toEqual([
      { base: 0, length: 0x9fc00, type: 1 },
      { base: 0x100000, length: 63 << 20, type: 1 },
    ]);
    expect(own(log, "int15.90")).toBe("cf=0 ah=00"); // no wait was performed
    expect(own(log, "int14.03 absent")).toMatch(/^ax=80/); // timeout
    expect(own(log, "int1a.b102 vendor")).toBe("cf=1 ah=83"); // PCI BIOS 2.1: bad vendor
    expect(own(log, "int1a.b109 odd")).toBe("cf=1 ah=87"); // bad register
    expect(own(log, "number")).toBe("ax=00c8"); // Alt and a number on the keypad
    expect(own(log, "int16.00 enter")).toBe("ax=1c0d"); // F11 before it is none of AH=00h's keys
  });

  it("SeaBIOS with a floppy controller answers as is expected of our floppy", { timeout: 100_000 }, () => {
    const floppy = new Uint8Array(1440 * 1024);
    floppy.set(image);
    const theirs = runPc({ firmware: null, image: floppy, floppy: true, memory: 64 });
    expect(common(theirs.console)).toEqual(expected("services-floppy.txt"));
  });
});
