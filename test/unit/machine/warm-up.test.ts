/**
 * The program that shows the run loop to the JavaScript engine: it has every instruction that the loop carries out itself,
 * takes and leaves every branch, and ends.
 */
import { describe, expect, it } from "vitest";
import { decodeBase64 } from "../../../core/guests/decode.ts";
import { BINARY } from "../../../core/guests/warm-up/binary.ts";
import { prepareWarmUp, runWarmUp } from "../../../core/machine/warm-up.ts";
import { RUN_HALTED } from "../../../core/x86/door.ts";
import { HOT_HANDLERS } from "../../../core/x86/hot.ts";
import { decode } from "../../../core/x86/isa/decode.ts";
import type { Exec } from "../../../core/x86/isa/insn.ts";

describe("the warm-up", () => {
  it("ends at its HLT, each round as long as the other", () => {
    const lengths = [1, 2, 5].map((rounds) => {
      const cpu = prepareWarmUp(rounds);
      expect(runWarmUp(cpu)).toBe(RUN_HALTED);
      return cpu.retired;
    });
    const [one, two, five] = lengths as [number, number, number];
    expect(two - one).toBeGreaterThan(250);
    expect(five - one).toBe(4 * (two - one));
  });

  it("runs every instruction that the run loop carries out itself", () => {
    const found = new Set<Exec>();
    const bytes = decodeBase64(BINARY);
    for (let at = 0; at < bytes.length; ) {
      const insn = decode(bytes, at, Math.min(15, bytes.length - at), true);
      expect(insn).not.toBeNull();
      found.add(insn!.exec);
      at += insn!.length;
    }
    expect(HOT_HANDLERS.filter((exec) => !found.has(exec)).map((exec) => exec.name)).toEqual([]);
  });

  it("takes and leaves every branch", () => {
    const ways = new Map<string, Set<boolean>>();
    const cpu = prepareWarmUp(1);
    const { bytes } = cpu;
    for (;;) {
      const eip = cpu.eip;
      const insn = decode(bytes.subarray(eip, eip + 15), 0, 15, true)!;
      if (insn.row.name === "hlt") break;
      cpu.step(0);
      if (!/^j(?!mp)/.test(insn.row.name)) continue;
      const set = ways.get(insn.row.name) ?? new Set();
      // Most go to the next instruction either way: the flags tell.
      ways.set(insn.row.name, set.add(holds(insn.row.name, cpu.eflags)));
    }
    expect([...ways.keys()].sort()).toEqual(Object.keys(CONDITIONS).sort());
    for (const [name, set] of ways) expect({ name, ways: set.size }).toEqual({ name, ways: 2 });
  });
});

/** The conditions, of CF, ZF, SF and OF: SDM vol. 1, B.1. */
const CONDITIONS: Readonly<Record<string, (c: boolean, z: boolean, s: boolean, o: boolean) => boolean>> = {
  jb: (c) => c,
  jae: (c) => !c,
  je: (_c, z) => z,
  jne: (_c, z) => !z,
  jbe: (c, z) => c || z,
  ja: (c, z) => !c && !z,
  js: (_c, _z, s) => s,
  jns: (_c, _z, s) => !s,
  jl: (_c, _z, s, o) => s !== o,
  jge: (_c, _z, s, o) => s === o,
  jle: (_c, z, s, o) => z || s !== o,
  jg: (_c, z, s, o) => !z && s === o,
};

const holds = (name: string, eflags: number): boolean =>
  CONDITIONS[name]!((eflags & 1) !== 0, (eflags & 0x40) !== 0, (eflags & 0x80) !== 0, (eflags & 0x800) !== 0);
