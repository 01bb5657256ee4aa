/**
 * Draws the text screen on a canvas, in device pixels, so that it is crisp at every size: letters from the font, each in the
 * middle of its cell, lines and blocks as rectangles that meet those of the cells beside them.
 */
import type { ScreenInfo } from "../../../core/lab/protocol/index.ts";
import { GLYPHS } from "./code-page.ts";

/** A cell in device pixels. */
export interface CellSize {
  readonly width: number;
  readonly height: number;
}

/** A character of a VGA is 9 by 16 pixels, half as high where it has 8 scan lines. */
const WIDE = 9;
const LEAST_WIDTH = 5;
const MOST_WIDTH = 24;

/** The largest cell with which the whole screen fits into so many device pixels; never smaller than can be read. */
export function cellSize(screen: ScreenInfo, width: number, height: number): CellSize {
  const lines = Math.max(8, Math.min(16, screen.height));
  const across = Math.floor(width / screen.columns);
  const down = Math.floor(((height / screen.rows) * WIDE) / lines);
  const cell = Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, across, down));
  return { width: cell, height: Math.round((cell * lines) / WIDE) };
}

/** What an attribute byte means on this screen: indices into its colours, and whether the character blinks. */
export function attributeOf(attribute: number, blink: boolean) {
  return {
    ink: attribute & 15,
    paper: (attribute >> 4) & (blink ? 7 : 15),
    blinks: blink && (attribute & 0x80) !== 0,
  };
}

/** Whether anything on the screen blinks: else nobody needs to draw it twice. */
export function blinks(screen: ScreenInfo): boolean {
  return screen.cursor !== null || (screen.blink && screen.cells.some((cell) => (cell & 0x8000) !== 0));
}

/**
 * Lines of box drawing by code, from B3: how many strokes go left, right, up and down from the middle (1 or 2).
 * Order as in the code page.
 */
const BOXES =
  "0011 1011 2011 1022 1002 2001 2022 0022 2002 2020 1020 2010 1001 " + // B3 to BF
  "0110 1110 1101 0111 1100 1111 0211 0122 0220 0202 2220 2202 0222 2200 2222 " + // C0 to CE
  "2210 1120 2201 1102 0120 0210 0201 0102 1122 2211 1010 0101"; // CF to DA
const BOX_FIRST = 0xb3;
const STROKES = BOXES.split(" ").map((digits) => [...digits].map(Number));

type Pen = Pick<CanvasRenderingContext2D, "fillRect" | "fillText" | "fillStyle" | "globalAlpha">;

/** Draws one of the codes that join those beside them. Answers false for every other code. */
export function drawJoined(pen: Pen, code: number, x: number, y: number, size: CellSize): boolean {
  const { width, height } = size;
  const strokes = code >= BOX_FIRST ? STROKES[code - BOX_FIRST] : undefined;
  if (strokes !== undefined) {
    drawBox(pen, strokes, x, y, size);
    return true;
  }
  const halfWidth = Math.round(width / 2);
  const halfHeight = Math.round(height / 2);
  switch (code) {
    case 0xb0:
    case 0xb1:
    case 0xb2: {
      const before = pen.globalAlpha;
      pen.globalAlpha = before * (0.25 * (code - 0xaf));
      pen.fillRect(x, y, width, height);
      pen.globalAlpha = before;
      return true;
    }
    case 0xdb:
      pen.fillRect(x, y, width, height);
      return true;
    case 0xdc:
      pen.fillRect(x, y + halfHeight, width, height - halfHeight);
      return true;
    case 0xdd:
      pen.fillRect(x, y, halfWidth, height);
      return true;
    case 0xde:
      pen.fillRect(x + halfWidth, y, width - halfWidth, height);
      return true;
    case 0xdf:
      pen.fillRect(x, y, width, halfHeight);
      return true;
    default:
      return false;
  }
}

/**
 * Strokes from the middle outwards. A double line is two strokes one gap apart; a stroke ends where those across it end, so
 * that corners are closed.
 */
function drawBox(pen: Pen, strokes: readonly number[], x: number, y: number, size: CellSize): void {
  const [left, right, up, down] = strokes as [number, number, number, number];
  const thick = Math.max(1, Math.round(size.width / 8));
  const middleX = x + Math.floor((size.width - thick) / 2);
  const middleY = y + Math.floor((size.height - thick) / 2);
  /** Offsets from the middle of a line's strokes. */
  const offsets = (count: number): readonly number[] => (count === 2 ? [-thick, thick] : [0]);
  const across = Math.max(up, down) === 2 ? thick : 0;
  const along = Math.max(left, right) === 2 ? thick : 0;
  for (const [count, from, to] of [
    [left, x, middleX + across + thick],
    [right, middleX - across, x + size.width],
  ] as const)
    if (count > 0)
      for (const offset of offsets(count)) pen.fillRect(from, middleY + offset, to - from, thick);
  for (const [count, from, to] of [
    [up, y, middleY + along + thick],
    [down, middleY - along, y + size.height],
  ] as const)
    if (count > 0)
      for (const offset of offsets(count)) pen.fillRect(middleX + offset, from, thick, to - from);
}

export interface Drawn {
  readonly screen: ScreenInfo;
  readonly size: CellSize;
  /** CSS name of the font's family. */
  readonly family: string;
  /** False in the half of a blink in which what blinks is not seen. */
  readonly lit: boolean;
}

/** Whether the picture before can be kept but for the cells that changed. */
function sameFrame(a: Drawn, b: Drawn): boolean {
  return (
    a.screen.mode === b.screen.mode &&
    a.screen.columns === b.screen.columns &&
    a.screen.rows === b.screen.rows &&
    a.screen.height === b.screen.height &&
    a.screen.blink === b.screen.blink &&
    a.screen.colours.every((colour, i) => colour === b.screen.colours[i]) &&
    a.size.width === b.size.width &&
    a.size.height === b.size.height &&
    a.family === b.family
  );
}

/** Draws the screen over what was drawn before; null: over anything. */
export function drawScreen(context: CanvasRenderingContext2D, now: Drawn, before: Drawn | null): void {
  const { screen, size, family, lit } = now;
  const { columns, rows, cells, cursor } = screen;
  const { width, height } = size;
  const kept = before !== null && sameFrame(before, now) ? before : null;
  if (kept === null) {
    context.fillStyle = "#000000";
    context.fillRect(0, 0, columns * width, rows * height);
  }
  if (screen.mode !== "text") return;
  const colours = screen.colours.map((colour) => `#${colour.toString(16).padStart(6, "0")}`);
  context.globalAlpha = 1;
  // Letters as wide as the cell (the font's are 0.6 em) where their height allows it.
  context.font = `${Math.floor(Math.min(width / 0.62, height * 0.9))}px ${family}`;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  const baseline = Math.round(height * 0.77);
  const at = (where: ScreenInfo["cursor"]): number =>
    where === null ? -1 : where.row * columns + where.column;
  const cursorAt = at(cursor);
  const cursorWas = kept === null ? -1 : at(kept.screen.cursor);
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!;
    const { ink, paper, blinks: blinking } = attributeOf(cell >> 8, screen.blink);
    if (kept !== null && kept.screen.cells[i] === cell && i !== cursorAt && i !== cursorWas)
      if (!blinking || kept.lit === lit) continue;
    const x = (i % columns) * width;
    const y = Math.floor(i / columns) * height;
    context.fillStyle = colours[paper]!;
    context.fillRect(x, y, width, height);
    context.fillStyle = colours[ink]!;
    const code = cell & 0xff;
    const empty = code === 0 || code === 32 || code === 255 || (blinking && !lit);
    if (!empty && !drawJoined(context, code, x, y, size))
      context.fillText(GLYPHS[code]!, x + width / 2, y + baseline, width);
    if (i !== cursorAt || cursor === null || !lit) continue;
    const scale = height / Math.max(1, screen.height);
    const top = Math.floor(cursor.from * scale);
    context.fillRect(x, y + top, width, Math.max(1, Math.round((cursor.to + 1) * scale) - top));
  }
}
