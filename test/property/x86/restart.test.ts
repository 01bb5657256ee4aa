/**
 * Restartability: whichever access of an instruction faults, nothing has changed (registers, flags, memory), so
 * that it can run again from the start. Faults are injected at the first, second … access of each.
 */
import { describe, expect, it } from "vitest";
import { Cpu } from "../../../core/x86/cpu.ts";
import { getEflags, setEflags } from "../../../core/x86/flags.ts";
import { decode } from "../../../core/x86/isa/decode.ts";
import { disassemble } from "../../../core/x86/isa/disasm.ts";
import { type Insn, STOP } from "../../../core/x86/isa/insn.ts";
import { makeCase, ROWS } from "../../conformance/x86/cases.ts";
import { type Case, CODE, STACK } from "../../conformance/x86/host.ts";
import { Ours } from "../../conformance/x86/ours.ts";
import { FPU_ROWS, makeFpuCase } from "../../conformance/x86/x87-cases.ts";
import { CODE as FPU_CODE, OurFpu } from "../../conformance/x86/x87-host.ts";
import { random } from "../../random.ts";

const CASES = 6_000;
const FPU_CASES = 600;
const PAGE_FAULT = 14;

/** Faults at access number `faultAt` (from 1; 0 = never). What `check` has let through does not fault again. */
class FaultingCpu extends Cpu {
  faultAt = 0;
  accesses = 0;
  private checked: { seg: number; from: number; to: number; write: boolean }[] = [];

  begin(faultAt: number): void {
    this.faultAt = faultAt;
    this.accesses = 0;
    this.checked = [];
  }
  private faults(seg: number, ea: number, size: number, write: boolean): boolean {
    const from = ea >>> 0;
    for (const c of this.checked) {
      if (c.seg === seg && c.write === write && from >= c.from && from + size <= c.to) return false;
    }
    this.accesses++;
    if (this.accesses !== this.faultAt) return false;
    this.raise(PAGE_FAULT, 0);
    return true;
  }
  override check(seg: number, ea: number, size: number, write: boolean): boolean {
    if (this.faults(seg, ea, size, write)) return false;
    this.checked.push({ seg, from: ea >>> 0, to: (ea >>> 0) + size, write });
    return super.check(seg, ea, size, write);
  }
  override read8(seg: number, ea: number): number {
    return this.faults(seg, ea, 1, false) ? 0 : super.read8(seg, ea);
  }
  override read16(seg: number, ea: number): number {
    return this.faults(seg, ea, 2, false) ? 0 : super.read16(seg, ea);
  }
  override read32(seg: number, ea: number): number {
    return this.faults(seg, ea, 4, false) ? 0 : super.read32(seg, ea);
  }
  override write8(seg: number, ea: number, value: number): void {
    if (!this.faults(seg, ea, 1, true)) super.write8(seg, ea, value);
  }
  override write16(seg: number, ea: number, value: number): void {
    if (!this.faults(seg, ea, 2, true)) super.write16(seg, ea, value);
  }
  override write32(seg: number, ea: number, value: number): void {
    if (!this.faults(seg, ea, 4, true)) super.write32(seg, ea, value);
  }
  override rmwRead8(seg: number, ea: number): number {
    return this.faults(seg, ea, 1, true) ? 0 : super.rmwRead8(seg, ea);
  }
  override rmwRead16(seg: number, ea: number): number {
    return this.faults(seg, ea, 2, true) ? 0 : super.rmwRead16(seg, ea);
  }
  override rmwRead32(seg: number, ea: number): number {
    return this.faults(seg, ea, 4, true) ? 0 : super.rmwRead32(seg, ea);
  }
  override rmwRead64(seg: number, ea: number): number {
    return this.faults(seg, ea, 8, true) ? 0 : super.rmwRead64(seg, ea);
  }
}

describe("restartability", () => {
  it("holds for every access of every unprivileged instruction", () => {
    const ours = new Ours(FaultingCpu);
    const cpu = ours.cpu as FaultingCpu;
    const next = random(0x0bad_cafe);
    const broken = new Set<string>();
    let injected = 0;
    for (let i = 0, n = 0; n < CASES; i++) {
      const row = ROWS[i % ROWS.length];
      const c = makeCase(row, next, true);
      if (c === null) continue;
      n++;
      const insn = decode(Uint8Array.from([...c.code, ...new Array(16).fill(0)]), 0, 16, true) as Insn;
      for (let k = 1; ; k++) {
        load(ours, c);
        cpu.begin(k);
        cpu.eip = CODE + insn.length;
        const answer = insn.exec(cpu, insn);
        if (cpu.accesses < k) break; // it has fewer accesses
        injected++;
        const what = `${disassemble(insn, CODE)} at access ${k}`;
        if (answer !== STOP || !cpu.faulted || cpu.excVector !== PAGE_FAULT) broken.add(`${what}: goes on`);
        for (let r = 0; r < 8; r++)
          if (cpu.regs[r] !== c.regs[r]) broken.add(`${what}: register ${r} changed`);
        if (getEflags(cpu) !== (c.eflags | 2)) broken.add(`${what}: flags changed`);
        if (!same(ours.window(c.dataPage), c.data) || !same(ours.window(STACK), c.stack)) {
          broken.add(`${what}: memory changed`);
        }
      }
    }
    expect([...broken]).toEqual([]);
    expect(injected).toBeGreaterThan(CASES / 3);
  });
});

describe("restartability of x87", () => {
  it("holds for every access of every instruction with a memory operand", () => {
    const ours = new OurFpu(FaultingCpu);
    const cpu = ours.cpu as FaultingCpu;
    const next = random(0x0bad_cafe);
    const rows = FPU_ROWS.filter((row) => row.form === "mem" || row.operands === "M");
    const broken = new Set<string>();
    let injected = 0;
    for (let n = 0; n < FPU_CASES; n++) {
      const row = rows[n % rows.length]!;
      const c = makeFpuCase(row, next);
      const view = new DataView(c.image.buffer);
      view.setUint16(0, view.getUint16(0, true) | 0x3f, true); // nothing waits
      const insn = decode(Uint8Array.from([...c.code, ...new Array(16).fill(0)]), 0, 16, true) as Insn;
      for (let k = 1; ; k++) {
        ours.load(c);
        const before = cpu.fpu.save();
        cpu.begin(k);
        cpu.eip = FPU_CODE + insn.length;
        const answer = insn.exec(cpu, insn);
        if (cpu.accesses < k) break;
        injected++;
        const what = `${disassemble(insn, FPU_CODE)} at access ${k}`;
        if (answer !== STOP || !cpu.faulted || cpu.excVector !== PAGE_FAULT) broken.add(`${what}: goes on`);
        if (JSON.stringify(cpu.fpu.save()) !== JSON.stringify(before))
          broken.add(`${what}: the unit changed`);
        if (!same(ours.data(), c.data)) broken.add(`${what}: memory changed`);
      }
    }
    expect([...broken]).toEqual([]);
    expect(injected).toBeGreaterThan(FPU_CASES / 2);
  });
});

function load(ours: Ours, c: Case): void {
  ours.window(c.dataPage).set(c.data);
  ours.window(STACK).set(c.stack);
  for (let n = 0; n < 8; n++) ours.cpu.regs[n] = c.regs[n];
  setEflags(ours.cpu, c.eflags);
  ours.cpu.faulted = false;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((v, i) => v === b[i]);
}
