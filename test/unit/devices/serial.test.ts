/** The serial port as a guest sees it through its registers, and as a snapshot keeps it. */
import { describe, expect, test } from "vitest";
import { COM1_PORT, COM1_PORTS, PortBus, SerialPort } from "../../../core/devices/index.ts";

function wired() {
  const lines: boolean[] = [];
  const sent: number[] = [];
  const serial = new SerialPort(
    (level) => lines.push(level),
    (byte) => sent.push(byte),
  );
  const bus = new PortBus();
  bus.claim(COM1_PORT, COM1_PORTS, serial);
  return { bus, serial, lines, sent };
}

const bytes = (text: string) => Uint8Array.from([...text].map((c) => c.charCodeAt(0)));

describe("port bus", () => {
  test("an unclaimed port reads all ones at each width and swallows writes", () => {
    const { bus } = wired();
    expect(bus.in(0x60, 1)).toBe(0xff);
    expect(bus.in(0x60, 2)).toBe(0xffff);
    expect(bus.in(0x60, 4) >>> 0).toBe(0xffff_ffff);
    bus.out(0x80, 4, 0x12345678);
  });

  test("wide accesses go byte by byte and wrap at the end of the port space", () => {
    const { bus } = wired();
    bus.out(COM1_PORT + 3, 1, 0x1b);
    bus.out(COM1_PORT + 7, 1, 0x5a);
    expect(bus.in(COM1_PORT + 3, 4) >>> 0).toBe(0xb060_001b);
    expect(bus.in(0xffff, 2)).toBe(0xffff);
  });

  test("two devices cannot share a port", () => {
    const { bus, serial } = wired();
    expect(() => bus.claim(COM1_PORT + 7, 1, serial)).toThrow("taken");
  });
});

describe("serial port", () => {
  test("what is written to THR is sent at once, and LSR says empty", () => {
    const { bus, serial, sent } = wired();
    for (const byte of bytes("Hi\n")) {
      expect(bus.in(COM1_PORT + 5, 1) & 0x20).toBe(0x20);
      bus.out(COM1_PORT, 1, byte);
    }
    expect(sent).toEqual([0x48, 0x69, 0x0a]);
    expect(serial.total).toBe(3);
    expect([...serial.output()]).toEqual([0x48, 0x69, 0x0a]);
    expect([...serial.tail(2)]).toEqual([0x69, 0x0a]);
  });

  test("the divisor latch hides THR and IER", () => {
    const { bus, serial } = wired();
    bus.out(COM1_PORT + 3, 1, 0x83);
    bus.out(COM1_PORT, 1, 0x01);
    bus.out(COM1_PORT + 1, 1, 0x00);
    expect(bus.in(COM1_PORT, 1)).toBe(1);
    expect(serial.total).toBe(0);
    bus.out(COM1_PORT + 3, 1, 0x03);
    bus.out(COM1_PORT, 1, 0x41);
    expect(serial.total).toBe(1);
  });

  test("received bytes wait, are read in order, and raise the line only with IER bit 0", () => {
    const { bus, serial, lines } = wired();
    serial.receive(bytes("ab"));
    expect(serial.interrupting).toBe(false);
    expect(bus.in(COM1_PORT + 5, 1) & 1).toBe(1);
    bus.out(COM1_PORT + 1, 1, 0x01);
    expect(lines.at(-1)).toBe(true);
    expect(bus.in(COM1_PORT + 2, 1) & 0x0f).toBe(0x04);
    expect(bus.in(COM1_PORT, 1)).toBe(0x61);
    expect(lines.at(-1)).toBe(true);
    expect(bus.in(COM1_PORT, 1)).toBe(0x62);
    expect(lines.at(-1)).toBe(false);
    expect(bus.in(COM1_PORT + 5, 1) & 1).toBe(0);
    expect(bus.in(COM1_PORT, 1)).toBe(0);
  });

  test("loop-back turns what is sent into what is received", () => {
    const { bus, serial } = wired();
    bus.out(COM1_PORT + 4, 1, 0x1f);
    bus.out(COM1_PORT, 1, 0xae);
    expect(bus.in(COM1_PORT, 1)).toBe(0xae);
    expect(bus.in(COM1_PORT + 6, 1)).toBe(0xf0);
    expect(serial.total).toBe(0);
  });

  test("many bytes of output are all kept in order", () => {
    const { bus, serial } = wired();
    for (let i = 0; i < 10_000; i++) bus.out(COM1_PORT, 1, i & 0xff);
    const output = serial.output();
    expect(output.length).toBe(10_000);
    expect(output.every((byte, i) => byte === (i & 0xff))).toBe(true);
  });

  test("a PC's port has the transmitter's interrupt, the bare machine's that of received data alone", () => {
    for (const wiring of ["pc", "direct"] as const) {
      const lines: boolean[] = [];
      const port = new SerialPort(
        (level) => lines.push(level),
        () => {},
        wiring,
      );
      port.writePort(1, 0x02);
      expect([wiring, lines.at(-1)]).toEqual([wiring, wiring === "pc"]);
      port.writePort(1, 0x01);
      port.receive(bytes("x"));
      expect(lines.at(-1)).toBe(true);
    }
  });

  test("clearing the receiver's FIFO leaves what is on the wire; so does a reset, which keeps what was sent", () => {
    const { serial } = wired();
    serial.writePort(0, 0x41);
    serial.writePort(2, 0x01);
    serial.receive(bytes("0123456789abcdefgh"));
    serial.writePort(2, 0x03);
    expect(serial.waiting).toBe(2);
    serial.writePort(1, 0x0f);
    serial.writePort(2, 0);
    expect([serial.waiting, serial.readPort(0)]).toEqual([0, 0]);
    serial.receive(bytes("xy"));
    serial.reset();
    expect([serial.readPort(1), serial.readPort(2), serial.waiting]).toEqual([0, 1, 1]);
    expect([serial.total, ...serial.output()]).toEqual([1, 0x41]);
  });

  test("files from before the two ports were one class are read", () => {
    const { serial } = wired();
    const registers = Uint8Array.of(1, 0x01, 0x03, 0x13, 0x5a, 12, 0, 0, 1);
    serial.load({ registers, input: bytes("ab"), output: bytes("out"), total: 7 });
    expect([serial.readPort(7), serial.readPort(6), serial.total]).toEqual([0x5a, 0x30, 7]);
    expect([serial.readPort(0), serial.readPort(0)]).toEqual([0x61, 0x62]);
    const second = wired().serial;
    const eleven = Uint8Array.of(...registers, 0x03, 0x30);
    second.load({ registers: eleven, fifo: [0x63], wire: bytes("d") });
    expect([second.readPort(6), second.waiting, second.total]).toEqual([0x33, 2, 0]);
    expect([second.readPort(0), second.readPort(0)]).toEqual([0x63, 0x64]);
  });

  test("a saved port, loaded into another, answers the same", () => {
    const a = wired();
    a.bus.out(COM1_PORT + 3, 1, 0x1b);
    a.bus.out(COM1_PORT + 1, 1, 0x01);
    a.bus.out(COM1_PORT, 1, 0x55);
    a.serial.receive(bytes("xyz"));
    a.bus.in(COM1_PORT, 1);
    const b = wired();
    b.serial.load(a.serial.save());
    expect(b.serial.save()).toEqual(a.serial.save());
    expect(b.lines.at(-1)).toBe(true);
    expect(b.bus.in(COM1_PORT, 1)).toBe(0x79);
    expect(b.bus.in(COM1_PORT + 3, 1)).toBe(0x1b);
  });
});

describe("the transmitter's interrupt on a PC", () => {
  const [DATA, IER, IIR] = [0, 1, 2];
  function pc() {
    const edges: boolean[] = [];
    let level = false;
    const serial = new SerialPort(
      (l) => {
        if (l !== level) edges.push(l);
        level = l;
      },
      () => {},
      "pc",
    );
    return { serial, edges, level: () => level };
  }

  test("IER bit 1 asks while the holding register is empty; reading the identification answers it", () => {
    const { serial, level } = pc();
    serial.writePort(IER, 2);
    expect(level()).toBe(true);
    expect(serial.readPort(IIR)).toBe(0x02);
    expect(level()).toBe(false);
    expect(serial.readPort(IIR)).toBe(0x01);
  });

  test("each byte that is sent gives an edge, also while the line is high", () => {
    const { serial, edges, level } = pc();
    serial.writePort(IER, 2);
    edges.length = 0;
    serial.writePort(DATA, 0x41);
    expect(edges).toEqual([false, true]);
    serial.readPort(IIR);
    edges.length = 0;
    serial.writePort(DATA, 0x42);
    expect(edges).toEqual([true]);
    expect(level()).toBe(true);
  });

  test("received data comes first in the identification, and the transmitter waits behind it", () => {
    const { serial, level } = pc();
    serial.writePort(IER, 3);
    serial.receive(Uint8Array.of(0x41));
    expect(serial.readPort(IIR)).toBe(0x04);
    serial.readPort(DATA);
    expect(level()).toBe(true);
    expect(serial.readPort(IIR)).toBe(0x02);
  });
});
