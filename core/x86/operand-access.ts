/**
 * The processor's accesses to memory as a handler makes them: by segment and offset, within one compare where the TLB's
 * derived arrays have the page; and the stack. Everything off that path is access.ts. They are methods of `Cpu`.
 */
import {
  linearCheck,
  linearOf,
  linearRead,
  linearWrite,
  misaligned,
  observe,
  readSlow,
  rmwReadSlow,
  userBit,
  writeSlow,
} from "./access.ts";
import { FLAT_STACK } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { watchData } from "./debug.ts";
import { ACCESS_WRITE } from "./door.ts";
import { SS } from "./isa/insn.ts";
import { WATCH_READ, WATCH_WRITE } from "./watchpoints.ts";

export abstract class Operands {
  // ---- memory: `seg` 0-5, `ea` an effective offset ----

  read8(this: Cpu, seg: number, ea: number): number {
    if (((this.flat >>> seg) & 1) !== 0) {
      const fast = this.fastRead;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xfff)) return this.bytes[(ea + fast[w + 1]!) | 0]!;
    }
    return readSlow(this, seg, ea, 1);
  }

  read16(this: Cpu, seg: number, ea: number): number {
    if (((this.flat >>> seg) & 1) !== 0) {
      const fast = this.fastRead;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xffe)) return this.u16[((ea + fast[w + 1]!) | 0) >> 1]!;
    }
    return readSlow(this, seg, ea, 2);
  }

  read32(this: Cpu, seg: number, ea: number): number {
    if (((this.flat >>> seg) & 1) !== 0) {
      const fast = this.fastRead;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xffc)) return this.i32[((ea + fast[w + 1]!) | 0) >> 2]!;
    }
    return readSlow(this, seg, ea, 4);
  }

  write8(this: Cpu, seg: number, ea: number, value: number): void {
    if (((this.flat >>> seg) & 256) !== 0) {
      const fast = this.fastWrite;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xfff)) {
        this.bytes[(ea + fast[w + 1]!) | 0] = value;
        return;
      }
    }
    writeSlow(this, seg, ea, 1, value);
  }

  write16(this: Cpu, seg: number, ea: number, value: number): void {
    if (((this.flat >>> seg) & 256) !== 0) {
      const fast = this.fastWrite;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xffe)) {
        this.u16[((ea + fast[w + 1]!) | 0) >> 1] = value;
        return;
      }
    }
    writeSlow(this, seg, ea, 2, value);
  }

  write32(this: Cpu, seg: number, ea: number, value: number): void {
    if (((this.flat >>> seg) & 256) !== 0) {
      const fast = this.fastWrite;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xffc)) {
        this.i32[((ea + fast[w + 1]!) | 0) >> 2] = value;
        return;
      }
    }
    writeSlow(this, seg, ea, 4, value);
  }

  rmwRead8(this: Cpu, seg: number, ea: number): number {
    if (((this.flat >>> seg) & 256) !== 0) {
      const fast = this.fastWrite;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xfff)) {
        const host = (ea + fast[w + 1]!) | 0;
        this.rmwHost = host;
        return this.bytes[host]!;
      }
    }
    return rmwReadSlow(this, seg, ea, 1);
  }

  rmwRead16(this: Cpu, seg: number, ea: number): number {
    if (((this.flat >>> seg) & 256) !== 0) {
      const fast = this.fastWrite;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xffe)) {
        const host = (ea + fast[w + 1]!) | 0;
        this.rmwHost = host;
        return this.u16[host >> 1]!;
      }
    }
    return rmwReadSlow(this, seg, ea, 2);
  }

  rmwRead32(this: Cpu, seg: number, ea: number): number {
    if (((this.flat >>> seg) & 256) !== 0) {
      const fast = this.fastWrite;
      const w = (ea >>> 11) & 0x7fe;
      if (fast[w] === (ea & ~0xffc)) {
        const host = (ea + fast[w + 1]!) | 0;
        this.rmwHost = host;
        return this.i32[host >> 2]!;
      }
    }
    return rmwReadSlow(this, seg, ea, 4);
  }

  /** 8-byte read for CMPXCHG8B: the low half, the upper one in `high`; checked as a write. */
  rmwRead64(this: Cpu, seg: number, ea: number): number {
    const la = linearOf(this, seg, ea, 8, true);
    if (this.faulted || misaligned(this, la, 8)) return 0;
    if (this.watchingData) watchData(this, la, 8, true);
    this.rmwLa = la;
    const user = userBit(this);
    if (this.emulating) {
      const low = this.emulator!.read(la, 8, user | ACCESS_WRITE);
      this.high = this.emulator!.high;
      if (this.watchpoints !== null) observe(this, la, 8, WATCH_READ);
      return low;
    }
    if (!linearCheck(this, la, 8, user | ACCESS_WRITE)) return 0;
    const low = linearRead(this, la, 4, user);
    this.high = linearRead(this, (la + 4) | 0, 4, user);
    return low;
  }

  rmwWrite8(this: Cpu, value: number): void {
    if (this.rmwHost >= 0) this.bytes[this.rmwHost] = value;
    else linearWrite(this, this.rmwLa, 1, value & 0xff, userBit(this));
  }

  rmwWrite16(this: Cpu, value: number): void {
    if (this.rmwHost >= 0) this.u16[this.rmwHost >> 1] = value;
    else linearWrite(this, this.rmwLa, 2, value & 0xffff, userBit(this));
  }

  rmwWrite32(this: Cpu, value: number): void {
    if (this.rmwHost >= 0) this.i32[this.rmwHost >> 2] = value;
    else linearWrite(this, this.rmwLa, 4, value, userBit(this));
  }

  /** Stores both halves behind `rmwRead64`, as one access. */
  rmwWrite64(this: Cpu, low: number, high: number): void {
    const user = userBit(this);
    if (this.emulating) {
      this.emulator!.write(this.rmwLa, 8, low, high, user | ACCESS_WRITE);
      if (this.watchpoints !== null) observe(this, this.rmwLa, 8, WATCH_WRITE);
      return;
    }
    linearWrite(this, this.rmwLa, 4, low, user);
    linearWrite(this, (this.rmwLa + 4) | 0, 4, high, user);
  }

  /** Would `size` bytes be accessible? Raises the fault otherwise. Sets A (and D for a write) as the access would. */
  check(this: Cpu, seg: number, ea: number, size: number, write: boolean): boolean {
    const la = linearOf(this, seg, ea, size, write);
    if (this.faulted) return false;
    // What is longer is several accesses: each is checked when it is made, before anything has changed.
    if (size <= 4 && misaligned(this, la, size)) return false;
    return linearCheck(this, la, size, write ? userBit(this) | ACCESS_WRITE : userBit(this));
  }

  // ---- stack ----

  push16(this: Cpu, value: number): void {
    const sp = this.moveSp(-2);
    this.write16(SS, sp & this.stackMask, value);
    if (!this.faulted) this.regs[4] = sp;
  }

  push32(this: Cpu, value: number): void {
    if ((this.flat & FLAT_STACK) !== 0) {
      const fast = this.fastWrite;
      const sp = (this.regs[4]! - 4) | 0;
      const w = (sp >>> 11) & 0x7fe;
      if (fast[w] === (sp & ~0xffc)) {
        this.i32[((sp + fast[w + 1]!) | 0) >> 2] = value;
        this.regs[4] = sp;
        return;
      }
    }
    this.push32Slow(value);
  }

  push32Slow(this: Cpu, value: number): void {
    const sp = this.moveSp(-4);
    this.write32(SS, sp & this.stackMask, value);
    if (!this.faulted) this.regs[4] = sp;
  }

  pop16(this: Cpu): number {
    const value = this.read16(SS, this.regs[4]! & this.stackMask);
    if (!this.faulted) this.regs[4] = this.moveSp(2);
    return value;
  }

  pop32(this: Cpu): number {
    if ((this.flat & FLAT_STACK) !== 0) {
      const fast = this.fastRead;
      const sp = this.regs[4]!;
      const w = (sp >>> 11) & 0x7fe;
      if (fast[w] === (sp & ~0xffc)) {
        this.regs[4] = sp + 4;
        return this.i32[((sp + fast[w + 1]!) | 0) >> 2]!;
      }
    }
    return this.pop32Slow();
  }

  pop32Slow(this: Cpu): number {
    const value = this.read32(SS, this.regs[4]! & this.stackMask);
    if (!this.faulted) this.regs[4] = this.moveSp(4);
    return value;
  }

  /** ESP moved by `by`; only SP moves in a 16-bit stack. */
  moveSp(this: Cpu, by: number): number {
    const esp = this.regs[4]!;
    const mask = this.stackMask;
    return (esp & ~mask) | ((esp + by) & mask);
  }
}
