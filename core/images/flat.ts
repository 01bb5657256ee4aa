/**
 * Flat images: the file's bytes, stored at an address and started there. ESP is 0x7c00, the other seven registers are
 * 0, EFLAGS is 2, and a GDT with flat code 0x08 and flat data 0x10 lies below 0x500.
 */
import { hex, type ImageOptions, type OpenResult, placeGdt, refuse, ZERO_REGS } from "./image.ts";
import { refuseHole } from "./memory-map.ts";

export const FLAT_ADDRESS = 0x100000;

export function loadFlat(bytes: Uint8Array, options: ImageOptions): OpenResult {
  const address = options.address ?? FLAT_ADDRESS;
  if (!Number.isInteger(address) || address < 0 || address > 0xffff_ffff) {
    return refuse(`flat image: the load address ${address} is not a whole number from 0 to 0xffffffff`);
  }
  if (address + bytes.length > options.memory) {
    return refuse(
      `flat image: ${bytes.length} bytes at ${hex(address)} end at ${hex(address + bytes.length)}, behind the memory's end ${hex(options.memory)}; load it lower or give the machine more memory`,
    );
  }
  const taken = [{ start: address, end: address + bytes.length }];
  const hole = refuseHole("flat image", taken, options);
  if (hole !== null) return hole;
  const { base, limit, bytes: gdt } = placeGdt(taken);
  return {
    ok: true,
    image: {
      kind: "flat",
      writes: [
        { gpa: base, bytes: gdt },
        { gpa: address, bytes },
      ],
      zeros: [],
      entry: address,
      regs: ZERO_REGS,
      gdt: { base, limit },
      symbols: [],
      notes: [],
    },
  };
}
