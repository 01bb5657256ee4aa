/**
 * The display's registers in words. Names: IBM PS/2 Hardware Interface Technical Reference, Video Subsystem.
 */
import type { Board } from "../../../devices/board.ts";
import { VGA_TEXT_ADDRESS } from "../../../devices/vga-text.ts";
import type { DevicePart } from "../../protocol/index.ts";
import { bits, fact, hex, register } from "./words.ts";

const CRTC = [
  "Horizontal total",
  "Horizontal display-enable end",
  "Start horizontal blanking",
  "End horizontal blanking",
  "Start horizontal retrace",
  "End horizontal retrace",
  "Vertical total",
  "Overflow",
  "Preset row scan",
  "Maximum scan line",
  "Cursor start",
  "Cursor end",
  "Start address high",
  "Start address low",
  "Cursor location high",
  "Cursor location low",
  "Vertical retrace start",
  "Vertical retrace end",
  "Vertical display-enable end",
  "Offset",
  "Underline location",
  "Start vertical blanking",
  "End vertical blanking",
  "CRT mode control",
  "Line compare",
];
const ATTRIBUTE = [
  "Attribute mode control",
  "Overscan colour",
  "Colour plane enable",
  "Horizontal PEL panning",
  "Colour select",
];
const SEQUENCER = ["Reset", "Clocking mode", "Map mask", "Character map select", "Memory mode"];
const GRAPHICS = [
  "Set/reset",
  "Enable set/reset",
  "Colour compare",
  "Data rotate",
  "Read map select",
  "Graphics mode",
  "Miscellaneous",
  "Colour don't care",
  "Bit mask",
];

export function vgaParts(board: Board): DevicePart[] {
  const { vga } = board;
  const { crtc, attributes, sequencer, graphics, indices } = vga.save();
  const { columns, rows, start, cursor, pitch, height } = vga.screen;
  const words: Readonly<Record<number, string>> = {
    1: `${columns} columns`,
    9: `${height} scan lines a character`,
    10: (crtc[10]! & 0x20) !== 0 ? "cursor off" : `cursor from scan line ${crtc[10]! & 31}`,
    11: `to scan line ${crtc[11]! & 31}`,
    13: `the screen begins at ${hex(VGA_TEXT_ADDRESS + start, 5)}`,
    15: cursor === null ? "not on the screen" : `column ${cursor.column}, row ${cursor.row}`,
    17: (crtc[0x11]! & 0x80) !== 0 ? "registers 0 to 7 are protected" : "",
    18: `${rows} rows`,
    19: `${pitch} bytes a row`,
  };
  const [crtcIndex, attributeIndex, sequencerIndex, graphicsIndex, miscellaneous, mask] = indices;
  return [
    {
      title: "CRT controller (3D4, 3D5)",
      registers: [
        register("Index", crtcIndex!, 2),
        ...CRTC.map((name, i) => register(`${hex(i, 2)} ${name}`, crtc[i]!, 2, words[i] ?? "")),
      ],
    },
    {
      title: "Attribute controller (3C0)",
      registers: [
        register(
          "Index",
          attributeIndex!,
          2,
          `${(attributeIndex! & 0x20) !== 0 ? "palette to the screen" : "palette to the processor: screen off"}; next write is ${indices[8] === 1 ? "data" : "the index"}`,
        ),
        fact("Palette", Array.from(attributes.subarray(0, 16), (entry) => hex(entry, 2)).join(" ")),
        ...ATTRIBUTE.map((name, i) =>
          register(
            `${hex(i + 16, 2)} ${name}`,
            attributes[i + 16]!,
            2,
            i === 0
              ? bits(
                  attributes[16]!,
                  {
                    0: "graphics",
                    1: "monochrome",
                    2: "line graphics",
                    3: "blinking",
                    7: "colour select for bits 4 and 5",
                  },
                  "text, bright backgrounds",
                )
              : "",
          ),
        ),
      ],
    },
    {
      title: "Sequencer (3C4, 3C5)",
      registers: [
        register("Index", sequencerIndex!, 2),
        ...SEQUENCER.map((name, i) =>
          register(
            `${hex(i, 2)} ${name}`,
            sequencer[i]!,
            2,
            i === 1
              ? bits(sequencer[1]!, { 0: "8-dot characters", 5: "screen off" }, "9-dot characters")
              : "",
          ),
        ),
      ],
    },
    {
      title: "Graphics controller (3CE, 3CF)",
      registers: [
        register("Index", graphicsIndex!, 2),
        ...GRAPHICS.map((name, i) => register(`${hex(i, 2)} ${name}`, graphics[i]!, 2)),
      ],
    },
    {
      title: "General and DAC",
      registers: [
        register("Miscellaneous output (3CC)", miscellaneous!, 2),
        register("PEL mask (3C6)", mask!, 2),
        fact("Colours", vga.colours.map((colour) => hex(colour, 6)).join(" ")),
      ],
    },
  ];
}

export function vgaSummary(board: Board): string {
  const { mode } = board.vga;
  if (mode !== "text") return mode === "off" ? "the screen is off" : "a graphics mode, which is not shown";
  const { columns, rows, cursor } = board.vga.screen;
  return `text, ${columns} × ${rows}; ${cursor === null ? "no cursor" : `cursor at column ${cursor.column}, row ${cursor.row}`}`;
}
