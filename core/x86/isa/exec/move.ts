/**
 * Data movement without the stack: MOV in all forms, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, BSWAP, XLAT, CBW, CWD,
 * segment registers and far pointers. SDM vol. 2.
 */
import type { Cpu } from "../../cpu.ts";
import { cc } from "../../flags.ts";
import { loadSegment } from "../../segments.ts";
import { type Insn, NEXT, STOP } from "../insn.ts";
import { ea, get8, get16, set8, set16 } from "./operand.ts";

// --- MOV: suffixes as in alu32.ts

export function mov32Rr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.rm] = r[insn.reg];
  return NEXT;
}
export function mov32Gr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = r[insn.rm];
  return NEXT;
}
export function mov32Rm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = v;
  return NEXT;
}
export function mov32Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  cpu.write32(insn.seg, ea(r, insn), r[insn.reg]);
  return cpu.faulted ? STOP : NEXT;
}
export function mov32Ri(cpu: Cpu, insn: Insn): number {
  cpu.regs[insn.rm] = insn.imm;
  return NEXT;
}
/** Opcodes B8-BF. */
export function mov32Zi(cpu: Cpu, insn: Insn): number {
  cpu.regs[insn.reg] = insn.imm;
  return NEXT;
}
export function mov32Mi(cpu: Cpu, insn: Insn): number {
  cpu.write32(insn.seg, ea(cpu.regs, insn), insn.imm);
  return cpu.faulted ? STOP : NEXT;
}
export function mov16Rr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.rm, r[insn.reg]);
  return NEXT;
}
export function mov16Gr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.reg, r[insn.rm]);
  return NEXT;
}
export function mov16Rm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  set16(r, insn.reg, v);
  return NEXT;
}
export function mov16Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  cpu.write16(insn.seg, ea(r, insn), r[insn.reg] & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}
export function mov16Ri(cpu: Cpu, insn: Insn): number {
  set16(cpu.regs, insn.rm, insn.imm);
  return NEXT;
}
export function mov16Zi(cpu: Cpu, insn: Insn): number {
  set16(cpu.regs, insn.reg, insn.imm);
  return NEXT;
}
export function mov16Mi(cpu: Cpu, insn: Insn): number {
  cpu.write16(insn.seg, ea(cpu.regs, insn), insn.imm & 0xffff);
  return cpu.faulted ? STOP : NEXT;
}
export function mov8Rr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set8(r, insn.rm, get8(r, insn.reg));
  return NEXT;
}
export function mov8Gr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set8(r, insn.reg, get8(r, insn.rm));
  return NEXT;
}
export function mov8Rm(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  set8(r, insn.reg, v);
  return NEXT;
}
export function mov8Mr(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  cpu.write8(insn.seg, ea(r, insn), get8(r, insn.reg));
  return cpu.faulted ? STOP : NEXT;
}
export function mov8Ri(cpu: Cpu, insn: Insn): number {
  set8(cpu.regs, insn.rm, insn.imm);
  return NEXT;
}
/** Opcodes B0-B7. */
export function mov8Zi(cpu: Cpu, insn: Insn): number {
  set8(cpu.regs, insn.reg, insn.imm);
  return NEXT;
}
export function mov8Mi(cpu: Cpu, insn: Insn): number {
  cpu.write8(insn.seg, ea(cpu.regs, insn), insn.imm & 0xff);
  return cpu.faulted ? STOP : NEXT;
}

// --- LEA, XCHG, XLAT, BSWAP

export function lea32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = ea(r, insn);
  return NEXT;
}
export function lea16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  set16(r, insn.reg, ea(r, insn));
  return NEXT;
}

export function xchg32R(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = r[insn.rm];
  r[insn.rm] = r[insn.reg];
  r[insn.reg] = v;
  return NEXT;
}
export function xchg32M(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.rmwRead32(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite32(r[insn.reg]);
  r[insn.reg] = v;
  return NEXT;
}
export function xchg16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) {
    const v = r[insn.rm];
    set16(r, insn.rm, r[insn.reg]);
    set16(r, insn.reg, v);
    return NEXT;
  }
  const v = cpu.rmwRead16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite16(r[insn.reg] & 0xffff);
  set16(r, insn.reg, v);
  return NEXT;
}
export function xchg8(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.isReg) {
    const v = get8(r, insn.rm);
    set8(r, insn.rm, get8(r, insn.reg));
    set8(r, insn.reg, v);
    return NEXT;
  }
  const v = cpu.rmwRead8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  cpu.rmwWrite8(get8(r, insn.reg));
  set8(r, insn.reg, v);
  return NEXT;
}
/** Opcodes 91-97: with the accumulator. */
export function xchgA32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = r[0];
  r[0] = r[insn.reg];
  r[insn.reg] = v;
  return NEXT;
}
export function xchgA16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = r[0];
  set16(r, 0, r[insn.reg]);
  set16(r, insn.reg, v);
  return NEXT;
}

export function xlat(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const at = (r[3] + (r[0] & 0xff)) | 0;
  const v = cpu.read8(insn.seg, insn.addrsize === 4 ? at : at & 0xffff);
  if (cpu.faulted) return STOP;
  set8(r, 0, v);
  return NEXT;
}

/** With a 16-bit operand the result is undefined (SDM vol. 2, BSWAP); processors clear the word, and so do we. */
export function bswap(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = r[insn.reg];
  if (insn.opsize === 2) set16(r, insn.reg, 0);
  else r[insn.reg] = (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);
  return NEXT;
}

// --- MOVZX, MOVSX

export function movzx8R(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = get8(r, insn.rm);
  return NEXT;
}
export function movzx8M(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = v;
  return NEXT;
}
export function movzx16R(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = r[insn.rm] & 0xffff;
  return NEXT;
}
export function movzx16M(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = v;
  return NEXT;
}
export function movsx8R(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = (get8(r, insn.rm) << 24) >> 24;
  return NEXT;
}
export function movsx8M(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = (v << 24) >> 24;
  return NEXT;
}
export function movsx16R(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  r[insn.reg] = (r[insn.rm] << 16) >> 16;
  return NEXT;
}
export function movsx16M(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cpu.read16(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  r[insn.reg] = (v << 16) >> 16;
  return NEXT;
}
/** MOVZX and MOVSX with a 16-bit destination (opcode bit 3: sign, bit 0: word source). */
export function movx16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const wide = (insn.row.opcode & 1) === 1;
  let v: number;
  if (insn.isReg) v = wide ? r[insn.rm] : get8(r, insn.rm);
  else v = wide ? cpu.read16(insn.seg, ea(r, insn)) : cpu.read8(insn.seg, ea(r, insn));
  if (cpu.faulted) return STOP;
  if ((insn.row.opcode & 8) !== 0 && !wide) v = (v << 24) >> 24;
  set16(r, insn.reg, v);
  return NEXT;
}

// --- conditions

/** A memory source is read whether or not the condition holds (SDM vol. 2, CMOVcc). */
export function cmov32(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  let v = r[insn.rm];
  if (!insn.isReg) {
    v = cpu.read32(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
  }
  if (cc(cpu, insn.row.opcode & 15)) r[insn.reg] = v;
  return NEXT;
}
export function cmov16(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  let v = r[insn.rm];
  if (!insn.isReg) {
    v = cpu.read16(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
  }
  if (cc(cpu, insn.row.opcode & 15)) set16(r, insn.reg, v);
  return NEXT;
}
export function setcc(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const v = cc(cpu, insn.row.opcode & 15) ? 1 : 0;
  if (insn.isReg) {
    set8(r, insn.rm, v);
    return NEXT;
  }
  cpu.write8(insn.seg, ea(r, insn), v);
  return cpu.faulted ? STOP : NEXT;
}

// --- CBW CWDE CWD CDQ

export function cbw(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.opsize === 4) r[0] = (r[0] << 16) >> 16;
  else set16(r, 0, (r[0] << 24) >> 24);
  return NEXT;
}
export function cwd(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  if (insn.opsize === 4) r[2] = r[0] >> 31;
  else set16(r, 2, (r[0] << 16) >> 31);
  return NEXT;
}

// --- segment registers

/** MOV from a segment register: a 32-bit register is zero-extended, memory gets 16 bits (SDM vol. 2, MOV). */
export function movFromSeg(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  const selector = cpu.selector(insn.reg);
  if (insn.isReg) {
    if (insn.opsize === 4) r[insn.rm] = selector;
    else set16(r, insn.rm, selector);
    return NEXT;
  }
  cpu.write16(insn.seg, ea(r, insn), selector);
  return cpu.faulted ? STOP : NEXT;
}
export function movToSeg(cpu: Cpu, insn: Insn): number {
  const r = cpu.regs;
  let selector = get16(r, insn.rm);
  if (!insn.isReg) {
    selector = cpu.read16(insn.seg, ea(r, insn));
    if (cpu.faulted) return STOP;
  }
  return loadSegment(cpu, insn.reg, selector);
}
/** LES LDS LSS LFS LGS: the segment's number is `to`; the register changes when the segment did. */
function farPointer(cpu: Cpu, insn: Insn, to: number): number {
  const r = cpu.regs;
  const at = ea(r, insn);
  const wide = insn.opsize === 4;
  const offset = wide ? cpu.read32(insn.seg, at) : cpu.read16(insn.seg, at);
  if (cpu.faulted) return STOP;
  const selector = cpu.read16(insn.seg, (at + insn.opsize) | 0);
  if (cpu.faulted) return STOP;
  const answer = loadSegment(cpu, to, selector, false);
  if (answer === STOP) return STOP;
  if (wide) r[insn.reg] = offset;
  else set16(r, insn.reg, offset);
  return answer;
}
export function les(cpu: Cpu, insn: Insn): number {
  return farPointer(cpu, insn, 0);
}
export function lss(cpu: Cpu, insn: Insn): number {
  return farPointer(cpu, insn, 2);
}
export function lds(cpu: Cpu, insn: Insn): number {
  return farPointer(cpu, insn, 3);
}
export function lfs(cpu: Cpu, insn: Insn): number {
  return farPointer(cpu, insn, 4);
}
export function lgs(cpu: Cpu, insn: Insn): number {
  return farPointer(cpu, insn, 5);
}
