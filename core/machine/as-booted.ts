/**
 * What a kernel finds that a boot loader has started and not we: the firmware ran before it. For images that begin in
 * protected mode the firmware does not run; this leaves what its power-on test would have, where kernels look for it.
 * BIOS data area: IBM PC/AT Technical Reference; controllers: as every PC's firmware programs them.
 */
import type { Machine } from "./machine.ts";
import type { Pc } from "./pc.ts";

/** COM1 and COM2. What is left in the scratch register is what the firmware looked for them with. */
const LINES = [0x3f8, 0x2f8] as const;
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
  view.setUint16(0x60, 0x0607, true);
  view.setUint16(0x63, 0x3d4, true);
  // Mode and palette registers of the CGA that they stand for; waits for serial lines and printers, in ticks.
  view.setUint16(0x65, 0x3029, true);
  view.setUint32(0x7c, 0x0101_0101, true);
  view.setUint8(0x75, pc.board.disks.filter((disk) => disk !== null).length);
  view.setUint8(0x84, ROWS - 1);
  view.setUint16(0x85, 16, true);
  // The display's state: a VGA in colour with 400 lines; a keyboard of 101 keys that has acknowledged.
  data.set([0x60, 0xf9, 0x51], 0x87);
  data.set([0x10, 0x10], 0x96);
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
    [0x21, 0xf8],
    [0xa1, 0x9e],
    // Timer 0: rate generator of 18.2 Hz; timer 1: the refresh.
    [0x43, 0x34],
    [0x40, 0x00],
    [0x40, 0x00],
    [0x43, 0x54],
    [0x41, 18],
    // Both serial lines: 9600 baud, 8 data bits.
    ...LINES.flatMap((port) => [
      [port + 3, 0x80] as const,
      [port, 12] as const,
      [port + 1, 0] as const,
      [port + 3, 3] as const,
      [port + 7, 0xa5] as const,
    ]),
    // A20 is either gate's: the keyboard controller's is closed, port 92 decides.
    [0x64, 0xdd],
  ] as const)
    ports.out(port, 1, value);
  // The APICs in virtual wire mode: the 8259 pair comes through LINT0, NMI through LINT1 (MP specification 1.4, 3.6.2.2).
  const { apic } = pc.board;
  apic.writeRegister(SPURIOUS, 0x1ff);
  apic.writeRegister(LINT0, 0x700);
  apic.writeRegister(LINT1, 0x400);
}
