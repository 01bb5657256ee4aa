/** A lab behind an open door, and the real gdb on the other side of it, in batch mode. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { Lab, type LabOptions } from "../../../core/lab/index.ts";
import { serveGdb } from "../../../electron/cli/gdb.ts";

export const hasGdb = (): boolean => spawnSync("gdb", ["--version"], { stdio: "ignore" }).status === 0;

export interface Session {
  /** Everything that gdb wrote. */
  readonly text: string;
  readonly code: number | null;
}

export class Attached {
  readonly lab: Lab;
  readonly lines: string[] = [];
  port = 0;
  private ask: () => void = () => {};
  private served: Promise<void> = Promise.resolve();

  constructor(options: LabOptions) {
    this.lab = new Lab({ traceCapacity: 1 << 14, ...options });
  }

  /** A built-in guest at its first instruction. */
  static guest(id: string, policy: string): Attached {
    const attached = new Attached({ guest: id });
    const { source, machine } = attached.lab;
    attached.lab.load({ ...source, pauseAt: null }, { ...machine.setup, policy });
    return attached;
  }

  static image(bytes: Uint8Array, kind: string, policy: string, config: LabOptions["config"] = {}): Attached {
    const about = {
      title: "image",
      guest: null,
      address: null,
      symbols: [],
      pauseAt: null,
      introduction: [],
    };
    return new Attached({
      source: { ...about, bytes, kind },
      config: { memory: 16 << 20, policy, ...config },
    });
  }

  async open(): Promise<this> {
    const asked = new Promise<void>((resolve) => {
      this.ask = resolve;
    });
    const told = new Promise<void>((resolve) => {
      const err = (line: string) => {
        this.lines.push(line);
        resolve();
      };
      const serving = { port: 0, once: false, image: "image" };
      this.served = serveGdb(this.lab, serving, { err }, () => {}, asked);
    });
    await told;
    this.port = Number(/target remote :(\d+)/.exec(this.lines[0]!)![1]);
    return this;
  }

  async close(): Promise<void> {
    this.ask();
    await this.served;
  }

  /** Runs commands in a gdb that has attached. `meanwhile` gets the process and what it wrote so far, at each piece. */
  gdb(commands: readonly string[], { before = [], meanwhile }: GdbOptions = {}): Promise<Session> {
    const words = [
      ...[
        "set pagination off",
        "set confirm off",
        "set width 0",
        "set tcp auto-retry off",
        "set remotetimeout 60",
        ...before,
      ],
      ...[`target remote :${this.port}`, ...commands],
    ];
    const child = spawn("gdb", ["-nx", "-batch", ...words.flatMap((word) => ["-ex", word])], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    const take = (part: Buffer) => {
      text += part.toString("latin1");
      meanwhile?.(child, text);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    return new Promise((resolve) => child.on("close", (code) => resolve({ text, code })));
  }
}

interface GdbOptions {
  /** Commands before it attaches. */
  readonly before?: readonly string[];
  readonly meanwhile?: (child: ChildProcess, text: string) => void;
}
