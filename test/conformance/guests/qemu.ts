/**
 * Runs a multiboot image in qemu (software emulation) and collects what it writes to COM1 until its last line.
 * qemu-system-x86_64, not -i386: the 32-bit build cuts physical addresses of page tables to 32 bits.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const QEMU = "qemu-system-x86_64";

export const hasQemu = (): boolean => spawnSync(QEMU, ["--version"], { stdio: "ignore" }).status === 0;

/** @param memory as qemu's -m wants it. @returns everything up to and with the line that begins with "end:". */
export async function runInQemu(image: Uint8Array, memory: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-qemu-"));
  const file = join(dir, "kernel");
  writeFileSync(file, image);
  const args = ["-accel", "tcg", "-cpu", "max", "-m", memory, "-kernel", file];
  args.push("-serial", "stdio", "-display", "none", "-monitor", "none", "-no-reboot", "-nodefaults");
  const child = spawn(QEMU, args, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    return await new Promise<string>((resolve, reject) => {
      let text = "";
      let errors = "";
      const timer = setTimeout(
        () => reject(new Error(`qemu did not come to the end: ${text}${errors}`)),
        90_000,
      );
      const settle = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      child.stdout.setEncoding("latin1");
      child.stderr.setEncoding("latin1");
      child.stderr.on("data", (data: string) => {
        errors += data;
      });
      child.stdout.on("data", (data: string) => {
        text += data;
        if (/^end: .*\n/m.test(text)) settle(() => resolve(text));
      });
      child.on("error", (error) => settle(() => reject(error)));
      child.on("exit", (code) =>
        settle(() => reject(new Error(`qemu ended with ${code}: ${text}${errors}`))),
      );
    });
  } finally {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}
