/**
 * The MC146818 real-time clock and its CMOS memory, at ports 0x70 (index; bit 7 masks NMI) and 0x71 (data), on IRQ 8.
 * It begins at a date that the machine's setup names and goes by the machine's time, so a run tells the same date always.
 * Source: Motorola MC146818 data sheet; the PC's use of the CMOS bytes behind the clock is the AT's.
 */
import { type Clock, type Timed, UNITS_PER_SECOND } from "./clock.ts";
import type { PortDevice } from "./port-bus.ts";

export const RTC_PORT = 0x70;
/** 1 May 2007, 16:44:00: the second in which the commit was written. Seconds since 1 January 2000, 00:00:00. */
export const RTC_EPOCH = 231_353_040;

const A_UIP = 0x80;
const B_SET = 0x80;
const B_PERIODIC = 0x40;
const B_ALARM = 0x20;
const B_UPDATE = 0x10;
const B_SQUARE_WAVE = 0x08;
const B_BINARY = 0x04;
const B_24_HOURS = 0x02;
const C_IRQ = 0x80;
/** The update cycle lasts 244 us before the date changes (with a 32.768 kHz time base). */
const UPDATE_UNITS = Math.floor((UNITS_PER_SECOND * 244) / 1_000_000);

const SECONDS = 0;
const SECONDS_ALARM = 1;
const MINUTES = 2;
const MINUTES_ALARM = 3;
const HOURS = 4;
const HOURS_ALARM = 5;
const WEEKDAY = 6;
const DAY = 7;
const MONTH = 8;
const YEAR = 9;
const REGISTER_A = 10;
const REGISTER_B = 11;
const REGISTER_C = 12;
const REGISTER_D = 13;
const CENTURY = 0x32;

export interface RtcState {
  readonly cmos: Uint8Array;
  readonly index: number;
  /** Date at `since`, seconds since 2000; `since` is when a second began, of those that the divider counts. */
  readonly date: number;
  readonly since: number;
  /** Times up to which periodic ticks and updates were told. */
  readonly periodicAt: number;
  readonly updateAt: number;
}

/** Days from 1 January 2000 to a date of the Gregorian calendar. */
export function daysFrom2000(year: number, month: number, day: number): number {
  // Years begin in March, so that the leap day is the last.
  const y = month > 2 ? year : year - 1;
  const m = (month + 9) % 12;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * m + 2) / 5) + day - 1;
  const days = ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear;
  return era * 146_097 + days - 730_425;
}

export interface CalendarDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** 0: Sunday. */
  readonly weekday: number;
}

/** The date that is `days` after 1 January 2000. */
export function dateOf(days: number): CalendarDate {
  const z = days + 730_425;
  const era = Math.floor(z / 146_097);
  const ofEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const m = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * m + 2) / 5) + 1;
  const month = m < 10 ? m + 3 : m - 9;
  // 1 January 2000 was a Saturday.
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day,
    weekday: (((days + 6) % 7) + 7) % 7,
  };
}

export class Rtc implements PortDevice, Timed {
  readonly cmos = new Uint8Array(128);
  private index = 0;
  private date = RTC_EPOCH;
  private since = 0;
  private periodicAt = 0;
  private updateAt = 0;

  /** @param irq8 called with the level of the interrupt output */
  constructor(
    private readonly clock: Clock,
    private readonly irq8: (level: boolean) => void,
  ) {
    this.cmos[REGISTER_A] = 0x26; // 32.768 kHz, 1024 Hz
    this.cmos[REGISTER_B] = B_24_HOURS;
    this.cmos[REGISTER_D] = 0x80; // the battery is good
  }

  /** Units of one periodic tick, or Infinity: rate 1 and 2 are those of 8 and 9 (data sheet, table 5). */
  private get period(): number {
    const rate = this.cmos[REGISTER_A]! & 15;
    if (rate === 0) return Infinity;
    const power = rate <= 2 ? rate + 6 : rate - 1;
    return (UNITS_PER_SECOND * 2 ** power) / 32_768;
  }

  /** The divider counts: there are periodic ticks, and seconds go by. */
  private get dividing(): boolean {
    return (this.cmos[REGISTER_A]! & 0x70) === 0x20;
  }

  /** With each second the date changes: not while it is being set. */
  private get running(): boolean {
    return (this.cmos[REGISTER_B]! & B_SET) === 0 && this.dividing;
  }

  readPort(offset: number): number {
    if (offset === 0) return 0xff;
    const { cmos, index } = this;
    if (index <= YEAR || index === CENTURY) this.updateRegisters();
    switch (index) {
      case REGISTER_A: {
        const into = (this.clock.time - this.since) % UNITS_PER_SECOND;
        const updating = this.running && into >= UNITS_PER_SECOND - UPDATE_UNITS;
        return (cmos[REGISTER_A]! & 0x7f) | (updating ? A_UIP : 0);
      }
      case REGISTER_C: {
        // Flags are set whether or not they interrupt; nobody has to be woken for those that do not.
        this.advance(this.clock.time);
        const flags = cmos[REGISTER_C]!;
        cmos[REGISTER_C] = 0;
        this.irq8(false);
        return flags;
      }
      default:
        return cmos[index]!;
    }
  }

  writePort(offset: number, value: number): void {
    if (offset === 0) {
      this.index = value & 0x7f;
      return;
    }
    const { cmos, index } = this;
    switch (index) {
      case REGISTER_A: {
        this.advance(this.clock.time);
        this.settle();
        const { dividing } = this;
        cmos[REGISTER_A] = value & 0x7f;
        // Where the divider starts again, the first update comes half a second later (data sheet, DV bits).
        if (!dividing && this.dividing) this.since = this.clock.time - UNITS_PER_SECOND / 2;
        break;
      }
      case REGISTER_B:
        this.advance(this.clock.time);
        this.updateRegisters();
        this.settle();
        // While SET is on, the registers hold the date; when it goes off, the clock goes on from them.
        cmos[REGISTER_B] = (value & B_SET) !== 0 ? value & ~B_UPDATE : value;
        break;
      case REGISTER_C:
      case REGISTER_D:
        return; // read-only
      default:
        if (index <= YEAR || index === CENTURY) this.setRegister(value);
        else cmos[index] = value;
        return;
    }
    this.periodicAt = this.updateAt = this.clock.time;
    this.updateLine();
  }

  /** Lets the date stand at the second that is under way, so that how it goes on may change. */
  private settle(): void {
    this.date = this.secondsNow();
    if (!this.dividing) return;
    const elapsed = this.clock.time - this.since;
    this.since += Math.floor(elapsed / UNITS_PER_SECOND) * UNITS_PER_SECOND;
  }

  private secondsNow(): number {
    return this.running
      ? this.date + Math.floor((this.clock.time - this.since) / UNITS_PER_SECOND)
      : this.date;
  }

  private setRegister(value: number): void {
    this.updateRegisters();
    const { cmos } = this;
    cmos[this.index] = value;
    if (this.index === SECONDS_ALARM || this.index === MINUTES_ALARM || this.index === HOURS_ALARM) return;
    const year = this.number(CENTURY) * 100 + this.number(YEAR);
    const days = daysFrom2000(year, Math.max(1, this.number(MONTH)), Math.max(1, this.number(DAY)));
    this.settle();
    this.date = days * 86_400 + this.hours() * 3600 + this.number(MINUTES) * 60 + this.number(SECONDS);
  }

  /** A register's value as a number, whichever way it is coded. */
  private number(register: number): number {
    const value = this.cmos[register]!;
    // The century byte is the AT's own and always BCD.
    const binary = (this.cmos[REGISTER_B]! & B_BINARY) !== 0 && register !== CENTURY;
    return binary ? value : (value >> 4) * 10 + (value & 15);
  }

  private hours(): number {
    const value = this.cmos[HOURS]!;
    if ((this.cmos[REGISTER_B]! & B_24_HOURS) !== 0) return this.number(HOURS);
    const afternoon = (value & 0x80) !== 0;
    const hour =
      (this.cmos[REGISTER_B]! & B_BINARY) !== 0 ? value & 0x7f : ((value >> 4) & 7) * 10 + (value & 15);
    return (hour % 12) + (afternoon ? 12 : 0);
  }

  private code(value: number, register: number): number {
    const binary = (this.cmos[REGISTER_B]! & B_BINARY) !== 0 && register !== CENTURY;
    return binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  /** Writes the date into the registers, as the clock's own update does. */
  private updateRegisters(): void {
    if ((this.cmos[REGISTER_B]! & B_SET) !== 0) return;
    const now = this.secondsNow();
    const days = Math.floor(now / 86_400);
    const second = now - days * 86_400;
    const { year, month, day, weekday } = dateOf(days);
    const put = (register: number, value: number): void => {
      this.cmos[register] = this.code(value, register);
    };
    put(SECONDS, second % 60);
    put(MINUTES, Math.floor(second / 60) % 60);
    const hour = Math.floor(second / 3600);
    if ((this.cmos[REGISTER_B]! & B_24_HOURS) !== 0) put(HOURS, hour);
    else this.cmos[HOURS] = this.code(hour % 12 === 0 ? 12 : hour % 12, HOURS) | (hour >= 12 ? 0x80 : 0);
    put(WEEKDAY, weekday + 1);
    put(DAY, day);
    put(MONTH, month);
    put(YEAR, year % 100);
    put(CENTURY, Math.floor(year / 100));
  }

  next(): number {
    if (!this.dividing) return Infinity;
    const enabled = this.cmos[REGISTER_B]!;
    let next = Infinity;
    if ((enabled & B_PERIODIC) !== 0 && this.period !== Infinity) {
      next = Math.ceil((Math.floor(this.periodicAt / this.period) + 1) * this.period);
    }
    if (this.running && (enabled & (B_UPDATE | B_ALARM)) !== 0)
      next = Math.min(next, this.secondAfter(this.updateAt));
    return next;
  }

  /** The first time behind `time` at which the date changes. */
  private secondAfter(time: number): number {
    return this.since + (Math.floor((time - this.since) / UNITS_PER_SECOND) + 1) * UNITS_PER_SECOND;
  }

  advance(now: number): void {
    if (!this.dividing) return;
    const { cmos, period } = this;
    if (period !== Infinity && Math.floor(now / period) > Math.floor(this.periodicAt / period)) {
      cmos[REGISTER_C]! |= B_PERIODIC;
    }
    this.periodicAt = Math.max(this.periodicAt, now);
    if (this.running) this.update(now);
    this.updateAt = Math.max(this.updateAt, now);
    this.updateLine();
  }

  /** The changes of the date up to `now`. */
  private update(now: number): void {
    const { cmos } = this;
    // An alarm comes round once a day: of a longer leap only the last day matters.
    const day = now - 86_400 * UNITS_PER_SECOND;
    for (let at = this.secondAfter(Math.max(this.updateAt, day)); at <= now; at += UNITS_PER_SECOND) {
      cmos[REGISTER_C]! |= B_UPDATE;
      if (this.alarmAt(this.date + Math.round((at - this.since) / UNITS_PER_SECOND)))
        cmos[REGISTER_C]! |= B_ALARM;
    }
  }

  /** True when the alarm registers name this second; 0xc0 and above mean any. */
  private alarmAt(seconds: number): boolean {
    const second = ((seconds % 86_400) + 86_400) % 86_400;
    const hour = Math.floor(second / 3600);
    const is = (register: number, value: number): boolean =>
      this.cmos[register]! >= 0xc0 || this.cmos[register] === value;
    const hours =
      (this.cmos[REGISTER_B]! & B_24_HOURS) !== 0
        ? this.code(hour, HOURS)
        : this.code(hour % 12 === 0 ? 12 : hour % 12, HOURS) | (hour >= 12 ? 0x80 : 0);
    return (
      is(SECONDS_ALARM, this.code(second % 60, SECONDS)) &&
      is(MINUTES_ALARM, this.code(Math.floor(second / 60) % 60, MINUTES)) &&
      is(HOURS_ALARM, hours)
    );
  }

  private updateLine(): void {
    const { cmos } = this;
    const asking = (cmos[REGISTER_C]! & cmos[REGISTER_B]! & (B_PERIODIC | B_ALARM | B_UPDATE)) !== 0;
    if (asking) cmos[REGISTER_C]! |= C_IRQ;
    this.irq8(asking);
  }

  /** RESET# (data sheet, "RESET"): interrupts off, their flags gone; date and memory stay. */
  reset(): void {
    this.cmos[REGISTER_B]! &= ~(B_PERIODIC | B_ALARM | B_UPDATE | B_SQUARE_WAVE);
    this.cmos[REGISTER_C] = 0;
    this.periodicAt = this.updateAt = this.clock.time;
    this.updateLine();
  }

  save(): RtcState {
    const { index, date, since, periodicAt, updateAt } = this;
    return { cmos: this.cmos.slice(), index, date, since, periodicAt, updateAt };
  }

  load(state: RtcState): void {
    this.cmos.set(state.cmos);
    this.index = state.index;
    this.date = state.date;
    this.since = state.since;
    this.periodicAt = state.periodicAt;
    this.updateAt = state.updateAt;
    this.updateLine();
  }
}
