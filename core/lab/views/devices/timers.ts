/**
 * The timer and the clock in words. Both are looked at without being touched: counts are worked out on a copy.
 * Names: Intel 82C54 and Motorola MC146818 data sheets.
 */
import type { Board } from "../../../devices/board.ts";
import { ticksAt, UNITS_PER_SECOND } from "../../../devices/clock.ts";
import { PIT_HERTZ, PitChannel, type PitChannelState } from "../../../devices/pit.ts";
import { dateOf, Rtc, type RtcState } from "../../../devices/rtc.ts";
import type { DevicePart } from "../../protocol/index.ts";
import { bits, fact, hex, plural, register } from "./words.ts";

// ---- 8254 ----

const MODES = [
  "interrupt on terminal count",
  "hardware retriggerable one-shot",
  "rate generator",
  "square wave",
  "software triggered strobe",
  "hardware triggered strobe",
];
const ACCESS = ["latch", "low byte", "high byte", "low byte, then high byte"];
const USES = ["IRQ 0", "memory refresh", "speaker"];

const rate = (count: number): string => `${(PIT_HERTZ / count).toFixed(count > 10_000 ? 2 : 1)} Hz`;

function channelPart(state: PitChannelState, index: number, tick: number): DevicePart {
  const copy = new PitChannel();
  copy.load({ ...state, latched: -1 });
  copy.latchCount(tick);
  const now = copy.state;
  const output = copy.output(tick);
  const periodic = state.mode === 2 || state.mode === 3;
  const count =
    now.count === 0
      ? "none was written since the mode was"
      : `${plural(now.count, "tick")}${periodic ? `, ${rate(now.count)}` : ""}${state.bcd ? ", in BCD" : ""}`;
  const waits = [
    state.latched >= 0 ? `latched count ${hex(state.latched, 4)}` : "",
    state.status >= 0 ? `latched status ${hex(state.status, 2)}` : "",
    state.half >= 0 ? `low byte ${hex(state.half, 2)} waits for its high byte` : "",
    now.next !== 0 ? `${now.next} takes over at the period's end` : "",
  ].filter((text) => text !== "");
  return {
    title: `Counter ${index} (port ${hex(0x40 + index, 2)}, ${USES[index]})`,
    registers: [
      fact("Mode", `${state.mode}, ${MODES[state.mode]}`),
      fact("Access", ACCESS[state.access]!),
      register("Count", now.count & 0xffff, 4, count),
      register("Counting element", now.latched, 4, state.begin < 0 ? "does not count" : ""),
      fact("OUT", output ? "high" : "low"),
      fact("GATE", state.gate ? "high" : "low"),
      ...(waits.length === 0 ? [] : [fact("Waits", waits.join("; "))]),
    ],
  };
}

export function pitParts(board: Board, time: number): DevicePart[] {
  const { channels, portB } = board.pit.save();
  const tick = ticksAt(time, PIT_HERTZ);
  return [
    ...channels.map((channel, index) => channelPart(channel, index, tick)),
    {
      title: "System control port B (61)",
      registers: [
        register(
          "Port 61",
          portB,
          2,
          bits(portB, {
            0: "gate of counter 2 open",
            1: "speaker on",
            2: "parity check off",
            3: "I/O check off",
          }),
        ),
      ],
    },
  ];
}

export function pitSummary(board: Board): string {
  const { channels, portB } = board.pit.save();
  const [first] = channels;
  if (first === undefined || first.begin < 0) return "counter 0 does not count";
  const pace = first.mode === 2 || first.mode === 3 ? rate(first.count) : MODES[first.mode]!;
  return `counter 0: ${pace}${(portB & 3) === 3 ? "; the speaker sounds" : ""}`;
}

// ---- MC146818 ----

const CMOS_NAMES: Readonly<Record<number, string>> = {
  16: "Floppy drives",
  18: "Hard disks",
  20: "Equipment",
  21: "Base memory, low",
  22: "Base memory, high",
  23: "Extended memory, low",
  24: "Extended memory, high",
  46: "Checksum, high",
  47: "Checksum, low",
  48: "Extended memory found, low",
  49: "Extended memory found, high",
  50: "Century",
  52: "Memory above 16 MiB, low",
  53: "Memory above 16 MiB, high",
  61: "Order of booting",
};
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const two = (value: number): string => String(value).padStart(2, "0");

/** The date and time that the clock tells, as a person writes them. */
function dateText(state: RtcState, time: number): string {
  const b = state.cmos[11]!;
  const running = (b & 0x80) === 0 && (state.cmos[10]! & 0x70) === 0x20;
  const now = running ? state.date + Math.floor((time - state.since) / UNITS_PER_SECOND) : state.date;
  const days = Math.floor(now / 86_400);
  const second = now - days * 86_400;
  const { year, month, day, weekday } = dateOf(days);
  const clock = [second / 3600, (second / 60) % 60, second % 60]
    .map((part) => two(Math.floor(part)))
    .join(":");
  return `${WEEKDAYS[weekday]}, ${year}-${two(month)}-${two(day)} ${clock}${running ? "" : " (stands still)"}`;
}

export function rtcParts(board: Board, time: number): DevicePart[] {
  const state = board.rtc.save();
  // Flags that interrupt nobody are set when register C is read.
  const copy = new Rtc({ time }, () => {});
  copy.load(state);
  copy.advance(time);
  const { index } = state;
  const { cmos } = copy.save();
  const a = cmos[10]!;
  const rateSelect = a & 15;
  const hertz = rateSelect === 0 ? 0 : 32_768 / 2 ** (rateSelect <= 2 ? rateSelect + 6 : rateSelect - 1);
  const word = (low: number): number => cmos[low]! | (cmos[low + 1]! << 8);
  const any = (value: number): string => (value >= 0xc0 ? "any" : hex(value, 2));
  return [
    {
      title: "Clock",
      registers: [
        fact("Date", dateText(state, time)),
        fact("Alarm", `${any(cmos[5]!)}:${any(cmos[3]!)}:${any(cmos[1]!)}, as coded`),
        register("Index (70)", index, 2, "register that port 71 shows"),
        register(
          "Register A",
          a,
          2,
          `${(a & 0x70) === 0x20 ? "32.768 kHz time base" : "divider stopped"}; periodic rate ${hertz === 0 ? "none" : `${hertz} Hz`}`,
        ),
        register(
          "Register B",
          cmos[11]!,
          2,
          bits(cmos[11]!, {
            7: "SET",
            6: "periodic interrupt",
            5: "alarm interrupt",
            4: "update-ended interrupt",
            3: "square wave",
            2: "binary",
            1: "24 hours",
            0: "daylight saving",
          }),
        ),
        register(
          "Register C",
          cmos[12]!,
          2,
          bits(cmos[12]!, { 7: "IRQ 8", 6: "periodic", 5: "alarm", 4: "update ended" }, "nothing happened"),
        ),
        register(
          "Register D",
          cmos[13]!,
          2,
          (cmos[13]! & 0x80) !== 0 ? "RAM and time are valid" : "battery low",
        ),
      ],
    },
    {
      title: "CMOS memory",
      registers: [
        fact("Base memory", `${word(0x15)} KiB`),
        fact("Extended memory", `${word(0x17)} KiB`),
        fact("Memory above 16 MiB", `${word(0x34) * 64} KiB`),
        ...Array.from(cmos, (value, at) => ({ value, at }))
          .filter(({ value, at }) => at >= 14 && (value !== 0 || CMOS_NAMES[at] !== undefined))
          .map(({ value, at }) => register(hex(at, 2), value, 2, CMOS_NAMES[at] ?? "")),
      ],
    },
  ];
}

export function rtcSummary(board: Board, time: number): string {
  return dateText(board.rtc.save(), time);
}
