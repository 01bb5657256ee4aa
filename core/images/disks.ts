/**
 * Floppies and disks: raw sectors of 512 bytes. What is to be booted has the signature 55 AA at 510 of its first
 * sector; the firmware loads that sector to 7C00 and jumps there. Files that are disks in a wrapping (qcow2, VMDK and
 * others) are refused by name, because their first sector is not the disk's.
 */
import { hex, type OpenResult, refuse, u16, u32 } from "./image.ts";
import { AT_RESET } from "./rom.ts";

export const SECTOR = 512;
const SIGNATURE_AT = 510;
const SIGNATURE = 0xaa55;
/** Largest image: its sectors are in a typed array, and the drives count them in 28 bits. */
export const LARGEST_DISK = 2 ** 31;

/** Floppies by their KiB: 160, 180, 320, 360 and 1200 (5.25"), 720, 1440, 1680, 1722 and 2880 (3.5"). */
const FLOPPY_KIB = [160, 180, 320, 360, 720, 1200, 1440, 1680, 1722, 2880];
export const FLOPPY_SIZES: readonly number[] = FLOPPY_KIB.map((kib) => kib * 1024);
const LARGEST_FLOPPY = FLOPPY_SIZES.at(-1)!;
/** The floppy on which a boot sector without one is put. */
const USUAL_FLOPPY = 1440 * 1024;

export const hasBootSignature = (bytes: Uint8Array): boolean =>
  bytes.length >= SECTOR && u16(bytes, SIGNATURE_AT) === SIGNATURE;

/** A file that is surely a floppy or one boot sector. */
export const isBootSector = (bytes: Uint8Array): boolean =>
  hasBootSignature(bytes) && (bytes.length === SECTOR || FLOPPY_SIZES.includes(bytes.length));

const WRAPPINGS: readonly {
  readonly at: number;
  readonly magic: readonly number[];
  readonly name: string;
}[] = [
  { at: 0, magic: [0x51, 0x46, 0x49, 0xfb], name: "a qcow2 image" },
  { at: 0, magic: [0x4b, 0x44, 0x4d, 0x56], name: "a VMDK image" },
  { at: 0, magic: [0x63, 0x6f, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x78], name: "a VHD image" },
  { at: 0, magic: [0x76, 0x68, 0x64, 0x78, 0x66, 0x69, 0x6c, 0x65], name: "a VHDX image" },
  { at: 0x40, magic: [0x7f, 0x10, 0xda, 0xbe], name: "a VDI image" },
  { at: 0, magic: [0x1f, 0x8b, 0x08], name: "compressed (gzip)" },
  { at: 0, magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], name: "compressed (xz)" },
  { at: 0, magic: [0x28, 0xb5, 0x2f, 0xfd], name: "compressed (zstd)" },
  { at: 0, magic: [0x42, 0x5a, 0x68], name: "compressed (bzip2)" },
  { at: 0, magic: [0x50, 0x4b, 0x03, 0x04], name: "a zip archive" },
];

/** "a qcow2 image" and the like, or null. */
export function wrappingOf(bytes: Uint8Array): string | null {
  const found = WRAPPINGS.find(({ at, magic }) => magic.every((byte, i) => bytes[at + i] === byte));
  return found === undefined ? null : found.name;
}

/** An ISO 9660 file system without a boot sector for disks: the primary volume descriptor's "CD001". */
export const isIso = (bytes: Uint8Array): boolean =>
  bytes.length > 0x8806 && u32(bytes, 0x8001) === 0x3030_4443 && bytes[0x8005] === 0x31;

/** What keeps a file from being a drive's image, in a sentence, or null. @param what "disk image", for instance */
export function refuseDisk(bytes: Uint8Array, what: string): string | null {
  if (bytes.length === 0) return `${what}: the file is empty; a disk has at least one sector of 512 bytes`;
  if (bytes.length > LARGEST_DISK)
    return `${what}: it has ${bytes.length} bytes, and at most ${LARGEST_DISK} (2 GiB) can be a drive`;
  const wrapping = wrappingOf(bytes);
  if (wrapping !== null)
    return `${what}: the file is ${wrapping}; a drive takes the raw sectors, so unpack or convert it first`;
  return null;
}

const unsigned = (bytes: Uint8Array, what: string): string =>
  bytes.length < SECTOR
    ? `${what}: the file has ${bytes.length} bytes, less than a sector of ${SECTOR}; it is cut off`
    : `${what}: at 0x1fe of its first sector is ${hex(u16(bytes, SIGNATURE_AT))}, there should be 0xaa55 (bytes 55 AA), or the firmware does not start it; as a disk that is not booted from it can go along with --disk`;

/** A whole floppy of a standard size: what is there, and empty sectors behind it. Null: larger than any floppy. */
export function asFloppy(bytes: Uint8Array): Uint8Array | null {
  if (FLOPPY_SIZES.includes(bytes.length)) return bytes;
  if (bytes.length > LARGEST_FLOPPY) return null;
  const whole = new Uint8Array(bytes.length > USUAL_FLOPPY ? LARGEST_FLOPPY : USUAL_FLOPPY);
  whole.set(bytes);
  return whole;
}

/** @param foreignFirmware whether a ROM of the user's decides what it boots */
export function loadBootSector(bytes: Uint8Array, foreignFirmware: boolean): OpenResult {
  const bad = refuseDisk(bytes, "boot sector");
  if (bad !== null) return refuse(bad);
  if (!foreignFirmware && !hasBootSignature(bytes)) return refuse(unsigned(bytes, "boot sector"));
  const floppy = asFloppy(bytes);
  if (floppy === null)
    return refuse(
      `boot sector: the file has ${bytes.length} bytes, more than a floppy of ${LARGEST_FLOPPY}; start it as a disk`,
    );
  return { ok: true, image: { ...AT_RESET, kind: "boot-sector", floppy } };
}

/** @param foreignFirmware whether a ROM of the user's decides what it boots */
export function loadDisk(bytes: Uint8Array, foreignFirmware: boolean): OpenResult {
  const bad = refuseDisk(bytes, "disk image");
  if (bad !== null) return refuse(bad);
  if (!foreignFirmware && !hasBootSignature(bytes)) return refuse(unsigned(bytes, "disk image"));
  return { ok: true, image: { ...AT_RESET, kind: "disk", disks: [bytes] } };
}
