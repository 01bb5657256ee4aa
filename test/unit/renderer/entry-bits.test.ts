// Entry formats against the manual's layouts: names at bits, addresses, reserved bits, and the sentence.
import { describe, expect, it } from "vitest";
import {
  addressOf,
  bitLetters,
  entryHex,
  FORMATS,
  guestFormat,
  hasBit,
  meaning,
  reservedBits,
  toggleBit,
} from "../../../renderer/panes/memory/entry-bits.ts";

const e = (low: number, high = 0) => ({ low: low >>> 0, high: high >>> 0 });

describe("entry formats", () => {
  it("have no bit twice, and none inside the frame's field", () => {
    for (const format of Object.values(FORMATS)) {
      const bits = format.bits.map((b) => b.bit);
      expect(new Set(bits).size).toBe(bits.length);
      for (const bit of bits) expect(bit >= format.frame[0] && bit <= format.frame[1]).toBe(false);
      // Every bit below the frame has a name but for pdpte and pae-root, whose reserved bits 5-8 may be left out.
      if (format.id === "pae-root") continue;
      for (let n = 0; n < format.frame[0]; n++) expect(bits, `${format.id} bit ${n}`).toContain(n);
    }
  });

  it("find the address, PSE-36 and 36-bit frames included", () => {
    expect(addressOf(e(0x05678067), "pte")).toBe(0x05678000);
    expect(addressOf(e(0x004000e7 | (3 << 13)), "pde4m")).toBe(0x3_0040_0000);
    expect(addressOf(e(0x00200067, 0x8000_0003), "pae-pte")).toBe(0x3_0020_0000);
    expect(addressOf(e(0xffe01067, 0), "pae-pde2m")).toBe(0xffe00000);
  });

  it("choose large pages by PS, P and CR4.PSE", () => {
    expect(guestFormat(2, 4, e(0xe7))).toBe("pde4m");
    expect(guestFormat(2, 4, e(0xe7), false)).toBe("pde");
    expect(guestFormat(2, 4, e(0xe6))).toBe("pde");
    expect(guestFormat(2, 8, e(0xe7), false)).toBe("pae-pde2m");
    expect(guestFormat(1, 8, e(0xe7))).toBe("pae-pte");
    expect(guestFormat(3, 8, e(1))).toBe("pdpte");
  });

  it("name the reserved bits that would fault", () => {
    expect(reservedBits(e(0x004000e7 | (1 << 17)), "pde4m")).toEqual([17]);
    expect(reservedBits(e(0x67, 1 << 4), "pae-pte")).toEqual([36]);
    expect(reservedBits(e(0x67, 0x8000_0000), "pae-pte")).toEqual([]);
    expect(reservedBits(e(0x3, 0), "pdpte")).toEqual([1]);
    expect(reservedBits(e(0x2, 0), "pdpte")).toEqual([]);
    expect(reservedBits(e(0x1, 0x8000_0000), "pdpte")).toEqual([63]);
  });

  it("toggle any bit as one unsigned change", () => {
    expect(toggleBit(e(0x67), 31).low).toBe(0x8000_0067);
    expect(toggleBit(e(0, 0), 63)).toEqual(e(0, 0x8000_0000));
    expect(hasBit(e(0, 0x8000_0000), 63)).toBe(true);
  });

  it("speak", () => {
    expect(bitLetters(e(0x05678067), "pte")).toBe("D A U W P");
    expect(entryHex(e(0x27, 0x8000_0000), 8)).toBe("8000000000000027");
    expect(meaning(e(0), "pte")).toContain("page fault of the guest's own");
    expect(meaning(e(0), "spte-leaf")).toContain("shadow fault");
    expect(meaning(e(0x05678067), "pte")).toBe(
      "Maps 4 KiB to frame 5678: read and write, user and kernel, written to.",
    );
    expect(meaning(e(0x1000_0465), "spte-leaf")).toContain("write right withheld");
    expect(meaning(e(0x000a_0200), "spte-leaf")).toContain("No memory at gfn a0");
    expect(meaning(e(0xffff_ffff, 0xffff_ffff), "pae-root")).toContain("INVALID_PAGE");
  });
});
