/**
 * The instruction table's own consistency, and what the decoder makes of prefixes, lengths and invalid encodings.
 */
import { describe, expect, it } from "vitest";
import { decode } from "../../../../core/x86/isa/decode.ts";
import { disassemble } from "../../../../core/x86/isa/disasm.ts";
import type { Insn } from "../../../../core/x86/isa/insn.ts";
import { immediateOf, operandCodes } from "../../../../core/x86/isa/operands.ts";
import { INVALID, OPCODES, TABLE, TOO_LONG } from "../../../../core/x86/isa/table.ts";

function one(...bytes: number[]): Insn {
  const padded = Uint8Array.from([...bytes, ...new Array(16).fill(0)]);
  const insn = decode(padded, 0, 16, true);
  if (insn === null) throw new Error("nothing decoded");
  return insn;
}

describe("the instruction table", () => {
  it("has one row for each encoding", () => {
    const keys = TABLE.map((r) => `${r.opcode.toString(16)} /${r.ext} rm${r.rm} ${r.form} ${r.prefix}`);
    const twice = keys.filter((key, i) => keys.indexOf(key) !== i);
    expect(twice).toEqual([]);
  });

  it("names every row, and reaches every row from some encoding", () => {
    const reached = new Set(OPCODES.flatMap((o) => (o === null ? [] : o.cells.map((form) => form?.row))));
    for (const r of TABLE) {
      expect(r.name).toMatch(/^[a-z][a-z0-9]*(\/[a-z0-9]+)?$/);
      expect(reached.has(r), `${r.name} ${r.operands}`).toBe(true);
    }
  });

  it("has operand codes and immediates that the decoder knows", () => {
    const known =
      /^(E[bwvd]|G[bvdw]|M[abdpqstw]?|R[d]|Sw|Cd|Dd|Ib|sIb|Iw|Iz|J[bz]|Ap|O[bv]|Z[bv]|[XY][bv]|[PQN]q|[VWU]x|ST|STi|[A-D]L|AX|DX|eAX|[CDEFGS]S|1)$/;
    for (const r of TABLE) {
      for (const code of operandCodes(r)) expect(code, `${r.name} ${r.operands}`).toMatch(known);
      if (/(^|,)s?I[bwz]/.test(r.operands)) expect(immediateOf(r)).toBeGreaterThan(0);
    }
  });

  it("allows LOCK on exactly the instructions of the manual (SDM vol. 2, LOCK), with a memory destination", () => {
    const names = [...new Set(TABLE.filter((r) => r.lock).map((r) => r.name))].sort();
    expect(names).toEqual(
      "adc add and btc btr bts cmpxchg cmpxchg8b dec inc neg not or sbb sub xadd xchg xor".split(" ").sort(),
    );
    for (const r of TABLE) if (r.lock) expect(r.operands).toMatch(/^[EM]/);
    expect(one(0xf0, 0x01, 0x00).row.name).toBe("add");
    expect(one(0xf0, 0x01, 0xc0).row).toBe(INVALID);
    expect(one(0xf0, 0x03, 0x00).row).toBe(INVALID);
    expect(one(0xf0, 0x90).row).toBe(INVALID);
  });
});

describe("the decoder", () => {
  it("says when the instruction goes on behind the bytes at hand", () => {
    const bytes = Uint8Array.from([0x81, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (let n = 0; n < 11; n++) expect(decode(bytes, 0, n, true)).toBeNull();
    const insn = decode(bytes, 0, 11, true);
    expect(insn?.length).toBe(11);
    expect([insn?.base, insn?.index, insn?.scale, insn?.disp, insn?.imm]).toEqual([
      3, 1, 2, 0x04030201, 0x08070605,
    ]);
  });

  it("makes more than 15 bytes an instruction that raises #GP, however many are at hand", () => {
    const bytes = new Uint8Array(32).fill(0x66);
    expect(decode(bytes, 0, 14, true)).toBeNull();
    expect(decode(bytes, 0, 15, true)?.row).toBe(TOO_LONG);
    expect(decode(bytes, 0, 32, true)?.length).toBe(15);
    expect(one(...new Array(14).fill(0x2e), 0x90).length).toBe(15);
  });

  it("takes sizes from CS.D and the prefixes", () => {
    const bytes = Uint8Array.from([0x66, 0x67, 0x8b, 0x47, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const big = decode(bytes, 0, 16, true) as Insn;
    expect([big.opsize, big.addrsize, big.base, big.disp]).toEqual([2, 2, 3, 0x10]);
    const small = decode(bytes, 0, 16, false) as Insn;
    expect([small.opsize, small.addrsize, small.base, small.disp]).toEqual([4, 4, 7, 0x10]);
  });

  it("chooses SS for stack bases, and the override over it", () => {
    expect(one(0x8b, 0x45, 0x04).seg).toBe(2);
    expect(one(0x8b, 0x04, 0x24).seg).toBe(2);
    expect(one(0x8b, 0x04, 0x2d, 0, 0, 0, 0).seg).toBe(3); // index ebp, no base
    expect(one(0x3e, 0x8b, 0x45, 0x04).seg).toBe(3);
    expect(one(0x65, 0x8b, 0x45, 0x04).seg).toBe(5);
  });

  it("knows what the manual calls invalid", () => {
    for (const bytes of [
      [0x8e, 0xc8], // MOV CS
      [0x8c, 0xf0], // segment register 6
      [0x8d, 0xc0], // LEA of a register
      [0x0f, 0x22, 0xc8], // MOV CR1
      [0xfe, 0xd0],
      [0xff, 0xf8],
      [0x0f, 0x04],
      [0x8f, 0xc8],
      [0x0f, 0xc7, 0xc8], // CMPXCHG8B of a register
    ]) {
      expect(one(...bytes).row, bytes.join(" ")).toBe(INVALID);
    }
  });

  it("writes NASM's syntax with absolute targets", () => {
    expect(disassemble(one(0xe8, 0xfb, 0xff, 0xff, 0xff), 0x1000)).toBe("call 0x1000");
    expect(disassemble(one(0x8b, 0x44, 0x8b, 0xfc), 0)).toBe("mov eax,[ebx+ecx*4-0x4]");
    expect(disassemble(one(0xc7, 0x05, 0, 0x10, 0, 0, 1, 0, 0, 0), 0)).toBe("mov dword [0x1000],0x1");
    expect(disassemble(one(0xf3, 0x66, 0xa5), 0)).toBe("rep movsw");
    expect(disassemble(one(0x64, 0x0f, 0xb6, 0x01), 0)).toBe("movzx eax,byte [fs:ecx]");
    expect(disassemble(one(0x0f, 0x22, 0xd8), 0)).toBe("mov cr3,eax");
    expect(disassemble(one(0xea, 0, 0x10, 0, 0, 8, 0), 0)).toBe("jmp 0x8:0x1000");
  });
});
