/** The desktop's host: the lab in a worker thread, with Node's clock, the port to the main process, and gdb's door. */
import { parentPort } from "node:worker_threads";
import { Host, type HostPort } from "../../core/host/index.ts";
import { Lab } from "../../core/lab/lab.ts";
import { type GdbDoor, openDoor } from "../gdb/listen.ts";
import { type DoorAnswer, type DoorRequest, isAboutDoor } from "./door.ts";

if (parentPort === null) throw new Error("the host runs in a worker thread");
const thread = parentPort;
const lab = new Lab();
let door: GdbDoor | null = null;

const port: HostPort = {
  post: (message, transfer) => thread.postMessage(message, transfer),
  onmessage: null,
};
const host = new Host(
  lab,
  {
    port,
    // Comparable with the window's own clock: both count from the epoch.
    now: () => performance.timeOrigin + performance.now(),
    // The check phase follows the poll phase, which delivers the messages that wait.
    soon: (run) => void setImmediate(run),
    after: (ms, run) => void setTimeout(run, ms),
  },
  { look: () => door?.look() },
);

thread.on("message", (data: DoorRequest | { readonly type?: unknown }) => {
  if (isAboutDoor(data)) void move(data as DoorRequest);
  else port.onmessage?.(data);
});

async function move({ id, port: at }: DoorRequest): Promise<void> {
  let error: string | null = null;
  door?.close();
  door = null;
  try {
    // Somebody at the window may type what a guest waits for.
    if (at !== null)
      door = await openDoor(lab, { port: at, inputComes: true, touched: () => host.touched() });
  } catch (reason) {
    error = reason instanceof Error ? reason.message : String(reason);
  }
  thread.postMessage({ type: "gdb-door", id, error } satisfies DoorAnswer);
  host.touched();
}

host.start();
