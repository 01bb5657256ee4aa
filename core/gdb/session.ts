/**
 * One gdb and the lab: packets in, replies out (gdb manual, appendix "gdb Remote Serial Protocol"). Everything that gdb
 * makes the machine do is the lab's own doing, so that views and the log follow. A packet that makes no sense is answered
 * with an error, one that is not known with the empty reply; neither changes anything.
 */
import type { Lab } from "../lab/lab.ts";
import { TARGET_XML } from "./description.ts";
import { PACKET_SIZE } from "./framing.ts";
import { hexOf, hexOfText, parseBytes, parseNumber, parsePair, textOf } from "./hex.ts";
import { readMemory, writeMemory } from "./memory.ts";
import { type Monitored, monitor } from "./monitor.ts";
import { isPoint, Points } from "./points.ts";
import { REGISTERS, writing } from "./registers.ts";
import { stopReply, stopSentence, type Understood } from "./stops.ts";

/** Errors by number, as gdb's own stubs give them: EINVAL, EFAULT. */
const INVALID = "E16";
const NO_MEMORY = "E0e";
const OK = "OK";
const UNKNOWN = "";
/** Characters of console output in one packet. */
const CONSOLE_PART = 1024;
const CONSOLE_MOST = 256 * 1024;
/** Threads that name the one processor: any, all, itself. */
const THREADS = ["", "0", "-1", "1"];

/** An error with a sentence, which gdb shows as it comes: characters that would have to be escaped are left out. */
export const refusal = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  return `E.${text.slice(0, CONSOLE_PART).replace(/[$#}*]/g, "")}`;
};

export interface SessionOptions {
  /**
   * Somebody may still give a guest input that is halted and waits for it (a window): then it goes on running for gdb.
   * Otherwise nothing will ever come, and it is a stop.
   */
  readonly inputComes: boolean;
}

export class Session implements Monitored {
  physical = false;
  /** Acknowledgements are wanted. */
  acknowledges = true;
  /** gdb wants the connection to end; what it sends is not read any more. */
  ended = false;
  /** gdb waits for a stop reply. */
  private resumed = false;
  private attached = true;
  /** The points are not the machine's yet. */
  private changed = false;
  private readonly points = new Points();
  private readonly understood: Understood = { swbreak: false, hwbreak: false };

  /** `reply` sends a packet. The machine stands still from now on. */
  constructor(
    readonly lab: Lab,
    private readonly options: SessionOptions,
    private readonly reply: (text: string) => void,
  ) {
    this.hold();
  }

  // ---- what the server calls ----

  packet(text: string): void {
    try {
      const answer = this.handle(text);
      if (answer !== null) this.reply(answer);
    } catch (error) {
      this.reply(refusal(error));
    }
  }

  /** Ctrl-C. */
  interrupt(): void {
    if (!this.resumed) return;
    this.lab.pause();
    this.report();
  }

  /** After each slice, and whatever else may have stopped the machine. */
  look(): void {
    const { lab } = this;
    if (!this.resumed || lab.context.running) return;
    const { machine } = lab;
    if (this.options.inputComes && machine.waiting && machine.stop.reason === "hlt") return;
    this.report();
  }

  /** The connection is gone: the machine stays as it is, without this gdb's breakpoints. */
  close(): void {
    this.release();
    this.ended = true;
  }

  // ---- packets ----

  private handle(text: string): string | null {
    const rest = text.slice(1);
    switch (text[0]) {
      case "?":
        return this.attached ? this.standing() : "W00";
      case "g":
        return REGISTERS.map((one) => hexOf(one.read(this.lab.machine))).join("");
      case "G":
        return this.writeAll(rest);
      case "p":
        return this.readOne(rest);
      case "P":
        return this.writeOne(rest);
      case "m":
      case "x":
        return this.read(rest, text[0] === "x");
      case "M":
        return this.write(rest, parseBytes);
      case "X":
        return this.write(rest, (data) => Uint8Array.from(data, (char) => char.charCodeAt(0)));
      case "Z":
      case "z":
        return this.point(text[0] === "Z", rest);
      case "c":
      case "s":
        return this.resumeAt(text[0], rest);
      case "C":
      case "S":
        // A signal to deliver means nothing to a processor.
        return this.resumeAt(
          text[0].toLowerCase(),
          rest.includes(";") ? rest.slice(rest.indexOf(";") + 1) : "",
        );
      case "H":
        return /^[cg]/.test(rest) && THREADS.includes(rest.slice(1)) ? OK : INVALID;
      case "T":
        return THREADS.includes(rest) ? OK : INVALID;
      case "D":
        return this.detach();
      case "k":
        this.kill();
        this.ended = true;
        return null;
      case "!":
        return OK;
      case "R":
        this.restart();
        return null;
      case "q":
        return this.query(text);
      case "Q":
        return this.set(text);
      case "v":
        return this.verbose(text);
      default:
        return UNKNOWN;
    }
  }

  // ---- registers ----

  private readOne(rest: string): string {
    const register = REGISTERS[parseNumber(rest) ?? -1];
    return register === undefined ? INVALID : hexOf(register.read(this.lab.machine));
  }

  private writeOne(rest: string): string {
    const equals = rest.indexOf("=");
    const register = REGISTERS[parseNumber(rest.slice(0, Math.max(equals, 0))) ?? -1];
    const bytes = parseBytes(rest.slice(equals + 1));
    if (equals < 0 || register === undefined || bytes?.length !== register.size) return INVALID;
    const input = writing(register, bytes);
    if (typeof input === "string") return refusal(input);
    const outcome = this.lab.machine.input(input);
    return outcome.ok ? OK : refusal(outcome.fault.text);
  }

  /** All registers: those that differ are written, the system's too. */
  private writeAll(rest: string): string {
    const bytes = parseBytes(rest);
    const total = REGISTERS.reduce((sum, { size }) => sum + size, 0);
    if (bytes?.length !== total) return INVALID;
    let at = 0;
    for (const [number, register] of REGISTERS.entries()) {
      const value = hexOf(bytes.subarray(at, at + register.size));
      at += register.size;
      if (value === hexOf(register.read(this.lab.machine))) continue;
      const answer = this.writeOne(`${number.toString(16)}=${value}`);
      if (answer !== OK) return answer;
    }
    return OK;
  }

  // ---- memory ----

  private read(rest: string, binary: boolean): string {
    const pair = parsePair(rest);
    if (pair === null) return INVALID;
    const [address, length] = pair;
    // A reply in digits, and one of escaped bytes, take two characters a byte.
    const bytes = readMemory(this.lab.machine, address, Math.min(length, PACKET_SIZE / 2 - 1), this.physical);
    if (bytes.length === 0 && length > 0) return NO_MEMORY;
    return binary ? `b${textOf(bytes)}` : hexOf(bytes);
  }

  private write(rest: string, parse: (data: string) => Uint8Array | null): string {
    const colon = rest.indexOf(":");
    const pair = parsePair(rest.slice(0, Math.max(colon, 0)));
    const bytes = parse(rest.slice(colon + 1));
    if (colon < 0 || pair === null || bytes?.length !== pair[1]) return INVALID;
    return writeMemory(this.lab.machine, pair[0], bytes, this.physical) ? OK : NO_MEMORY;
  }

  // ---- breakpoints and watchpoints ----

  private point(insert: boolean, rest: string): string {
    const type = parseNumber(rest.slice(0, Math.max(rest.indexOf(","), 0)));
    // Conditions and commands (";…") are not offered: gdb keeps them to itself.
    const pair = parsePair(rest.slice(rest.indexOf(",") + 1).split(";")[0]!);
    if (type === null || !isPoint(type)) return UNKNOWN;
    if (pair === null || pair[0] > 0xffff_ffff) return INVALID;
    const [address, length] = pair;
    const why = insert ? this.points.insert(type, address, length) : null;
    if (why !== null) return refusal(why);
    if (!insert) this.points.remove(type, address, length);
    this.changed = true;
    return OK;
  }

  /** Puts the points into the machine: once for all that came since it stood still. */
  private apply(): void {
    const { lab, points } = this;
    this.changed = false;
    lab.debugPoints.breakpoints = points.breakpoints;
    lab.debugPoints.watchpoints = points.watchpoints;
    lab.applyBreakpoints();
  }

  // ---- going and standing ----

  private resumeAt(kind: string, address: string): string | null {
    if (address !== "") {
      const eip = parseNumber(address);
      if (eip === null || eip > 0xffff_ffff) return INVALID;
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, eip, true);
      this.lab.machine.input({ kind: "register", register: "eip", bytes });
    }
    return this.resume(kind);
  }

  /** "c" or "s". The answer is the stop reply, when it comes. */
  private resume(kind: string): null {
    const { lab } = this;
    if (this.resumed || !this.attached) return null;
    const { machine } = lab;
    if (machine.over) {
      this.resumed = true;
      this.report();
      return null;
    }
    if (this.changed) this.apply();
    // Where it stands counts as seen: gdb steps off its own breakpoints, and a person's must not hold it for ever.
    machine.cpu.brokeAtEip = machine.cpu.eip;
    machine.cpu.brokeAtRetired = machine.cpu.retired;
    if (kind === "c") lab.start(null);
    this.resumed = true;
    this.show("running");
    if (kind === "s") this.step();
    // A step is over already; and a machine that cannot go on stands at once.
    this.look();
    return null;
  }

  /** One unit, or one delivery: done at once. */
  private step(): void {
    const { lab } = this;
    const { machine } = lab;
    machine.stopAtDelivery = true;
    lab.start(machine.time + 1);
    lab.slice(1);
    machine.stopAtDelivery = false;
  }

  /** The machine stands: gdb hears why. */
  private report(): void {
    if (!this.resumed) return;
    this.resumed = false;
    this.show("stopped");
    const { machine } = this.lab;
    const sentence = stopSentence(machine);
    if (sentence !== null) this.reply(`O${hexOfText(sentence)}`);
    this.reply(stopReply(machine, this.points, this.understood));
  }

  /** How it stands, to one who asks. That it was paused for this gdb is no signal to tell of. */
  private standing(): string {
    return stopReply(this.lab.machine, this.points, this.understood).replace(/^T02/, "T05");
  }

  private show(state: "listening" | "stopped" | "running"): void {
    const { lab } = this;
    if (lab.debugger !== null) lab.debugger = { ...lab.debugger, state };
  }

  private hold(): void {
    this.attached = true;
    this.resumed = false;
    this.lab.pause();
    this.show("stopped");
  }

  /** The lab is the window's again; the machine stays as it is. */
  private release(): void {
    if (!this.attached) return;
    this.attached = false;
    this.points.clear();
    this.apply();
    this.resumed = false;
    this.show("listening");
  }

  /** Detached, the machine goes on, as every program does that a debugger leaves. */
  private detach(): string {
    this.release();
    if (!this.lab.machine.over) this.lab.start(null);
    return OK;
  }

  /** What gdb calls killing is the end of its visit: the lab, and the machine in it, stay. */
  private kill(): string {
    this.release();
    return OK;
  }

  private restart(): void {
    this.lab.restart();
    this.hold();
  }

  // ---- q, Q, v ----

  private query(text: string): string | null {
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    switch (name) {
      case "qSupported":
        return this.supported(text.slice(colon + 1).split(";"));
      case "qXfer":
        return this.transfer(text);
      case "qAttached":
        // Attached to what was there before: leaving is detaching, not killing.
        return "1";
      case "qC":
        return "QC1";
      case "qfThreadInfo":
        return "m1";
      case "qsThreadInfo":
        return "l";
      case "qSymbol":
        return OK;
      case "qqemu.PhyMemMode":
        return this.physical ? "1" : "0";
      case "qqemu.Supported":
        return "PhyMemMode";
    }
    if (text.startsWith("qThreadExtraInfo,")) return hexOfText("CPU 0");
    return text.startsWith("qRcmd,") ? this.command(text.slice(6)) : UNKNOWN;
  }

  private supported(features: readonly string[]): string {
    this.understood.swbreak = features.includes("swbreak+");
    this.understood.hwbreak = features.includes("hwbreak+");
    return [
      `PacketSize=${PACKET_SIZE.toString(16)}`,
      "QStartNoAckMode+",
      "qXfer:features:read+",
      "swbreak+",
      "hwbreak+",
      "vContSupported+",
      "binary-upload+",
    ].join(";");
  }

  /** qXfer:features:read:target.xml:OFFSET,LENGTH */
  private transfer(text: string): string {
    const found = /^qXfer:features:read:([^:]*):(.*)$/.exec(text);
    if (found === null) return UNKNOWN;
    const pair = parsePair(found[2]!);
    if (found[1] !== "target.xml" || pair === null) return "E00";
    const [from, length] = pair;
    const part = TARGET_XML.slice(from, from + Math.min(length, PACKET_SIZE / 2));
    return `${from + part.length < TARGET_XML.length ? "m" : "l"}${part}`;
  }

  private command(digits: string): string {
    const bytes = parseBytes(digits);
    if (bytes === null) return INVALID;
    const said = monitor(this, textOf(bytes));
    const text = said.length > CONSOLE_MOST ? `${said.slice(0, CONSOLE_MOST)}\n(and more)\n` : said;
    for (let at = 0; at < text.length; at += CONSOLE_PART) {
      this.reply(`O${hexOfText(text.slice(at, at + CONSOLE_PART))}`);
    }
    return OK;
  }

  private set(text: string): string {
    switch (text) {
      case "QStartNoAckMode":
        this.acknowledges = false;
        return OK;
      case "QNonStop:0":
        return OK;
      case "Qqemu.PhyMemMode:0":
      case "Qqemu.PhyMemMode:1":
        this.physical = text.endsWith("1");
        return OK;
      default:
        return UNKNOWN;
    }
  }

  private verbose(text: string): string | null {
    if (text === "vCont?") return "vCont;c;C;s;S";
    if (text.startsWith("vCont;")) return this.vCont(text.slice(6));
    if (text.startsWith("vKill;")) return this.kill();
    if (text.startsWith("vAttach;")) {
      if (text !== "vAttach;1") return refusal("there is one processor: attach 1");
      this.hold();
      return this.standing();
    }
    if (text === "vRun" || text.startsWith("vRun;")) {
      this.restart();
      return this.standing();
    }
    return UNKNOWN;
  }

  /** The first action that fits the one processor. */
  private vCont(actions: string): string | null {
    for (const part of actions.split(";")) {
      const found = /^(?:([cs])|([CS])[0-9a-f]{2})(?::(.*))?$/i.exec(part);
      if (found === null) return INVALID;
      if (THREADS.includes(found[3] ?? "")) return this.resume(part[0]!.toLowerCase());
    }
    return INVALID;
  }
}
