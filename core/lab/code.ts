/**
 * Machine code read by peeking, for the disassembly and for what is foretold of the next instruction. Linear addresses.
 */
import { decode, MAX_LENGTH } from "../x86/isa/decode.ts";
import type { Insn } from "../x86/isa/insn.ts";
import type { LabContext } from "./context.ts";

/** Up to `most` bytes at a linear address; fewer where the next page is not there. */
export function peekLinear(lab: LabContext, address: number, most: number = MAX_LENGTH): Uint8Array {
  const bytes = new Uint8Array(most);
  let frame = -1;
  for (let i = 0; i < most; i++) {
    const at = (address + i) % 2 ** 32;
    if (i === 0 || at % 4096 === 0) {
      const gpa = lab.translate(at);
      const hfn = gpa < 0 ? -1 : lab.slots.hfnOf(Math.floor(gpa / 4096));
      if (hfn < 0) return bytes.slice(0, i);
      frame = hfn * 4096;
    }
    bytes[i] = lab.memory.bytes[frame + (at % 4096)]!;
  }
  return bytes;
}

/** The instruction at `at` of these bytes under the present code segment, or null when they end within it. */
export function decodeHere(lab: LabContext, bytes: Uint8Array, at = 0): Insn | null {
  return at >= bytes.length ? null : decode(bytes, at, bytes.length - at, lab.machine.cpu.csBig);
}
