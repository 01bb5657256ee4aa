/**
 * Holds predictions against the machine: each is answered with what was predicted and what was found, in words.
 * Nothing here changes the machine.
 */
import { COUNTERS } from "../kvm/index.ts";
import type { InputOutcome, Machine } from "../machine/machine.ts";
import { type GuestStep, peek32, walkGuest } from "../machine/peek/guest-walk.ts";
import { EVENT_KINDS, type EventField } from "../trace/events.ts";
import { eventField, type TraceEvent } from "../trace/trace.ts";
import { ScenarioError } from "./error.ts";
import type { PageKey, Prediction, PredictionOf } from "./predictions.ts";
import {
  findPage,
  fits,
  isPresent,
  linked,
  mapped,
  readSpte,
  type ShadowDifference,
  type Spte,
  spteText,
  wantedKeyText,
} from "./shadow.ts";
import { type Address, type Count, hex, hex64, toBytes, toNumber, toWords } from "./values.ts";

const PAGE = 4096;
/** Most words of memory and sptes that an answer names. */
const NAMED = 12;

/** What a step left for its predictions to look at. */
export interface Evidence {
  readonly machine: Machine;
  resolve(address: Address): number;
  /** What an access or a write met; null for other steps. */
  readonly outcome: InputOutcome | null;
  /** Counters before the step. */
  readonly before: Float64Array;
  /** Sequence number of the step's first event. */
  readonly since: number;
  /** Assertions of the simulated KVM that the step met. */
  readonly findings: readonly string[];
  /** Behind `compare`; null for other steps. */
  readonly changes: { readonly memory: readonly number[]; readonly shadow: ShadowDifference } | null;
}

export interface Judged {
  /** What is looked at: "spte 72 of page table gfn 0x1234 …". */
  readonly about: string;
  readonly predicted: string;
  readonly found: string;
  readonly ok: boolean;
}

type Judges = { readonly [W in Prediction["what"]]: (wanted: PredictionOf<W>, e: Evidence) => Judged };

/** @throws ScenarioError when the prediction cannot be held against this step */
export function judge(wanted: Prediction, evidence: Evidence): Judged {
  const judges = JUDGES[wanted.what] as (wanted: Prediction, e: Evidence) => Judged;
  return judges(wanted, evidence);
}

const plain = (about: string, predicted: string, found: string): Judged => ({
  about,
  predicted,
  found,
  ok: predicted === found,
});

const JUDGES: Judges = {
  fault(wanted, { outcome, resolve }) {
    if (outcome === null) throw new ScenarioError("only an access, a write or a control step meets faults");
    const found = outcome.ok ? "none" : faultText(outcome.fault);
    const { is } = wanted;
    if (is === "none") return plain("fault", "none", found);
    const vector = is.vector === undefined ? 14 : toNumber(is.vector);
    const error = toNumber(is.error);
    const gva = is.gva === undefined ? null : resolve(is.gva);
    const same =
      !outcome.ok &&
      (outcome.fault.vector ?? 14) === vector &&
      outcome.fault.error === error &&
      (gva === null || outcome.fault.gva === gva);
    return { about: "fault", predicted: faultText({ vector, error, gva }), found, ok: same };
  },
  value(wanted, { outcome }) {
    if (outcome === null) throw new ScenarioError("only an access reads a value");
    const found = !outcome.ok
      ? "a fault"
      : outcome.value === undefined
        ? "nothing was read"
        : hex64(outcome.value);
    return plain("value read", hex64(toWords(wanted.is)), found);
  },
  entry(wanted, e) {
    const { about, low, high } = entryOf(wanted.entry, e);
    const mask = wanted.mask === undefined ? { low: 0xffff_ffff, high: 0xffff_ffff } : toWords(wanted.mask);
    const is = toWords(wanted.is);
    const cut = (words: { low: number; high: number }) =>
      hex64({ low: (words.low & mask.low) >>> 0, high: (words.high & mask.high) >>> 0 });
    const masked = wanted.mask === undefined ? "" : ` & ${hex64(mask)}`;
    return plain(`${about}${masked}`, cut(is), cut({ low, high }));
  },
  spte: judgeSpte,
  page(wanted, { machine }) {
    const page = findPage(machine, wanted.page);
    const about = wantedKeyText(wanted.page);
    if (wanted.exists === false) return plain(about, "absent", page === undefined ? "absent" : "there");
    if (page === undefined) return { about, predicted: "there", found: "absent", ok: false };
    const asked: [string, Count | boolean | undefined, number | boolean][] = [
      ["present", wanted.present, page.present],
      ["writable", wanted.writable, page.writable],
      ["roots", wanted.roots, page.rootCount],
      ["parents", wanted.parents, page.parents.length],
    ];
    if (wanted.unsync !== undefined) {
      const unsync = (page as { unsync?: boolean }).unsync ?? false;
      asked.push(["unsync", wanted.unsync, unsync]);
    }
    const told = asked.filter(([, want]) => want !== undefined);
    const say = (pick: (row: (typeof asked)[number]) => unknown) =>
      ["there", ...told.map((row) => `${row[0]} ${String(pick(row))}`)].join(", ");
    return plain(
      about,
      say(([, want]) => (typeof want === "boolean" ? want : toNumber(want!))),
      say(([, , found]) => found),
    );
  },
  pages(wanted, { machine }) {
    const all = machine.kvm?.shadowPages() ?? [];
    const gfn = wanted.gfn === undefined ? null : toNumber(wanted.gfn);
    const count = gfn === null ? all.length : all.filter((p) => p.gfn === gfn && !p.role.metaphysical).length;
    return range(gfn === null ? "shadow pages" : `shadow pages of gfn ${hex(gfn)}`, wanted, count);
  },
  counter(wanted, { before, machine }) {
    const row = COUNTERS.findIndex(({ name }) => name === wanted.name);
    const now = machine.counts()?.[row] ?? 0;
    if (wanted.total !== undefined)
      return plain(`counter ${wanted.name}, in all`, String(toNumber(wanted.total)), String(now));
    const { atLeast, by } = wanted;
    return range(`counter ${wanted.name} advances by`, { is: by, atLeast }, now - before[row]!);
  },
  event(wanted, e) {
    const kind = EVENT_KINDS.findIndex(({ name }) => name === wanted.name);
    const found = eventsOf(e, kind).filter((event) => matches(event, wanted.where, e.resolve));
    const fields = Object.entries(wanted.where ?? {}).map(([name, value]) => `${name} ${String(value)}`);
    const about = `event ${wanted.name}${fields.length === 0 ? "" : ` (${fields.join(", ")})`}`;
    const is = wanted.times;
    const result = range(about, is === undefined ? { atLeast: 1 } : { is }, found.length);
    const times = (count: string) => `${count} ${/\b1$/.test(count) ? "time" : "times"}`;
    return { ...result, predicted: times(result.predicted), found: times(result.found) };
  },
  order(wanted, e) {
    const names = e.machine.trace
      .query(e.since, Number.POSITIVE_INFINITY)
      .map((event) => EVENT_KINDS[event.kind]!.name)
      .filter((name) => wanted.events.includes(name));
    let at = 0;
    for (const name of names) if (name === wanted.events[at]) at++;
    const shown = names.slice(0, 20).join(", ");
    return {
      about: "order of events",
      predicted: wanted.events.join(", "),
      found: shown === "" ? "none of them" : shown,
      ok: at === wanted.events.length,
    };
  },
  memory(wanted, { machine, resolve }) {
    const at = resolve(wanted.at);
    const { bytes, text, word } = wanted;
    const about = `memory at ${wanted.space} ${hex(at)}`;
    if (word !== undefined) {
      const four = peekBytes(machine, wanted.space, at, 4);
      const value = four === null ? "no memory" : hex(new DataView(four.buffer).getUint32(0, true));
      return plain(about, hex64(toWords(word)), value);
    }
    const want =
      bytes !== undefined ? toBytes(bytes) : Uint8Array.from(text ?? "", (c) => c.charCodeAt(0) & 0xff);
    if (want.length === 0) throw new ScenarioError('a prediction of memory needs "bytes", "text" or "word"');
    const found = peekBytes(machine, wanted.space, at, want.length);
    const show = (some: Uint8Array) =>
      text !== undefined
        ? JSON.stringify(String.fromCharCode(...some))
        : [...some].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return plain(about, show(want), found === null ? "no memory" : show(found));
  },
  register(wanted, { machine: { cpu }, resolve }) {
    const general = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"].indexOf(wanted.name);
    const found =
      general >= 0
        ? cpu.regs[general]!
        : cpu[wanted.name as "eip" | "cr0" | "cr2" | "cr3" | "cr4" | "efer" | "cpl"];
    return plain(wanted.name, hex(resolve(wanted.is)), hex(found >>> 0));
  },
  audit(wanted, { machine }) {
    const { violations } = machine.kvm?.audit() ?? { violations: [] };
    const found = [...new Set(violations.map((one) => one.invariant))].sort();
    const say = (names: readonly string[]) => (names.length === 0 ? "clean" : names.join(", "));
    const first = violations[0];
    const judged = plain("audit", say([...wanted.violated].sort()), say(found));
    return judged.ok || first === undefined
      ? judged
      : { ...judged, found: `${judged.found} (${first.message})` };
  },
  finding(wanted, { findings }) {
    const found = findings.length === 0 ? "none" : findings.join("; ");
    if (wanted.contains === "") return plain("findings", "none", found);
    return {
      about: "findings",
      predicted: `one that says "${wanted.contains}"`,
      found,
      ok: findings.some((text) => text.includes(wanted.contains)),
    };
  },
  changed(wanted, { changes, resolve }) {
    if (changes === null)
      throw new ScenarioError('what changed is predicted behind a step { "do": "compare" }');
    const parts: { predicted: string; found: string }[] = [];
    if (wanted.memory !== undefined) {
      const want = wanted.memory.map(resolve).sort((a, b) => a - b);
      parts.push({
        predicted: someText("words", want.map(hex)),
        found: someText("words", changes.memory.map(hex)),
      });
    }
    if (wanted.sptes !== undefined) parts.push(changedSptes(wanted.sptes, changes.shadow));
    return plain("changed", parts.map((p) => p.predicted).join("; "), parts.map((p) => p.found).join("; "));
  },
  tlb(wanted, { machine, resolve }) {
    const gva = resolve(wanted.gva);
    const holds = machine.cpu.paging
      .entries()
      .some(({ la, size }) => gva >= la >>> 0 && gva < (la >>> 0) + size);
    const say = (there: boolean) => (there ? "a translation" : "no translation");
    return plain(`TLB for ${hex(gva)}`, say(wanted.holds), say(holds));
  },
  serial(wanted, { machine }) {
    const text = String.fromCharCode(...machine.serial.tail(4096));
    const { contains, lacks } = wanted;
    const predicted = [
      ...(contains === undefined ? [] : [`contains ${JSON.stringify(contains)}`]),
      ...(lacks === undefined ? [] : [`lacks ${JSON.stringify(lacks)}`]),
    ].join(", ");
    const ok =
      (contains === undefined || text.includes(contains)) && (lacks === undefined || !text.includes(lacks));
    const found = ok ? predicted : `… ${JSON.stringify(text.slice(-160))}`;
    return { about: "serial output", predicted, found, ok };
  },
  stop: (wanted, { machine }) => {
    const { detail, reason } = machine.stop;
    return {
      about: "stop",
      predicted: wanted.is,
      found: detail === "" ? reason : `${reason} (${detail})`,
      ok: wanted.is === reason,
    };
  },
};

function faultText(fault: { vector?: number; error: number; gva?: number | null }): string {
  const where = fault.gva === undefined || fault.gva === null ? "" : ` at ${hex(fault.gva)}`;
  return fault.vector === 13 ? `#GP(${fault.error})` : `#PF, error ${hex(fault.error)}${where}`;
}

function range(
  about: string,
  wanted: { is?: Count | undefined; atLeast?: Count | undefined; atMost?: Count | undefined },
  found: number,
): Judged {
  const { atLeast, atMost, is } = wanted;
  const parts: string[] = [];
  let ok = true;
  const ask = (bound: Count | undefined, word: string, holds: (n: number) => boolean) => {
    if (bound === undefined) return;
    parts.push(`${word}${toNumber(bound)}`);
    ok &&= holds(toNumber(bound));
  };
  ask(is, "", (n) => found === n);
  ask(atLeast, "at least ", (n) => found >= n);
  ask(atMost, "at most ", (n) => found <= n);
  if (parts.length === 0) throw new ScenarioError(`${about}: say how many`);
  return { about, predicted: parts.join(", "), found: String(found), ok };
}

// ---- sptes ----

function judgeSpte(wanted: PredictionOf<"spte">, e: Evidence): Judged {
  const { about, spte } = spteOf(wanted, e);
  const { machine } = e;
  const words: string[] = [];
  let ok = true;
  const ask = (want: boolean | undefined, yes: string, no: string, is: (there: Spte) => boolean) => {
    if (want === undefined) return;
    words.push(want ? yes : no);
    ok &&= spte !== null && is(spte) === want;
  };
  const bit = (mask: number) => (one: Spte) => (one.low & mask) !== 0;
  const present =
    wanted.present ??
    (wanted.maps !== undefined || wanted.links !== undefined || wanted.writable !== undefined
      ? true
      : undefined);
  if (present === false && (spte === null || !isPresent(spte))) words.push("not present");
  else ask(present, "present", "not present", isPresent);
  if (wanted.maps !== undefined) {
    const gpa = e.resolve(wanted.maps);
    words.push(`maps gpa ${hex(gpa)}`);
    ok &&= spte !== null && isPresent(spte) && mapped(machine, spte) === gpa;
  }
  if (wanted.links !== undefined) {
    const { links } = wanted;
    words.push(`links to ${wantedKeyText(links)}`);
    const key = spte === null ? null : linked(machine, spte);
    ok &&=
      key !== null &&
      (machine.kvm?.shadowPages() ?? []).some(
        (p) => fits(p, links) && p.role.word === key.role && p.gfn === key.gfn,
      );
  }
  ask(wanted.writable, "W", "read-only", bit(0x2));
  ask(wanted.user, "U", "supervisor", bit(0x4));
  ask(wanted.global, "G", "not global", bit(0x100));
  ask(wanted.nx, "NX", "executable", (one) => one.high >>> 31 === 1);
  ask(wanted.mmio, "MMIO mark", "no MMIO mark", (one) => !isPresent(one) && bit(0x200)(one));
  ask(wanted.guestWritable, "bit 10 set", "bit 10 clear", bit(0x400));
  ask(wanted.guestUser, "bit 11 set", "bit 11 clear", bit(0x800));
  if (words.length === 0) throw new ScenarioError(`${about}: say what it is`);
  return {
    about,
    predicted: words.join(", "),
    found: spte === null ? "no such shadow page" : spteText(machine, spte),
    ok,
  };
}

/** The spte that a prediction means; null when its shadow page is not there. */
function spteOf(
  wanted: PredictionOf<"spte">,
  { machine, resolve }: Evidence,
): { about: string; spte: Spte | null } {
  if (wanted.gva !== undefined) {
    const gva = resolve(wanted.gva);
    const level = wanted.level ?? 1;
    const about = `spte of ${hex(gva)} (level ${level})`;
    const root = machine.kvm?.rootHpa ?? -1;
    if (root < 0) return { about, spte: null };
    const base = ({ low }: Spte) => (low & 0x7fff_f000) >>> 0;
    const top = readSpte(machine, root, gva >>> 30, 3);
    if (!isPresent(top) || top.high === 0xffff_ffff) return { about, spte: null };
    const pde = readSpte(machine, base(top), (gva >>> 21) & 511, 2);
    if (level === 2) return { about, spte: pde };
    return { about, spte: isPresent(pde) ? readSpte(machine, base(pde), (gva >>> 12) & 511, 1) : null };
  }
  if (wanted.page === undefined || wanted.index === undefined)
    throw new ScenarioError('a prediction of an spte needs "page" and "index", or "gva"');
  const index = toNumber(wanted.index);
  if (index > 511) throw new ScenarioError("a shadow page has sptes 0 to 511");
  const about = `spte ${index} of ${wantedKeyText(wanted.page)}`;
  const page = findPage(machine, wanted.page);
  return { about, spte: page === undefined ? null : readSpte(machine, page.hpa, index, page.role.level) };
}

function changedSptes(
  wanted: readonly { page: PageKey; index: Count }[],
  { onlyFirst, onlySecond, sptes }: ShadowDifference,
): { predicted: string; found: string } {
  const name = (key: { gfn: number; level: number; quadrant: number }, index: number) =>
    `spte ${index} of gfn ${hex(key.gfn)} level ${key.level} quadrant ${key.quadrant}`;
  const want = wanted.map(({ index, page }) =>
    name({ gfn: toNumber(page.gfn), level: page.level ?? 1, quadrant: page.quadrant ?? 0 }, toNumber(index)),
  );
  const pages = [
    ...onlyFirst.map((key) => `page gfn ${hex(key.gfn)} role ${hex(key.role)} is gone`),
    ...onlySecond.map((key) => `page gfn ${hex(key.gfn)} role ${hex(key.role)} is new`),
  ];
  const found = [...sptes.map(({ index, key }) => name(key, index)), ...pages];
  return { predicted: someText("sptes", want.sort()), found: someText("sptes", found.sort()) };
}

function someText(what: string, names: readonly string[]): string {
  if (names.length === 0) return `no ${what}`;
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return `${names.slice(0, NAMED).join(", ")}${more}`;
}

// ---- guest entries and bytes ----

function entryOf(
  place: PredictionOf<"entry">["entry"],
  { machine, resolve }: Evidence,
): { about: string; low: number; high: number } {
  if ("gpa" in place) {
    const gpa = resolve(place.gpa);
    const wide = place.size === 8;
    return {
      about: `entry at gpa ${hex(gpa)}`,
      low: peek32(machine, gpa),
      high: wide ? peek32(machine, gpa + 4) : 0,
    };
  }
  const level = "pte" in place ? 1 : 2;
  const gva = resolve("pte" in place ? place.pte : place.pde);
  const access = { write: false, user: false, fetch: false };
  const step = walkGuest(machine, machine.guestPaging(), gva, access).steps.find(
    (one: GuestStep) => one.level === level,
  );
  const about = `${level === 1 ? "PTE" : "PDE"} of ${hex(gva)}`;
  if (step === undefined) throw new ScenarioError(`${about}: the guest's tables do not lead there`);
  return { about, low: step.low, high: step.high };
}

export function peekBytes(
  machine: Machine,
  space: "gva" | "gpa" | "hpa",
  at: number,
  length: number,
): Uint8Array | null {
  const { memory, slots } = machine;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const gpa = space === "gva" ? machine.translate((at + i) % 2 ** 32) : at + i;
    const hfn = space === "hpa" ? Math.floor(gpa / PAGE) : gpa < 0 ? -1 : slots.hfnOf(Math.floor(gpa / PAGE));
    if (hfn < 0 || hfn >= memory.frames) return null;
    bytes[i] = memory.bytes[hfn * PAGE + (gpa % PAGE)]!;
  }
  return bytes;
}

// ---- events ----

function eventsOf({ machine, since }: Evidence, kind: number): TraceEvent[] {
  return machine.trace.query(since, Number.POSITIVE_INFINITY, new Set([kind]));
}

type Fields = Readonly<Record<string, string | number | boolean>>;

/** True when the event's fields are as wanted. @throws ScenarioError for a field or a word that does not exist */
export function matches(
  event: TraceEvent,
  where: Fields | undefined,
  resolve: (address: Address) => number,
): boolean {
  return Object.entries(where ?? {}).every(([name, wanted]) => {
    const field = fieldNamed(event.kind, name);
    return Number(eventField(event, name)) === fieldNumber(field, wanted, resolve);
  });
}

function fieldNamed(kind: number, name: string): EventField {
  const { fields, name: event } = EVENT_KINDS[kind]!;
  const field = fields.find((one) => one.name === name);
  if (field !== undefined) return field;
  throw new ScenarioError(
    `event ${event} has no field ${name}; it has ${fields.map((one) => one.name).join(", ")}`,
  );
}

function fieldNumber(
  field: EventField,
  wanted: string | number | boolean,
  resolve: (address: Address) => number,
): number {
  if (typeof wanted !== "string") return Number(wanted);
  if (typeof field.format !== "object") return resolve(wanted);
  const { names } = field.format;
  const at = names.indexOf(wanted);
  if (at < 0) throw new ScenarioError(`${field.name} is one of ${names.join(", ")}, not "${wanted}"`);
  return at;
}

/** Checks the fields of an event before anything runs. @throws ScenarioError */
export function checkFields(
  name: string,
  where: Fields | undefined,
  resolve: (address: Address) => number,
): void {
  const kind = EVENT_KINDS.findIndex((one) => one.name === name);
  for (const [field, wanted] of Object.entries(where ?? {}))
    fieldNumber(fieldNamed(kind, field), wanted, resolve);
}
