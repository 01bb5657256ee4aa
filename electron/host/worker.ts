/** The desktop's host: the lab in a worker thread, with Node's clock and the port to the main process. */
import { parentPort } from "node:worker_threads";
import { Host, type HostPort } from "../../core/host/index.ts";
import { Lab } from "../../core/lab/lab.ts";

if (parentPort === null) throw new Error("the host runs in a worker thread");
const thread = parentPort;

const port: HostPort = {
  post: (message, transfer) => thread.postMessage(message, transfer),
  onmessage: null,
};
thread.on("message", (data: unknown) => port.onmessage?.(data));

new Host(new Lab(), {
  port,
  // Comparable with the window's own clock: both count from the epoch.
  now: () => performance.timeOrigin + performance.now(),
  // The check phase follows the poll phase, which delivers the messages that wait.
  soon: (run) => void setImmediate(run),
  after: (ms, run) => void setTimeout(run, ms),
}).start();
