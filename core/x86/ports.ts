/** The port space as programs reach it: IOPL, the I/O permission bitmap, intercepts, port breakpoints. SDM vol. 1, 19. */
import { systemRead } from "./access.ts";
import type { Cpu } from "./cpu.ts";
import { DR7_RESET, watchPort } from "./debug.ts";
import { EXIT_IO } from "./door.ts";
import { GP } from "./exceptions.ts";
import { FLAG_VM, REST } from "./flags.ts";
import { BRANCH, STOP } from "./isa/insn.ts";
import { isUnusable, TR } from "./segment-cache.ts";
import { ioplAllows } from "./system.ts";

/** May this program use these ports: IOPL, or the I/O permission bitmap of a 32-bit TSS (SDM vol. 1, 19.5.2)? */
function portAllowed(cpu: Cpu, port: number, size: number): boolean {
  // Virtual-8086 mode asks the bitmap whatever IOPL says (SDM vol. 3, 20.2.8.1).
  if (ioplAllows(cpu) && (cpu.regs[REST]! & FLAG_VM) === 0) return true;
  const tr = cpu.segAttr[TR]!;
  const limit = cpu.segLimit[TR]!;
  if (!isUnusable(tr) && ((tr & 0xf) === 0xb || (tr & 0xf) === 0x9) && limit >= 0x67) {
    const map = systemRead(cpu, (cpu.segBase[TR]! + 0x66) | 0, 2);
    if (cpu.faulted) return false;
    // Two bytes are always read, so that a port at a byte's end can be tested.
    const at = map + (port >> 3);
    if (at + 1 <= limit) {
      const bits = systemRead(cpu, (cpu.segBase[TR]! + at) | 0, 2);
      if (cpu.faulted) return false;
      if (((bits >>> (port & 7)) & ((1 << size) - 1)) === 0) return true;
    }
  }
  cpu.raise(GP, 0);
  return false;
}

/** Reads a port; not an Exec answer: test `cpu.faulted`. */
export function portIn(cpu: Cpu, port: number, size: number): number {
  if (!portAllowed(cpu, port, size)) return 0;
  if (cpu.intercepting(EXIT_IO)) {
    cpu.exit.port = port;
    cpu.exit.size = size;
    cpu.exitFor(EXIT_IO);
    return 0;
  }
  if (cpu.dr[7] !== DR7_RESET) watchPort(cpu, port, size);
  return cpu.io.in(port, size);
}

/** Writes a port. Ends the block: a device may have raised the interrupt line. */
export function portOut(cpu: Cpu, port: number, size: number, value: number): number {
  if (!portAllowed(cpu, port, size)) return STOP;
  if (cpu.intercepting(EXIT_IO)) {
    cpu.exit.port = port;
    cpu.exit.size = size;
    cpu.exit.value = value;
    return cpu.exitFor(EXIT_IO);
  }
  if (cpu.dr[7] !== DR7_RESET) watchPort(cpu, port, size);
  cpu.io.out(port, size, value);
  return BRANCH;
}
