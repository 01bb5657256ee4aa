/**
 * Hostile clients: whatever bytes arrive, in whatever pieces, the stub answers with packets, keeps little, never throws,
 * and the lab is afterwards as usable as before.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Deframer, frame, PACKET_SIZE } from "../../core/gdb/framing.ts";
import { textOf } from "../../core/gdb/hex.ts";
import { attach, type Client, labOf } from "../unit/gdb/stub.ts";

/** mov [0x101000], eax; inc eax; push eax; pop ebx; jmp */
const LOOP = [0xa3, 0x00, 0x10, 0x10, 0x00, 0x40, 0x50, 0x5b, 0xeb, 0xf6];

const hexWord = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "1",
    "4",
    "100000",
    "101000",
    "ffffffff",
    "100000000",
    "fffffffff",
    "-1",
    "zz",
    "fffffffffff",
  ),
  fc.integer({ min: 0, max: 0x40_0000 }).map((n) => n.toString(16)),
);
const bytes = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), maxLength: 64 }),
  fc.string({ unit: "binary", maxLength: 32 }),
);
const letter = fc.constantFrom(..."?gGpPmMxXZzcsCSHTDkR!qQvibBaAdrtyIJ_");
const monitorWord = fc.constantFrom(
  ..."help policy audit shadow counters translate stats events symbol xp physical serial reset constructor __proto__ B none C nested on off 0x1000 64 -1 read write fetch user 0xfffffffff 99999999999999999999".split(
    " ",
  ),
);
const asHex = (text: string) =>
  [...text].map((char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");

/** Packets that look like packets: known beginnings, odd ends. */
const packet = fc.oneof(
  fc
    .tuple(
      letter,
      hexWord,
      fc.constantFrom(",", ":", ";", "=", ""),
      hexWord,
      fc.constantFrom(",", ":", ";", ""),
      bytes,
    )
    .map((parts) => parts.join("")),
  fc.tuple(fc.constantFrom(..."mMxX"), hexWord, hexWord, bytes).map(([l, a, n, b]) => `${l}${a},${n}:${b}`),
  fc.tuple(fc.constantFrom(..."Zz"), fc.nat(6), hexWord, hexWord).map(([l, t, a, n]) => `${l}${t},${a},${n}`),
  fc.tuple(fc.constantFrom("P", "p"), fc.nat(70), bytes).map(([l, n, b]) => `${l}${n.toString(16)}=${b}`),
  fc.array(monitorWord, { maxLength: 4 }).map((words) => `qRcmd,${asHex(words.join(" "))}`),
  fc.constantFrom(
    ...[
      "qSupported:swbreak+;hwbreak+;x=y;;",
      "qXfer:features:read:target.xml:0,ffffffff",
      "qXfer:features:read::zz,1",
    ],
    ...[
      "vCont",
      "vCont;",
      "vCont?",
      "vCont;c",
      "vCont;s:1;c",
      "vCont;r1,2",
      "vAttach;1",
      "vRun;a;b",
      "vKill;1",
      "vMustReplyEmpty",
    ],
    ...[
      "QStartNoAckMode",
      "QNonStop:1",
      "Qqemu.PhyMemMode:1",
      "D;1",
      "k",
      "!",
      "R00",
      "qRcmd,",
      "qRcmd,0",
      "qSymbol::",
    ],
  ),
);
const arrival = fc.oneof(
  { weight: 6, arbitrary: packet.map((text) => textOf(frame(text))) },
  { weight: 1, arbitrary: packet.map((text) => `$${text}#00`) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom("+", "-", "--", "\x03", "$", "#", "}", "$}#5d", "$#00") },
);

/** Everything that came back is whole packets. */
function wellFormed(client: Client): void {
  for (const text of client.packets) expect(text.length).toBeLessThanOrEqual(PACKET_SIZE);
}

describe("hostile clients", () => {
  test.each(["none", "B"])("odd packets leave a lab that works, under %s", (policy) => {
    const lab = labOf(LOOP, policy);
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 10, maxLength: 60 }), fc.nat(7), (arrivals, cut) => {
        const client = attach(lab);
        client.ask("?");
        for (const text of arrivals) {
          // In pieces, as a network has them.
          client.raw(text.slice(0, cut));
          client.raw(text.slice(cut));
          client.run(1, 50);
        }
        wellFormed(client);
        client.peer.closed();
        expect(lab.debugger).toEqual({ port: 1234, state: "listening" });
        expect(lab.machine.stop.reason).not.toBe("bug");
        // The next one finds everything as it should be.
        lab.pause();
        lab.restart();
        const next = attach(lab);
        expect(next.ask("?")).toMatch(/^T05/);
        next.ask("vCont;s");
        expect(lab.machine.time).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  test("a packet with any payload is what was sent, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 200 }),
        fc.integer({ min: 1, max: 9 }),
        (raw, size) => {
          const text = [...raw].map((char) => String.fromCharCode(char.charCodeAt(0) & 0xff)).join("");
          const deframer = new Deframer();
          const found: string[] = [];
          const sent = frame(text);
          for (let at = 0; at < sent.length; at += size) {
            deframer.take(sent.subarray(at, at + size), (one) => {
              found.push(one.kind === "packet" ? one.text : one.kind);
              return true;
            });
          }
          expect(found).toEqual([text]);
        },
      ),
    );
  });

  test("bytes without end are not kept", () => {
    const deframer = new Deframer();
    const kinds: string[] = [];
    const megabyte = new Uint8Array(1 << 20).fill(0x61);
    const take = (part: Uint8Array) =>
      deframer.take(part, (one) => {
        kinds.push(one.kind);
        return true;
      });
    take(Uint8Array.of(0x24));
    for (let i = 0; i < 8; i++) take(megabyte);
    expect(JSON.stringify(deframer).length).toBeLessThan(200);
    take(Uint8Array.of(0x23, 0x30, 0x30));
    take(frame("qC"));
    expect(kinds).toEqual(["oversized", "packet"]);
  });
});
