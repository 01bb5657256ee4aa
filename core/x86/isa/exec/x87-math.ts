/**
 * The transcendental instructions (SDM vol. 2: F2XM1, FYL2X, FYL2XP1, FSIN, FCOS, FSINCOS, FPTAN, FPATAN).
 */
import { exp2m1, yLog2x, yLog2xPlus1 } from "../../fpu/log.ts";
import { BIAS, FINITE, indefinite, type Num, type Raw, TOP_BIT } from "../../fpu/number.ts";
import type { Fpu } from "../../fpu/state.ts";
import { atan2, cos, sin, sincos, tan } from "../../fpu/trig.ts";
import { C1, C2 } from "../../fpu/words.ts";
import { type Exec, NEXT } from "../insn.ts";
import { mark, waiting } from "./x87.ts";

/** An empty operand of a function of one. */
function empty(fpu: Fpu): void {
  if (!fpu.underflow()) return;
  indefinite(fpu.r);
  fpu.put(0, fpu.r);
}

export const f2xm1: Exec = waiting((cpu, fpu, insn) => {
  mark(cpu, fpu, insn);
  if (fpu.isEmpty(0)) empty(fpu);
  else {
    fpu.get(fpu.a, 0);
    if (fpu.flag(exp2m1(fpu.cw, fpu.a, fpu.r))) fpu.put(0, fpu.r);
  }
  return NEXT;
});

/** An argument of 2^63 or more: C2 says so, and nothing else changes. */
function outOfRange(fpu: Fpu, flags: number): boolean {
  if ((flags & C2) === 0) {
    fpu.sw &= ~C2;
    return false;
  }
  fpu.sw = (fpu.sw & ~C1) | C2;
  return true;
}

/** FSIN, FCOS. */
function circular(op: (cw: number, a: Num, r: Raw) => number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    if (fpu.isEmpty(0)) {
      fpu.sw &= ~C2;
      empty(fpu);
      return NEXT;
    }
    fpu.get(fpu.a, 0);
    const flags = op(fpu.cw, fpu.a, fpu.r);
    if (!outOfRange(fpu, flags) && fpu.flag(flags)) fpu.put(0, fpu.r);
    return NEXT;
  });
}
export const fsin: Exec = circular(sin);
export const fcos: Exec = circular(cos);

/** FSINCOS and FPTAN, which push: `op` leaves the two results in `fpu.r` (for ST) and `fpu.r2` (pushed). */
function pushing(op: (fpu: Fpu) => number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    const none = fpu.isEmpty(0);
    if (none || !fpu.isEmpty(7)) {
      fpu.sw &= ~C2;
      if (!(none ? fpu.underflow() : fpu.overflow())) return NEXT;
      indefinite(fpu.r);
      fpu.put(0, fpu.r);
      fpu.push(fpu.r);
      return NEXT;
    }
    fpu.get(fpu.a, 0);
    const flags = op(fpu);
    if (outOfRange(fpu, flags) || !fpu.flag(flags)) return NEXT;
    fpu.put(0, fpu.r);
    fpu.push(fpu.r2);
    return NEXT;
  });
}
export const fsincos: Exec = pushing((fpu) => sincos(fpu.cw, fpu.a, fpu.r, fpu.r2));
export const fptan: Exec = pushing((fpu) => {
  const flags = tan(fpu.cw, fpu.a, fpu.r);
  // A NaN is pushed as well; else 1.0
  if (fpu.a.cls > FINITE) fpu.r2.set(fpu.r.se, fpu.r.hi, fpu.r.lo);
  else fpu.r2.set(BIAS, TOP_BIT, 0);
  return flags;
});

/** Functions of ST and ST(1): the answer goes to ST(1), and ST is popped. */
function ofTwo(op: (cw: number, x: Num, y: Num, r: Raw) => number): Exec {
  return waiting((cpu, fpu, insn) => {
    mark(cpu, fpu, insn);
    let deliver: boolean;
    if (fpu.isEmpty(0) || fpu.isEmpty(1)) {
      deliver = fpu.underflow();
      indefinite(fpu.r);
    } else {
      fpu.get(fpu.a, 0);
      fpu.get(fpu.b, 1);
      deliver = fpu.flag(op(fpu.cw, fpu.a, fpu.b, fpu.r));
    }
    if (deliver) {
      fpu.put(1, fpu.r);
      fpu.pop();
    }
    return NEXT;
  });
}
export const fyl2x: Exec = ofTwo(yLog2x);
export const fyl2xp1: Exec = ofTwo(yLog2xPlus1);
export const fpatan: Exec = ofTwo(atan2);
