/**
 * Links of a scenario's text: the one way out of the application, and only with a person's yes. The address is shown
 * whole, and the person's own browser opens it.
 */
import { type BrowserWindow, dialog, shell } from "electron";

/** True when it was opened. `url` was checked to be https. */
export async function openLink(window: BrowserWindow, url: string): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: "question",
    message: "Open this address in your browser?",
    detail: url,
    buttons: ["Open", "Cancel"],
    defaultId: 1,
    cancelId: 1,
    noLink: true,
  });
  if (response !== 0) return false;
  await shell.openExternal(url);
  return true;
}
