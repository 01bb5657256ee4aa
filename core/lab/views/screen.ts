/**
 * The screen view: what a VGA in text mode would show of a PC. Text and attributes are read from the frames behind B8000,
 * everything else from the display's registers; it is looked at anew only where one of them was written.
 */
import { VGA_TEXT_ADDRESS, VGA_TEXT_BYTES, type VgaText } from "../../devices/vga-text.ts";
import { PAGE_SIZE } from "../../memory/host-memory.ts";
import type { LabContext } from "../context.ts";
import type { ScreenInfo, ScreenView } from "../protocol/index.ts";
import type { View } from "./view.ts";

const FIRST_GFN = VGA_TEXT_ADDRESS / PAGE_SIZE;
const PAGES = VGA_TEXT_BYTES / PAGE_SIZE;
/** Characters that the text memory holds. */
const CELLS_MOST = VGA_TEXT_BYTES / 2;

export function openScreen(lab: LabContext): View {
  return new Screen(lab);
}

class Screen implements View {
  private machine: object | null = null;
  private seen = 0;
  private told = "";
  private cells = new Uint16Array(0);

  constructor(private readonly lab: LabContext) {}

  collect(): ScreenView | null {
    const { lab } = this;
    const { pc } = lab.machine;
    const same = this.machine === lab.machine;
    this.machine = lab.machine;
    if (pc === null) return same ? null : { kind: "screen", screen: null };
    const { vga, keyboard } = pc.board;
    const { scanning, leds } = keyboard.save();
    const frame = { ...frameOf(vga), waiting: keyboard.waiting, leds, scanning };
    const said = JSON.stringify(frame);
    const written = this.written();
    if (same && !written && said === this.told) return null;
    this.seen = lab.memory.epoch;
    const cells = this.read(frame.columns, frame.rows, vga.screen);
    const changed = !same || said !== this.told || cells.some((cell, i) => cell !== this.cells[i]);
    this.told = said;
    this.cells = cells;
    return changed ? { kind: "screen", screen: { ...frame, cells: cells.slice() } } : null;
  }

  private written(): boolean {
    const { memory, slots } = this.lab;
    for (let page = 0; page < PAGES; page++) {
      const hfn = slots.hfnOf(FIRST_GFN + page);
      if (hfn >= 0 && memory.version[hfn]! > this.seen) return true;
    }
    return false;
  }

  /** The characters on the screen. The address wraps at the end of the text memory. */
  private read(columns: number, rows: number, { start, pitch }: { start: number; pitch: number }) {
    const { memory, slots } = this.lab;
    const frames = Array.from({ length: PAGES }, (_, page) => slots.hfnOf(FIRST_GFN + page));
    const cells = new Uint16Array(columns * rows);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const at = (start + row * pitch + column * 2) % VGA_TEXT_BYTES;
        const hfn = frames[at >>> 12]!;
        cells[row * columns + column] = hfn < 0 ? 0 : memory.u16[(hfn * PAGE_SIZE + (at & 0xfff)) >>> 1]!;
      }
    return cells;
  }
}

function frameOf(vga: VgaText): Omit<ScreenInfo, "cells" | "waiting" | "leds" | "scanning"> {
  const { columns, rows, height, cursor, cursorStart, cursorEnd, blink } = vga.screen;
  const shown = Math.min(rows, Math.floor(CELLS_MOST / columns));
  const covers = cursor !== null && cursor.row < shown && cursorStart <= cursorEnd && cursorStart < height;
  return {
    mode: vga.mode,
    columns,
    rows: shown,
    height,
    cursor: covers ? { ...cursor, from: cursorStart, to: Math.min(cursorEnd, height - 1) } : null,
    blink,
    colours: vga.colours,
  };
}
