/** A lab, its door, and a client that speaks packets by hand. */
import { ACK, Deframer, frame } from "../../../core/gdb/framing.ts";
import { textOf } from "../../../core/gdb/hex.ts";
import { type GdbPeer, GdbServer } from "../../../core/gdb/index.ts";
import { Lab } from "../../../core/lab/index.ts";

export const CODE = 0x100000;

/** A flat program at 0x100000. */
export function labOf(code: readonly number[], policy = "none"): Lab {
  const about = { title: "bytes", guest: null, address: null, symbols: [], pauseAt: null, introduction: [] };
  const source = { ...about, bytes: Uint8Array.from(code), kind: "flat" };
  return new Lab({ source, config: { memory: 4 << 20, policy, audit: "off" }, traceCapacity: 1 << 10 });
}

export class Client {
  /** Payloads that came, oldest first, and what was no packet. */
  readonly packets: string[] = [];
  acks = 0;
  naks = 0;
  plain = "";
  ended = false;
  readonly peer: GdbPeer;
  private readonly deframer = new Deframer();

  constructor(
    readonly server: GdbServer,
    readonly lab: Lab,
  ) {
    this.peer = server.connect({
      send: (bytes) => this.take(bytes),
      end: () => {
        this.ended = true;
      },
    });
  }

  private take(bytes: Uint8Array): void {
    if (bytes.length === 1) {
      if (bytes[0] === ACK[0]) this.acks++;
      else this.naks++;
      return;
    }
    if (bytes[0] !== 0x24) this.plain += textOf(bytes);
    this.deframer.take(bytes, (arrival) => {
      if (arrival.kind === "packet") this.packets.push(arrival.text);
      return true;
    });
  }

  raw(text: string): void {
    this.peer.receive(Uint8Array.from(text, (char) => char.charCodeAt(0)));
  }

  /** Sends a packet and answers the last one that came for it, or undefined. */
  ask(text: string): string | undefined {
    const before = this.packets.length;
    this.peer.receive(frame(text));
    return this.packets.length > before ? this.packets.at(-1) : undefined;
  }

  /** Lets the machine go, as a host does, at most so many slices. */
  run(slices = 100, budget = 1000): void {
    const { lab } = this;
    for (let i = 0; i < slices && lab.running; i++) {
      lab.slice(budget);
      this.server.look();
    }
  }
}

export function attach(lab: Lab, inputComes = false): Client {
  return new Client(new GdbServer(lab, 1234, { inputComes }), lab);
}
