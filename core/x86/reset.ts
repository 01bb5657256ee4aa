/**
 * The two states that a processor begins in: the manual's, at its reset pin, and the lab's, in which a loader would leave it.
 */
import { ATT_BREAK } from "./attention.ts";
import type { Cpu } from "./cpu.ts";
import { SIGNATURE } from "./cpuid.ts";
import { DR6_RESET, DR7_RESET } from "./debug.ts";
import { FLAG_FIXED } from "./flags.ts";
import { EDX } from "./isa/exec/operand.ts";
import { CS, ES } from "./isa/insn.ts";
import { PAT_RESET } from "./msr.ts";
import {
  ATTR_FLAT_CODE,
  ATTR_FLAT_DATA,
  ATTR_REAL,
  LDTR,
  SEG_P,
  SEG_UNUSABLE,
  SEGMENTS,
  TR,
} from "./segment-cache.ts";
import { applyControls } from "./system.ts";

/**
 * The state of the manual's reset (SDM vol. 3, table 9-1): real mode at FFFF:FFF0, CS base FFFF0000H, EDX the
 * processor's signature. Memory, and the time that has passed, are not touched; an interrupt line keeps its level.
 */
export function powerOn(cpu: Cpu): void {
  const { retired, jumps, interruptLine, tscLow, tscHigh } = cpu;
  reset(cpu);
  cpu.retired = retired;
  cpu.jumps = jumps;
  cpu.tscLow = tscLow;
  cpu.tscHigh = tscHigh;
  cpu.interruptLine = interruptLine;
  cpu.cr0 = 0x6000_0010; // CD, NW, ET
  cpu.regs[EDX] = SIGNATURE;
  for (let seg = ES; seg < SEGMENTS; seg++) {
    cpu.segSelector[seg] = seg === CS ? 0xf000 : 0;
    cpu.segBase[seg] = seg === CS ? 0xffff_0000 | 0 : 0;
    cpu.segLimit[seg] = 0xffff;
    cpu.segAttr[seg] = ATTR_REAL;
  }
  cpu.segAttr[LDTR] = SEG_P | 0x2;
  cpu.segAttr[TR] = SEG_P | 0xb;
  cpu.eip = 0xfff0;
  cpu.segmentsChanged();
  applyControls(cpu);
}

/** 32-bit protected mode with paging and interrupts off, flat segments, everything else 0. Memory is not touched. */
export function reset(cpu: Cpu): void {
  cpu.regs.fill(0);
  cpu.dr.fill(0);
  cpu.dr[6] = DR6_RESET;
  cpu.dr[7] = DR7_RESET;
  cpu.watchingData = false;
  cpu.debugHits = 0;
  cpu.debugFault = false;
  cpu.nmiWaits = cpu.nmiBlocked = false;
  cpu.sysenterCs = cpu.sysenterEsp = cpu.sysenterEip = 0;
  cpu.counters.fill(0);
  cpu.eflags = FLAG_FIXED;
  cpu.eip = 0;
  cpu.cr0 = 0x11;
  cpu.cr2 = cpu.cr3 = cpu.cr4 = cpu.efer = 0;
  for (let seg = 0; seg < SEGMENTS; seg++) {
    cpu.segSelector[seg] = seg === CS ? 0x08 : seg < LDTR ? 0x10 : 0;
    cpu.segBase[seg] = 0;
    cpu.segLimit[seg] = seg < LDTR ? 0xffff_ffff : 0xffff;
    cpu.segAttr[seg] = seg === CS ? ATTR_FLAT_CODE : seg < LDTR ? ATTR_FLAT_DATA : SEG_UNUSABLE;
  }
  cpu.segAttr[TR] = SEG_P | 0xb;
  cpu.fpu.reset();
  cpu.gdtBase = cpu.idtBase = 0;
  cpu.gdtLimit = cpu.idtLimit = 0xffff;
  cpu.attention = cpu.breakpoints.length > 0 ? ATT_BREAK : 0;
  cpu.pendingVector = -1;
  cpu.midRep = false;
  cpu.interruptLine = -1;
  cpu.deliveries = 0;
  cpu.deliveriesAt = -1;
  cpu.retired = cpu.jumps = 0;
  cpu.tscLow = cpu.tscHigh = 0;
  cpu.patLow = cpu.patHigh = PAT_RESET;
  cpu.faulted = false;
  cpu.stopCode = -1;
  cpu.brokeAtRetired = -1;
  cpu.setCpl(0);
  cpu.segmentsChanged();
  cpu.blocks.clear();
  cpu.paging.tlb.flush(false);
  applyControls(cpu);
}
