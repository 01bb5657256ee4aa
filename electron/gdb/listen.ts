/**
 * The stub's socket: 127.0.0.1 and nothing else. A client that does not read what it asked for is not read from either,
 * so that nobody can make the answers pile up.
 */
import { createServer, type Server, type Socket } from "node:net";
import { GdbServer } from "../../core/gdb/index.ts";
import type { Lab } from "../../core/lab/index.ts";

const LOOPBACK = "127.0.0.1";
/** Connections at a time; one of them is gdb, the others are told so. */
const CONNECTIONS = 8;

export interface GdbDoor {
  readonly port: number;
  /** After each slice, and whatever else may have stopped the machine. */
  look(): void;
  /** Shuts it, and ends every connection. */
  close(): void;
}

export interface DoorOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly inputComes: boolean;
  /** A packet was heeded: the machine may run now, and look different. */
  readonly touched: () => void;
  /** A gdb has left. */
  readonly left?: () => void;
}

/** Opens the door. Rejects with a sentence when the port cannot be had. */
export function openDoor(lab: Lab, options: DoorOptions): Promise<GdbDoor> {
  return new Promise((resolve, reject) => {
    const sockets = new Set<Socket>();
    const listener = createServer({ noDelay: true });
    listener.maxConnections = CONNECTIONS;
    listener.once("error", (error) => reject(inWords(error, options.port)));
    listener.listen(options.port, LOOPBACK, () => {
      const port = portOf(listener);
      const server = new GdbServer(lab, port, { inputComes: options.inputComes });
      // An error of a listener that listens is the end of one connection that never was.
      listener.on("error", () => {});
      listener.on("connection", (socket) => {
        sockets.add(socket);
        serve(socket, server, options);
        socket.once("close", () => sockets.delete(socket));
      });
      resolve({
        port,
        look: () => server.look(),
        close() {
          listener.close();
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      });
    });
  });
}

function serve(socket: Socket, server: GdbServer, { touched, left }: DoorOptions): void {
  const peer = server.connect({
    send(bytes) {
      if (!socket.write(bytes)) socket.pause();
    },
    end: () => void socket.end(),
  });
  socket.on("drain", () => socket.resume());
  let held = false;
  socket.on("data", (bytes) => {
    peer.receive(bytes);
    held ||= peer.attached;
    touched();
  });
  // What went wrong with a connection is the end of it; "close" follows.
  socket.on("error", () => {});
  socket.once("close", () => {
    peer.closed();
    touched();
    if (held) left?.();
  });
}

function portOf(listener: Server): number {
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return address.port;
}

function inWords(error: Error, port: number): Error {
  const code = "code" in error ? error.code : "";
  if (code === "EADDRINUSE") return new Error(`port ${port} is taken by another program: choose another`);
  if (code === "EACCES") return new Error(`port ${port} is the system's: choose one from 1024 on`);
  return new Error(`port ${port} cannot be listened on: ${error.message}`);
}
