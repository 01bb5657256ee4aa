/**
 * Reads what services.asm wrote: lines that every firmware must agree on ("="), lines that are looked at one by one ("~"),
 * and the memory map among them.
 */
import { expect } from "vitest";

/** Lines that must be the same everywhere. */
export const common = (log: string): string[] => log.split("\n").filter((line) => line.startsWith("="));

/** What stands behind "~name " in its only line. */
export function own(log: string, name: string): string {
  const lines = log.split("\n").filter((line) => line.startsWith(`~${name} `));
  expect(lines.length, name).toBe(1);
  return lines[0]!.slice(name.length + 2);
}

export interface MapRange {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/** The ranges of E820, in order. Every call must have answered as it should; the last tells that it is the last. */
export function memoryMap(log: string): MapRange[] {
  const calls = log.split("\n").filter((line) => line.startsWith("~int15.e820 ea"));
  calls.forEach((line, i) => {
    const next = i + 1 < calls.length ? i + 1 : 0;
    // What the number of the next range is, is the firmware's own; only 0 ends the map.
    expect(line).toMatch(/^~int15\.e820 ea=534d4150 ec=00000014 eb=[0-9a-f]{8} cf=0$/);
    expect(line.includes("eb=00000000")).toBe(next === 0);
  });
  const ranges = log.split("\n").filter((line) => line.startsWith("~range "));
  expect(ranges.length).toBe(calls.length);
  return ranges.map((line) => {
    const bytes = Buffer.from(line.slice(7), "hex");
    const wide = (at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
    return { base: wide(0), length: wide(8), type: bytes.readUInt32LE(16) };
  });
}

/** What a map must be like: ranges in order, none over another, memory from 0 and from 1 MiB. */
export function expectSound(map: readonly MapRange[]): void {
  for (let i = 1; i < map.length; i++)
    expect(map[i]!.base).toBeGreaterThanOrEqual(map[i - 1]!.base + map[i - 1]!.length);
  expect(map[0]).toEqual({ base: 0, length: 0x9fc00, type: 1 });
  expect(map.some((range) => range.base === 0x100000 && range.type === 1)).toBe(true);
  expect(map.every((range) => range.type === 1 || range.type === 2)).toBe(true);
}
