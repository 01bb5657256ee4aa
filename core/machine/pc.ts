/**
 * What makes a machine a PC: the board with its devices, the ROM, and what the board asks of the machine between two
 * instructions (a reset, the end of the run). The bare machine has none of it.
 */

import { Board, type BoardState } from "../devices/board.ts";
import { FRAME_CODE } from "../memory/host-memory.ts";
import { EV_A20, EV_DEBUG_OUT, EV_POST, EV_RESET, FLUSH_RESET_CONTEXT } from "../trace/events.ts";
import type { Machine } from "./machine.ts";
import { sealMpTables } from "./mp-tables.ts";
import { NESTED_LEVELS, PC_ROM_MOST } from "./setup.ts";

/** Files that a PC is given beside its image. They are never changed: what the guest writes lies over them. */
export interface Media {
  /** Drives of the primary ATA channel, in order. */
  readonly disks?: readonly (Uint8Array | null)[] | undefined;
  /** Image in the floppy drive. */
  readonly floppy?: Uint8Array | undefined;
  /** A firmware in place of our own: at most PC_ROM_MOST bytes, a multiple of 64 KiB. */
  readonly rom?: Uint8Array | undefined;
}

export interface PcState {
  readonly board: BoardState;
  readonly media: Media;
  /** What the guest wrote to the debug console, and to the debug-exit port last (-1: nothing). Not in the first files. */
  readonly debug?: Uint8Array;
  readonly exited?: number;
}

/** Bytes kept of what the guest wrote to the debug console. */
const DEBUG_MOST = 1 << 20;
const MIB = 2 ** 20;
const FOUR_GIB = 2 ** 32;
/** The last bytes of the ROM are seen below 1 MiB, too: from E0000, or F0000 for a small one. */
const SHADOW_MOST = 128 * 1024;

export class Pc {
  readonly board: Board;
  /** A reset was asked for, and is done at the next boundary. */
  resetWanted = false;
  /** What the guest wrote to the debug-exit port and the machine did not stop for yet, or -1. */
  exitCode = -1;
  /** What it wrote there last, or -1. */
  exited = -1;
  /** The A20 gate was written to. */
  a20Moved = false;
  private debug: number[] = [];

  constructor(
    private readonly machine: Machine,
    readonly media: Media,
    private readonly rom: Uint8Array,
    interrupt: () => void,
  ) {
    const { cpu, trace, setup } = machine;
    this.board = new Board(
      cpu,
      machine.ports,
      media.disks ?? [],
      media.floppy ?? null,
      { low: setup.memory, high: setup.memoryHigh, floppy: media.floppy !== undefined },
      {
        interrupt,
        nmi: () => cpu.raiseNmi(),
        wake: () => cpu.yield(),
        reset: () => {
          this.resetWanted = true;
          cpu.yield();
        },
        a20: () => {
          this.a20Moved = true;
          cpu.yield();
        },
        exit: (value) => {
          this.exitCode = this.exited = value;
          cpu.yield();
        },
        post: (value) => {
          if (trace.on) trace.emit(EV_POST, value);
        },
        debug: (byte) => {
          if (trace.on) trace.emit(EV_DEBUG_OUT, byte);
          this.debug.push(byte);
          if (this.debug.length > DEBUG_MOST) this.debug = this.debug.slice(DEBUG_MOST / 2);
        },
        ignne: (asserted) => {
          cpu.fpu.ignne = asserted;
        },
      },
    );
    cpu.mmio = this.board;
    cpu.apic = {
      read: () => this.board.apicBase,
      write: (low) => this.board.setApicBase(low),
    };
    cpu.ferr = (asserted) => this.board.ferr(asserted);
  }

  /** What the guest wrote to the debug console: the last bytes. */
  get debugOutput(): Uint8Array {
    return Uint8Array.from(this.debug);
  }

  /** The last `most` of them. */
  debugTail(most: number): Uint8Array {
    return Uint8Array.from(this.debug.slice(-most));
  }

  /** Moves the A20 gate to where the guest put it: every translation may lead elsewhere then. */
  moveA20(): void {
    const { slots, cpu, kvm, nested, trace, setup } = this.machine;
    const open = this.board.a20;
    this.a20Moved = false;
    if (slots.a20 === open) return;
    slots.a20 = open;
    if (trace.on) trace.emit(EV_A20, open ? 1 : 0);
    if (kvm === null) cpu.paging.flush(FLUSH_RESET_CONTEXT, false);
    kvm?.guestReset();
    nested?.configure(setup.nestedLevels ?? NESTED_LEVELS, setup.walkCache ?? 0);
  }

  /** Puts the ROM at the top of 4 GiB and its last part below 1 MiB, as the chipset's shadow memory has it. */
  placeRom(): void {
    const { rom } = this;
    if (rom.length === 0 || rom.length > PC_ROM_MOST) return;
    this.store(FOUR_GIB - rom.length, rom);
    this.placeShadow();
  }

  private placeShadow(): void {
    const part = this.rom.subarray(Math.max(0, this.rom.length - SHADOW_MOST));
    this.store(MIB - part.length, part);
  }

  /** What our own firmware's power-on test would have written into its copy below 1 MiB. */
  sealTables(): void {
    if (this.media.rom !== undefined) return;
    const part = this.rom.slice(Math.max(0, this.rom.length - SHADOW_MOST));
    if (sealMpTables(part, MIB - part.length)) this.store(MIB - part.length, part);
  }

  /** Stores bytes behind everybody's back, as a board does while the processor stands in reset. */
  store(gpa: number, bytes: Uint8Array): void {
    const { memory, slots, cpu } = this.machine;
    for (let at = 0; at < bytes.length; ) {
      const offset = (gpa + at) % 4096;
      const part = bytes.subarray(at, at + 4096 - offset);
      const hfn = slots.hfnOf(Math.floor((gpa + at) / 4096));
      at += part.length;
      if (hfn < 0) continue;
      memory.touch(hfn);
      if ((memory.flags[hfn]! & FRAME_CODE) !== 0) cpu.codeChanged(hfn);
      memory.bytes.set(part, hfn * 4096 + offset);
    }
  }

  /** The devices' part of a reset, and the firmware's copy below 1 MiB. */
  reset(): void {
    const { trace, cpu } = this.machine;
    this.resetWanted = false;
    if (trace.on) trace.emit(EV_RESET, cpu.linearIp);
    this.board.reset();
    this.machine.serial.reset();
    this.placeShadow();
  }

  save(): PcState {
    return { board: this.board.save(), media: this.media, debug: this.debugOutput, exited: this.exited };
  }

  load(state: PcState): void {
    this.board.load(state.board);
    this.debug = Array.from(state.debug ?? []);
    this.exited = state.exited ?? -1;
    this.machine.slots.a20 = this.board.a20;
    this.a20Moved = false;
    this.machine.cpu.resume();
  }
}
