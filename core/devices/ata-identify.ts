/**
 * What a disk says about itself: the 256 words of IDENTIFY DEVICE, those that a driver reads.
 * Source: ATA/ATAPI-5 (T13/1321D), 8.12.
 */
import { HEADS, SECTORS_A_TRACK } from "./ata-task-file.ts";

/** Sectors that READ MULTIPLE and WRITE MULTIPLE move between two interrupts, at most. */
export const MOST_MULTIPLE = 16;

/**
 * @param sectors of the disk
 * @param device 0 or 1; the serial number tells them apart
 * @param multiple sectors of a block, as SET MULTIPLE MODE left them; 0: not set
 */
export function identifyDevice(sectors: number, device: number, multiple: number): Uint16Array {
  const words = new Uint16Array(256);
  const total = Math.min(sectors, 0x0fff_ffff);
  const cylinders = Math.min(16_383, Math.floor(total / (HEADS * SECTORS_A_TRACK)));
  const text = (from: number, length: number, value: string): void => {
    for (let i = 0; i < length; i++) {
      const pair = value.padEnd(length * 2).slice(i * 2, i * 2 + 2);
      words[from + i] = (pair.charCodeAt(0) << 8) | pair.charCodeAt(1);
    }
  };
  words[0] = 0x0040; // fixed device
  words[1] = cylinders;
  words[3] = HEADS;
  words[6] = SECTORS_A_TRACK;
  text(10, 10, `QUADRANT000${device + 1}`);
  text(23, 4, "1.0");
  text(27, 20, "QUADRANT DISK");
  words[47] = 0x8000 | MOST_MULTIPLE;
  words[49] = 0x0200; // LBA
  words[50] = 0x4000;
  words[51] = 0x0200;
  words[53] = 0x0003;
  words[54] = cylinders;
  words[55] = HEADS;
  words[56] = SECTORS_A_TRACK;
  const chs = cylinders * HEADS * SECTORS_A_TRACK;
  words[57] = chs & 0xffff;
  words[58] = chs >>> 16;
  words[59] = multiple === 0 ? 0 : 0x0100 | multiple;
  words[60] = total & 0xffff;
  words[61] = total >>> 16;
  words[64] = 0x0003; // PIO modes 3 and 4
  words[67] = 120;
  words[68] = 120;
  words[80] = 0x003e; // ATA-1 to ATA-5
  words[82] = 0x4000; // NOP and nothing of the optional sets
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = 0x4000;
  words[87] = 0x4000;
  return words;
}
