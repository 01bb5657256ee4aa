/**
 * The memory map that a kernel is told by its loader: as multiboot's and Linux's structures have it, and as the
 * firmware's INT 15h, E820 says it. The bare machine has memory without a hole; a PC has one from 9FC00 to FFFFF.
 */
import { hex, type ImageOptions, type Range, refuse } from "./image.ts";

/** Types of ACPI's address map (ACPI 15): 1 is memory, 2 is taken. */
export const AVAILABLE = 1;
export const RESERVED = 2;

export interface Region {
  readonly base: number;
  readonly length: number;
  readonly type: typeof AVAILABLE | typeof RESERVED;
}

const MIB = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;
/** End of conventional memory on a PC: the firmware keeps the last KiB below A0000 for itself (the EBDA). */
const LOW_END = 0x9fc00;
const HOLE = 0xa0000;
/** The ROM's copy below 1 MiB, the APICs, and the largest ROM below 4 GiB. */
const LOW_ROM = 0xf0000;
const PAGE = 0x1000;
const IO_APIC = 0xfec0_0000;
const LOCAL_APIC = 0xfee0_0000;
const HIGH_ROM = FOUR_GIB - 0x4_0000;

/** Regions in ascending order. */
export function memoryMap({ machine, memory, memoryHigh }: ImageOptions): Region[] {
  const high: Region[] = memoryHigh > 0 ? [{ base: FOUR_GIB, length: memoryHigh, type: AVAILABLE }] : [];
  if (machine !== "pc") return [{ base: 0, length: memory, type: AVAILABLE }, ...high];
  return [
    { base: 0, length: LOW_END, type: AVAILABLE },
    { base: LOW_END, length: HOLE - LOW_END, type: RESERVED },
    { base: LOW_ROM, length: MIB - LOW_ROM, type: RESERVED },
    { base: MIB, length: memory - MIB, type: AVAILABLE },
    { base: IO_APIC, length: PAGE, type: RESERVED },
    { base: LOCAL_APIC, length: PAGE, type: RESERVED },
    { base: HIGH_ROM, length: FOUR_GIB - HIGH_ROM, type: RESERVED },
    ...high,
  ];
}

/** KiB of conventional memory, as INT 12h says it. */
export const lowerKib = ({ machine, memory }: ImageOptions): number =>
  machine === "pc" ? LOW_END >>> 10 : Math.min(640, memory >>> 10);

/** A PC has no free memory from A0000 to FFFFF: an image that goes there is refused. Null: it does not. */
export function refuseHole(
  what: string,
  taken: readonly Range[],
  { machine }: ImageOptions,
): { readonly ok: false; readonly error: string } | null {
  if (machine !== "pc") return null;
  const bad = taken.find(({ start, end }) => start < MIB && end > HOLE);
  if (bad === undefined) return null;
  return refuse(
    `${what}: it goes to physical ${hex(bad.start)} to ${hex(bad.end)}, and a pc has its screen and its ROM at 0xa0000 to 0xfffff; load it elsewhere, or on the machine bare`,
  );
}
