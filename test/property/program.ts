/**
 * Guest programs for the differential property tests: machine code that walks over random page tables with real
 * instructions, at CPL 0 and 3, and logs what it reads and every fault. Each operation begins with a reload of CR3, as
 * the manual asks of whoever changed a table; so the bare machine's TLB may hide nothing.
 */
import type { LoadedImage } from "../../core/images/index.ts";
import { Machine } from "../../core/machine/machine.ts";
import type { MachineSetup } from "../../core/machine/setup.ts";
import { Trace } from "../../core/trace/trace.ts";
import { type Case, encode, INDEX, type Mode, pages, rootOf, tablesOf } from "./cases.ts";

/** Guest frames: tables and data as in shadow.ts, then what the program itself needs, mapped at FIXED. */
const FIXED = 0xc000_0000 | 0;
const FIRST = 32;
const FRAMES = 64;
const fixed = (frame: number): number => (FIXED + (frame - FIRST) * 4096) | 0;
const FIXED_PT = 10;
const FIXED_PD = 11;
const GDT = fixed(32);
const IDT = (GDT + 0x400) | 0;
const TSS = (GDT + 0xc00) | 0;
const STACK0 = fixed(34);
const STACK3 = fixed(35);
const VARIABLES = fixed(39);
const LOG = fixed(35);
const CODE = fixed(40);
/** Offset in a page at which every data frame holds a RET. */
export const RET_AT = 0xf00;

export type ProgramOp =
  | {
      readonly op: "run";
      /** Index into FORMS. */
      readonly form: number;
      readonly user: boolean;
      readonly page: number;
      readonly offset: number;
      readonly other: number;
      readonly value: readonly [number, number];
    }
  | { readonly op: "cr3"; readonly root: number }
  | { readonly op: "stack"; readonly page: number; readonly offset: number }
  | { readonly op: "invlpg"; readonly page: number }
  | { readonly op: "wp" | "pse" | "nxe" };

/** Linear pages that operations use: those of shadow.ts, but for the slot of PAE that holds the program. */
const programPages = (mode: Mode): number[] =>
  pages(mode).map((la) => (mode === "pae" && la >= 0xc000_0000 ? la - 0x4000_0000 : la));

class Code {
  readonly bytes: number[] = [];

  get here(): number {
    return (CODE + this.bytes.length) | 0;
  }
  emit(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }
  dword(value: number): this {
    return this.emit(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }
  /** mov r32, imm32 */
  mov(reg: number, value: number): this {
    return this.emit(0xb8 + reg).dword(value);
  }
  /** Patches a dword emitted before. */
  patch(at: number, value: number): void {
    for (let i = 0; i < 4; i++) this.bytes[at + i] = (value >>> (8 * i)) & 0xff;
  }
}

interface Operands {
  readonly la: number;
  readonly other: number;
  readonly low: number;
  readonly high: number;
}

/** The instruction under test, behind what loads its registers. ESP is a good stack of its privilege. */
const FORMS: readonly { readonly name: string; emit(c: Code, o: Operands): void }[] = [
  { name: "mov eax,[m]", emit: (c, o) => c.emit(0xa1).dword(o.la) },
  { name: "movzx eax,byte [m]", emit: (c, o) => c.emit(0x0f, 0xb6, 0x05).dword(o.la) },
  { name: "mov ax,[m]", emit: (c, o) => c.emit(0x66, 0xa1).dword(o.la) },
  { name: "mov dword [m],i", emit: (c, o) => c.emit(0xc7, 0x05).dword(o.la).dword(o.low) },
  { name: "mov dword [m],i again", emit: (c, o) => c.emit(0xc7, 0x05).dword(o.la).dword(o.low) },
  {
    name: "mov word [m],i",
    emit: (c, o) =>
      c
        .emit(0x66, 0xc7, 0x05)
        .dword(o.la)
        .emit(o.low & 0xff, (o.low >>> 8) & 0xff),
  },
  {
    name: "mov byte [m],i",
    emit: (c, o) =>
      c
        .emit(0xc6, 0x05)
        .dword(o.la)
        .emit(o.low & 0xff),
  },
  {
    name: "or dword [m],i8",
    emit: (c, o) =>
      c
        .emit(0x83, 0x0d)
        .dword(o.la)
        .emit(o.low & 0x7f),
  },
  {
    name: "and dword [m],i8",
    emit: (c, o) =>
      c
        .emit(0x83, 0x25)
        .dword(o.la)
        .emit(~(1 << (o.low & 6)) & 0xff),
  },
  {
    name: "btr dword [m],i",
    emit: (c, o) =>
      c
        .emit(0x0f, 0xba, 0x35)
        .dword(o.la)
        .emit(o.low & 7),
  },
  {
    name: "lock bts dword [m],i",
    emit: (c, o) =>
      c
        .emit(0xf0, 0x0f, 0xba, 0x2d)
        .dword(o.la)
        .emit(o.low & 7),
  },
  { name: "xchg [m],eax", emit: (c, o) => c.mov(0, o.low).emit(0x87, 0x05).dword(o.la) },
  {
    name: "lock xadd [m],eax",
    emit: (c, o) =>
      c
        .mov(0, o.low & 0xfff)
        .emit(0xf0, 0x0f, 0xc1, 0x05)
        .dword(o.la),
  },
  {
    name: "cmpxchg [m],ecx, not equal",
    emit: (c, o) => c.mov(0, 0x5a5a).mov(1, o.low).emit(0x0f, 0xb1, 0x0d).dword(o.la),
  },
  {
    name: "cmpxchg [m],ecx, equal",
    emit: (c, o) => c.emit(0xa1).dword(o.la).mov(1, o.low).emit(0xf0, 0x0f, 0xb1, 0x0d).dword(o.la),
  },
  {
    name: "cmpxchg8b [m]",
    emit: (c, o) =>
      c
        .emit(0xa1)
        .dword(o.la)
        .emit(0x8b, 0x15)
        .dword(o.la + 4)
        .mov(3, o.low)
        .mov(1, o.high)
        .emit(0x0f, 0xc7, 0x0d)
        .dword(o.la),
  },
  { name: "movsd", emit: (c, o) => c.mov(6, o.other).mov(7, o.la).emit(0xa5) },
  { name: "stosd", emit: (c, o) => c.mov(0, o.low).mov(7, o.la).emit(0xab) },
  {
    name: "std; rep stosb",
    emit: (c, o) => c.mov(0, o.low).mov(7, o.la).mov(1, 1).emit(0xfd, 0xf3, 0xaa, 0xfc),
  },
  { name: "cmpsb", emit: (c, o) => c.mov(6, o.other).mov(7, o.la).emit(0xa6, 0x9c, 0x58) },
  { name: "push dword [m]", emit: (c, o) => c.emit(0xff, 0x35).dword(o.la).emit(0x58) },
  { name: "pop dword [m]", emit: (c, o) => c.emit(0x68).dword(o.low).emit(0x8f, 0x05).dword(o.la) },
  { name: "sete [m]", emit: (c, o) => c.emit(0x0f, 0x94, 0x05).dword(o.la) },
  { name: "not dword [m]", emit: (c, o) => c.emit(0xf7, 0x15).dword(o.la) },
  { name: "sgdt [m]", emit: (c, o) => c.emit(0x0f, 0x01, 0x05).dword(o.la) },
  {
    name: "call code",
    emit: (c, o) =>
      c
        .mov(0, VARIABLES + 0x100)
        .mov(6, (o.la & ~0xfff) | RET_AT)
        .emit(0xff, 0xd6),
  },
  {
    name: "call code across a page",
    emit: (c, o) =>
      c
        .mov(0, VARIABLES + 0x100)
        .mov(6, (o.la & ~0xfff) | 0xffe)
        .emit(0xff, 0xd6),
  },
  // With the stack on the page itself: user mode only, or the fault would have no stack.
  { name: "push", emit: (c, o) => c.mov(4, o.la).emit(0x68).dword(o.low) },
  { name: "pusha", emit: (c, o) => c.mov(4, (o.la & ~0xfff) | 0x810).emit(0x60) },
  { name: "popa", emit: (c, o) => c.mov(4, (o.la & ~0xfff) | 0xff0).emit(0x61) },
  { name: "enter", emit: (c, o) => c.emit(0x89, 0xe8).mov(4, o.la).emit(0xc8, 8, 0, 0) },
  { name: "call on that stack", emit: (c, o) => c.mov(4, o.la).emit(0xe8).dword(0) },
];
export const FORM_COUNT = FORMS.length;
const USER_ONLY = FORMS.findIndex((f) => f.name === "push");
export const formName = (form: number): string => FORMS[form]!.name;

/** The whole program: handlers and operations. Answers its bytes and the handlers' places. */
function assemble(
  mode: Mode,
  ops: readonly ProgramOp[],
): { bytes: number[]; handlers: Map<number, number>; entry: number } {
  const c = new Code();
  const handlers = new Map<number, number>();
  const list = programPages(mode);
  const logNext = (): void => {
    c.emit(0x83, 0x05).dword(VARIABLES).emit(12); // add dword [VARIABLES], 12
    c.emit(0xff, 0xe5); // jmp ebp
  };
  for (let vector = 0; vector <= 0x30; vector++) {
    if (vector > 20 && vector < 0x30) continue;
    handlers.set(vector, c.here);
    c.emit(0xfc); // cld
    if (vector === 14) c.emit(0x58, 0x0f, 0x20, 0xd2); // pop eax; mov edx, cr2
    c.emit(0x8b, 0x1d).dword(VARIABLES); // mov ebx, [VARIABLES]
    c.emit(0xc7, 0x03).dword(vector); // mov dword [ebx], vector
    c.emit(0x89, 0x43, 4, 0x89, 0x53, 8); // mov [ebx+4], eax; mov [ebx+8], edx
    logNext();
  }
  const entry = c.here;
  c.emit(0x66, 0xb8, 0x23, 0, 0x8e, 0xd8, 0x8e, 0xc0); // mov ax, 0x23; mov ds, ax; mov es, ax
  c.emit(0x66, 0xb8, 0x28, 0, 0x0f, 0x00, 0xd8); // mov ax, 0x28; ltr ax
  c.emit(0xc7, 0x05).dword(VARIABLES).dword(LOG);
  for (const op of ops) {
    c.emit(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8); // mov eax, cr3; mov cr3, eax
    c.mov(4, STACK0);
    c.emit(0xc7, 0x05)
      .dword(TSS + 4)
      .dword(STACK0);
    c.emit(0xbd); // mov ebp, behind
    const behind = c.bytes.length;
    c.dword(0).mov(0, 0).mov(2, 0);
    switch (op.op) {
      case "run": {
        const operands = {
          la: (list[op.page]! + op.offset) | 0,
          other: (list[op.other]! + op.offset) | 0,
          low: op.value[0],
          high: op.value[1],
        };
        if (op.user || op.form >= USER_ONLY) toUser(c);
        FORMS[op.form]!.emit(c, operands);
        c.emit(0xcd, 0x30);
        break;
      }
      case "cr3":
        c.mov(0, rootOf(mode, op.root)).emit(0x0f, 0x22, 0xd8, 0xcd, 0x30);
        break;
      case "stack":
        // An interrupt from user mode whose frame lies on a page that may be a table, or nothing.
        c.emit(0xc7, 0x05)
          .dword(TSS + 4)
          .dword(list[op.page]! + op.offset);
        toUser(c);
        c.emit(0xcd, 0x30);
        break;
      case "invlpg":
        c.emit(0x0f, 0x01, 0x3d).dword(list[op.page]!);
        break;
      case "wp":
        c.emit(0x0f, 0x20, 0xc0, 0x35).dword(0x1_0000).emit(0x0f, 0x22, 0xc0); // xor eax, WP
        break;
      case "pse":
        c.emit(0x0f, 0x20, 0xe0, 0x83, 0xf0, 0x10, 0x0f, 0x22, 0xe0);
        break;
      case "nxe":
        c.mov(1, 0xc000_0080).emit(0x0f, 0x32, 0x35).dword(0x800).emit(0x0f, 0x30);
        break;
    }
    c.patch(behind, c.here);
  }
  c.emit(0xf4);
  return { bytes: c.bytes, handlers, entry };
}

/** push SS, ESP, EFLAGS, CS, EIP of user mode; iret to the next instruction. */
function toUser(c: Code): void {
  c.emit(0x6a, 0x23, 0x68)
    .dword(STACK3 - 64)
    .emit(0x6a, 2, 0x6a, 0x1b, 0x68);
  c.dword(c.here + 5).emit(0xcf);
}

const SETUP: MachineSetup = {
  memory: FRAMES * 4096,
  memoryHigh: 8 * 4096,
  policy: "none",
  tlb: "vmx",
  hazards: {},
  audit: "off",
  findings: "stop",
  unimplemented: "stop",
};

/** A machine in front of the program's first instruction, paging on, under `policy`. */
export function bootProgram(
  mode: Mode,
  policy: string,
  c: Case,
  ops: readonly ProgramOp[],
  wish: Partial<MachineSetup> = {},
): Machine {
  const memory = new Uint8Array(FRAMES * 4096);
  const view = new DataView(memory.buffer);
  const wide = mode === "pae";
  const entry = (gfn: number, index: number, low: number, high: number): void => {
    view.setInt32(gfn * 4096 + index * (wide ? 8 : 4), low, true);
    if (wide) view.setInt32(gfn * 4096 + index * 8 + 4, high, true);
  };
  let at = 0;
  for (const gfn of tablesOf(mode))
    for (const index of INDEX[mode]) entry(gfn, index, ...encode(mode, c.entries[at++]!));
  for (let gfn = 16; gfn < 24; gfn++) {
    view.setInt32(gfn * 4096, 0x01010101 * gfn, true);
    memory[gfn * 4096 + RET_AT] = 0xc3;
    memory.fill(0x90, gfn * 4096 + 0xffc, gfn * 4096 + 0x1000);
  }
  // The program's own pages, all of them the user's: what must not be reached does not depend on them.
  for (let frame = FIRST; frame < FRAMES; frame++) entry(FIXED_PT, frame - FIRST, (frame << 12) | 0x67, 0);
  if (wide) {
    // Slot 3 is the program's. The second table shares a directory between two slots.
    for (const [i, gfn] of [1, 2, 3, FIXED_PD].entries()) entry(7, i, (gfn << 12) | 1, 0);
    for (const [i, gfn] of [2, 2, 4, FIXED_PD].entries()) entry(7, i + 4, (gfn << 12) | 1, 0);
    entry(FIXED_PD, 0, (FIXED_PT << 12) | 0x67, 0);
  } else {
    // PDE 768 of everything that CR3 may name.
    for (const root of [1, 2, 5]) entry(root, 768, (FIXED_PT << 12) | 0x67, 0);
  }
  const put = (la: number, low: number, high: number): void => {
    const gpa = (FIRST << 12) + ((la - FIXED) | 0);
    view.setUint32(gpa, low >>> 0, true);
    view.setUint32(gpa + 4, high >>> 0, true);
  };
  const descriptors = [
    [0, 0],
    [0xffff, 0x00cf9b00],
    [0xffff, 0x00cf9300],
    [0xffff, 0x00cffb00],
    [0xffff, 0x00cff300],
    [(TSS << 16) | 0x67, (TSS & 0xff00_0000) | 0x8900 | ((TSS >>> 16) & 0xff)],
  ];
  for (const [i, [low, high]] of descriptors.entries()) put(GDT + i * 8, low!, high!);
  put(TSS + 8, 0x10, 0); // SS0
  const program = assemble(mode, ops);
  for (const [vector, target] of program.handlers) {
    put(
      IDT + vector * 8,
      0x0008_0000 | (target & 0xffff),
      (target & 0xffff_0000) | (vector === 0x30 ? 0xee00 : 0x8e00),
    );
  }
  memory.set(program.bytes, 40 * 4096);
  const image: LoadedImage = {
    kind: "flat",
    writes: [{ gpa: 0, bytes: memory }],
    zeros: [],
    entry: program.entry >>> 0,
    regs: { eax: 0, ecx: 0, edx: 0, ebx: 0, esp: STACK0, ebp: 0, esi: 0, edi: 0 },
    symbols: [],
    notes: [],
    gdt: { base: GDT, limit: 0x2f },
  };
  const trace = new Trace(1 << 4);
  trace.on = false;
  const machine = Machine.boot({ ...SETUP, ...wish, policy: "none" }, image, trace);
  const { cpu } = machine;
  cpu.idtBase = IDT;
  cpu.idtLimit = 0x30 * 8 + 7;
  cpu.cr3 = rootOf(mode, 0);
  cpu.cr0 = 0x8001_0011 | 0;
  cpu.cr4 = wide ? 0x20 : 0x10;
  cpu.efer = wide ? 0x800 : 0;
  cpu.applyControls();
  if (wide && !cpu.paging.loadPdptes(cpu.cr3)) throw new Error("the PDPTEs of the test are bad");
  cpu.paging.flush(0, false);
  if (policy !== "none") machine.input({ kind: "policy", policy });
  return machine;
}

/** What the program logged: triples of vector, EAX or error code, EDX or CR2. */
export function logOf(machine: Machine): string[] {
  const { view } = machine.memory;
  const frame = (n: number): number => machine.slots.hfnOf(n) * 4096;
  const end = view.getInt32(frame(39), true);
  const words: string[] = [];
  for (let la = LOG; la !== end && words.length < 1000; la = (la + 12) | 0) {
    const at = frame(FIRST) + ((la - FIXED) | 0);
    words.push([0, 4, 8].map((i) => view.getUint32(at + i, true).toString(16)).join(" "));
  }
  return words;
}

/**
 * What a guest can observe of a machine: registers, time, and all of its memory. The first difference in words, or null.
 * @param memory false: memory is known to be the same
 */
export function difference(bare: Machine, other: Machine, memory = true): string | null {
  const a = bare.cpu;
  const b = other.cpu;
  const logs = memory ? [logOf(bare), logOf(other)] : [[], []];
  for (let i = 0; i < Math.max(logs[0]!.length, logs[1]!.length); i++) {
    if (logs[0]![i] !== logs[1]![i]) return `log entry ${i}: bare ${logs[0]![i]}, under KVM ${logs[1]![i]}`;
  }
  for (const name of ["eip", "eflags", "cr0", "cr2", "cr3", "cr4", "efer", "cpl", "retired"] as const) {
    if (a[name] !== b[name])
      return `${name}: bare ${(a[name] >>> 0).toString(16)}, under KVM ${(b[name] >>> 0).toString(16)}`;
  }
  for (let i = 0; i < 8; i++)
    if (a.regs[i] !== b.regs[i]) return `register ${i}: ${a.regs[i]} and ${b.regs[i]}`;
  for (const slot of memory ? [0, 1] : []) {
    const x = bare.slots.slots[slot]!;
    const y = other.slots.slots[slot]!;
    for (let i = 0; i < x.pages * 1024; i++) {
      const p = bare.memory.u32[x.hfn * 1024 + i]!;
      const q = other.memory.u32[y.hfn * 1024 + i]!;
      if (p !== q) {
        return `gpa ${(x.gfn * 4096 + i * 4).toString(16)}: bare ${p.toString(16)}, under KVM ${q.toString(16)}`;
      }
    }
  }
  if (bare.stop.reason !== other.stop.reason) return `stop: ${bare.stop.reason} and ${other.stop.reason}`;
  return null;
}
