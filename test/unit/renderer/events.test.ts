/**
 * Events in words: every kind says something, the skipped page says whose write it was, and a row knows its place.
 */
import { describe, expect, it } from "vitest";
import { EVENT_KINDS } from "../../../core/lab/protocol/index.ts";
import {
  nameOf,
  piecesOf,
  placeOf,
  type TracedEvent,
  toneOf,
} from "../../../renderer/panes/events/describe.ts";

function event(name: string, words: number[]): TracedEvent {
  const kind = EVENT_KINDS.findIndex((other) => other.name === name);
  return { seq: 1, kind, time: 10, eip: 0x100010, words: [...words, 0, 0, 0, 0, 0, 0, 0, 0].slice(0, 8) };
}
const text = (of: TracedEvent) =>
  piecesOf(of)
    .map((piece) => piece.text)
    .join(" ");

describe("piecesOf", () => {
  it("has words for every kind with fields", () => {
    for (const kind of EVENT_KINDS) {
      if (kind.fields.length === 0) continue;
      expect(text(event(kind.name, [1, 1, 1, 1, 1, 1, 1, 1])), kind.name).not.toBe("");
    }
  });

  it("says which quadrant was skipped and which one the write belongs to", () => {
    const skipped = event("pte_write_page", [0x804000, 0x00012, 1, 1, 0, 0]);
    expect(text(skipped)).toBe("q0 skipped: the write belongs to q1 page 00804000");
    const touched = event("pte_write_page", [0x805000, 0x00112, 0, 1, 72, 1]);
    expect(text(touched)).toBe("q1 touched spte 72 page 00805000");
    const directory = event("pte_write_page", [0x801000, 0x00122, 0, 1, 64, 2]);
    expect(text(directory)).toBe("q1 touched sptes 64–65 page 00801000");
  });

  it("shows 64-bit values whole and small ones short", () => {
    expect(text(event("pte_write", [0x2f4, 0x920, 4, 0x05678067, 0, 1, 0]))).toBe(
      "002f4+920 = 05678067 4 bytes",
    );
    expect(text(event("pte_write", [0x2f4, 0x920, 8, 0x05678067, 0x80000000, 3, 1]))).toBe(
      "002f4+920 = 8000000005678067 8 bytes flooded",
    );
  });

  it("reads error codes", () => {
    expect(text(event("pf_guest", [0xa000000, 6, 14]))).toBe("0a000000 user write, not present");
    expect(text(event("pf_guest", [0xa000000, 0x11, 14]))).toBe("0a000000 kernel fetch, protection");
    expect(text(event("pf_guest", [0xa000000, 9, 14]))).toBe("0a000000 kernel read, reserved bit");
  });

  it("colours guest faults and fixed faults apart", () => {
    expect(toneOf(event("pf_guest", []))).toBe("bad");
    expect(toneOf(event("pf_fixed", []))).toBe("ok");
    expect(nameOf({ ...event("exit", []), kind: 999 })).toBe("kind 999");
  });
});

describe("placeOf", () => {
  it("leads to the table, the spte, the walk, the bytes, the code", () => {
    expect(placeOf(event("pte_write", [0x2f4, 0x920, 4]))).toEqual({
      kind: "table",
      gfn: 0x2f4,
      level: null,
      entry: null,
    });
    expect(placeOf(event("spte_clear", [0x805000, 72, 1, 0, 2]))).toEqual({
      kind: "page",
      hpa: 0x805000,
      index: 72,
    });
    expect(placeOf(event("pf_guest", [0xc0000000, 7, 14]))).toEqual({
      kind: "walk",
      gva: 0xc0000000,
      access: "write",
      user: true,
    });
    expect(placeOf(event("set_dirty_bit", [0x1000, 1, 1]))).toEqual({
      kind: "address",
      space: "gpa",
      address: 2 ** 32 + 0x1000,
      length: 4,
    });
    expect(placeOf(event("exception", [13, 0, 0]))).toEqual({ kind: "code", address: 0x100010 });
    expect(placeOf(event("tlb_flush", [0]))).toEqual({ kind: "code", address: 0x100010 });
  });
});
