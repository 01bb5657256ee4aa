/**
 * Keyboard controller, keyboard and serial ports in words.
 * Names: IBM PS/2 Hardware Interface Technical Reference; National Semiconductor PC16550D data sheet.
 */
import type { Board } from "../../../devices/board.ts";
import type { SerialPort } from "../../../devices/serial.ts";
import type { DevicePart } from "../../protocol/index.ts";
import { bits, fact, hex, plural, register } from "./words.ts";

// ---- 8042 ----

const LEDS = { 0: "Scroll Lock", 1: "Num Lock", 2: "Caps Lock" };

export function keyboardParts(board: Board): DevicePart[] {
  const state = board.keyboard.save();
  const { output, last, command, outputPort, pending, keyboardPending, queue } = state;
  const from = output < 0 ? 0 : 1 | (state.auxiliary ? 0x20 : 0) | (state.timeout ? 0x40 : 0);
  const status = from | ((command & 4) !== 0 ? 4 : 0) | (state.commandLast ? 8 : 0) | 0x10;
  return [
    {
      title: "Controller",
      registers: [
        register(
          "Status (64)",
          status,
          2,
          bits(status, {
            0: "output buffer full",
            2: "system flag",
            3: "last written was a command",
            4: "not locked",
            5: "from the auxiliary port",
            6: "no answer in time",
          }),
        ),
        register(
          "Command byte",
          command,
          2,
          bits(command, {
            0: "interrupt of the keyboard",
            1: "interrupt of the auxiliary device",
            2: "system flag",
            4: "keyboard disabled",
            5: "auxiliary device disabled",
            6: "translates to set 1",
          }),
        ),
        output >= 0
          ? register("Output buffer (60)", output, 2, "waits to be read")
          : register("Output buffer (60)", last, 2, "was read"),
        register(
          "Output port",
          outputPort,
          2,
          bits(outputPort, { 0: "processor runs", 1: "A20 open", 4: "output buffer full" }),
        ),
        fact("Command", pending === 0 ? "none waits for its byte" : `${hex(pending, 2)} waits for its byte`),
      ],
    },
    {
      title: "Keyboard",
      registers: [
        fact("Scanning", state.scanning ? "on" : "off: keys are lost"),
        fact("Scan code set", String(state.scanSet)),
        register("LEDs", state.leds, 1, bits(state.leds, LEDS, "dark")),
        fact(
          "Buffer",
          queue.length === 0
            ? "empty"
            : `${plural(queue.length, "byte")}: ${queue
                .slice(0, 16)
                .map((byte) => hex(byte, 2))
                .join(" ")}${queue.length > 16 ? " …" : ""}`,
        ),
        fact(
          "Command",
          keyboardPending === 0 ? "none waits for its byte" : `${hex(keyboardPending, 2)} waits for its byte`,
        ),
      ],
    },
  ];
}

export function keyboardSummary(board: Board): string {
  const { scanning, leds, command } = board.keyboard.save();
  const { waiting } = board.keyboard;
  const ears = !scanning ? "does not scan" : (command & 0x10) !== 0 ? "disabled" : "scans";
  return `${ears}; ${waiting === 0 ? "nothing waits" : `${plural(waiting, "byte")} wait`}; LEDs: ${bits(leds, LEDS, "dark")}`;
}

// ---- 16550 ----

interface UartRegisters {
  readonly registers: Uint8Array;
  /** Bytes that the guest has not read. */
  readonly waiting: number;
}

const STOP_BITS = ["1", "1.5 or 2"];
const PARITY = ["odd", "even", "mark", "space"];

function uartPart({ registers, waiting }: UartRegisters, modem: number | null): DevicePart[] {
  const [ier, fcr, lcr, mcr, scratch, low, high, overrun, empty] = registers;
  const lsr = 0x60 | overrun! | (waiting > 0 ? 1 : 0);
  const divisor = low! | (high! << 8);
  const parity = (lcr! & 8) === 0 ? "no parity" : `${PARITY[(lcr! >> 4) & 3]} parity`;
  const baud = divisor === 0 ? "no rate" : `${Math.round(115_200 / divisor)} baud`;
  return [
    {
      title: "",
      registers: [
        fact("RBR", waiting === 0 ? "nothing to read" : `${plural(waiting, "byte")} to be read`),
        register(
          "IER",
          ier!,
          2,
          bits(
            ier!,
            { 0: "received data", 1: "transmitter empty", 2: "line status", 3: "modem status" },
            "no interrupts",
          ),
        ),
        fact("IIR", empty === 0 ? "the transmitter was served" : "the transmitter has become empty"),
        register(
          "FCR",
          fcr!,
          2,
          (fcr! & 1) === 0 ? "FIFOs off" : `FIFOs on, trigger at ${[1, 4, 8, 14][fcr! >> 6]}`,
        ),
        register(
          "LCR",
          lcr!,
          2,
          `${(lcr! & 3) + 5} bits, ${parity}, ${STOP_BITS[(lcr! >> 2) & 1]} stop bits${(lcr! & 0x80) !== 0 ? "; DLAB" : ""}`,
        ),
        register("MCR", mcr!, 2, bits(mcr!, { 0: "DTR", 1: "RTS", 2: "OUT1", 3: "OUT2", 4: "loop" })),
        register(
          "LSR",
          lsr,
          2,
          bits(lsr, { 0: "data ready", 1: "overrun", 5: "THR empty", 6: "transmitter empty" }),
        ),
        ...(modem === null
          ? []
          : [register("MSR", modem, 2, bits(modem, { 4: "CTS", 5: "DSR", 6: "RI", 7: "DCD" }))]),
        register("SCR", scratch!, 2),
        register("Divisor", divisor, 4, baud),
      ],
    },
  ];
}

export function com1Parts(serial: SerialPort): DevicePart[] {
  return uartPart({ registers: serial.registers, waiting: serial.waiting }, null);
}

export function com1Summary(serial: SerialPort): string {
  return `${plural(serial.total, "byte")} sent; ${serial.waiting === 0 ? "nothing" : plural(serial.waiting, "byte")} to be read; shown in Console`;
}

export function com2Parts(board: Board): DevicePart[] {
  const { registers } = board.com2.save();
  return uartPart({ registers, waiting: board.com2.waiting }, registers[10]! | registers[9]!);
}

export function com2Summary(board: Board): string {
  const { waiting } = board.com2;
  return `nothing hangs on it; ${waiting === 0 ? "nothing" : plural(waiting, "byte")} to be read`;
}
