/** The floppy behind two ports: its formats, its commands, what it refuses, and what a snapshot keeps. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECTOR } from "../../../core/devices/disk.ts";
import { FloppyPort, floppyGeometry } from "../../../core/devices/floppy-port.ts";

const KIB = 1024;

function image(bytes: number): Uint8Array {
  const image = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) image[i] = ((i >> 9) * 3 + i) & 0xff;
  return image;
}

function readBytes(port: FloppyPort, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => port.readPort(1));
}

function name(port: FloppyPort, command: number, lba: number): void {
  port.writePort(0, command);
  for (const shift of [0, 8, 16]) port.writePort(1, (lba >> shift) & 0xff);
}

function readSectors(port: FloppyPort, lba: number, count: number): Uint8Array {
  name(port, 1, lba);
  return readBytes(port, count * SECTOR);
}

describe("formats", () => {
  it.each([
    [160, 1, 40, 1, 8],
    [180, 1, 40, 1, 9],
    [320, 1, 40, 2, 8],
    [360, 1, 40, 2, 9],
    [720, 3, 80, 2, 9],
    [1200, 2, 80, 2, 15],
    [1440, 4, 80, 2, 18],
    [1680, 4, 80, 2, 21],
    [1722, 4, 82, 2, 21],
    [2880, 5, 80, 2, 36],
  ])("%i KiB", (kib, type, cylinders, heads, sectors) => {
    expect(floppyGeometry(kib * KIB)).toEqual({ type, cylinders, heads, sectors });
  });

  it("an image of another length is on the smallest of 1.44 MiB and more; above 2.88 MiB there is none", () => {
    expect(floppyGeometry(512)?.sectors).toBe(18);
    expect(floppyGeometry(1440 * KIB + 1)?.sectors).toBe(21);
    expect(floppyGeometry(2880 * KIB - 1)?.sectors).toBe(36);
    expect(floppyGeometry(2880 * KIB + 1)).toBeNull();
    expect(floppyGeometry(0)).toBeNull();
    expect(() => new FloppyPort(new Uint8Array(3000 * KIB))).toThrow(/largest floppy/);
  });
});

describe("commands", () => {
  it("tells who it is", () => {
    const port = new FloppyPort(image(720 * KIB));
    port.writePort(0, 0);
    expect([...readBytes(port, 16)]).toEqual([
      0x51, 0x46, 0x44, 0x31, 3, 80, 2, 9, 0xa0, 5, 0, 0, 0, 0, 0, 0,
    ]);
    expect(port.readPort(0)).toBe(1);
  });

  it("without an image tells its name and no sectors, and refuses to read", () => {
    const port = new FloppyPort(null);
    port.writePort(0, 0);
    expect([...readBytes(port, 12)]).toEqual([0x51, 0x46, 0x44, 0x31, 0, 0, 0, 0, 0, 0, 0, 0]);
    name(port, 1, 0);
    expect(port.readPort(0)).toBe(2);
    expect(port.readPort(1)).toBe(0xff);
  });

  it("reads on over the ends of sectors; what the file has not is zeros", () => {
    const bytes = image(1000);
    const port = new FloppyPort(bytes);
    const read = readSectors(port, 0, 3);
    expect(read.subarray(0, 1000)).toEqual(bytes);
    expect(read.subarray(1000).every((b) => b === 0)).toBe(true);
    expect(port.disk!.sectors).toBe(2880);
  });

  it("writes whole sectors only, and never the image", () => {
    const bytes = image(1440 * KIB);
    const before = bytes.slice();
    const port = new FloppyPort(bytes);
    name(port, 2, 100);
    for (let i = 0; i < SECTOR + 10; i++) port.writePort(1, 0x77);
    expect(readSectors(port, 100, 1).every((b) => b === 0x77)).toBe(true);
    expect(readSectors(port, 101, 1)).toEqual(bytes.subarray(101 * SECTOR, 102 * SECTOR));
    expect(Buffer.compare(bytes, before)).toBe(0);
    expect(port.disk!.written).toBe(1);
    expect(port.disk!.merged().length).toBe(1440 * KIB);
  });

  it("refuses sectors behind the end, and commands that are none", () => {
    const port = new FloppyPort(image(1440 * KIB));
    name(port, 1, 2880);
    expect(port.readPort(0)).toBe(3);
    expect(port.readPort(1)).toBe(0xff);
    const last = readSectors(port, 2879, 1);
    expect(last).toEqual(image(1440 * KIB).subarray(2879 * SECTOR));
    expect(port.readPort(0)).toBe(3); // there is none behind it
    port.writePort(0, 0x55);
    expect(port.readPort(0)).toBe(3);
    port.writePort(0, 0);
    expect(port.readPort(0)).toBe(1);
  });

  it("what is written is read back, whatever else happens", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(255)), { minLength: 1, maxLength: 20 }), (writes) => {
        const port = new FloppyPort(image(1440 * KIB));
        const model = port.disk!.merged();
        for (const [lba, value] of writes) {
          name(port, 2, lba);
          for (let i = 0; i < SECTOR; i++) port.writePort(1, (value + i) & 0xff);
          for (let i = 0; i < SECTOR; i++) model[lba * SECTOR + i] = (value + i) & 0xff;
        }
        expect(Buffer.compare(readSectors(port, 0, 52), model.subarray(0, 52 * SECTOR))).toBe(0);
      }),
      { numRuns: 10 },
    );
  });

  it("goes on from a snapshot in the middle of a sector, in both directions", () => {
    const port = new FloppyPort(image(1440 * KIB));
    name(port, 2, 7);
    for (let i = 0; i < 300; i++) port.writePort(1, i & 0xff);
    const other = new FloppyPort(image(1440 * KIB));
    other.load(port.save());
    for (const each of [port, other]) for (let i = 300; i < SECTOR; i++) each.writePort(1, i & 0xff);
    expect(other.save()).toEqual(port.save());
    name(port, 1, 7);
    readBytes(port, 200);
    other.load(port.save());
    expect(readBytes(other, SECTOR)).toEqual(readBytes(port, SECTOR));
  });
});
