/**
 * An event in words: its fields as short pieces with a tone each, and the place a click on it goes to.
 * Everything comes from the table of event kinds; the kinds one meets most have a sentence of their own.
 */
import {
  EVENT_KINDS,
  type EventField,
  type EventGroup,
  type EventsView,
  EXIT_NAMES,
  PTE_WRITE_VERDICT,
  type Space,
  VERDICT_SKIPPED,
  VERDICT_TOUCHED,
} from "../../../core/lab/protocol/index.ts";
import { hex, hex64 } from "../../format.ts";
import type { Access, Place } from "../../navigate.svelte.ts";
import { roleFields } from "../../role.ts";

export type TracedEvent = EventsView["events"][number];
export type Tone =
  | "text"
  | "dim"
  | "guest"
  | "shadow"
  | "host"
  | "hot"
  | "bad"
  | "ok"
  | "q0"
  | "q1"
  | "q2"
  | "q3";
export interface Piece {
  readonly text: string;
  readonly tone: Tone;
}

/** #PF. */
const PAGE_FAULT = 14;

const piece = (text: string, tone: Tone = "text"): Piece => ({ text, tone });
const quadrant = (number: number) => piece(`q${number}`, `q${number & 3}` as Tone);

export const GROUP_TITLES: Readonly<Record<EventGroup, string>> = {
  exit: "Exits",
  fault: "Faults",
  walk: "Guest walks",
  sp: "Shadow pages",
  spte: "Sptes",
  write: "Table writes",
  tlb: "TLB",
  cr: "Control registers",
  outside: "From outside",
  hazard: "Hazards",
};

const GROUP_TONES: Readonly<Record<EventGroup, Tone>> = {
  exit: "text",
  fault: "text",
  walk: "guest",
  sp: "shadow",
  spte: "shadow",
  write: "hot",
  tlb: "dim",
  cr: "text",
  outside: "host",
  hazard: "bad",
};

export const nameOf = (event: TracedEvent): string => EVENT_KINDS[event.kind]?.name ?? `kind ${event.kind}`;

/** The colour of an event's name. */
export function toneOf(event: TracedEvent): Tone {
  const name = nameOf(event);
  if (name === "pf_guest" || name === "exception") return "bad";
  if (name === "pf_fixed") return "ok";
  const kind = EVENT_KINDS[event.kind];
  return kind === undefined ? "text" : GROUP_TONES[kind.group];
}

/** The word index of each field, by name. */
function wordOf(event: TracedEvent, field: string): number {
  let at = 0;
  for (const other of EVENT_KINDS[event.kind]?.fields ?? []) {
    if (other.name === field) return at;
    at += other.width;
  }
  return -1;
}

/** The low word of a field, 0 when the kind has no such field. */
export function value(event: TracedEvent, field: string): number {
  const at = wordOf(event, field);
  return at < 0 ? 0 : (event.words[at] ?? 0) >>> 0;
}

function wide(event: TracedEvent, field: string): string {
  const at = wordOf(event, field);
  return short64((event.words[at] ?? 0) >>> 0, (event.words[at + 1] ?? 0) >>> 0);
}

/** 8 digits when they are enough, else 16. */
const short64 = (low: number, high: number): string => (high === 0 ? hex(low) : hex64(low, high));

function access(error: number): string {
  const kind = error & 16 ? "fetch" : error & 2 ? "write" : "read";
  return `${error & 4 ? "user" : "kernel"} ${kind}, ${error & 8 ? "reserved bit" : error & 1 ? "protection" : "not present"}`;
}

function roleText(role: number): Piece[] {
  const { level, quadrant: number, metaphysical } = roleFields(role);
  return [piece(`L${level} `, "dim"), quadrant(number), piece(metaphysical ? " meta" : "", "dim")];
}

function generic(field: EventField, low: number, high: number): Piece[] {
  const format = field.format;
  const name = piece(`${field.name} `, "dim");
  if (typeof format === "object") return [piece(format.names[low] ?? String(low))];
  switch (format) {
    case "dec":
    case "index":
      return [name, piece(String(low))];
    case "bool":
      return low === 0 ? [] : [piece(field.name)];
    case "hex64":
    case "spte":
      return [name, piece(short64(low, high), format === "spte" ? "shadow" : "text")];
    case "role":
      return roleText(low);
    case "gfn":
      return [name, piece(hex(low, 5), "guest")];
    case "gpa":
      return [name, piece(field.width === 2 ? short64(low, high) : hex(low), "guest")];
    case "hpa":
      return [name, piece(hex(low), "host")];
    default:
      return [name, piece(hex(low))];
  }
}

/** What the event says, as pieces to be shown with a space between them. */
export function piecesOf(event: TracedEvent): readonly Piece[] {
  const get = (field: string) => value(event, field);
  switch (nameOf(event)) {
    case "pte_write":
      return [
        piece(`${hex(get("gfn"), 5)}+${hex(get("offset"), 3)}`, "guest"),
        piece(`= ${wide(event, "value")}`),
        piece(`${get("bytes")} bytes`, "dim"),
        ...(get("flooded") ? [piece("flooded", "bad")] : []),
      ];
    case "pte_write_page": {
      const verdict = get("verdict");
      const own = roleFields(get("role")).quadrant;
      if (verdict === VERDICT_SKIPPED)
        return [
          quadrant(own),
          piece("skipped: the write belongs to", "dim"),
          quadrant(get("quadrant")),
          piece(`page ${hex(get("page"))}`, "dim"),
        ];
      const index = get("index");
      const count = get("npte");
      return [
        quadrant(own),
        piece(
          verdict === VERDICT_TOUCHED ? "touched" : (PTE_WRITE_VERDICT[verdict] ?? ""),
          verdict === VERDICT_TOUCHED ? "hot" : "bad",
        ),
        ...(verdict === VERDICT_TOUCHED
          ? [piece(count > 1 ? `sptes ${index}–${index + count - 1}` : `spte ${index}`)]
          : []),
        piece(`page ${hex(get("page"))}`, "dim"),
      ];
    }
    case "exit": {
      const reason = EXIT_NAMES[get("reason")] ?? String(get("reason"));
      const qualification = get("qualification");
      if (reason === "#PF")
        return [piece(reason), piece(hex(qualification)), piece(access(get("error")), "dim")];
      if (reason === "io") return [piece(reason), piece(`port ${hex(qualification & 0xffff, 3)}`, "dim")];
      return [piece(reason), ...(qualification === 0 ? [] : [piece(hex(qualification), "dim")])];
    }
    case "walk": {
      const fault = get("fault");
      return [
        piece(hex(get("gva"))),
        ...(fault === 0
          ? [
              piece("->", "dim"),
              piece(`gfn ${hex(get("gfn"), 5)}`, "guest"),
              piece(`level ${get("level")}`, "dim"),
            ]
          : [piece(access(fault & 0xff), "bad"), piece(`at level ${get("level")}`, "dim")]),
      ];
    }
    case "pf_guest":
      return [piece(hex(get("gva"))), piece(access(get("error")), "bad")];
    case "pf_fixed":
      return [
        piece(hex(get("gva"))),
        piece(access(get("error")), "dim"),
        ...(get("write_pt")
          ? [piece("emulated: writes a table", "hot")]
          : [piece("->", "dim"), piece(`gfn ${hex(get("gfn"), 5)}`, "guest")]),
      ];
    case "spte_set":
    case "spte_clear":
      return [
        piece(`${hex(get("page"))}[${get("index")}]`, "shadow"),
        piece(wide(event, "old"), "dim"),
        piece("->", "dim"),
        piece(nameOf(event) === "spte_set" ? wide(event, "new") : "0"),
        ...whyOf(event),
      ];
    case "get_page":
      return [
        piece(`gfn ${hex(get("gfn"), 5)}`, "guest"),
        ...roleText(get("role")),
        piece(get("result") === 0 ? "found" : "new", get("result") === 0 ? "dim" : "ok"),
        piece(hex(get("hpa")), "host"),
      ];
    case "cr_write":
      return [
        piece(`CR${get("cr")}`),
        piece(hex(get("old")), "dim"),
        piece("->", "dim"),
        piece(hex(get("new"))),
      ];
    case "serial_out": {
      const byte = get("byte");
      const shown = byte > 32 && byte < 127 ? `“${String.fromCharCode(byte)}”` : hex(byte, 2);
      return [piece(shown)];
    }
    default: {
      const pieces: Piece[] = [];
      let at = 0;
      for (const field of EVENT_KINDS[event.kind]?.fields ?? []) {
        pieces.push(...generic(field, (event.words[at] ?? 0) >>> 0, (event.words[at + 1] ?? 0) >>> 0));
        at += field.width;
      }
      return pieces;
    }
  }
}

function whyOf(event: TracedEvent): Piece[] {
  const field = EVENT_KINDS[event.kind]?.fields.find((other) => other.name === "why");
  if (field === undefined || typeof field.format !== "object") return [];
  return [piece(field.format.names[value(event, "why")] ?? "", "dim")];
}

const accessOf = (error: number): Access => (error & 16 ? "fetch" : error & 2 ? "write" : "read");

/** Where the event happened: the table, the shadow page, the walk, the bytes, else the code. */
export function placeOf(event: TracedEvent): Place {
  const get = (field: string) => value(event, field);
  const table = (gfn: number): Place => ({ kind: "table", gfn, level: null, entry: null });
  const page = (hpa: number, index: number | null): Place => ({ kind: "page", hpa, index });
  const walk = (gva: number, error: number): Place => ({
    kind: "walk",
    gva,
    access: accessOf(error),
    user: (error & 4) !== 0,
  });
  const address = (space: Space, field: string, length: number): Place => {
    const at = wordOf(event, field);
    const far = ((event.words[at] ?? 0) >>> 0) + ((event.words[at + 1] ?? 0) >>> 0) * 2 ** 32;
    return { kind: "address", space, address: far, length };
  };
  switch (nameOf(event)) {
    case "pte_write":
    case "rmap_write_protect":
    case "unprotect":
      return table(get("gfn"));
    case "pte_write_page":
    case "spte_set":
    case "spte_clear":
      return page(get("page"), get("index"));
    case "get_page":
    case "zap_page":
      return page(get("hpa"), null);
    case "pf_guest":
    case "pf_fixed":
      return walk(get("gva"), get("error"));
    case "exception":
      return get("vector") === PAGE_FAULT
        ? walk(get("cr2"), get("error"))
        : { kind: "code", address: event.eip >>> 0 };
    case "walk":
      return walk(get("gva"), get("access"));
    case "invlpg":
    case "emulate":
      return walk(get("gva"), 0);
    case "set_accessed_bit":
    case "set_dirty_bit":
      return address("gpa", "gpa", 4);
    case "edit":
      return address((["gva", "gpa", "hpa"] as const)[get("space")] ?? "gpa", "address", get("bytes"));
    default:
      return { kind: "code", address: event.eip >>> 0 };
  }
}
