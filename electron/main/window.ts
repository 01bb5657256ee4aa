/**
 * The one window: sandboxed, without Node, dark or light from its first frame, and where the person left it.
 */
import { readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { app, BrowserWindow, dialog, nativeTheme, type Rectangle, screen } from "electron";
import * as v from "valibot";

const SMALLEST = { width: 800, height: 560 };
const FIRST = { width: 1440, height: 900 };

const whole = v.pipe(v.number(), v.integer());
const WindowState = v.strictObject({
  x: whole,
  y: whole,
  width: v.pipe(whole, v.minValue(SMALLEST.width)),
  height: v.pipe(whole, v.minValue(SMALLEST.height)),
  maximized: v.boolean(),
});
type WindowState = v.InferOutput<typeof WindowState>;

/** Renderer crashes within this many milliseconds of each other are not answered by loading the page again. */
const CRASH_PAUSE = 10_000;

export function createWindow(preload: string): BrowserWindow {
  const state = readState();
  const window = new BrowserWindow({
    ...(state === null ? FIRST : bounds(state)),
    minWidth: SMALLEST.width,
    minHeight: SMALLEST.height,
    show: false,
    title: "Quadrant",
    backgroundColor: nativeTheme.shouldUseDarkColors ? "#15181d" : "#f7f8fa",
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webviewTag: false,
      spellcheck: false,
      webSecurity: true,
      devTools: !app.isPackaged,
      // A guest at full speed goes on being shown when another window lies above this one.
      backgroundThrottling: false,
    },
  });
  if (state?.maximized === true) window.maximize();
  window.once("ready-to-show", () => window.show());
  rememberState(window);
  reloadAfterCrash(window);
  return window;
}

/** The page is a thin client: when its process ends, a new one shows the same machine. */
function reloadAfterCrash(window: BrowserWindow): void {
  let last = Number.NEGATIVE_INFINITY;
  window.webContents.on("render-process-gone", (_event, details) => {
    if (details.reason === "clean-exit" || window.isDestroyed()) return;
    const now = performance.now();
    const again = now - last < CRASH_PAUSE;
    last = now;
    if (!again) {
      window.reload();
      return;
    }
    const answer = dialog.showMessageBoxSync({
      type: "error",
      message: "The window's page ended twice in a short time.",
      detail: `Reason: ${details.reason}. The machine still runs; showing it again is safe.`,
      buttons: ["Show again", "Quit"],
      cancelId: 1,
    });
    if (answer === 0) window.reload();
    else app.quit();
  });
}

function stateFile(): string {
  return join(app.getPath("userData"), "window.json");
}

function readState(): WindowState | null {
  try {
    const result = v.safeParse(WindowState, JSON.parse(readFileSync(stateFile(), "utf8")));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

/** The remembered place, moved onto a display that exists now. */
function bounds(state: WindowState): Rectangle {
  const wanted = { x: state.x, y: state.y, width: state.width, height: state.height };
  const area = screen.getDisplayMatching(wanted).workArea;
  const width = Math.min(wanted.width, area.width);
  const height = Math.min(wanted.height, area.height);
  return {
    width,
    height,
    x: Math.max(area.x, Math.min(wanted.x, area.x + area.width - width)),
    y: Math.max(area.y, Math.min(wanted.y, area.y + area.height - height)),
  };
}

function rememberState(window: BrowserWindow): void {
  let timer: NodeJS.Timeout | null = null;
  let writing = Promise.resolve();
  const save = () => {
    timer = null;
    if (window.isDestroyed() || window.isMinimized()) return;
    const state: WindowState = { ...window.getNormalBounds(), maximized: window.isMaximized() };
    writing = writing.then(() => writeState(state));
  };
  const soon = () => {
    timer ??= setTimeout(save, 300);
  };
  window.on("resize", soon);
  window.on("move", soon);
  window.on("maximize", soon);
  window.on("unmaximize", soon);
  window.on("close", () => {
    if (timer !== null) clearTimeout(timer);
    save();
  });
}

async function writeState(state: WindowState): Promise<void> {
  const file = stateFile();
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(state));
    await rename(`${file}.new`, file);
  } catch (error) {
    console.error(`The window's place could not be remembered: ${String(error)}`);
  }
}
