/**
 * Lazy EFLAGS: what is set comes back, and each condition is the formula of the manual over the six flags.
 */
import { describe, expect, it } from "vitest";
import {
  cc,
  FLAG_AF,
  FLAG_CF,
  FLAG_OF,
  FLAG_PF,
  FLAG_SF,
  FLAG_ZF,
  FLAGS_REST,
  FLAGS_STATUS,
  getEflags,
  REGS_LENGTH,
  setCf,
  setCfOf,
  setEflags,
} from "../../../core/x86/flags.ts";

const STATUS_BITS = [FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF, FLAG_SF, FLAG_OF];

function everyStatus(): number[] {
  return Array.from({ length: 64 }, (_, i) =>
    STATUS_BITS.reduce((v, bit, n) => v | ((i >> n) & 1 ? bit : 0), 0),
  );
}

describe("lazy flags", () => {
  it("gives back every combination of the status flags", () => {
    const cpu = { regs: new Int32Array(REGS_LENGTH) };
    for (const status of everyStatus()) {
      setEflags(cpu, status);
      expect(getEflags(cpu)).toBe(status | 2);
    }
  });

  it("keeps exactly the defined other flags", () => {
    const cpu = { regs: new Int32Array(REGS_LENGTH) };
    setEflags(cpu, -1);
    expect(getEflags(cpu)).toBe(FLAGS_REST | FLAGS_STATUS);
    setEflags(cpu, 0);
    expect(getEflags(cpu)).toBe(2);
  });

  it("evaluates the sixteen conditions", () => {
    const cpu = { regs: new Int32Array(REGS_LENGTH) };
    for (const status of everyStatus()) {
      setEflags(cpu, status);
      const cf = (status & FLAG_CF) !== 0;
      const zf = (status & FLAG_ZF) !== 0;
      const sf = (status & FLAG_SF) !== 0;
      const of = (status & FLAG_OF) !== 0;
      const pf = (status & FLAG_PF) !== 0;
      const positive = [of, cf, zf, cf || zf, sf, pf, sf !== of, zf || sf !== of];
      for (let n = 0; n < 16; n++) expect(cc(cpu, n)).toBe(positive[n >> 1] !== ((n & 1) === 1));
    }
  });

  it("sets CF alone, and CF with OF, without touching the others", () => {
    const cpu = { regs: new Int32Array(REGS_LENGTH) };
    for (const status of everyStatus()) {
      for (const cf of [0, 1]) {
        setEflags(cpu, status);
        setCf(cpu.regs, cf);
        expect(getEflags(cpu)).toBe((status & ~FLAG_CF) | cf | 2);
        for (const of of [0, 1]) {
          setEflags(cpu, status);
          setCfOf(cpu.regs, cf, of);
          expect(getEflags(cpu)).toBe((status & ~FLAG_CF & ~FLAG_OF) | cf | (of << 11) | 2);
        }
      }
    }
  });
});
