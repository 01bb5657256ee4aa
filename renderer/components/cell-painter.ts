/**
 * Paints a grid of entries on a canvas: one small rectangle an entry, its fill by what the entry is, a glow that
 * fades where it changed, a red cross where the audit found fault. Colours come from the token file.
 */

/** What an entry is, as the picture tells it. */
export const CELL_EMPTY = 0;
export const CELL_READ_ONLY = 1;
export const CELL_WRITABLE = 2;
/** Maps a large page. */
export const CELL_LARGE = 3;
/** Not present but not zero: the guest's own notes, or an MMIO spte. */
export const CELL_NOT_PRESENT = 4;
/** An empty spte whose guest entry is present: the next access fills it. */
export const CELL_UNFILLED = 5;

const KINDS = 6;
const GLOW_STEPS = 16;

type Rgb = readonly [number, number, number];

function parseColour(text: string): Rgb {
  const hex = /^#([0-9a-f]{6}|[0-9a-f]{3})$/i.exec(text.trim());
  if (hex !== null) {
    // Builds shorten #ffffff to #fff.
    const n = Number.parseInt(hex[1]!.length === 3 ? hex[1]!.replace(/./g, "$&$&") : hex[1]!, 16);
    return [n >> 16, (n >> 8) & 255, n & 255];
  }
  const parts = /(\d+)[ ,]+(\d+)[ ,]+(\d+)/.exec(text);
  return parts === null ? [128, 128, 128] : [Number(parts[1]), Number(parts[2]), Number(parts[3])];
}

const mix = (a: Rgb, b: Rgb, part: number): Rgb => [
  a[0] * part + b[0] * (1 - part),
  a[1] * part + b[1] * (1 - part),
  a[2] * part + b[2] * (1 - part),
];
const css = (c: Rgb): string => `rgb(${Math.round(c[0])} ${Math.round(c[1])} ${Math.round(c[2])})`;

/** Fill colours of one hue: kind x glow step, and the marks' colours. */
export interface Palette {
  readonly fills: readonly string[];
  readonly mark: readonly string[];
  readonly bad: string;
}

/** Reads a palette for a token ("--q0", "--shadow") from an element's computed style. */
export function readPalette(element: Element, hueToken: string): Palette {
  const style = getComputedStyle(element);
  const token = (name: string) => parseColour(style.getPropertyValue(name));
  const hue = token(hueToken);
  const panel = token("--panel");
  const hot = token("--hot");
  const light = panel[0] + panel[1] + panel[2] > 384;
  const base: Rgb[] = [
    mix(hue, panel, light ? 0.1 : 0.13),
    mix(hue, panel, light ? 0.42 : 0.45),
    mix(hue, panel, light ? 0.82 : 0.86),
    mix(hue, panel, light ? 0.82 : 0.86),
    mix(hue, panel, light ? 0.1 : 0.13),
    mix(hue, panel, light ? 0.1 : 0.13),
  ];
  const fills: string[] = [];
  for (let kind = 0; kind < KINDS; kind++)
    for (let step = 0; step <= GLOW_STEPS; step++)
      fills.push(css(mix(hot, base[kind]!, (step / GLOW_STEPS) * 0.95)));
  const strong = css(mix(hue, panel, 0.9));
  const soft = css(mix(hue, panel, light ? 0.5 : 0.55));
  const inner = css(mix(hue, panel, light ? 0.2 : 0.25));
  return { fills, mark: ["", "", "", inner, strong, soft], bad: css(token("--bad")) };
}

export interface GridShape {
  readonly columns: number;
  readonly rows: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

/**
 * Draws the cells whose look differs from what was drawn last. `glow` holds 0 … 1 a cell; `drawn` remembers the looks:
 * fill it with NOT_DRAWN to have everything painted.
 */
export function paintCells(
  context: CanvasRenderingContext2D,
  shape: GridShape,
  kinds: Uint8Array,
  glow: Float32Array,
  bad: ReadonlySet<number>,
  palette: Palette,
  drawn: Uint16Array,
): void {
  const { columns, rows, cellWidth, cellHeight } = shape;
  const w = cellWidth - 1;
  const h = cellHeight - 1;
  const count = Math.min(columns * rows, kinds.length);
  for (let i = 0; i < count; i++) {
    const kind = kinds[i]!;
    const fill = kind * (GLOW_STEPS + 1) + Math.round(glow[i]! * GLOW_STEPS);
    const wrong = bad.size > 0 && bad.has(i);
    const look = wrong ? fill | BAD_LOOK : fill;
    if (drawn[i] === look) continue;
    drawn[i] = look;
    const x = (i % columns) * cellWidth;
    const y = Math.floor(i / columns) * cellHeight;
    context.clearRect(x, y, cellWidth, cellHeight);
    context.fillStyle = palette.fills[fill]!;
    context.fillRect(x, y, w, h);
    if (kind === CELL_LARGE) {
      context.fillStyle = palette.mark[kind]!;
      context.fillRect(x + 2, y + 2, Math.max(1, w - 4), Math.max(1, h - 4));
    } else if (kind === CELL_NOT_PRESENT || kind === CELL_UNFILLED) {
      const size = Math.max(2, Math.min(w, h) >> 1);
      context.fillStyle = palette.mark[kind]!;
      context.fillRect(x + ((w - size) >> 1), y + ((h - size) >> 1), size, size);
    }
    if (wrong) {
      context.strokeStyle = palette.bad;
      context.lineWidth = 1.5;
      context.strokeRect(x + 0.75, y + 0.75, w - 1.5, h - 1.5);
      context.beginPath();
      context.moveTo(x + 1, y + 1);
      context.lineTo(x + w - 1, y + h - 1);
      context.moveTo(x + w - 1, y + 1);
      context.lineTo(x + 1, y + h - 1);
      context.stroke();
    }
  }
}

/** A look that no cell has. */
export const NOT_DRAWN = 0xffff;
const BAD_LOOK = 0x400;

/** A cell stays lit this long before it fades, so that one that keeps changing is not painted again and again. */
const LIT_MS = 200;
/** Fading cells are painted anew this often: a glow has few steps, and an eye sees no more of them. */
const FADE_STEP_MS = 40;

/** Glows of a grid's cells: set to 1 when a cell changed, fading to 0. */
export class Glows {
  readonly values: Float32Array;
  private readonly since: Float64Array;
  private alive = false;

  constructor(count: number) {
    this.values = new Float32Array(count);
    this.since = new Float64Array(count);
  }

  /** Lights the cells whose flag is not 0. */
  light(changed: ArrayLike<number>, now: number): void {
    for (let i = 0; i < this.values.length; i++) {
      if (!changed[i]) continue;
      this.since[i] = now;
      this.values[i] = 1;
      this.alive = true;
    }
  }

  clear(): void {
    this.values.fill(0);
    this.alive = false;
  }

  /**
   * Brings the values to `now`; answers in how many milliseconds some glow will look different, or -1 when none will.
   * @param fade how long a glow fades, in milliseconds; 0 keeps it
   */
  fade(now: number, fade: number): number {
    if (!this.alive || fade === 0) return -1;
    let next = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.values.length; i++) {
      if (this.values[i] === 0) continue;
      const lit = LIT_MS - (now - this.since[i]!);
      if (lit > 0) {
        next = Math.min(next, lit);
        continue;
      }
      const left = Math.max(0, 1 + lit / fade);
      this.values[i] = left * left;
      if (left > 0) next = Math.min(next, FADE_STEP_MS);
    }
    this.alive = next !== Number.POSITIVE_INFINITY;
    return this.alive ? next : -1;
  }
}
