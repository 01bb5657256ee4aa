/**
 * Random instructions for the host comparison, made from the rows of the table: every unprivileged integer row in
 * 16- and 32-bit operand size, register and memory forms with all addressing shapes, and random state around it.
 */
import { hasModRm, operandCodes } from "../../../core/x86/isa/operands.ts";
import type { Row } from "../../../core/x86/isa/row.ts";
import { ONE_BYTE } from "../../../core/x86/isa/rows/one-byte.ts";
import { TWO_BYTE } from "../../../core/x86/isa/rows/two-byte.ts";
import { BYTES, type Case, CODE, DATA, LANDING, LOW, STACK, WINDOW } from "./host.ts";

/** Rows that a user program cannot run, whose result is not ours to choose, or that name segments of the host. */
const EXCLUDED =
  /^(hlt|cli|sti|in|out|ins.*|outs.*|int|int3|into|iret.*|retf|les|lds|lss|lfs|lgs|cpuid|rdtsc|rdmsr|wrmsr|clts|invlpg|invd|wbinvd|l[gil]dt|ltr|lmsw|smsw|s[gil]dt|str|ud[012]|rsm|fwait|int1|e?vex|xabort|xbegin|sysenter|sysexit|rdpmc|lar|lsl|verr|verw|[lms]fence|prefetch.*|cldemote|endbr.*)$/;

function testable(row: Row): boolean {
  if (row.bind === null || EXCLUDED.test(row.name)) return false;
  if (row.name === "nop" && row.opcode !== 0x0f1f && row.opcode !== 0x90) return false; // hints have several rows
  return !/(^|,)(Sw|Ap|Mp|Cd|Dd|[CDEFGS]S)($|,)/.test(row.operands);
}

export const ROWS: readonly Row[] = [...ONE_BYTE, ...TWO_BYTE].filter(testable);

const INTERESTING = [0, 1, -1, 0x7fff_ffff, -0x8000_0000, 0x80, 0x7f, 0xff, 0x8000, 0x7fff, 0xffff, 2, 0x10];

/** One case for a row, or null when the row has no such form. `small`: for a 16-bit code segment at CODE. */
export function makeCase(row: Row, next: () => number, low: boolean, small = false): Case | null {
  /** EIP of the second way out. */
  const landing = small ? LANDING - CODE : LANDING;
  const below = (n: number): number => next() % n;
  const value = (): number => (below(3) === 0 ? INTERESTING[below(INTERESTING.length)] : next() | 0);
  const regs = Int32Array.from({ length: 8 }, value);
  const data = Uint8Array.from({ length: BYTES }, () => next() & 0xff);
  const stack = Uint8Array.from({ length: BYTES }, () => next() & 0xff);
  const name = row.name;
  const codes = operandCodes(row);
  const word = below(3) === 0;
  const opsize = word ? 2 : 4;
  const usesLow = low && below(4) === 0;
  const addr16 = usesLow;
  const page = usesLow ? LOW : DATA;
  const target = page + WINDOW + 40 + below(32);
  let eflags = 0x202 | (next() & 0x8d5);
  const fixed = new Set<number>();
  const set = (n: number, v: number): void => {
    regs[n] = v;
    fixed.add(n);
  };

  const isString = codes.some((code) => code[0] === "X" || code[0] === "Y");
  const prefixes: number[] = [];
  if (/^(push|pop|call|ret|enter|leave|pusha|popa|pushf|popf)/.test(name)) {
    set(4, STACK + WINDOW + 60 + 4 * below(3) + (below(4) === 0 ? below(4) : 0));
  }
  if (name === "leave" || name === "enter") set(5, STACK + WINDOW + 80);
  if (name.startsWith("popf")) {
    // Neither TF, NT, AC nor VM: the host's program must go on; IF and IOPL do not change at CPL 3.
    const at = regs[4] - STACK - WINDOW;
    stack.set([next() & 0xd5 & ~0x100, (next() & 0x3e) | 0, next() & 0x20, 0], at);
    stack[at + 1] &= ~0x41;
  }
  if (isString) {
    set(6, page + WINDOW + 64);
    set(7, page + WINDOW + 48 + 4 * below(8));
    if (below(2) === 0) prefixes.push(row.rep && below(2) === 0 ? 0xf2 : 0xf3);
    if (below(2) === 0) eflags |= 0x400;
    set(1, below(8));
    if (addr16) for (const n of [1, 6, 7]) regs[n] |= next() << 16;
    if (/^(cmps|scas)/.test(name)) for (let i = 0; i < BYTES; i++) data[i] = below(2);
    if (/^scas/.test(name)) regs[0] = below(2);
  }
  if (name.startsWith("loop") || name.startsWith("jcxz")) {
    const kind = below(3);
    if (kind === 0) set(1, below(3));
    if (kind === 1) set(1, 0x1_0000 + below(3));
  }
  if (name === "xlatb") {
    regs[3] = target - (regs[0] & 0xff);
    if (addr16) regs[3] |= next() << 16;
  }
  if (/^(shl|shr|sar|ro|rc|sh[lr]d)/.test(name) && below(2) === 0) regs[1] = (regs[1] & ~0xff) | below(40);
  // Before an address is made of it.
  if (/^sh[lr]d/.test(name) && codes[2] === "CL" && word) regs[1] = (regs[1] & ~0x1f) | below(17);
  if (/^bt/.test(name) && codes[1] === "Gv") for (let n = 0; n < 8; n++) regs[n] = below(300) - 150;
  if (/^i?div/.test(name) && below(2) === 0) regs[2] = word ? below(300) : below(3) - 1;
  if (name === "cmpxchg" && below(2) === 0) regs[0] = data[target - page - WINDOW] | (regs[0] & ~0xff);
  if (name === "bswap" && word) return null;

  if (word !== small) prefixes.push(0x66);
  if (addr16 !== small) prefixes.push(0x67);
  if (row.prefix > 0) prefixes.push(row.prefix);
  const opcode = row.opcode >= 0x100 ? [row.opcode >>> 8, row.opcode & 0xff] : [row.opcode];
  const tail: number[] = [];
  const le = (v: number, bytes: number): void => {
    for (let i = 0; i < bytes; i++) tail.push((v >>> (8 * i)) & 0xff);
  };

  let isReg = true;
  const isBranch = /^(j|call|ret|loop)/.test(name);
  if (isBranch && word && !small) return null; // EIP would lose its upper half
  if (hasModRm(row)) {
    const reg = row.ext >= 0 ? row.ext : below(8);
    isReg = row.form === "reg" || (row.form === "any" && below(2) === 0);
    if (isReg) {
      const rm = row.rm >= 0 ? row.rm : below(8);
      if (name === "call" || name === "jmp") {
        if (rm === 4) return null;
        set(rm, landing);
      }
      tail.push(0xc0 | (reg << 3) | rm);
    } else {
      const popped = row.opcode === 0x8f ? opsize : 0;
      if (addr16) modrm16(reg);
      else modrm32(reg, popped);
      const at = target - page - WINDOW;
      if (name === "call" || name === "jmp") new DataView(data.buffer).setUint32(at, landing, true);
      if (name === "cmpxchg8b" && below(2) === 0) {
        const view = new DataView(data.buffer);
        view.setInt32(at, regs[0], true);
        view.setInt32(at + 4, regs[2], true);
      }
    }
  }
  function modrm16(reg: number): void {
    const BASE = [3, 3, 5, 5, -1, -1, 5, 3];
    const INDEX = [6, 7, 6, 7, 6, 7, -1, -1];
    const rm = below(8);
    if (rm === 6 && below(2) === 0) {
      tail.push((reg << 3) | 6);
      le(target, 2);
      return;
    }
    const sum = (BASE[rm] < 0 ? 0 : regs[BASE[rm]]) + (INDEX[rm] < 0 ? 0 : regs[INDEX[rm]]);
    tail.push(0x80 | (reg << 3) | rm);
    le(target - sum, 2);
  }
  function modrm32(reg: number, popped: number): void {
    const value = (n: number): number => regs[n] + (n === 4 ? popped : 0);
    const shape = below(6);
    const free = [3, 5, 6, 7].filter((n) => !fixed.has(n) && !(name === "cmpxchg8b" && n === 3));
    if (shape === 0) {
      tail.push((reg << 3) | 5);
      le(target, 4);
    } else if (shape === 1 && free.length > 0 && !codes.includes("Gv") && !codes.includes("Gb")) {
      const base = free[below(free.length)];
      const disp = below(256) - 128;
      set(base, target - disp);
      tail.push(0x40 | (reg << 3) | base);
      le(disp, 1);
    } else if (shape === 2 && free.length > 0 && !codes.includes("Gv") && !codes.includes("Gb")) {
      const base = free.filter((n) => n !== 5)[0];
      set(base, target);
      tail.push((reg << 3) | base);
    } else if (shape === 3) {
      const base = [0, 1, 2, 3, 5, 6, 7][below(7)];
      tail.push(0x80 | (reg << 3) | base);
      le(target - value(base), 4);
    } else if (shape === 4) {
      const index = [0, 1, 2, 3, 5, 6, 7][below(7)];
      const scale = below(4);
      tail.push((reg << 3) | 4, (scale << 6) | (index << 3) | 5);
      le(target - (value(index) << scale), 4);
    } else {
      const base = below(8);
      const index = below(8);
      const scale = below(4);
      tail.push(0x80 | (reg << 3) | 4, (scale << 6) | (index << 3) | base);
      le(target - value(base) - (index === 4 ? 0 : value(index) << scale), 4);
    }
  }

  for (const code of codes) {
    if (code === "Ib" && name === "enter") tail.push(below(4));
    else if (code === "Iw" && name === "enter") le(below(24), 2);
    else if (code === "Iw") le(4 * below(4), 2);
    else if (code === "Ib" && /^sh[lr]d/.test(name)) tail.push(word ? below(17) : next() & 0xff);
    else if (code === "Ib" || code === "sIb")
      le(below(3) === 0 ? INTERESTING[below(INTERESTING.length)] : next(), 1);
    else if (code === "Iz") le(value(), opsize);
    else if (code === "Ob" || code === "Ov") le(target, addr16 ? 2 : 4);
    else if (code[0] === "J") {
      const size = code === "Jb" ? 1 : opsize;
      const length = prefixes.length + opcode.length + tail.length + size;
      le(LANDING - CODE - length, size);
    }
  }
  if (name === "ret") new DataView(stack.buffer).setUint32(regs[4] - STACK - WINDOW, landing, true);
  const code = [...prefixes, ...opcode, ...tail];
  return code.length > 15 ? null : { code, regs, eflags, dataPage: page, data, stack, small };
}
