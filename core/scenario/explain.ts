/**
 * Why two machines differ: the shadow entry that the guest's difference comes from, what each machine has there, and
 * the event that made it so, with the instruction behind it.
 */
import type { Machine } from "../machine/machine.ts";
import { peek32 } from "../machine/peek/guest-walk.ts";
import {
  EV_NESTED_FAULT,
  EV_PTE_WRITE,
  EV_PTE_WRITE_PAGE,
  EV_SPTE_CLEAR,
  EV_SPTE_SET,
  PTE_WRITE_VERDICT,
} from "../trace/events.ts";
import type { Trace, TraceEvent } from "../trace/trace.ts";
import { decode } from "../x86/isa/decode.ts";
import { disassemble } from "../x86/isa/disasm.ts";
import { eventText, momentText } from "./event-text.ts";
import { hostLeafText, hostPlace } from "./host-tables.ts";
import { peekBytes } from "./judge.ts";
import type { Difference, LockStep } from "./lockstep.ts";
import {
  findPage,
  isPresent,
  keyOf,
  keyText,
  mapped,
  type PlainKey,
  readSpte,
  type SpteChange,
  spteText,
} from "./shadow.ts";
import { hex } from "./values.ts";

const INSTRUCTION = 15;
/** Events before the difference that an explanation looks through. */
const LOOKED = 200_000;
const LISTED = 12;
const LOOKED_FOR = new Set([EV_SPTE_SET, EV_SPTE_CLEAR, EV_PTE_WRITE_PAGE, EV_PTE_WRITE, EV_NESTED_FAULT]);

export interface Cause {
  readonly seq: number;
  readonly time: number;
  readonly eip: number;
  readonly text: string;
}

export interface DifferingEntry {
  readonly key: PlainKey;
  readonly index: number;
  readonly about: string;
  readonly first: string;
  readonly second: string;
  /** The last event of each machine that changed the entry, or null. */
  readonly causes: readonly [Cause | null, Cause | null];
}

export interface Explanation {
  /** What differs, one line each: "EAX: 0x1 under B, 0x2 under D". */
  readonly what: readonly string[];
  /** Since when: the instruction, and the input when one made it. */
  readonly since: string;
  readonly instruction: string;
  /** Why, in sentences. */
  readonly why: readonly string[];
  /** Shadow entries that differ, those first that the guest's difference can come from. */
  readonly entries: readonly DifferingEntry[];
  /** Keys of shadow pages that one of them has alone. */
  readonly onlyFirst: readonly string[];
  readonly onlySecond: readonly string[];
}

export function explain(lockStep: LockStep, names: readonly [string, string]): Explanation {
  const { difference, first, second } = lockStep;
  if (difference === null) throw new Error("there is no difference to explain");
  const { differing, eip, label, shadow, time } = difference;
  const instruction = instructionAt(first, eip);
  const entries =
    first.kvm === null || second.kvm === null
      ? brokenEntries(first, second)
      : rank(shadow.sptes, first, second)
          .slice(0, LISTED)
          .map((change) => describe(change, first, second));
  const what =
    difference.kind === "shadow"
      ? shadowLines(difference, entries, names)
      : differing.map(
          (one) => `${one.what}: ${one.first} under ${names[0]}, ${one.second} under ${names[1]}`,
        );
  const by =
    label === "" ? `the instruction at ${hex(eip)}${instruction === "" ? "" : `: ${instruction}`}` : label;
  return {
    what,
    since: `time ${time}, behind ${by}`,
    instruction,
    why: reasons(difference, entries, lockStep, names),
    entries,
    onlyFirst: shadow.onlyFirst.map(keyText),
    onlySecond: shadow.onlySecond.map(keyText),
  };
}

function shadowLines(
  { shadow }: Difference,
  entries: readonly DifferingEntry[],
  names: readonly [string, string],
): string[] {
  const lines = entries.map(
    (one) => `${one.about}: ${one.first} under ${names[0]}, ${one.second} under ${names[1]}`,
  );
  for (const { after, before, gfn } of shadow.host.slice(0, LISTED))
    lines.push(
      `${hostPlace(gfn)}: ${hostLeafText(before)} under ${names[0]}, ${hostLeafText(after)} under ${names[1]}`,
    );
  for (const key of shadow.onlyFirst) lines.push(`${keyText(key)}: only under ${names[0]}`);
  for (const key of shadow.onlySecond) lines.push(`${keyText(key)}: only under ${names[1]}`);
  return lines;
}

/** Leaves that map different frames first: from them a guest reads different bytes; then other leaves, then links. */
function rank(sptes: readonly SpteChange[], first: Machine, second: Machine): readonly SpteChange[] {
  const weight = ({ after, before, key }: SpteChange): number => {
    if (key.level > 1) return 3;
    if (!isPresent(before) || !isPresent(after)) return 2;
    return mapped(first, before) !== mapped(second, after) ? 0 : 1;
  };
  return sptes.toSorted((a, b) => weight(a) - weight(b));
}

function describe(
  { after, before, index, key }: SpteChange,
  first: Machine,
  second: Machine,
): DifferingEntry {
  return {
    key,
    index,
    about: `spte ${index} of ${keyText(key)}`,
    first: spteText(first, before),
    second: spteText(second, after),
    causes: [causeOf(first, key, index), causeOf(second, key, index)],
  };
}

/** Beside a bare machine: the entries that the audit finds wrong, which the guest's own tables contradict. */
function brokenEntries(first: Machine, second: Machine): DifferingEntry[] {
  const side = first.kvm === null ? second : first;
  const found: DifferingEntry[] = [];
  for (const { index, page: hpa } of side.kvm?.audit().violations ?? []) {
    const page = side.kvm?.shadowPages().find((one) => one.hpa === hpa);
    if (page === undefined || index === undefined || found.length >= LISTED) continue;
    if (
      found.some((one) => one.key.role === page.role.word && one.key.gfn === page.gfn && one.index === index)
    )
      continue;
    const key = keyOf(page);
    const text = spteText(side, readSpte(side, page.hpa, index, page.role.level));
    const own = key.level === 1 ? guestEntryText(side, key, index) : "the guest's own tables";
    const cause = causeOf(side, key, index);
    found.push({
      key,
      index,
      about: `spte ${index} of ${keyText(key)}`,
      first: side === first ? text : own,
      second: side === second ? text : own,
      causes: side === first ? [cause, null] : [null, cause],
    });
  }
  return found;
}

/** What the guest's table says where a leaf spte stands. */
function guestEntryText(machine: Machine, key: PlainKey, index: number): string {
  const wide = (key.role & 15) > 2;
  const entry = wide ? index : key.quadrant * 512 + index;
  const value = peek32(machine, key.gfn * 4096 + entry * (wide ? 8 : 4));
  return `the guest's entry ${entry}: ${hex(value)}`;
}

/** The last event that set or cleared an spte. */
function causeOf(machine: Machine, key: PlainKey, index: number): Cause | null {
  const page = findPage(machine, { gfn: key.gfn, role: key.role });
  if (page === undefined) return null;
  const { trace } = machine;
  const event = last(trace, (one) => {
    const set = one.kind === EV_SPTE_SET || one.kind === EV_SPTE_CLEAR;
    return set && one.words[0]! >>> 0 === page.hpa && one.words[1] === index;
  });
  if (event === null) return null;
  const { eip, seq, time } = event;
  return { seq, time, eip, text: eventText(event) };
}

function last(trace: Trace, wanted: (event: TraceEvent) => boolean): TraceEvent | null {
  const oldest = Math.max(trace.oldest, trace.count - LOOKED);
  for (let seq = trace.count - 1; seq >= oldest; seq--) {
    const kind = trace.kindAt(seq);
    if (!LOOKED_FOR.has(kind)) continue;
    const event = trace.at(seq);
    if (event !== undefined && wanted(event)) return event;
  }
  return null;
}

function reasons(
  difference: Difference,
  entries: readonly DifferingEntry[],
  lockStep: LockStep,
  names: readonly [string, string],
): string[] {
  const [entry] = entries;
  if (difference.kind === "shadow" && difference.shadow.host.length > 0)
    return hostReasons(difference.shadow.host[0]!.gfn, lockStep, names);
  if (entry === undefined) {
    if (lockStep.first.kvm === null && lockStep.second.kvm === null)
      return [
        "Neither has a shadow: the two differ in what the TLB or a page-walk cache still holds, in when a walk set A or D, or in how an exit was answered.",
      ];
    if (difference.shadow.onlyFirst.length + difference.shadow.onlySecond.length > 0)
      return ["One of them has shadow pages that the other has not (listed above)."];
    return [
      "The shadows hold the same: the two differ in what the TLB still holds, in when a walk set A or D, or in how an exit was answered.",
    ];
  }
  const said = [
    `${capital(entry.about)}: under ${names[0]} it ${verb(entry.first)}, under ${names[1]} it ${verb(entry.second)}.`,
  ];
  // The side whose entry changed last went another way than the one that left it alone.
  entry.causes.forEach((cause, side) => {
    if (cause === null) return;
    const write = writeBehind(side === 0 ? lockStep.first : lockStep.second, cause);
    const machine = `Under ${names[side]}`;
    said.push(`${machine} the entry was last changed ${momentText(cause)}: ${cause.text}${write}.`);
  });
  const apart = skippedThere(entry, lockStep, names);
  if (apart !== "") said.push(apart);
  return said;
}

/** Which walk had a guest frame mapped, on each side. */
function hostReasons(gfn: number, { first, second }: LockStep, names: readonly [string, string]): string[] {
  return [first, second].map((machine, side) => {
    const place = `${hostPlace(gfn)} was`;
    const event = last(
      machine.trace,
      ({ kind, words }) =>
        kind === EV_NESTED_FAULT && (words[2]! >>> 0) * 2 ** 20 + (words[1]! >>> 12) === gfn,
    );
    return event === null
      ? `Under ${names[side]} ${place} not met by any walk: a TLB entry or a page-walk cache led elsewhere.`
      : `Under ${names[side]} ${place} mapped ${momentText(event)}: ${eventText(event)}.`;
  });
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const verb = (text: string): string => (/^(maps|links)/.test(text) ? text : `is ${text}`);

/** The guest's write that an spte's change followed from: the nearest pte_write before it at the same time. */
function writeBehind(machine: Machine, cause: Cause): string {
  const { trace } = machine;
  if (!/why (pte_write|update_pte)/.test(cause.text)) return "";
  for (let seq = cause.seq - 1; seq >= Math.max(trace.oldest, cause.seq - 64); seq--) {
    const event = trace.at(seq);
    if (event === undefined || event.time !== cause.time) return "";
    if (event.kind === EV_PTE_WRITE) return `; the guest had written: ${eventText(event)}`;
  }
  return "";
}

/** What the two said about the entry's page when it was written: touched by one, skipped by the other. */
function skippedThere(
  entry: DifferingEntry,
  { first, second }: LockStep,
  names: readonly [string, string],
): string {
  const verdicts = [first, second].map((machine) => {
    const page = findPage(machine, { gfn: entry.key.gfn, role: entry.key.role });
    const time = Math.max(entry.causes[0]?.time ?? 0, entry.causes[1]?.time ?? 0);
    const event = last(
      machine.trace,
      (one) => one.kind === EV_PTE_WRITE_PAGE && one.words[0]! >>> 0 === page?.hpa && one.time === time,
    );
    return event === null ? null : PTE_WRITE_VERDICT[event.words[2]!]!;
  });
  const [one, other] = verdicts;
  if (one === null || other === null || one === undefined || other === undefined || one === other) return "";
  return `kvm_mmu_pte_write met this shadow page and went two ways: ${one} under ${names[0]}, ${other} under ${names[1]}.`;
}

function instructionAt(machine: Machine, eip: number): string {
  const linear = (eip + machine.cpu.csBase) >>> 0;
  for (let length = INSTRUCTION; length > 0; length--) {
    const bytes = peekBytes(machine, "gva", linear, length);
    if (bytes === null) continue;
    const insn = decode(bytes, 0, length, machine.cpu.csBig);
    return insn === null ? "" : disassemble(insn, eip);
  }
  return "";
}
