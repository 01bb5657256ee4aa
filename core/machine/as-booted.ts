/**
 * What a kernel finds that a boot loader has started and not we: the firmware ran before it. For images that begin in
 * protected mode the firmware does not run; this leaves what its power-on test would have, where kernels look for it.
 * BIOS data area: IBM PC/AT Technical Reference; controllers: as every PC's firmware programs them.
 */
import type { Machine } from "./machine.ts";
import type { Pc } from "./pc.ts";

const SPURIOUS = 0xf0;
const LINT0 = 0x350;
const LINT1 = 0x360;
const BASE_KIB = 639;
/** Segment of the extended BIOS data area: the last KiB below 640 KiB. */
const EBDA = 0x9fc0;
const COLUMNS = 80;
const ROWS = 25;
/** Coprocessor, 80x25 in colour, two serial ports; bits 0 and 6-7 say that there is a floppy drive. */
const EQUIPMENT = 0x0422;

/** Stores the BIOS data area and programs interrupt controllers and timer. */
export function leaveAsBooted(machine: Machine, pc: Pc): void {
  const { ports } = machine;
  pc.sealTables();
  const data = new Uint8Array(256);
  const view = new DataView(data.buffer);
  view.setUint16(0x00, 0x3f8, true);
  view.setUint16(0x02, 0x2f8, true);
  view.setUint16(0x0e, EBDA, true);
  view.setUint16(0x10, EQUIPMENT | (pc.media.floppy === undefined ? 0 : 1), true);
  view.setUint16(0x13, BASE_KIB, true);
  // An empty keyboard buffer from 0x1e to 0x3e.
  view.setUint16(0x1a, 0x1e, true);
  view.setUint16(0x1c, 0x1e, true);
  view.setUint16(0x80, 0x1e, true);
  view.setUint16(0x82, 0x3e, true);
  view.setUint8(0x49, 3);
  view.setUint16(0x4a, COLUMNS, true);
  view.setUint16(0x4c, 0x1000, true);
  view.setUint16(0x60, 0x0d0e, true);
  view.setUint16(0x63, 0x3d4, true);
  view.setUint8(0x75, pc.board.disks.filter((disk) => disk !== null).length);
  view.setUint8(0x84, ROWS - 1);
  view.setUint16(0x85, 16, true);
  pc.store(0x400, data);
  const ebda = new Uint8Array(2);
  ebda[0] = 1;
  pc.store(EBDA * 16, ebda);
  // The 8259 pair: vectors 08 and 70, only what the firmware serves is unmasked.
  for (const [port, value] of [
    [0x20, 0x11],
    [0xa0, 0x11],
    [0x21, 0x08],
    [0xa1, 0x70],
    [0x21, 0x04],
    [0xa1, 0x02],
    [0x21, 0x01],
    [0xa1, 0x01],
    [0x21, 0xb8],
    [0xa1, 0x8f],
    // Timer 0: square wave of 18.2 Hz.
    [0x43, 0x36],
    [0x40, 0x00],
    [0x40, 0x00],
  ] as const)
    ports.out(port, 1, value);
  // The APICs in virtual wire mode: the 8259 pair comes through LINT0, NMI through LINT1 (MP specification 1.4, 3.6.2.2).
  const { apic } = pc.board;
  apic.writeRegister(SPURIOUS, 0x10f);
  apic.writeRegister(LINT0, 0x700);
  apic.writeRegister(LINT1, 0x400);
}
