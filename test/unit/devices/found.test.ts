/** Faults of devices that were found by reading them beside their data sheets: each is kept as a test. */
import { describe, expect, it } from "vitest";
import { AtaChannel } from "../../../core/devices/ata.ts";
import { UNITS_PER_SECOND } from "../../../core/devices/clock.ts";
import { Disk, SECTOR } from "../../../core/devices/disk.ts";
import { IoApic } from "../../../core/devices/io-apic.ts";
import { Keyboard } from "../../../core/devices/keyboard.ts";
import { LocalApic } from "../../../core/devices/local-apic.ts";
import { PicPair } from "../../../core/devices/pic.ts";
import { PIT_HERTZ, Pit } from "../../../core/devices/pit.ts";
import { Rtc } from "../../../core/devices/rtc.ts";

class TestClock {
  time = 0;
}

describe("ATA", () => {
  function channel(...sizes: number[]) {
    const clock = new TestClock();
    const disks = sizes.map((sectors) => new Disk(new Uint8Array(sectors * SECTOR)));
    const make = () => new AtaChannel(clock, [disks[0] ?? null, disks[1] ?? null], () => {});
    const ata = make();
    const settle = (of = ata) => {
      clock.time = of.next();
      of.advance(clock.time);
    };
    const command = (code: number, drive: number, lba: number, count: number) => {
      ata.writePort(6, 0xe0 | (drive << 4) | (lba >> 24));
      ata.writePort(2, count);
      for (const [i, shift] of [0, 8, 16].entries()) ata.writePort(3 + i, (lba >> shift) & 0xff);
      ata.writePort(7, code);
    };
    return { ata, disks, settle, command, make };
  }

  it("a command stays with the device that it was given to, whichever is selected in between", () => {
    const { ata, disks, settle, command, make } = channel(1000, 10);
    command(0x30, 0, 500, 2);
    ata.writePort(6, 0xf0);
    for (let i = 0; i < SECTOR; i++) ata.writePort(0, 0x5a);
    settle();
    // In a snapshot, too.
    const other = make();
    other.load(ata.save());
    for (let i = 0; i < SECTOR; i++) other.writePort(0, 0xa5);
    settle(other);
    expect(disks.map((disk) => disk.written)).toEqual([2, 0]);
    expect(disks[1]!.merged().length).toBe(10 * SECTOR);
    expect(disks[0]!.merged().subarray(500 * SECTOR - 1, 502 * SECTOR + 1)).toEqual(
      Uint8Array.of(0, ...Array(SECTOR).fill(0x5a), ...Array(SECTOR).fill(0xa5), 0),
    );
  });

  it("EXECUTE DEVICE DIAGNOSTIC is for both devices, whichever is selected (ATA/ATAPI-5, 8.9)", () => {
    const { ata, settle } = channel(10);
    ata.writePort(6, 0xf0);
    ata.writePort(7, 0x90);
    expect(ata.next()).toBeLessThan(Infinity);
    settle();
    // The signature, with device 0 selected.
    expect([1, 2, 3, 4, 5, 6].map((offset) => ata.readPort(offset))).toEqual([1, 1, 1, 0, 0, 0xa0]);
    expect(ata.readPort(7)).toBe(0x50);
  });

  it("a state whose overlay is not this disk's is refused", () => {
    const disk = new Disk(new Uint8Array(10 * SECTOR));
    const bytes = new Uint8Array(SECTOR).fill(1);
    for (const sectors of [[10], [-1], [0.5], [Number.NaN], [1, 2]])
      expect(() => disk.load({ sectors: Float64Array.from(sectors), bytes })).toThrow(/sector/);
    expect(disk.written).toBe(0);
    disk.load({ sectors: Float64Array.of(9), bytes });
    expect(disk.written).toBe(1);
  });

  it("SEEK asks for one sector, whatever the count", () => {
    const { ata, settle, command } = channel(10);
    command(0x70, 0, 9, 0);
    settle();
    expect(ata.readPort(7) & 1).toBe(0);
    command(0x70, 0, 10, 1);
    settle();
    expect(ata.readPort(7) & 1).toBe(1);
    expect(ata.readPort(1)).toBe(0x10);
  });
});

describe("8042 and keyboard", () => {
  it("answers of the keyboard that nobody reads do not pile up", () => {
    const keyboard = new Keyboard(
      () => {},
      () => {},
      () => {},
      () => {},
    );
    for (let i = 0; i < 10_000; i++) keyboard.data.writePort(0, 0xf2);
    expect(keyboard.waiting).toBeLessThan(100);
    // Keys are lost before answers are.
    const full = new Keyboard(
      () => {},
      () => {},
      () => {},
      () => {},
    );
    for (let i = 0; i < 100; i++) full.key([0x1e]);
    const { waiting } = full;
    full.data.writePort(0, 0xee);
    expect(full.waiting).toBe(waiting + 1);
  });
});

describe("MC146818", () => {
  function clock() {
    const time = new TestClock();
    let level = false;
    const rtc = new Rtc(time, (l) => {
      level = l;
    });
    const read = (register: number): number => {
      rtc.writePort(0, register);
      return rtc.readPort(1);
    };
    const write = (register: number, value: number) => {
      rtc.writePort(0, register);
      rtc.writePort(1, value);
    };
    return { time, rtc, read, write, level: () => level };
  }

  it("sets its flags whether or not they may interrupt (data sheet, register C)", () => {
    const { time, read, write, level } = clock();
    for (const register of [1, 3, 5]) write(register, 0xc0); // an alarm each second
    read(12);
    time.time += UNITS_PER_SECOND / 2;
    expect(read(12)).toBe(0x40);
    time.time += UNITS_PER_SECOND / 2;
    expect(read(12)).toBe(0x70);
    expect(read(12)).toBe(0);
    expect(level()).toBe(false);
    // What was flagged before it was enabled interrupts at once; what was read does not.
    time.time += UNITS_PER_SECOND;
    write(11, 0x12);
    expect(level()).toBe(true);
    expect(read(12)).toBe(0xf0);
    expect(level()).toBe(false);
    write(11, 0x52);
    expect(level()).toBe(false);
  });

  it("ticks periodically while the date is being set", () => {
    const { time, rtc, read, write } = clock();
    write(11, 0xc2);
    expect(rtc.next()).toBeLessThan(Infinity);
    time.time = rtc.next();
    rtc.advance(time.time);
    expect(read(12)).toBe(0xc0);
    time.time += 10 * UNITS_PER_SECOND;
    expect(read(12) & 0x30).toBe(0); // but there are no updates
    expect(read(0)).toBe(0);
  });

  it("setting the date leaves the divider alone; restarting the divider, an update comes half a second later", () => {
    const { time, read, write } = clock();
    const second = UNITS_PER_SECOND;
    time.time = 0.25 * second;
    write(11, 0x82);
    write(0, 0x30);
    time.time = 0.5 * second;
    write(11, 0x02);
    time.time = second - 1;
    expect(read(0)).toBe(0x30);
    time.time = second;
    expect(read(0)).toBe(0x31);
    write(10, 0x76);
    time.time = 7.2 * second;
    expect(read(0)).toBe(0x31);
    write(10, 0x26);
    time.time = 7.7 * second - 1;
    expect(read(0)).toBe(0x31);
    time.time = 7.7 * second;
    expect(read(0)).toBe(0x32);
  });

  it("while it is set, its registers hold the date at which that began", () => {
    const { time, read, write } = clock();
    expect(read(0)).toBe(0);
    time.time = 10 * UNITS_PER_SECOND;
    write(11, 0x82);
    expect([0x32, 9, 8, 7, 4, 2, 0].map(read)).toEqual([0x20, 0x07, 0x05, 0x01, 0x16, 0x44, 0x10]);
    write(2, 0x50);
    write(11, 0x02);
    expect([4, 2, 0].map(read)).toEqual([0x16, 0x50, 0x10]);
  });

  it("a reset of the machine turns its interrupts off and keeps the date", () => {
    const { time, rtc, read, write, level } = clock();
    write(11, 0x72);
    time.time = UNITS_PER_SECOND;
    rtc.advance(time.time);
    expect(level()).toBe(true);
    rtc.reset();
    expect(level()).toBe(false);
    expect([read(11), read(12), read(0)]).toEqual([0x02, 0, 1]);
  });
});

describe("8254", () => {
  function timer() {
    const clock = new TestClock();
    const edges: [number, boolean][] = [];
    let level = true;
    const pit = new Pit(clock, (l) => {
      if (l !== level) edges.push([Math.floor((clock.time * PIT_HERTZ) / UNITS_PER_SECOND), l]);
      level = l;
    });
    const at = (tick: number) => Math.ceil((tick * UNITS_PER_SECOND) / PIT_HERTZ);
    const runTo = (tick: number) => {
      while (pit.next() <= at(tick)) {
        clock.time = pit.next();
        pit.advance(clock.time);
      }
      clock.time = at(tick);
      pit.advance(clock.time);
    };
    const count = (value: number) => {
      pit.writePort(0, value & 0xff);
      pit.writePort(0, value >> 8);
    };
    return { pit, edges, runTo, count };
  }
  const behind = (edges: readonly [number, boolean][], tick: number) => edges.filter(([at]) => at > tick);

  it("mode 2: a new count takes over at the end of the period, however many went by", () => {
    const { pit, edges, runTo, count } = timer();
    pit.writePort(3, 0x34);
    count(1000);
    runTo(5500);
    count(300);
    runTo(6700);
    expect(behind(edges, 5500)).toEqual([
      [6000, false],
      [6001, true],
      [6300, false],
      [6301, true],
      [6600, false],
      [6601, true],
    ]);
  });

  it("mode 3: at the end of the half cycle (data sheet, mode 3)", () => {
    const { pit, edges, runTo, count } = timer();
    pit.writePort(3, 0x36);
    count(1000);
    runTo(5100); // high from 5001 to 5501
    count(200);
    runTo(5750);
    expect(behind(edges, 5100)).toEqual([
      [5501, false],
      [5601, true],
      [5701, false],
    ]);
    pit.writePort(3, 0x36);
    count(1000); // loaded at 5751: low from 6251
    runTo(6300);
    count(200);
    runTo(6900);
    expect(behind(edges, 6300)).toEqual([
      [6751, true],
      [6851, false],
    ]);
  });

  it("the status tells of a count that waits, and no more when it has taken over", () => {
    const { pit, runTo, count } = timer();
    pit.writePort(3, 0x34);
    count(1000);
    runTo(500);
    count(300);
    pit.writePort(3, 0xe2);
    expect(pit.readPort(0) & 0x40).toBe(0x40);
    runTo(1001);
    pit.writePort(3, 0xe2);
    expect(pit.readPort(0) & 0x40).toBe(0);
    // Of a channel that nobody watches, too.
    pit.writePort(3, 0x74);
    pit.writePort(1, 100);
    pit.writePort(1, 0);
    runTo(1500);
    pit.writePort(1, 50);
    pit.writePort(1, 0);
    runTo(1700);
    pit.writePort(3, 0xe4);
    expect(pit.readPort(1) & 0x40).toBe(0);
  });
});

describe("interrupt controllers", () => {
  it("8259: an input that is made level-triggered while it is high asks", () => {
    const pic = new PicPair(() => {});
    for (const [chip, base] of [
      [pic.master, 0x20],
      [pic.slave, 0x28],
    ] as const) {
      chip.writePort(0, 0x11);
      for (const word of [base, chip === pic.master ? 4 : 2, 1]) chip.writePort(1, word);
    }
    pic.setIrq(11, true);
    expect(pic.acknowledge()).toBe(0x2b);
    pic.slave.writePort(0, 0x20);
    pic.master.writePort(0, 0x20);
    expect(pic.interrupting).toBe(false);
    pic.elcr.writePort(1, 1 << 3);
    expect(pic.interrupting).toBe(true);
  });

  function apics() {
    const clock = new TestClock();
    let nmis = 0;
    let io: IoApic | null = null;
    const local = new LocalApic(
      clock,
      () => {},
      () => {
        nmis++;
      },
      (vector) => io?.ended(vector),
    );
    io = new IoApic(local);
    return { local, io, nmis: () => nmis };
  }

  it("I/O APIC: a level that nobody took is not being served, and comes when somebody does", () => {
    const { local, io } = apics();
    const write = (register: number, value: number) => {
      io.writeRegister(0, register);
      io.writeRegister(0x10, value);
    };
    local.writeRegister(0xf0, 0x1ff);
    write(0x1b, 0x05 << 24); // to APIC 5: there is none
    write(0x1a, 0x8035);
    io.setLine(5, true);
    expect(io.readRegister(0x10) & 0x4000).toBe(0);
    write(0x1b, 0);
    expect(local.requested).toBe(0x35);
    io.writeRegister(0, 0x1a);
    expect(io.readRegister(0x10) & 0x4000).toBe(0x4000);
  });

  it("local APIC: five local vectors, as the P6 has (no thermal sensor), and the focus check's bit stays", () => {
    const { local } = apics();
    expect(local.readRegister(0x30) >> 16).toBe(4);
    local.writeRegister(0xf0, 0x3ff);
    expect(local.readRegister(0xf0)).toBe(0x3ff);
    for (const register of [0x320, 0x340, 0x350, 0x360, 0x370]) {
      local.writeRegister(register, 0x1_0020);
      expect(local.readRegister(register)).toBe(0x1_0020);
    }
    local.writeRegister(0x280, 0);
    expect(local.readRegister(0x280)).toBe(0);
    local.writeRegister(0x330, 0x1_0020);
    local.writeRegister(0x280, 0);
    expect(local.readRegister(0x280)).toBe(0x80);
  });

  it("local APIC: LINT0 as NMI, which a watchdog makes of the timer", () => {
    const { local, nmis } = apics();
    local.writeRegister(0xf0, 0x1ff);
    local.writeRegister(0x350, 0x400);
    local.setLint0(true);
    local.setLint0(true);
    expect(nmis()).toBe(1);
    local.writeRegister(0x350, 0x1_0400);
    local.setLint0(false);
    local.setLint0(true);
    expect(nmis()).toBe(1);
  });
});
