/**
 * Opcodes 0F 00-FF but the vector ones. SDM vol. 2, appendix A, table for the groups.
 * What came after the P6 and is not executed stands here by name where the manual defines it.
 */
import * as I from "../exec/bits.ts";
import * as M from "../exec/move.ts";
import * as X from "../exec/muldiv.ts";
import * as H from "../exec/shift.ts";
import * as K from "../exec/stack.ts";
import * as S from "../exec/system.ts";
import { always, bySize, type Row, row } from "../row.ts";
import { bindJcc, CONDITIONS } from "./one-byte.ts";

const eight = Array.from({ length: 8 }, (_, i) => i);
const sixteen = Array.from({ length: 16 }, (_, i) => i);
const ENDS = { ends: true };
const LOCK = { lock: true };
const BIT_TESTS = ["bt", "bts", "btr", "btc"];

/** Register forms of 0F 01, each one instruction: [ModRM.reg, ModRM.rm, name]. */
const GROUP7: readonly (readonly [number, number, string])[] = [
  [0, 0, "enclv"],
  [0, 1, "vmcall"],
  [0, 2, "vmlaunch"],
  [0, 3, "vmresume"],
  [0, 4, "vmxoff"],
  [1, 0, "monitor"],
  [1, 1, "mwait"],
  [1, 2, "clac"],
  [1, 3, "stac"],
  [1, 7, "encls"],
  [2, 0, "xgetbv"],
  [2, 1, "xsetbv"],
  [2, 4, "vmfunc"],
  [2, 5, "xend"],
  [2, 6, "xtest"],
  [2, 7, "enclu"],
];

export const TWO_BYTE: readonly Row[] = [
  row(0x0f00, "sldt", "Ev", always(S.sldt), { ext: 0 }),
  row(0x0f00, "str", "Ev", always(S.str), { ext: 1 }),
  row(0x0f00, "lldt", "Ew", always(S.lldtE), { ext: 2, ends: true }),
  row(0x0f00, "ltr", "Ew", always(S.ltrE), { ext: 3, ends: true }),
  row(0x0f00, "verr", "Ew", always(S.verr), { ext: 4 }),
  row(0x0f00, "verw", "Ew", always(S.verw), { ext: 5 }),
  row(0x0f01, "sgdt", "Ms", always(S.sgdt), { ext: 0 }),
  row(0x0f01, "sidt", "Ms", always(S.sidt), { ext: 1 }),
  row(0x0f01, "lgdt", "Ms", always(S.lgdt), { ext: 2, ends: true }),
  row(0x0f01, "lidt", "Ms", always(S.lidt), { ext: 3, ends: true }),
  row(0x0f01, "smsw", "Ev", always(S.smsw), { ext: 4 }),
  row(0x0f01, "lmsw", "Ew", always(S.lmsw), { ext: 6, ends: true }),
  row(0x0f01, "invlpg", "M", always(S.invlpg), { ext: 7 }),
  ...GROUP7.map(([ext, rm, name]) => row(0x0f01, name, "", null, { ext, rm, prefix: 0 })),
  row(0x0f01, "rdtscp", "", null, { ext: 7, rm: 1 }),
  row(0x0f02, "lar", "Gv,Ew", always(S.larE)),
  row(0x0f03, "lsl", "Gv,Ew", always(S.lslE)),
  row(0x0f06, "clts", "", always(S.clts), ENDS),
  row(0x0f08, "invd", "", always(S.wbinvd)),
  row(0x0f09, "wbinvd", "", always(S.wbinvd)),
  row(0x0f0b, "ud2", "", always(S.invalid), ENDS),
  row(0x0f0d, "nop", "Ev", always(S.nop)),
  row(0x0f0d, "prefetchw", "Mb", always(S.nop), { ext: 1 }),
  row(0x0f0d, "prefetchwt1", "Mb", always(S.nop), { ext: 2 }),
  // Hints, and the space that ENDBR and later hints use: no operation, and the operand is not accessed.
  ...eight.map((n) => row(0x0f18 + n, "nop", "Ev", always(S.nop))),
  ...["prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2"].map((name, ext) =>
    row(0x0f18, name, "Mb", always(S.nop), { ext }),
  ),
  row(0x0f1c, "cldemote", "Mb", always(S.nop), { ext: 0, prefix: 0 }),
  row(0x0f1e, "endbr64", "", always(S.nop), { ext: 7, rm: 2, prefix: 0xf3 }),
  row(0x0f1e, "endbr32", "", always(S.nop), { ext: 7, rm: 3, prefix: 0xf3 }),
  row(0x0f20, "mov", "Rd,Cd", always(S.movFromCr), ENDS),
  row(0x0f21, "mov", "Rd,Dd", always(S.movFromDr), ENDS),
  row(0x0f22, "mov", "Cd,Rd", always(S.movToCr), ENDS),
  row(0x0f23, "mov", "Dd,Rd", always(S.movToDr), ENDS),
  row(0x0f30, "wrmsr", "", always(S.wrmsr), ENDS),
  row(0x0f31, "rdtsc", "", always(S.rdtsc)),
  row(0x0f32, "rdmsr", "", always(S.rdmsr), ENDS),
  row(0x0f33, "rdpmc", "", always(S.rdpmc)),
  row(0x0f34, "sysenter", "", always(S.sysenter), ENDS),
  row(0x0f35, "sysexit", "", always(S.sysexit), ENDS),
  row(0x0f37, "getsec", "", null, { prefix: 0 }),
  ...sixteen.map((n) => row(0x0f40 + n, `cmov${CONDITIONS[n]}`, "Gv,Ev", bySize(M.cmov32, M.cmov16))),
  row(0x0f78, "vmread", "Ed,Gd", null, { prefix: 0 }),
  row(0x0f79, "vmwrite", "Gd,Ed", null, { prefix: 0 }),
  ...sixteen.map((n) => row(0x0f80 + n, `j${CONDITIONS[n]}`, "Jz", bindJcc(n), ENDS)),
  ...sixteen.map((n) => row(0x0f90 + n, `set${CONDITIONS[n]}`, "Eb", always(M.setcc))),
  row(0x0fa0, "push", "FS", always(K.pushFs)),
  row(0x0fa1, "pop", "FS", always(K.popFs), ENDS),
  row(0x0fa2, "cpuid", "", always(S.cpuid), ENDS),
  row(0x0fa8, "push", "GS", always(K.pushGs)),
  row(0x0fa9, "pop", "GS", always(K.popGs), ENDS),
  row(0x0faa, "rsm", "", always(S.invalid), ENDS), // #UD outside system-management mode
  row(0x0fa4, "shld", "Ev,Gv,Ib", always(H.shiftDouble)),
  row(0x0fa5, "shld", "Ev,Gv,CL", always(H.shiftDouble)),
  row(0x0fac, "shrd", "Ev,Gv,Ib", always(H.shiftDouble)),
  row(0x0fad, "shrd", "Ev,Gv,CL", always(H.shiftDouble)),
  ...BIT_TESTS.flatMap((name, n) => [
    row(0x0fa3 + 8 * n, name, "Ev,Gv", always(I.bitTest), { lock: n > 0 }),
    row(0x0fba, name, "Ev,Ib", always(I.bitTest), { ext: 4 + n, lock: n > 0 }),
  ]),
  row(0x0faf, "imul", "Gv,Ev", always(X.imulRm)),
  row(0x0fb0, "cmpxchg", "Eb,Gb", always(I.cmpxchg8), LOCK),
  row(0x0fb1, "cmpxchg", "Ev,Gv", bySize(I.cmpxchg32, I.cmpxchg16), LOCK),
  row(0x0fb2, "lss", "Gv,Mp", always(M.lss), ENDS),
  row(0x0fb4, "lfs", "Gv,Mp", always(M.lfs), ENDS),
  row(0x0fb5, "lgs", "Gv,Mp", always(M.lgs), ENDS),
  row(0x0fb6, "movzx", "Gv,Eb", (i) => (i.opsize === 2 ? M.movx16 : i.isReg ? M.movzx8R : M.movzx8M)),
  row(0x0fb7, "movzx", "Gv,Ew", (i) => (i.opsize === 2 ? M.movx16 : i.isReg ? M.movzx16R : M.movzx16M)),
  row(0x0fb8, "popcnt", "Gv,Ev", null, { prefix: 0xf3 }),
  row(0x0fb9, "ud1", "Gv,Ev", always(S.invalid), ENDS),
  row(0x0fbc, "bsf", "Gv,Ev", always(I.bitScan)),
  row(0x0fbd, "bsr", "Gv,Ev", always(I.bitScan)),
  row(0x0fbe, "movsx", "Gv,Eb", (i) => (i.opsize === 2 ? M.movx16 : i.isReg ? M.movsx8R : M.movsx8M)),
  row(0x0fbf, "movsx", "Gv,Ew", (i) => (i.opsize === 2 ? M.movx16 : i.isReg ? M.movsx16R : M.movsx16M)),
  row(0x0fc0, "xadd", "Eb,Gb", always(I.xadd), LOCK),
  row(0x0fc1, "xadd", "Ev,Gv", always(I.xadd), LOCK),
  row(0x0fc7, "cmpxchg8b", "Mq", always(I.cmpxchg8b), { ext: 1, lock: true }),
  row(0x0fc7, "xrstors", "M", null, { ext: 3, prefix: 0 }),
  row(0x0fc7, "xsavec", "M", null, { ext: 4, prefix: 0 }),
  row(0x0fc7, "xsaves", "M", null, { ext: 5, prefix: 0 }),
  row(0x0fc7, "vmptrld", "Mq", null, { ext: 6, prefix: 0 }),
  row(0x0fc7, "vmclear", "Mq", null, { ext: 6, prefix: 0x66 }),
  row(0x0fc7, "vmxon", "Mq", null, { ext: 6, prefix: 0xf3 }),
  row(0x0fc7, "vmptrst", "Mq", null, { ext: 7, prefix: 0 }),
  ...[0, 0x66].flatMap((prefix) => [
    row(0x0fc7, "rdrand", "Ev", null, { ext: 6, form: "reg", prefix }),
    row(0x0fc7, "rdseed", "Ev", null, { ext: 7, form: "reg", prefix }),
  ]),
  ...eight.map((n) => row(0x0fc8 + n, "bswap", "Zv", always(M.bswap))),
  row(0x0fff, "ud0", "Gv,Ev", always(S.invalid), ENDS),
];
