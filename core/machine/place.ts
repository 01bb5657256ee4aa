/**
 * Puts an image into a machine that was just made: its bytes into memory, its entry point and registers into the
 * processor.
 */
import type { LoadedImage } from "../images/index.ts";
import { CS, ES } from "../x86/isa/insn.ts";
import { LDTR } from "../x86/segment-cache.ts";
import { startControls } from "./controls.ts";
import { writePhysical } from "./edits.ts";
import type { Machine } from "./machine.ts";

/** The machine then stands at the image's first instruction, or at the reset vector when the image starts there. */
export function placeImage(machine: Machine, image: LoadedImage): void {
  for (const { gpa, length } of image.zeros) zero(machine, gpa, length);
  for (const { gpa, bytes } of image.writes) writePhysical(machine, gpa, bytes);
  const { cpu } = machine;
  if (image.start === "reset") {
    cpu.powerOn();
    return;
  }
  const { eax, ecx, edx, ebx, esp, ebp, esi, edi } = image.regs;
  [eax, ecx, edx, ebx, esp, ebp, esi, edi].forEach((value, i) => {
    cpu.regs[i] = value;
  });
  cpu.eip = image.entry | 0;
  cpu.gdtBase = image.gdt.base | 0;
  cpu.gdtLimit = image.gdt.limit;
  const { code, data } = image.gdt;
  if (code !== undefined) cpu.segSelector[CS] = code;
  if (data !== undefined) for (let seg = ES; seg < LDTR; seg++) if (seg !== CS) cpu.segSelector[seg] = data;
  if (image.controls !== undefined) startControls(machine, image.controls);
}

/** A fresh machine's memory is zero: only frames written before need it. */
function zero(machine: Machine, gpa: number, length: number): void {
  const { memory, slots } = machine;
  for (let at = gpa; at < gpa + length; ) {
    const end = Math.min(gpa + length, (Math.floor(at / 4096) + 1) * 4096);
    const hfn = slots.hfnOf(Math.floor(at / 4096));
    if (hfn >= 0 && memory.version[hfn] !== 0) writePhysical(machine, at, new Uint8Array(end - at));
    at = end;
  }
}
