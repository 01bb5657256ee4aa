/**
 * What the fast paths test instead of the segment registers: which segments are flat, where CS begins and how far it
 * reaches, how wide the stack pointer is. Nothing here is state.
 */
import { ATT_LIMIT, FLAT_CODE, FLAT_STACK } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { CS, ES, SS } from "./isa/insn.ts";
import { isExpandDown, isReadable, isUnusable, isWritable, LDTR, SEG_BIG } from "./segment-cache.ts";

/** Derives it anew. Call after changing a segment register. */
export function segmentsChanged(cpu: Cpu): void {
  let flat = 0;
  for (let seg = ES; seg < LDTR; seg++) {
    const attr = cpu.segAttr[seg]!;
    if (isUnusable(attr) || isExpandDown(attr)) continue;
    if (cpu.segBase[seg] !== 0 || cpu.segLimit[seg] !== 0xffff_ffff) continue;
    if (isReadable(attr)) flat |= 1 << seg;
    if (isWritable(attr)) flat |= 256 << seg;
  }
  const csBase = cpu.segBase[CS]!;
  const csFlat = cpu.segLimit[CS] === 0xffff_ffff;
  const csBig = (cpu.segAttr[CS]! & SEG_BIG) !== 0;
  const stack = (1 << SS) | (256 << SS);
  if ((flat & stack) === stack && (cpu.segAttr[SS]! & SEG_BIG) !== 0) flat |= FLAT_STACK;
  if (csFlat) flat |= FLAT_CODE;
  // What is remembered of blocks by EIP holds for cpu base and cpu D.
  if (csBase !== cpu.csBase || csBig !== cpu.csBig) {
    cpu.tlb.fetchEpoch++;
    cpu.nearEpoch--;
  }
  cpu.csBase = csBase;
  cpu.csFlat = csFlat;
  cpu.csBig = csBig;
  cpu.flat = flat;
  cpu.attention = cpu.csFlat ? cpu.attention & ~ATT_LIMIT : cpu.attention | ATT_LIMIT;
  cpu.stackMask = (cpu.segAttr[SS]! & SEG_BIG) !== 0 ? -1 : 0xffff;
}
