/**
 * A processor that nobody here wrote, one instruction at a time: qemu-system-i386 under software emulation, through
 * its gdb stub. It is started with a multiboot image and run to a linear address; then each `step` answers the registers.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const QEMU = "qemu-system-i386";
export const hasQemuI386 = (): boolean => spawnSync(QEMU, ["--version"], { stdio: "ignore" }).status === 0;

/** Order of the stub's registers (gdb's i386 layout). */
export const REGISTERS = [
  "eax",
  "ecx",
  "edx",
  "ebx",
  "esp",
  "ebp",
  "esi",
  "edi",
  "eip",
  "eflags",
  "cs",
  "ss",
  "ds",
  "es",
  "fs",
  "gs",
] as const;

/** Values in the order of REGISTERS, unsigned. */
export type Registers = readonly number[];

export class QemuStepper {
  private readonly child: ChildProcess;
  private readonly dir: string;
  private socket: Socket | null = null;
  private received = "";
  private waiting: ((packet: string) => void) | null = null;
  private failed: ((error: Error) => void) | null = null;
  private errors = "";

  private constructor(image: Uint8Array, cpu: string) {
    this.dir = mkdtempSync(join(tmpdir(), "quadrant-step-"));
    const file = join(this.dir, "kernel");
    writeFileSync(file, image);
    const stub = `socket,id=stub,path=${join(this.dir, "stub")},server=on,wait=off`;
    const args = [
      "-accel",
      "tcg",
      "-cpu",
      cpu,
      "-m",
      "32M",
      "-kernel",
      file,
      "-display",
      "none",
      "-nodefaults",
    ];
    args.push("-no-reboot", "-monitor", "none", "-chardev", stub, "-gdb", "chardev:stub", "-S");
    this.child = spawn(QEMU, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.child.stderr?.setEncoding("latin1");
    this.child.stderr?.on("data", (text: string) => {
      this.errors += text;
    });
    this.child.on("exit", (code) => this.failed?.(new Error(`qemu ended with ${code}: ${this.errors}`)));
  }

  /** Runs an image to the instruction at a linear address. @throws when qemu does not come there */
  static async start(image: Uint8Array, at: number, cpu = "pentium3"): Promise<QemuStepper> {
    const stepper = new QemuStepper(image, cpu);
    try {
      await stepper.connect();
      await stepper.ask("?");
      await stepper.ask(`Z1,${at.toString(16)},1`);
      await stepper.ask("c");
      await stepper.ask(`z1,${at.toString(16)},1`);
      return stepper;
    } catch (error) {
      stepper.close();
      throw error;
    }
  }

  private async connect(): Promise<void> {
    for (let i = 0; ; i++) {
      try {
        await new Promise<void>((resolve, reject) => {
          const socket = connect(join(this.dir, "stub"));
          socket.once("connect", () => {
            this.socket = socket;
            resolve();
          });
          socket.once("error", reject);
        });
        break;
      } catch (error) {
        if (i >= 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    this.socket?.setEncoding("latin1");
    this.socket?.on("data", (text: string) => this.take(text));
  }

  private take(text: string): void {
    this.received += text;
    for (;;) {
      const packet = /^\+*\$([^#]*)#../.exec(this.received);
      if (packet === null) return;
      this.received = this.received.slice(packet[0].length);
      this.socket?.write("+");
      const waiting = this.waiting;
      this.waiting = null;
      waiting?.(packet[1]!);
    }
  }

  private ask(command: string): Promise<string> {
    let sum = 0;
    for (const c of command) sum = (sum + c.charCodeAt(0)) & 0xff;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${command} ${this.errors}`)), 20_000);
      this.failed = reject;
      this.waiting = (packet) => {
        clearTimeout(timer);
        resolve(packet);
      };
      this.socket?.write(`$${command}#${sum.toString(16).padStart(2, "0")}`);
    });
  }

  async registers(): Promise<Registers> {
    const bytes = Buffer.from(await this.ask("g"), "hex");
    return REGISTERS.map((_, i) => bytes.readUInt32LE(i * 4));
  }

  /** One instruction, or one delivery of an exception. */
  async step(): Promise<void> {
    await this.ask("s");
  }

  /** Guest memory at linear addresses. */
  async memory(at: number, length: number): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    for (let done = 0; done < length; done += 0x400) {
      const size = Math.min(0x400, length - done);
      parts.push(Buffer.from(await this.ask(`m${(at + done).toString(16)},${size.toString(16)}`), "hex"));
    }
    return Buffer.concat(parts);
  }

  close(): void {
    this.child.removeAllListeners("exit");
    this.socket?.destroy();
    this.child.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}
