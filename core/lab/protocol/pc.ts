/**
 * A PC's screen, keyboard and devices as a window sees them: commands, views and their data. On a bare machine the
 * views say so (`screen` and `devices` are null), and the commands are refused in words.
 */
import * as v from "valibot";

/** Scan codes that one command may carry. */
const KEYS_MOST = 64;

export const PC_COMMANDS = [
  /**
   * Keys go down and up: scan codes of set 1, bit 7 for up, E0 and E1 before those that have it. A key for which the
   * keyboard's own buffer has no room is lost, as with any keyboard. Answers how many bytes wait in it then; no codes
   * at all only ask that.
   */
  v.strictObject({
    name: v.literal("keys"),
    codes: v.pipe(
      v.instance(Uint8Array, "expected bytes (Uint8Array)"),
      v.maxLength(KEYS_MOST, `at most ${KEYS_MOST} scan codes can be given at once`),
    ),
  }),
  /** The image of a drive with what the guest has written over it; answers bytes. */
  v.strictObject({
    name: v.literal("saveDisk"),
    drive: v.picklist([0, 1, "floppy"], 'drive is 0, 1 or "floppy"'),
  }),
] as const;

export const PC_VIEWS = [
  /** The VGA's text screen. */
  v.strictObject({ kind: v.literal("screen") }),
  /** Every device in a line, and the registers of those that are `open` (their ids). */
  v.strictObject({
    kind: v.literal("devices"),
    open: v.pipe(
      v.array(v.pipe(v.string("a device is named by its id"), v.maxLength(40, "no device has such an id"))),
      v.maxLength(40, "at most 40 devices are open"),
    ),
  }),
] as const;

export interface ScreenInfo {
  /** What the registers make of the picture. "graphics": a mode that is not shown; "off": the screen is turned off. */
  readonly mode: "text" | "graphics" | "off";
  readonly columns: number;
  readonly rows: number;
  /** Scan lines of a character. */
  readonly height: number;
  /** A word a character, row by row: its code (code page 437), and the attribute in the high byte. */
  readonly cells: Uint16Array;
  /** Where the cursor stands, and the first and last scan line of the character that it covers; null: not to be seen. */
  readonly cursor: {
    readonly column: number;
    readonly row: number;
    readonly from: number;
    readonly to: number;
  } | null;
  /** Bit 7 of an attribute blinks, else it is the background's intensity. */
  readonly blink: boolean;
  /** The colours of an attribute's 16 values, 0xRRGGBB. */
  readonly colours: readonly number[];
  /** Bytes that the keyboard holds and the guest has not read. */
  readonly waiting: number;
  /** Bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
  readonly leds: number;
  /** False when the guest has told the keyboard to be quiet. */
  readonly scanning: boolean;
}

export interface ScreenView {
  readonly kind: "screen";
  readonly screen: ScreenInfo | null;
}

export interface DeviceRegister {
  readonly name: string;
  /** Null where a line has words alone. */
  readonly value: number | null;
  /** Hexadecimal digits of the value. */
  readonly digits: number;
  /** What the value means. */
  readonly text: string;
}

export interface DevicePart {
  /** Empty for a device of one part. */
  readonly title: string;
  readonly registers: readonly DeviceRegister[];
}

export interface DeviceInfo {
  readonly id: string;
  readonly title: string;
  /** Ports, addresses and interrupt line. */
  readonly where: string;
  /** What it does now. */
  readonly summary: string;
  /** Empty for a device that is not open. */
  readonly parts: readonly DevicePart[];
}

export interface DriveInfo {
  /** Of the ATA channel, or the floppy drive. */
  readonly drive: 0 | 1 | "floppy";
  readonly sectors: number;
  /** Sectors that the guest has written; the file is as it was. */
  readonly written: number;
}

export interface DevicesView {
  readonly kind: "devices";
  readonly devices: readonly DeviceInfo[] | null;
  readonly drives: readonly DriveInfo[];
}

/** What the status says of a PC. */
export interface PcStatus {
  /** What was last written to the diagnostic port 80. */
  readonly post: number;
  /** Sectors that the guest has written, by drive; null where there is no drive. */
  readonly written: readonly (number | null)[];
  /** The same for the floppy. */
  readonly floppyWritten: number | null;
}
