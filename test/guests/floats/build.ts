/**
 * Builds the floating-point program twice with gcc -m32 -mfpmath=387: as a kernel, and as a program of the host, from
 * the same object code. Input for tests only: nothing of it is shipped.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const kernel = join(here, "../ckernel");
const COMMON =
  "-m32 -march=i686 -O2 -std=gnu11 -fno-pic -fno-pie -fno-stack-protector -mno-sse -mno-mmx -Wall -Wextra";
const FREE = "-ffreestanding -nostdlib -static -fno-asynchronous-unwind-tables -Werror";
/** Square roots as one instruction; results kept in registers as they are. */
const FLOATS = "-mfpmath=387 -m80387 -fno-math-errno -ffp-contract=off -fexcess-precision=fast";

export interface FloatPrograms {
  /** The kernel's ELF file. */
  readonly kernel: Uint8Array;
  /** What the host's program printed. */
  readonly expected: string;
}

/** @throws with the tool's words when it does not build or run. */
export function buildFloats(): FloatPrograms {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-floats-"));
  try {
    const run = (program: string, args: string[]): string =>
      execFileSync(program, args, {
        cwd: here,
        stdio: ["ignore", "pipe", "pipe"],
        encoding: "utf8",
        timeout: 60_000,
      });
    const gcc = (flags: string, from: string, to: string): string => {
      run("gcc", [...flags.split(" "), "-c", from, "-o", join(dir, to)]);
      return join(dir, to);
    };
    const floats = gcc(`${COMMON} ${FREE} ${FLOATS}`, "floats.c", "floats.o");
    const objects = [
      join(dir, "entry.o"),
      gcc(`${COMMON} ${FREE} -mno-80387`, "kernel.c", "kernel.o"),
      gcc(`${COMMON} ${FREE} -mno-80387`, join(kernel, "console.c"), "console.o"),
      gcc(`${COMMON} ${FREE} -mno-80387`, join(kernel, "paging.c"), "paging.o"),
      floats,
    ];
    run("nasm", ["-f", "elf32", "-o", objects[0]!, join(kernel, "entry.asm")]);
    const elf = join(dir, "floats.elf");
    const link = `-m32 -nostdlib -static -no-pie -Wl,-T,${join(kernel, "link.ld")},--build-id=none,-z,noexecstack`;
    run("gcc", [...link.split(" "), "-o", elf, ...objects]);
    const program = join(dir, "floats");
    run("gcc", ["-m32", "-no-pie", "-o", program, gcc(COMMON, "host.c", "host.o"), floats]);
    return { kernel: new Uint8Array(readFileSync(elf)), expected: run(program, []) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
