/**
 * The one door between the window and the main process. Every message is checked for its sender and its shape;
 * one that fits is forwarded to the host or carried out, one that does not is answered in words and changes nothing.
 */
import { type BrowserWindow, ipcMain, type WebFrameMain } from "electron";
import {
  type ClientMessage,
  fillFiles,
  type HostMessage,
  namesFiles,
  parseClientMessage,
} from "../../core/lab/protocol/index.ts";
import { type Answer, CRASH, MENU, MESSAGE, POST, REQUEST } from "./channels.ts";
import { openFile, readChosen, saveFile } from "./files.ts";
import type { HostProcess } from "./host.ts";
import { openLink } from "./link.ts";
import { setMenu } from "./menu.ts";
import { type AppRequest, parseAppRequest } from "./requests.ts";
import { isOwn } from "./safety.ts";

/** `seen` is told of every message of the page that was let through. */
export function connectIpc(
  window: BrowserWindow,
  host: HostProcess,
  seen: (message: ClientMessage) => void,
): void {
  const send = (channel: string, ...values: unknown[]): void => {
    if (!window.isDestroyed() && !window.webContents.isCrashed()) window.webContents.send(channel, ...values);
  };
  host.listen({
    message: (message) => send(MESSAGE, message),
    crashed: (reason) => send(CRASH, reason),
  });

  /** Only the window's own page may speak: not another frame, not another page. */
  const isOurs = (frame: WebFrameMain | null): boolean =>
    frame !== null && !window.isDestroyed() && frame === window.webContents.mainFrame && isOwn(frame.url);

  ipcMain.on(POST, (event, data: unknown) => {
    if (!isOurs(event.senderFrame)) return;
    const parsed = parseClientMessage(data);
    if (parsed.ok) {
      forward(parsed.message);
      seen(parsed.message);
    } else send(MESSAGE, refusal(data, parsed.error));
  });

  /** The last message whose files are still being read; later ones wait for it. */
  let reading: Promise<void> | null = null;

  /** To the host, with the bytes of the files that the message names. */
  function forward(message: ClientMessage): void {
    if (reading === null && !namesFiles(message)) {
      host.post(message);
      return;
    }
    const turn = (reading ?? Promise.resolve()).then(async () => {
      try {
        const filled = await fillFiles(message, readChosen);
        host.post(filled.message, filled.transfer);
      } catch (error) {
        send(MESSAGE, refusal(message, error instanceof Error ? error.message : String(error)));
      }
      if (reading === turn) reading = null;
    });
    reading = turn;
  }

  ipcMain.handle(REQUEST, async (event, data: unknown): Promise<Answer> => {
    if (!isOurs(event.senderFrame))
      return { ok: false, error: "only the application's own page is answered" };
    const parsed = parseAppRequest(data);
    if (!parsed.ok) return parsed;
    try {
      return { ok: true, value: await carryOut(parsed.request) };
    } catch (error) {
      return { ok: false, error: error instanceof Error ? error.message : String(error) };
    }
  });

  async function carryOut(request: AppRequest): Promise<Extract<Answer, { ok: true }>["value"]> {
    switch (request.name) {
      case "open":
        return openFile(window, request.kind);
      case "link":
        return openLink(window, request.url);
      case "save":
        return saveFile(window, request.file, request.bytes);
      case "menu":
        setMenu(request.items, (id) => send(MENU, id));
        return null;
      case "gdb":
        await host.moveDoor(request.port);
        return null;
      case "restartHost":
        host.start();
        return null;
    }
  }
}

/** A refused command that carries an id is answered under it, so that whoever waits for the answer gets one. */
function refusal(data: unknown, error: string): HostMessage {
  if (
    typeof data === "object" &&
    data !== null &&
    "type" in data &&
    data.type === "command" &&
    "id" in data
  ) {
    const { id } = data;
    if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0)
      return { type: "reply", id, ok: false, error };
  }
  return { type: "refused", error };
}
