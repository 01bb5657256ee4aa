/**
 * x87 registers as text.
 */
import { describe, expect, it } from "vitest";
import { decimalOf } from "../../../renderer/panes/processor/x87.ts";

describe("the text of an x87 register", () => {
  it.each([
    [0x3fff, 0x8000_0000, 0, "1"],
    [0xc000, 0xc90f_daa2, 0x2168_c235, "-3.141592653589793"],
    [0x3ffb, 0xcccc_cccc, 0xcccc_cccd, "0.1"],
    [0, 0, 0, "0"],
    [0x8000, 0, 0, "-0"],
    [0x7fff, 0x8000_0000, 0, "infinity"],
    [0xffff, 0xc000_0000, 0, "-quiet NaN"],
    [0x7fff, 0xa000_0000, 0, "signalling NaN"],
    [0x7fff, 0, 0, "unsupported"],
    [0x3fff, 0x4000_0000, 0, "unsupported"],
    [0x7ffe, 0xffff_ffff, 0xffff_ffff, "1.189731495e+4932"],
    [0, 0, 1, "3.645199532e-4951"],
  ])("%x %x %x is %s", (se, hi, lo, text) => {
    expect(decimalOf({ se, hi, lo, tag: 0 })).toBe(text);
  });
});
