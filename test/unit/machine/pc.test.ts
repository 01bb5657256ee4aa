/** The PC: its devices wired to the machine, the same run however it is cut, under every policy, and from a snapshot. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasNasm } from "../../../build/guests.mjs";
import { openImage } from "../../../core/images/index.ts";
import { devicesOf } from "../../../core/lab/views/devices.ts";
import { Machine } from "../../../core/machine/machine.ts";
import type { MachineSetup } from "../../../core/machine/setup.ts";
import {
  replay,
  restoreSnapshot,
  snapshotFromBytes,
  snapshotToBytes,
  takeSnapshot,
} from "../../../core/machine/snapshot.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { SETUP } from "./boot.ts";
import { PC_PROGRAM } from "./pc-program.ts";

const PROGRAM = Uint8Array.from(Buffer.from(PC_PROGRAM, "base64"));
const DISK = Uint8Array.from({ length: 8 * 512 }, (_, i) => (i * 7) & 0xff);
const ROM = new Uint8Array(0x10000).fill(0xf4);

function bootPc(changes: Partial<MachineSetup> = {}, code: Uint8Array = PROGRAM, start?: "reset"): Machine {
  const setup: MachineSetup = { ...SETUP, machine: "pc", audit: "off", ...changes };
  const opened = openImage(code, "flat", { memory: setup.memory, memoryHigh: 0 });
  if (!opened.ok) throw new Error(opened.error);
  const trace = new Trace(1 << 12);
  trace.on = false;
  return Machine.boot(setup, { ...opened.image, disks: [DISK], rom: ROM, start }, trace);
}

const word = (machine: Machine, gpa: number): number => {
  const hfn = machine.slots.hfnOf(gpa >>> 12);
  return machine.memory.view.getUint32(hfn * 4096 + (gpa & 0xfff), true);
};

/** What and when: pairs of words. */
const logOf = (machine: Machine): [number, number][] =>
  Array.from({ length: 8 }, (_, i) => [word(machine, 0x200000 + i * 8), word(machine, 0x200004 + i * 8)]);

function whole(machine: Machine, slice = 10_000_000): Machine {
  for (let i = 0; i < 2_000_000 && machine.time < 3_000_000 && machine.run(slice); i++);
  return machine;
}

/** All that the guest could see. */
const seen = (machine: Machine) => ({
  log: logOf(machine),
  text: Buffer.from(machine.serial.output()).toString(),
  retired: machine.instructions,
  time: machine.time,
  disk: machine.pc?.board.disks[0]?.merged(),
  regs: [...machine.cpu.regs.subarray(0, 8)],
  stop: machine.stop,
});

const reference = seen(whole(bootPc({ policy: "none" })));

describe("the PC", () => {
  it("takes the timer's, the disk's and the local APIC's interrupts, each when it is due", () => {
    const { log, text, stop, disk } = reference;
    expect(text).toBe("done\n");
    expect(stop).toEqual({ reason: "debug-exit", detail: "the guest wrote 33 to port 0xf4" });
    expect(log.map(([what]) => what)).toEqual([1, 1, 1, 1, 1, 2, 2, 3]);
    // The timer's period is 1193 ticks of 1.193182 MHz: 99 985 units and a fraction.
    const ticks = log.slice(0, 5).map(([, when]) => when);
    for (let i = 1; i < 5; i++) expect(Math.abs(ticks[i]! - ticks[i - 1]! - 99_985)).toBeLessThan(90);
    expect([...disk!.subarray(1024, 1536)]).toEqual(
      Array.from({ length: 512 }, (_, i) => {
        const at = 512 + (i & ~1);
        const value = (DISK[at]! | (DISK[at + 1]! << 8)) + 1;
        return (value >> (8 * (i & 1))) & 0xff;
      }),
    );
  });

  it.each(["A", "P", "B", "C", "E2", "E3", "F", "nested"])("gives the guest the same under %s", (policy) => {
    expect(seen(whole(bootPc({ policy })))).toEqual(reference);
  });

  it.each([1, 97, 4999])("is the same when run in slices of %i units", (slice) => {
    // The timer's part is a long way of single units: the slices begin small only behind it.
    const machine = bootPc({ policy: "B" });
    machine.run(slice === 1 ? 500_000 : 1);
    expect(seen(whole(machine, slice))).toEqual(reference);
  });

  it("audited at every boundary, it is the same and clean", () => {
    const machine = whole(bootPc({ policy: "B", audit: "every", findings: "stop" }));
    expect(seen(machine)).toEqual(reference);
    expect(machine.audit().violations).toEqual([]);
  });

  it("a snapshot keeps the debug console, and what was written to the debug-exit port", () => {
    // mov al, 'x'; out e9, al; mov al, 5; out f4, al; out e9, al
    const code = Uint8Array.of(0xb0, 0x78, 0xe6, 0xe9, 0xb0, 0x05, 0xe6, 0xf4, 0xe6, 0xe9, 0xf4);
    const machine = bootPc({ policy: "B" }, code);
    machine.run(100);
    expect(machine.stop.reason).toBe("debug-exit");
    const other = restoreSnapshot(snapshotFromBytes(snapshotToBytes(takeSnapshot(machine))));
    expect([...other.pc!.debugOutput]).toEqual([0x78]);
    expect(other.pc!.exited).toBe(5);
    for (const one of [machine, other]) one.run(100);
    expect(other.pc!.debugOutput).toEqual(machine.pc!.debugOutput);
    const told = devicesOf(other, new Set(["diagnostics"])).devices!.find(({ id }) => id === "diagnostics")!;
    expect(told.parts[0]!.registers.find(({ name }) => name === "Debug exit (F4)")).toMatchObject({
      value: 5,
    });
  });

  it.each(["none", "B"])("a person may take it to real mode and back, as MOV to CR0 does (%s)", (policy) => {
    const machine = bootPc({ policy }, Uint8Array.of(0xf4));
    const cr0 = (value: number) => machine.input({ kind: "control", register: "cr0", value });
    expect(cr0(0x10)).toMatchObject({ ok: true });
    expect(machine.cpu.cr0 & 1).toBe(0);
    expect(cr0(0x11)).toMatchObject({ ok: true });
    expect(machine.cpu.cr0 & 1).toBe(1);
    expect(cr0(0x8000_0010)).toMatchObject({ ok: false, fault: { vector: 13 } });
  });

  it.each([100_000, 499_990, 500_500, 502_000])(
    "goes on from a snapshot at unit %i, in the middle of a transfer among them, as if there had been none",
    (at) => {
      const machine = bootPc({ policy: "B" });
      machine.run(at);
      const file = snapshotToBytes(takeSnapshot(machine));
      const trace = new Trace(1 << 12);
      trace.on = false;
      const other = restoreSnapshot(snapshotFromBytes(file), trace);
      expect(snapshotToBytes(takeSnapshot(other))).toEqual(file);
      expect(seen(whole(other))).toEqual(reference);
    },
  );

  it("takes keys, and replays them from its log", () => {
    const machine = bootPc({ policy: "B" });
    const start = takeSnapshot(machine);
    machine.run(150_000);
    machine.input({ kind: "keys", codes: Uint8Array.of(0x1e, 0x9e) });
    whole(machine);
    const words = Array.from({ length: 18 }, (_, i) => word(machine, 0x200000 + i * 4));
    expect(words).toContain(0x1e);
    expect(words).toContain(0x9e);
    const trace = new Trace(1 << 12);
    trace.on = false;
    const again = restoreSnapshot(start, trace);
    replay(again, machine.log);
    expect(seen(whole(again))).toEqual(seen(machine));
  });

  it("resets through port 0xcf9 and begins in the ROM; memory and disk stay", () => {
    // mov dx, 0xcf9; mov al, 6; out dx, al
    const machine = bootPc({ policy: "B" }, Uint8Array.of(0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee));
    whole(machine);
    expect(machine.stop.reason).toBe("hlt");
    // The ROM's HLT at the reset vector.
    expect(machine.cpu.linearIp >>> 0).toBe(0xffff_fff1);
    expect(machine.cpu.cr0 & 1).toBe(0);
    expect(word(machine, 0x100000)).toBe(0x0cf9_ba66);
  });

  it("begins in the ROM when the image says so", () => {
    const machine = whole(bootPc({ policy: "B" }, PROGRAM, "reset"));
    expect(machine.cpu.linearIp >>> 0).toBe(0xffff_fff1);
  });

  it("has a hole, text memory and a ROM: what is where", () => {
    const machine = bootPc({ policy: "none" });
    const { slots } = machine;
    expect([0x9f, 0xb8, 0xbf, 0xc0, 0xf0, 0xff, 0x100].every((gfn) => slots.hfnOf(gfn) >= 0)).toBe(true);
    expect([0xa0, 0xb7].every((gfn) => slots.hfnOf(gfn) < 0)).toBe(true);
    expect(word(machine, 0xf0000)).toBe(0xf4f4_f4f4);
    expect(word(machine, 0xffff_fffc)).toBe(0xf4f4_f4f4);
  });

  it("wraps at 1 MiB while A20 is closed, and no more when it is open", () => {
    // close A20 at both gates (0xdd; port 0x92), store through it, open it again, halt
    const code = [
      [0xb0, 0xdd, 0xe6, 0x64, 0xb0, 0x00, 0xe6, 0x92],
      [0xc6, 0x05, 0x00, 0x50, 0x20, 0x00, 0x5a], // mov byte [0x205000], 0x5a
      [0xb0, 0xdf, 0xe6, 0x64, 0xc6, 0x05, 0x00, 0x50, 0x30, 0x00, 0xa5, 0xf4],
    ].flat();
    // The code itself stands at an even MiB, so that it does not move with the gate.
    const setup: MachineSetup = { ...SETUP, machine: "pc", audit: "off" };
    const seenBy = ["none", "B", "nested"].map((policy) => {
      const opened = openImage(Uint8Array.from(code), "flat", {
        memory: setup.memory,
        memoryHigh: 0,
        address: 0x200000,
      });
      if (!opened.ok) throw new Error(opened.error);
      const machine = whole(Machine.boot({ ...setup, policy }, { ...opened.image, rom: ROM }));
      return [word(machine, 0x205000) & 0xff, word(machine, 0x305000) & 0xff, machine.instructions];
    });
    expect(seenBy).toEqual(Array.from({ length: 3 }, () => [0x5a, 0xa5, 9]));
  });

  it("a bare machine has no keyboard", () => {
    const machine = bootPc({ machine: "bare" });
    expect(() => machine.input({ kind: "keys", codes: Uint8Array.of(1) })).toThrow(
      /bare machine has no keyboard/,
    );
  });

  it.skipIf(!hasNasm())("the program's bytes are nasm's", () => {
    const dir = mkdtempSync(join(tmpdir(), "quadrant-pc-"));
    const source = join(import.meta.dirname, "programs", "pc.asm");
    execFileSync("nasm", ["-f", "bin", "-w+error", "-o", join(dir, "out"), source]);
    expect(Uint8Array.from(readFileSync(join(dir, "out")))).toEqual(PROGRAM);
    rmSync(dir, { recursive: true });
  });
});
