/**
 * The browser edition's bridge: the host runs in a Web Worker, files go through the page's own file input and a
 * download. The same interface as the desktop's preload script offers.
 */
import type { ClientMessage, HostMessage } from "../../core/lab/protocol/index.ts";
import type { Bridge, OpenedFile, Unsubscribe } from "../bridge.ts";

/** What the worker says beside HostMessages: that it is there. */
type WorkerMessage = { readonly type: "host-ready" } | HostMessage;

export function browserBridge(): Bridge {
  const messages = listeners<HostMessage>();
  const crashes = listeners<string>();
  let worker = startWorker();

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

  return {
    edition: "browser",
    post(message: ClientMessage, transfer: readonly ArrayBuffer[] = []) {
      worker.target.postMessage(message, [...transfer]);
    },
    onMessage: messages.add,
    onHostCrash: crashes.add,
    restartHost() {
      worker.target.terminate();
      worker = startWorker();
      return worker.ready;
    },
    openImageFile: () => chooseFile(""),
    openMachineFile: () => chooseFile(".quadrant"),
    openScenarioFile: () => chooseFile(".json,.jsonc"),
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

function chooseFile(accept: string): Promise<OpenedFile | null> {
  return new Promise((resolve, reject) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.oncancel = () => resolve(null);
    input.onchange = () => {
      const file = input.files?.[0];
      if (file === undefined) resolve(null);
      else
        file.arrayBuffer().then(
          (buffer) => resolve({ title: file.name, bytes: new Uint8Array(buffer) }),
          () => reject(new Error(`${file.name} could not be read`)),
        );
    };
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
