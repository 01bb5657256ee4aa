/**
 * Starts a PC in qemu from a disk or floppy image, under a firmware of ours or qemu's own (SeaBIOS), and collects what the
 * image writes to the debug console (port E9) and to COM1 until it ends the machine by port F4, or shows a wanted text.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const QEMU = "qemu-system-i386";

export const hasPcQemu = (): boolean => spawnSync(QEMU, ["--version"], { stdio: "ignore" }).status === 0;

export interface PcRun {
  /** The ROM in place of qemu's own, or null. */
  readonly firmware: Uint8Array | null;
  readonly image: Uint8Array;
  readonly floppy?: boolean;
  /** MiB. */
  readonly memory: number;
  readonly cpu?: string;
  /** The image resets the machine and goes on; otherwise a reset ends it. */
  readonly reboots?: boolean;
  readonly more?: readonly string[];
}

export interface PcOutput {
  readonly console: string;
  readonly serial: string;
  /** qemu's exit status: (value written to F4) * 2 + 1. */
  readonly status: number | null;
}

/** @throws Error when the machine does not come to its end within a minute and a half. */
export function runPc(run: PcRun): PcOutput {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-pc-"));
  try {
    const file = (name: string): string => join(dir, name);
    writeFileSync(file("disk"), run.image);
    const args = ["-M", "pc", "-accel", "tcg", "-cpu", run.cpu ?? "pentium2", "-m", `${run.memory}`];
    args.push("-nodefaults", "-vga", "std", "-display", "none", "-rtc", "base=2007-05-01T16:44:00");
    args.push("-drive", `file=${file("disk")},format=raw,if=${run.floppy === true ? "floppy" : "ide"}`);
    args.push("-serial", `file:${file("serial")}`, "-serial", "null", "-debugcon", `file:${file("console")}`);
    args.push("-device", "isa-debug-exit,iobase=0xf4,iosize=1", ...(run.more ?? []));
    if (run.reboots !== true) args.push("-no-reboot");
    if (run.firmware !== null) {
      writeFileSync(file("bios"), run.firmware);
      args.push("-bios", file("bios"));
    }
    const child = spawnSync(QEMU, args, { stdio: ["ignore", "ignore", "pipe"], timeout: 90_000 });
    if (child.error !== undefined) throw new Error(`qemu: ${child.error.message} ${child.stderr.toString()}`);
    return {
      console: readFileSync(file("console"), "latin1"),
      serial: readFileSync(file("serial"), "latin1"),
      status: child.status,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Assembles a flat image with nasm. @throws Error with nasm's message */
export function assemble(directory: string, source: string): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), "quadrant-asm-"));
  try {
    const out = join(dir, "image");
    execFileSync("nasm", ["-f", "bin", "-w+error", "-o", out, source], {
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    return new Uint8Array(readFileSync(out));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
