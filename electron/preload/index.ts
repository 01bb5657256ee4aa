/**
 * The desktop edition's bridge, exposed to the page as `window.quadrant`: the interface of renderer/bridge.ts and
 * nothing else. Runs sandboxed and isolated; it checks nothing, because main does.
 */
import { contextBridge, ipcRenderer } from "electron";
import type { HostMessage } from "../../core/lab/protocol/index.ts";
import type { Bridge, ChosenFile, OpenedFile, Unsubscribe } from "../../renderer/bridge.ts";
import { type Answer, CRASH, MENU, MESSAGE, POST, REQUEST } from "../main/channels.ts";
import type { AppRequest } from "../main/requests.ts";

function listen<T>(channel: string, listener: (value: T) => void): Unsubscribe {
  const heard = (_event: unknown, value: T) => listener(value);
  ipcRenderer.on(channel, heard);
  return () => {
    ipcRenderer.off(channel, heard);
  };
}

async function request<T>(what: AppRequest): Promise<T> {
  const answer = (await ipcRenderer.invoke(REQUEST, what)) as Answer;
  if (!answer.ok) throw new Error(answer.error);
  return answer.value as T;
}

const bridge: Bridge = {
  edition: "desktop",
  post: (message) => ipcRenderer.send(POST, message),
  onMessage: (listener) => listen<HostMessage>(MESSAGE, listener),
  onHostCrash: (listener) => listen<string>(CRASH, listener),
  restartHost: () => request<void>({ name: "restartHost" }),
  openImageFile: () => request<ChosenFile | null>({ name: "open", kind: "image" }),
  openMediumFile: () => request<ChosenFile | null>({ name: "open", kind: "medium" }),
  openMachineFile: () => request<OpenedFile | null>({ name: "open", kind: "machine" }),
  openScenarioFile: () => request<OpenedFile | null>({ name: "open", kind: "scenario" }),
  openLink: (url) => request<boolean>({ name: "link", url }),
  saveFile: (name, bytes) => request<boolean>({ name: "save", file: name, bytes: new Uint8Array(bytes) }),
  allowGdb: (port) => request<void>({ name: "gdb", port }),
  setMenu: (items) => {
    request<null>({ name: "menu", items: [...items] }).catch(console.error);
  },
  onMenuCommand: (listener) => listen<string>(MENU, listener),
};

contextBridge.exposeInMainWorld("quadrant", bridge);
