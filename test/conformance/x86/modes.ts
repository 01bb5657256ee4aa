/**
 * The kernels of modes/: their committed bytes, and our bare processor with one of them in its memory, in the place of
 * qemu: at the image's entry, paging off.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostMemory } from "../../../core/memory/host-memory.ts";
import { MemorySlots } from "../../../core/memory/slots.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { GuestBus } from "../../../core/x86/bus.ts";
import { Cpu } from "../../../core/x86/cpu.ts";
import { RUN_FAULTED, RUN_RETIRED, STEP_NORMAL } from "../../../core/x86/door.ts";
import { FLAG_RF } from "../../../core/x86/flags.ts";
import { REGISTERS, type Registers } from "./qemu-step.ts";

const PAGES = 8192;
const EFLAGS = REGISTERS.indexOf("eflags");
const folder = join(import.meta.dirname, "modes");

/** Bytes of modes/NAME.bin. Assembled anew by `assemble`, which a test compares. */
export function kernel(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, `${name}.bin`)));
}

/** What nasm makes of modes/NAME.asm. @throws where nasm is not installed */
export function assemble(name: string): Uint8Array {
  const out = mkdtempSync(join(tmpdir(), "quadrant-modes-"));
  try {
    const file = join(out, "kernel.bin");
    execFileSync("nasm", ["-f", "bin", `${name}.asm`, "-o", file], { cwd: folder });
    return new Uint8Array(readFileSync(file));
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** Where a kernel says that the comparison begins and ends (frame.inc). */
export function markers(image: Uint8Array): { walk: number; finished: number } {
  const view = new DataView(image.buffer, image.byteOffset);
  return { walk: view.getUint32(32, true), finished: view.getUint32(36, true) };
}

export class Beside {
  readonly memory = new HostMemory(PAGES);
  readonly cpu: Cpu;

  constructor(image: Uint8Array) {
    const slots = new MemorySlots([{ gfn: 0, pages: PAGES, hfn: 0 }]);
    const trace = new Trace(64);
    trace.on = false;
    this.cpu = new Cpu(this.memory, new GuestBus(slots), trace);
    const header = new DataView(image.buffer, image.byteOffset);
    this.memory.bytes.set(image, header.getUint32(16, true));
    this.cpu.eip = header.getUint32(28, true);
  }

  /** Runs to the instruction at EIP. @throws when it does not come there */
  runTo(eip: number): void {
    this.cpu.setBreakpoints([eip]);
    const answer = this.cpu.run(1_000_000);
    this.cpu.setBreakpoints([]);
    if (this.cpu.eip !== eip) throw new Error(`the processor answered ${answer} at ${this.where}`);
  }

  /** One unit: an instruction or a delivery. */
  step(): void {
    const answer = this.cpu.step(STEP_NORMAL);
    if (answer === RUN_RETIRED || answer === RUN_FAULTED) return;
    throw new Error(`the processor answered ${answer} ${this.cpu.unimplemented} at ${this.where}`);
  }

  get registers(): Registers {
    const { cpu } = this;
    const general = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => cpu.regs[n]! >>> 0);
    const segments = [1, 2, 3, 0, 4, 5].map((n) => cpu.segSelector[n]!);
    return [...general, cpu.eip >>> 0, cpu.eflags >>> 0, ...segments];
  }

  get where(): string {
    return `${this.cpu.segSelector[1]!.toString(16)}:${(this.cpu.eip >>> 0).toString(16)}`;
  }
}

/** Names and values of the registers that differ; RF is not compared (DISAGREEMENTS in modes.test.ts). */
export function different(ours: Registers, theirs: Registers): string[] {
  return REGISTERS.flatMap((name, i) => {
    const apart = i === EFLAGS ? (ours[i]! ^ theirs[i]!) & ~FLAG_RF : ours[i]! ^ theirs[i]!;
    return apart === 0 ? [] : [`${name} ${ours[i]!.toString(16)}, in qemu ${theirs[i]!.toString(16)}`];
  });
}
