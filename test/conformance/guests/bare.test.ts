/**
 * The built-in guests on the bare processor print what they must, halt, and leave the same memory as in qemu, the
 * accessed and dirty bits of their page tables included.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GUESTS } from "../../../core/guests/index.ts";
import { runBare } from "./bare.ts";
import { hasQemu, runAndDump } from "./qemu.ts";

describe("the bare processor runs the guests", () => {
  it.each(GUESTS.filter((g) => g.machine === "bare").map((g) => [g.id, g] as const))("%s", (id, guest) => {
    const { memory, memoryHigh } = guest;
    const run = runBare(guest.bytes, guest.kind, { memory, memoryHigh }, 20_000_000);
    const expected = readFileSync(join(import.meta.dirname, "expected", `${id}.txt`), "latin1");
    expect(run.text).toBe(expected);
    expect(run.stop).toBe("hlt");
  });
});

/** Where a guest's image ends in memory; qemu keeps its boot information behind it. */
const imageLength = (id: string): number =>
  (GUESTS.find((g) => g.id === id)!.symbols.find((s) => s.name === "bss_end")!.address & 0x0fff_ffff) -
  0x100000;

describe.skipIf(!hasQemu())("the memory is as in qemu", () => {
  it.each([
    ["quadrant", "the directory and the program's tables", 0x1000, 0x3000],
    ["quadrant", "the program", 0x100000, imageLength("quadrant")],
    ["quadrant", "the tables of the story", 0x1234000, 0x5000],
    ["quadrant", "the frames", 0x5670000, 0x28000],
    ["nonpae-kernel", "the program and its stacks", 0x100000, imageLength("nonpae-kernel")],
    ["nonpae-kernel", "tables and frames", 0x200000, 0xe00000],
    ["nanobench", "the directory and the program's tables", 0x1000, 0x2000],
    ["nanobench", "the tables and frames", 0x300000, 0xd00000],
  ])("%s: %s", async (id, _what, gpa, length) => {
    const guest = GUESTS.find((g) => g.id === id)!;
    // Twice the memory: a BIOS keeps its tables at the end.
    const there = await runAndDump(guest.bytes, `${guest.memory >> 19}M`, { gpa, length });
    const here = runBare(guest.bytes, guest.kind, guest, 20_000_000).bytes.subarray(gpa, gpa + length);
    const hex = (x: number) => x.toString(16);
    const differences: string[] = [];
    for (let i = 0; i < length && differences.length < 20; i++) {
      if (here[i] === there.memory[i]) continue;
      differences.push(`0x${hex(gpa + i)}: ${hex(here[i]!)}, in qemu ${hex(there.memory[i]!)}`);
    }
    expect(differences).toEqual([]);
  });
});
