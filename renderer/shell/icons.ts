/**
 * The few icons, as paths on a grid of 16, drawn with the text's colour.
 */
export const ICONS = {
  run: "M4.5 2.8v10.4L13 8z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  step: "M3 2.8v10.4L9.5 8zM11 3h2v10h-2z",
  target: "M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M8 4.5A3.5 3.5 0 1 1 8 11.5A3.5 3.5 0 1 1 8 4.5",
  reset: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  chevron: "M4.5 6.5L8 10l3.5-3.5",
  back: "M10 3.5L5.5 8l4.5 4.5",
  forward: "M6 3.5L10.5 8L6 12.5",
  close: "M4 4l8 8M12 4l-8 8",
  shield: "M8 1.8l5 1.9v4c0 3.2-2.2 5.4-5 6.5c-2.8-1.1-5-3.3-5-6.5v-4z",
  search: "M7 3a4 4 0 1 1 0 8a4 4 0 1 1 0-8M10 10l3.5 3.5",
  sun: "M8 5a3 3 0 1 1 0 6a3 3 0 1 1 0-6M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13",
  moon: "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z",
  help: "M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.6v.4M8 1.8a6.2 6.2 0 1 1 0 12.4a6.2 6.2 0 1 1 0-12.4",
  check: "M3.5 8.5l3 3l6-7",
} as const;
export type IconName = keyof typeof ICONS;
/** Icons that are filled rather than drawn. */
export const FILLED: ReadonlySet<IconName> = new Set(["run", "pause", "step"]);
