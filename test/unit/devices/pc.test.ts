/** The PC's devices one by one, by their data sheets: controllers, timers, clock, keyboard, disk, UART, PCI. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AtaChannel } from "../../../core/devices/ata.ts";
import { ticksAt, timeOf, UNITS_PER_SECOND } from "../../../core/devices/clock.ts";
import { Disk, SECTOR } from "../../../core/devices/disk.ts";
import { IoApic } from "../../../core/devices/io-apic.ts";
import { Keyboard } from "../../../core/devices/keyboard.ts";
import { LocalApic } from "../../../core/devices/local-apic.ts";
import { MmioMap } from "../../../core/devices/mmio.ts";
import { PciHost } from "../../../core/devices/pci.ts";
import { PicPair } from "../../../core/devices/pic.ts";
import { PIT_HERTZ, Pit } from "../../../core/devices/pit.ts";
import { dateOf, daysFrom2000, Rtc } from "../../../core/devices/rtc.ts";
import { SerialPort } from "../../../core/devices/serial.ts";
import { VgaText } from "../../../core/devices/vga-text.ts";

class TestClock {
  time = 0;
}

describe("time", () => {
  it("ticks and times are inverse: the first time of a tick has that tick, the unit before has not", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 36 - 1), fc.constantFrom(PIT_HERTZ, 32_768, 1000), (ticks, hertz) => {
        const time = timeOf(ticks, hertz);
        return ticksAt(time, hertz) === ticks && (ticks === 0 || ticksAt(time - 1, hertz) === ticks - 1);
      }),
    );
  });
});

describe("8259 pair", () => {
  /** As a PC's firmware programs it: vectors 0x20 and 0x28, the slave on input 2, 8086 mode. */
  function pair(): { pic: PicPair; output: () => boolean } {
    let level = false;
    const pic = new PicPair((l) => {
      level = l;
    });
    for (const [chip, base, wiring] of [
      [pic.master, 0x20, 4],
      [pic.slave, 0x28, 2],
    ] as const) {
      chip.writePort(0, 0x11);
      for (const word of [base, wiring, 1]) chip.writePort(1, word);
    }
    return { pic, output: () => level };
  }

  it("serves the highest priority first; what is in service holds back its own and lower ones", () => {
    const { pic, output } = pair();
    pic.setIrq(5, true);
    pic.setIrq(1, true);
    expect(pic.acknowledge()).toBe(0x21);
    expect(output()).toBe(false);
    pic.setIrq(0, true);
    expect(output()).toBe(true);
    expect(pic.acknowledge()).toBe(0x20);
    pic.master.writePort(0, 0x20); // EOI of 0
    pic.master.writePort(0, 0x20); // EOI of 1
    expect(pic.acknowledge()).toBe(0x25);
  });

  it("the slave's come through input 2, with the slave's vector; both need an EOI", () => {
    const { pic, output } = pair();
    pic.setIrq(14, true);
    expect(pic.vector).toBe(0x2e);
    expect(pic.acknowledge()).toBe(0x2e);
    pic.setIrq(8, true); // higher within the slave, but the master still serves input 2
    expect(output()).toBe(false);
    pic.slave.writePort(0, 0x20);
    pic.master.writePort(0, 0x20);
    expect(pic.acknowledge()).toBe(0x28);
  });

  it("an edge that is gone before the acknowledge gives the spurious vector 7", () => {
    const { pic } = pair();
    pic.setIrq(3, true);
    pic.setIrq(3, false);
    expect(pic.acknowledge()).toBe(0x27);
    pic.master.writePort(0, 0x0b); // read ISR: nothing is in service
    expect(pic.master.readPort(0)).toBe(0);
  });

  it("a level-triggered input asks again as long as it is high (ELCR)", () => {
    const { pic, output } = pair();
    pic.elcr.writePort(1, 1 << 3); // IRQ 11
    pic.setIrq(11, true);
    expect(pic.acknowledge()).toBe(0x2b);
    pic.slave.writePort(0, 0x20);
    pic.master.writePort(0, 0x20);
    expect(output()).toBe(true);
    pic.setIrq(11, false);
    expect(output()).toBe(false);
  });

  it("masks, rotates and polls", () => {
    const { pic, output } = pair();
    pic.master.writePort(1, 0x02);
    pic.setIrq(1, true);
    expect(output()).toBe(false);
    pic.master.writePort(1, 0);
    pic.master.writePort(0, 0xc1); // set priority: input 1 is the lowest, so 2 is the highest
    pic.setIrq(4, true);
    expect(pic.acknowledge()).toBe(0x24);
    pic.master.writePort(0, 0x20);
    pic.master.writePort(0, 0x0c); // poll
    expect(pic.master.readPort(0)).toBe(0x81);
  });

  it("comes back from a snapshot", () => {
    const { pic } = pair();
    pic.setIrq(14, true);
    pic.acknowledge();
    pic.setIrq(1, true);
    const other = new PicPair(() => {});
    other.load(pic.save());
    expect(other.save()).toEqual(pic.save());
    expect(other.acknowledge()).toBe(0x21);
  });
});

describe("8254", () => {
  function pit() {
    const clock = new TestClock();
    const edges: [number, boolean][] = [];
    let level = true;
    const timer = new Pit(clock, (l) => {
      if (l !== level) edges.push([ticksAt(clock.time, PIT_HERTZ), l]);
      level = l;
    });
    const runTo = (tick: number) => {
      const end = timeOf(tick, PIT_HERTZ);
      while (timer.next() <= end) {
        clock.time = timer.next();
        timer.advance(clock.time);
      }
      clock.time = end;
      timer.advance(end);
    };
    return { clock, timer, edges, runTo };
  }

  it("mode 2: low for the last tick of each period, counted down from the count", () => {
    const { timer, edges, runTo } = pit();
    timer.writePort(3, 0x34);
    timer.writePort(0, 100);
    timer.writePort(0, 0);
    runTo(350);
    // Loaded at tick 1: low at 100, 200, 300, high one tick later.
    expect(edges).toEqual(
      [100, 200, 300].flatMap((t) => [
        [t, false],
        [t + 1, true],
      ]),
    );
    timer.writePort(3, 0x00); // latch
    const count = timer.readPort(0) | (timer.readPort(0) << 8);
    expect(count).toBe(100 - ((350 - 1) % 100));
  });

  it("mode 3: a square wave, the high half longer by one for odd counts", () => {
    const { timer, edges, runTo } = pit();
    timer.writePort(3, 0x36);
    timer.writePort(0, 11);
    timer.writePort(0, 0);
    runTo(30);
    expect(edges).toEqual([
      [7, false],
      [12, true],
      [18, false],
      [23, true],
      [29, false],
    ]);
  });

  it("mode 0: low from the control word, high when the count has run out", () => {
    const { timer, edges, runTo } = pit();
    timer.writePort(3, 0x30);
    timer.writePort(0, 50);
    timer.writePort(0, 0);
    runTo(200);
    expect(edges).toEqual([
      [0, false],
      [51, true],
    ]);
  });

  it("read-back gives status and count; channel 2's gate is port 0x61's", () => {
    const { timer, runTo } = pit();
    timer.writePort(3, 0xb0); // channel 2, mode 0
    timer.writePort(2, 0x10);
    timer.writePort(2, 0x00);
    runTo(100);
    expect(timer.systemControl.readPort(0) & 0x20).toBe(0); // the gate is low: it does not count
    timer.systemControl.writePort(0, 1);
    runTo(117);
    expect(timer.systemControl.readPort(0) & 0x20).toBe(0x20);
    timer.writePort(3, 0xe8); // read-back: status of channel 2
    expect(timer.readPort(2)).toBe(0xb0);
  });

  it("counts in BCD", () => {
    const { timer, runTo } = pit();
    timer.writePort(3, 0x35); // channel 0, mode 2, BCD
    timer.writePort(0, 0x00);
    timer.writePort(0, 0x10); // 1000
    runTo(2);
    timer.writePort(3, 0x00);
    expect(timer.readPort(0) | (timer.readPort(0) << 8)).toBe(0x0999);
  });

  it("telling at every event and in one leap end in the same state", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x30, 0x34, 0x36),
        fc.integer({ min: 2, max: 5000 }),
        fc.nat(100_000),
        (mode, n, end) => {
          const [a, b] = [pit(), pit()];
          for (const p of [a, b]) {
            p.timer.writePort(3, mode);
            p.timer.writePort(0, n & 0xff);
            p.timer.writePort(0, n >> 8);
          }
          a.runTo(end);
          b.clock.time = timeOf(end, PIT_HERTZ);
          b.timer.advance(b.clock.time);
          expect(b.timer.save()).toEqual(a.timer.save());
          expect(b.timer.next()).toBe(a.timer.next());
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("MC146818", () => {
  it("the calendar is the Gregorian one", () => {
    fc.assert(
      fc.property(fc.integer({ min: -40_000, max: 60_000 }), (days) => {
        const date = new Date(Date.UTC(2000, 0, 1) + days * 86_400_000);
        const { year, month, day, weekday } = dateOf(days);
        expect([year, month, day, weekday]).toEqual([
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
          date.getUTCDay(),
        ]);
        expect(daysFrom2000(year, month, day)).toBe(days);
      }),
    );
  });

  it("begins in the second of the commit and goes by the machine's time", () => {
    const clock = new TestClock();
    const rtc = new Rtc(clock, () => {});
    const read = (register: number): number => {
      rtc.writePort(0, register);
      return rtc.readPort(1);
    };
    expect([0x32, 9, 8, 7, 4, 2, 0].map(read)).toEqual([0x20, 0x07, 0x05, 0x01, 0x16, 0x44, 0x00]);
    expect(read(6)).toBe(3); // Tuesday
    clock.time = 8 * 3600 * UNITS_PER_SECOND;
    rtc.advance(clock.time);
    expect([7, 4, 2].map(read)).toEqual([0x02, 0x00, 0x44]);
    clock.time += UNITS_PER_SECOND - 1;
    expect(read(10) & 0x80).toBe(0x80); // an update is in progress
  });

  it("interrupts periodically, and until register C is read no second time", () => {
    const clock = new TestClock();
    let edges = 0;
    let level = false;
    const rtc = new Rtc(clock, (l) => {
      if (l && !level) edges++;
      level = l;
    });
    rtc.writePort(0, 11);
    rtc.writePort(1, 0x42);
    for (let i = 0; i < 5; i++) {
      clock.time = rtc.next();
      rtc.advance(clock.time);
    }
    expect(edges).toBe(1);
    expect(clock.time).toBe(Math.ceil((5 * UNITS_PER_SECOND) / 1024));
    rtc.writePort(0, 12);
    expect(rtc.readPort(1)).toBe(0xc0);
    clock.time = rtc.next();
    rtc.advance(clock.time);
    expect(edges).toBe(2);
  });
});

describe("8042 and keyboard", () => {
  function keyboard() {
    const seen = { irq: 0, irq12: 0, a20: true, resets: 0 };
    let level = false;
    let level12 = false;
    const k = new Keyboard(
      (l) => {
        if (l && !level) seen.irq++;
        level = l;
      },
      (open) => {
        seen.a20 = open;
      },
      () => {
        seen.resets++;
      },
      (l) => {
        if (l && !level12) seen.irq12++;
        level12 = l;
      },
    );
    const drain = (): number[] => {
      const bytes: number[] = [];
      while ((k.control.readPort(0) & 1) !== 0) bytes.push(k.data.readPort(0));
      return bytes;
    };
    return { k, seen, drain };
  }

  it("keys arrive in set 1 with an interrupt for each byte, and in set 2 without translation", () => {
    const { k, seen, drain } = keyboard();
    k.key([0x1e]);
    k.key([0x9e]);
    k.key([0xe0, 0x48]);
    expect(drain()).toEqual([0x1e, 0x9e, 0xe0, 0x48]);
    expect(seen.irq).toBe(4);
    k.control.writePort(0, 0x60);
    k.data.writePort(0, 0x05);
    k.key([0x1e]);
    k.key([0x9e]);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c]);
  });

  it("every key of set 1 comes back as itself", () => {
    const { k, drain } = keyboard();
    for (let code = 1; code < 0x59; code++) {
      k.key([code]);
      expect(drain(), code.toString(16)).toEqual([code]);
    }
  });

  it("tests itself, identifies, resets, and gates A20", () => {
    const { k, seen, drain } = keyboard();
    k.control.writePort(0, 0xaa);
    expect(drain()).toEqual([0x55]);
    k.data.writePort(0, 0xf2);
    expect(drain()).toEqual([0xfa, 0xab, 0x41]); // 0x83, translated
    k.data.writePort(0, 0xff);
    expect(drain()).toEqual([0xfa, 0xaa]);
    k.control.writePort(0, 0xd1);
    k.data.writePort(0, 0x01);
    expect(seen.a20).toBe(false);
    k.control.writePort(0, 0xfe);
    expect(seen.resets).toBe(1);
  });

  it("has an auxiliary port that nothing hangs on: its lines are free, its buffer loops back, its device does not answer", () => {
    const { k, seen, drain } = keyboard();
    k.control.writePort(0, 0xa9);
    expect(drain()).toEqual([0]);
    // A driver looks for the port with D3: the byte comes back as the auxiliary device's.
    k.control.writePort(0, 0xd3);
    k.data.writePort(0, 0x5a);
    expect(k.control.readPort(0) & 0x61).toBe(0x21);
    expect(drain()).toEqual([0x5a]);
    expect(seen.irq12).toBe(0);
    k.control.writePort(0, 0x60);
    k.data.writePort(0, 0x47);
    const before = seen.irq;
    k.control.writePort(0, 0xd3);
    k.data.writePort(0, 0xa5);
    expect([seen.irq - before, seen.irq12]).toEqual([0, 1]);
    expect(drain()).toEqual([0xa5]);
    // Two bytes for the device: both time out, behind the key that was there before.
    k.key([0x1e]);
    for (const byte of [0xf2, 0xff]) {
      k.control.writePort(0, 0xd4);
      k.data.writePort(0, byte);
    }
    expect(k.control.readPort(0) & 0x61).toBe(0x01);
    expect(k.data.readPort(0)).toBe(0x1e);
    expect(k.control.readPort(0) & 0x61).toBe(0x61);
    const saved = k.save();
    expect(drain()).toEqual([0xfe, 0xfe]);
    expect(seen.irq12).toBe(3);
    const other = keyboard();
    other.k.load(saved);
    expect(other.seen.irq12).toBe(1);
    expect(other.drain()).toEqual([0xfe, 0xfe]);
  });
});

describe("ATA channel without drives", () => {
  it("reads all ones and keeps nothing that is written: a driver that looks for a drive finds none", () => {
    const ata = new AtaChannel(new TestClock(), [null, null], () => {});
    ata.writePort(2, 0x55);
    ata.writePort(3, 0xaa);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((offset) => ata.readPort(offset))).toEqual(Array(8).fill(0xff));
    // Nor does a reset leave an ATA device's signature.
    ata.controlPort.writePort(0, 4);
    ata.controlPort.writePort(0, 0);
    expect([1, 2, 3, 4, 5].map((offset) => ata.readPort(offset))).toEqual(Array(5).fill(0xff));
  });
});

describe("ATA", () => {
  function channel(sectors = 100) {
    const clock = new TestClock();
    const image = new Uint8Array(sectors * SECTOR).map((_, i) => (i >> 9) ^ (i & 0xff));
    const disk = new Disk(image);
    let irq = false;
    const ata = new AtaChannel(clock, [disk, null], (l) => {
      irq = l;
    });
    const settle = () => {
      clock.time = ata.next();
      ata.advance(clock.time);
    };
    const command = (code: number, lba: number, count: number) => {
      ata.writePort(6, 0xe0 | (lba >> 24));
      ata.writePort(2, count);
      for (const [i, shift] of [0, 8, 16].entries()) ata.writePort(3 + i, (lba >> shift) & 0xff);
      ata.writePort(7, code);
    };
    const data = (n: number) => Array.from({ length: n }, () => ata.readPort(0));
    return { ata, disk, image, settle, command, data, irq: () => irq };
  }

  it("reads sectors, one interrupt each, from the image", () => {
    const { image, settle, command, data, ata, irq } = channel();
    command(0x20, 5, 3);
    for (let i = 0; i < 3; i++) {
      expect(ata.controlPort.readPort(0) & 0x80).toBe(0x80);
      settle();
      expect(irq()).toBe(true);
      expect(ata.readPort(7) & 0x88).toBe(0x08);
      expect(irq()).toBe(false);
      expect(data(SECTOR)).toEqual([...image.subarray((5 + i) * SECTOR, (6 + i) * SECTOR)]);
    }
    expect(ata.readPort(7) & 0x88).toBe(0);
  });

  it("writes into the overlay alone, and reads it back", () => {
    const { image, settle, command, data, ata, disk } = channel();
    const before = image.slice();
    command(0x30, 7, 2);
    for (let i = 0; i < 2 * SECTOR; i++) {
      if (i === SECTOR) settle();
      ata.writePort(0, (i * 7) & 0xff);
    }
    settle();
    expect(ata.readPort(7) & 0x89).toBe(0);
    expect(Buffer.compare(image, before)).toBe(0);
    expect(disk.written).toBe(2);
    command(0x20, 7, 1);
    settle();
    expect(data(SECTOR)).toEqual(Array.from({ length: SECTOR }, (_, i) => (i * 7) & 0xff));
    const again = new Disk(image);
    again.load(disk.save());
    expect(Buffer.compare(again.merged(), disk.merged())).toBe(0);
  });

  it("refuses what the disk has not, and commands that it does not know", () => {
    const { settle, command, ata } = channel(10);
    command(0x20, 9, 2);
    settle();
    expect(ata.readPort(7) & 1).toBe(1);
    expect(ata.readPort(1)).toBe(0x10);
    command(0xa0, 0, 0);
    settle();
    expect(ata.readPort(7) & 1).toBe(1);
    expect(ata.readPort(1)).toBe(4);
  });

  it("identifies itself: LBA, and as many sectors as there are; an absent drive answers 0", () => {
    const { settle, command, data, ata } = channel(1000);
    command(0xec, 0, 0);
    settle();
    const bytes = data(SECTOR);
    const word = (i: number) => bytes[i * 2]! | (bytes[i * 2 + 1]! << 8);
    expect(word(49) & 0x200).toBe(0x200);
    expect(word(60) | (word(61) << 16)).toBe(1000);
    ata.writePort(6, 0xf0);
    expect(ata.readPort(7)).toBe(0);
  });

  it("goes on from a snapshot in the middle of a transfer with the same bytes", () => {
    const { image, settle, command, data, ata } = channel();
    command(0x20, 1, 2);
    settle();
    const first = data(200);
    const clock = new TestClock();
    const other = new AtaChannel(clock, [new Disk(image), null], () => {});
    other.load(ata.save());
    const rest = Array.from({ length: SECTOR - 200 }, () => other.readPort(0));
    clock.time = other.next();
    other.advance(clock.time);
    const second = Array.from({ length: SECTOR }, () => other.readPort(0));
    expect([...first, ...rest, ...second]).toEqual([...image.subarray(SECTOR, 3 * SECTOR)]);
  });
});

describe("16550", () => {
  function uart() {
    let level = false;
    let rises = 0;
    const sent: number[] = [];
    const u = new SerialPort(
      (l) => {
        if (l && !level) rises++;
        level = l;
      },
      (byte) => sent.push(byte),
      "pc",
    );
    return { u, sent, level: () => level, rises: () => rises };
  }

  it("interrupts by trigger level and timeout, and reading empties it", () => {
    const { u, level } = uart();
    u.writePort(2, 0x41); // FIFOs, trigger 4
    u.writePort(1, 1);
    u.receive(Uint8Array.of(1, 2, 3, 4, 5));
    expect(level()).toBe(true);
    expect(u.readPort(2)).toBe(0xc4);
    expect([0, 0].map(() => u.readPort(0))).toEqual([1, 2]);
    expect(u.readPort(2)).toBe(0xcc); // fewer than four: the timeout
    expect([0, 0, 0].map(() => u.readPort(0))).toEqual([3, 4, 5]);
    expect(u.readPort(2)).toBe(0xc1);
    expect(level()).toBe(false);
  });

  it("each byte sent gives an edge of the transmitter's interrupt", () => {
    const { u, sent, rises } = uart();
    u.writePort(1, 2);
    expect(rises()).toBe(1);
    expect(u.readPort(2)).toBe(0x02);
    u.writePort(0, 65);
    u.writePort(0, 66);
    expect(sent).toEqual([65, 66]);
    expect(rises()).toBe(3);
  });

  it("loops back, modem lines included", () => {
    const { u, sent } = uart();
    u.writePort(4, 0x1a); // loop, OUT2, RTS
    expect(u.readPort(6) & 0xf0).toBe(0x90);
    u.writePort(0, 0x55);
    expect(u.readPort(0)).toBe(0x55);
    expect(sent).toEqual([]);
  });
});

describe("APICs", () => {
  function apics() {
    const clock = new TestClock();
    let nmis = 0;
    const ended: number[] = [];
    let io: IoApic | null = null;
    const local = new LocalApic(
      clock,
      () => {},
      () => {
        nmis++;
      },
      (vector) => {
        ended.push(vector);
        io?.ended(vector);
      },
    );
    io = new IoApic(local);
    local.writeRegister(0xf0, 0x1ff);
    return { clock, local, io, ended, nmis: () => nmis };
  }

  it("delivers by priority, above what is in service and the task's priority", () => {
    const { local } = apics();
    local.deliver(0, 0x31, false);
    local.deliver(0, 0x51, false);
    expect(local.acknowledge()).toBe(0x51);
    expect(local.requested).toBe(-1);
    local.writeRegister(0xb0, 0);
    expect(local.requested).toBe(0x31);
    local.writeRegister(0x80, 0x40);
    expect(local.requested).toBe(-1);
    expect(local.acknowledge()).toBe(0xff); // spurious
  });

  it("the timer counts bus clocks through its divider, once or again and again", () => {
    const { clock, local } = apics();
    local.writeRegister(0x3e0, 3); // by 16
    local.writeRegister(0x320, 0x2_0040);
    local.writeRegister(0x380, 1000);
    expect(local.next()).toBe(16_000);
    clock.time = 8000;
    expect(local.readRegister(0x390)).toBe(500);
    for (const due of [16_000, 32_000]) {
      clock.time = due;
      local.advance(due);
      expect(local.acknowledge()).toBe(0x40);
      local.writeRegister(0xb0, 0);
    }
    local.writeRegister(0x320, 0x40); // one shot
    local.writeRegister(0x380, 10);
    clock.time = local.next();
    local.advance(clock.time);
    expect(local.next()).toBe(Infinity);
    expect(local.readRegister(0x390)).toBe(0);
  });

  it("the I/O APIC sends edges once and levels until they go", () => {
    const { local, io, ended } = apics();
    const entry = (input: number, low: number) => {
      io.writeRegister(0, 0x10 + 2 * input);
      io.writeRegister(0x10, low);
    };
    entry(1, 0x21);
    entry(5, 0x8035);
    io.setLine(1, true);
    io.setLine(1, true);
    expect(local.acknowledge()).toBe(0x21);
    local.writeRegister(0xb0, 0);
    expect(local.requested).toBe(-1);
    io.setLine(5, true);
    expect(local.acknowledge()).toBe(0x35);
    local.writeRegister(0xb0, 0);
    expect(ended).toEqual([0x35]);
    expect(local.acknowledge()).toBe(0x35); // the line is still high
    io.setLine(5, false);
    local.writeRegister(0xb0, 0);
    expect(local.requested).toBe(-1);
  });

  it("answers at physical addresses; elsewhere all ones", () => {
    const { local, io } = apics();
    const map = new MmioMap();
    map.claim(0xfee0_0000, 4096, local);
    map.claim(0xfec0_0000, 4096, io);
    expect(map.readMmio(0xfee0_0030, 4) & 0xff).toBe(0x14);
    map.writeMmio(0xfec0_0000, 4, 1);
    expect(map.readMmio(0xfec0_0010, 4)).toBe(0x0017_0011);
    expect(map.readMmio(0xfed0_0000, 2)).toBe(0xffff);
    expect(() => map.claim(0xfee0_0800, 16, io)).toThrow(/is taken/);
  });
});

describe("PCI and VGA", () => {
  it("there is one host bridge, and nothing else on the bus", () => {
    const pci = new PciHost();
    const read = (address: number): number => {
      expect(pci.addressPort.writeWide?.(0, 4, address)).toBe(true);
      return [0, 1, 2, 3].reduce((value, i) => value | (pci.dataPort.readPort(i) << (8 * i)), 0);
    };
    expect(read(0x8000_0000)).toBe(0x1237_8086);
    expect(read(0x8000_0008) >>> 16).toBe(0x0600);
    expect(read(0x8000_0800)).toBe(-1);
    expect(read(0x0000_0000)).toBe(-1);
  });

  it("the cursor is where the CRT controller says", () => {
    const vga = new VgaText(new TestClock());
    expect([vga.screen.columns, vga.screen.rows]).toEqual([80, 25]);
    for (const [register, value] of [
      [14, 3],
      [15, 0x25],
    ]) {
      vga.writePort(0x14, register!);
      vga.writePort(0x15, value!);
    }
    expect(vga.screen.cursor).toEqual({ column: 0x325 % 80, row: Math.floor(0x325 / 80) });
    vga.writePort(0x14, 10);
    vga.writePort(0x15, 0x20);
    expect(vga.screen.cursor).toBeNull();
  });
});
