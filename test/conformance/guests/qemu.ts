/**
 * Runs a multiboot image in qemu (software emulation) and collects what it writes to COM1 until its last line.
 * qemu-system-x86_64, not -i386: the 32-bit build cuts physical addresses of page tables to 32 bits.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const QEMU = "qemu-system-x86_64";

export const hasQemu = (): boolean => spawnSync(QEMU, ["--version"], { stdio: "ignore" }).status === 0;

/** A range of guest-physical memory to be read when the guest has come to its end. */
export interface Dump {
  readonly gpa: number;
  readonly length: number;
}

export interface QemuRun {
  /** Everything up to and with the line that begins with "end:". */
  readonly text: string;
  readonly memory: Uint8Array;
}

/** @param memory as qemu's -m wants it. @returns what `QemuRun.text` says. */
export async function runInQemu(image: Uint8Array, memory: string): Promise<string> {
  return (await runAndDump(image, memory, { gpa: 0, length: 0 })).text;
}

/** Asks the monitor to stop the machine and to write memory into a file. */
async function dumpMemory(socket: string, file: string, { gpa, length }: Dump): Promise<Uint8Array> {
  const monitor = connect(socket);
  try {
    monitor.on("data", () => {});
    monitor.write(`stop\npmemsave ${gpa} ${length} "${file}"\n`);
    for (let i = 0; i < 600; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === length) return readFileSync(file);
    }
    throw new Error("qemu's monitor did not write the memory");
  } finally {
    monitor.destroy();
  }
}

/** As `runInQemu`, and reads a range of memory at the end. */
export async function runAndDump(image: Uint8Array, memory: string, dump: Dump): Promise<QemuRun> {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-qemu-"));
  const file = join(dir, "kernel");
  writeFileSync(file, image);
  const args = ["-accel", "tcg", "-cpu", "max", "-m", memory, "-kernel", file];
  const socket = join(dir, "monitor");
  args.push("-serial", "stdio", "-display", "none", "-no-reboot", "-nodefaults");
  args.push("-monitor", dump.length > 0 ? `unix:${socket},server,nowait` : "none");
  const child = spawn(QEMU, args, { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const text = await new Promise<string>((resolve, reject) => {
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
    const bytes = dump.length > 0 ? await dumpMemory(socket, join(dir, "memory"), dump) : new Uint8Array(0);
    return { text, memory: bytes };
  } finally {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}
