/**
 * The desktop edition's entry: one instance, one window, one host. Everything that a page may not do is closed here
 * before the first page exists; everything it may do goes through ipc.ts.
 */
import { join } from "node:path";
import { app, BrowserWindow } from "electron";
import { HostProcess } from "./host.ts";
import { connectIpc } from "./ipc.ts";
import { setMenu } from "./menu.ts";
import { closeContents, closeSession } from "./safety.ts";
import { declareScheme, serveScheme } from "./scheme.ts";
import { selfCheck } from "./self-check.ts";
import { createWindow } from "./window.ts";

/** The built application: renderer/ and electron/ lie in it. */
const root = join(app.getAppPath(), "dist");

declareScheme();
app.on("session-created", closeSession);
app.on("web-contents-created", (_event, contents) => closeContents(contents));

if (!app.requestSingleInstanceLock()) app.quit();
else {
  // The two contradict each other, and Electron then ends in a loop; root has no other way than --no-sandbox.
  if (!app.commandLine.hasSwitch("no-sandbox")) app.enableSandbox();
  app.on("second-instance", () => {
    const window = BrowserWindow.getAllWindows()[0];
    if (window === undefined) return;
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
  });
  app.on("window-all-closed", () => app.quit());
  app.whenReady().then(start, (error: unknown) => {
    console.error(error);
    app.exit(1);
  });
}

async function start(): Promise<void> {
  serveScheme(join(root, "renderer"));
  const host = new HostProcess(join(root, "electron", "host.cjs"));
  const window = createWindow(join(root, "electron", "preload.cjs"));
  setMenu([], () => {});
  connectIpc(window, host, selfCheck(process.argv));
  host.start();
  app.on("will-quit", () => host.stop());
  await window.loadURL("quadrant://app/");
}
