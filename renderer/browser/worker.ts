/** The browser edition's host: the lab in a Web Worker, with the page's clock and the worker's own port. */
import { Host, type HostPort } from "../../core/host/index.ts";
import { Lab } from "../../core/lab/lab.ts";

/** A dedicated worker's global scope, as far as it is used here (the DOM and worker libraries exclude each other). */
interface WorkerScope {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<unknown>) => void) | null;
}
const scope = globalThis as unknown as WorkerScope;

const port: HostPort = {
  post: (message, transfer) => scope.postMessage(message, transfer),
  onmessage: null,
};
scope.onmessage = (event) => port.onmessage?.(event.data);

/** A message to oneself comes after the messages that wait, and without the delay of a timer. */
const turn = new MessageChannel();
const waiting: (() => void)[] = [];
turn.port1.onmessage = () => waiting.shift()?.();

new Host(new Lab(), {
  port,
  // Comparable with the window's own clock: both count from the epoch.
  now: () => performance.timeOrigin + performance.now(),
  soon: (run) => {
    waiting.push(run);
    turn.port2.postMessage(null);
  },
  after: (ms, run) => void setTimeout(run, ms),
}).start();
scope.postMessage({ type: "host-ready" });
