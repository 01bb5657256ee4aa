/**
 * What is left of the board in words: PCI, A20 and reset, POST, debug console and exit.
 * Names: PCI Local Bus Specification 2.1, 6.1; IBM PS/2 technical references for ports 80 and 92.
 */
import type { Pc } from "../../../machine/pc.ts";
import type { DevicePart } from "../../protocol/index.ts";
import { bits, fact, hex, numbers, register } from "./words.ts";

/** Characters of the debug console that are shown. */
const DEBUG_SHOWN = 400;

export function pciParts({ board }: Pc): DevicePart[] {
  const { address, bridge } = board.pci.save();
  const word = (at: number): number => bridge[at]! | (bridge[at + 1]! << 8);
  const own = Array.from(bridge, (value, at) => ({ value, at })).filter(
    ({ value, at }) => at >= 0x40 && value !== 0,
  );
  return [
    {
      title: "Configuration mechanism 1",
      registers: [
        register(
          "CONFIG_ADDRESS (CF8)",
          address,
          8,
          `${address < 0 ? "enabled" : "disabled"}; bus ${(address >> 16) & 0xff}, device ${(address >> 11) & 31}, function ${(address >> 8) & 7}, register ${hex(address & 0xfc, 2)}`,
        ),
      ],
    },
    {
      title: "0:0.0 host bridge",
      registers: [
        register("Vendor ID", word(0), 4, "Intel"),
        register("Device ID", word(2), 4, "82441FX"),
        register(
          "Command",
          word(4),
          4,
          bits(word(4), { 0: "I/O space", 1: "memory space", 2: "bus master" }),
        ),
        register("Status", word(6), 4, bits(word(6), { 7: "fast back-to-back" }, "")),
        register("Revision ID", bridge[8]!, 2),
        register("Class code", word(0x0a), 4, "bridge, host"),
        register("Latency timer", bridge[0x0d]!, 2),
        ...own.map(({ value, at }) => register(`Register ${hex(at, 2)}`, value, 2)),
      ],
    },
  ];
}

export function pciSummary({ board }: Pc): string {
  const { address } = board.pci.save();
  return `one bus with the host bridge 8086:1237; address register ${hex(address, 8)}`;
}

export function controlParts({ board }: Pc): DevicePart[] {
  const { fastA20, keyboardA20, resetControl, ferr, lines } = board.switches;
  return [
    {
      title: "",
      registers: [
        fact("A20", board.a20 ? "open: addresses as they are" : "closed: bit 20 of every address is 0"),
        fact("8042's gate", keyboardA20 ? "open" : "closed"),
        register("System control port A (92)", fastA20, 2, bits(fastA20, { 0: "fast reset", 1: "A20 open" })),
        register(
          "Reset control (CF9)",
          resetControl,
          2,
          bits(resetControl, { 1: "hard reset", 2: "reset" }, "no reset"),
        ),
        fact("FERR# latch (F0)", ferr ? "an x87 exception waits on IRQ 13" : "clear"),
        register("ISA lines", lines, 4, `high: ${numbers(lines)}`),
      ],
    },
  ];
}

export function controlSummary({ board }: Pc): string {
  const { lines } = board.switches;
  return `A20 ${board.a20 ? "open" : "closed"}; interrupt lines high: ${numbers(lines)}`;
}

/** What was written to the debug console, one character a byte; control characters but the line's end as dots. */
function debugText(pc: Pc): string {
  return Array.from(pc.debugTail(DEBUG_SHOWN), (byte) =>
    byte === 10 || (byte >= 32 && byte < 127) ? String.fromCharCode(byte) : byte === 13 ? "" : "·",
  ).join("");
}

export function diagnosticParts(pc: Pc): DevicePart[] {
  const { value } = pc.board.post;
  const text = debugText(pc);
  return [
    {
      title: "",
      registers: [
        register("POST code (80)", value, 2),
        fact("Debug console (E9)", text === "" ? "nothing was written" : text),
        pc.exited < 0
          ? fact("Debug exit (F4)", "was not written to")
          : register("Debug exit (F4)", pc.exited, 2, "stopped the machine"),
      ],
    },
  ];
}

export function diagnosticSummary(pc: Pc): string {
  const lines = debugText(pc).split("\n");
  const last = lines.findLast((line) => line.trim() !== "");
  const post = `POST code ${hex(pc.board.post.value, 2)}`;
  return last === undefined
    ? `${post}; nothing on the debug console`
    : `${post}; debug console: ${last.slice(-80)}`;
}
