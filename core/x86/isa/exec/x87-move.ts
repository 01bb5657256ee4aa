/**
 * x87 loads, stores and moves (SDM vol. 2: FLD, FILD, FBLD, constants, FST, FIST, FBSTP, FXCH, FCHS, FABS, FFREE,
 * FINCSTP, FDECSTP).
 */
import type { Cpu } from "../../cpu.ts";
import { fromBcd, Stored, toBcd, toDouble, toInteger, toSingle } from "../../fpu/convert.ts";
import { BIAS, indefinite, type Num, packExact, SNAN, TOP_BIT } from "../../fpu/number.ts";
import { roundPack } from "../../fpu/round.ts";
import type { Fpu } from "../../fpu/state.ts";
import { C1, DE, IE, roundingOf } from "../../fpu/words.ts";
import { type Exec, NEXT, STOP } from "../insn.ts";
import { ea } from "./operand.ts";
import { type Load, loadRaw, mark, markMemory, reach, waiting } from "./x87.ts";

const out = new Stored();

/** Pushes `fpu.r`, or on a full stack the indefinite. An unmasked #D does not keep a denormal from being loaded. */
function pushResult(fpu: Fpu, flags: number): void {
  if (!fpu.isEmpty(7)) {
    if (!fpu.overflow()) return;
    indefinite(fpu.r);
    fpu.push(fpu.r);
  } else if (fpu.flag(flags) || (flags & IE) === 0) fpu.push(fpu.r);
}

/** FLD m32, m64, FILD. */
export function loadNumber(load: Load): Exec {
  return waiting((cpu, fpu, insn) => {
    const n = fpu.a;
    if (!load(cpu, insn, n)) return STOP;
    markMemory(cpu, fpu, insn, ea(cpu.regs, insn));
    packExact(n, fpu.r);
    pushResult(fpu, (n.cls === SNAN ? IE : 0) | (n.denormal ? DE : 0));
    return NEXT;
  });
}

/** FLD m80: the bytes as they are. */
export const fldExtended: Exec = waiting((cpu, fpu, insn) => {
  if (!loadRaw(cpu, insn)) return STOP;
  markMemory(cpu, fpu, insn, ea(cpu.regs, insn));
  pushResult(fpu, 0);
  return NEXT;
});

export const fbld: Exec = waiting((cpu, fpu, insn) => {
  if (!loadRaw(cpu, insn)) return STOP;
  markMemory(cpu, fpu, insn, ea(cpu.regs, insn));
  const r = fpu.r;
  fromBcd(fpu.a, r.lo, r.hi, r.se);
  packExact(fpu.a, r);
  pushResult(fpu, 0);
  return NEXT;
});

export const fldRegister: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  if (fpu.isEmpty(insn.rm)) {
    if (!fpu.underflow()) return NEXT;
    indefinite(fpu.r);
    fpu.push(fpu.r);
    return NEXT;
  }
  const p = fpu.physical(insn.rm);
  fpu.r.set(fpu.se[p]!, fpu.hi[p]!, fpu.lo[p]!);
  pushResult(fpu, 0);
  return NEXT;
});

/** The constants' first 96 bits: exponent, then three words. They are rounded as RC asks (SDM vol. 1, 8.3.4). */
const CONSTANTS: Readonly<Record<string, readonly [number, number, number, number]>> = {
  fld1: [BIAS, TOP_BIT, 0, 0],
  fldl2t: [BIAS + 1, 0xd49a_784b | 0, 0xcd1b_8afe | 0, 0x492b_f6ff],
  fldl2e: [BIAS, 0xb8aa_3b29 | 0, 0x5c17_f0bb, 0xbe87_fed0 | 0],
  fldpi: [BIAS + 1, 0xc90f_daa2 | 0, 0x2168_c234, 0xc4c6_628b | 0],
  fldlg2: [BIAS - 2, 0x9a20_9a84 | 0, 0xfbcf_f798 | 0, 0x8f89_59ac | 0],
  fldln2: [BIAS - 1, 0xb172_17f7 | 0, 0xd1cf_79ab | 0, 0xc9e3_b398 | 0],
};

export function constant(name: string): Exec {
  const bits = CONSTANTS[name];
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (bits === undefined) fpu.r.set(0, 0, 0);
    else roundPack(fpu.cw, 64, 0, bits[0], bits[1], bits[2], bits[3], fpu.r);
    pushResult(fpu, 0);
    return NEXT;
  });
}

/** A store to memory: bytes, what converts, what an empty register gives. */
interface Store {
  readonly size: number;
  readonly align: number;
  readonly convert: (cw: number, n: Num, to: Stored) => number;
  /** The indefinite of the format: low, high, top. */
  readonly indefinite: readonly [number, number, number];
}

const STORES: Readonly<Record<string, Store>> = {
  single: { size: 4, align: 4, convert: toSingle, indefinite: [0xffc0_0000 | 0, 0, 0] },
  double: { size: 8, align: 8, convert: toDouble, indefinite: [0, 0xfff8_0000 | 0, 0] },
  int16: {
    size: 2,
    align: 2,
    convert: (cw, n, to) => toInteger(n, 16, roundingOf(cw), to),
    indefinite: [0x8000, 0, 0],
  },
  int32: {
    size: 4,
    align: 4,
    convert: (cw, n, to) => toInteger(n, 32, roundingOf(cw), to),
    indefinite: [TOP_BIT, 0, 0],
  },
  int64: {
    size: 8,
    align: 8,
    convert: (cw, n, to) => toInteger(n, 64, roundingOf(cw), to),
    indefinite: [0, TOP_BIT, 0],
  },
  bcd: {
    size: 10,
    align: 8,
    convert: (cw, n, to) => toBcd(n, roundingOf(cw), to),
    indefinite: [0, 0xc000_0000 | 0, 0xffff],
  },
};

function write(cpu: Cpu, seg: number, at: number, size: number, from: Stored): void {
  if (size === 2) cpu.write16(seg, at, from.lo & 0xffff);
  else cpu.write32(seg, at, from.lo);
  if (size >= 8 && !cpu.faulted) cpu.write32(seg, (at + 4) | 0, from.hi);
  if (size === 10 && !cpu.faulted) cpu.write16(seg, (at + 8) | 0, from.top);
}

/** FST, FSTP, FIST, FISTP, FBSTP to memory. The page is looked at first, so that a fault finds everything unchanged. */
export function storeNumber(kind: string, pops: number): Exec {
  const store = STORES[kind]!;
  return waiting((cpu, fpu, insn) => {
    const at = ea(cpu.regs, insn);
    if (!reach(cpu, insn.seg, at, store.size, store.align, true)) return STOP;
    markMemory(cpu, fpu, insn, at);
    if (fpu.isEmpty(0)) {
      if (!fpu.underflow()) return NEXT;
      [out.lo, out.hi, out.top] = store.indefinite;
    } else {
      fpu.get(fpu.a, 0);
      if (!fpu.flagStore(store.convert(fpu.cw, fpu.a, out))) return NEXT;
    }
    write(cpu, insn.seg, at, store.size, out);
    if (cpu.faulted) return STOP;
    if (pops > 0) fpu.pop();
    return NEXT;
  });
}

/** FSTP m80: the bytes as they are. */
export const fstpExtended: Exec = waiting((cpu, fpu, insn) => {
  const at = ea(cpu.regs, insn);
  if (!reach(cpu, insn.seg, at, 10, 8, true)) return STOP;
  markMemory(cpu, fpu, insn, at);
  if (fpu.isEmpty(0)) {
    if (!fpu.underflow()) return NEXT;
    indefinite(fpu.r);
  } else {
    fpu.flag(0);
    const p = fpu.top;
    fpu.r.set(fpu.se[p]!, fpu.hi[p]!, fpu.lo[p]!);
  }
  out.lo = fpu.r.lo;
  out.hi = fpu.r.hi;
  out.top = fpu.r.se;
  write(cpu, insn.seg, at, 10, out);
  if (cpu.faulted) return STOP;
  fpu.pop();
  return NEXT;
});

/** FST and FSTP to a register. */
export function storeRegister(pops: number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (fpu.isEmpty(0)) {
      if (!fpu.underflow()) return NEXT;
      indefinite(fpu.r);
    } else {
      fpu.flag(0);
      const p = fpu.top;
      fpu.r.set(fpu.se[p]!, fpu.hi[p]!, fpu.lo[p]!);
    }
    fpu.put(insn.rm, fpu.r);
    if (pops > 0) fpu.pop();
    return NEXT;
  });
}

/** An empty one of the two is exchanged as the indefinite, if that is masked. */
export const fxch: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  const i = insn.rm;
  if (fpu.isEmpty(0) || fpu.isEmpty(i)) {
    if (!fpu.underflow()) return NEXT;
    indefinite(fpu.r);
    if (fpu.isEmpty(0)) fpu.put(0, fpu.r);
    if (fpu.isEmpty(i)) fpu.put(i, fpu.r);
  } else fpu.flag(0);
  const p = fpu.top;
  const q = fpu.physical(i);
  fpu.r.set(fpu.se[p]!, fpu.hi[p]!, fpu.lo[p]!);
  fpu.se[p] = fpu.se[q]!;
  fpu.hi[p] = fpu.hi[q]!;
  fpu.lo[p] = fpu.lo[q]!;
  fpu.put(i, fpu.r);
  return NEXT;
});

/** FCHS toggles the sign, FABS clears it, of whatever is there. */
function signed(keep: number, toggle: number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (fpu.isEmpty(0)) {
      if (!fpu.underflow()) return NEXT;
      indefinite(fpu.r);
      fpu.put(0, fpu.r);
      return NEXT;
    }
    fpu.flag(0);
    fpu.se[fpu.top] = (fpu.se[fpu.top]! & keep) ^ toggle;
    return NEXT;
  });
}
export const fchs: Exec = signed(0xffff, 0x8000);
export const fabs: Exec = signed(0x7fff, 0);

export const ffree: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  fpu.sw &= ~C1;
  fpu.full &= ~(1 << fpu.physical(insn.rm));
  return NEXT;
});

/** FINCSTP and FDECSTP move TOP alone. */
function rotate(by: number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    fpu.sw &= ~C1;
    fpu.top = (fpu.top + by) & 7;
    return NEXT;
  });
}
export const fincstp: Exec = rotate(1);
export const fdecstp: Exec = rotate(-1);

export const fnop: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  return NEXT;
});
