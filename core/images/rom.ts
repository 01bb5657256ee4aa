/**
 * ROMs: 64, 128 or 256 KiB that end at FFFFFFFF, the last 64 KiB of them also at F0000. The processor begins at
 * FFFFFFF0, 16 bytes before the end, in real mode (SDM vol. 3, 9.1.4): there is a jump to where the code is.
 */
import { hex, type LoadedImage, type OpenResult, refuse, ZERO_REGS } from "./image.ts";

const SIZES = [0x1_0000, 0x2_0000, 0x4_0000];
/** From the reset vector to the end. */
const RESET = 16;

/** What may stand before the jump: NOP, CLI, CLD, WBINVD, operand- and address-size prefixes. */
function jumpAt(bytes: Uint8Array, reset: number): number {
  let at = reset;
  while (at < bytes.length) {
    const byte = bytes[at]!;
    if (byte === 0x0f && bytes[at + 1] === 0x09) at += 2;
    else if (byte === 0x90 || byte === 0xfa || byte === 0xfc || byte === 0x66 || byte === 0x67) at++;
    else return at;
  }
  return at;
}

const isJump = (byte: number | undefined): boolean => byte === 0xea || byte === 0xe9 || byte === 0xeb;

/** What keeps a file from being a ROM, in a sentence, or null. */
export function refuseRom(bytes: Uint8Array): string | null {
  if (!SIZES.includes(bytes.length)) {
    return `ROM: it has ${bytes.length} bytes, and a ROM has ${SIZES.join(", ")} (64, 128 or 256 KiB)`;
  }
  const reset = bytes.length - RESET;
  const at = jumpAt(bytes, reset);
  if (!isJump(bytes[at])) {
    const found = at < bytes.length ? `the byte ${hex(bytes[at]!)}` : "nothing";
    return `ROM: at ${hex(Math.min(at, bytes.length - 1))}, where the processor begins (${hex(reset)}, 16 bytes before the end), is ${found}; there should be a jump (0xea, 0xe9 or 0xeb)`;
  }
  return null;
}

/** A file that is surely a ROM: of a ROM's size, and with a jump at its very reset vector. */
export const isRom = (bytes: Uint8Array): boolean =>
  SIZES.includes(bytes.length) && isJump(bytes[bytes.length - RESET]);

/** What all kinds have in common that start at reset: nothing is stored, and the registers are of no account. */
export const AT_RESET: Omit<LoadedImage, "kind"> = {
  writes: [],
  zeros: [],
  entry: 0xffff_fff0,
  regs: ZERO_REGS,
  gdt: { base: 0, limit: 0 },
  symbols: [],
  notes: [],
  machine: "pc",
  start: "reset",
};

export function loadRom(bytes: Uint8Array): OpenResult {
  const bad = refuseRom(bytes);
  return bad === null ? { ok: true, image: { ...AT_RESET, kind: "rom", rom: bytes } } : refuse(bad);
}
