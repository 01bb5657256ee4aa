/**
 * The 8254 interval timer of the PC (ports 0x40 to 0x43) and port 0x61, which opens the gate of channel 2 and reads its
 * output. Channel 0 drives IRQ 0. All six modes, binary and BCD; counts are worked out when they are asked for.
 * Source: Intel 82C54 data sheet (231244-006); the PC/AT Technical Reference for the wiring.
 */
import { type Clock, type Timed, ticksAt, timeOf } from "./clock.ts";
import type { PortDevice } from "./port-bus.ts";

export const PIT_PORT = 0x40;
export const PORT_B = 0x61;
/** 14.31818 MHz / 12. */
export const PIT_HERTZ = 1_193_182;

const GATE_2 = 0x01;
const SPEAKER = 0x02;
const REFRESH = 0x10;
const OUT_2 = 0x20;

/** One channel, for a snapshot and the window. Ticks are those of PIT_HERTZ since the machine was made. */
export interface PitChannelState {
  readonly mode: number;
  /** 1: low byte, 2: high byte, 3: low then high. */
  readonly access: number;
  readonly bcd: boolean;
  readonly gate: boolean;
  /** The count register, 1 to 65536 (10000 in BCD). 0: none was written since the mode was. */
  readonly count: number;
  /** Tick at which the counting element was loaded; -1: it is not counting. */
  readonly begin: number;
  /** Ticks counted when the gate stopped it; -1: it runs. */
  readonly stopped: number;
  /** A count that takes over at the end of the period (of the half cycle in mode 3), or 0. */
  readonly next: number;
  /** Tick at which it does; files of the first PCs have it not. */
  readonly takes?: number;
  /** Low byte that waits for its high byte, or -1. */
  readonly half: number;
  /** Latched count, or -1; latched status, or -1. */
  readonly latched: number;
  readonly status: number;
  /** The next read gives the high byte. */
  readonly readHigh: boolean;
}

const FRESH: Required<PitChannelState> = {
  mode: 3,
  access: 3,
  bcd: false,
  gate: true,
  count: 0,
  begin: -1,
  stopped: -1,
  next: 0,
  takes: 0,
  half: -1,
  latched: -1,
  status: -1,
  readHigh: false,
};

/** One counter of an 8254. */
export class PitChannel {
  private s: { -readonly [K in keyof Required<PitChannelState>]: Required<PitChannelState>[K] } = {
    ...FRESH,
  };

  get state(): PitChannelState {
    return { ...this.s };
  }

  load(state: PitChannelState): void {
    this.s = { ...FRESH, ...state };
  }

  private get modulus(): number {
    return this.s.bcd ? 10_000 : 65_536;
  }

  /** Ticks since the counting element was loaded, after a count that waited for the period's end took over. */
  private elapsed(tick: number): number {
    const { s } = this;
    if (s.begin < 0) return -1;
    if (s.stopped >= 0) return s.stopped;
    if (s.next !== 0 && (s.mode === 2 || s.mode === 3) && tick >= s.takes) {
      // In mode 3 the low half of the new count may come first.
      const high = s.mode === 3 && s.takes - s.begin < s.count;
      s.begin = high ? s.takes - ((s.next + 1) >> 1) : s.takes;
      s.count = s.next;
      s.next = 0;
    }
    return Math.max(0, tick - s.begin);
  }

  /** Level of the output at a tick. */
  output(tick: number): boolean {
    const { s } = this;
    const e = this.elapsed(tick);
    switch (s.mode) {
      case 0:
        return e >= 0 && e >= s.count;
      case 1:
        return e < 0 || e >= s.count;
      case 2:
        return e < 0 || !s.gate || s.count - (e % s.count) !== 1;
      case 3:
        return e < 0 || !s.gate || e % s.count < (s.count + 1) >> 1;
      default: // 4 and 5: low for one tick at the end
        return e < 0 || e !== s.count;
    }
  }

  /** The tick of the output's next change after `tick`, or Infinity. */
  nextChange(tick: number): number {
    const { s } = this;
    const e = this.elapsed(tick);
    if (e < 0 || s.stopped >= 0 || s.count === 0) return Infinity;
    const begin = tick - e;
    switch (s.mode) {
      case 0:
      case 1:
        return e < s.count ? begin + s.count : Infinity;
      case 2: {
        const phase = e % s.count;
        const round = begin + e - phase;
        return phase < s.count - 1 ? round + s.count - 1 : round + s.count;
      }
      case 3: {
        const phase = e % s.count;
        const round = begin + e - phase;
        const high = (s.count + 1) >> 1;
        return phase < high && high < s.count ? round + high : round + s.count;
      }
      default:
        return e < s.count ? begin + s.count : e === s.count ? begin + s.count + 1 : Infinity;
    }
  }

  /** The counting element's value, as it is read: 16 bits, four digits in BCD. */
  private value(tick: number): number {
    const { s, modulus } = this;
    const e = this.elapsed(tick);
    if (e < 0 || s.count === 0) return this.coded(s.count % modulus);
    let value: number;
    if (s.mode === 2) value = s.count - (e % s.count);
    else if (s.mode === 3) {
      const high = (s.count + 1) >> 1;
      const phase = e % s.count;
      value = (s.count & ~1) - 2 * (phase < high ? phase : phase - high);
      if (value <= 0) value = s.count & ~1;
    } else value = s.count - e;
    return this.coded(((value % modulus) + modulus) % modulus);
  }

  private coded(value: number): number {
    if (!this.s.bcd) return value & 0xffff;
    const digit = (unit: number) => Math.floor(value / unit) % 10;
    return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
  }

  private decoded(word: number): number {
    if (!this.s.bcd) return word === 0 ? 65_536 : word;
    const value =
      ((word >> 12) & 15) * 1000 + ((word >> 8) & 15) * 100 + ((word >> 4) & 15) * 10 + (word & 15);
    return value === 0 ? 10_000 : value;
  }

  /** A control word that names this channel: mode, access and BCD, or a counter latch. */
  control(word: number, tick: number): void {
    const { s } = this;
    const access = (word >> 4) & 3;
    if (access === 0) {
      this.latchCount(tick);
      return;
    }
    let mode = (word >> 1) & 7;
    if (mode > 5) mode -= 4;
    this.s = { ...FRESH, gate: s.gate, mode, access, bcd: (word & 1) !== 0 };
  }

  latchCount(tick: number): void {
    if (this.s.latched < 0) this.s.latched = this.value(tick);
  }

  latchStatus(tick: number): void {
    const { s } = this;
    if (s.status >= 0) return;
    const output = this.output(tick);
    const nullCount = s.begin < 0 || s.next !== 0 ? 0x40 : 0;
    s.status = (output ? 0x80 : 0) | nullCount | (s.access << 4) | (s.mode << 1) | (s.bcd ? 1 : 0);
  }

  read(tick: number): number {
    const { s } = this;
    if (s.status >= 0) {
      const status = s.status;
      s.status = -1;
      return status;
    }
    const word = s.latched >= 0 ? s.latched : this.value(tick);
    if (s.access === 1 || (s.access === 3 && !s.readHigh)) {
      if (s.access === 3) s.readHigh = true;
      else s.latched = -1;
      return word & 0xff;
    }
    s.readHigh = false;
    s.latched = -1;
    return word >> 8;
  }

  write(value: number, tick: number): void {
    const { s } = this;
    if (s.access === 3 && s.half < 0) {
      s.half = value;
      // Mode 0: the first byte stops the counting at once and the output goes low.
      if (s.mode === 0) s.begin = -1;
      return;
    }
    const word = s.access === 1 ? value : s.access === 2 ? value << 8 : (value << 8) | s.half;
    s.half = -1;
    this.loadCount(this.decoded(word), tick);
  }

  private loadCount(count: number, tick: number): void {
    const { s } = this;
    switch (s.mode) {
      case 1:
      case 5: // counting begins when the gate rises
        if (s.begin < 0) s.count = count;
        else s.next = count;
        return;
      case 2:
      case 3:
        if (s.begin >= 0) {
          this.waitWith(count, this.elapsed(tick));
          return;
        }
        s.count = count;
        s.begin = tick + 1;
        s.stopped = s.gate ? -1 : 0;
        return;
      default:
        s.count = count;
        s.begin = tick + 1;
        s.stopped = s.gate ? -1 : 0;
    }
  }

  /** Modes 2 and 3: the count takes over at the end of the period or half cycle that is under way. */
  private waitWith(count: number, elapsed: number): void {
    const { s } = this;
    s.begin += elapsed - (elapsed % s.count);
    const high = s.mode === 3 ? (s.count + 1) >> 1 : s.count;
    s.takes = s.begin + (elapsed % s.count < high ? high : s.count);
    s.next = count;
  }

  setGate(level: boolean, tick: number): void {
    const { s } = this;
    if (level === s.gate) return;
    const e = this.elapsed(tick);
    s.gate = level;
    const rising = level;
    switch (s.mode) {
      case 1:
      case 5:
        if (rising && s.count !== 0) {
          if (s.next !== 0) s.count = s.next;
          s.next = 0;
          s.begin = tick + 1;
          s.stopped = -1;
        }
        return;
      case 2:
      case 3:
        // Low: the output is high and the counting stops; rising: it starts from the count anew, or from a new one.
        if (s.begin < 0) return;
        if (rising) {
          if (s.next !== 0) s.count = s.next;
          s.next = 0;
          s.begin = tick + 1;
          s.stopped = -1;
        } else s.stopped = 0;
        return;
      default:
        if (s.begin < 0) return;
        if (rising) {
          s.begin = tick - Math.max(0, s.stopped);
          s.stopped = -1;
        } else s.stopped = e;
    }
  }
}

export interface PitState {
  readonly channels: readonly PitChannelState[];
  readonly portB: number;
  readonly seen: number;
}

export class Pit implements PortDevice, Timed {
  readonly channels = [new PitChannel(), new PitChannel(), new PitChannel()];
  private portB = 0;
  /** Tick up to which channel 0's output was told. */
  private seen = 0;
  /** Port 0x61. */
  readonly systemControl: PortDevice;

  /** @param irq0 called with each change of channel 0's output */
  constructor(
    private readonly clock: Clock,
    private readonly irq0: (level: boolean) => void,
  ) {
    this.channels[2]!.setGate(false, 0);
    this.systemControl = {
      readPort: () => {
        const tick = this.tick();
        // Bit 4 toggles with each refresh, every 18 ticks.
        const refresh = Math.floor(tick / 18) & 1 ? REFRESH : 0;
        return this.portB | refresh | (this.channels[2]!.output(tick) ? OUT_2 : 0);
      },
      writePort: (_offset, value) => {
        this.portB = value & (GATE_2 | SPEAKER | 0x0c);
        this.channels[2]!.setGate((value & GATE_2) !== 0, this.tick());
      },
    };
  }

  private tick(): number {
    return ticksAt(this.clock.time, PIT_HERTZ);
  }

  readPort(offset: number): number {
    return offset === 3 ? 0xff : this.channels[offset]!.read(this.tick());
  }

  writePort(offset: number, value: number): void {
    const tick = this.tick();
    this.tell(tick);
    if (offset < 3) this.channels[offset]!.write(value, tick);
    else if (value >> 6 === 3) this.readBack(value, tick);
    else this.channels[value >> 6]!.control(value, tick);
    this.irq0(this.channels[0]!.output(tick));
  }

  private readBack(command: number, tick: number): void {
    this.channels.forEach((channel, i) => {
      if ((command & (2 << i)) === 0) return;
      if ((command & 0x20) === 0) channel.latchCount(tick);
      if ((command & 0x10) === 0) channel.latchStatus(tick);
    });
  }

  next(): number {
    const change = this.channels[0]!.nextChange(this.seen);
    return change === Infinity ? Infinity : timeOf(change, PIT_HERTZ);
  }

  advance(now: number): void {
    this.tell(ticksAt(now, PIT_HERTZ));
  }

  /** Tells the changes of channel 0 up to a tick. Of many that went by unseen only the last two matter. */
  private tell(tick: number): void {
    const [channel] = this.channels;
    let at = channel!.nextChange(this.seen);
    if (at <= tick) {
      // The line is seen at both levels, in the order in which it had them.
      for (let i = 0; i < 4 && at <= tick; i++) {
        this.irq0(channel!.output(at));
        this.seen = at;
        at = channel!.nextChange(at);
      }
      if (at <= tick) {
        const level = channel!.output(tick);
        this.irq0(!level);
        this.irq0(level);
      }
    }
    this.seen = Math.max(this.seen, tick);
  }

  save(): PitState {
    return { channels: this.channels.map((c) => c.state), portB: this.portB, seen: this.seen };
  }

  load(state: PitState): void {
    state.channels.forEach((channel, i) => {
      this.channels[i]!.load(channel);
    });
    this.portB = state.portB;
    this.seen = state.seen;
  }
}
