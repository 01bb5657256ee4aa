/** 1000 malformed messages: each is refused in words, changes nothing, and a right request behind it is answered. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Host } from "../../../core/host/index.ts";
import { Lab } from "../../../core/lab/index.ts";
import { type HostMessage, parseClientMessage } from "../../../core/lab/protocol/index.ts";
import { snapshotToBytes, takeSnapshot } from "../../../core/machine/snapshot.ts";

const RIGHT = [
  { type: "command", id: 1, command: { name: "step", count: 3 } },
  {
    type: "command",
    id: 1,
    command: { name: "edit", space: "gva", as: "guest0", address: 0, size: 4, low: 0, high: 0 },
  },
  { type: "command", id: 1, command: { name: "loadGuest", guest: "quadrant", config: { memory: 4 << 20 } } },
  { type: "command", id: 1, command: { name: "serialInput", bytes: new Uint8Array(3) } },
  { type: "command", id: 1, command: { name: "setAudit", audit: "every", findings: "stop" } },
  { type: "view", view: 1, request: { kind: "memory", space: "gpa", address: 0, length: 16 } },
  { type: "view", view: 1, request: { kind: "walk", gva: 0, access: "read", user: false } },
  { type: "view", view: 1, request: { kind: "events", kinds: [], most: 10, before: null } },
  { type: "close", view: 1 },
  { type: "ack", seq: 1 },
];

/** Values that fit nowhere. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    Number.NaN,
    -1,
    1.5,
    2 ** 60,
    "",
    "x",
    true,
    [],
    {},
    () => 1,
    Symbol("s"),
  ),
  fc.anything(),
);

/** A right message with one thing wrong: a value replaced, a member missing, or one too many. */
const damaged = fc
  .tuple(fc.constantFrom(...RIGHT), fc.nat(), fc.constantFrom("replace", "drop", "add"), odd)
  .map(([message, pick, how, value]) => {
    const copy = structuredClone(message) as Record<string, unknown>;
    const holders: Record<string, unknown>[] = [copy];
    for (const holder of holders) {
      for (const inner of Object.values(holder)) {
        const plain =
          typeof inner === "object" && inner !== null && !ArrayBuffer.isView(inner) && !Array.isArray(inner);
        if (plain) holders.push(inner as Record<string, unknown>);
      }
    }
    const holder = holders[pick % holders.length]!;
    const keys = Object.keys(holder);
    const key = keys[(pick >>> 3) % keys.length]!;
    if (how === "drop") delete holder[key];
    else if (how === "add") holder.surplus = value;
    else holder[key] = value;
    return copy as unknown;
  });

test("1000 malformed messages", () => {
  const lab = new Lab({ traceCapacity: 1 << 10 });
  const posted: HostMessage[] = [];
  const port = {
    post: (m: HostMessage) => posted.push(m),
    onmessage: null as ((data: unknown) => void) | null,
  };
  new Host(lab, { port, now: () => 0, soon: () => {}, after: () => {} }).start();
  const before = snapshotToBytes(takeSnapshot(lab.machine));
  let id = 100;
  let refused = 0;
  const malformed = fc.oneof({ weight: 1, arbitrary: fc.anything() }, { weight: 4, arbitrary: damaged });
  for (const message of fc.sample(malformed, { numRuns: 1400, seed: 20070501 })) {
    if (parseClientMessage(message).ok) continue;
    posted.length = 0;
    port.onmessage!(message);
    const answer = posted.find((m) => m.type === "refused" || (m.type === "reply" && !m.ok));
    expect(answer, "an answer").toBeDefined();
    const text =
      answer!.type === "refused"
        ? answer!.error
        : answer!.type === "reply" && !answer!.ok
          ? answer!.error
          : "";
    expect(text).toMatch(/[a-z]{2,}/i);
    refused++;
    posted.length = 0;
    port.onmessage!({ type: "command", id, command: { name: "describe" } });
    expect(posted.find((m) => m.type === "reply")).toMatchObject({ id: id++, ok: true });
  }
  expect(refused).toBeGreaterThanOrEqual(1000);
  expect(Buffer.compare(snapshotToBytes(takeSnapshot(lab.machine)), before)).toBe(0);
});
