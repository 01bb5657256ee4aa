/**
 * Builds the C test kernel with gcc -m32, nasm and ld. Input for tests only: nothing of it is shipped.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const SOURCES = ["main.c", "console.c", "paging.c", "algorithms.c"];
const CFLAGS = [
  "-m32 -march=i686 -O2 -std=gnu11 -ffreestanding -nostdlib -static -fno-pic -fno-pie -fno-stack-protector",
  "-fno-asynchronous-unwind-tables -mno-sse -mno-mmx -mno-80387 -Wall -Wextra -Werror",
]
  .join(" ")
  .split(" ");

/** True when nasm is there and gcc can make 32-bit freestanding code. */
export function canBuildCKernel(): boolean {
  if (spawnSync("nasm", ["-v"], { stdio: "ignore" }).status !== 0) return false;
  const dir = mkdtempSync(join(tmpdir(), "quadrant-gcc-"));
  try {
    const source = join(dir, "a.c");
    writeFileSync(source, "int a(int b) { return b / 3; }\n");
    return (
      spawnSync("gcc", [...CFLAGS, "-c", source, "-o", join(dir, "a.o")], { stdio: "ignore" }).status === 0
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * @param more further options of gcc, behind the others
 * @returns the ELF file. @throws with gcc's words when it does not build.
 */
export function buildCKernel(more: readonly string[] = []): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-ckernel-"));
  try {
    const run = (program: string, args: string[]) =>
      execFileSync(program, args, { cwd: here, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
    const objects = [join(dir, "entry.o")];
    run("nasm", ["-f", "elf32", "-o", objects[0]!, "entry.asm"]);
    for (const source of SOURCES) {
      const object = join(dir, source.replace(/c$/, "o"));
      run("gcc", [...CFLAGS, ...more, "-c", source, "-o", object]);
      objects.push(object);
    }
    const out = join(dir, "ckernel.elf");
    run("gcc", [...CFLAGS, ...more, "-Wl,-T,link.ld,--build-id=none,-z,noexecstack", "-o", out, ...objects]);
    return new Uint8Array(readFileSync(out));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
