/**
 * Packets out of a stream of bytes, and into one: `$payload#checksum`, acknowledgements, the interrupt byte (gdb manual,
 * "Overview" and "Packet Acknowledgment" of the remote serial protocol). Whatever arrives, no more than one packet's
 * bytes are kept.
 */
import { bytesOf } from "./hex.ts";

/** Bytes that a packet's payload may have, both ways; gdb is told. */
export const PACKET_SIZE = 0x4000;

const DOLLAR = 0x24;
const HASH = 0x23;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ESCAPE = 0x7d;
const STAR = 0x2a;
const INTERRUPT = 0x03;

export type Arrival =
  /** A whole packet; `text` has one byte a character, escapes undone. */
  | { readonly kind: "packet"; readonly text: string }
  /** A packet whose checksum is wrong. */
  | { readonly kind: "damaged" }
  /** A packet of more than PACKET_SIZE bytes, which were not kept. */
  | { readonly kind: "oversized" }
  /** "-": the last reply is wanted again. */
  | { readonly kind: "again" }
  | { readonly kind: "interrupt" }
  /** The first byte of all was none that gdb begins with: somebody else talks here. */
  | { readonly kind: "foreign" };

export class Deframer {
  private begun = false;
  private inside = false;
  private oversized = false;
  private escaped = false;
  private parts: string[] = [];
  private length = 0;
  private sum = 0;
  /** Digits of the checksum: -1 while the payload goes on. */
  private digits = -1;
  private told = 0;

  /** Takes bytes and tells `arrive` of what they complete, in order; until it answers false. */
  take(bytes: Uint8Array, arrive: (arrival: Arrival) => boolean): void {
    for (const byte of bytes) {
      const arrival = this.byte(byte);
      if (arrival !== null && !arrive(arrival)) return;
    }
  }

  private byte(byte: number): Arrival | null {
    if (this.inside) return this.digits < 0 ? this.payload(byte) : this.checksum(byte);
    const first = !this.begun;
    this.begun = true;
    switch (byte) {
      case DOLLAR:
        this.open();
        return null;
      case INTERRUPT:
        return { kind: "interrupt" };
      case MINUS:
        return { kind: "again" };
      case PLUS:
        return null;
      default:
        return first ? { kind: "foreign" } : null;
    }
  }

  private open(): void {
    this.inside = true;
    this.oversized = false;
    this.escaped = false;
    this.parts = [];
    this.length = 0;
    this.sum = 0;
    this.digits = -1;
    this.told = 0;
  }

  private payload(byte: number): null {
    if (byte === HASH) {
      this.digits = 0;
      return null;
    }
    // A packet that begins within another: the first was cut off.
    if (byte === DOLLAR) {
      this.open();
      return null;
    }
    this.sum = (this.sum + byte) & 0xff;
    if (byte === ESCAPE && !this.escaped) {
      this.escaped = true;
      return null;
    }
    const value = this.escaped ? byte ^ 0x20 : byte;
    this.escaped = false;
    if (this.length >= PACKET_SIZE) {
      this.oversized = true;
      this.parts = [];
    } else this.parts.push(String.fromCharCode(value));
    this.length++;
    return null;
  }

  private checksum(byte: number): Arrival | null {
    const digit = Number.parseInt(String.fromCharCode(byte), 16);
    this.told = Number.isNaN(digit) ? -1 : this.told * 16 + digit;
    this.digits++;
    if (this.digits < 2 && this.told >= 0) return null;
    this.inside = false;
    const text = this.parts.join("");
    this.parts = [];
    if (this.told !== this.sum) return { kind: "damaged" };
    return this.oversized ? { kind: "oversized" } : { kind: "packet", text };
  }
}

/** A payload as a packet. Bytes with a meaning of their own are escaped. */
export function frame(text: string): Uint8Array {
  let sum = 0;
  const out: number[] = [DOLLAR];
  const put = (byte: number) => {
    sum = (sum + byte) & 0xff;
    out.push(byte);
  };
  for (const byte of bytesOf(text)) {
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR) {
      put(ESCAPE);
      put(byte ^ 0x20);
    } else put(byte);
  }
  out.push(HASH, ...bytesOf(sum.toString(16).padStart(2, "0")));
  return Uint8Array.from(out);
}

export const ACK: Uint8Array = Uint8Array.of(PLUS);
export const NAK: Uint8Array = Uint8Array.of(MINUS);
