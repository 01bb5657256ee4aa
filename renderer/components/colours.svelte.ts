/**
 * The colours that canvases need, read from the token file once a theme: asking an element for its computed style in
 * the middle of an update makes the browser lay the page out there and then.
 */
import { type Palette, readPalette } from "./cell-painter.ts";

let themes = $state(0);
let watching = false;
let fade: number | null = null;
const palettes = new Map<string, Palette>();

function watch(): void {
  if (watching) return;
  watching = true;
  const again = () => {
    palettes.clear();
    fade = null;
    themes++;
  };
  new MutationObserver(again).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme"],
  });
  for (const query of ["(prefers-color-scheme: light)", "(prefers-reduced-motion: reduce)"])
    window.matchMedia(query).addEventListener("change", again);
}

/** Reactive: another number when the theme changed, so that everything is painted again. */
export function theme(): number {
  watch();
  return themes;
}

/** The palette of a token ("--q0", "--shadow"). */
export function paletteOf(token: string): Palette {
  let palette = palettes.get(token);
  if (palette === undefined) {
    palette = readPalette(document.documentElement, token);
    palettes.set(token, palette);
  }
  return palette;
}

/** Milliseconds in which what changed fades; 0 when it is to stay. */
export function fadeTime(): number {
  if (fade === null) {
    const style = getComputedStyle(document.documentElement);
    const milliseconds = Number.parseFloat(style.getPropertyValue("--fade"));
    fade = Number.isFinite(milliseconds) ? milliseconds : 900;
  }
  return fade;
}
