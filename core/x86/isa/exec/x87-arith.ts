/**
 * x87 arithmetic and comparison (SDM vol. 2: FADD … FDIVR, FCOM … FUCOMIP, FTST, FXAM, FCMOVcc, FSQRT, FRNDINT, FSCALE,
 * FPREM, FXTRACT).
 */
import type { Cpu } from "../../cpu.ts";
import { cc, setStatusFlags } from "../../flags.ts";
import { add, div, mul, sqrt, sub } from "../../fpu/arith.ts";
import { compare, examine, UNORDERED } from "../../fpu/compare.ts";
import { roundToInteger } from "../../fpu/convert.ts";
import { indefinite, isNan, type Num, type Raw, unpack } from "../../fpu/number.ts";
import { extract, remainder, scale } from "../../fpu/remainder.ts";
import type { Fpu } from "../../fpu/state.ts";
import { C0, C2, C3, CONDITIONS, IE, SF } from "../../fpu/words.ts";
import { type Exec, type Insn, NEXT, STOP } from "../insn.ts";
import { ea } from "./operand.ts";
import { type Load, mark, markMemory, waiting } from "./x87.ts";

type Binary = (cw: number, a: Num, b: Num, r: Raw) => number;

const reversed =
  (op: Binary): Binary =>
  (cw, a, b, r) =>
    op(cw, b, a, r);

/** Destination first. */
export const OPERATIONS: Readonly<Record<string, Binary>> = {
  add,
  mul,
  sub,
  subr: reversed(sub),
  div,
  divr: reversed(div),
};

/** An empty operand: the destination becomes the indefinite, if that is masked. */
function emptyOperand(fpu: Fpu, dest: number, pops: number): void {
  if (!fpu.underflow()) return;
  indefinite(fpu.r);
  fpu.put(dest, fpu.r);
  if (pops > 0) fpu.pop();
}

/** ST = ST op memory. */
export function arithMemory(op: Binary, load: Load): Exec {
  return waiting((cpu, fpu, insn) => {
    if (!load(cpu, insn, fpu.b)) return STOP;
    markMemory(cpu, fpu, insn, ea(cpu.regs, insn));
    if (fpu.isEmpty(0)) emptyOperand(fpu, 0, 0);
    else {
      fpu.get(fpu.a, 0);
      if (fpu.flag(op(fpu.cw, fpu.a, fpu.b, fpu.r))) fpu.put(0, fpu.r);
    }
    return NEXT;
  });
}

/** ST = ST op STi, or STi = STi op ST and perhaps pop. */
export function arithRegister(op: Binary, toSti: boolean, pops: number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    const dest = toSti ? insn.rm : 0;
    if (fpu.isEmpty(0) || fpu.isEmpty(insn.rm)) emptyOperand(fpu, dest, pops);
    else {
      fpu.get(fpu.a, dest);
      fpu.get(fpu.b, toSti ? 0 : insn.rm);
      if (fpu.flag(op(fpu.cw, fpu.a, fpu.b, fpu.r))) {
        fpu.put(dest, fpu.r);
        if (pops > 0) fpu.pop();
      }
    }
    return NEXT;
  });
}

/**
 * Delivers a comparison in the condition bits. An exception that is not masked leaves the stack alone; the bits are set
 * all the same, as silicon does it (the manual's table of FCOM says that they are not under an unmasked #IA).
 */
function conditions(fpu: Fpu, flags: number, pops: number): void {
  const deliver = fpu.flag(flags);
  fpu.sw = (fpu.sw & ~(C0 | C2 | C3)) | (flags & (C0 | C2 | C3));
  if (!deliver) return;
  for (let i = 0; i < pops; i++) fpu.pop();
}

export function compareMemory(load: Load, pops: number): Exec {
  return waiting((cpu, fpu, insn) => {
    if (!load(cpu, insn, fpu.b)) return STOP;
    markMemory(cpu, fpu, insn, ea(cpu.regs, insn));
    if (fpu.isEmpty(0)) conditions(fpu, UNORDERED | IE | SF, pops);
    else {
      fpu.get(fpu.a, 0);
      conditions(fpu, compare(fpu.a, fpu.b, false), pops);
    }
    return NEXT;
  });
}

export function compareRegister(quiet: boolean, pops: number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (fpu.isEmpty(0) || fpu.isEmpty(insn.rm)) conditions(fpu, UNORDERED | IE | SF, pops);
    else {
      fpu.get(fpu.a, 0);
      fpu.get(fpu.b, insn.rm);
      conditions(fpu, compare(fpu.a, fpu.b, quiet), pops);
    }
    return NEXT;
  });
}

/** The comparisons that answer in ZF, PF and CF; OF, SF and AF become 0 (SDM vol. 2, FCOMI). */
export function compareFlags(quiet: boolean, pops: number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    let flags = UNORDERED | IE | SF;
    if (!fpu.isEmpty(0) && !fpu.isEmpty(insn.rm)) {
      fpu.get(fpu.a, 0);
      fpu.get(fpu.b, insn.rm);
      flags = compare(fpu.a, fpu.b, quiet);
    }
    const deliver = fpu.flag(flags);
    const zf = (flags & C3) !== 0 ? 0x40 : 0;
    const pf = (flags & C2) !== 0 ? 4 : 0;
    setStatusFlags(cpu.regs, zf | pf | ((flags & C0) !== 0 ? 1 : 0));
    if (deliver && pops > 0) fpu.pop();
    return NEXT;
  });
}

export const ftst: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  if (fpu.isEmpty(0)) conditions(fpu, UNORDERED | IE | SF, 0);
  else {
    fpu.get(fpu.a, 0);
    unpack(fpu.b, 0, 0, 0);
    conditions(fpu, compare(fpu.a, fpu.b, false), 0);
  }
  return NEXT;
});

export const fxam: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  fpu.get(fpu.a, 0);
  fpu.sw = (fpu.sw & ~CONDITIONS) | examine(fpu.a, fpu.isEmpty(0));
  return NEXT;
});

/** Conditions of DA C0 …, as numbers of Jcc: below, equal, below or equal, unordered. */
const MOVES: readonly number[] = [2, 4, 6, 10];

export const fcmov: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  if (fpu.isEmpty(0) || fpu.isEmpty(insn.rm)) {
    emptyOperand(fpu, 0, 0);
    return NEXT;
  }
  const condition = MOVES[insn.row.ext]! + (insn.row.opcode === 0xdb ? 1 : 0);
  if (cc(cpu, condition)) {
    const p = fpu.physical(insn.rm);
    fpu.r.set(fpu.se[p]!, fpu.hi[p]!, fpu.lo[p]!);
    fpu.put(0, fpu.r);
  }
  return NEXT;
});

/** ST = f(ST). */
function unary(op: (cw: number, a: Num, r: Raw) => number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (fpu.isEmpty(0)) emptyOperand(fpu, 0, 0);
    else {
      fpu.get(fpu.a, 0);
      if (fpu.flag(op(fpu.cw, fpu.a, fpu.r))) fpu.put(0, fpu.r);
    }
    return NEXT;
  });
}

export const fsqrt: Exec = unary(sqrt);
export const frndint: Exec = unary(roundToInteger);

export const fscale: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  if (fpu.isEmpty(0) || fpu.isEmpty(1)) emptyOperand(fpu, 0, 0);
  else {
    fpu.get(fpu.a, 0);
    fpu.get(fpu.b, 1);
    if (fpu.flag(scale(fpu.cw, fpu.a, fpu.b, fpu.r))) fpu.put(0, fpu.r);
  }
  return NEXT;
});

function prem(nearest: boolean): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (fpu.isEmpty(0) || fpu.isEmpty(1)) {
      emptyOperand(fpu, 0, 0);
      fpu.sw &= ~C2;
      return NEXT;
    }
    fpu.get(fpu.a, 0);
    fpu.get(fpu.b, 1);
    const flags = remainder(fpu.cw, fpu.a, fpu.b, nearest, fpu.r);
    const deliver = fpu.flag(flags);
    // C3 and C0 stay as they are where nothing was divided.
    const divided = deliver && (flags & IE) === 0 && !isNan(fpu.a) && !isNan(fpu.b);
    if (divided) fpu.sw = (fpu.sw & ~CONDITIONS) | (flags & CONDITIONS);
    else fpu.sw &= ~C2;
    if (deliver) fpu.put(0, fpu.r);
    return NEXT;
  });
}
export const fprem: Exec = prem(false);
export const fprem1: Exec = prem(true);

export const fxtract: Exec = waiting((cpu: Cpu, fpu: Fpu, insn: Insn) => {
  mark(cpu, fpu, insn);
  const full = !fpu.isEmpty(7);
  if (fpu.isEmpty(0) || full) {
    const masked = fpu.isEmpty(0) ? fpu.underflow() : fpu.overflow();
    if (!masked) return NEXT;
    indefinite(fpu.r);
    fpu.put(0, fpu.r);
    fpu.push(fpu.r);
    return NEXT;
  }
  fpu.get(fpu.a, 0);
  if (!fpu.flag(extract(fpu.a, fpu.r, fpu.r2))) return NEXT;
  fpu.put(0, fpu.r);
  fpu.push(fpu.r2);
  return NEXT;
});
