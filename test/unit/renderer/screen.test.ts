/** The screen pane's tables and its keyboard: code page, lines and blocks, scan codes, what is held, what is typed. */
import { describe, expect, it } from "vitest";
import { Keyboard } from "../../../core/devices/keyboard.ts";
import type { ScreenInfo } from "../../../core/lab/protocol/index.ts";
import { GLYPHS, linesOf } from "../../../renderer/panes/screen/code-page.ts";
import { attributeOf, blinks, cellSize, drawJoined } from "../../../renderer/panes/screen/draw.ts";
import { HeldKeys } from "../../../renderer/panes/screen/held.ts";
import { breakCode, chord, makeCode, strokesOf } from "../../../renderer/panes/screen/scan-codes.ts";

const screen = (changes: Partial<ScreenInfo> = {}): ScreenInfo => ({
  mode: "text",
  columns: 80,
  rows: 25,
  height: 16,
  cells: new Uint16Array(2000).fill(0x0720),
  cursor: null,
  blink: true,
  colours: Array.from({ length: 16 }, () => 0),
  waiting: 0,
  leds: 0,
  scanning: true,
  ...changes,
});

describe("code page 437", () => {
  it("has 256 different glyphs, but for the blanks", () => {
    expect(GLYPHS).toHaveLength(256);
    const blank = GLYPHS.filter((glyph) => /^[ \u00a0]$/.test(glyph));
    expect(blank).toHaveLength(3);
    expect(new Set(GLYPHS).size).toBe(255);
    expect(
      [0x41, 0x80, 0x9b, 0xc9, 0xdb, 0xe1, 0xf1, 0xfb, 0x0e, 0x7f].map((code) => GLYPHS[code]).join(""),
    ).toBe("AÇ¢╔█ß±√♫⌂");
  });
  it("gives the screen's lines", () => {
    const cells = Uint16Array.of(0x0748, 0x0769, 0x0700, 0x07c4, 0x0720, 0x0720);
    expect(linesOf({ columns: 3, rows: 2, cells })).toEqual(["Hi", "─"]);
  });
});

describe("drawing", () => {
  it("joins the box's lines at the cell's edges: each meets its neighbour's on the same pixels", () => {
    for (const size of [
      { width: 9, height: 16 },
      { width: 5, height: 9 },
      { width: 18, height: 32 },
    ]) {
      /** Pixels of one column or row of the cell that a code fills. */
      const edge = (code: number, side: "left" | "right" | "top" | "bottom"): string => {
        const hit: number[] = [];
        const pen = {
          fillStyle: "",
          globalAlpha: 1,
          fillText: () => {},
          fillRect: (x: number, y: number, w: number, h: number) => {
            const along = side === "left" || side === "right";
            const touches = {
              left: x <= 0,
              right: x + w >= size.width,
              top: y <= 0,
              bottom: y + h >= size.height,
            };
            if (!touches[side]) return;
            for (let i = along ? y : x; i < (along ? y + h : x + w); i++) hit.push(i);
          },
        };
        expect(drawJoined(pen, code, 0, 0, size)).toBe(true);
        return [...new Set(hit)].sort((a, b) => a - b).join();
      };
      for (const [left, right] of [
        [0xc4, 0xc4],
        [0xcd, 0xbb],
        [0xc9, 0xcd],
        [0xc3, 0xc4],
        [0xb5, 0xb3],
      ] as const) {
        if (right === 0xb3) expect(edge(left, "right")).toBe("");
        else expect(edge(left, "right")).toBe(edge(right, "left"));
      }
      expect(edge(0xba, "bottom")).toBe(edge(0xbc, "top"));
      expect(edge(0xcd, "left").split(",").length).toBeGreaterThan(edge(0xc4, "left").split(",").length);
    }
    expect(
      drawJoined({ fillStyle: "", globalAlpha: 1, fillText: () => {}, fillRect: () => {} }, 0x41, 0, 0, {
        width: 9,
        height: 16,
      }),
    ).toBe(false);
  });
  it("takes bit 7 of the attribute as the register says", () => {
    expect(attributeOf(0x9e, true)).toEqual({ ink: 14, paper: 1, blinks: true });
    expect(attributeOf(0x9e, false)).toEqual({ ink: 14, paper: 9, blinks: false });
  });
  it("draws twice a second only where something blinks", () => {
    expect(blinks(screen())).toBe(false);
    expect(blinks(screen({ cells: new Uint16Array(2000).fill(0x8720) }))).toBe(true);
    expect(blinks(screen({ cells: new Uint16Array(2000).fill(0x8720), blink: false }))).toBe(false);
    expect(blinks(screen({ cursor: { column: 0, row: 0, from: 13, to: 14 } }))).toBe(true);
  });
  it("makes the screen as large as fits, in whole pixels", () => {
    expect(cellSize(screen(), 720, 400)).toEqual({ width: 9, height: 16 });
    expect(cellSize(screen(), 1440, 800)).toEqual({ width: 18, height: 32 });
    expect(cellSize(screen(), 10, 10)).toEqual({ width: 5, height: 9 });
    expect(cellSize(screen({ rows: 50, height: 8 }), 720, 400)).toEqual({ width: 9, height: 8 });
  });
});

describe("scan codes", () => {
  it("are set 1's", () => {
    expect(makeCode("KeyA")).toEqual([0x1e]);
    expect(breakCode("KeyA")).toEqual([0x9e]);
    expect(makeCode("Digit0")).toEqual([0x0b]);
    expect(makeCode("F10")).toEqual([0x44]);
    expect(makeCode("ArrowUp")).toEqual([0xe0, 0x48]);
    expect(breakCode("ArrowUp")).toEqual([0xe0, 0xc8]);
    expect(breakCode("Pause")).toEqual([]);
    expect(makeCode("MediaPlayPause")).toBeNull();
    expect(chord(["ControlLeft", "AltLeft", "Delete"])).toEqual([
      0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d,
    ]);
  });
  it("type every character that a US keyboard has, and tell those that it has not", () => {
    const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
    const { strokes, left } = strokesOf(`${printable}\r\n\t`);
    expect([strokes.length, left]).toEqual([97, ""]);
    // No two of them alike.
    expect(new Set(strokes.map((codes) => codes.join())).size).toBe(97);
    expect(strokesOf("A").strokes).toEqual([[0x2a, 0x1e, 0x9e, 0xaa]]);
    expect(strokesOf("aäb€")).toMatchObject({ left: "ä€" });
  });
  it("come out of the keyboard's own translation to set 2 and back as they went in", () => {
    const keyboard = new Keyboard(
      () => {},
      () => {},
      () => {},
      () => {},
    );
    for (const code of [
      "KeyA",
      "Space",
      "ArrowLeft",
      "NumpadEnter",
      "F12",
      "Delete",
      "ControlRight",
      "Backquote",
    ])
      for (const codes of [makeCode(code)!, breakCode(code)!]) {
        keyboard.key(codes);
        const read: number[] = [];
        while (keyboard.waiting > 0) read.push(keyboard.data.readPort(0));
        expect(read, code).toEqual(codes);
      }
  });
});

describe("held keys", () => {
  it("are let go when the focus goes", () => {
    const held = new HeldKeys();
    held.down("ShiftLeft");
    held.down("ArrowUp");
    expect(held.release()).toEqual([0xe0, 0xc8, 0xaa]);
    expect(held.release()).toEqual([]);
    // What went up elsewhere says nothing here.
    expect(held.up("ShiftLeft").codes).toEqual([]);
  });
  it("give the keyboard back for left Ctrl and left Alt together, alone, and for nothing else", () => {
    const held = new HeldKeys();
    held.down("ControlLeft");
    held.down("AltLeft");
    expect(held.up("AltLeft")).toEqual({ codes: [0xb8, 0x9d], leave: true });
    expect(held.up("ControlLeft")).toEqual({ codes: [], leave: false });
    held.down("ControlLeft");
    held.down("AltLeft");
    held.down("Delete");
    held.up("Delete");
    expect(held.up("AltLeft").leave).toBe(false);
    expect(held.up("ControlLeft").leave).toBe(false);
    // AltGr, as Windows tells it.
    held.down("ControlLeft");
    held.down("AltRight");
    expect(held.up("AltRight").leave).toBe(false);
    expect(held.up("ControlLeft").leave).toBe(false);
  });
});
