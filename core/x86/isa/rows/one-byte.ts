/**
 * Opcodes 00-FF. SDM vol. 2, appendix A, table for the groups.
 */
import * as A from "../exec/alu-narrow.ts";
import * as W from "../exec/alu32.ts";
import * as D from "../exec/bcd.ts";
import * as B from "../exec/branch.ts";
import * as M from "../exec/move.ts";
import * as X from "../exec/muldiv.ts";
import * as H from "../exec/shift.ts";
import * as K from "../exec/stack.ts";
import * as T from "../exec/string.ts";
import * as S from "../exec/system.ts";
import { fwait } from "../exec/x87.ts";
import { always, byBoth, byForm, bySize, type Row, row } from "../row.ts";

const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
/** Condition suffixes by number; each has synonyms in the manual (nb = ae = nc, z = e …). */
export const CONDITIONS = [
  "o",
  "no",
  "b",
  "ae",
  "e",
  "ne",
  "be",
  "a",
  "s",
  "ns",
  "p",
  "np",
  "l",
  "ge",
  "le",
  "g",
];
const JCC = [
  B.jo32,
  B.jno32,
  B.jb32,
  B.jnb32,
  B.jz32,
  B.jnz32,
  B.jbe32,
  B.jnbe32,
  B.js32,
  B.jns32,
  B.jcc,
  B.jcc,
  B.jl32,
  B.jnl32,
  B.jle32,
  B.jnle32,
];
/** Jcc by condition number, for opcodes 70-7F and 0F 80-8F. */
export function bindJcc(n: number): Row["bind"] {
  return bySize(JCC[n], B.jcc);
}

/** Opcodes 00-3D: six forms of each of the eight operations. */
function arithmetic(op: number): Row[] {
  const base = op << 3;
  const name = ALU[op];
  const cmp = op === 7;
  const lock = !cmp;
  return [
    row(base, name, "Eb,Gb", byForm(A.alu8Rr, cmp ? A.cmp8Mr : A.alu8Mr), { lock }),
    row(
      base + 1,
      name,
      "Ev,Gv",
      byBoth(W.ALU32_RR[op], W.ALU32_MR[op], A.alu16Rr, cmp ? A.cmp16Mr : A.alu16Mr),
      { lock },
    ),
    row(base + 2, name, "Gb,Eb", byForm(A.alu8Gr, A.alu8Rm)),
    row(base + 3, name, "Gv,Ev", byBoth(W.ALU32_GR[op], W.ALU32_RM[op], A.alu16Gr, A.alu16Rm)),
    row(base + 4, name, "AL,Ib", always(A.alu8Ai)),
    row(base + 5, name, "eAX,Iz", bySize(W.ALU32_RI[op], A.alu16Ai)),
  ];
}

/** Groups 80-83: ModRM.reg is the operation. 82 is an alias of 80. */
function immediate(op: number): Row[] {
  const name = ALU[op];
  const cmp = op === 7;
  const lock = !cmp;
  const bytes = byForm(cmp ? A.cmp8Ri : A.alu8Ri, cmp ? A.cmp8Mi : A.alu8Mi);
  const wide = byBoth(W.ALU32_RI[op], W.ALU32_MI[op], A.alu16Ri, A.alu16Mi);
  return [
    row(0x80, name, "Eb,Ib", bytes, { ext: op, lock }),
    row(0x81, name, "Ev,Iz", wide, { ext: op, lock }),
    row(0x82, name, "Eb,Ib", bytes, { ext: op, lock }),
    row(0x83, name, "Ev,sIb", wide, { ext: op, lock }),
  ];
}

/** Group 2. /6 is an alias of /4, left out of the manual's table but executed as SHL by every processor. */
const SHIFTS = ["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"];
function shifts(op: number): Row[] {
  const name = SHIFTS[op];
  const hot = op >= 4;
  const n = op === 5 ? 1 : op === 7 ? 2 : 0;
  const ri = hot ? [H.shl32Ri, H.shr32Ri, H.sar32Ri][n] : H.shift32;
  const r1 = hot ? [H.shl32R1, H.shr32R1, H.sar32R1][n] : H.shift32;
  const rc = hot ? [H.shl32Rc, H.shr32Rc, H.sar32Rc][n] : H.shift32;
  const ext = { ext: op };
  return [
    row(0xc0, name, "Eb,Ib", always(H.shift8), ext),
    row(0xc1, name, "Ev,Ib", byBoth(ri, H.shift32, H.shift16), ext),
    row(0xd0, name, "Eb,1", always(H.shift8), ext),
    row(0xd1, name, "Ev,1", byBoth(r1, H.shift32, H.shift16), ext),
    row(0xd2, name, "Eb,CL", always(H.shift8), ext),
    row(0xd3, name, "Ev,CL", byBoth(rc, H.shift32, H.shift16), ext),
  ];
}

const eight = Array.from({ length: 8 }, (_, i) => i);
const sixteen = Array.from({ length: 16 }, (_, i) => i);
const ENDS = { ends: true };
const REP = { rep: true };

export const ONE_BYTE: readonly Row[] = [
  ...eight.flatMap(arithmetic),
  row(0x06, "push", "ES", always(K.pushEs)),
  row(0x07, "pop", "ES", always(K.popEs), ENDS),
  row(0x0e, "push", "CS", always(K.pushCs)),
  row(0x16, "push", "SS", always(K.pushSs)),
  row(0x17, "pop", "SS", always(K.popSs), ENDS),
  row(0x1e, "push", "DS", always(K.pushDs)),
  row(0x1f, "pop", "DS", always(K.popDs), ENDS),
  row(0x27, "daa", "", always(D.daa)),
  row(0x2f, "das", "", always(D.das)),
  row(0x37, "aaa", "", always(D.aaa)),
  row(0x3f, "aas", "", always(D.aas)),
  ...eight.flatMap((n) => [
    row(0x40 + n, "inc", "Zv", bySize(A.incZ32, A.stepZ16)),
    row(0x48 + n, "dec", "Zv", bySize(A.decZ32, A.stepZ16)),
    row(0x50 + n, "push", "Zv", bySize(K.push32Z, K.push16Z)),
    row(0x58 + n, "pop", "Zv", bySize(K.pop32Z, K.pop16Z)),
  ]),
  row(0x60, "pusha/pushad", "", always(K.pusha)),
  row(0x61, "popa/popad", "", always(K.popa)),
  row(0x62, "bound", "Gv,Ma", always(B.bound)),
  row(0x62, "evex", "", null, { form: "reg" }),
  row(0x63, "arpl", "Ew,Gw", always(S.arpl)),
  row(0x68, "push", "Iz", bySize(K.push32I, K.push16I)),
  row(0x69, "imul", "Gv,Ev,Iz", always(X.imulImm)),
  row(0x6a, "push", "sIb", bySize(K.push32I, K.push16I)),
  row(0x6b, "imul", "Gv,Ev,sIb", always(X.imulImm)),
  row(0x6c, "insb", "Yb,DX", always(T.ins), { rep: true, ends: true }),
  row(0x6d, "insw/insd", "Yv,DX", always(T.ins), { rep: true, ends: true }),
  row(0x6e, "outsb", "DX,Xb", always(T.outs), { rep: true, ends: true }),
  row(0x6f, "outsw/outsd", "DX,Xv", always(T.outs), { rep: true, ends: true }),
  ...sixteen.map((n) => row(0x70 + n, `j${CONDITIONS[n]}`, "Jb", bindJcc(n), ENDS)),
  ...eight.flatMap(immediate),
  row(0x84, "test", "Eb,Gb", byForm(A.test8Rr, A.test8Mr)),
  row(0x85, "test", "Ev,Gv", byBoth(W.testRr, W.testMr, A.test16)),
  row(0x86, "xchg", "Eb,Gb", always(M.xchg8), { lock: true }),
  row(0x87, "xchg", "Ev,Gv", byBoth(M.xchg32R, M.xchg32M, M.xchg16), { lock: true }),
  row(0x88, "mov", "Eb,Gb", byForm(M.mov8Rr, M.mov8Mr)),
  row(0x89, "mov", "Ev,Gv", byBoth(M.mov32Rr, M.mov32Mr, M.mov16Rr, M.mov16Mr)),
  row(0x8a, "mov", "Gb,Eb", byForm(M.mov8Gr, M.mov8Rm)),
  row(0x8b, "mov", "Gv,Ev", byBoth(M.mov32Gr, M.mov32Rm, M.mov16Gr, M.mov16Rm)),
  row(0x8c, "mov", "Ev,Sw", always(M.movFromSeg)),
  row(0x8d, "lea", "Gv,M", bySize(M.lea32, M.lea16)),
  row(0x8e, "mov", "Sw,Ew", always(M.movToSeg), ENDS),
  row(0x8f, "pop", "Ev", always(K.popE), { ext: 0 }),
  row(0x90, "nop", "", always(S.nop)),
  row(0x90, "pause", "", always(S.nop), { prefix: 0xf3 }),
  ...eight.slice(1).map((n) => row(0x90 + n, "xchg", "Zv,eAX", bySize(M.xchgA32, M.xchgA16))),
  row(0x98, "cbw/cwde", "", always(M.cbw)),
  row(0x99, "cwd/cdq", "", always(M.cwd)),
  row(0x9a, "call", "Ap", always(B.callFar), ENDS),
  row(0x9b, "fwait", "", always(fwait)),
  row(0x9c, "pushf/pushfd", "", always(K.pushf)),
  row(0x9d, "popf/popfd", "", always(K.popf), ENDS),
  row(0x9e, "sahf", "", always(K.sahf)),
  row(0x9f, "lahf", "", always(K.lahf)),
  row(0xa0, "mov", "AL,Ob", always(M.mov8Rm)),
  row(0xa1, "mov", "eAX,Ov", bySize(M.mov32Rm, M.mov16Rm)),
  row(0xa2, "mov", "Ob,AL", always(M.mov8Mr)),
  row(0xa3, "mov", "Ov,eAX", bySize(M.mov32Mr, M.mov16Mr)),
  row(0xa4, "movsb", "Yb,Xb", always(T.movs), REP),
  row(
    0xa5,
    "movsw/movsd",
    "Yv,Xv",
    (insn) => (insn.opsize === 4 && insn.addrsize === 4 ? T.movs32 : T.movs),
    REP,
  ),
  row(0xa6, "cmpsb", "Xb,Yb", always(T.cmps), REP),
  row(0xa7, "cmpsw/cmpsd", "Xv,Yv", always(T.cmps), REP),
  row(0xa8, "test", "AL,Ib", always(A.test8Ri)),
  row(0xa9, "test", "eAX,Iz", bySize(W.testRi, A.test16)),
  row(0xaa, "stosb", "Yb,AL", always(T.stos), REP),
  row(
    0xab,
    "stosw/stosd",
    "Yv,eAX",
    (insn) => (insn.opsize === 4 && insn.addrsize === 4 ? T.stos32 : T.stos),
    REP,
  ),
  row(0xac, "lodsb", "AL,Xb", always(T.lods), REP),
  row(0xad, "lodsw/lodsd", "eAX,Xv", always(T.lods), REP),
  row(0xae, "scasb", "AL,Yb", always(T.scas), REP),
  row(0xaf, "scasw/scasd", "eAX,Yv", always(T.scas), REP),
  ...eight.flatMap((n) => [
    row(0xb0 + n, "mov", "Zb,Ib", always(M.mov8Zi)),
    row(0xb8 + n, "mov", "Zv,Iz", bySize(M.mov32Zi, M.mov16Zi)),
  ]),
  ...eight.flatMap(shifts),
  row(0xc2, "ret", "Iw", always(B.retI), ENDS),
  row(0xc3, "ret", "", bySize(B.ret32, B.ret16), ENDS),
  row(0xc4, "les", "Gv,Mp", always(M.les), ENDS),
  row(0xc4, "vex", "", null, { form: "reg" }),
  row(0xc5, "lds", "Gv,Mp", always(M.lds), ENDS),
  row(0xc5, "vex", "", null, { form: "reg" }),
  row(0xc6, "mov", "Eb,Ib", byForm(M.mov8Ri, M.mov8Mi), { ext: 0 }),
  row(0xc6, "xabort", "Ib", null, { ext: 7, rm: 0 }),
  row(0xc7, "mov", "Ev,Iz", byBoth(M.mov32Ri, M.mov32Mi, M.mov16Ri, M.mov16Mi), { ext: 0 }),
  row(0xc7, "xbegin", "Jz", null, { ext: 7, rm: 0 }),
  row(0xc8, "enter", "Iw,Ib", always(K.enter)),
  row(0xc9, "leave", "", always(K.leave)),
  row(0xca, "retf", "Iw", always(B.retFar), ENDS),
  row(0xcb, "retf", "", always(B.retFar), ENDS),
  row(0xcc, "int3", "", always(B.int3), ENDS),
  row(0xcd, "int", "Ib", always(B.intN), ENDS),
  row(0xce, "into", "", always(B.into), ENDS),
  row(0xcf, "iret/iretd", "", always(B.iretx), ENDS),
  row(0xd4, "aam", "Ib", always(D.aam)),
  row(0xd5, "aad", "Ib", always(D.aad)),
  row(0xd6, "salc", "", always(D.salc)),
  row(0xd7, "xlatb", "", always(M.xlat)),
  row(0xe0, "loopne", "Jb", always(B.loop), ENDS),
  row(0xe1, "loope", "Jb", always(B.loop), ENDS),
  row(0xe2, "loop", "Jb", always(B.loop), ENDS),
  row(0xe3, "jcxz/jecxz", "Jb", always(B.jecxz), ENDS),
  row(0xe4, "in", "AL,Ib", always(S.inI), ENDS),
  row(0xe5, "in", "eAX,Ib", always(S.inI), ENDS),
  row(0xe6, "out", "Ib,AL", always(S.outI), ENDS),
  row(0xe7, "out", "Ib,eAX", always(S.outI), ENDS),
  row(0xe8, "call", "Jz", bySize(B.call32J, B.call16J), ENDS),
  row(0xe9, "jmp", "Jz", bySize(B.jmp32J, B.jmp16J), ENDS),
  row(0xea, "jmp", "Ap", always(B.jmpFar), ENDS),
  row(0xeb, "jmp", "Jb", bySize(B.jmp32J, B.jmp16J), ENDS),
  row(0xec, "in", "AL,DX", always(S.inDx), ENDS),
  row(0xed, "in", "eAX,DX", always(S.inDx), ENDS),
  row(0xee, "out", "DX,AL", always(S.outDx), ENDS),
  row(0xef, "out", "DX,eAX", always(S.outDx), ENDS),
  row(0xf1, "int1", "", always(B.int1), ENDS),
  row(0xf4, "hlt", "", always(S.hlt), ENDS),
  row(0xf5, "cmc", "", always(A.cmc)),
  ...[0, 1].flatMap((ext) => [
    row(0xf6, "test", "Eb,Ib", byForm(A.test8Ri, A.test8Mi), { ext }),
    row(0xf7, "test", "Ev,Iz", byBoth(W.testRi, W.testMi, A.test16), { ext }),
  ]),
  row(0xf6, "not", "Eb", always(A.notNeg8), { ext: 2, lock: true }),
  row(0xf6, "neg", "Eb", always(A.notNeg8), { ext: 3, lock: true }),
  row(0xf7, "not", "Ev", byBoth(A.notR32, A.notNeg32, A.notNeg16), { ext: 2, lock: true }),
  row(0xf7, "neg", "Ev", byBoth(A.negR32, A.notNeg32, A.notNeg16), { ext: 3, lock: true }),
  ...["mul", "imul", "div", "idiv"].flatMap((name, n) => [
    row(0xf6, name, "Eb", always(X.mulDiv8), { ext: 4 + n }),
    row(0xf7, name, "Ev", bySize(X.mulDiv32, X.mulDiv16), { ext: 4 + n }),
  ]),
  row(0xf8, "clc", "", always(A.clc)),
  row(0xf9, "stc", "", always(A.stc)),
  row(0xfa, "cli", "", always(S.cli), ENDS),
  row(0xfb, "sti", "", always(S.sti), ENDS),
  row(0xfc, "cld", "", always(K.cld)),
  row(0xfd, "std", "", always(K.std)),
  row(0xfe, "inc", "Eb", always(A.step8), { ext: 0, lock: true }),
  row(0xfe, "dec", "Eb", always(A.step8), { ext: 1, lock: true }),
  row(0xff, "inc", "Ev", byBoth(A.incR32, A.incM32, A.step16), { ext: 0, lock: true }),
  row(0xff, "dec", "Ev", byBoth(A.decR32, A.decM32, A.step16), { ext: 1, lock: true }),
  row(0xff, "call", "Ev", byBoth(B.call32R, B.call32M, B.call16E), { ext: 2, ends: true }),
  row(0xff, "call", "Mp", always(B.farM), { ext: 3, ends: true }),
  row(0xff, "jmp", "Ev", byBoth(B.jmp32R, B.jmp32M, B.jmp16E), { ext: 4, ends: true }),
  row(0xff, "jmp", "Mp", always(B.farM), { ext: 5, ends: true }),
  row(0xff, "push", "Ev", byBoth(K.push32R, K.push32M, K.push16E), { ext: 6 }),
];
