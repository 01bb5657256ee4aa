/**
 * Small ports of the PC: POST codes (0x80), the fast A20 gate and reset (0x92), the x87's interrupt latch (0xf0), reset
 * control (0xcf9), and the debug console (0xe9) and debug-exit port (0xf4) as qemu and Bochs have them.
 */
import type { PortDevice } from "./port-bus.ts";

export const POST_PORT = 0x80;
export const FAST_A20_PORT = 0x92;
export const DEBUG_CONSOLE_PORT = 0xe9;
export const DEBUG_EXIT_PORT = 0xf4;

/** The diagnostic display: what the firmware wrote last. */
export class PostPort implements PortDevice {
  value = 0;

  constructor(private readonly written: (value: number) => void) {}

  readPort(): number {
    return this.value;
  }

  writePort(_offset: number, value: number): void {
    this.value = value;
    this.written(value);
  }
}

/** System control port A: bit 1 opens A20, a rising bit 0 resets the processor. */
export class FastA20 implements PortDevice {
  value = 2;

  constructor(
    private readonly a20: (open: boolean) => void,
    private readonly reset: () => void,
  ) {}

  readPort(): number {
    return this.value;
  }

  writePort(_offset: number, value: number): void {
    const rising = value & ~this.value & 1;
    this.value = value & 3;
    this.a20((value & 2) !== 0);
    if (rising !== 0) this.reset();
  }
}

/** A console without a line: every byte written is a character. Reading gives 0xe9, which says that it is there. */
export class DebugConsole implements PortDevice {
  constructor(private readonly sent: (byte: number) => void) {}

  readPort(): number {
    return 0xe9;
  }

  writePort(_offset: number, value: number): void {
    this.sent(value);
  }
}

/** Ends the run: the status is (value << 1) | 1. */
export class DebugExit implements PortDevice {
  constructor(private readonly exit: (value: number) => void) {}

  readPort(): number {
    return 0xff;
  }

  writePort(offset: number, value: number): void {
    if (offset === 0) this.exit(value);
  }
}

/** The x87's interrupt: a write to port 0xf0 clears the latch and asserts IGNNE#. */
export const FERR_PORT = 0xf0;

/**
 * The latch between FERR# and IRQ 13. A write to port 0xf0 (or 0xf1, its reset) takes the interrupt back and lets the
 * processor go on with the exception unserved, until FERR# goes (SDM vol. 1, appendix D.2.1).
 */
export class FerrLatch implements PortDevice {
  waiting = false;

  constructor(
    private readonly irq13: (level: boolean) => void,
    private readonly ignne: (asserted: boolean) => void,
  ) {}

  /** The processor's FERR# changes. */
  ferr(asserted: boolean): void {
    this.waiting = asserted;
    if (!asserted) this.ignne(false);
    this.irq13(asserted);
  }

  readPort(): number {
    return 0xff;
  }

  writePort(): void {
    if (!this.waiting) return;
    this.waiting = false;
    this.ignne(true);
    this.irq13(false);
  }
}

/** Byte of the PCI address port's dword at which the reset control register answers: port 0xcf9. */
export const RESET_CONTROL = 1;

/** Reset control register of the PIIX: bit 2 rising resets, bit 1 says how hard. */
export class ResetControl implements PortDevice {
  value = 0;

  constructor(private readonly reset: () => void) {}

  readPort(): number {
    return this.value;
  }

  writePort(_offset: number, value: number): void {
    const rising = value & ~this.value & 4;
    this.value = value & 6;
    if (rising !== 0) this.reset();
  }
}
