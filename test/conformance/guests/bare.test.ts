/**
 * The built-in guests on the bare processor print what they must, and halt.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GUESTS } from "../../../core/guests/index.ts";
import { runBare } from "./bare.ts";

describe("the bare processor runs the guests", () => {
  it.each(GUESTS.map((g) => [g.id, g] as const))("%s", (id, guest) => {
    const { memory, memoryHigh } = guest;
    const run = runBare(guest.bytes, guest.kind, { memory, memoryHigh }, 20_000_000);
    const expected = readFileSync(join(import.meta.dirname, "expected", `${id}.txt`), "latin1");
    expect(run.text).toBe(expected);
    expect(run.stop).toBe("hlt");
  });
});
