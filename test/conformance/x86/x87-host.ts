/**
 * The host's x87 as an oracle: builds x87-run.c with gcc -m32 and passes cases through it; and our processor in its
 * place. The record layouts are those of the C file. A state is the 108 bytes of FSAVE.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostMemory } from "../../../core/memory/host-memory.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { Cpu } from "../../../core/x86/cpu.ts";
import { getEflags, setEflags } from "../../../core/x86/flags.ts";
import { FDP, FIP, FOP } from "../../../core/x86/fpu/state.ts";
import { type Insn, STOP } from "../../../core/x86/isa/insn.ts";

export const CODE = 0x2000_0000;
export const DATA = 0x2010_0000;
export const BYTES = 160;
export const IMAGE = 108;

const IN_SIZE = 4 + 16 + 8 + IMAGE + BYTES;
const OUT_SIZE = 12 + IMAGE + BYTES;
const CHUNK = 20_000;

export interface FpuCase {
  readonly code: readonly number[];
  readonly eax: number;
  readonly eflags: number;
  readonly image: Uint8Array;
  readonly data: Uint8Array;
}

export interface FpuOutcome {
  readonly eax: number;
  readonly eflags: number;
  /** A signal's number, 0 for none. */
  readonly signal: number;
  readonly image: Uint8Array;
  readonly data: Uint8Array;
}

export class FpuHost {
  private readonly program: string;

  /** @throws when there is no gcc that makes 32-bit programs, or they do not run here */
  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "quadrant-x87-"));
    this.program = join(folder, "x87-run");
    const source = join(import.meta.dirname, "x87-run.c");
    execFileSync("gcc", ["-m32", "-O1", "-no-pie", "-fno-pie", "-o", this.program, source], {
      stdio: "pipe",
    });
    execFileSync(this.program, [], { input: Buffer.alloc(0) });
  }

  run(cases: readonly FpuCase[]): FpuOutcome[] {
    const all: FpuOutcome[] = [];
    for (let i = 0; i < cases.length; i += CHUNK) all.push(...this.some(cases.slice(i, i + CHUNK)));
    return all;
  }

  private some(cases: readonly FpuCase[]): FpuOutcome[] {
    const input = Buffer.alloc(cases.length * IN_SIZE);
    cases.forEach((c, i) => {
      const at = i * IN_SIZE;
      input.writeUInt32LE(c.code.length, at);
      input.set(c.code, at + 4);
      input.writeInt32LE(c.eax, at + 20);
      input.writeInt32LE(c.eflags, at + 24);
      input.set(c.image, at + 28);
      input.set(c.data, at + 28 + IMAGE);
    });
    const output = execFileSync(this.program, [], { input, maxBuffer: cases.length * OUT_SIZE + 4096 });
    return cases.map((_, i) => {
      const at = i * OUT_SIZE;
      return {
        eax: output.readInt32LE(at),
        eflags: output.readInt32LE(at + 4),
        signal: output.readUInt32LE(at + 8),
        image: new Uint8Array(output.subarray(at + 12, at + 12 + IMAGE)),
        data: new Uint8Array(output.subarray(at + 12 + IMAGE, at + OUT_SIZE)),
      };
    });
  }
}

/** Null where the host cannot be an oracle (no gcc -m32, or another architecture). */
export function openFpuHost(): FpuHost | null {
  try {
    return new FpuHost();
  } catch {
    return null;
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Our processor in the place of the host program: one page of data, CPL 3, paging off, CR0.NE. */
export class OurFpu {
  readonly memory = new HostMemory(4);
  readonly cpu: Cpu;

  /** `Kind` may be a processor with another way to reach memory. */
  constructor(Kind: typeof Cpu = Cpu) {
    const bus = { frameOf: (pfn: number): number => (pfn === DATA >>> 12 ? 2 : -1) };
    this.cpu = new Kind(this.memory, bus, new Trace(64));
    this.cpu.cr0 |= 0x22; // NE, MP
    this.cpu.setCpl(3);
  }

  /** What FRSTOR does, without it. */
  private loadImage(image: Uint8Array): void {
    const fpu = this.cpu.fpu;
    const from = view(image);
    fpu.cw = 0;
    fpu.status = from.getUint16(4, true);
    fpu.tagWord = from.getUint16(8, true);
    fpu.setControl(from.getUint16(0, true));
    fpu.last.fill(0);
    for (let i = 0; i < 8; i++) {
      const at = 28 + 10 * i;
      const p = fpu.physical(i);
      fpu.lo[p] = from.getInt32(at, true);
      fpu.hi[p] = from.getInt32(at + 4, true);
      fpu.se[p] = from.getUint16(at + 8, true);
    }
  }

  /** What FNSAVE does, without it. */
  private save(): Uint8Array {
    const fpu = this.cpu.fpu;
    const image = new Uint8Array(IMAGE);
    const to = view(image);
    to.setUint16(0, fpu.cw, true);
    to.setUint16(4, fpu.status, true);
    to.setUint16(8, fpu.tagWord, true);
    to.setInt32(12, fpu.last[FIP]!, true);
    to.setUint16(18, fpu.last[FOP]!, true);
    to.setInt32(20, fpu.last[FDP]!, true);
    for (let i = 0; i < 8; i++) {
      const at = 28 + 10 * i;
      const p = fpu.physical(i);
      to.setInt32(at, fpu.lo[p]!, true);
      to.setInt32(at + 4, fpu.hi[p]!, true);
      to.setUint16(at + 8, fpu.se[p]!, true);
    }
    return image;
  }

  /** The compared bytes of the data page. */
  data(): Uint8Array {
    return this.memory.bytes.subarray(2 * 4096, 2 * 4096 + BYTES);
  }

  /** Puts a case's state in place. */
  load(c: FpuCase): void {
    const cpu = this.cpu;
    this.data().set(c.data);
    this.loadImage(c.image);
    cpu.regs[0] = c.eax;
    setEflags(cpu, c.eflags);
    cpu.faulted = false;
    cpu.stopCode = -1;
  }

  run(c: FpuCase, insn: Insn): FpuOutcome {
    const cpu = this.cpu;
    this.load(c);
    cpu.eip = CODE + insn.length;
    const answer = insn.exec(cpu, insn);
    const signal = answer !== STOP ? 0 : cpu.excVector === 16 ? 8 : cpu.excVector === 6 ? 4 : 11;
    return {
      eax: cpu.regs[0]!,
      eflags: getEflags(cpu),
      signal,
      image: this.save(),
      data: this.data().slice(),
    };
  }
}
