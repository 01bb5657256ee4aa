/**
 * Numbers as text and back; role words.
 */
import { describe, expect, it } from "vitest";
import { decimal, hex, hex64, parseHex, size } from "../../../renderer/format.ts";
import { roleFields } from "../../../renderer/role.ts";

describe("numbers", () => {
  it("writes fixed widths, signed or not", () => {
    expect(hex(-1)).toBe("ffffffff");
    expect(hex(0x12, 5)).toBe("00012");
    expect(hex64(-1, 0)).toBe("00000000ffffffff");
    expect(decimal(3184220)).toBe("3\u202f184\u202f220");
    expect(decimal(999)).toBe("999");
    expect(size(4 << 20)).toBe("4\u00a0MiB");
    expect(size(4097)).toBe("4097\u00a0bytes");
  });

  it("reads what people type and says what is wrong", () => {
    expect(parseHex(" 0xC010_1a3e ", 2 ** 32)).toBe(0xc0101a3e);
    expect(parseHex("ffff ffff", 2 ** 32)).toBe(0xffffffff);
    expect(parseHex("12g4", 2 ** 32)).toBe("“g” is not a hexadecimal digit.");
    expect(parseHex("100000000", 2 ** 32)).toBe("It must be below 100000000.");
    expect(parseHex("0x", 2 ** 32)).toBe("Type a hexadecimal number.");
  });
});

describe("roleFields", () => {
  it("takes role words apart", () => {
    expect(roleFields(0x70112)).toEqual({
      glevels: 2,
      level: 1,
      quadrant: 1,
      metaphysical: true,
      hugepageAccess: 3,
    });
    expect(roleFields(0x00322)).toEqual({
      glevels: 2,
      level: 2,
      quadrant: 3,
      metaphysical: false,
      hugepageAccess: 0,
    });
  });
});
