/**
 * The host's worker thread as the main process sees it: started, sent to, ended, and when it ends by itself,
 * reported with what is known of why. It holds the machine; main holds nothing of it.
 */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { ClientMessage, HostMessage } from "../../core/lab/protocol/index.ts";
import { type DoorAnswer, type DoorRequest, isAboutDoor } from "../host/door.ts";

export interface HostListener {
  message(message: HostMessage): void;
  crashed(reason: string): void;
}

export class HostProcess {
  private worker: Worker | null = null;
  private readonly file: string;
  /** Why the last worker ended by itself, while no other was started: a page that comes later has to hear of it. */
  private crash: string | null = null;
  private listener: HostListener = { message() {}, crashed() {} };
  /** Who waits for an answer about gdb's door, by the request's id. */
  private readonly atDoor = new Map<number, (error: string | null) => void>();
  private requests = 0;

  /** `file`: the bundled worker, CommonJS. */
  constructor(file: string) {
    this.file = file;
  }

  listen(listener: HostListener): void {
    this.listener = listener;
  }

  start(): void {
    this.stop();
    this.crash = null;
    // Read here, not by the worker: inside a packaged application the file lies in an archive that only main reads.
    const worker = new Worker(readFileSync(this.file, "utf8"), { eval: true, name: "machine" });
    this.worker = worker;
    worker.on("message", (message: HostMessage | DoorAnswer) => {
      if (worker !== this.worker) return;
      if (isAboutDoor(message)) this.answered(message as DoorAnswer);
      else this.listener.message(message as HostMessage);
    });
    let cause = "";
    worker.on("error", (error) => {
      cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    worker.on("exit", (code) => {
      if (worker !== this.worker) return;
      this.worker = null;
      this.deserted();
      this.crash = cause === "" ? `the worker ended with code ${code}` : cause;
      this.listener.crashed(this.crash);
    });
  }

  get running(): boolean {
    return this.worker !== null;
  }

  /** Forwards a validated message; `transfer` are buffers that nobody here uses again. Without a worker nothing answers but the reason, told again to a page that begins. */
  post(message: ClientMessage, transfer: readonly ArrayBuffer[] = []): void {
    if (this.worker !== null) this.worker.postMessage(message, transfer);
    else if (message.type === "hello" && this.crash !== null) this.listener.crashed(this.crash);
  }

  /** Opens the door for gdb at a port (0: any), or shuts it (null). Rejects with a sentence. */
  moveDoor(port: number | null): Promise<void> {
    const { worker } = this;
    if (worker === null)
      return Promise.reject(new Error("the machine's host has ended; start it again first"));
    const id = this.requests++;
    return new Promise((resolve, reject) => {
      this.atDoor.set(id, (error) => (error === null ? resolve() : reject(new Error(error))));
      worker.postMessage({ type: "gdb-door", id, port } satisfies DoorRequest);
    });
  }

  private answered({ id, error }: DoorAnswer): void {
    this.atDoor.get(id)?.(error);
    this.atDoor.delete(id);
  }

  private deserted(): void {
    for (const answer of this.atDoor.values()) answer("the machine's host ended before it answered");
    this.atDoor.clear();
  }

  stop(): void {
    const worker = this.worker;
    this.worker = null;
    this.deserted();
    void worker?.terminate();
  }
}
