/**
 * `quadrant --self-check`: starts as always and ends as soon as the page has shown what the machine pushed, with exit
 * code 0 and one line; with 1 when that does not happen in time. For whoever packages or installs the application.
 */
import { app } from "electron";
import type { ClientMessage } from "../../core/lab/protocol/index.ts";

const PATIENCE_MS = 30_000;

/** The listener for the page's messages; it does nothing unless the switch is among `words`. */
export function selfCheck(words: readonly string[]): (message: ClientMessage) => void {
  if (!words.includes("--self-check")) return () => {};
  const timer = setTimeout(() => {
    console.error(`Quadrant ${app.getVersion()}: the page has not shown the machine within 30 s.`);
    app.exit(1);
  }, PATIENCE_MS);
  return (message) => {
    if (message.type !== "ack") return;
    clearTimeout(timer);
    console.log(`Quadrant ${app.getVersion()}: the page shows the machine.`);
    app.exit(0);
  };
}
