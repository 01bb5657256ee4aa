/**
 * Messages that are none: one field of a right message missing, of a wrong type, out of range or unknown; other
 * values altogether. Made from a seed, so that a failure comes back. None of them is right by chance.
 */
import { COST_TABLES } from "../../../core/experiment/cost.ts";
import { type ClientMessage, parseClientMessage } from "../../../core/lab/protocol/index.ts";

const RIGHT: ClientMessage[] = [
  { type: "command", id: 1e9, command: { name: "step", count: 1 } },
  { type: "command", id: 1e9, command: { name: "runTo", address: 0x1000 } },
  { type: "command", id: 1e9, command: { name: "breakpoint", address: 0x1000, on: true } },
  { type: "command", id: 1e9, command: { name: "loadGuest", guest: "quadrant" } },
  { type: "command", id: 1e9, command: { name: "setPolicy", policy: "B" } },
  { type: "command", id: 1e9, command: { name: "setTlb", tlb: "vmx" } },
  { type: "command", id: 1e9, command: { name: "setAudit", audit: "every" } },
  {
    type: "command",
    id: 1e9,
    command: { name: "edit", space: "gpa", as: "emulator", address: 0x1000, size: 4, low: 0, high: 0 },
  },
  {
    type: "command",
    id: 1e9,
    command: { name: "startExperiment", experiment: "nanobench", costs: [COST_TABLES[0]!] },
  },
  { type: "view", view: 1e9, request: { kind: "memory", space: "gva", address: 0, length: 16 } },
  { type: "view", view: 1e9, request: { kind: "walk", gva: 0, access: "read", user: false } },
  { type: "view", view: 1e9, request: { kind: "events", kinds: [], most: 10, before: null } },
  { type: "close", view: 1e9 },
  { type: "ack", seq: 1e9 },
];

/** Values that are wrong in some place; which is right somewhere is sorted out by asking the parser. */
const WRONG: unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 53,
  2 ** 60,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "",
  "quadrant\u0000",
  "x".repeat(10_000),
  "__proto__",
  [],
  [[[[[]]]]],
  {},
  { toString: 1 },
  { constructor: { prototype: {} } },
  new Date(0),
];

export function malformedMessages(count: number): unknown[] {
  let state = 0x51d3_0c7d;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;

  const messages: unknown[] = [];
  while (messages.length < count) {
    const message = below(12) === 0 ? pick(WRONG) : mutate(structuredClone(pick(RIGHT)), below, pick);
    if (!parseClientMessage(message).ok) messages.push(message);
  }
  return messages;
}

function mutate(message: unknown, below: (n: number) => number, pick: <T>(list: readonly T[]) => T): unknown {
  let record = message as Record<string, unknown>;
  const inner = Object.values(record).filter((value) => typeof value === "object" && value !== null);
  if (inner.length > 0 && below(3) > 0) record = pick(inner) as Record<string, unknown>;
  const keys = Object.keys(record);
  switch (below(3)) {
    case 0:
      delete record[pick(keys)];
      break;
    case 1:
      record[pick(keys)] = pick(WRONG);
      break;
    default:
      record[pick(["extra", "Type", "0", "length", "then"])] = pick(WRONG);
  }
  return message;
}
