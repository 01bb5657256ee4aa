/**
 * What the instruction at EIP is about to store, and what the present policy would do with the shadow pages of the
 * table it stores into. Everything is foretold by looking: nothing is executed, no bit is set, no counter moves.
 * docs/kvm-shadow-mmu.md 6.2, 6.3, 6.5.
 */
import { foretellWrite } from "../kvm/write/foretell.ts";
import { walkGuest } from "../machine/peek/guest-walk.ts";
import type { Cpu } from "../x86/cpu.ts";
import { disassemble, mnemonic } from "../x86/isa/disasm.ts";
import { ea, get8 } from "../x86/isa/exec/operand.ts";
import { ES, type Insn } from "../x86/isa/insn.ts";
import { operandCodes } from "../x86/isa/operands.ts";
import { decodeHere, peekLinear } from "./code.ts";
import type { LabContext } from "./context.ts";
import type { UpcomingWrite } from "./protocol/index.ts";

/** A store that the next instruction makes, when nothing faults. */
export interface NextStore {
  readonly gfn: number;
  readonly write: UpcomingWrite;
}

/** Instructions that store into their first operand when it is memory. */
const STORES =
  /^(mov|add|or|adc|sbb|and|sub|xor|inc|dec|not|neg|xchg|cmpxchg|cmpxchg8b|xadd|rol|ror|rcl|rcr|shl|shr|sar|shld|shrd|bts|btr|btc|set\w+|pop|sldt|str|smsw)$/;
const STRING_STORES = /^(stos|movs|ins)[bwd]$/;
const EDI = 7;
const ESI = 6;

/** The store of the instruction at EIP into a table of the guest's, or null. */
export function nextStore(lab: LabContext): NextStore | null {
  const { cpu } = lab.machine;
  if (cpu.halted) return null;
  const eip = cpu.linearIp >>> 0;
  const insn = decodeHere(lab, peekLinear(lab, eip));
  if (insn === null) return null;
  const store = storeOf(lab, cpu, insn);
  if (store === null) return null;
  const paging = lab.paging();
  const access = { write: true, user: cpu.cpl === 3, fetch: false };
  const found = walkGuest(lab.where, paging, store.la, access);
  const offset = found.gpa % 4096;
  // A store that faults, or crosses into another page, is not one write of a table.
  if (!found.ok || offset + store.bytes > 4096) return null;
  const gfn = Math.floor(found.gpa / 4096);
  const shadows = lab.shadowPages().filter((page) => page.gfn === gfn && !page.metaphysical);
  if (shadows.length === 0 && !lab.guestTables().some((table) => table.gfn === gfn)) return null;
  const mmu = lab.machine.kvm?.mmu ?? null;
  const told = mmu === null ? null : foretellWrite(mmu, gfn, offset, store.bytes);
  const { flooded, count, pages } = told ?? { flooded: false, count: 0, pages: [] };
  return {
    gfn,
    write: {
      eip,
      text: disassemble(insn, cpu.eip),
      offset,
      bytes: store.bytes,
      value: store.value,
      flooded,
      count,
      pages: pages.toSorted((a, b) => ((a.role >>> 8) & 3) - ((b.role >>> 8) & 3) || a.role - b.role),
    },
  };
}

interface Store {
  /** Linear address, unsigned. */
  readonly la: number;
  readonly bytes: number;
  readonly value: { readonly low: number; readonly high: number } | null;
}

function storeOf(lab: LabContext, cpu: Cpu, insn: Insn): Store | null {
  const name = mnemonic(insn);
  const [first = "", second = ""] = operandCodes(insn.row);
  if (STRING_STORES.test(name)) {
    const wide = insn.addrsize === 4;
    if (insn.rep !== 0 && (wide ? cpu.regs[1]! : cpu.regs[1]! & 0xffff) === 0) return null;
    const bytes = name.endsWith("b") ? 1 : name.endsWith("w") ? 2 : 4;
    const to = wide ? cpu.regs[EDI]! : cpu.regs[EDI]! & 0xffff;
    const from = wide ? cpu.regs[ESI]! : cpu.regs[ESI]! & 0xffff;
    const value = name.startsWith("stos")
      ? cut(cpu.regs[0]!, bytes)
      : name.startsWith("movs")
        ? peekValue(lab, (cpu.segBase[insn.seg]! + from) >>> 0, bytes)
        : null;
    return { la: (cpu.segBase[ES]! + to) >>> 0, bytes, value };
  }
  if (insn.isReg || !STORES.test(name) || !/^[EMO]/.test(first)) return null;
  const bytes = sizeOf(first, second, name, insn);
  let at = ea(cpu.regs, insn);
  if (/^bt[src]$/.test(name) && second === "Gv") at += (cpu.regs[insn.reg]! >> (bytes === 4 ? 5 : 4)) * bytes;
  if (insn.addrsize === 2) at &= 0xffff;
  const la = (cpu.segBase[insn.seg]! + at) >>> 0;
  return { la, bytes, value: storedValue(cpu, insn, name, second, bytes, peekValue(lab, la, bytes)) };
}

/** Width of the memory operand in bytes. */
function sizeOf(first: string, second: string, name: string, insn: Insn): number {
  if (name === "cmpxchg8b") return 8;
  if (second === "Sw" || /^(sldt|str|smsw)$/.test(name) || first === "Ew") return 2;
  return first.endsWith("b") ? 1 : insn.opsize;
}

type Value = { readonly low: number; readonly high: number };

const cut = (value: number, bytes: number): Value => ({
  low: bytes === 4 ? value >>> 0 : value & (2 ** (8 * bytes) - 1),
  high: 0,
});

function peekValue(lab: LabContext, la: number, bytes: number): Value | null {
  const there = peekLinear(lab, la, bytes);
  if (there.length < bytes) return null;
  const view = new DataView(new Uint8Array([...there, 0, 0, 0, 0, 0, 0, 0, 0]).buffer);
  return { low: view.getUint32(0, true), high: bytes === 8 ? view.getUint32(4, true) : 0 };
}

/** What is stored, for the instructions that page tables are written with; null for the others. */
function storedValue(
  cpu: Cpu,
  insn: Insn,
  name: string,
  second: string,
  bytes: number,
  old: Value | null,
): Value | null {
  const { regs } = cpu;
  const source = /^s?I/.test(second)
    ? insn.imm
    : /^G/.test(second)
      ? bytes === 1
        ? get8(regs, insn.reg)
        : regs[insn.reg]!
      : second === "AL" || second === "eAX"
        ? regs[0]!
        : null;
  if (name === "mov" || name === "xchg") return source === null ? null : cut(source, bytes);
  if (old === null) return null;
  if (name === "inc") return cut(old.low + 1, bytes);
  if (name === "dec") return cut(old.low - 1, bytes);
  if (name === "cmpxchg8b")
    return old.low === regs[0]! >>> 0 && old.high === regs[2]! >>> 0
      ? { low: regs[3]! >>> 0, high: regs[1]! >>> 0 }
      : old;
  if (source === null) return null;
  switch (name) {
    case "or":
      return cut(old.low | source, bytes);
    case "and":
      return cut(old.low & source, bytes);
    case "xor":
      return cut(old.low ^ source, bytes);
    case "add":
      return cut((old.low + source) | 0, bytes);
    case "sub":
      return cut((old.low - source) | 0, bytes);
    case "bts":
      return cut(old.low | (1 << (source & (8 * bytes - 1))), bytes);
    case "btr":
      return cut(old.low & ~(1 << (source & (8 * bytes - 1))), bytes);
    default:
      return null;
  }
}
