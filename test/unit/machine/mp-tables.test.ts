/** The MP tables as a kernel finds them that our loader has started: sealed, with the processor's signature. */
import { expect, test } from "vitest";
import { ZERO_REGS } from "../../../core/images/index.ts";
import { Machine } from "../../../core/machine/machine.ts";
import { sealMpTables } from "../../../core/machine/mp-tables.ts";
import { FEATURE_APIC, SIGNATURE } from "../../../core/x86/cpuid.ts";

const ROM = 0xf0000;

/** The last 64 KiB below 1 MiB of a pc whose image begins in protected mode. */
function shadow(): Uint8Array {
  const machine = Machine.boot(
    {
      machine: "pc",
      memory: 4 << 20,
      memoryHigh: 0,
      policy: "none",
      tlb: "vmx",
      hazards: {},
      audit: "off",
      findings: "stop",
      unimplemented: "ud",
    },
    {
      kind: "flat",
      writes: [],
      zeros: [],
      entry: 0x10_0000,
      regs: ZERO_REGS,
      gdt: { base: 0x500, limit: 23 },
      symbols: [],
      notes: [],
    },
  );
  const at = machine.slots.hfnOf(ROM >> 12) * 4096;
  return machine.memory.bytes.slice(at, at + 0x10000);
}

const sum = (bytes: Uint8Array): number => bytes.reduce((a, b) => (a + b) & 0xff, 0);
const text = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

test("a kernel that a loader started finds MP tables whose bytes sum up to 0, with CPUID's signature and an APIC", () => {
  const rom = shadow();
  const view = new DataView(rom.buffer);
  const pointers = Array.from({ length: rom.length / 16 }, (_, i) => i * 16).filter(
    (at) => text(rom, at, 4) === "_MP_" && rom[at + 8] === 1,
  );
  expect(pointers).toHaveLength(1);
  const [pointer] = pointers;
  expect(sum(rom.subarray(pointer!, pointer! + 16))).toBe(0);
  const table = view.getUint32(pointer! + 4, true) - ROM;
  expect(text(rom, table, 4)).toBe("PCMP");
  expect(sum(rom.subarray(table, table + view.getUint16(table + 4, true)))).toBe(0);
  expect(view.getUint32(table + 44 + 4, true)).toBe(SIGNATURE);
  expect(view.getUint32(table + 44 + 8, true) & FEATURE_APIC).toBe(FEATURE_APIC);
});

test("a copy without tables, or with a pointer that leads out of it, stays as it is", () => {
  const lying = new Uint8Array(256);
  lying.set([0x5f, 0x4d, 0x50, 0x5f, 0xff, 0xff, 0xff, 0xff, 1, 4]);
  for (const bytes of [new Uint8Array(256), lying]) {
    const before = bytes.slice();
    expect(sealMpTables(bytes, ROM)).toBe(false);
    expect(bytes).toEqual(before);
  }
});
