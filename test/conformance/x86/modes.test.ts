/**
 * Every mode and gate beside qemu-system-i386, instruction by instruction: modes/*.asm is stepped in both, and all
 * registers are compared after each step. Then the same kernels under every policy of the shadow MMU.
 *
 * DISAGREEMENTS, settled by the manual and kept out of the kernels; test/unit/x86 tests what ours does instead:
 * - qemu 7.2 does not push RF set for faults (SDM vol. 3, 17.3.1.1);
 * - it does not set the accessed bit of CS and of stacks that gates load (3.4.5.1);
 * - it looks at neither limits nor types of segments when memory is accessed (5.3, 5.5);
 * - a call gate of DPL 3 to conforming code makes its caller level 0, where CPL stays (vol. 2, CALL);
 * - a 16-bit interrupt gate jumps by a 32-bit offset (6.11);
 * - ENTER with a 32-bit operand on a 16-bit stack wraps EBP at 32 bits (vol. 2, ENTER);
 * - a fault in the new task of a task switch saves the old task's EIP when it is handled by a task in turn (7.3);
 * - INT1 leaves to the debugger (vol. 2, INT n).
 */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { POLICY_IDS } from "../../../core/machine/setup.ts";
import { type MachineRun, runMachine } from "../guests/machine.ts";
import { assemble, Beside, different, kernel, markers } from "./modes.ts";
import { hasQemuI386, QemuStepper } from "./qemu-step.ts";

/** Stepped beside qemu. */
const STEPPED = ["modes"];
/** They check themselves: qemu does not look at limits. */
const CHECKING = ["limits", "pae"];
const KERNELS = [...STEPPED, ...CHECKING];
/** The log of exceptions (frame.inc). */
const LOG = 0x34000;
const LOG_BYTES = 0x2000;
/** An interrupt that the kernels' handlers only log. */
const IRQ = 0x37;
const MEMORY = 32 << 20;
const hasNasm = spawnSync("nasm", ["-v"], { stdio: "ignore" }).status === 0;

if (!hasQemuI386())
  console.warn("SKIPPED: qemu-system-i386 is not installed, modes are not compared with it");

describe.skipIf(!hasNasm)("nasm makes the committed bytes", () => {
  it.each(KERNELS)("%s", (name) => {
    expect(Buffer.compare(assemble(name), kernel(name))).toBe(0);
  });
});

/** Counters of a kernel that checks itself (limits.asm). */
const FAILURES = LOG + 0x1000;
const CHECKS = LOG + 0x1004;

describe("kernels that check themselves", () => {
  const run = (image: Uint8Array): { failures: number; checks: number } => {
    const ours = new Beside(image);
    ours.runTo(markers(image).finished);
    const { view } = ours.memory;
    return { failures: view.getUint32(FAILURES, true), checks: view.getUint32(CHECKS, true) };
  };

  it.each(CHECKING)("%s finds nothing wrong", (name) => {
    const { failures, checks } = run(kernel(name));
    expect(failures).toBe(0);
    expect(checks).toBeGreaterThan(10);
  });

  it("limits would find a limit that is one byte longer", () => {
    const image = kernel("limits");
    // The first descriptor of limit 0xfff, byte granular, level 3, base 0x50000.
    const at = Buffer.from(image).indexOf(Buffer.from([0xff, 0x0f, 0, 0, 5, 0xf3, 0x40, 0]));
    expect(at).toBeGreaterThan(0);
    image[at] = 0;
    image[at + 1] = 0x10;
    expect(run(image).failures).toBeGreaterThan(3);
  });
});

describe.skipIf(!hasQemuI386())("beside qemu-system-i386", () => {
  it.each(STEPPED)(
    "%s: the same registers after each instruction",
    async (name) => {
      const image = kernel(name);
      const { walk, finished } = markers(image);
      const ours = new Beside(image);
      ours.runTo(walk);
      const qemu = await QemuStepper.start(image, walk);
      try {
        let steps = 0;
        let last: readonly number[] = [];
        for (;;) {
          let theirs = await qemu.registers();
          // The stub now and then stops without having run anything.
          while (theirs.every((v, i) => v === last[i])) {
            await qemu.step();
            theirs = await qemu.registers();
          }
          last = theirs;
          const from = ours.where;
          let found = different(ours.registers, theirs);
          const first = found;
          // An exception in a new task is a unit of its own here, and one with the switch there.
          for (let i = 0; i < 2 && found.length > 0; i++) {
            ours.step();
            found = different(ours.registers, theirs);
          }
          if (found.length > 0) throw new Error(`step ${steps}, at ${from}: ${first.join("; ")}`);
          if (theirs[8] === finished) break;
          await qemu.step();
          ours.step();
          steps++;
        }
        expect(steps).toBeGreaterThan(1000);
        const log = Buffer.from(await qemu.memory(LOG, LOG_BYTES));
        expect(log.readUInt32LE(0)).toBeGreaterThan(0);
        expect(log.equals(ours.memory.bytes.subarray(LOG, LOG + LOG_BYTES))).toBe(true);
      } finally {
        qemu.close();
      }
    },
    120_000,
  );
});

describe.each(KERNELS)("%s under every policy", (name) => {
  let bare: MachineRun | null = null;
  const reference = (): MachineRun => {
    bare ??= runMachine(kernel(name), "multiboot", { memory: MEMORY, policy: "none" }, 200_000);
    return bare;
  };
  /** As `runMachine`, with an external interrupt every 97 units. */
  const interrupted = (policy: string): Uint8Array => {
    const { machine } = runMachine(kernel(name), "multiboot", { memory: MEMORY, policy }, 0);
    for (let i = 0; i < 1500 && !machine.over && machine.stop.reason !== "hlt"; i++) {
      machine.run(97);
      machine.input({ kind: "interrupt", vector: IRQ });
    }
    expect(machine.stop.reason).toBe("hlt");
    const { hfn } = machine.slots.slots[0]!;
    return machine.memory.bytes.slice(hfn * 4096 + LOG, hfn * 4096 + LOG + LOG_BYTES);
  };
  // Limits runs at level 3 with interrupts off: none would come.
  it.each(name === "limits" ? [] : ["P", "B", "C"])(
    "%s: as on the bare machine, with external interrupts",
    (policy) => {
      const bare = interrupted("none");
      expect(Buffer.compare(interrupted(policy), bare)).toBe(0);
      expect(bare.some((byte) => byte === IRQ)).toBe(true);
    },
  );

  // Segments know nothing of paging: for limits a few policies do.
  const ids = name === "limits" ? ["none", "B", "nested"] : POLICY_IDS;
  const policies = ids.flatMap((policy) =>
    (["vmx", "svm"] as const)
      .filter((tlb) => tlb === "vmx" || policy === "B" || policy === "F")
      .map((tlb) => [policy, tlb] as const),
  );

  it.each(policies)("%s (%s): as on the bare machine", (policy, tlb) => {
    const run = runMachine(kernel(name), "multiboot", { memory: MEMORY, policy, tlb }, 200_000);
    expect(run.stop).toBe("hlt: halted with interrupts off");
    expect(run.stop).toBe(reference().stop);
    expect(run.violations).toEqual([]);
    expect(Buffer.compare(run.memory, reference().memory)).toBe(0);
    expect(run.machine.instructions).toBe(reference().machine.instructions);
    expect([...run.machine.cpu.regs]).toEqual([...reference().machine.cpu.regs]);
    expect([...run.machine.cpu.segSelector]).toEqual([...reference().machine.cpu.segSelector]);
  });
});
