/**
 * `quadrant gdb`: a guest that gdb moves. It stands at its first instruction until a gdb attaches on loopback, and is
 * there for the next one when it leaves.
 */
import { Host } from "../../core/host/index.ts";
import type { Lab } from "../../core/lab/lab.ts";
import { openDoor } from "../gdb/listen.ts";
import { parseArguments, parseNumber, type RunArguments } from "./arguments.ts";
import type { CliIo } from "./io.ts";

/** As qemu's. */
const DEFAULT_PORT = 1234;

export const GDB_HELP = `Options of gdb: those of run, and

  --port N                         where gdb attaches, on this computer alone: target remote :N (${DEFAULT_PORT}; 0: any free port)
  --once                           end when gdb leaves, with run's outputs and exit code; otherwise Ctrl-C does

gdb shows what else there is with: monitor help. docs/gdb.md tells more.
`;

export type ParsedGdb =
  | { readonly ok: true; readonly wanted: RunArguments; readonly port: number; readonly once: boolean }
  | { readonly ok: false; readonly error: string };

/** @param words those behind `quadrant gdb` */
export function parseGdbWords(words: readonly string[]): ParsedGdb {
  const rest: string[] = [];
  let port: string | null = null;
  let once = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--once") once = true;
    else if (word === "--port" || word.startsWith("--port=")) {
      if (port !== null) return { ok: false, error: "--port is given twice" };
      port = word === "--port" ? (words[++i] ?? "") : word.slice("--port=".length);
    } else rest.push(word);
  }
  const number = port === null ? DEFAULT_PORT : parseNumber(port);
  if (number === null || number > 65535) {
    return { ok: false, error: `--port takes a number from 0 to 65535, not "${port}"` };
  }
  if (rest.length === 0)
    return { ok: false, error: "say which image gdb is for: a file, or a built-in guest" };
  const parsed = parseArguments(["run", ...rest]);
  if (!parsed.ok) return parsed;
  if (parsed.arguments.command !== "run")
    return { ok: false, error: "gdb takes an image and options of run" };
  return { ok: true, wanted: parsed.arguments, port: number, once };
}

export interface Serving {
  readonly port: number;
  readonly once: boolean;
  /** As it was named, for the line that says how to attach. */
  readonly image: string;
}

/**
 * Serves gdb until it leaves (`once`) or `asked` resolves. `pump` is called when the machine has moved. Rejects with a
 * sentence when the port cannot be had.
 */
export async function serveGdb(
  lab: Lab,
  serving: Serving,
  io: Pick<CliIo, "err">,
  pump: () => void,
  asked: Promise<void>,
): Promise<void> {
  let end: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    end = resolve;
  });
  let moving = false;
  const host = new Host(
    lab,
    {
      // Nobody looks on but gdb.
      port: { post() {}, onmessage: null },
      now: () => performance.now(),
      soon: (run) => void setImmediate(run),
      after: (ms, run) => void setTimeout(run, ms).unref(),
    },
    { look: () => look() },
  );
  const door = await openDoor(lab, {
    port: serving.port,
    inputComes: false,
    touched: () => {
      moving ||= lab.running;
      host.touched();
      pump();
    },
    left: () => {
      if (serving.once) end();
    },
  });
  const look = () => {
    pump();
    door.look();
    // Detached, it ran to its end by itself.
    if (moving && !lab.running && lab.debugger?.state === "listening") {
      const { reason, detail } = lab.machine.stop;
      io.err(`quadrant: stopped: ${reason}${detail === "" ? "" : ` (${detail})`}; gdb may attach again`);
    }
    moving = lab.running;
  };
  host.start();
  const file = lab.source.guest === null && isElf(lab.source.bytes) ? ` ${serving.image}` : "";
  io.err(`quadrant: waiting at the first instruction: gdb${file} -ex 'target remote :${door.port}'`);
  await Promise.race([left, asked]);
  door.close();
  lab.pause();
}

/** gdb reads symbols out of these by itself. */
const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
