/**
 * The table of built-in guests: what the lab relies on.
 */
import { describe, expect, it } from "vitest";
import { decodeBase64 } from "../../../core/guests/decode.ts";
import { findGuest, GUESTS } from "../../../core/guests/index.ts";
import { openImage } from "../../../core/images/index.ts";

describe("built-in guests", () => {
  it("have the ids the lab knows", () => {
    expect(GUESTS.map((g) => g.id)).toEqual([
      "quadrant",
      "nonpae-kernel",
      "pae-kernel",
      "nanobench",
      "pc-kernel",
    ]);
    expect(findGuest("quadrant")).toBe(GUESTS[0]);
    expect(findGuest("nothing")).toBeNull();
  });

  it.each(GUESTS.map((g) => [g.id, g] as const))("%s opens with its own sizes and kind", (_id, guest) => {
    const opened = openImage(guest.bytes, guest.kind, guest);
    expect(opened.ok && opened.image.kind).toBe(guest.kind);
    expect(openImage(guest.bytes, "auto", guest)).toEqual(opened);
    const addresses = guest.symbols.map((s) => s.address);
    expect(addresses).toEqual([...addresses].sort((a, b) => a - b));
    expect(new Set(guest.symbols.map((s) => s.name)).size).toBe(guest.symbols.length);
  });

  it("quadrant pauses at the store into the page table of the story", () => {
    const guest = findGuest("quadrant")!;
    const address = guest.symbols.find((s) => s.name === guest.pauseAt)!.address;
    const at = address - 0x100000;
    // mov [0x01234920], eax: PTE 584 of the table at gfn 0x1234
    expect([...guest.bytes.subarray(at, at + 5)]).toEqual([0xa3, 0x20, 0x49, 0x23, 0x01]);
    expect(guest.introduction.length).toBeGreaterThanOrEqual(3);
    expect(guest.introduction.length).toBeLessThanOrEqual(5);
  });
});

describe("base64", () => {
  it("decodes as Node does", () => {
    for (let n = 0; n < 40; n++) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 151 + n * 7) & 0xff);
      expect([...decodeBase64(Buffer.from(bytes).toString("base64"))]).toEqual([...bytes]);
    }
  });

  it("refuses damage", () => {
    expect(() => decodeBase64("abc")).toThrow(/multiple of 4/);
    expect(() => decodeBase64("ab*d")).toThrow(/not in the alphabet/);
  });
});
