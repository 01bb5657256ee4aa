/**
 * The PC's board: every device, the ports and addresses they answer at, and the wires between them: sixteen ISA
 * interrupt lines into the 8259 pair and the I/O APIC, both into the processor. Time is the machine's.
 * Which line and port is whose: IBM PC/AT Technical Reference; MP specification 1.4, 3.6.2 (IRQ 0 on input 2).
 */
import type { MmioBus } from "../x86/door.ts";
import { ATA_CONTROL_PORT, ATA_PORT, AtaChannel, type AtaState } from "./ata.ts";
import type { Clock, Timed } from "./clock.ts";
import { CmosFacts, type MemoryFacts } from "./cmos-facts.ts";
import { Disk, type DiskState } from "./disk.ts";
import { FLOPPY_PORT, FLOPPY_PORTS, FloppyPort, type FloppyState } from "./floppy-port.ts";
import { IO_APIC_ADDRESS, IoApic, type IoApicState } from "./io-apic.ts";
import { KEYBOARD_COMMAND_PORT, KEYBOARD_DATA_PORT, Keyboard, type KeyboardState } from "./keyboard.ts";
import { LocalApic, type LocalApicState } from "./local-apic.ts";
import {
  DEBUG_CONSOLE_PORT,
  DEBUG_EXIT_PORT,
  DebugConsole,
  DebugExit,
  FAST_A20_PORT,
  FastA20,
  FERR_PORT,
  FerrLatch,
  POST_PORT,
  PostPort,
  RESET_CONTROL,
  ResetControl,
} from "./misc-ports.ts";
import { MmioMap } from "./mmio.ts";
import { PCI_ADDRESS_PORT, PCI_DATA_PORT, PciHost, type PciState } from "./pci.ts";
import { ELCR_PORT, PIC_MASTER_PORT, PIC_SLAVE_PORT, PicPair, type PicState } from "./pic.ts";
import { PIT_PORT, Pit, type PitState, PORT_B } from "./pit.ts";
import type { PortBus } from "./port-bus.ts";
import { RTC_PORT, Rtc, type RtcState } from "./rtc.ts";
import { COM2_PORT, SerialPort, type SerialState } from "./serial.ts";
import { VGA_PORT, VGA_PORTS, type VgaState, VgaText } from "./vga-text.ts";

export const IRQ_TIMER = 0;
export const IRQ_KEYBOARD = 1;
export const IRQ_COM2 = 3;
export const IRQ_COM1 = 4;
export const IRQ_RTC = 8;
export const IRQ_AUXILIARY = 12;
export const IRQ_FERR = 13;
export const IRQ_ATA = 14;
/** I/O APIC input of the timer; every other line n is input n. */
const TIMER_INPUT = 2;

/** IA32_APIC_BASE: enable, bootstrap processor. SDM vol. 3, 10.4.4. */
const APIC_ENABLE = 1 << 11;
const APIC_BOOTSTRAP = 1 << 8;
export const APIC_BASE_RESET = (0xfee0_0000 | APIC_ENABLE | APIC_BOOTSTRAP) >>> 0;

/** What the board does to the machine. */
export interface BoardWires {
  /** The vector that waits for the processor may have changed. */
  interrupt(): void;
  nmi(): void;
  /** The next event of a device came nearer than `due` was, or something has to be done before the next instruction. */
  wake(): void;
  /** A reset of the processor is asked for. */
  reset(): void;
  /** The level of the A20 gate. */
  a20(open: boolean): void;
  /** The guest wrote to the debug-exit port. */
  exit(value: number): void;
  post(value: number): void;
  debug(byte: number): void;
  /** The processor's IGNNE#. */
  ignne(asserted: boolean): void;
}

export interface BoardState {
  readonly pic: { readonly master: PicState; readonly slave: PicState };
  readonly pit: PitState;
  readonly rtc: RtcState;
  readonly keyboard: KeyboardState;
  readonly ata: AtaState;
  readonly disks: readonly (DiskState | null)[];
  readonly floppy: FloppyState;
  readonly com2: SerialState;
  readonly vga: VgaState;
  readonly apic: LocalApicState;
  readonly ioApic: IoApicState;
  readonly pci: PciState;
  readonly apicBase: number;
  readonly lines: number;
  readonly post: number;
  readonly fastA20: number;
  readonly keyboardA20: boolean;
  readonly ferr: boolean;
  readonly resetControl: number;
}

export type BoardSwitches = Pick<
  BoardState,
  "apicBase" | "lines" | "fastA20" | "keyboardA20" | "ferr" | "resetControl"
>;

export class Board implements MmioBus {
  readonly pic: PicPair;
  readonly pit: Pit;
  readonly rtc: Rtc;
  readonly keyboard: Keyboard;
  readonly ata: AtaChannel;
  readonly disks: readonly [Disk | null, Disk | null];
  readonly floppy: FloppyPort;
  readonly com2: SerialPort;
  readonly vga: VgaText;
  readonly apic: LocalApic;
  readonly ioApic: IoApic;
  readonly pci = new PciHost();
  readonly post: PostPort;
  private readonly fastA20: FastA20;
  private readonly ferrLatch: FerrLatch;
  private readonly resetControl: ResetControl;
  private readonly mmio = new MmioMap();
  private readonly timed: readonly Timed[];
  private readonly dues: number[];
  /** When a device does something by itself next, in units of time. */
  due = Infinity;
  /** IA32_APIC_BASE's low word, unsigned. */
  apicBase = APIC_BASE_RESET;
  /** Levels of the ISA lines. */
  private lines = 0;
  private keyboardA20 = true;
  /** The devices as they come out of a reset. */
  private readonly fresh: BoardState;

  /**
   * @param images of the drives of the primary ATA channel; null where there is none
   * @param floppy image in the floppy drive, or null
   * @throws RangeError when the floppy's image is longer than any floppy
   */
  constructor(
    clock: Clock,
    ports: PortBus,
    images: readonly (Uint8Array | null)[],
    floppy: Uint8Array | null,
    memory: MemoryFacts,
    private readonly wires: BoardWires,
  ) {
    this.apic = new LocalApic(
      clock,
      () => wires.interrupt(),
      () => wires.nmi(),
      (vector) => this.ioApic.ended(vector),
    );
    this.ioApic = new IoApic(this.apic);
    this.pic = new PicPair((level) => {
      this.apic.setLint0(level);
      wires.interrupt();
    });
    this.pit = new Pit(clock, (level) => this.setIrq(IRQ_TIMER, level));
    this.rtc = new Rtc(clock, (level) => this.setIrq(IRQ_RTC, level));
    this.keyboard = new Keyboard(
      (level) => this.setIrq(IRQ_KEYBOARD, level),
      (open) => {
        this.keyboardA20 = open;
        this.gateA20();
      },
      () => wires.reset(),
      (level) => this.setIrq(IRQ_AUXILIARY, level),
    );
    const disk = (i: number): Disk | null => {
      const image = images[i];
      return image === undefined || image === null ? null : new Disk(image);
    };
    this.disks = [disk(0), disk(1)];
    this.ata = new AtaChannel(clock, this.disks, (level) => this.setIrq(IRQ_ATA, level));
    this.floppy = new FloppyPort(floppy);
    this.com2 = new SerialPort(
      (level) => this.setIrq(IRQ_COM2, level),
      () => {},
      "pc",
    );
    this.vga = new VgaText(clock);
    this.post = new PostPort((value) => wires.post(value));
    this.fastA20 = new FastA20(
      () => this.gateA20(),
      () => wires.reset(),
    );
    this.ferrLatch = new FerrLatch(
      (level) => this.setIrq(IRQ_FERR, level),
      (asserted) => wires.ignne(asserted),
    );
    this.resetControl = new ResetControl(() => wires.reset());
    this.timed = [this.pit, this.rtc, this.ata, this.apic];
    this.dues = this.timed.map((device) => device.next());

    const moved = (device: Timed) => {
      const i = this.timed.indexOf(device);
      return () => this.moved(i);
    };
    ports.claim(PIC_MASTER_PORT, 2, this.pic.master);
    ports.claim(PIC_SLAVE_PORT, 2, this.pic.slave);
    ports.claim(ELCR_PORT, 2, this.pic.elcr);
    ports.claim(PIT_PORT, 4, this.pit, moved(this.pit));
    ports.claim(PORT_B, 1, this.pit.systemControl, moved(this.pit));
    ports.claim(RTC_PORT, 2, this.rtc, moved(this.rtc));
    ports.claim(KEYBOARD_DATA_PORT, 1, this.keyboard.data);
    ports.claim(KEYBOARD_COMMAND_PORT, 1, this.keyboard.control);
    ports.claim(ATA_PORT, 8, this.ata, moved(this.ata));
    ports.claim(ATA_CONTROL_PORT, 1, this.ata.controlPort, moved(this.ata));
    ports.claim(FLOPPY_PORT, FLOPPY_PORTS, this.floppy);
    ports.claim(COM2_PORT, 8, this.com2);
    ports.claim(VGA_PORT, VGA_PORTS, this.vga);
    ports.claim(POST_PORT, 1, this.post);
    ports.claim(FAST_A20_PORT, 1, this.fastA20);
    ports.claim(FERR_PORT, 2, this.ferrLatch);
    ports.claim(DEBUG_CONSOLE_PORT, 1, new DebugConsole((byte) => wires.debug(byte)));
    ports.claim(DEBUG_EXIT_PORT, 4, new DebugExit((value) => wires.exit(value)));
    // The reset control register lies among the address port's bytes, which only answers as a whole.
    const { addressPort } = this.pci;
    ports.claim(PCI_ADDRESS_PORT, 4, {
      readPort: (offset) => (offset === RESET_CONTROL ? this.resetControl.readPort() : 0xff),
      writePort: (offset, value) => {
        if (offset === RESET_CONTROL) this.resetControl.writePort(0, value);
      },
      readWide: (offset, size) => addressPort.readWide?.(offset, size),
      writeWide: (offset, size, value) => addressPort.writeWide?.(offset, size, value) ?? false,
    });
    ports.claim(PCI_DATA_PORT, 4, this.pci.dataPort);
    this.mmio.claim(IO_APIC_ADDRESS, 4096, this.ioApic);
    new CmosFacts(this.rtc).write(memory, this.disks);
    this.plan();
    this.fresh = this.save();
  }

  // ---- lines and interrupts ----

  /** The level of an ISA interrupt line. */
  setIrq(irq: number, level: boolean): void {
    const bit = 1 << irq;
    if (((this.lines & bit) !== 0) === level) return;
    this.lines ^= bit;
    this.pic.setIrq(irq, level);
    this.ioApic.setLine(irq === IRQ_TIMER ? TIMER_INPUT : irq, level);
  }

  /** The vector that the processor would get now, or -1. */
  get vector(): number {
    const { apic } = this;
    const fixed = apic.globallyEnabled ? apic.requested : -1;
    if (fixed >= 0) return fixed;
    return this.pic.interrupting && apic.passesExtint ? this.pic.vector : -1;
  }

  /** The processor takes the interrupt that waits. */
  acknowledge(): void {
    const { apic } = this;
    if (apic.globallyEnabled && apic.requested >= 0) apic.acknowledge();
    else this.pic.acknowledge();
    this.wires.interrupt();
  }

  /** The processor's FERR#. */
  ferr(asserted: boolean): void {
    this.ferrLatch.ferr(asserted);
  }

  get a20(): boolean {
    return this.keyboardA20 || (this.fastA20.value & 2) !== 0;
  }

  /** What is the board's own and no device's, for the window. */
  get switches(): BoardSwitches {
    const { apicBase, lines, fastA20, keyboardA20, ferrLatch, resetControl } = this;
    return {
      apicBase,
      lines,
      fastA20: fastA20.value,
      keyboardA20,
      ferr: ferrLatch.waiting,
      resetControl: resetControl.value,
    };
  }

  /** Either gate opens it, as the chipsets wire them. */
  private gateA20(): void {
    this.wires.a20(this.a20);
  }

  /** WRMSR of IA32_APIC_BASE. @param low bits 0 to 31, checked by the processor */
  setApicBase(low: number): void {
    this.apicBase = (low | APIC_BOOTSTRAP) >>> 0;
    this.apic.globallyEnabled = (low & APIC_ENABLE) !== 0;
    this.wires.interrupt();
  }

  // ---- time ----

  /** Everything that is due at `now` or before happens, the earliest first. */
  advance(now: number): void {
    while (this.due <= now) {
      const i = this.dues.indexOf(this.due);
      const device = this.timed[i]!;
      device.advance(now);
      this.dues[i] = device.next();
      this.plan();
    }
  }

  private plan(): void {
    const [a, b, c, d] = this.dues as [number, number, number, number];
    this.due = Math.min(a, b, c, d);
  }

  /** A device was spoken to: what it does next may have come nearer. */
  private moved(i: number): void {
    const next = this.timed[i]!.next();
    if (next === this.dues[i]) return;
    this.dues[i] = next;
    const before = this.due;
    this.plan();
    if (this.due < before) this.wires.wake();
  }

  // ---- devices at addresses ----

  private local(address: number): boolean {
    return this.apic.globallyEnabled && address - (address % 4096) === this.apicBase - (this.apicBase % 4096);
  }

  readMmio(address: number, size: number): number {
    if (!this.local(address)) return this.mmio.readMmio(address, size);
    const shift = (address & 3) * 8;
    const value = this.apic.readRegister(address & 0xffc) >>> shift;
    return size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value | 0;
  }

  writeMmio(address: number, size: number, value: number): void {
    if (!this.local(address)) {
      this.mmio.writeMmio(address, size, value);
      return;
    }
    if (size !== 4 || (address & 3) !== 0) return;
    this.apic.writeRegister(address & 0xffc, value);
    this.moved(3);
  }

  // ---- reset and snapshots ----

  /** RESET# reaches the devices. The clock's date and memory stay, and what is on the disks. */
  reset(): void {
    const { rtc } = this;
    rtc.reset();
    const kept = rtc.save();
    const disks = this.disks.map((disk) => disk?.save() ?? null);
    const floppy = { ...this.fresh.floppy, disk: this.floppy.save().disk };
    this.load({ ...this.fresh, rtc: kept, disks, floppy });
  }

  save(): BoardState {
    return {
      pic: this.pic.save(),
      pit: this.pit.save(),
      rtc: this.rtc.save(),
      keyboard: this.keyboard.save(),
      ata: this.ata.save(),
      disks: this.disks.map((disk) => disk?.save() ?? null),
      floppy: this.floppy.save(),
      com2: this.com2.save(),
      vga: this.vga.save(),
      apic: this.apic.save(),
      ioApic: this.ioApic.save(),
      pci: this.pci.save(),
      apicBase: this.apicBase,
      lines: this.lines,
      post: this.post.value,
      fastA20: this.fastA20.value,
      keyboardA20: this.keyboardA20,
      ferr: this.ferrLatch.waiting,
      resetControl: this.resetControl.value,
    };
  }

  load(state: BoardState): void {
    this.pit.load(state.pit);
    this.rtc.load(state.rtc);
    this.keyboard.load(state.keyboard);
    this.ata.load(state.ata);
    this.disks.forEach((disk, i) => {
      const sectors = state.disks[i];
      if (disk !== null && sectors !== null && sectors !== undefined) disk.load(sectors);
    });
    this.floppy.load(state.floppy);
    this.com2.load(state.com2);
    this.vga.load(state.vga);
    this.pci.load(state.pci);
    this.post.value = state.post;
    this.fastA20.value = state.fastA20;
    this.keyboardA20 = state.keyboardA20;
    this.ferrLatch.waiting = state.ferr;
    this.resetControl.value = state.resetControl;
    // The controllers last: what the devices told them on the way is replaced by what they were.
    this.lines = state.lines;
    this.ioApic.load(state.ioApic);
    this.pic.load(state.pic);
    this.apicBase = state.apicBase;
    this.apic.globallyEnabled = (state.apicBase & APIC_ENABLE) !== 0;
    this.apic.load(state.apic);
    this.timed.forEach((device, i) => {
      this.dues[i] = device.next();
    });
    this.plan();
    this.gateA20();
    this.wires.interrupt();
  }
}
