/**
 * The disassembler against nasm: what it writes, nasm assembles, and the bytes decode to the same text again.
 * Skipped where nasm is not installed.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decode } from "../../../core/x86/isa/decode.ts";
import { disassemble } from "../../../core/x86/isa/disasm.ts";
import { type Insn, NO_REG } from "../../../core/x86/isa/insn.ts";
import { ONE_BYTE } from "../../../core/x86/isa/rows/one-byte.ts";
import { TWO_BYTE } from "../../../core/x86/isa/rows/two-byte.ts";
import { X87 } from "../../../core/x86/isa/rows/x87.ts";
import { random } from "../../random.ts";

const CASES = 5_000;
const ORIGIN = 0x10_0000;
const EXECUTED = new Set([...ONE_BYTE, ...TWO_BYTE, ...X87].filter((row) => row.bind !== null));

/** What nasm cannot or need not say: short loops, 16-bit branches, encodings without a name of their own. */
function says(insn: Insn): boolean {
  const { name, operands } = insn.row;
  if (!EXECUTED.has(insn.row) || /^(loop|jcxz|ud[01]|endbr|prefetch|cldemote|rsm|nop|salc)/.test(name))
    return false;
  if (name === "xchg" && insn.isReg) return false; // nasm chooses which register comes first
  // nasm writes [eax*2] as [eax+eax], and picks the short form of a small immediate and of a shift by one.
  if (insn.base === NO_REG && insn.index !== NO_REG && insn.scale < 2) return false;
  if (/^(rol|ror|rcl|rcr|shl|shr|sar)$/.test(name) && operands.endsWith("Ib") && insn.imm === 1) return false;
  if (operands.endsWith("Iz") && Math.abs(insn.imm) < 0x81) return false;
  if (insn.opsize === 2 && /J|Ap|^[CDEFGS]S$/.test(operands)) return false;
  return !(insn.opsize === 2 && /^(ret|retf|call|jmp|bswap|mov[sz]x)$/.test(name));
}

function hasNasm(): boolean {
  try {
    execFileSync("nasm", ["-v"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasNasm())("the disassembler against nasm", () => {
  it(`writes what nasm assembles to the same instruction, ${CASES} times`, () => {
    const next = random(0x1f2e_3d4c);
    const texts: string[] = [];
    while (texts.length < CASES) {
      const bytes = new Uint8Array(16);
      let n = 0;
      if (next() % 3 === 0) bytes[n++] = [0x66, 0x67, 0xf3, 0xf2, 0xf0, 0x2e, 0x64][next() % 7];
      const kind = next() % 5;
      if (kind === 0) bytes[n++] = 0x0f;
      if (kind === 1) bytes[n++] = 0xd8 + (next() % 8);
      while (n < 16) bytes[n++] = next() & 0xff;
      const insn = decode(bytes, 0, 16, true);
      if (insn !== null && says(insn)) texts.push(disassemble(insn, ORIGIN));
    }
    const folder = mkdtempSync(join(tmpdir(), "quadrant-nasm-"));
    const source = join(folder, "a.asm");
    const binary = join(folder, "a.bin");
    writeFileSync(source, `bits 32\norg ${ORIGIN}\n${texts.join("\n")}\n`);
    let errors = "";
    try {
      execFileSync("nasm", ["-w-all", "-f", "bin", "-o", binary, source], { stdio: "pipe" });
    } catch (error) {
      errors = String((error as { stderr?: Buffer }).stderr ?? error);
    }
    const lines = [...errors.matchAll(/:(\d+): (.*)/g)].map((m) => `${texts[Number(m[1]) - 3]}: ${m[2]}`);
    expect(lines).toEqual([]);
    const assembled = readFileSync(binary);
    let at = 0;
    const different: string[] = [];
    for (const text of texts) {
      const insn = decode(assembled, at, Math.min(15, assembled.length - at), true);
      if (insn === null) break;
      const again = disassemble(insn, ORIGIN + at);
      if (again !== text) different.push(`${text} became ${again}`);
      at += insn.length;
    }
    expect(different).toEqual([]);
    expect(at).toBe(assembled.length);
  });
});
