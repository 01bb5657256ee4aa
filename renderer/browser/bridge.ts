/**
 * The browser edition's bridge: the host runs in a Web Worker, files go through the page's own file input and a
 * download. The same interface as the desktop's preload script offers.
 */
import {
  type ClientMessage,
  fillFiles,
  type HostMessage,
  namesFiles,
} from "../../core/lab/protocol/index.ts";
import type { Bridge, ChosenFile, OpenedFile, Unsubscribe } from "../bridge.ts";

/** What the worker says beside HostMessages: that it is there. */
type WorkerMessage = { readonly type: "host-ready" } | HostMessage;

export function browserBridge(): Bridge {
  const messages = listeners<HostMessage>();
  const crashes = listeners<string>();
  let worker = startWorker();
  /** Files that were chosen, by their numbers from 1. The browser holds their bytes on disk until they are read. */
  const chosen: File[] = [];
  /** The last message whose files are still being read; later ones wait for it. */
  let reading: Promise<void> | null = null;

  function startWorker(): { target: Worker; ready: Promise<void> } {
    const target = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "machine" });
    const ready = new Promise<void>((resolve) => {
      target.onmessage = (event: MessageEvent<WorkerMessage>) => {
        if (event.data.type === "host-ready") resolve();
        else messages.tell(event.data);
      };
      target.onerror = (event) => {
        event.preventDefault();
        fail(target, event.message || "the worker could not be started");
      };
    });
    return { target, ready };
  }

  function fail(target: Worker, reason: string): void {
    target.terminate();
    if (target === worker.target) crashes.tell(reason);
  }

  async function choose(): Promise<ChosenFile | null> {
    const file = await chooseFile("");
    if (file === null) return null;
    if (file.size > LARGEST)
      throw new Error(`${file.name} has ${file.size} bytes; at most ${LARGEST} can be opened`);
    return { title: file.name, size: file.size, file: chosen.push(file) };
  }

  return {
    edition: "browser",
    post(message: ClientMessage, transfer: readonly ArrayBuffer[] = []) {
      if (reading === null && !namesFiles(message)) {
        worker.target.postMessage(message, [...transfer]);
        return;
      }
      const turn = (reading ?? Promise.resolve()).then(async () => {
        try {
          const filled = await fillFiles(message, (file) => readFile(chosen[file - 1]));
          worker.target.postMessage(filled.message, [...transfer, ...filled.transfer]);
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error);
          if (message.type === "command")
            messages.tell({ type: "reply", id: message.id, ok: false, error: text });
        }
        if (reading === turn) reading = null;
      });
      reading = turn;
    },
    onMessage: messages.add,
    onHostCrash: crashes.add,
    restartHost() {
      worker.target.terminate();
      worker = startWorker();
      return worker.ready;
    },
    openImageFile: choose,
    openMediumFile: choose,
    openMachineFile: () => openFile(".quadrant"),
    openScenarioFile: () => openFile(".json,.jsonc"),
    openLink(url) {
      const wanted = window.confirm(`Open this address in a new tab?\n\n${url}`);
      if (wanted) window.open(url, "_blank", "noopener,noreferrer");
      return Promise.resolve(wanted);
    },
    saveFile: (name, bytes) => download(name, bytes),
    allowGdb: () =>
      Promise.reject(new Error("gdb needs the desktop edition or the command line: a page has no sockets.")),
    setMenu() {},
    onMenuCommand: () => () => {},
  };
}

function listeners<T>() {
  const all = new Set<(value: T) => void>();
  return {
    add(listener: (value: T) => void): Unsubscribe {
      all.add(listener);
      return () => all.delete(listener);
    },
    tell(value: T): void {
      for (const listener of [...all]) listener(value);
    },
  };
}

/** Largest file that is opened: a disk of 2 GiB. */
const LARGEST = 2 ** 31;
const CHUNK = 1 << 26;

/** Reads piece by piece: a browser refuses to read 2 GiB at once. @throws with a sentence */
async function readFile(file: File | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (file === undefined) throw new Error("this file is not open any more; choose it again");
  try {
    const bytes = new Uint8Array(file.size);
    for (let at = 0; at < file.size; at += CHUNK)
      bytes.set(new Uint8Array(await file.slice(at, at + CHUNK).arrayBuffer()), at);
    return bytes;
  } catch (error) {
    const why = error instanceof RangeError ? "there is not enough memory for it" : "it may have changed";
    throw new Error(`${file.name} could not be read: ${why}`);
  }
}

async function openFile(accept: string): Promise<OpenedFile | null> {
  const file = await chooseFile(accept);
  return file === null ? null : { title: file.name, bytes: await readFile(file) };
}

function chooseFile(accept: string): Promise<File | null> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.oncancel = () => resolve(null);
    input.onchange = () => resolve(input.files?.[0] ?? null);
    input.click();
  });
}

function download(name: string, bytes: Uint8Array): Promise<boolean> {
  const copy = new Uint8Array(bytes);
  const url = URL.createObjectURL(new Blob([copy], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the blob after this turn; the address may go once it has.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return Promise.resolve(true);
}
