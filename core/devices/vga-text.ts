/**
 * The registers of a VGA in text mode: CRT controller (with the cursor), attribute controller, sequencer, graphics
 * controller, palette. The text itself is memory at B8000, which a view reads; no picture is drawn here, and graphics modes
 * are not shown. Source: IBM PS/2 Hardware Interface Technical Reference, Video Subsystem.
 */
import { type Clock, UNITS_PER_SECOND } from "./clock.ts";
import type { PortDevice } from "./port-bus.ts";

export const VGA_PORT = 0x3c0;
export const VGA_PORTS = 0x20;
export const VGA_TEXT_ADDRESS = 0xb8000;
export const VGA_TEXT_BYTES = 0x8000;

/** Offsets from 0x3c0. */
const ATTRIBUTE = 0x00;
const ATTRIBUTE_READ = 0x01;
const MISCELLANEOUS_WRITE = 0x02;
const SEQUENCER_INDEX = 0x04;
const SEQUENCER_DATA = 0x05;
const DAC_MASK = 0x06;
const DAC_READ = 0x07;
const DAC_WRITE = 0x08;
const DAC_DATA = 0x09;
const MISCELLANEOUS_READ = 0x0c;
const GRAPHICS_INDEX = 0x0e;
const GRAPHICS_DATA = 0x0f;
const CRTC_INDEX = 0x14;
const CRTC_DATA = 0x15;
const STATUS_1 = 0x1a;

/** CRT controller in mode 3: 80 x 25. */
const MODE_3_CRTC = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
  0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const MODE_3_ATTRIBUTES = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00,
  0x0f, 0x08, 0x00,
];

export interface VgaState {
  readonly crtc: Uint8Array;
  readonly attributes: Uint8Array;
  readonly sequencer: Uint8Array;
  readonly graphics: Uint8Array;
  readonly palette: Uint8Array;
  /** crtc, attribute, sequencer, graphics index; miscellaneous; DAC mask, read and write position; flip-flop. */
  readonly indices: Uint16Array;
}

/** Where the cursor stands and what it looks like. */
export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  /** Byte offset of the first character in the text memory. */
  readonly start: number;
  /** Bytes from one row to the next. */
  readonly pitch: number;
  /** Scan lines of a character. */
  readonly height: number;
  /** Column and row of the cursor, or null when it is off or elsewhere. */
  readonly cursor: { readonly column: number; readonly row: number } | null;
  /** Scan lines of a character that the cursor covers. */
  readonly cursorStart: number;
  readonly cursorEnd: number;
  /** Bit 7 of an attribute blinks, else it is the background's intensity. */
  readonly blink: boolean;
}

/**
 * The DAC as the display's firmware leaves it in mode 3: the 64 colours of the EGA, two bits (42 and 21 of 63) a
 * primary, then black.
 */
function egaColours(): Uint8Array {
  const palette = new Uint8Array(768);
  for (let i = 0; i < 64; i++)
    for (let primary = 0; primary < 3; primary++)
      palette[i * 3 + primary] = 42 * ((i >> (2 - primary)) & 1) + 21 * ((i >> (5 - primary)) & 1);
  return palette;
}

export class VgaText implements PortDevice {
  private readonly crtc = Uint8Array.from(MODE_3_CRTC);
  private readonly attributes = Uint8Array.from(MODE_3_ATTRIBUTES);
  private readonly sequencer = Uint8Array.of(3, 0, 3, 0, 2, 0, 0, 0);
  private readonly graphics = Uint8Array.of(0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff);
  private readonly palette = egaColours();
  private crtcIndex = 0;
  private attributeIndex = 0x20;
  private attributeData = false;
  private sequencerIndex = 0;
  private graphicsIndex = 0;
  private miscellaneous = 0x67;
  private dacMask = 0xff;
  private dacRead = 0;
  private dacWrite = 0;

  constructor(private readonly clock: Clock) {}

  get screen(): TextScreen {
    const { crtc } = this;
    const columns = crtc[1]! + 1;
    const height = (crtc[9]! & 31) + 1;
    const lines = (crtc[0x12]! | ((crtc[7]! & 2) << 7) | ((crtc[7]! & 0x40) << 3)) + 1;
    const rows = Math.max(1, Math.floor(lines / height));
    const start = (crtc[12]! << 8) | crtc[13]!;
    // The offset register counts words of two characters; 0 is no pitch at all.
    const across = crtc[0x13]! * 2 || columns;
    const at = ((crtc[14]! << 8) | crtc[15]!) - start;
    const seen = (crtc[10]! & 0x20) === 0 && at >= 0 && at < across * rows && at % across < columns;
    return {
      columns,
      rows,
      start: start * 2,
      pitch: across * 2,
      height,
      cursor: seen ? { column: at % across, row: Math.floor(at / across) } : null,
      cursorStart: crtc[10]! & 31,
      cursorEnd: crtc[11]! & 31,
      blink: (this.attributes[16]! & 8) !== 0,
    };
  }

  /** What the registers make of the picture. */
  get mode(): "text" | "graphics" | "off" {
    // Turned off by the sequencer (clocking mode), or while the processor has the attribute controller's palette.
    if ((this.sequencer[1]! & 0x20) !== 0 || (this.attributeIndex & 0x20) === 0) return "off";
    return ((this.graphics[6]! | this.attributes[16]!) & 1) === 0 ? "text" : "graphics";
  }

  /** The colours of an attribute's 16 values as 0xRRGGBB: through the palette registers, colour select and the DAC. */
  get colours(): number[] {
    const { attributes, palette } = this;
    const select = attributes[20]!;
    return Array.from({ length: 16 }, (_, value) => {
      let entry = attributes[value & attributes[18]!]! & 0x3f;
      if ((attributes[16]! & 0x80) !== 0) entry = (entry & 15) | ((select & 3) << 4);
      entry = (entry | ((select & 12) << 4)) & this.dacMask;
      const wide = (at: number): number => (palette[at]! << 2) | (palette[at]! >> 4);
      return (wide(entry * 3) << 16) | (wide(entry * 3 + 1) << 8) | wide(entry * 3 + 2);
    });
  }

  readPort(offset: number): number {
    switch (offset) {
      case ATTRIBUTE:
        return this.attributeIndex;
      case ATTRIBUTE_READ:
        return this.attributes[this.attributeIndex & 31] ?? 0;
      case SEQUENCER_INDEX:
        return this.sequencerIndex;
      case SEQUENCER_DATA:
        return this.sequencer[this.sequencerIndex & 7]!;
      case DAC_MASK:
        return this.dacMask;
      case DAC_READ:
        return 3;
      case DAC_WRITE:
        return Math.floor(this.dacWrite / 3);
      case DAC_DATA: {
        const value = this.palette[this.dacRead]!;
        this.dacRead = (this.dacRead + 1) % 768;
        return value;
      }
      case MISCELLANEOUS_READ:
        return this.miscellaneous;
      case GRAPHICS_INDEX:
        return this.graphicsIndex;
      case GRAPHICS_DATA:
        return this.graphics[this.graphicsIndex] ?? 0;
      case CRTC_INDEX:
        return this.crtcIndex;
      case CRTC_DATA:
        return this.crtc[this.crtcIndex] ?? 0;
      case STATUS_1:
        this.attributeData = false;
        return this.retrace();
      default:
        return 0xff;
    }
  }

  /** Input status 1: bit 3 in vertical retrace (70 times a second), bit 0 while nothing is shown. */
  private retrace(): number {
    const into = (this.clock.time * 70) % UNITS_PER_SECOND;
    if (into >= UNITS_PER_SECOND * 0.91) return 0x09;
    const line = (this.clock.time * 31_469) % UNITS_PER_SECOND;
    return line >= UNITS_PER_SECOND * 0.8 ? 0x01 : 0x00;
  }

  writePort(offset: number, value: number): void {
    switch (offset) {
      case ATTRIBUTE:
        if (this.attributeData) this.attributes[this.attributeIndex & 31] = value;
        else this.attributeIndex = value & 0x3f;
        this.attributeData = !this.attributeData;
        return;
      case MISCELLANEOUS_WRITE:
        this.miscellaneous = value;
        return;
      case SEQUENCER_INDEX:
        this.sequencerIndex = value & 7;
        return;
      case SEQUENCER_DATA:
        this.sequencer[this.sequencerIndex] = value;
        return;
      case DAC_MASK:
        this.dacMask = value;
        return;
      case DAC_READ:
        this.dacRead = value * 3;
        return;
      case DAC_WRITE:
        this.dacWrite = value * 3;
        return;
      case DAC_DATA:
        this.palette[this.dacWrite] = value & 63;
        this.dacWrite = (this.dacWrite + 1) % 768;
        return;
      case GRAPHICS_INDEX:
        this.graphicsIndex = value & 15;
        return;
      case GRAPHICS_DATA:
        this.graphics[this.graphicsIndex] = value;
        return;
      case CRTC_INDEX:
        this.crtcIndex = value & 31;
        return;
      case CRTC_DATA:
        // Registers 0 to 7 are protected by bit 7 of register 0x11, but for bit 4 of 7.
        if (this.crtcIndex < 7 && (this.crtc[0x11]! & 0x80) !== 0) return;
        if (this.crtcIndex === 7 && (this.crtc[0x11]! & 0x80) !== 0)
          this.crtc[7] = (this.crtc[7]! & ~0x10) | (value & 0x10);
        else this.crtc[this.crtcIndex] = value;
        return;
      default:
    }
  }

  save(): VgaState {
    return {
      crtc: this.crtc.slice(),
      attributes: this.attributes.slice(),
      sequencer: this.sequencer.slice(),
      graphics: this.graphics.slice(),
      palette: this.palette.slice(),
      indices: Uint16Array.of(
        this.crtcIndex,
        this.attributeIndex,
        this.sequencerIndex,
        this.graphicsIndex,
        this.miscellaneous,
        this.dacMask,
        this.dacRead,
        this.dacWrite,
        this.attributeData ? 1 : 0,
      ),
    };
  }

  load(state: VgaState): void {
    this.crtc.set(state.crtc);
    this.attributes.set(state.attributes);
    this.sequencer.set(state.sequencer);
    this.graphics.set(state.graphics);
    this.palette.set(state.palette);
    const i = state.indices;
    this.crtcIndex = i[0]!;
    this.attributeIndex = i[1]!;
    this.sequencerIndex = i[2]!;
    this.graphicsIndex = i[3]!;
    this.miscellaneous = i[4]!;
    this.dacMask = i[5]!;
    this.dacRead = i[6]!;
    this.dacWrite = i[7]!;
    this.attributeData = i[8] === 1;
  }
}
