/**
 * The host processor as an oracle: builds host-run.c with gcc -m32 and passes cases through it.
 * The record layouts are those of the C file.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const CODE = 0x2000_0000;
export const LANDING = CODE + 0x40;
export const DATA = 0x2010_0000;
export const LOW = 0x9000;
export const STACK = 0x2020_0000;
/** Offset of the compared window of BYTES bytes in the data and stack pages. */
export const WINDOW = 0x800;
export const BYTES = 128;

const IN_SIZE = 4 + 16 + 32 + 4 + 4 + 2 * BYTES + 4;
const OUT_SIZE = 32 + 12 + 2 * BYTES;

export interface Case {
  readonly code: readonly number[];
  readonly regs: Int32Array;
  readonly eflags: number;
  readonly dataPage: number;
  readonly data: Uint8Array;
  readonly stack: Uint8Array;
  /** It runs in a 16-bit code segment whose base is CODE. */
  readonly small: boolean;
}

export interface Outcome {
  regs: Int32Array;
  eflags: number;
  /** True when the way out was LANDING. */
  landed: boolean;
  /** A signal's number, 0 for none. */
  signal: number;
  data: Uint8Array;
  stack: Uint8Array;
}

export class Host {
  private readonly program: string;
  /** Data can lie below 64 KiB, within reach of 16-bit addresses. */
  readonly low: boolean;
  /** The kernel lets programs have 16-bit code segments. */
  readonly small: boolean;

  /** @throws when there is no gcc that makes 32-bit programs, or they do not run here */
  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "quadrant-host-"));
    this.program = join(folder, "host-run");
    const source = join(import.meta.dirname, "host-run.c");
    execFileSync("gcc", ["-m32", "-O1", "-no-pie", "-fno-pie", "-o", this.program, source], {
      stdio: "pipe",
    });
    const can = execFileSync(this.program, ["probe"], { encoding: "utf8" }).trim().split(" ");
    this.low = can.includes("low");
    this.small = can.includes("small");
  }

  run(cases: readonly Case[]): Outcome[] {
    const input = Buffer.alloc(cases.length * IN_SIZE);
    cases.forEach((c, i) => {
      let at = i * IN_SIZE;
      input.writeUInt32LE(c.code.length, at);
      input.set(c.code, at + 4);
      at += 20;
      for (let n = 0; n < 8; n++) input.writeInt32LE(c.regs[n], at + 4 * n);
      input.writeInt32LE(c.eflags, at + 32);
      input.writeUInt32LE(c.dataPage, at + 36);
      input.set(c.data, at + 40);
      input.set(c.stack, at + 40 + BYTES);
      input.writeUInt32LE(c.small ? 1 : 0, at + 40 + 2 * BYTES);
    });
    const output = execFileSync(this.program, [], { input, maxBuffer: cases.length * OUT_SIZE + 4096 });
    return cases.map((_, i) => {
      const at = i * OUT_SIZE;
      return {
        regs: Int32Array.from({ length: 8 }, (_, n) => output.readInt32LE(at + 4 * n)),
        eflags: output.readInt32LE(at + 32),
        landed: output.readUInt32LE(at + 36) === 1,
        signal: output.readUInt32LE(at + 40),
        data: new Uint8Array(output.subarray(at + 44, at + 44 + BYTES)),
        stack: new Uint8Array(output.subarray(at + 44 + BYTES, at + 44 + 2 * BYTES)),
      };
    });
  }
}

/** Null where the host cannot be an oracle (no gcc -m32, or another architecture). */
export function openHost(): Host | null {
  try {
    return new Host();
  } catch {
    return null;
  }
}
