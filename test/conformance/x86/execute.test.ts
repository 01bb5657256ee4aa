/**
 * Our handlers against the host processor: random instructions with random registers, flags and memory are run by
 * both, and registers, flags and memory afterwards are compared. QUADRANT_EXECUTE_CASES asks for more cases,
 * QUADRANT_SEED for others.
 * Flags that the manual leaves undefined are not compared: see UNDEFINED. Skipped where gcc -m32 does not work.
 */
import { describe, expect, it } from "vitest";
import { decode } from "../../../core/x86/isa/decode.ts";
import { disassemble } from "../../../core/x86/isa/disasm.ts";
import type { Insn } from "../../../core/x86/isa/insn.ts";
import { random } from "../../random.ts";
import { makeCase, ROWS } from "./cases.ts";
import { BYTES, type Case, CODE, type Outcome, openHost } from "./host.ts";
import { Ours } from "./ours.ts";

const CASES = Number(process.env.QUADRANT_EXECUTE_CASES ?? 10_000);
const SEED = Number(process.env.QUADRANT_SEED ?? 0x2007_0501);
/** Cases that the host program is given at a time. */
const BATCH = 10_000;

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;

/** Flags that the manual leaves undefined after an instruction (SDM vol. 2, "Flags Affected" of each). */
function undefinedFlags(insn: Insn, before: Int32Array): number {
  const name = insn.row.name;
  const operands = insn.row.operands;
  const count = (operands.endsWith("CL") ? before[1] : operands.endsWith("1") ? 1 : insn.imm) & 31;
  const width = operands.startsWith("Eb") ? 8 : insn.opsize * 8;
  switch (name) {
    case "and":
    case "or":
    case "xor":
    case "test":
      return AF;
    case "shl":
    case "shr":
      return count === 0 ? 0 : AF | (count > 1 ? OF : 0) | (count >= width ? CF : 0);
    case "sar":
      return count === 0 ? 0 : AF | (count > 1 ? OF : 0);
    case "rol":
    case "ror":
    case "rcl":
    case "rcr":
      return count > 1 ? OF : 0;
    case "shld":
    case "shrd":
      return count === 0 ? 0 : AF | (count > 1 ? OF : 0);
    case "mul":
    case "imul":
      return SF | ZF | AF | PF;
    case "div":
    case "idiv":
      return CF | OF | SF | ZF | AF | PF;
    case "bt":
    case "bts":
    case "btr":
    case "btc":
      return OF | SF | AF | PF;
    case "bsf":
    case "bsr":
      return CF | OF | SF | AF | PF;
    case "daa":
    case "das":
      return OF;
    case "aaa":
    case "aas":
      return OF | SF | ZF | PF;
    case "aam":
    case "aad":
      return OF | AF | CF;
    default:
      return 0;
  }
}

function differs(insn: Insn, c: Case, ours: Outcome, theirs: Outcome): string {
  if (ours.signal !== theirs.signal) return `signal ${ours.signal} and ${theirs.signal}`;
  const regs = theirs.signal === 0 ? theirs.regs : c.regs;
  for (let n = 0; n < 8; n++) {
    if (ours.regs[n] !== regs[n]) return `register ${n}: ${hex(ours.regs[n])} and ${hex(regs[n])}`;
  }
  for (const part of ["data", "stack"] as const) {
    for (let i = 0; i < BYTES; i++) {
      const want = theirs.signal === 0 ? theirs[part][i] : c[part][i];
      if (ours[part][i] !== want) return `${part} byte ${i}: ${ours[part][i]} and ${want}`;
    }
  }
  if (ours.landed !== theirs.landed) return `branch taken ${ours.landed} and ${theirs.landed}`;
  const flags = theirs.signal === 0 ? theirs.eflags : c.eflags;
  const wrong = (ours.eflags ^ flags) & ~undefinedFlags(insn, c.regs) & 0x3f_7fd5;
  return wrong === 0 ? "" : `flags ${hex(wrong)} of ${hex(ours.eflags)} and ${hex(flags)}`;
}
function hex(v: number): string {
  return (v >>> 0).toString(16);
}

const host = openHost();

if (host !== null && !host.small) console.warn("SKIPPED: no 16-bit code segments from this host's kernel");

describe.skipIf(host === null)("the handlers against the host processor", () => {
  it.each([
    ["32-bit", false],
    ["16-bit", true],
  ])(`agree on ${CASES} random instructions of %s code`, (_, small) => {
    if (host === null || (small && !host.small)) return;
    const next = random(SEED);
    const ours = new Ours();
    const covered = new Set<string>();
    const wanted: string[] = [];
    const failures = new Map<string, string>();
    let faults = 0;
    let row = 0;
    // Batches: a million cases at once do not fit into memory.
    for (let done = 0; done < CASES; ) {
      const cases: Case[] = [];
      const insns: Insn[] = [];
      while (cases.length < Math.min(BATCH, CASES - done)) {
        const of = ROWS[row++ % ROWS.length];
        const c = makeCase(of, next, host.low, small);
        if (c === null) continue;
        const insn = decode(Uint8Array.from([...c.code, ...new Array(16).fill(0)]), 0, 16, !small);
        if (insn === null || insn.row !== of || insn.length !== c.code.length) {
          wanted.push(`${of.name} ${of.operands}: ${c.code.map(hex).join(" ")} decodes as ${insn?.row.name}`);
          continue;
        }
        cases.push(c);
        insns.push(insn);
        covered.add(`${of.opcode}/${of.ext}/${of.form}`);
      }
      done += cases.length;
      const theirs = host.run(cases);
      cases.forEach((c, i) => {
        const insn = insns[i];
        const difference = differs(insn, c, ours.run(c, insn), theirs[i]);
        if (theirs[i].signal !== 0) faults++;
        if (difference === "") return;
        const key = `${insn.row.name} ${insn.row.operands} ${insn.opsize} ${insn.isReg}`;
        const bytes = c.code.map((b) => b.toString(16).padStart(2, "0")).join(" ");
        if (!failures.has(key)) {
          failures.set(
            key,
            `${disassemble(insn, CODE)} (${bytes}) eflags ${hex(c.eflags)} regs ${[...c.regs].map(hex).join(" ")}: ${difference}`,
          );
        }
      });
    }
    expect(wanted).toEqual([]);
    expect([...failures.values()]).toEqual([]);
    expect(covered.size).toBeGreaterThan(300);
    expect(faults).toBeGreaterThan(0);
    expect(faults).toBeLessThan(CASES / 10);
  });
});
