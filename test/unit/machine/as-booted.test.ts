/** What a kernel finds that starts without the firmware, against what the firmware leaves when it has run. */
import { describe, expect, it } from "vitest";
import { openImage } from "../../../core/images/index.ts";
import { memoryMap } from "../../../core/images/memory-map.ts";
import { Machine } from "../../../core/machine/machine.ts";
import { Trace } from "../../../core/trace/trace.ts";
import { SETUP } from "./boot.ts";

const HALT = Uint8Array.of(0xfa, 0xf4);

/** A PC that has come as far as CLI and HLT, from a disk's boot sector or as a flat image. */
function halted(kind: "disk" | "flat"): Machine {
  const disk = new Uint8Array(64 * 512);
  disk.set(HALT);
  disk.set([0x55, 0xaa], 510);
  const setup = { ...SETUP, machine: "pc", policy: "none", audit: "off" } as const;
  const options = { memory: setup.memory, memoryHigh: 0, machine: "pc" } as const;
  const opened =
    kind === "disk" ? openImage(disk, kind, options) : openImage(HALT, kind, { ...options, disks: [disk] });
  if (!opened.ok) throw new Error(opened.error);
  const trace = new Trace(1 << 12);
  trace.on = false;
  const machine = Machine.boot(setup, opened.image, trace);
  while (machine.time < 10_000_000 && machine.run(100_000));
  expect(machine.stop.reason).toBe("hlt");
  return machine;
}

/** What of a board a program can rely on: how its controllers are programmed. */
function programmed(machine: Machine) {
  const { pic, pit, apic, ioApic, com2, keyboard, fastA20, keyboardA20 } = machine.pc!.board.save();
  const chip = ({ imr, vectorBase, icw1, icw4, awaits }: typeof pic.master) => ({
    imr,
    vectorBase,
    icw1,
    icw4,
    awaits,
  });
  return {
    pics: [chip(pic.master), chip(pic.slave)],
    timers: pit.channels.map(({ mode, access, count, bcd }) => ({ mode, access, count, bcd })),
    portB: pit.portB,
    apic: apic.registers,
    ioApic: [...ioApic.low],
    lines: [machine.serial.registers, com2.registers],
    keyboard: { command: keyboard.command, outputPort: keyboard.outputPort, scanning: keyboard.scanning },
    a20: { fastA20, keyboardA20 },
  };
}

function biosData(machine: Machine): Uint8Array {
  const hfn = machine.slots.hfnOf(0);
  const bytes = machine.memory.bytes.slice(hfn * 4096 + 0x400, hfn * 4096 + 0x500);
  // The cursor's place, the time of day, and where a loader's GDT lies.
  for (const [from, to] of [
    [0x50, 0x60],
    [0x6c, 0x70],
    [0xe8, 0x100],
  ] as const)
    bytes.fill(0, from, to);
  return bytes;
}

describe("a kernel that starts without the firmware", () => {
  const [firmware, loader] = [halted("disk"), halted("flat")];

  it("finds interrupt controllers, timers, APICs, serial lines and gates programmed as the firmware does it", () => {
    expect(programmed(loader)).toEqual(programmed(firmware));
  });

  it("is told the memory map that INT 15h, E820 tells", () => {
    // The firmware keeps its answers in the extended data area: a count, then base, length and type.
    const hfn = firmware.slots.hfnOf(0x9f);
    const view = new DataView(firmware.memory.bytes.slice(hfn * 4096 + 0xc00, (hfn + 1) * 4096).buffer);
    const regions = Array.from({ length: view.getUint16(0x80, true) }, (_, i) => ({
      base: Number(view.getBigUint64(0xc0 + i * 20, true)),
      length: Number(view.getBigUint64(0xc0 + i * 20 + 8, true)),
      type: view.getUint32(0xc0 + i * 20 + 16, true),
    }));
    expect(memoryMap({ machine: "pc", memory: SETUP.memory, memoryHigh: 0 })).toEqual(regions);
  });

  it("finds the BIOS data area as the firmware leaves it", () => {
    expect(biosData(loader)).toEqual(biosData(firmware));
  });
});
