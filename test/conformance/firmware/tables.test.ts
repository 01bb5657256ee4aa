/**
 * The firmware's MP and ACPI tables, read as an operating system does: before POST in the ROM (for kernels that are started
 * without it), and behind it in memory.
 */
import { describe, expect, it } from "vitest";
import { FIRMWARE_BYTES, firmware } from "../../../core/guests/index.ts";
import { powerOn, readBytes, runTo } from "./our-machine.ts";

const BASE = 0xf0000;
const SEGMENT = "F0000 to FFFFF";

function afterPost(): Uint8Array {
  const machine = powerOn({});
  runTo(machine, 50_000_000);
  return readBytes(machine, BASE, FIRMWARE_BYTES);
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;

/** The structure at the first 16-byte boundary that has this signature. */
function find(memory: Uint8Array, signature: string): number {
  for (let at = 0; at < memory.length; at += 16)
    if (text(memory.subarray(at, at + signature.length)) === signature) return at;
  throw new Error(`${signature} is not in ${SEGMENT}`);
}

describe.each([
  ["in the ROM", firmware()],
  ["after POST", afterPost()],
])("%s", (where, memory) => {
  const view = new DataView(memory.buffer);
  const u32 = (at: number): number => view.getUint32(at, true);
  const u16 = (at: number): number => view.getUint16(at, true);

  it("MP: one processor, the buses, the I/O APIC and its inputs", () => {
    const pointer = find(memory, "_MP_");
    expect(sum(memory.subarray(pointer, pointer + 16))).toBe(0);
    expect([...memory.subarray(pointer + 8, pointer + 16)]).toEqual([
      1,
      4,
      memory[pointer + 10],
      0,
      0,
      0,
      0,
      0,
    ]);
    const table = u32(pointer + 4) - BASE;
    const length = u16(table + 4);
    expect(text(memory.subarray(table, table + 4))).toBe("PCMP");
    expect(sum(memory.subarray(table, table + length))).toBe(0);
    expect(memory[table + 6]).toBe(4);
    expect(u32(table + 36)).toBe(0xfee00000);
    const entries: number[][] = [];
    let at = table + 44;
    while (at < table + length) {
      const size = memory[at] === 0 ? 20 : 8;
      entries.push([...memory.subarray(at, at + size)]);
      at += size;
    }
    expect(at).toBe(table + length);
    expect(entries.length).toBe(u16(table + 34));
    const processors = entries.filter((entry) => entry[0] === 0);
    expect(processors.length).toBe(1);
    expect(processors[0]!.slice(0, 6)).toEqual([0, 0, 0x14, 3, 0x33, 6]);
    expect((processors[0]![9]! & 2) !== 0).toBe(true); // an APIC, in CPUID's words
    expect(
      entries.filter((entry) => entry[0] === 1).map((entry) => text(Uint8Array.from(entry.slice(2)))),
    ).toEqual(["PCI   ", "ISA   "]);
    expect(entries.filter((entry) => entry[0] === 2)).toEqual([[2, 1, 0x11, 1, 0, 0, 0xc0, 0xfe]]);
    const inputs = entries.filter((entry) => entry[0] === 3);
    const wanted = Array.from({ length: 16 }, (_, irq) => irq).filter((irq) => irq !== 2);
    expect(inputs).toEqual(wanted.map((irq) => [3, 0, 0, 0, 1, irq, 1, irq === 0 ? 2 : irq]));
    expect(entries.filter((entry) => entry[0] === 4).map((entry) => [entry[1], entry[7]])).toEqual([
      [3, 0],
      [1, 1],
    ]);
  });

  it("ACPI: the pointers lead to tables with right sums", () => {
    const pointer = find(memory, "RSD PTR ");
    expect(sum(memory.subarray(pointer, pointer + 20))).toBe(0);
    const table = (gpa: number, signature: string): number => {
      const at = gpa - BASE;
      expect(text(memory.subarray(at, at + 4)), where).toBe(signature);
      expect(sum(memory.subarray(at, at + u32(at + 4)))).toBe(0);
      return at;
    };
    const rsdt = table(u32(pointer + 16), "RSDT");
    expect(u32(rsdt + 4)).toBe(36 + 2 * 4);
    const fadt = table(u32(rsdt + 36), "FACP");
    expect(u32(fadt + 4)).toBe(116);
    const facs = u32(fadt + 36) - BASE;
    expect(text(memory.subarray(facs, facs + 4))).toBe("FACS");
    expect([facs % 64, u32(facs + 4)]).toEqual([0, 64]);
    table(u32(fadt + 40), "DSDT");
    // No power management block: nothing answers at its ports.
    expect([...memory.subarray(fadt + 56, fadt + 96)].every((byte) => byte === 0)).toBe(true);
    const madt = table(u32(rsdt + 40), "APIC");
    expect([u32(madt + 36), u32(madt + 40)]).toEqual([0xfee00000, 1]);
    const kinds: number[] = [];
    for (let at = madt + 44; at < madt + u32(madt + 4); at += memory[at + 1]!) {
      kinds.push(memory[at]!);
      if (memory[at] === 1) expect([memory[at + 2], u32(at + 4), u32(at + 8)]).toEqual([1, 0xfec00000, 0]);
      if (memory[at] === 2 && memory[at + 3] === 0) expect(u32(at + 4)).toBe(2);
    }
    expect(kinds).toEqual([0, 1, 2, 2, 4]);
  });
});
