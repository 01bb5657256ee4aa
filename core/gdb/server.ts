/**
 * The door for debuggers: one gdb at a time. Knows no sockets; whoever has them hands bytes in and is handed bytes. It is
 * shut until somebody opens it.
 */
import type { Lab } from "../lab/lab.ts";
import { ACK, type Arrival, Deframer, frame, NAK } from "./framing.ts";
import { refusal, Session, type SessionOptions } from "./session.ts";

/** A connection, as the server needs it. */
export interface GdbLink {
  send(bytes: Uint8Array): void;
  /** Ends it, when what was sent has gone out. */
  end(): void;
}

/** What a connection's owner tells the server. */
export interface GdbPeer {
  /** It is the one that was let in. */
  readonly attached: boolean;
  receive(bytes: Uint8Array): void;
  /** The connection is gone. */
  closed(): void;
}

const BUSY = "another gdb is attached to this machine, and one is all it takes";
const FOREIGN = "This port is for gdb: gdb -ex 'target remote :PORT'\n";
const NO_PACKET = new Uint8Array(0);

export class GdbServer {
  private session: Session | null = null;

  /** @param port what the lab shows */
  constructor(
    private readonly lab: Lab,
    port: number,
    private readonly options: SessionOptions,
  ) {
    lab.debugger = { port, state: "listening" };
  }

  /** Somebody connects. Who speaks first is let in; the second is refused with a sentence that gdb shows. */
  connect(link: GdbLink): GdbPeer {
    return new Peer(
      link,
      (reply) => {
        if (this.session !== null) return null;
        const session = new Session(this.lab, this.options, reply);
        this.session = session;
        return session;
      },
      (session) => {
        session.close();
        if (this.session === session) this.session = null;
      },
    );
  }

  /** After each slice, and whatever else may have stopped the machine. */
  look(): void {
    this.session?.look();
  }

  /** The door is shut; who stands in it is let go. */
  close(): void {
    this.session?.close();
    this.session = null;
    this.lab.debugger = null;
  }
}

/** One connection. Before its first packet it is nobody: the machine does not notice it. */
class Peer implements GdbPeer {
  private readonly deframer = new Deframer();
  private session: Session | null = null;
  /** The last packet that was sent, for who asks for it again. */
  private last: Uint8Array = NO_PACKET;
  private done = false;

  /** `admit` answers a session, or null while there is another; `leave` ends it. */
  constructor(
    private readonly link: GdbLink,
    private readonly admit: (reply: (text: string) => void) => Session | null,
    private readonly leave: (session: Session) => void,
  ) {}

  get attached(): boolean {
    return this.session !== null;
  }

  receive(bytes: Uint8Array): void {
    if (this.done) return;
    this.deframer.take(bytes, (arrival) => {
      if (arrival.kind === "foreign") this.turnAway(plain(FOREIGN));
      else this.arrive(arrival);
      return !this.done;
    });
  }

  closed(): void {
    this.done = true;
    if (this.session !== null) this.leave(this.session);
    this.session = null;
  }

  private turnAway(why: Uint8Array): void {
    this.link.send(why);
    this.end();
  }

  private end(): void {
    this.closed();
    this.link.end();
  }

  private reply(text: string): void {
    this.last = frame(text);
    this.link.send(this.last);
  }

  private arrive(arrival: Arrival): void {
    const acknowledges = this.session?.acknowledges ?? true;
    switch (arrival.kind) {
      case "packet":
      case "interrupt":
        this.heed(arrival);
        return;
      case "oversized":
        if (acknowledges) this.link.send(ACK);
        this.reply(refusal("the packet is longer than the PacketSize that was told"));
        return;
      case "damaged":
        if (acknowledges) this.link.send(NAK);
        return;
      case "again":
        if (acknowledges && this.last.length > 0) this.link.send(this.last);
        return;
    }
  }

  private heed(arrival: Extract<Arrival, { kind: "packet" | "interrupt" }>): void {
    if (arrival.kind === "packet" && (this.session?.acknowledges ?? true)) this.link.send(ACK);
    this.session ??= this.admit((text) => this.reply(text));
    if (this.session === null) {
      // gdb drops what comes before it has asked: the sentence is the answer to its first packet.
      this.turnAway(frame(refusal(BUSY)));
      return;
    }
    if (arrival.kind === "interrupt") this.session.interrupt();
    else this.session.packet(arrival.text);
    if (this.session.ended) this.end();
  }
}

const plain = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
