/**
 * Where things stand in the table picture: bands of guest entries, each level with its shadow page's card, and the
 * frames beside them. Rows of a band and of its card have the same height, so that what belongs together lies on one
 * line. Pixels relative to the stage's upper left corner. Pure.
 */
import type { EntrySize } from "./quadrant.ts";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface BandLayout {
  /** The guest's cells. */
  readonly guest: Box;
  /** The shadow page's cells. */
  readonly shadow: Box;
  /** The card around them, head included. */
  readonly card: Box;
  /** Head line of the band, above the guest's cells. */
  readonly head: Box;
}

export interface Layout {
  /** Low stage: chips stand left of their bands instead of heads above them. */
  readonly compact: boolean;
  readonly width: number;
  readonly height: number;
  readonly guestColumns: number;
  readonly shadowColumns: number;
  readonly rowsPerBand: number;
  readonly guestCell: number;
  readonly shadowCell: number;
  readonly cellHeight: number;
  readonly bands: readonly BandLayout[];
  /** The column of frames, or null when there is no room. */
  readonly frames: Box | null;
}

export const HEAD = 26;
const CARD_PAD = 8;
const BAND_GAP = 12;
const MARGIN = 16;
const FRAMES = 148;
/** Room for a chip beside a band. */
const SIDE = 32;

/**
 * @param width,height the stage in pixels. @param quadrants 1, 2 or 4. @param perEntry sptes a guest entry has (1, 2)
 */
export function layoutOf(
  width: number,
  height: number,
  quadrants: number,
  entrySize: EntrySize,
  perEntry: number,
  top: number,
): Layout {
  const guestColumns = 32;
  const shadowColumns = 32 * perEntry;
  const entries = entrySize === 4 ? 1024 : 512;
  const rowsPerBand = entries / quadrants / guestColumns;
  const rows = rowsPerBand * quadrants;

  const most = entrySize === 8 ? 20 : 16;
  const roomy = top + MARGIN + quadrants * (HEAD + CARD_PAD) + (quadrants - 1) * BAND_GAP;
  const compact = (height - roomy) / rows < 6;
  const head = compact ? 4 : HEAD;
  const below = compact ? 4 : CARD_PAD;
  const between = compact ? 5 : BAND_GAP;
  const side = compact ? SIDE : 0;
  const fixed = compact ? top + 4 + quadrants * (head + below) + (quadrants - 1) * between : roomy;
  const cellHeight = Math.max(4, Math.min(most, Math.floor((height - fixed) / rows)));

  const withFrames = width >= 640;
  const leastGaps = withFrames ? 96 : 56;
  const room = width - 2 * MARGIN - 2 * CARD_PAD - 2 * side - leastGaps - (withFrames ? FRAMES : 0);
  // Two narrow sptes stand under one entry of a directory; together they may take more room than it.
  const share = perEntry === 2 ? 0.42 : 0.5;
  const guestCell = Math.max(5, Math.min(16, Math.floor((room * share) / guestColumns)));
  const shadowCell = Math.max(4, Math.min(16, Math.floor((room - guestCell * guestColumns) / shadowColumns)));
  const guestWidth = guestCell * guestColumns;
  const shadowWidth = shadowCell * shadowColumns;
  const spare =
    width - 2 * MARGIN - 2 * CARD_PAD - 2 * side - guestWidth - shadowWidth - (withFrames ? FRAMES : 0);
  const gap = Math.min(withFrames ? 132 : 110, Math.max(40, spare / (withFrames ? 2 : 1)));
  const used =
    2 * CARD_PAD +
    2 * side +
    guestWidth +
    shadowWidth +
    gap * (withFrames ? 2 : 1) +
    (withFrames ? FRAMES : 0);
  const left = Math.max(MARGIN, Math.floor((width - used) / 2)) + side;

  const bands: BandLayout[] = [];
  let y = top;
  const cardX = Math.round(left + guestWidth + gap);
  for (let q = 0; q < quadrants; q++) {
    const bandHeight = rowsPerBand * cellHeight;
    bands.push({
      head: { x: left - side, y, width: compact ? side : guestWidth, height: compact ? bandHeight : HEAD },
      guest: { x: left, y: y + head, width: guestWidth, height: bandHeight },
      card: {
        x: cardX,
        y,
        width: side + shadowWidth + 2 * CARD_PAD,
        height: head + bandHeight + below,
      },
      shadow: { x: cardX + CARD_PAD + side, y: y + head, width: shadowWidth, height: bandHeight },
    });
    y += head + bandHeight + below + between;
  }
  const total = Math.max(height, y - between + (compact ? 4 : MARGIN));
  const framesX = Math.round(cardX + side + shadowWidth + 2 * CARD_PAD + gap);
  return {
    width: Math.max(width, framesX + (withFrames ? FRAMES : 0)),
    height: total,
    compact,
    guestColumns,
    shadowColumns,
    rowsPerBand,
    guestCell,
    shadowCell,
    cellHeight,
    bands,
    frames: withFrames ? { x: framesX, y: top, width: FRAMES, height: y - between - top } : null,
  };
}

/** Middle of a cell's right or left edge in a grid's box. */
export function cellEdge(
  box: Box,
  index: number,
  columns: number,
  cellWidth: number,
  cellHeight: number,
  side: "left" | "right",
): { x: number; y: number } {
  const column = index % columns;
  return {
    x: box.x + column * cellWidth + (side === "right" ? cellWidth - 1 : 0),
    y: box.y + Math.floor(index / columns) * cellHeight + (cellHeight - 1) / 2,
  };
}

/** A curve from one point to another that leaves and arrives level. */
export function curve(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const bend = Math.max(24, Math.min(110, (to.x - from.x) / 2));
  const n = (value: number) => Math.round(value * 10) / 10;
  return `M${n(from.x)} ${n(from.y)}C${n(from.x + bend)} ${n(from.y)} ${n(to.x - bend)} ${n(to.y)} ${n(to.x)} ${n(to.y)}`;
}
