// The memory pane's pure parts: geometry over the whole space, drafts, addresses, patterns, history.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CpuView } from "../../../core/lab/protocol/index.ts";
import { parseAddress } from "../../../renderer/panes/memory/address.ts";
import {
  beginDraft,
  cellText,
  copyText,
  digitsFrom,
  eraseDigit,
  isFull,
  parsePattern,
  typeCharacter,
  typeDigit,
  valueAt,
  wordsOf,
} from "../../../renderer/panes/memory/cells.ts";
import { EditHistory, errorBits } from "../../../renderer/panes/memory/edits.ts";
import {
  cellSizeIn,
  clampTop,
  rowBytesFor,
  scrollTo,
  spaceSize,
  step,
  thumb,
  topAt,
} from "../../../renderer/panes/memory/geometry.ts";

const GIB64 = 2 ** 36;

describe("geometry", () => {
  it("spans the spaces", () => {
    expect(spaceSize("gva", 0, 0)).toBe(2 ** 32);
    expect(spaceSize("gpa", 0, 0)).toBe(2 ** 36);
    expect(spaceSize("hpa", 64 << 20, 0)).toBe(80 << 20);
  });

  it("keeps the top row-aligned and inside, and the scroll bar's ends at the space's ends", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(8, 16, 32),
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (rowBytes, rows, part) => {
          const top = clampTop(part * GIB64, rowBytes, rows, GIB64);
          expect(top % rowBytes).toBe(0);
          expect(top).toBeGreaterThanOrEqual(0);
          expect(top + rows * rowBytes).toBeLessThanOrEqual(GIB64);
          const { offset, length } = thumb(top, rowBytes, rows, GIB64, 400);
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset + length).toBeLessThanOrEqual(400);
          // One pixel of the bar is 64 GiB / 376: back within that.
          expect(Math.abs(topAt(offset, rowBytes, rows, GIB64, 400) - top)).toBeLessThanOrEqual(GIB64 / 376);
        },
      ),
    );
    expect(topAt(376, 16, 40, GIB64, 400)).toBe(GIB64 - 640);
    expect(topAt(0, 16, 40, GIB64, 400)).toBe(0);
  });

  it("scrolls no more than needed, and a jump puts the place a third down", () => {
    expect(scrollTo(0x1000, 0x1000 + 16 * 10, 16, 10, GIB64)).toBe(0x1010);
    expect(scrollTo(0x1000, 0xff8, 16, 10, GIB64)).toBe(0xff0);
    expect(scrollTo(0x1000, 0x1040, 16, 10, GIB64, true)).toBe(0x1000);
    expect(scrollTo(0x1000, 0x5000, 16, 9, GIB64, true)).toBe(0x5000 - 48);
  });

  it("steps over cells, rows, pages and stops at the ends", () => {
    const s = (key: string, at: number, cell: 1 | 4 | 8 = 4, ctrl = false) =>
      step(key, at, cell, 16, 20, 2 ** 32, ctrl);
    expect(s("ArrowRight", 0x1002)).toBe(0x1004);
    expect(s("ArrowLeft", 0x1004)).toBe(0x1003); // lands in the cell before, whatever its size
    expect(s("ArrowLeft", 0)).toBe(0);
    expect(s("ArrowDown", 0xffff_fff4)).toBe(0xffff_fff4);
    expect(s("PageDown", 0x1004)).toBe(0x1004 + 19 * 16);
    expect(s("PageUp", 0x14)).toBe(4);
    expect(s("Home", 0x1018, 8)).toBe(0x1010);
    expect(s("End", 0x1018, 8, true)).toBe(0x1fff);
    expect(s("x", 0)).toBeNull();
  });

  it("chooses cells by the page's role and rows by the width", () => {
    const page = { address: 0, role: 2, gpa: 0, hpa: 0, entrySize: 8, level: 1, writeProtected: true };
    expect(cellSizeIn(page, "auto")).toBe(8);
    expect(cellSizeIn({ ...page, entrySize: 0 }, "auto")).toBe(1);
    expect(cellSizeIn(null, 2)).toBe(2);
    expect([rowBytesFor(200, 8), rowBytesFor(80, 8), rowBytesFor(40, 8)]).toEqual([32, 16, 8]);
  });
});

describe("drafts", () => {
  const bytes = Uint8Array.from([0x67, 0x80, 0x56, 0x05, 0, 0, 0, 0x80]);

  it("reads cells little-endian", () => {
    expect(valueAt(bytes, 0, 4)).toEqual({ low: 0x05678067 - 0x110000, high: 0 });
    expect(cellText(bytes, 0, 4)).toBe("05568067");
    expect(cellText(bytes, 0, 8)).toBe("8000000005568067");
    expect(valueAt(bytes, 0, 8)).toEqual({ low: 0x05568067, high: 0x8000_0000 });
  });

  it("types over digits, erases them back, and says when it is full", () => {
    let draft = beginDraft(0x1000, 4, "05568067");
    for (const key of "0567") draft = typeDigit(draft, key);
    expect(draft.digits).toBe("05678067");
    draft = eraseDigit(draft);
    expect(draft.digits).toBe("05668067");
    expect(isFull(draft)).toBe(false);
    for (const key of "7AbcdE") draft = typeDigit(draft, key);
    expect(draft.digits).toBe("0567abcd");
    expect(isFull(draft)).toBe(true);
    expect(wordsOf("8000000005568067")).toEqual({ low: 0x05568067, high: 0x8000_0000 });
    expect(typeCharacter(beginDraft(0, 4, "00000000"), 1, "A").digits).toBe("00004100");
  });

  it("accepts numbers and patterns, and refuses the rest in words", () => {
    expect(digitsFrom("0x12 34", 4)).toBe("00001234");
    expect(digitsFrom("123456789", 4)).toBeNull();
    expect(digitsFrom("eip", 4)).toBeNull();
    expect(parsePattern("67 80,56")).toEqual({ ok: true, bytes: Uint8Array.of(0x67, 0x80, 0x56) });
    expect(parsePattern('"Hi"')).toEqual({ ok: true, bytes: Uint8Array.of(0x48, 0x69) });
    expect(parsePattern("678")).toMatchObject({
      ok: false,
      error: expect.stringContaining("two hex digits"),
    });
    expect(parsePattern("Hello")).toMatchObject({ ok: false, error: expect.stringContaining("quotes") });
    expect(copyText(Uint8Array.from({ length: 18 }, (_, i) => i)).split("\n")[1]).toBe("10 11");
  });
});

describe("addresses", () => {
  const cpu = {
    regs: [0, 0, 0, 0, 0xc0007fb0 | 0, 0, 0x1234920, 0],
    eip: 0xc0101a3e | 0,
    cr3: 0x1018,
    cr2: 0,
    paging: "2-level",
    gdtr: { base: 0x500, limit: 0 },
    idtr: { base: 0, limit: 0 },
  } as unknown as CpuView;

  it("reads numbers, names and sums", () => {
    const at = (text: string) => parseAddress(text, "gva", 2 ** 32, cpu);
    expect(at("C010_1A3E")).toEqual({ ok: true, address: 0xc0101a3e });
    expect(at("eip")).toEqual({ ok: true, address: 0xc0101a3e });
    expect(at("esp + 10")).toEqual({ ok: true, address: 0xc0007fc0 });
    expect(at("cr3+4*20")).toEqual({ ok: true, address: 0x1080 });
    expect(at("gfn:1234")).toEqual({ ok: true, address: 0x1234000 });
    expect(at("edi-1")).toMatchObject({ ok: false, error: expect.stringContaining("outside guest-virtual") });
    expect(at("100000000")).toMatchObject({ ok: false });
    expect(at("main")).toMatchObject({ ok: false, error: expect.stringContaining("main") });
  });
});

describe("history", () => {
  it("undoes by the opposite edit and redoes", () => {
    const history = new EditHistory();
    const edit = {
      space: "gpa",
      as: "emulator",
      address: 8,
      size: 4,
      from: { low: 1, high: 0 },
      to: { low: 2, high: 0 },
    } as const;
    history.add(edit);
    expect(history.peekUndo()).toMatchObject({ from: { low: 2 }, to: { low: 1 } });
    history.undid();
    expect(history.canUndo).toBe(false);
    expect(history.peekRedo()).toEqual(edit);
    history.redid();
    expect(history.canRedo).toBe(false);
  });

  it("names the error code's bits", () => {
    expect(
      errorBits(7)
        .filter((b) => b.on)
        .map((b) => b.name),
    ).toEqual(["P", "W/R", "U/S"]);
    expect(errorBits(2).map((b) => b.words)).toContain("not present");
  });
});
