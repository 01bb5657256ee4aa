/**
 * Code page 437, which a PC's display has in its ROM, as Unicode; and the screen as lines of text.
 * Source: IBM's code page 00437 with the graphic characters below 20 (Unicode's MICSFT/PC/CP437.TXT and GRAPHICS.TXT).
 */

const LOW = "\u00a0☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const HIGH =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** The glyph of each of the 256 codes. */
export const GLYPHS: readonly string[] = [
  ...LOW,
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)),
  "⌂",
  ...HIGH,
];

export interface TextCells {
  readonly columns: number;
  readonly rows: number;
  readonly cells: Uint16Array;
}

/** The screen's lines without the blanks at their ends. */
export function linesOf({ columns, rows, cells }: TextCells): string[] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from(cells.subarray(row * columns, (row + 1) * columns), (cell) => GLYPHS[cell & 0xff] ?? " ")
      .join("")
      .replaceAll("\u00a0", " ")
      .trimEnd(),
  );
}
